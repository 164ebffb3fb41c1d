package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"broadsheet/store"
	"broadsheet/store/record"
)

const (
	pruneBatch = 200   // items that one transaction deletes
	sweepLooks = 10000 // names that one call of Prune looks at
	sweepPause = 7     // days from one sweep's beginning to the next

	// keepDays is how long a name stays after the day that stands beside it.
	keepDays = int(store.TombstoneAge/(24*time.Hour)) + freshDays + 1
)

// Prune implements store.Store. It also sweeps a part of the names that no outlet lists any more. Of several processes
// that prune at once each finds what the others have left.
func (s *Store) Prune(ctx context.Context, before time.Time, n int) (pruned int, err error) {
	for pruned < n {
		gone, want := 0, min(n-pruned, pruneBatch)
		err := s.do(ctx, func(ctx context.Context, c *conn) (err error) {
			gone, err = prune(ctx, c, before, want)
			return err
		})
		if err != nil {
			return pruned, fmt.Errorf("prune: %w", err)
		}
		if pruned += gone; gone < want {
			break
		}
	}
	if err := s.do(ctx, sweep); err != nil {
		return pruned, fmt.Errorf("prune: %w", err)
	}
	return pruned, nil
}

// prune deletes the next items. What names them stays.
func prune(ctx context.Context, c *conn, before time.Time, n int) (gone int, err error) {
	var ids []int64
	r, err := c.Query(ctx, fmt.Sprintf("SELECT id FROM items WHERE arrived < $1 ORDER BY arrived, id LIMIT %d", n), before)
	if err != nil {
		return 0, err
	}
	var id int64
	err = each(r, []any{&id}, func() error {
		ids = append(ids, id)
		return nil
	})
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	l := newLedger(c, true)
	var pruned []store.Item
	b := &batch{}
	b.Queue("BEGIN")
	b.Queue(selectHead + " FOR UPDATE").QueryRow(func(r row) (err error) {
		l.head, err = scanHead(r)
		return err
	})
	b.Queue("DELETE FROM items WHERE id = ANY($1) RETURNING id, date, value", ids).Query(func(r rows) error {
		return eachItem(r, func(it store.Item) { pruned = append(pruned, it) })
	})
	b.Queue("DELETE FROM bodies WHERE item = ANY($1)", ids)
	b.Queue("DELETE FROM changes WHERE item = ANY($1)", ids)
	if err := send(ctx, c, b); err != nil {
		return 0, err
	}
	latest := l.head.pruned
	for _, it := range pruned {
		l.asked.stories.want(it.Story)
		if it.Arrived.After(latest) {
			latest = it.Arrived
		}
	}
	if err := l.fetch(ctx); err != nil {
		return 0, err
	}
	b = &batch{}
	l.queueLeft(b, pruned)
	queueFewer(b, pruned)
	if len(pruned) > 0 {
		b.Queue("UPDATE head SET revision = revision + 1, pruned = $1, gone = greatest(gone, $2) WHERE one = 1", latest, slices.Max(ids))
	}
	b.Queue("COMMIT")
	return len(ids), send(ctx, c, b) // what somebody else has deleted is gone as well
}

// queueLeft takes items out of the records of their stories. A record stays while it has items: it alone knows
// the story's PublishedID when the first item is gone.
func (l *ledger) queueLeft(b *batch, pruned []store.Item) {
	left := map[store.StoryID]bool{}
	for _, it := range pruned {
		if s := l.stories[it.Story]; s != nil {
			left[s.ID] = true
			s.Items = slices.DeleteFunc(s.Items, func(id store.ItemID) bool { return id == it.ID })
			s.Ties = slices.DeleteFunc(s.Ties, func(t store.Tie) bool { return t.Item == it.ID })
		}
	}
	for _, id := range slices.Sorted(maps.Keys(left)) {
		if s := l.stories[id]; len(s.Items) == 0 {
			b.Queue("DELETE FROM stories WHERE id = $1", int64(id))
		} else {
			b.Queue("UPDATE stories SET value = $2 WHERE id = $1", int64(id), record.AppendStory(nil, s))
		}
	}
}

// queueFewer counts down the items of the feeds that carried them.
func queueFewer(b *batch, pruned []store.Item) {
	carried := map[store.FeedName]int32{}
	for _, it := range pruned {
		for _, url := range it.Feeds {
			carried[store.FeedName{Outlet: it.Outlet, URL: url}]++
		}
	}
	if len(carried) == 0 {
		return
	}
	names := slices.SortedFunc(maps.Keys(carried), compareNames)
	outlets, urls, fewer := make([]string, len(names)), make([]string, len(names)), make([]int32, len(names))
	for i, n := range names {
		outlets[i], urls[i], fewer[i] = n.Outlet, n.URL, carried[n]
	}
	b.Queue(`UPDATE feeds AS f SET items = greatest(f.items - n.fewer, 0) FROM unnest($1::text[], $2::text[], $3::int[]) AS n(outlet, url, fewer)
		WHERE f.outlet = n.outlet AND f.url = n.url`, outlets, urls, fewer)
}

// position is how far a sweep has come. The days are those of polls, not of a clock.
type position struct {
	Began int    `json:"began"`          // the day when the sweep began
	Table int    `json:"table"`          // of sweptTables; behind the last when it is done
	After []byte `json:"after,omitzero"` // the last key of it that was looked at
}

var sweptTables = []string{"keys", "links", "published"}

// sweep looks at the next names and deletes those that no outlet has listed for long and whose items are gone. The names
// of stored items stay whatever their age, or the outlet could list them again and they would come twice.
func sweep(ctx context.Context, c *conn) error {
	var today int
	var value string
	if err := c.QueryRow(ctx, "SELECT day, sweep FROM head WHERE one = 1").Scan(&today, &value); err != nil {
		return err
	}
	var at position
	if value != "" {
		if err := json.Unmarshal([]byte(value), &at); err != nil {
			return fmt.Errorf("the sweep: %w: %w", record.ErrDamaged, err)
		}
	}
	if at.Table >= len(sweptTables) {
		if today < at.Began+sweepPause {
			return nil
		}
		at = position{Began: today}
	}
	for left := sweepLooks; left > 0 && at.Table < len(sweptTables); {
		looked, err := at.step(ctx, c, left, today-keepDays)
		if err != nil {
			return err
		}
		left -= max(looked, 1)
	}
	next, err := json.Marshal(at)
	if err != nil || string(next) == value {
		return err
	}
	_, err = c.Exec(ctx, "UPDATE head SET sweep = $1 WHERE one = 1", string(next))
	return err
}

// step looks at the next names of a table, n at most, and deletes those that were last listed before a day.
func (p *position) step(ctx context.Context, c *conn, n, before int) (looked int, err error) {
	table := sweptTables[p.Table]
	var from, to [16]byte
	copy(from[:], p.After) // no key is all zeros
	r, err := c.Query(ctx, fmt.Sprintf("SELECT key FROM %s WHERE key > $1 ORDER BY key LIMIT %d", table, n), from)
	if err != nil {
		return 0, err
	}
	if err := each(r, []any{&to}, func() error { looked++; return nil }); err != nil {
		return 0, err
	}
	if looked == 0 {
		p.Table, p.After = p.Table+1, nil
		return 0, nil
	}
	p.After = to[:]
	if table == "links" {
		return looked, sweepLinks(ctx, c, from, to, before)
	}
	_, err = c.Exec(ctx, fmt.Sprintf("DELETE FROM %s AS n WHERE key > $1 AND key <= $2 AND day < $3 AND NOT EXISTS (SELECT 1 FROM items WHERE id = n.item)", table), from, to, before)
	return looked, err
}

// sweepLinks does the same for links, whose items are known to us alone.
func sweepLinks(ctx context.Context, c *conn, from, to [16]byte, before int) error {
	r, err := c.Query(ctx, "SELECT key, value FROM links WHERE key > $1 AND key <= $2 AND day < $3", from, to, before)
	if err != nil {
		return err
	}
	refs := map[store.Key][]store.LinkRef{}
	l := newLedger(c, false)
	var key [16]byte
	var value string
	err = each(r, []any{&key, (*bytesAsString)(&value)}, func() (err error) {
		_, refs[key], err = record.Links(value)
		for _, ref := range refs[key] {
			l.asked.items.want(ref.Item)
		}
		return err
	})
	if err != nil || len(refs) == 0 {
		return err
	}
	if err := l.fetch(ctx); err != nil {
		return err
	}
	var expired []store.Key
	for k, list := range refs {
		if !slices.ContainsFunc(list, func(ref store.LinkRef) bool { _, stored := l.known.Items[ref.Item]; return stored }) {
			expired = append(expired, k)
		}
	}
	_, err = c.Exec(ctx, "DELETE FROM links WHERE key = ANY($1) AND day < $2", uuids(expired), before)
	return err
}
