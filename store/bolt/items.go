package bolt

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	"broadsheet/store"
	"broadsheet/store/record"
)

const (
	batchItems = 256     // how many values one transaction copies out at most
	batchBytes = 1 << 20 // and how many bytes, roughly
	batchLooks = 10000   // and past how many keys it looks
)

// A walk goes through a store in steps. Each step is a transaction of its own: it appends copies of up to room
// values to batch and says whether there may be more.
type walk[T any] func(tx *tx, batch []T, room int) (_ []T, more bool)

// rows yields what a walk comes by. The first steps are short, for callers who need little.
func rows[T, R any](ctx context.Context, s *Store, next walk[T], decode func(T) (R, error)) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		var zero R
		var batch []T
		for room, more := 64, true; more; room = min(2*room, batchItems) {
			err := s.view(ctx, func(tx *tx) error {
				batch, more = next(tx, batch[:0], room)
				return nil
			})
			if err != nil {
				yield(zero, err)
				return
			}
			for _, t := range batch {
				r, err := decode(t)
				if !yield(r, err) || err != nil {
					return
				}
			}
		}
	}
}

// head is a copied entry of the bucket of heads.
type head struct {
	place place
	value string
}

func (h head) decode() (store.Item, error) { return decodeHead(h.place, h.value) }

// Items implements store.Store. Since is answered in the order of the changes.
func (s *Store) Items(ctx context.Context, q store.Query) iter.Seq2[store.Item, error] {
	return func(yield func(store.Item, error) bool) {
		var next walk[head] // made anew for each run of the iterator
		switch {
		case q.IDs != nil:
			next = walkIDs(q.IDs)
		case q.Since > 0:
			next = walkSince(q.Since, outletFilter(q.Outlets))
		case q.ByArrival:
			next = walkArrivals(&q, outletFilter(q.Outlets))
		default:
			next = walkDates(outletFilter(q.Outlets))
		}
		rows(ctx, s, next, head.decode)(yield)
	}
}

// outletFilter tells whether a head is of one of the outlets, without decoding it.
func outletFilter(outlets []string) func(v []byte) bool {
	if outlets == nil {
		return func([]byte) bool { return true }
	}
	wanted := make(map[string]bool, len(outlets))
	for _, o := range outlets {
		wanted[o] = true
	}
	return func(v []byte) bool { return wanted[string(record.Outlet(v))] }
}

// walkDates goes from the newest date to the oldest. The date of an item never changes, so none comes twice.
func walkDates(wanted func([]byte) bool) walk[head] {
	var last []byte
	return func(tx *tx, batch []head, room int) (_ []head, more bool) {
		c := tx.Bucket(headsBucket).Cursor()
		k, v := before(c, last)
		for looks := 0; k != nil && len(batch) < room && looks < batchLooks; looks++ {
			if wanted(v) {
				batch = append(batch, head{place(k), string(v)})
			}
			last = append(last[:0], k...)
			k, v = c.Prev()
		}
		return batch, k != nil
	}
}

// walkArrivals goes from the last number to the first. It looks past arrivals out of the query's bounds and does not
// end with them: a clock that once stood wrong must not hide what came before.
func walkArrivals(q *store.Query, wanted func([]byte) bool) walk[head] {
	var last []byte
	return func(tx *tx, batch []head, room int) (_ []head, more bool) {
		ids, heads := tx.Bucket(idsBucket).Cursor(), tx.Bucket(headsBucket)
		k, v := before(ids, last)
		for looks := 0; k != nil && len(batch) < room && looks < batchLooks; looks++ {
			if q.Arrived(moment(number(v[8:]))) {
				p := place(slices.Concat(v[:8], k))
				if h := heads.Get(p[:]); wanted(h) {
					batch = append(batch, head{p, string(h)})
				}
			}
			last = append(last[:0], k...)
			k, v = ids.Prev()
		}
		return batch, k != nil
	}
}

// before finds the last entry before key, or the very last if key is nil.
func before(c *cursor, key []byte) (k, v []byte) {
	if key == nil {
		return c.Last()
	}
	if k, _ := c.Seek(key); k == nil {
		return c.Last()
	}
	return c.Prev()
}

// walkSince goes through the entries of the revisions after since, up to the revision that is the last when
// it begins: an item that changes meanwhile moves behind that and is left for the next query.
func walkSince(since store.Revision, wanted func([]byte) bool) walk[head] {
	next, end := key8(since+1), []byte(nil)
	return func(tx *tx, batch []head, room int) (_ []head, more bool) {
		if end == nil {
			end = key8(number(tx.Bucket(metaBucket).Get(revisionKey)) + 1)
		}
		ids, heads := tx.Bucket(idsBucket), tx.Bucket(headsBucket)
		c := tx.Bucket(revisionsBucket).Cursor()
		k, _ := c.Seek(next)
		for looks := 0; k != nil && bytes.Compare(k, end) < 0 && len(batch) < room && looks < batchLooks; looks++ {
			p, _, _ := stands(ids, store.ItemID(number(k[8:])))
			if h := heads.Get(p[:]); wanted(h) {
				batch = append(batch, head{p, string(h)})
			}
			next = append(append(next[:0], k...), 0) // the first key after k
			k, _ = c.Next()
		}
		return batch, k != nil && bytes.Compare(k, end) < 0
	}
}

func walkIDs(ids []store.ItemID) walk[head] {
	return func(tx *tx, batch []head, room int) (_ []head, more bool) {
		index, heads := tx.Bucket(idsBucket), tx.Bucket(headsBucket)
		for n := 0; len(ids) > 0 && n < room; n++ {
			if p, _, ok := stands(index, ids[0]); ok {
				batch = append(batch, head{p, string(heads.Get(p[:]))})
			}
			ids = ids[1:]
		}
		return batch, len(ids) > 0
	}
}

// packed is a copied entry of the bucket of bodies.
type packed struct {
	id    store.ItemID
	value []byte
}

// Bodies implements store.Store.
func (s *Store) Bodies(ctx context.Context, ids ...store.ItemID) iter.Seq2[store.Body, error] {
	return func(yield func(store.Body, error) bool) {
		left := ids
		next := func(tx *tx, batch []packed, room int) (_ []packed, more bool) {
			bodies := tx.Bucket(bodiesBucket)
			for n, size := 0, 0; len(left) > 0 && n < room && size < batchBytes; n++ {
				if v := bodies.Get(key8(left[0])); v != nil {
					batch = append(batch, packed{left[0], bytes.Clone(v)})
					size += len(v)
				}
				left = left[1:]
			}
			return batch, len(left) > 0
		}
		rows(ctx, s, next, func(p packed) (store.Body, error) { return s.packer.Unpack(p.id, p.value) })(yield)
	}
}

// Stories implements store.Store.
func (s *Store) Stories(ctx context.Context, ids ...store.StoryID) iter.Seq2[store.Story, error] {
	type entry struct {
		id     store.StoryID
		record string // of a story that was joined
		first  head   // of one that was not
	}
	decode := func(e entry) (store.Story, error) {
		if e.record != "" {
			return record.Story(e.id, e.record)
		}
		it, err := e.first.decode()
		return store.Story{ID: e.id, PublishedID: it.PublishedID, Items: []store.ItemID{it.ID}}, err
	}
	return func(yield func(store.Story, error) bool) {
		left := ids
		next := func(tx *tx, batch []entry, room int) (_ []entry, more bool) {
			stories, index, heads := tx.Bucket(storiesBucket), tx.Bucket(idsBucket), tx.Bucket(headsBucket)
			for n := 0; len(left) > 0 && n < room; n++ {
				id := left[0]
				left = left[1:]
				if v := stories.Get(key8(id)); v != nil {
					batch = append(batch, entry{id: id, record: string(v)})
				} else if p, _, ok := stands(index, store.ItemID(id)); ok {
					// An item that joined another story has none of its own number.
					h := head{p, string(heads.Get(p[:]))}
					if it, err := h.decode(); err != nil || it.Story == id {
						batch = append(batch, entry{id: id, first: h})
					}
				}
			}
			return batch, len(left) > 0
		}
		rows(ctx, s, next, decode)(yield)
	}
}

// Recollection implements store.Store.
func (s *Store) Recollection(ctx context.Context, feed store.FeedName) (b []byte, err error) {
	err = s.view(ctx, func(tx *tx) error {
		b = bytes.Clone(tx.Bucket(recollectionsBucket).Get(feedKey(feed.Outlet, feed.URL)))
		return nil
	})
	return b, err
}

// Feeds implements store.Store.
func (s *Store) Feeds(ctx context.Context) iter.Seq2[store.FeedState, error] {
	return func(yield func(store.FeedState, error) bool) {
		next := []byte{0}
		step := func(tx *tx, batch [][]byte, room int) (_ [][]byte, more bool) {
			c := tx.Bucket(feedsBucket).Cursor()
			k, v := c.Seek(next)
			for k != nil && len(batch) < room {
				batch = append(batch, bytes.Clone(v))
				next = append(append(next[:0], k...), 0)
				k, v = c.Next()
			}
			return batch, k != nil
		}
		rows(ctx, s, step, func(v []byte) (f store.FeedState, err error) {
			if err = json.Unmarshal(v, &f); err != nil {
				err = fmt.Errorf("the state of a feed: %w: %w", record.ErrDamaged, err)
			}
			return f, err
		})(yield)
	}
}
