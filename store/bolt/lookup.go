package bolt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"broadsheet/store"
	"broadsheet/store/record"
)

// staleNames are the names that the document lists and that have not been renewed for long.
type staleNames struct {
	keys, published map[store.Key]name
	links           map[store.Key][]store.LinkRef
}

// lookup finds what store.Settle needs to know of p.
func (w *writer) lookup(p *store.Poll) (known store.Known, stale staleNames, err error) {
	known.Next = store.ItemID(w.ids.Sequence()) + 1
	var there bool
	if known.State, there, err = w.state(p.State.Name()); err != nil {
		return known, stale, err
	}
	if !there {
		names, err := w.names()
		if err != nil {
			return known, stale, err
		}
		known.State = names.Newcomer(p.State.Name())
	}
	if len(p.Arrivals) == 0 {
		return known, stale, nil
	}
	known.Month = w.newest()
	stale = staleNames{map[store.Key]name{}, map[store.Key]name{}, map[store.Key][]store.LinkRef{}}
	today, wanted, size := day(p), store.Wanted(p, known.State), len(p.Arrivals)
	known.Keys, known.IDs = make(map[store.Key]store.ItemID, size), map[store.Key]bool{}
	named, places := make(map[store.ItemID]bool, size), make([]place, 0, size)
	err = find(w.keys, wanted.Keys, func(k store.Key, v []byte) error {
		n, err := decodeName(v)
		if known.Keys[k] = n.item; n.day+freshDays < today {
			stale.keys[k] = n
		}
		if !named[n.item] {
			named[n.item] = true
			places = append(places, n.place())
		}
		return err
	})
	if err != nil {
		return known, stale, err
	}
	known.Links = make(map[store.Key][]store.LinkRef, len(wanted.Links))
	err = find(w.links, wanted.Links, func(k store.Key, v []byte) error {
		d, refs, err := record.Links(string(v))
		if known.Links[k] = refs; d+freshDays < today {
			stale.links[k] = refs
		}
		for _, l := range refs {
			if named[l.Item] {
				continue
			}
			named[l.Item] = true
			if p, _, ok := stands(w.ids, l.Item); ok {
				places = append(places, p)
			}
		}
		return err
	})
	if err != nil {
		return known, stale, err
	}
	err = find(w.published, wanted.IDs, func(k store.Key, v []byte) error {
		n, err := decodeName(v)
		if known.IDs[k] = true; n.day+freshDays < today {
			stale.published[k] = n
		}
		return err
	})
	if err != nil {
		return known, stale, err
	}
	slices.SortFunc(places, func(a, b place) int { return bytes.Compare(a[:], b[:]) })
	known.Items = make(map[store.ItemID]store.Item, len(places))
	err = find(w.heads, places, func(p place, v []byte) error {
		it, err := decodeHead(p, string(v))
		known.Items[it.ID] = it
		return err
	})
	if err == nil {
		known.Editors, err = w.editors(p, known.Items)
	}
	if err == nil {
		known.Index, err = w.index()
	}
	known.Stored = func(id store.ItemID) bool { return w.ids.Get(key8(id)) != nil }
	return known, stale, err
}

// editors reads the states of the feeds whose edits of items of p's outlet count.
func (w *writer) editors(p *store.Poll, items map[store.ItemID]store.Item) (map[string]store.FeedState, error) {
	states := map[string]store.FeedState{}
	for _, it := range items {
		url := it.Editor
		if url == "" && len(it.Feeds) > 0 {
			url = it.Feeds[0]
		}
		if _, read := states[url]; read || it.Outlet != p.State.Outlet || url == p.State.URL {
			continue
		}
		f, _, err := w.state(store.FeedName{Outlet: it.Outlet, URL: url})
		if err != nil {
			return nil, err
		}
		states[url] = f
	}
	return states, nil
}

// state reads the state of a feed; ok is false if there is none.
func (w *writer) state(name store.FeedName) (f store.FeedState, ok bool, err error) {
	v := w.feeds.Get(feedKey(name.Outlet, name.URL))
	if v == nil {
		return f, false, nil
	}
	if err := json.Unmarshal(v, &f); err != nil {
		return f, false, fmt.Errorf("the state of the feed: %w: %w", record.ErrDamaged, err)
	}
	return f, true, nil
}

// names reads what renames left to remember.
func (w *writer) names() (n store.Names, err error) {
	if v := w.meta.Get(namesKey); v != nil {
		if err := json.Unmarshal(v, &n); err != nil {
			return n, fmt.Errorf("the names: %w: %w", record.ErrDamaged, err)
		}
	}
	return n, nil
}

// day is the day of a poll, counted from 1970.
func day(p *store.Poll) uint64 { return uint64(max(p.At.Unix()/86400, 0)) }

// find calls f with those of the keys, which are sorted, that b has. What one poll wants lies together (see
// store.Key), so a few steps often lead from one to the next where a search would start at the root.
func find[K store.Key | place](b *bucket, keys []K, f func(K, []byte) error) error {
	const steps = 6
	c := b.Cursor()
	var k, v []byte
	for i := range keys {
		want := [16]byte(keys[i])
		for n := 0; n < steps && k != nil && bytes.Compare(k, want[:]) < 0; n++ {
			k, v = c.Next()
		}
		if i == 0 || bytes.Compare(k, want[:]) < 0 && k != nil {
			k, v = c.Seek(want[:])
		}
		if k == nil {
			return nil // all that is left lies behind the end
		}
		if bytes.Equal(k, want[:]) {
			if err := f(keys[i], v); err != nil {
				return err
			}
		}
	}
	return nil
}

// item reads the item with this number; ok is false if it is not stored.
func (w *writer) item(id store.ItemID) (it store.Item, ok bool, err error) {
	p, _, ok := stands(w.ids, id)
	if !ok {
		return it, false, nil
	}
	it, err = decodeHead(p, string(w.heads.Get(p[:])))
	return it, true, err
}

// stands tells the place of an item and its arrival in microseconds; ok is false if it is not stored.
func stands(ids *bucket, id store.ItemID) (p place, arrived int64, ok bool) {
	return placed(id, ids.Get(key8(id)))
}

// placed is what the value of an item in the bucket of ids says.
func placed(id store.ItemID, v []byte) (p place, arrived int64, ok bool) {
	if len(v) != 16 {
		return p, 0, false
	}
	copy(p[:8], v)
	copy(p[8:], key8(id))
	return p, int64(number(v[8:])), true
}
