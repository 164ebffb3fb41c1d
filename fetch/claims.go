package fetch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http/httptrace"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"broadsheet/store"
)

// Several schedulers, in as many processes, may share a store: a host is polled by the one that has claimed it. What a
// scheduler knows of feeds is out of date as soon as another one has polled them, so a job waits in host.unseen until
// the host is ours and the store has told whether its state is still the one that we know.
const (
	// lease is how long a host that was claimed is ours. A poller that dies costs its hosts so long a pause, one that
	// stands still for so long loses them.
	lease = 20 * time.Second
	renew = lease / 4 // how often leases begin anew

	refusedWait = time.Second            // at least, before we ask again for a host that another poller has
	releaseWait = 200 * time.Millisecond // at most, before a host is given back: several go at once
	awayWait    = time.Second            // at first, before we ask again a store that cannot be reached
	maxAwayWait = 10 * time.Second
	patience    = 3 * lease // with a host that another poller has, then a one-shot leaves its feeds to that one; and with a store that grants nothing
	goneWait    = time.Hour // before we look whether somebody has revived a feed that had ended

	maxSeen = 64 // feeds of one host that are claimed at once
)

// ErrUnreached is all that everybody may know of a store that does not answer: why it does not names hosts and users, and is for the log.
var ErrUnreached = errors.New("the store cannot be reached; the log says why")

var (
	errElsewhere = errors.New("another poller has polled it")
	errLapsed    = fmt.Errorf("the lease of its host has ended: %w", context.Canceled)
)

// A tenancy is what a host is to us.
type tenancy struct {
	held    bool                    // it is ours, or was when its lease ended
	epoch   uint64                  // with which it was granted last
	until   moment                  // end of the lease by our clocks, which begin it when the claim is sent
	sends   *atomic.Pointer[moment] // until, for the requests that are under way
	polls   context.Context
	end     func() // breaks off the polls, as the end of the lease does
	lapse   *time.Timer
	asked   bool      // it is in the claim that is under way
	again   time.Time // when we may claim it
	refused time.Time // since when it is refused to those that wait for it; zero if it was not
	unseen  []*job    // that wait for it to be ours, and for their states
	place   int       // in the heap of those wanted; -1 outside
}

// A claiming is a claim under way.
type claiming struct {
	store.Claim
	sent   moment
	hosts  []*host  // as Want
	jobs   [][]*job // as Want, the feeds of each
	grants []store.Grant
	err    error
}

// ours reports whether polls of h may start now.
func (h *host) ours(now moment) bool { return h.held && now.before(h.until) && h.polls.Err() == nil }

// known reports whether j's state, and that of those who share its requests, is that of the store.
func (s *Scheduler) known(j *job) bool {
	if j.epoch == 0 || j.epoch != j.host.epoch {
		return false
	}
	for _, o := range s.sharers(j) {
		if o.epoch != j.epoch && !o.running {
			return false
		}
	}
	return true
}

// claim sends the store what there is to give back, to keep and to ask for, all at once, unless it is still busy with
// the last of it.
func (s *Scheduler) claim(ctx context.Context, now moment) {
	if s.claimed != nil || now.mono.Before(s.retry) {
		return
	}
	c := &claiming{Claim: store.Claim{Owner: s.owner, Lease: lease}, sent: now}
	want := func(h *host, jobs []*job) {
		w := store.Want{Host: h.name, Gap: h.gap, Visit: len(h.guests) > 0}
		for _, j := range jobs {
			w.Feeds = append(w.Feeds, store.Seen{Feed: j.feed.Name(), Saves: j.state.Saves})
		}
		c.Want, c.hosts, c.jobs = append(c.Want, w), append(c.hosts, h), append(c.jobs, jobs)
		h.asked = true
		s.wanted.take(h)
		delete(s.unsure, h)
	}
	for h := range s.unsure {
		want(h, s.first(h))
	}
	for room := s.room(now.mono); room > 0; room-- {
		h, ok := s.wanted.first()
		if !ok || h.again.After(now.mono) {
			break
		}
		want(h, s.first(h))
	}
	if !s.renewal.After(now.mono) {
		for h := range s.held {
			if !h.asked && !s.idle[h] {
				want(h, nil)
			}
		}
	}
	if len(c.Want) > 0 || len(s.idle) > 0 && !s.giveBack.After(now.mono) {
		for h := range s.idle {
			c.Release = append(c.Release, store.Release{Host: h.name, Pause: max(h.free.Sub(now.mono), 0)})
			s.lose(h)
		}
	}
	if len(c.Want)+len(c.Release) == 0 {
		return
	}
	s.claimed = make(chan *claiming, 1)
	go func(done chan<- *claiming) { // Run waits for it
		ctx, cancel := context.WithTimeout(ctx, lease/2)
		defer cancel()
		c.grants, c.err = s.o.Store.Claim(ctx, c.Claim)
		done <- c
	}(s.claimed)
}

// room is for how many more hosts there is work: there shall be as many that could start at once as requests in flight.
func (s *Scheduler) room(now time.Time) int {
	room := 2*s.o.Settings.Concurrency - s.places()
	for _, h := range s.ready.members {
		if !h.free.After(now) {
			room--
		}
	}
	return room
}

// first are the jobs that wait longest for h, with those that share their requests.
func (s *Scheduler) first(h *host) (jobs []*job) {
	for _, j := range h.unseen[:min(len(h.unseen), maxSeen)] {
		jobs = append(jobs, j)
		for _, o := range s.sharers(j) {
			if !o.queued {
				jobs = append(jobs, o)
			}
		}
	}
	return jobs
}

// pauseClaims is when claim has something to do next.
func (s *Scheduler) pauseClaims(now, wake time.Time) time.Time {
	if s.claimed != nil {
		return wake
	}
	sooner := func(t time.Time) {
		if s.retry.After(t) {
			t = s.retry
		}
		if t.Before(wake) {
			wake = t
		}
	}
	if h, ok := s.wanted.first(); ok && s.room(now) > 0 {
		sooner(h.again)
	}
	if len(s.unsure) > 0 {
		sooner(now)
	}
	if len(s.held) > len(s.idle) {
		sooner(s.renewal)
	}
	if len(s.idle) > 0 {
		sooner(s.giveBack)
	}
	return wake
}

// granted takes in the answer to a claim.
func (s *Scheduler) granted(ctx context.Context, c *claiming, now moment) {
	s.claimed = nil
	if c.err != nil {
		s.away(ctx, c, now.mono)
		return
	}
	if s.unreached.set(nil) {
		s.o.Log.Info("the store is reached again")
	}
	s.wait, s.failing = 0, time.Time{}
	if !s.renewal.After(now.mono) {
		s.renewal = c.sent.mono.Add(renew)
	}
	for i, h := range c.hosts {
		h.asked = false
		s.grant(ctx, h, &c.grants[i], c.jobs[i], c.sent, now)
		s.offer(h)
	}
}

// away puts off what the store could not be asked.
func (s *Scheduler) away(ctx context.Context, c *claiming, now time.Time) {
	if ctx.Err() == nil && s.unreached.set(ErrUnreached) {
		s.o.Log.Error("the store cannot be reached; polling goes on as soon as it can", "err", c.err)
	}
	s.wait = min(max(2*s.wait, awayWait), maxAwayWait)
	s.retry = now.Add(s.wait/2 + rand.N(s.wait))
	for _, h := range c.hosts {
		h.asked = false
		s.offer(h)
	}
	// What was to be given back and was not ends with its lease.
	if s.failing.IsZero() {
		s.failing = now
	} else if now.Sub(s.failing) >= patience {
		s.despair(c.err)
	}
}

// despair tells those who asked for polls that there will be none: a store that may be read and not written (a standby, rights that
// were taken away) can stay so for days, and each of cron's one-shots would wait for its end.
func (s *Scheduler) despair(err error) {
	wall := s.o.Store.Now()
	for _, j := range s.jobs {
		if j.running || len(j.waiters) == 0 {
			continue
		}
		s.answer(j, store.Saved{State: j.state}, err)
		if j.queued && !j.wanted(s.o.Automatic, wall) {
			s.dequeue(j)
			s.reckon(j)
		}
	}
}

// grant takes in what became of one host, whose feeds jobs were asked for.
func (s *Scheduler) grant(ctx context.Context, h *host, g *store.Grant, jobs []*job, sent, now moment) {
	if g.Epoch == 0 {
		h.again = now.mono.Add(refusedWait + rand.N(refusedWait))
		if h.refused.IsZero() {
			h.refused = now.mono
		}
	}
	if h.held && g.Epoch != h.epoch {
		s.o.Log.Warn("a host has gone to another poller", "host", h.name)
		s.lose(h)
	}
	if g.Epoch != 0 {
		h.refused = time.Time{}
		s.have(ctx, h, g, sent, now)
	}
	states := make(map[store.FeedName]store.FeedState, len(g.States))
	for _, st := range g.States {
		states[st.Name()] = st
	}
	told := func(j *job) bool { _, ok := states[j.feed.Name()]; return ok }
	for _, j := range jobs {
		if s.jobs[j.feed.Name()] != j || j.host != h || j.running {
			continue
		}
		if told(j) {
			j.state = states[j.feed.Name()]
			j.past(now.wall)
			s.hold(j)
		}
		if g.Epoch != 0 {
			j.epoch = g.Epoch
		}
	}
	s.holdHost(h, g.Hold)
	for _, j := range jobs {
		if s.jobs[j.feed.Name()] == j && j.host == h && !j.running && (told(j) || g.Epoch != 0) {
			s.welcome(j, now.wall)
		}
	}
	if !h.refused.IsZero() && now.mono.Sub(h.refused) >= patience {
		s.resign(h, now.wall)
	}
}

// resign leaves to another poller, which has had h all along, what is not due by itself here: it may have work there for
// hours, and whoever asked for the feeds once must not wait for that.
func (s *Scheduler) resign(h *host, wall time.Time) {
	for _, j := range slices.Clone(h.unseen) {
		s.answer(j, store.Saved{State: j.state}, errElsewhere)
		if !j.wanted(s.o.Automatic, wall) {
			s.dequeue(j)
			s.reckon(j)
		}
	}
}

// welcome finds a place for a job whose state the store has just told or confirmed.
func (s *Scheduler) welcome(j *job, wall time.Time) {
	waits := j.queued
	s.dequeue(j)
	j.at(s.host(askAt(&j.feed, &j.state, wall)))
	s.reckon(j)
	switch {
	case !waits:
	case j.wanted(s.o.Automatic, wall):
		s.enqueue(j)
	default:
		s.answer(j, store.Saved{State: j.state}, errElsewhere)
	}
}

// wanted reports whether j may be polled for those who wait for it, or by itself.
func (j *job) wanted(automatic bool, wall time.Time) bool {
	due := func(at time.Time) bool { return !j.due.Never && !at.After(wall) }
	if automatic && due(j.due.At) {
		return true
	}
	for _, r := range j.waiters {
		if due(r.from(&j.due)) {
			return true
		}
	}
	return false
}

// have takes h for ours.
func (s *Scheduler) have(ctx context.Context, h *host, g *store.Grant, sent, now moment) {
	if !h.held {
		h.free = later(h.free, now.mono.Add(g.Wait))
		if len(s.held) == 0 {
			s.renewal = sent.mono.Add(renew)
		}
		s.held[h] = true
	}
	until := sent.add(lease)
	h.held, h.epoch, h.until = true, g.Epoch, until
	if h.polls != nil && h.polls.Err() == nil && h.lapse.Reset(until.mono.Sub(now.mono)) {
		h.sends.Store(&until)
		return
	}
	if h.end != nil {
		h.end()
	}
	sends := &atomic.Pointer[moment]{}
	sends.Store(&until)
	ctx, cancel := context.WithCancelCause(ctx)
	end := func() { cancel(errLapsed) }
	h.end, h.lapse = end, time.AfterFunc(until.mono.Sub(now.mono), end)
	h.sends, h.polls = sends, httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		// A process that stood still sends what it was about to send, and looks at its timers afterwards.
		if !s.now().before(*sends.Load()) {
			end()
			c.Conn.Close()
		}
	}})
}

// lose takes h for another's: its polls are broken off, and what waits for it has to be seen anew.
func (s *Scheduler) lose(h *host) {
	if !h.held {
		return
	}
	h.held = false
	h.lapse.Stop()
	h.end()
	h.polls = nil
	delete(s.held, h)
	h.unseen = append(h.queue, h.unseen...)
	h.queue = nil
	s.offer(h)
}

// vacate gives back all hosts when Run ends.
func (s *Scheduler) vacate() {
	if s.claimed != nil {
		s.granted(context.Background(), <-s.claimed, s.now())
	}
	c := store.Claim{Owner: s.owner, Lease: lease}
	for h := range s.held {
		c.Release = append(c.Release, store.Release{Host: h.name, Pause: max(time.Until(h.free), 0)})
		s.lose(h)
	}
	if len(c.Release) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if _, err := s.o.Store.Claim(ctx, c); err != nil {
		s.o.Log.Warn("hosts not given back; other pollers have them when their leases end", "hosts", len(c.Release), "err", err)
	}
}

// A trouble is what is wrong at the moment, if anything is.
type trouble struct {
	mu  sync.Mutex // guards what follows
	err error
}

// set takes note of it and reports whether it begins or ends.
func (t *trouble) set(err error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	turns := (t.err == nil) != (err == nil)
	t.err = err
	return turns
}

func (t *trouble) get() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}
