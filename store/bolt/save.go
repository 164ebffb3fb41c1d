package bolt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"broadsheet/store"
	"broadsheet/store/record"
)

// freshDays is how old the day under a name may grow before a listing renews it: a name that every poll lists
// would otherwise be written every day.
const freshDays = 30

// maxRefs bounds how many items a link is remembered for. Only an address that is used again and again, for one
// item after the other, comes to more; the first of them are known by their guids.
const maxRefs = 64

// SavePolls implements store.Store.
func (s *Store) SavePolls(ctx context.Context, polls ...store.Poll) ([]store.Saved, error) {
	if len(polls) == 0 {
		return nil, ctx.Err()
	}
	saved := make([]store.Saved, len(polls))
	fenced := s.leases.Begin(polls)
	err := s.update(ctx, func(tx *tx) error {
		w := s.newWriter(tx)
		for i := range polls {
			p := &polls[i]
			if fenced[i] {
				saved[i].Fenced = true
				continue
			}
			known, stale, err := w.lookup(p)
			if err == nil {
				saved[i], err = w.apply(p, known, stale)
			}
			if err != nil {
				return fmt.Errorf("poll of %s: %w", p.State.URL, err)
			}
		}
		return w.finish(day(&polls[len(polls)-1]))
	})
	s.leases.End(polls, fenced, err)
	if err != nil {
		return nil, err
	}
	return saved, nil
}

// writer changes a store in one transaction.
type writer struct {
	meta, feeds, recollections, heads, bodies, changes, ids, months, revisions, keys, links, published, stories, prints *bucket

	store   *Store
	rev     store.Revision // of this transaction, if it changes what a document could show
	changed bool
	counts  map[uint64]int // by month: how many more items it has after this transaction
	arena   []byte         // what was written: bbolt wants values to stay until the commit
}

func (s *Store) newWriter(tx *tx) *writer {
	w := &writer{
		meta: tx.Bucket(metaBucket), feeds: tx.Bucket(feedsBucket), recollections: tx.Bucket(recollectionsBucket), heads: tx.Bucket(headsBucket),
		bodies: tx.Bucket(bodiesBucket), changes: tx.Bucket(changesBucket),
		ids: tx.Bucket(idsBucket), months: tx.Bucket(monthsBucket), revisions: tx.Bucket(revisionsBucket),
		keys: tx.Bucket(keysBucket), links: tx.Bucket(linksBucket), published: tx.Bucket(publishedBucket),
		stories: tx.Bucket(storiesBucket), prints: tx.Bucket(printsBucket), store: s, counts: map[uint64]int{},
	}
	// What only grows at its end fills its pages; what grows nearly at its end leaves a little room.
	w.ids.FillPercent, w.prints.FillPercent, w.revisions.FillPercent, w.bodies.FillPercent = 1, 1, 0.9, 0.9
	w.heads.FillPercent = 0.8
	w.rev = store.Revision(number(w.meta.Get(revisionKey))) + 1
	return w
}

// keep appends with f and returns what it appended, which stays as it is until the commit.
func (w *writer) keep(f func([]byte) []byte) []byte {
	if cap(w.arena)-len(w.arena) < 2<<10 {
		w.arena = make([]byte, 0, 64<<10)
	}
	start := len(w.arena)
	w.arena = f(w.arena)
	return w.arena[start:len(w.arena):len(w.arena)]
}

// apply settles p and writes what comes of it.
func (w *writer) apply(p *store.Poll, known store.Known, stale staleNames) (store.Saved, error) {
	out := w.settle(p, known)
	today := day(p)
	slices.Reverse(out.Inserts) // in the order of their numbers, as stories name them
	for i := range out.Inserts {
		if err := w.insert(&out.Inserts[i], today); err != nil {
			return store.Saved{}, err
		}
	}
	if err := w.addPrints(known.Index, out.Inserts); err != nil {
		return store.Saved{}, err
	}
	for i := range out.Updates {
		old := known.Items[out.Updates[i].Item.ID]
		if err := w.change(&out.Updates[i], old.Revision); err != nil {
			return store.Saved{}, err
		}
	}
	for _, k := range out.Seen {
		if n, ok := stale.keys[k]; ok {
			out.Keys[k] = n.item
		}
	}
	dates := map[store.ItemID]int64{} // of the new items
	for _, in := range out.Inserts {
		dates[in.Item.ID] = in.Item.Date.UnixMicro()
	}
	for k, id := range out.Keys {
		date, fresh := dates[id]
		if !fresh {
			date = known.Items[id].Date.UnixMicro()
		}
		if err := w.keys.Put(k[:], w.keep(func(b []byte) []byte { return appendName(b, name{today, id, date}) })); err != nil {
			return store.Saved{}, err
		}
	}
	for k, n := range stale.published {
		n.day = today
		if err := w.published.Put(k[:], w.keep(func(b []byte) []byte { return appendName(b, n) })); err != nil {
			return store.Saved{}, err
		}
	}
	for k, l := range out.Links {
		refs := append(slices.Clip(known.Links[k]), l)
		stale.links[k] = refs[max(0, len(refs)-maxRefs):]
	}
	for k, refs := range stale.links {
		if err := w.links.Put(k[:], w.keep(func(b []byte) []byte { return record.AppendLinks(b, today, refs) })); err != nil {
			return store.Saved{}, err
		}
	}
	if p.Recollection != nil {
		if err := w.recollections.Put(feedKey(p.State.Outlet, p.State.URL), p.Recollection); err != nil {
			return store.Saved{}, err
		}
	}
	if err := w.putState(&out.State); err != nil {
		return store.Saved{}, err
	}
	return store.Saved{State: out.State, New: len(out.Inserts), Changed: len(out.Updates)}, nil
}

// settle lets the store's rules decide. Where they make an id that is taken, they decide again, knowing that.
func (w *writer) settle(p *store.Poll, known store.Known) store.Settled {
	for {
		out := store.Settle(p, known)
		taken := 0
		for i := range out.Inserts {
			if k := store.IDKey(out.Inserts[i].Item.PublishedID); !known.IDs[k] && w.published.Get(k[:]) != nil {
				known.IDs[k] = true
				taken++
			}
		}
		if taken == 0 {
			return out
		}
	}
}

func (w *writer) insert(in *store.Insert, today uint64) error {
	it := &in.Item
	if err := w.ids.SetSequence(max(w.ids.Sequence(), uint64(it.ID))); err != nil {
		return err
	}
	p := placeOf(it.Date, it.ID)
	at := w.keep(func(b []byte) []byte { return append(append(b, p[:8]...), key8(uint64(it.Arrived.UnixMicro()))...) })
	if err := w.ids.Put(key8(it.ID), at); err != nil {
		return err
	}
	w.counts[month(it.Arrived)]++
	pk := store.IDKey(it.PublishedID)
	n := name{today, it.ID, it.Date.UnixMicro()}
	if err := w.published.Put(pk[:], w.keep(func(b []byte) []byte { return appendName(b, n) })); err != nil {
		return err
	}
	if in.Tie != nil {
		if err := w.join(it, in.Tie); err != nil {
			return err
		}
	}
	return w.put(it, &in.Body)
}

func (w *writer) change(u *store.Update, old store.Revision) error {
	if err := errors.Join(w.revisions.Delete(revisionEntry(old, u.Item.ID)), w.remember(u.Change)); err != nil {
		return err
	}
	return w.put(&u.Item, u.Body)
}

// put writes an item as it stands after this transaction; its body if there is one.
func (w *writer) put(it *store.Item, body *store.Body) error {
	w.changed = true
	it.Revision = w.rev
	p := placeOf(it.Date, it.ID)
	if err := w.heads.Put(p[:], w.keep(func(b []byte) []byte { return record.AppendItem(b, it) })); err != nil {
		return err
	}
	if body != nil {
		if err := w.bodies.Put(key8(it.ID), w.keep(func(b []byte) []byte { return w.store.packer.Pack(b, body) })); err != nil {
			return err
		}
	}
	return w.revisions.Put(revisionEntry(w.rev, it.ID), nil)
}

// join adds a new item to the record of its story, which is made when the second item comes. The heads of
// the others stay as they are: a join changes nothing in them.
func (w *writer) join(it *store.Item, tie *store.Tie) error {
	var s store.Story
	if v := w.stories.Get(key8(it.Story)); v != nil {
		var err error
		if s, err = record.Story(it.Story, string(v)); err != nil {
			return err
		}
	} else {
		first, _, err := w.item(store.ItemID(it.Story))
		if err != nil {
			return err
		}
		s = store.Story{ID: it.Story, PublishedID: first.PublishedID, Items: []store.ItemID{first.ID}}
	}
	s.Items, s.Ties = append(s.Items, it.ID), append(s.Ties, *tie)
	return w.stories.Put(key8(s.ID), w.keep(func(b []byte) []byte { return record.AppendStory(b, &s) }))
}

func feedKey(outlet, url string) []byte { return []byte(outlet + "\x00" + url) }

func (w *writer) putState(f *store.FeedState) error {
	v, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return w.feeds.Put(feedKey(f.Outlet, f.URL), v)
}

// finish writes what concerns the transaction as a whole. The day is that of its last poll.
func (w *writer) finish(day uint64) error {
	if day != number(w.meta.Get(dayKey)) {
		if err := w.meta.Put(dayKey, key8(day)); err != nil {
			return err
		}
	}
	if !w.changed {
		return nil
	}
	if err := w.count(); err != nil {
		return err
	}
	return w.meta.Put(revisionKey, key8(w.rev))
}
