package storetest

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"broadsheet/store"
)

var _ store.Store = (*model)(nil)

// model is a store as simple as it can be: what a keeper must show, without any of its cares. It forgets nothing
// that identifies an item.
type model struct {
	mu        sync.Mutex // guards what Claim and SavePolls touch, the calls of a Scheduler that come at once
	leases    store.Leases
	revision  store.Revision
	last      store.ItemID
	items     map[store.ItemID]store.Item
	bodies    map[store.ItemID]store.Body
	changes   map[store.ItemID][]store.Change
	stories   map[store.StoryID]store.Story // also of one item, also without any
	feeds     map[store.FeedName]store.FeedState
	recalled  map[store.FeedName][]byte
	keys      map[store.Key]store.ItemID
	links     map[store.Key][]store.LinkRef
	published map[store.Key]bool
	names     store.Names
	index     *store.Index
	arrived   time.Time // of all items, pruned ones too, the latest
	pruned    time.Time
}

// NewModel makes a store in memory that is as simple as can be, for tests of what is above any keeper.
func NewModel() store.Store { return newModel() }

func newModel() *model {
	return &model{items: map[store.ItemID]store.Item{}, bodies: map[store.ItemID]store.Body{}, changes: map[store.ItemID][]store.Change{},
		stories: map[store.StoryID]store.Story{}, feeds: map[store.FeedName]store.FeedState{}, recalled: map[store.FeedName][]byte{},
		keys: map[store.Key]store.ItemID{}, links: map[store.Key][]store.LinkRef{}, published: map[store.Key]bool{}, index: store.NewIndex()}
}

func (m *model) ID() string         { return "model" }
func (m *model) Created() time.Time { return start }

func (m *model) Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func (m *model) Close() error { return nil }

func (m *model) Revision(context.Context) (store.Revision, error) { return m.revision, nil }

func (m *model) Recollection(_ context.Context, feed store.FeedName) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.recalled[feed], nil
}

func (m *model) Claim(_ context.Context, c store.Claim) ([]store.Grant, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.leases.Claim(&c, func(seen store.Seen) (*store.FeedState, error) {
		if f, ok := m.feeds[seen.Feed]; ok && f.Saves != seen.Saves {
			return &f, nil
		}
		return nil, nil
	})
}

func (m *model) SavePolls(_ context.Context, polls ...store.Poll) (saved []store.Saved, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fenced := m.leases.Begin(polls)
	defer func() { m.leases.End(polls, fenced, err) }()
	rev := m.revision + 1
	for i := range polls {
		p := &polls[i]
		if fenced[i] {
			saved = append(saved, store.Saved{Fenced: true})
			continue
		}
		// All that there is to know: more than a keeper looks up, and it must make no difference.
		known := store.Known{Keys: m.keys, Links: m.links, IDs: m.published, Items: maps.Clone(m.items), Next: m.last + 1,
			Editors: map[string]store.FeedState{}, Index: m.index,
			Stored: func(id store.ItemID) bool { _, ok := m.items[id]; return ok }}
		if !m.arrived.IsZero() {
			known.Month = store.Month(m.arrived)
		}
		for name, f := range m.feeds {
			if name.Outlet == p.State.Outlet {
				known.Editors[name.URL] = f
			}
		}
		var ok bool
		if known.State, ok = m.feeds[p.State.Name()]; !ok {
			known.State = m.names.Newcomer(p.State.Name())
		}
		out := store.Settle(p, known)
		for _, in := range out.Inserts {
			m.last = max(m.last, in.Item.ID)
			if in.Item.Arrived.After(m.arrived) {
				m.arrived = in.Item.Arrived
			}
			m.bodies[in.Item.ID] = in.Body
			if k := store.IDKey(in.Item.PublishedID); m.published[k] {
				return nil, errors.New("published twice: " + in.Item.PublishedID)
			} else {
				m.published[k] = true
			}
			m.put(in.Item, rev)
		}
		// Inserts stand in the document's order, but the later item of a story joins the earlier one.
		slices.SortFunc(out.Inserts, func(a, b store.Insert) int { return cmp.Compare(a.Item.ID, b.Item.ID) })
		for _, in := range out.Inserts {
			s := m.stories[in.Item.Story]
			if s.ID == 0 {
				s = store.Story{ID: in.Item.Story, PublishedID: in.Item.PublishedID}
			}
			s.Items = append(s.Items, in.Item.ID)
			if in.Tie != nil {
				s.Ties = append(s.Ties, *in.Tie)
			}
			m.stories[s.ID] = s
			m.index.Add(in.Print)
		}
		for _, u := range out.Updates {
			m.put(u.Item, rev)
			m.changes[u.Item.ID] = store.Remember(m.changes[u.Item.ID], u.Change)
			if u.Body != nil {
				m.bodies[u.Item.ID] = *u.Body
			}
		}
		maps.Copy(m.keys, out.Keys)
		for k, l := range out.Links {
			m.links[k] = append(m.links[k], l)
		}
		m.feeds[p.State.Name()] = out.State
		if p.Recollection != nil {
			m.recalled[p.State.Name()] = p.Recollection
		}
		saved = append(saved, store.Saved{State: out.State, New: len(out.Inserts), Changed: len(out.Updates)})
	}
	return saved, nil
}

func (m *model) Rewrite(_ context.Context, at time.Time, rewrites ...store.Rewrite) (done int, err error) {
	rev := m.revision + 1
	for _, r := range rewrites {
		it, ok := m.items[r.Old.Item]
		if !ok || !reflect.DeepEqual(m.bodies[it.ID], r.Old) {
			continue
		}
		it.Changed, m.bodies[it.ID] = at, r.New
		m.put(it, rev)
		done++
	}
	return done, nil
}

func (m *model) Rename(_ context.Context, renames ...store.Rename) ([]store.Rename, error) {
	rev := m.revision + 1
	done := m.names.Rename(m.feeds, renames)
	if len(done) == 0 {
		return nil, nil
	}
	maps.DeleteFunc(m.recalled, func(name store.FeedName, _ []byte) bool {
		return slices.ContainsFunc(done, func(r store.Rename) bool { return name.Outlet == r.From.Outlet || name.Outlet == r.To.Outlet })
	})
	for name, f := range m.feeds {
		f.Items = 0
		m.feeds[name] = f
	}
	for _, it := range m.items {
		changed := false
		for _, r := range done {
			changed = r.Item(&it) || changed
		}
		if changed {
			m.put(it, rev)
		}
		for _, url := range it.Feeds {
			name := store.FeedName{Outlet: it.Outlet, URL: url}
			f := m.feeds[name]
			f.Items++
			m.feeds[name] = f
		}
	}
	return done, nil
}

func (m *model) put(it store.Item, rev store.Revision) {
	it.Revision, m.revision = rev, rev
	m.items[it.ID] = it
}

func (m *model) Feeds(context.Context) iter.Seq2[store.FeedState, error] {
	return list(slices.SortedFunc(maps.Values(m.feeds), func(a, b store.FeedState) int {
		return a.Name().Compare(b.Name())
	}))
}

func (m *model) Items(_ context.Context, q store.Query) iter.Seq2[store.Item, error] {
	var items []store.Item
	for _, id := range q.IDs {
		if it, ok := m.items[id]; ok {
			items = append(items, it)
		}
	}
	if q.IDs != nil {
		return list(items)
	}
	for _, it := range m.items {
		if it.Revision > q.Since && (!q.ByArrival || q.Arrived(it.Arrived)) && (q.Outlets == nil || slices.Contains(q.Outlets, it.Outlet)) {
			items = append(items, it)
		}
	}
	slices.SortFunc(items, func(a, b store.Item) int {
		switch {
		case q.Since > 0:
			return cmp.Or(cmp.Compare(a.Revision, b.Revision), cmp.Compare(a.ID, b.ID))
		case q.ByArrival:
			return cmp.Compare(b.ID, a.ID)
		}
		return cmp.Or(b.Date.Compare(a.Date), cmp.Compare(b.ID, a.ID))
	})
	return list(items)
}

func (m *model) Months(context.Context) (store.Months, error) {
	out := store.Months{Pruned: m.pruned}
	for _, it := range m.items {
		out.Stored = append(out.Stored, store.Month(it.Arrived))
	}
	slices.SortFunc(out.Stored, time.Time.Compare)
	out.Stored = slices.Compact(out.Stored)
	return out, nil
}

func (m *model) Bodies(_ context.Context, ids ...store.ItemID) iter.Seq2[store.Body, error] {
	return found(m.bodies, ids)
}

func (m *model) Stories(_ context.Context, ids ...store.StoryID) iter.Seq2[store.Story, error] {
	return found(m.stories, ids)
}

func (m *model) Changes(_ context.Context, ids ...store.ItemID) iter.Seq2[store.Change, error] {
	var all []store.Change
	for _, id := range ids {
		all = append(all, m.changes[id]...)
	}
	return list(all)
}

func (m *model) Find(_ context.Context, name string) iter.Seq2[store.Item, error] {
	var found []store.Item
	for _, id := range slices.Sorted(maps.Keys(m.items)) {
		if it := m.items[id]; it.Named(name) {
			found = append(found, it)
		}
	}
	return list(found)
}

func (m *model) Prune(_ context.Context, before time.Time, n int) (gone int, err error) {
	for _, id := range slices.Sorted(maps.Keys(m.items)) {
		it := m.items[id]
		if gone == n || !it.Arrived.Before(before) {
			continue
		}
		gone++
		if it.Arrived.After(m.pruned) {
			m.pruned = it.Arrived
		}
		delete(m.items, id)
		delete(m.bodies, id)
		delete(m.changes, id)
		s := m.stories[it.Story]
		s.Items = slices.DeleteFunc(slices.Clone(s.Items), func(other store.ItemID) bool { return other == id })
		s.Ties = slices.DeleteFunc(slices.Clone(s.Ties), func(t store.Tie) bool { return t.Item == id })
		if len(s.Ties) == 0 {
			s.Ties = nil
		}
		if m.stories[it.Story] = s; len(s.Items) == 0 {
			delete(m.stories, it.Story)
		}
		for _, url := range it.Feeds {
			name := store.FeedName{Outlet: it.Outlet, URL: url}
			f := m.feeds[name]
			f.Items--
			m.feeds[name] = f
		}
	}
	if gone > 0 {
		m.revision++
	}
	return gone, nil
}

func list[T any](s []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range s {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func found[K comparable, T any](all map[K]T, ids []K) iter.Seq2[T, error] {
	var s []T
	for _, id := range ids {
		if v, ok := all[id]; ok {
			s = append(s, v)
		}
	}
	return list(s)
}
