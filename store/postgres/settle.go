package postgres

import (
	"context"
	"fmt"
	"slices"

	"broadsheet/store"
)

// settle lets the store's rules decide on the polls, one after the other, and returns those that bring more than
// another state: new or changed items, or other names of known ones. Where one does, all of its outlet count, since they may rest on each other.
func (l *ledger) settle(ctx context.Context, polls []store.Poll, left []int, saved []store.Saved) (news []int, err error) {
	if err := l.prepare(ctx, polls, left); err != nil {
		return nil, err
	}
	loud, seen := map[string]bool{}, map[store.FeedName]bool{}
	for _, i := range left {
		p := &polls[i]
		name := p.State.Name()
		known := l.states[name] != nil && !seen[name]
		seen[name] = true
		out, err := l.decide(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("poll of %s: %w", p.State.URL, err)
		}
		saved[i] = store.Saved{State: out.State, New: len(out.Inserts), Changed: len(out.Updates)}
		if !known || p.State.HostHold || len(out.Inserts)+len(out.Updates)+len(out.Keys)+len(out.Links) > 0 {
			loud[p.State.Outlet] = true
		}
		l.apply(p, &out)
	}
	return slices.DeleteFunc(slices.Clone(left), func(i int) bool { return !loud[polls[i].State.Outlet] }), nil
}

// prepare fetches what all the polls will want to know, table by table.
func (l *ledger) prepare(ctx context.Context, polls []store.Poll, left []int) error {
	for _, i := range left {
		l.asked.states.want(polls[i].State.Name())
	}
	if err := l.fetch(ctx); err != nil {
		return err
	}
	for _, i := range left {
		l.wants(&polls[i])
	}
	if err := l.fetch(ctx); err != nil {
		return err
	}
	for _, i := range left {
		l.items(&polls[i])
	}
	if err := l.fetch(ctx); err != nil {
		return err
	}
	for _, i := range left {
		l.editors(&polls[i])
	}
	return l.fetch(ctx)
}

// state is what is stored of the poll's feed.
func (l *ledger) state(p *store.Poll) store.FeedState {
	if f := l.states[p.State.Name()]; f != nil {
		return *f
	}
	return l.head.names.Newcomer(p.State.Name())
}

// wants asks for the names that p's items may have, and returns them.
func (l *ledger) wants(p *store.Poll) store.Lookup {
	if len(p.Arrivals) == 0 {
		return store.Lookup{}
	}
	w := store.Wanted(p, l.state(p))
	l.asked.keys.want(w.Keys...)
	l.asked.links.want(w.Links...)
	l.asked.ids.want(w.IDs...)
	return w
}

// items asks for the items that have these names, and returns their numbers.
func (l *ledger) items(p *store.Poll) (ids []store.ItemID) {
	w := l.wants(p)
	for _, k := range w.Keys {
		if id := l.known.Keys[k]; id != 0 {
			ids = append(ids, id)
		}
	}
	for _, k := range w.Links {
		for _, ref := range l.known.Links[k] {
			ids = append(ids, ref.Item)
		}
	}
	l.asked.items.want(ids...)
	return ids
}

// editors asks for the feeds whose edits of items of p's outlet count, and returns the states that are there.
func (l *ledger) editors(p *store.Poll) map[string]store.FeedState {
	states := map[string]store.FeedState{}
	for _, id := range l.items(p) {
		it := l.known.Items[id]
		url := it.Editor
		if url == "" && len(it.Feeds) > 0 {
			url = it.Feeds[0]
		}
		if it.Outlet != p.State.Outlet || url == "" || url == p.State.URL {
			continue
		}
		name := store.FeedName{Outlet: it.Outlet, URL: url}
		l.asked.states.want(name)
		states[url] = store.FeedState{}
		if f := l.states[name]; f != nil {
			states[url] = *f
		}
	}
	return states
}

// decide settles one poll. Where the rules make an id that is taken, or ask for an item that was not looked up, they decide again, knowing more.
//
// A rehearsal asks for what that will need and does not wait for it; and it has no index: what an item's print is like can be
// found out beforehand, but which story it joins hangs on all that was saved before.
func (l *ledger) decide(ctx context.Context, p *store.Poll) (out store.Settled, err error) {
	if l.lock { // mostly all is there; an earlier poll may have changed what this one wants
		if err := l.prepare(ctx, []store.Poll{*p}, []int{0}); err != nil {
			return out, err
		}
	}
	known := l.known
	known.State, known.Editors, known.Next = l.state(p), l.editors(p), l.head.last+1
	if !l.head.arrived.IsZero() {
		known.Month = store.Month(l.head.arrived)
	}
	known.Index, known.Stored = l.index, func(id store.ItemID) bool {
		if id > l.head.gone {
			return true
		}
		l.asked.items.want(id)
		_, stored := l.known.Items[id]
		return stored
	}
	for {
		out = store.Settle(p, known)
		again := len(l.asked.items.open) > 0
		for i := range out.Inserts {
			l.asked.ids.want(store.IDKey(out.Inserts[i].Item.PublishedID))
		}
		if !l.lock {
			return out, nil
		}
		if err := l.fetch(ctx); err != nil {
			return out, err
		}
		for i := range out.Inserts { // those that the rules knew to be taken they did not take
			again = again || l.known.IDs[store.IDKey(out.Inserts[i].Item.PublishedID)]
		}
		if !again {
			return out, nil
		}
	}
}

// apply puts what a poll changes into the ledger.
func (l *ledger) apply(p *store.Poll, out *store.Settled) {
	today := day(p)
	slices.Reverse(out.Inserts) // in the order of their numbers, as stories name them
	for i := range out.Inserts {
		in := &out.Inserts[i]
		l.put(in.Item, &in.Body)
		l.head.last = max(l.head.last, in.Item.ID)
		if in.Item.Arrived.After(l.head.arrived) {
			l.head.arrived = in.Item.Arrived
		}
		k := store.IDKey(in.Item.PublishedID)
		l.known.IDs[k], l.named[k], l.days.ids[k], l.dirty.ids[k] = true, in.Item.ID, today, true
		if in.Tie != nil {
			l.asked.stories.want(in.Item.Story)
			l.asked.items.want(store.ItemID(in.Item.Story))
			l.joins = append(l.joins, *in)
		}
		if l.index != nil {
			l.prints = append(l.prints, in.Print)
			l.dropped = append(l.dropped, l.index.Add(in.Print)...)
		}
	}
	for _, u := range out.Updates {
		l.put(u.Item, u.Body)
		if u.Change.Item != 0 {
			l.asked.changes.want(u.Change.Item)
			l.events = append(l.events, u.Change)
		}
	}
	if len(out.Inserts)+len(out.Updates) > 0 {
		l.head.day = today
	}
	for k, id := range out.Keys {
		l.known.Keys[k], l.days.keys[k], l.dirty.keys[k] = id, today, true
	}
	for _, k := range out.Seen {
		if l.days.keys[k]+freshDays < today {
			l.days.keys[k], l.dirty.listed.keys[k] = today, true
		}
	}
	for k, ref := range out.Links {
		refs := append(slices.Clip(l.known.Links[k]), ref)
		l.known.Links[k], l.days.links[k], l.dirty.links[k] = refs[max(0, len(refs)-maxRefs):], today, true
	}
	w := l.wants(p)
	for _, k := range w.Links {
		if d, ok := l.days.links[k]; ok && d+freshDays < today {
			l.days.links[k], l.dirty.listed.links[k] = today, true
		}
	}
	for _, k := range w.IDs {
		if d, ok := l.days.ids[k]; ok && d+freshDays < today {
			l.days.ids[k], l.dirty.listed.ids[k] = today, true
		}
	}
	l.setState(out.State)
}

// day is the day of a poll, counted from 1970.
func day(p *store.Poll) int { return int(max(p.At.Unix()/86400, 0)) }

func (l *ledger) setState(f store.FeedState) {
	name := f.Name()
	if _, ok := l.dirty.states[name]; !ok {
		l.dirty.states[name] = 0
		if old := l.states[name]; old != nil {
			l.dirty.states[name] = old.Saves
		}
	}
	l.states[name] = &f
}

func (l *ledger) put(it store.Item, body *store.Body) {
	it.Revision = l.head.revision + 1
	l.known.Items[it.ID] = it
	l.dirty.items[it.ID] = true
	l.asked.items.have(it.ID)
	if body != nil {
		l.dirty.bodies[it.ID] = body
	}
}

// finish does what no rule looks at: it adds new items to the records of their stories, which are made when the second item
// comes, and changes to those of their items.
func (l *ledger) finish(ctx context.Context) error {
	if err := l.fetch(ctx); err != nil {
		return err
	}
	for _, in := range l.joins {
		id := in.Item.Story
		s := l.stories[id]
		if s == nil {
			first := l.known.Items[store.ItemID(id)]
			s = &store.Story{ID: id, PublishedID: first.PublishedID, Items: []store.ItemID{first.ID}}
			l.stories[id] = s
		}
		s.Items, s.Ties = append(s.Items, in.Item.ID), append(s.Ties, *in.Tie)
		l.dirty.stories[id] = true
	}
	for _, c := range l.events {
		l.changes[c.Item] = store.Remember(l.changes[c.Item], c)
		l.dirty.changes[c.Item] = true
	}
	return nil
}
