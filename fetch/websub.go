package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"broadsheet/store"
)

const (
	hubsAsked    = 4           // requests to hubs under way
	refreshEvery = time.Minute // feeds are looked at, whether or not anything is known to have changed
)

// A Subscriber lets the hubs that feeds name push what is new (WebSub, W3C Recommendation of 23 January 2018). It learns of
// hubs from the Scheduler's polls, subscribes to those of feeds with WebSub set (subscription.go), renews the leases, and takes
// in what the hubs send (callback.go): the items go the way of all items, and the feed is polled as before, only that a poll a
// day is enough while all is well (Due.pushed).
type Subscriber struct {
	scheduler *Scheduler
	notes     store.Notes
	log       *slog.Logger
	wake      chan struct{} // holds one signal
	pushes    chan push     // received and not saved yet
	reading   chan struct{} // holds a place for each push that is being received
	asking    sync.WaitGroup

	mu       sync.Mutex // guards what follows
	base     string     // of our addresses
	subs     map[store.FeedName]*held
	tokens   map[string]*held // by the last part of their callbacks
	inFlight int
	reread   time.Time // when the notes were read last for want of a callback
	looked   time.Time // when the feeds were looked at last
	counts   PushCounts
	dirty    map[store.FeedName]bool // feeds whose state is to tell of their hubs
}

// PushCounts are what a Subscriber has, and what came, for those who watch over it.
type PushCounts struct {
	Subscriptions int    // that a hub has verified
	Pushes        uint64 // taken in
	Refused       uint64 // without the right signature, unreadable, too many or too long
	Items         uint64 // new with them
}

// NewSubscriber makes a subscriber beside a scheduler. Its addresses begin with baseURL; the handler must be reached there,
// below CallbackPath. It does nothing until Run.
func NewSubscriber(s *Scheduler, notes store.Notes, baseURL string) *Subscriber {
	sub := &Subscriber{
		scheduler: s, notes: notes, log: s.o.Log, base: strings.TrimRight(baseURL, "/"),
		wake: make(chan struct{}, 1), pushes: make(chan push, pushQueue), reading: make(chan struct{}, pushReaders),
		subs: map[store.FeedName]*held{}, tokens: map[string]*held{}, dirty: map[store.FeedName]bool{},
	}
	s.hubs = sub.look
	return sub
}

// SetBase takes up another base URL. Subscriptions move there.
func (s *Subscriber) SetBase(baseURL string) {
	s.mu.Lock()
	s.base = strings.TrimRight(baseURL, "/")
	s.mu.Unlock()
	s.look()
}

// look lets Run look at the feeds again.
func (s *Subscriber) look() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Counts returns what there is and what came so far.
func (s *Subscriber) Counts() PushCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts
	for _, h := range s.subs {
		if h.Active.Until.After(s.scheduler.o.Store.Now()) {
			c.Subscriptions++
		}
	}
	return c
}

// Run subscribes and saves what is pushed until ctx ends. The scheduler's Run must be running. Subscriptions outlive it: a
// hub that finds nobody tries again.
func (s *Subscriber) Run(ctx context.Context) error {
	var saving sync.WaitGroup
	for range pushSavers {
		saving.Go(func() {
			for p := range s.pushes {
				s.save(p)
			}
		})
	}
	defer saving.Wait()
	defer s.close()
	defer s.asking.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-s.wake:
			s.looked = time.Time{}
		}
		next, err := s.tend(ctx, s.scheduler.now())
		s.flush(ctx)
		if err != nil && ctx.Err() == nil && !errors.Is(err, errEnded) {
			s.log.Error("subscriptions are not tended; tried again in a minute", "err", err)
			next = time.Now().Add(time.Minute)
		}
		timer.Reset(time.Until(next))
	}
}

// close refuses further pushes, so that what has come can be saved to its end.
func (s *Subscriber) close() {
	for range pushReaders { // nobody is receiving, and nobody will
		s.reading <- struct{}{}
	}
	close(s.pushes)
}

// tend does what is due, and returns when there is more.
func (s *Subscriber) tend(ctx context.Context, now moment) (next time.Time, err error) {
	var feeds []turn
	if now.mono.Sub(s.looked) >= refreshEvery {
		if feeds, err = s.scheduler.pushable(); err != nil {
			return next, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.mono.Sub(s.looked) >= refreshEvery {
		if err := s.read(ctx); err != nil {
			return next, err
		}
		if err := s.refresh(ctx, feeds, now.wall); err != nil {
			return next, err
		}
		s.looked = now.mono
	}
	next = s.looked.Add(refreshEvery)
	for _, h := range s.subs {
		if h.busy {
			continue
		}
		if !h.Active.Until.IsZero() && !now.wall.Before(h.Active.Until) {
			if err := s.lapse(ctx, h); err != nil {
				return next, err
			}
		}
		at := later(now.until(h.Next), h.wait)
		if at.After(now.mono) {
			if at.Before(next) {
				next = at
			}
		} else if s.inFlight < hubsAsked { // else the end of one wakes us
			if err := s.begin(ctx, h, now); err != nil {
				return next, err
			}
			if h.wait.After(now.mono) && h.wait.Before(next) {
				next = h.wait
			}
		}
	}
	return next, nil
}

// refresh brings the subscriptions up to what the feeds say and the configuration wants.
func (s *Subscriber) refresh(ctx context.Context, feeds []turn, wall time.Time) error {
	wanted := map[store.FeedName]bool{}
	for i := range feeds {
		f, st := &feeds[i].feed, &feeds[i].state
		name := f.Name()
		wanted[name] = true
		h := s.subs[name]
		if h == nil {
			h = &held{subscription: subscription{Outlet: f.Outlet, URL: f.URL}, credit: pushBurst}
			s.subs[name] = h
		}
		h.feed, h.hubs = *f, st.Hubs
		if st.Push.Last.After(h.last) {
			h.last = st.Push.Last
		}
		r := h.subscription
		if !slices.Contains(st.Hubs, r.Hub) || r.Topic != st.Topic {
			r.Hub, r.Topic, r.Pending, r.Next, r.Failures, r.Err = st.Hubs[0], st.Topic, callback{}, wall, 0, ""
		}
		if r.Leaving || r.Active.Address != "" && r.Failures == 0 && r.Pending.Address == "" && !strings.HasPrefix(r.Active.Address, s.base+CallbackPath) {
			r.Leaving, r.Next = false, wall
		}
		if r != h.subscription {
			if _, err := s.keep(ctx, h, &r); err != nil {
				return err
			}
		}
		if p := h.push(); p.Hub != st.Push.Hub || !p.Until.Equal(st.Push.Until) || p.Err != st.Push.Err {
			s.dirty[name] = true
		}
	}
	for name, h := range s.subs {
		if wanted[name] || h.Leaving || h.busy {
			continue
		}
		if err := s.leave(ctx, h, wall); err != nil {
			return err
		}
	}
	return nil
}

// flush lets the feeds' states tell of their hubs what is so now.
func (s *Subscriber) flush(ctx context.Context) {
	s.mu.Lock()
	var all []*saving
	for name := range s.dirty {
		p := store.Poll{At: s.scheduler.o.Store.Now(), Pushed: true, State: store.FeedState{Outlet: name.Outlet, URL: name.URL}}
		if h := s.subs[name]; h != nil && !h.Leaving {
			p.State.Push = h.push()
		}
		all = append(all, &saving{poll: p})
	}
	clear(s.dirty)
	s.mu.Unlock()
	for batch := range slices.Chunk(all, maxPolls) {
		if err := s.scheduler.saver.commit(ctx, batch...); err != nil && ctx.Err() == nil {
			s.log.Error("what hubs do could not be noted; the next look at the feeds does it", "err", err)
			return
		}
		for _, w := range batch {
			if w.err == nil {
				s.scheduler.noted(w.saved.State) // after its end nobody needs to know
			}
		}
	}
}

// leave ends a subscription that is not wanted any more.
func (s *Subscriber) leave(ctx context.Context, h *held, wall time.Time) error {
	if h.Active.Address == "" {
		_, err := s.keep(ctx, h, nil)
		return err
	}
	r := h.subscription
	r.Leaving, r.Pending, r.Next, r.Failures = true, callback{}, wall, 0
	_, err := s.keep(ctx, h, &r)
	s.dirty[h.name()] = true
	return err
}

// lapse notes that a lease has ended.
func (s *Subscriber) lapse(ctx context.Context, h *held) error {
	if h.Leaving {
		_, err := s.keep(ctx, h, nil)
		return err
	}
	r := h.subscription
	r.Active = callback{}
	r.Err = cmp.Or(r.Err, "the lease has ended")
	_, err := s.keep(ctx, h, &r)
	s.dirty[h.name()] = true
	return err
}

// begin asks a hub for what is due, beside Run, as soon as its host is free.
func (s *Subscriber) begin(ctx context.Context, h *held, now moment) error {
	r := h.subscription
	switch {
	case r.Leaving && (r.Failures >= leaveTries || r.Active.Address == ""):
		_, err := s.keep(ctx, h, nil)
		return err
	case r.Leaving:
		r.Failures++
		r.Pending = callback{}
	case r.Pending.Address != "":
		r.failed(fmt.Sprintf("it accepted the subscription and did not verify it within %s", words(verifyWait)), h.hubs, now.wall)
		_, err := s.keep(ctx, h, &r)
		s.dirty[h.name()] = true
		return err
	}
	wait, err := s.scheduler.turnAt(r.Hub)
	if err != nil {
		return err
	}
	if h.wait = now.mono.Add(wait); wait > 0 {
		return nil
	}
	ask := r.Active
	if !r.Leaving {
		ask = newCallback(s.base, r.Hub, h.signed(r.Hub), now.wall)
		r.Pending = ask
	}
	r.Next = now.wall.Add(verifyWait)
	if ok, err := s.keep(ctx, h, &r); !ok {
		return err // another process is at it
	}
	h.busy = true
	s.inFlight++
	feed, leaving := h.feed, r.Leaving
	s.asking.Go(func() {
		err := s.ask(ctx, &feed, ask, r.Topic, leaving)
		s.mu.Lock()
		defer s.mu.Unlock()
		h.busy = false
		s.inFlight--
		defer s.look()
		if err == nil || ctx.Err() != nil || h.Pending.Address != ask.Address {
			return
		}
		r := h.subscription
		r.failed(feed.redact(err.Error()), h.hubs, s.scheduler.o.Store.Now())
		if _, err := s.keep(context.WithoutCancel(ctx), h, &r); err != nil {
			s.log.Error("a hub's failure could not be noted", "outlet", feed.Outlet, "feed", feed.URL, "err", err)
		}
		s.dirty[h.name()] = true
		s.log.Warn("not subscribed", "outlet", feed.Outlet, "feed", feed.URL, "hub", nameIn(ask.Hub), "failures", r.Failures, "err", r.Err)
	})
	return nil
}
