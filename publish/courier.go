package publish

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"broadsheet/store"
)

// Bounds of telling.
const (
	maxFlying   = 32               // requests under way
	hostFlying  = 4                // of them, to one host
	tellTime    = 10 * time.Second // for one request
	claimTime   = time.Minute      // after which what a process wanted to tell is free again: it must have died
	firstPause  = 5 * time.Second  // after a failure; each further one makes it four times as long
	maxPause    = 2 * time.Hour
	giveUpAfter = 24 * time.Hour   // of failures with the same news
	rereadEvery = 5 * time.Minute  // other processes write notices, too
	stillAlive  = 30 * time.Minute // a courier without work wakes so often
)

// A courier tells receivers of editions: each of what is new since it was told last, the newest only, with pauses
// that grow while it fails. One goroutine, run's, owns the notices.
type courier struct {
	name  string // that nobody else ever has
	kind  string // of the notes
	notes store.Notes
	topic func(*Document) string
	tell  func(context.Context, *notice, *Document) error // errGone and errEnded end the notice
	host  func(address string) string                     // that requests are counted by
	blind bool                                            // tell needs no document; else it is told, with none, that a topic is gone
	log   *slog.Logger

	wake    chan struct{} // holds one signal
	reports chan report
	orders  chan order
	ended   chan struct{} // closed when run has ended

	mu      sync.Mutex // guards what follows
	edition *Edition
	counts  Counts
	by      map[string]int // notices by host

	// Run's own.
	told   map[string]*told
	topics map[string]*Document
	shown  *Edition // that topics is of
	flying map[string]int
	inAll  int
	reread time.Time
}

// Counts are what a courier did so far, for those who watch over it.
type Counts struct {
	Receivers int    // subscriptions, or topics that a hub is told of
	Owed      int    // of them, those that wait for another attempt
	Told      uint64 // requests that were accepted
	Failed    uint64 // requests that were not
	Dropped   uint64 // news that were given up
}

var (
	errGone  = errors.New("410 Gone")
	errEnded = errors.New("there is nothing more to tell")
)

type report struct {
	*told
	err error
}

// An order changes a notice: do returns it as it shall be, nil for none.
type order struct {
	key  string
	do   func(*notice) *notice
	done chan error
}

func newCourier(kind string, notes store.Notes, host func(string) string, log *slog.Logger) *courier {
	return &courier{
		name: rand.Text(), kind: kind, notes: notes, host: host, log: log,
		wake: make(chan struct{}, 1), reports: make(chan report, maxFlying), orders: make(chan order), ended: make(chan struct{}),
		told: map[string]*told{}, flying: map[string]int{}, by: map[string]int{},
	}
}

// Announce says that an edition is served, or written. It does not wait until anybody has been told.
func (c *courier) Announce(e *Edition) {
	c.mu.Lock()
	c.edition = e
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Counts returns what was done so far.
func (c *courier) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts
}

// order changes a notice, durably, while run runs.
func (c *courier) order(ctx context.Context, key string, do func(*notice) *notice) error {
	o := order{key, do, make(chan error, 1)}
	select {
	case c.orders <- o:
		return <-o.done
	case <-c.ended:
		return errors.New("the hub has ended")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run tells until ctx ends or, with idle, until there is nothing more to do at once. Attempts under way are broken
// off at the end of ctx, and stay owed.
func (c *courier) run(ctx context.Context, idle bool) error {
	defer close(c.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		next, err := c.look(ctx, time.Now())
		if err != nil {
			if ctx.Err() != nil {
				break
			}
			c.log.Error("nobody is told of changes; tried again in a minute", "kind", c.kind, "err", err)
			next = time.Now().Add(time.Minute)
		}
		if idle && c.inAll == 0 && (err != nil || next.After(time.Now().Add(firstPause*5))) {
			return err
		}
		timer.Reset(time.Until(next))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-c.wake:
		case o := <-c.orders:
			o.done <- c.obey(ctx, o)
		case r := <-c.reports:
			c.settle(r)
		}
	}
	for c.inAll > 0 {
		c.settle(<-c.reports)
	}
	return nil
}

// look finds out who has to be told now, and begins with it. It returns when there is something to do again, if nothing
// happens before.
func (c *courier) look(ctx context.Context, now time.Time) (next time.Time, err error) {
	if !now.Before(c.reread) {
		if err := c.read(ctx); err != nil {
			return now, err
		}
		c.reread = now.Add(rereadEvery)
	}
	c.show()
	next = now.Add(stillAlive)
	if c.reread.Before(next) {
		next = c.reread
	}
	var claims []*told
	var swaps []store.Swap
	claimed := map[string]int{}
	for _, t := range c.told {
		if t.busy {
			continue
		}
		if !t.Lease.IsZero() && !now.Before(t.Lease) {
			claims, swaps = append(claims, t), append(swaps, store.Swap{Key: t.key, Old: t.note})
			continue
		}
		d := c.topics[t.Topic]
		ended := d == nil && !c.blind && c.shown != nil
		if d == nil && !ended && !(c.blind && !t.Owed.IsZero()) || (d != nil || ended) && c.shown.Revision < t.Revision {
			continue
		}
		fresh, free := ended || d != nil && d.News != t.Told, t.free(c.name)
		switch {
		case t.Owed.IsZero() && !fresh:
			continue
		case free.After(now):
			if free.Before(next) {
				next = free
			}
			continue
		case len(claims) >= maxFlying || c.inAll+len(claims) >= maxFlying || c.flying[t.host]+claimed[t.host] >= hostFlying:
			continue // a report makes room, and lets us look again
		}
		n := t.notice
		n.Owed, n.Teller = now.Add(claimTime), c.name
		if fresh || n.Since.IsZero() {
			n.Since = now
		}
		if d != nil {
			n.Told, n.Revision = d.News, c.shown.Revision
		}
		claimed[t.host]++
		claims, swaps = append(claims, t), append(swaps, store.Swap{Key: t.key, Old: t.note, New: encodeNotice(&n)})
	}
	done, err := c.swap(ctx, claims, swaps)
	if err != nil {
		return now, err
	}
	for i, t := range claims {
		if done[i] && swaps[i].New != nil {
			c.send(ctx, t)
		}
	}
	return next, nil
}

// show takes up the newest edition.
func (c *courier) show() {
	c.mu.Lock()
	e := c.edition
	c.mu.Unlock()
	if e == nil || e == c.shown {
		return
	}
	c.shown, c.topics = e, map[string]*Document{}
	for d := range e.Documents() {
		if d.News == "" {
			continue
		}
		topic := c.topic(d)
		c.topics[topic] = d
		if c.blind && c.told[topic] == nil {
			c.told[topic] = c.take(topic, nil, notice{Topic: topic})
		}
	}
}

// send tells a receiver, beside run.
func (c *courier) send(ctx context.Context, t *told) {
	t.busy = true
	c.flying[t.host]++
	c.inAll++
	n, d := t.notice, c.topics[t.Topic]
	go func() { // ended by settle, which run waits for
		ctx, cancel := context.WithTimeoutCause(ctx, tellTime, fmt.Errorf("no answer within %s", tellTime))
		defer cancel()
		err := c.tell(ctx, &n, d)
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		c.reports <- report{t, err}
	}()
}

// settle notes what became of requests: of r and of all others that have come in meanwhile, in one transaction.
func (c *courier) settle(r report) {
	reports := []report{r}
	for more := true; more; {
		select {
		case r := <-c.reports:
			reports = append(reports, r)
		default:
			more = false
		}
	}
	var all []*told
	var swaps []store.Swap
	now := time.Now()
	for _, r := range reports {
		t := r.told
		t.busy = false
		c.flying[t.host]--
		c.inAll--
		n := t.notice
		c.judge(&n, r.err, now)
		s := store.Swap{Key: t.key, Old: t.note, New: encodeNotice(&n)}
		if errors.Is(r.err, errGone) || errors.Is(r.err, errEnded) {
			s.New = nil
		}
		all, swaps = append(all, t), append(swaps, s)
	}
	if _, err := c.swap(context.Background(), all, swaps); err != nil { // also when we are stopped: it was told
		c.log.Error("what was told could not be noted; it will be told again", "kind", c.kind, "err", err)
	}
}

// judge says what an attempt means for a notice.
func (c *courier) judge(n *notice, err error, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n.Teller = ""
	switch {
	case errors.Is(err, errEnded):
		return
	case err == nil:
		c.counts.Told++
		n.Owed, n.Since, n.Failures = time.Time{}, time.Time{}, 0
		return
	case errors.Is(err, context.Canceled): // we are stopped
		n.Owed = now
		return
	}
	c.counts.Failed++
	n.Failures++
	n.Owed = now.Add(pauseAfter(n.Failures))
	given := now.Sub(n.Since) >= giveUpAfter
	if given {
		c.counts.Dropped++
		n.Owed, n.Since = time.Time{}, time.Time{}
	}
	c.log.Warn("not told", "kind", c.kind, "topic", n.Topic, "host", c.host(n.Callback), "failures", n.Failures, "given_up", given, "err", err)
}

// pauseAfter is how long a receiver is left alone after so many failures, a fifth more or less.
func pauseAfter(failures int) time.Duration {
	pause := firstPause
	for range failures - 1 {
		if pause *= 4; pause >= maxPause {
			pause = maxPause
			break
		}
	}
	return time.Duration(float64(pause) * (0.8 + 0.4*mathrand.Float64()))
}

// obey carries out an order.
func (c *courier) obey(ctx context.Context, o order) error {
	for range 10 { // another process may change the note between our looking and our writing
		if err := c.reload(ctx, o.key); err != nil {
			return err
		}
		t := c.told[o.key]
		var before *notice
		s := store.Swap{Key: o.key}
		if t != nil {
			n := t.notice
			before, s.Old = &n, t.note
		}
		after := o.do(before)
		if after == nil && t == nil {
			return nil
		}
		if after != nil {
			s.New = encodeNotice(after)
			if t == nil {
				t = c.take(o.key, nil, *after)
			}
		}
		done, err := c.swap(ctx, []*told{t}, []store.Swap{s})
		if err != nil || done[0] {
			return err
		}
	}
	return errors.New("the notice changes all the time")
}
