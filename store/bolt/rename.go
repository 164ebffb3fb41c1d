package bolt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"broadsheet/store"
	"broadsheet/store/record"
)

// Rename implements store.Store. It writes the heads of the items concerned anew, and nothing else of them: keys and
// links stay as they are.
func (s *Store) Rename(ctx context.Context, renames ...store.Rename) (done []store.Rename, err error) {
	known, err := s.knows(ctx, renames)
	if err != nil || !known {
		return nil, err
	}
	err = s.update(ctx, func(tx *tx) error {
		w := s.newWriter(tx)
		states, err := w.outlets(renames)
		if err != nil {
			return err
		}
		names, err := w.names()
		if err != nil {
			return err
		}
		before := make([]store.FeedName, 0, len(states))
		for name := range states {
			before = append(before, name)
		}
		if done = names.Rename(states, renames); len(done) == 0 {
			return nil
		}
		if err := w.renameItems(done, states); err != nil {
			return err
		}
		for _, name := range before {
			key := feedKey(name.Outlet, name.URL)
			if err := errors.Join(w.feeds.Delete(key), w.recollections.Delete(key)); err != nil {
				return err
			}
		}
		for _, f := range states {
			if err := w.putState(&f); err != nil {
				return err
			}
		}
		v, err := json.Marshal(names)
		if err != nil {
			return err
		}
		if err := w.meta.Put(namesKey, v); err != nil {
			return err
		}
		return w.finish(number(w.meta.Get(dayKey)))
	})
	if err != nil {
		return nil, fmt.Errorf("rename: %w", err)
	}
	return done, nil
}

// knows reports whether one of the old names has a state. Mostly none has: renames are repeated at each start.
func (s *Store) knows(ctx context.Context, renames []store.Rename) (known bool, err error) {
	err = s.view(ctx, func(tx *tx) error {
		c := tx.Bucket(feedsBucket).Cursor()
		for _, r := range renames {
			prefix := feedKey(r.From.Outlet, r.From.URL)
			k, _ := c.Seek(prefix)
			known = known || bytes.HasPrefix(k, prefix)
		}
		return nil
	})
	return known, err
}

// outlets reads the states of all feeds of the outlets that the renames name.
func (w *writer) outlets(renames []store.Rename) (map[store.FeedName]store.FeedState, error) {
	states := map[store.FeedName]store.FeedState{}
	read := map[string]bool{}
	for _, r := range renames {
		for _, outlet := range []string{r.From.Outlet, r.To.Outlet} {
			if read[outlet] {
				continue
			}
			read[outlet] = true
			prefix, c := feedKey(outlet, ""), w.feeds.Cursor()
			for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
				var f store.FeedState
				if err := json.Unmarshal(v, &f); err != nil {
					return nil, fmt.Errorf("the state of a feed: %w: %w", record.ErrDamaged, err)
				}
				states[f.Name()] = f
			}
		}
	}
	return states, nil
}

// renameItems does what was done to states to their items, and counts the items anew.
func (w *writer) renameItems(done []store.Rename, states map[store.FeedName]store.FeedState) error {
	concerned := map[string]bool{}
	for _, r := range done {
		concerned[r.From.Outlet], concerned[r.To.Outlet] = true, true
	}
	for name, f := range states {
		if concerned[name.Outlet] {
			f.Items = 0
			states[name] = f
		}
	}
	var places []place // a bucket is not to be written while a cursor goes through it
	c := w.heads.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if concerned[string(record.Outlet(v))] {
			places = append(places, place(k))
		}
	}
	for _, p := range places {
		it, err := decodeHead(p, string(w.heads.Get(p[:])))
		if err != nil {
			return err
		}
		changed, old := false, it.Revision
		for _, r := range done {
			changed = r.Item(&it) || changed
		}
		if changed {
			if err := w.change(&store.Update{Item: it}, old); err != nil {
				return err
			}
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
	return nil
}
