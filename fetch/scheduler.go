package fetch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"broadsheet/store"
)

// Options are what a Scheduler works with.
type Options struct {
	Store        store.Store
	Settings     Settings
	Feeds        []Feed
	Automatic    bool              // poll what is due by itself; else only on request
	Saved        func()            // called when a commit brought something that a document could show; must not block
	Log          *slog.Logger      // one line per poll
	RoundTripper http.RoundTripper // answers in place of the network, in tests with fake time; else nil
}

// A Scheduler decides which feed is polled when, and polls it. One goroutine, Run's, owns all its
// state; everything reaches it by channels.
type Scheduler struct {
	o        Options
	client   *Client
	saver    *saver
	jobs     map[store.FeedName]*job
	shared   map[string][]*job // by shareKey: feeds that one request serves
	hosts    map[string]*host
	hand     hand
	due      pile[*job]     // jobs that wait for their time
	ready    pile[*host]    // hosts with a queue and a free place, by the time they are free
	running  int            // polls that have begun
	waiting  int            // of them, those that wait for their turn with a further request
	visited  map[*host]bool // hosts with guests
	load     Load           // of which only the rounds are kept
	began    time.Time      // the round; zero between two
	outage   outageWatch
	minded   moment // when mind looked last
	requests chan *request
	calls    chan call
	finished chan finished
	ending   bool          // what runs is broken off
	ended    chan struct{} // closed when Run has ended
	hubs     func()        // called when feeds name other hubs, or are others; nil if nobody wants to know

	// Who polls which host: claims.go.
	owner     string         // this scheduler, in the eyes of the store
	wanted    pile[*host]    // hosts to claim, by when they may be claimed
	held      map[*host]bool // hosts that are ours
	unsure    map[*host]bool // of them, those with jobs whose states are to be asked for
	idle      map[*host]bool // of them, those to give back
	giveBack  time.Time      // when that is done at the latest
	renewal   time.Time      // when leases shall begin anew
	retry     time.Time      // not before then; after the store could not be reached
	wait      time.Duration  // that made retry
	failing   time.Time      // since when claims fail; zero if the last one did not
	claimed   chan *claiming // the claim under way, if there is one
	unreached trouble
	unsaved   trouble // why the last polls could not be stored
}

// New makes a scheduler. It does nothing until Run.
func New(o Options) *Scheduler {
	return &Scheduler{
		o:       o,
		client:  NewClient(o.Settings, o.RoundTripper),
		saver:   newSaver(o.Store),
		jobs:    map[store.FeedName]*job{},
		hosts:   map[string]*host{},
		hand:    newHand(),
		visited: map[*host]bool{},
		owner:   rand.Text(),
		held:    map[*host]bool{},
		unsure:  map[*host]bool{},
		idle:    map[*host]bool{},
		outage:  outageWatch{seen: map[string]sighting{}},
		due: pile[*job]{
			less:  func(a, b *job) bool { return a.due.At.Before(b.due.At) },
			index: func(j *job) *int { return &j.index },
		},
		ready: pile[*host]{
			less:  func(a, b *host) bool { return a.free.Before(b.free) },
			index: func(h *host) *int { return &h.index },
		},
		wanted: pile[*host]{
			less:  func(a, b *host) bool { return a.again.Before(b.again) },
			index: func(h *host) *int { return &h.place },
		},
		requests: make(chan *request),
		calls:    make(chan call),
		finished: make(chan finished),
		ended:    make(chan struct{}),
	}
}

// Run polls until ctx ends. Polls that are in flight then are broken off, and their feeds stay due;
// what has arrived is saved before Run returns.
func (s *Scheduler) Run(ctx context.Context) error {
	defer close(s.ended)
	defer func() { s.client.Close() }()
	states, err := s.states(ctx)
	if err != nil {
		return err
	}
	s.configure(s.o.Settings, s.o.Feeds, states)

	var saving sync.WaitGroup
	grace, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		select {
		case <-time.After(saveGrace):
			cancel()
		case <-grace.Done():
		}
	})()
	saving.Go(func() { s.saver.run(grace) })
	defer saving.Wait()
	defer close(s.saver.in)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		now := s.now()
		s.mind(now)
		if s.o.Automatic {
			for j, ok := s.due.first(); ok && !j.due.At.After(now.wall); j, ok = s.due.first() {
				if s.heed(j, now.wall); !j.due.At.After(now.wall) {
					s.enqueue(j)
				}
			}
		}
		s.receive(now)
		for h, ok := s.ready.first(); ok && s.places() < s.o.Settings.Concurrency && !h.free.After(now.mono); h, ok = s.ready.first() {
			if h.ours(now) {
				s.start(h, now.mono)
			} else {
				s.ready.take(h) // its lease has ended; it comes back with another one
			}
		}
		s.claim(ctx, now)
		timer.Reset(s.pause(now))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case r := <-s.requests:
			s.accept(r, s.o.Store.Now())
		case c := <-s.calls:
			c.done <- c.do(ctx)
		case f := <-s.finished:
			s.finish(f, s.now())
		case c := <-s.claimed:
			s.granted(ctx, c, s.now())
		}
	}
	s.ending = true
	for s.running > 0 {
		s.finish(<-s.finished, s.now())
	}
	s.vacate()
	return nil
}

// states reads what the store knows of all feeds.
func (s *Scheduler) states(ctx context.Context) (map[store.FeedName]store.FeedState, error) {
	states := map[store.FeedName]store.FeedState{}
	for st, err := range s.o.Store.Feeds(ctx) {
		if err != nil {
			return nil, fmt.Errorf("read the feeds' states: %w", err)
		}
		states[st.Name()] = st
	}
	return states, nil
}

// pause is how long nothing happens by itself.
func (s *Scheduler) pause(now moment) time.Duration {
	wake := now.mono.Add(time.Hour)
	if j, ok := s.due.first(); ok && s.o.Automatic && now.until(j.due.At).Before(wake) {
		wake = now.until(j.due.At)
	}
	if s.places() < s.o.Settings.Concurrency {
		if h, ok := s.ready.first(); ok && h.free.Before(wake) {
			wake = h.free
		}
		for h := range s.visited {
			if at, known := h.opens(now); known && h.inFlight < h.perHost && at.Before(wake) {
				wake = at
			}
		}
	}
	wake = s.pauseClaims(now.mono, wake)
	return max(wake.Sub(now.mono), 0)
}

// configure takes up a configuration. Feeds that stay keep their state, and polls that are under way
// go on.
func (s *Scheduler) configure(settings Settings, feeds []Feed, states map[store.FeedName]store.FeedState) {
	s.o.Settings = settings
	before := s.jobs
	s.jobs, s.shared = map[store.FeedName]*job{}, map[string][]*job{}
	wall := s.o.Store.Now()
	for _, f := range feeds {
		key := f.Name()
		j := before[key]
		if j == nil {
			j = &job{index: -1}
		}
		if st := states[key]; st.Saves > j.state.Saves && !j.running {
			j.state = st
		}
		delete(before, key)
		if h := s.host(askAt(&f, &j.state, wall)); j.host != h && !j.running { // a job that runs is counted at the host where it started
			waits := j.queued
			s.dequeue(j)
			if j.at(h); waits {
				s.enqueue(j)
			}
		}
		j.feed = f
		j.state.Outlet, j.state.URL = f.Outlet, f.URL
		j.past(wall)
		if j.state.HostHold {
			j.host.keepHold(j.state.RetryAfter, wall)
		}
		s.jobs[key] = j
		j.share = f.shareKey()
		s.shared[j.share] = append(s.shared[j.share], j)
	}
	for _, j := range before { // no longer configured
		s.dequeue(j)
		s.due.take(j)
		s.answer(j, store.Saved{}, errRemoved)
	}
	for _, j := range s.jobs {
		s.reckon(j)
		s.offer(j.host)
	}
	if s.hubs != nil {
		s.hubs()
	}
}

var errRemoved = errors.New("the feed was taken out of the configuration")

func (s *Scheduler) host(address string) *host {
	name, rule := s.o.Settings.rule(address)
	h := s.hosts[name]
	if h == nil {
		h = &host{name: name, index: -1, tenancy: tenancy{place: -1}}
		s.hosts[name] = h
	}
	h.perHost, h.gap = rule.PerHost, rule.Gap
	return h
}

// reckon finds out when j is due, and lets it wait for that.
func (s *Scheduler) reckon(j *job) {
	f := j.feed
	f.WebSub = f.WebSub && j.polled // what was pushed while nobody listened has to be asked for
	j.due = Next(&f, &s.o.Settings, &j.state)
	wall := s.o.Store.Now()
	j.due.held(j.host.hold, wall)
	for _, o := range s.sharers(j) {
		j.due.share(&o.feed, &s.o.Settings, &o.state, wall, o.running)
	}
	if j.queued && j.due.Never { // a reload has turned it off
		s.dequeue(j)
		s.answer(j, store.Saved{}, errRemoved)
	}
	switch {
	case j.queued || j.running:
	case j.due.Never && j.state.Gone && j.feed.Enabled && s.o.Automatic:
		j.due.At = wall.Add(goneWait)
		s.due.put(j)
	case j.due.Never:
		s.due.take(j)
	default:
		s.due.put(j)
	}
}

// start polls the first of h's queue.
func (s *Scheduler) start(h *host, now time.Time) {
	j := h.queue[0]
	h.queue = h.queue[1:]
	j.queued, j.running = false, true
	h.inFlight++
	h.polling++
	h.free = now.Add(h.gap)
	s.offer(h)
	s.begin(now)
	ctx, stop := context.WithCancel(h.polls)
	jobs := []*job{j}
	j.stop = stop
	for _, o := range s.sharers(j) {
		if !o.running && !o.due.Never {
			s.dequeue(o)
			s.due.take(o)
			o.running, o.stop = true, stop
			jobs = append(jobs, o)
		}
	}
	turns, settings, client, epoch := turnsOf(jobs), s.o.Settings, s.client, h.epoch
	way := &journey{s: s, settings: &settings, home: h, at: h, turn: make(chan error, 1), seat: seat{hand: s.hand}}
	go func() { // ended by finish, which Run waits for
		f := finished{polls: make([]finishedPoll, len(turns)), way: way, epoch: epoch}
		get := client.once(turns, way)
		var saving sync.WaitGroup
		for i := range turns {
			v, done := &turns[i], &f.polls[i]
			done.job = jobs[i]
			p, lost, err := poll(ctx, get, s.o.Store, &v.feed, &settings, v.state, s.o.Log)
			if done.err = err; err == nil {
				p.Host, p.Epoch = h.name, epoch
				f.began = s.judge(&v.feed, &v.state, &p, lost, &settings) || f.began
				saving.Go(func() { done.saved, done.err = s.saver.save(p) })
			}
		}
		saving.Wait()
		way.leave()
		f.took = time.Since(now)
		s.finished <- f
	}()
}
