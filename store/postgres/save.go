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
	if len(polls) == 0 {
		return saved, ctx.Err()
	}
	for try := 0; len(left) > 0; try++ {
		var still []int // a try that failed leaves all of them to the next
		err := s.do(ctx, func(ctx context.Context, c *conn) (err error) {
			if try == 0 && touches(polls) {
				still, err = s.touch(ctx, c, polls, left, saved)
			} else {
				still, err = s.save(ctx, c, polls, left, saved, try > rehearsals)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("save polls: %w", err)
		}
		left = still
	}
	return saved, nil
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
		known := p.State.Begun()
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
	r.known.Prints = store.Prints{}
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
	queueRecollections(b, polls, quiet)
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
	l.index, l.known.Prints = s.index, rehearsed.known.Prints
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
	if err := l.finish(ctx); err != nil {
		return nil, err
	}
	b = &batch{}
	queueHolds(b, polls, news)
	queueRecollections(b, polls, news)
	return b, s.queueAll(b, l, packed)
}
