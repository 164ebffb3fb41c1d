package postgres

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"broadsheet/store"
	"broadsheet/store/record"
)

const (
	firstPage = 64    // rows of the first page of a list: many callers need little
	page      = 512   // and of the others
	window    = 20000 // items through which the server looks at once
	fewer     = 200   // as many outlets are looked up each by itself
)

// A walk gets the next page of a list, of at most room values, and says whether there may be more.
type walk[T any] func(ctx context.Context, c *conn, room int) (_ []T, more bool, err error)

// pages yields what a walk comes by. Each page is a call of its own.
func pages[T any](ctx context.Context, s *Store, next walk[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		for room, more := firstPage, true; more; room = page {
			var list []T
			err := s.do(ctx, func(ctx context.Context, c *conn) (err error) {
				list, more, err = next(ctx, c, room)
				return err
			})
			if err != nil {
				yield(zero, err)
				return
			}
			for _, v := range list {
				if !yield(v, nil) {
					return
				}
			}
		}
	}
}

// Items implements store.Store. Since is answered in the order of the changes.
func (s *Store) Items(ctx context.Context, q store.Query) iter.Seq2[store.Item, error] {
	return func(yield func(store.Item, error) bool) {
		var next walk[store.Item] // made anew for each run of the iterator
		switch {
		case q.IDs != nil:
			next = walkIDs(q.IDs)
		case q.Outlets != nil && len(q.Outlets) == 0:
			if err := ctx.Err(); err != nil {
				yield(store.Item{}, err)
			}
			return
		case q.Since > 0:
			next = walkSince(q.Since, q.Outlets)
		case q.ByArrival:
			next = walkArrivals(q)
		case q.Outlets != nil && len(q.Outlets) <= fewer:
			next = walkOutlets(q.Outlets)
		default:
			next = walkDates(q.Outlets)
		}
		pages(ctx, s, next)(yield)
	}
}

// items reads a page, or fails and has read nothing: a walk that is asked again must not go on behind what it lost.
func items(ctx context.Context, c *conn, room int, sql string, args ...any) (list []store.Item, more bool, err error) {
	r, err := c.Query(ctx, fmt.Sprintf("%s LIMIT %d", sql, room), args...) // a limit that the planner sees
	if err != nil {
		return nil, false, err
	}
	list = make([]store.Item, 0, room)
	err = eachItem(r, func(it store.Item) { list = append(list, it) })
	r.Close()
	if err != nil {
		return nil, false, err
	}
	return list, len(list) == room, nil
}

// end is beyond every item.
var end = struct {
	date time.Time
	id   int64
}{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), 1<<63 - 1}

// walkDates goes from the newest date to the oldest. The date of an item never changes, so none comes twice.
func walkDates(outlets []string) walk[store.Item] {
	date, id := end.date, end.id
	return func(ctx context.Context, c *conn, room int) (list []store.Item, more bool, err error) {
		if outlets == nil {
			list, more, err = items(ctx, c, room, "SELECT id, date, value FROM items WHERE (date, id) < ($1, $2) ORDER BY date DESC, id DESC", date, id)
		} else {
			list, more, err = items(ctx, c, room, "SELECT id, date, value FROM items WHERE (date, id) < ($1, $2) AND outlet = ANY($3) ORDER BY date DESC, id DESC", date, id, outlets)
		}
		if n := len(list); n > 0 {
			date, id = list[n-1].Date, int64(list[n-1].ID)
		}
		return list, more, err
	}
}

// walkOutlets does the same for a few outlets: the next of each, and of those the newest.
func walkOutlets(outlets []string) walk[store.Item] {
	outlets = slices.Compact(slices.Sorted(slices.Values(outlets)))
	date, id := end.date, end.id
	return func(ctx context.Context, c *conn, room int) ([]store.Item, bool, error) {
		list, more, err := items(ctx, c, room, fmt.Sprintf(`SELECT i.id, i.date, i.value FROM (
				SELECT n.id, n.date FROM unnest($3::text[]) AS o(outlet) CROSS JOIN LATERAL (
					SELECT id, date FROM items WHERE outlet = o.outlet AND (date, id) < ($1, $2) ORDER BY date DESC, id DESC LIMIT %d) AS n
				ORDER BY n.date DESC, n.id DESC LIMIT %d) AS n JOIN items AS i ON i.id = n.id ORDER BY i.date DESC, i.id DESC`, room, room), date, id, outlets)
		if n := len(list); n > 0 {
			date, id = list[n-1].Date, int64(list[n-1].ID)
		}
		return list, more, err
	}
}

// walkArrivals goes from the last number to the first. Within bounds of the arrival it looks only at the numbers that
// were given from the first of these arrivals to the last.
func walkArrivals(q store.Query) walk[store.Item] {
	first, id := int64(0), end.id
	bounded := !q.From.IsZero() || !q.Until.IsZero()
	from, until := q.From, q.Until
	if until.IsZero() {
		until = end.date
	}
	sought := false
	return func(ctx context.Context, c *conn, room int) (list []store.Item, more bool, err error) {
		if bounded && !sought {
			err := c.QueryRow(ctx, "SELECT coalesce(min(id), 0), coalesce(max(id), -1) + 1 FROM items WHERE arrived >= $1 AND arrived < $2", from, until).Scan(&first, &id)
			if err != nil {
				return nil, false, err
			}
			sought = true
		}
		sql, args := "SELECT id, date, value FROM items WHERE id < $1 AND id >= $2", []any{id, first}
		if bounded {
			sql, args = sql+" AND arrived >= $3 AND arrived < $4", append(args, from, until)
		}
		if q.Outlets != nil {
			sql, args = sql+fmt.Sprintf(" AND outlet = ANY($%d)", len(args)+1), append(args, q.Outlets)
		}
		list, more, err = items(ctx, c, room, sql+" ORDER BY id DESC", args...)
		if n := len(list); n > 0 {
			id = int64(list[n-1].ID)
		}
		return list, more, err
	}
}

// walkSince goes through what changed after since, up to the revision that is the last when it begins: an item that
// changes meanwhile moves behind that and is left for the next query.
func walkSince(since store.Revision, outlets []string) walk[store.Item] {
	rev, id, last := int64(since), end.id, int64(-1)
	return func(ctx context.Context, c *conn, room int) (list []store.Item, more bool, err error) {
		if last < 0 {
			if err := c.QueryRow(ctx, "SELECT revision FROM head WHERE one = 1").Scan(&last); err != nil {
				return nil, false, err
			}
		}
		if last <= int64(since) {
			return nil, false, nil
		}
		sql, args := "SELECT id, date, value FROM items WHERE (revision, id) > ($1, $2) AND revision <= $3", []any{rev, id, last}
		if outlets != nil {
			sql, args = sql+" AND outlet = ANY($4)", append(args, outlets)
		}
		list, more, err = items(ctx, c, room, sql+" ORDER BY revision, id", args...)
		if n := len(list); n > 0 {
			rev, id = int64(list[n-1].Revision), int64(list[n-1].ID)
		}
		return list, more, err
	}
}

// inOrder gets values by their numbers, page by page, and puts them into the order asked for.
func inOrder[ID ~uint64, T any](ids []ID, get func(ctx context.Context, c *conn, ids []int64, add func(ID, T)) error) walk[T] {
	return func(ctx context.Context, c *conn, room int) (list []T, more bool, err error) {
		these := ids[:min(room, len(ids))]
		if len(these) == 0 {
			return nil, false, nil
		}
		found := make(map[ID]T, len(these))
		if err := get(ctx, c, numbers(these), func(id ID, v T) { found[id] = v }); err != nil {
			return nil, false, err
		}
		for _, id := range these {
			if v, ok := found[id]; ok {
				list = append(list, v)
			}
		}
		ids = ids[len(these):]
		return list, len(ids) > 0, nil
	}
}

func walkIDs(ids []store.ItemID) walk[store.Item] {
	return inOrder(ids, func(ctx context.Context, c *conn, ids []int64, add func(store.ItemID, store.Item)) error {
		r, err := c.Query(ctx, "SELECT id, date, value FROM items WHERE id = ANY($1)", ids)
		if err != nil {
			return err
		}
		defer r.Close()
		return eachItem(r, func(it store.Item) { add(it.ID, it) })
	})
}

// Bodies implements store.Store.
func (s *Store) Bodies(ctx context.Context, ids ...store.ItemID) iter.Seq2[store.Body, error] {
	return func(yield func(store.Body, error) bool) {
		pages(ctx, s, inOrder(ids, func(ctx context.Context, c *conn, ids []int64, add func(store.ItemID, store.Body)) error {
			r, err := c.Query(ctx, "SELECT item, value FROM bodies WHERE item = ANY($1)", ids)
			if err != nil {
				return err
			}
			defer r.Close()
			var id store.ItemID
			var value []byte
			return each(r, []any{&id, &value}, func() error {
				b, err := s.packer.Unpack(id, value)
				add(id, b)
				return err
			})
		}))(yield)
	}
}

// Recollection implements store.Store.
func (s *Store) Recollection(ctx context.Context, feed store.FeedName) (b []byte, err error) {
	err = s.do(ctx, func(ctx context.Context, c *conn) error {
		err := c.QueryRow(ctx, "SELECT value FROM recollections WHERE outlet = $1 AND url = $2", feed.Outlet, feed.URL).Scan(&b)
		if err == errNoRows {
			b, err = nil, nil
		}
		return err
	})
	return b, err
}

// Stories implements store.Store. A story without a record has its first item only.
func (s *Store) Stories(ctx context.Context, ids ...store.StoryID) iter.Seq2[store.Story, error] {
	return func(yield func(store.Story, error) bool) {
		pages(ctx, s, inOrder(ids, func(ctx context.Context, c *conn, ids []int64, add func(store.StoryID, store.Story)) error {
			b := &batch{}
			b.Queue("SELECT id, date, value FROM items WHERE id = ANY($1)", ids).Query(func(r rows) error {
				return eachItem(r, func(it store.Item) {
					if it.Story == store.StoryID(it.ID) { // one that joined another story has none of its own number
						add(it.Story, store.Story{ID: it.Story, PublishedID: it.PublishedID, Items: []store.ItemID{it.ID}})
					}
				})
			})
			b.Queue("SELECT id, value FROM stories WHERE id = ANY($1)", ids).Query(func(r rows) error {
				var id store.StoryID
				var value string
				return each(r, []any{&id, (*bytesAsString)(&value)}, func() error {
					st, err := record.Story(id, value)
					add(id, st)
					return err
				})
			})
			return send(ctx, c, b)
		}))(yield)
	}
}

// Changes implements store.Store.
func (s *Store) Changes(ctx context.Context, ids ...store.ItemID) iter.Seq2[store.Change, error] {
	return func(yield func(store.Change, error) bool) {
		all := pages(ctx, s, inOrder(ids, func(ctx context.Context, c *conn, ids []int64, add func(store.ItemID, []store.Change)) error {
			r, err := c.Query(ctx, "SELECT item, value FROM changes WHERE item = ANY($1)", ids)
			if err != nil {
				return err
			}
			defer r.Close()
			var id store.ItemID
			var value []byte
			return each(r, []any{&id, &value}, func() error {
				changes, err := decodeChanges(value)
				add(id, changes)
				return err
			})
		}))
		for changes, err := range all {
			if err != nil {
				yield(store.Change{}, err)
				return
			}
			for _, c := range changes {
				if !yield(c, nil) {
					return
				}
			}
		}
	}
}

// Find implements store.Store. No index can answer: what people call items by is within their values. The server looks
// through them and sends those that hold the name or the hash of the link.
func (s *Store) Find(ctx context.Context, name string) iter.Seq2[store.Item, error] {
	return func(yield func(store.Item, error) bool) {
		id, link := []byte(name), record.Hash(store.LinkHash(name))
		last := int64(-1)
		next := func(ctx context.Context, c *conn, _ int) (list []store.Item, more bool, err error) {
			if name == "" {
				return nil, false, nil
			}
			var top int64
			if err := c.QueryRow(ctx, "SELECT last FROM head WHERE one = 1").Scan(&top); err != nil {
				return nil, false, err
			}
			r, err := c.Query(ctx, `SELECT id, date, value FROM items WHERE id > $1 AND id <= $2 AND (position($3::bytea IN value) > 0 OR position($4::bytea IN value) > 0)
				ORDER BY id`, last, last+window, id, link)
			if err != nil {
				return nil, false, err
			}
			defer r.Close()
			err = eachItem(r, func(it store.Item) {
				if it.Named(name) {
					list = append(list, it)
				}
			})
			if err == nil {
				last += window
			}
			return list, last < top, err
		}
		pages(ctx, s, next)(yield)
	}
}

// Months implements store.Store: from each month the index leads to the next.
func (s *Store) Months(ctx context.Context) (m store.Months, err error) {
	err = s.do(ctx, func(ctx context.Context, c *conn) error {
		m = store.Months{}
		b := &batch{}
		b.Queue(`WITH RECURSIVE months(arrived) AS (
				SELECT min(arrived) FROM items
				UNION ALL
				SELECT (SELECT min(arrived) FROM items WHERE arrived >= (date_trunc('month', m.arrived AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC')
				FROM months m WHERE m.arrived IS NOT NULL)
			SELECT arrived FROM months WHERE arrived IS NOT NULL ORDER BY arrived`).Query(func(r rows) error {
			var t time.Time
			return each(r, []any{&t}, func() error {
				m.Stored = append(m.Stored, store.Month(t))
				return nil
			})
		})
		b.Queue(selectHead).QueryRow(func(r row) error {
			h, err := scanHead(r)
			m.Pruned = h.pruned
			return err
		})
		return send(ctx, c, b)
	})
	return m, err
}

// Feeds implements store.Store.
func (s *Store) Feeds(ctx context.Context) iter.Seq2[store.FeedState, error] {
	return func(yield func(store.FeedState, error) bool) {
		var last store.FeedName
		pages(ctx, s, func(ctx context.Context, c *conn, room int) (list []store.FeedState, more bool, err error) {
			r, err := c.Query(ctx, fmt.Sprintf("SELECT state, items FROM feeds WHERE (outlet, url) > ($1, $2) ORDER BY outlet, url LIMIT %d", room), last.Outlet, last.URL)
			if err != nil {
				return nil, false, err
			}
			defer r.Close()
			err = eachState(r, func(f store.FeedState) { list = append(list, f) })
			if n := len(list); n > 0 && err == nil {
				last = list[n-1].Name()
			}
			return list, len(list) == room, err
		})(yield)
	}
}
