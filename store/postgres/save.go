package postgres

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"broadsheet/store"
)

const (
	// freshDays is how old the day under a name may grow before a listing renews it: a name that every poll lists
	// would otherwise be written every day.
	freshDays = 30

	// maxRefs bounds how many items a link is remembered for. Only an address that is used again and again, for one
	// item after the other, comes to more; the first of them are known by their guids.
	maxRefs = 64

	// rehearsals is how often what brings nothing is tried without the head. Then somebody else saves the same feeds
	// all the time, and the polls take their turn.
	rehearsals = 3
)

// SavePolls implements store.Store. After an error some polls may be stored, each of them whole.
func (s *Store) SavePolls(ctx context.Context, polls ...store.Poll) ([]store.Saved, error) {
	polls = slices.Clone(polls)
	for i := range polls {
		if whole := polls[i].Whole; whole != nil {
			polls[i].Whole = sync.OnceValue(whole) // asked in the rehearsal, and again
		}
	}
	saved := make([]store.Saved, len(polls))
	left := make([]int, len(polls)) // places of the polls that are not saved yet
	for i := range polls {
		left[i] = i
	}
	for try := 0; len(left) > 0; try++ {
		err := s.do(ctx, func(ctx context.Context, c *conn) (err error) {
			if try == 0 && touches(polls) {
				left, err = s.touch(ctx, c, polls, left, saved)
				return err
			}
			left, err = s.save(ctx, c, polls, left, saved, try > rehearsals)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("save polls: %w", err)
		}
	}
	return saved, ctx.Err()
}

// touches reports whether nothing of the polls needs a look into the store. Whoever polls a feed knows its state; if that
// still stands in the version that the poll began with, what is the store's in it stands as well.
func touches(polls []store.Poll) bool {
	names := make(map[store.FeedName]bool, len(polls))
	for i := range polls {
		p := &polls[i]
		name := p.State.Name()
		if p.State.Saves == 0 || len(p.Arrivals) > 0 || p.Pushed || p.State.HostHold || names[name] {
			return false
		}
		names[name] = true
	}
	return true
}

// touch saves polls without a document, in one statement and one round trip, and returns those whose feeds do not stand as
// the polls say.
func (s *Store) touch(ctx context.Context, c *conn, polls []store.Poll, all []int, saved []store.Saved) ([]int, error) {
	l := newLedger(c, false)
	for i := range polls {
		p := &polls[i]
		known := p.State // a copy: Settle makes the next version of it
		l.states[p.State.Name()] = &known
		out := store.Settle(p, store.Known{State: known})
		saved[i].State = out.State
		l.setState(out.State)
	}
	b := &batch{}
	wrote := l.queueTouched(b, polls, all)
	if err := send(ctx, c, b); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(all), func(i int) bool { return wrote.has(&polls[i], &saved[i]) }), nil
}

// save saves the polls at the places left, rehearsing them first unless all shall take their turn at the head, and
// returns those that another poller came before.
func (s *Store) save(ctx context.Context, c *conn, polls []store.Poll, left []int, saved []store.Saved, turn bool) (_ []int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.index == nil {
		if err := s.readPrints(ctx, c); err != nil {
			return nil, err
		}
	}
	r := newLedger(c, false)
	r.index = s.index
	b := &batch{}
	b.Queue(selectHead).QueryRow(func(row row) (err error) {
		r.head, err = scanHead(row)
		return err
	})
	epochs := queueEpochs(b, polls, left, false)
	s.queuePrints(b)
	for _, i := range left {
		r.asked.states.want(polls[i].State.Name())
	}
	r.queue(b)
	if err := send(ctx, c, b); err != nil {
		return nil, err
	}
	left = fence(polls, left, saved, epochs)
	news, err := r.settle(ctx, polls, left, saved)
	if err != nil || len(left) == 0 {
		return nil, err
	}
	if turn {
		news = left
	}
	quiet := slices.DeleteFunc(slices.Clone(left), func(i int) bool { return slices.Contains(news, i) })
	b = &batch{}
	if len(news) > 0 {
		defer func() {
			if err != nil {
				s.index = nil // it may hold what was never stored
			}
		}()
		if b, err = s.play(ctx, c, polls, news, saved, r); err != nil {
			return nil, err
		}
	}
	wrote := r.queueTouched(b, polls, quiet)
	r.queueListed(b)
	if len(news) > 0 {
		b.Queue("COMMIT")
	}
	if err := send(ctx, c, b); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(quiet, func(i int) bool { return wrote.has(&polls[i], &saved[i]) }), nil
}

// play does what was rehearsed with the head in its hand, up to the last batch, which ends with the commit.
func (s *Store) play(ctx context.Context, c *conn, polls []store.Poll, news []int, saved []store.Saved, rehearsed *ledger) (*batch, error) {
	packed := s.pack(rehearsed)
	l := newLedger(c, true)
	l.index = s.index
	l.again(&rehearsed.asked)
	b := &batch{}
	b.Queue("BEGIN")
	b.Queue(selectHead + " FOR UPDATE").QueryRow(func(row row) (err error) {
		l.head, err = scanHead(row)
		return err
	})
	epochs := queueEpochs(b, polls, news, true)
	came := s.queuePrints(b)
	l.queue(b)
	if err := send(ctx, c, b); err != nil {
		return nil, err
	}
	if *came == printPage {
		if err := s.readPrints(ctx, c); err != nil {
			return nil, err
		}
	}
	news = fence(polls, news, saved, epochs)
	if _, err := l.settle(ctx, polls, news, saved); err != nil {
		return nil, err
	}
	b = &batch{}
	queueHolds(b, polls, news)
	return b, s.queueAll(b, l, packed)
}

// settle lets the store's rules decide on the polls, one after the other, and returns those that bring more than
// another state: new or changed items, or other names of known ones. Where one does, all of its outlet count, since they may rest on each other.
func (l *ledger) settle(ctx context.Context, polls []store.Poll, left []int, saved []store.Saved) (news []int, err error) {
	if err := l.prepare(ctx, polls, left); err != nil {
		return nil, err
	}
	loud := map[string]bool{}
	for _, i := range left {
		p := &polls[i]
		fresh := l.states[p.State.Name()] == nil
		out, err := l.decide(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("poll of %s: %w", p.State.URL, err)
		}
		saved[i] = store.Saved{State: out.State, New: len(out.Inserts), Changed: len(out.Updates)}
		if fresh || p.State.HostHold || len(out.Inserts)+len(out.Updates)+len(out.Keys)+len(out.Links) > 0 {
			loud[p.State.Outlet] = true
		}
		if err := l.apply(ctx, p, &out); err != nil {
			return nil, err
		}
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
func (l *ledger) decide(ctx context.Context, p *store.Poll) (out store.Settled, err error) {
	// Mostly all is there; an earlier poll may have changed what this one wants.
	if err := l.prepare(ctx, []store.Poll{*p}, []int{0}); err != nil {
		return out, err
	}
	known := l.known
	known.State, known.Editors, known.Next = l.state(p), l.editors(p), l.head.last+1
	known.Index, known.Stored = l.index, func(id store.ItemID) bool {
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
func (l *ledger) apply(ctx context.Context, p *store.Poll, out *store.Settled) error {
	today := day(p)
	for _, in := range out.Inserts {
		if in.Item.Story != store.StoryID(in.Item.ID) {
			l.asked.stories.want(in.Item.Story)
			l.asked.items.want(store.ItemID(in.Item.Story))
		}
	}
	for _, u := range out.Updates {
		if u.Change.Item != 0 {
			l.asked.changes.want(u.Change.Item)
		}
	}
	if err := l.fetch(ctx); err != nil {
		return err
	}
	slices.Reverse(out.Inserts) // in the order of their numbers, as stories name them
	for i := range out.Inserts {
		in := &out.Inserts[i]
		l.put(in.Item, &in.Body)
		l.head.last = max(l.head.last, in.Item.ID)
		k := store.IDKey(in.Item.PublishedID)
		l.known.IDs[k], l.named[k], l.days.ids[k], l.dirty.ids[k] = true, in.Item.ID, today, true
		if in.Tie != nil {
			l.join(&in.Item, in.Tie)
		}
		if l.lock {
			l.prints = append(l.prints, in.Print)
			l.dropped = append(l.dropped, l.index.Add(in.Print)...)
		}
	}
	for _, u := range out.Updates {
		l.put(u.Item, u.Body)
		if u.Change.Item != 0 {
			l.changes[u.Change.Item] = store.Remember(l.changes[u.Change.Item], u.Change)
			l.dirty.changes[u.Change.Item] = true
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
	return nil
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

// join adds a new item to the record of its story, which is made when the second item comes.
func (l *ledger) join(it *store.Item, tie *store.Tie) {
	var s store.Story
	if old := l.stories[it.Story]; old != nil {
		s = *old
	} else {
		first := l.known.Items[store.ItemID(it.Story)]
		s = store.Story{ID: it.Story, PublishedID: first.PublishedID, Items: []store.ItemID{first.ID}}
	}
	s.Items, s.Ties = append(slices.Clip(s.Items), it.ID), append(slices.Clip(s.Ties), *tie)
	l.stories[s.ID], l.dirty.stories[s.ID] = &s, true
}
