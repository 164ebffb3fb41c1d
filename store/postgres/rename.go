package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"broadsheet/store"
	"broadsheet/store/record"
)

// Rename implements store.Store. It writes the items concerned anew, and nothing else of them: keys and links stay as
// they are. Whoever saves a poll under an old name meanwhile finds that its feed is gone, and looks again.
func (s *Store) Rename(ctx context.Context, renames ...store.Rename) (done []store.Rename, err error) {
	err = s.do(ctx, func(ctx context.Context, c *conn) error {
		known, err := knows(ctx, c, renames)
		if done = nil; err != nil || !known {
			return err
		}
		done, err = s.rename(ctx, c, renames)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("rename: %w", err)
	}
	return done, nil
}

// knows reports whether one of the old names has a state. Mostly none has: renames are repeated at each start.
func knows(ctx context.Context, c *conn, renames []store.Rename) (known bool, err error) {
	outlets, urls := make([]string, len(renames)), make([]string, len(renames))
	for i, r := range renames {
		outlets[i], urls[i] = r.From.Outlet, r.From.URL
	}
	err = c.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM unnest($1::text[], $2::text[]) AS n(outlet, url)
		WHERE EXISTS (SELECT 1 FROM feeds f WHERE f.outlet = n.outlet AND (f.url = n.url OR n.url = '')))`, outlets, urls).Scan(&known)
	return known, err
}

func (s *Store) rename(ctx context.Context, c *conn, renames []store.Rename) (done []store.Rename, err error) {
	l := newLedger(c, true)
	states, before := map[store.FeedName]store.FeedState{}, []store.FeedName(nil)
	b := &batch{}
	b.Queue("BEGIN")
	b.Queue(selectHead + " FOR UPDATE").QueryRow(func(r row) (err error) {
		l.head, err = scanHead(r)
		return err
	})
	b.Queue("SELECT state, items FROM feeds WHERE outlet = ANY($1) ORDER BY outlet, url FOR UPDATE", outletsOf(renames)).Query(func(r rows) error {
		return eachState(r, func(f store.FeedState) { states[f.Name()], before = f, append(before, f.Name()) })
	})
	if err := send(ctx, c, b); err != nil {
		return nil, err
	}
	if done = l.head.names.Rename(states, renames); len(done) == 0 {
		_, err := c.Exec(ctx, "COMMIT")
		return nil, err
	}
	if err := s.renameItems(ctx, c, l, done, states); err != nil {
		return nil, err
	}
	for _, name := range before {
		if _, err := c.Exec(ctx, "DELETE FROM feeds WHERE outlet = $1 AND url = $2", name.Outlet, name.URL); err != nil {
			return nil, err
		}
	}
	if _, err := c.Exec(ctx, "DELETE FROM recollections WHERE outlet = ANY($1)", outletsOf(renames)); err != nil {
		return nil, err
	}
	for _, f := range states {
		l.setState(f)
	}
	names, err := json.Marshal(l.head.names)
	if err != nil {
		return nil, err
	}
	b = &batch{}
	b.Queue("UPDATE head SET names = $1 WHERE one = 1", string(names))
	if err := s.queueAll(b, l, nil); err != nil {
		return nil, err
	}
	b.Queue("COMMIT")
	return done, send(ctx, c, b)
}

func outletsOf(renames []store.Rename) []string {
	outlets := map[string]bool{}
	for _, r := range renames {
		outlets[r.From.Outlet], outlets[r.To.Outlet] = true, true
	}
	return slices.Sorted(maps.Keys(outlets))
}

// renameItems does what was done to states to their items, and counts the items anew.
func (s *Store) renameItems(ctx context.Context, c *conn, l *ledger, done []store.Rename, states map[store.FeedName]store.FeedState) error {
	outlets := outletsOf(done)
	for name, f := range states {
		if slices.Contains(outlets, name.Outlet) {
			f.Items = 0
			states[name] = f
		}
	}
	for last, more := int64(-1), true; more; {
		var list []store.Item
		var err error
		// By the numbers, which stay, since the outlets do not.
		list, more, err = items(ctx, c, page, "SELECT id, date, value FROM items WHERE id > $1 AND outlet = ANY($2) ORDER BY id", last, outlets)
		if err != nil {
			return err
		}
		clear(l.known.Items)
		clear(l.dirty.items)
		for _, it := range list {
			last = int64(it.ID)
			changed := false
			for _, r := range done {
				changed = r.Item(&it) || changed
			}
			if changed {
				l.put(it, nil)
			}
			for _, url := range it.Feeds {
				name := store.FeedName{Outlet: it.Outlet, URL: url}
				f, ok := states[name]
				if !ok {
					return fmt.Errorf("item %d names feed %q, which has no state: %w", it.ID, url, record.ErrDamaged)
				}
				f.Items++
				states[name] = f
			}
		}
		if more && len(l.dirty.items) > 0 {
			b := &batch{}
			l.queueItems(b)
			b.Queue("UPDATE head SET revision = $1 WHERE one = 1", l.head.revision+1)
			if err := send(ctx, c, b); err != nil {
				return err
			}
		}
	}
	return nil
}
