package fetch

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"time"

	"broadsheet/store"
)

// Bounds of subscriptions.
const (
	wantedLease = 10 * 24 * time.Hour  // that hubs are asked for
	maxLease    = 365 * 24 * time.Hour // that they may give
	leastLease  = 5 * time.Second      // before a lease of theirs is renewed
	verifyWait  = 10 * time.Minute     // for a hub to verify what it has accepted
	hubPause    = time.Minute          // after a hub's first failure; each further one doubles it
	maxHubPause = 12 * time.Hour
	deniedPause = 24 * time.Hour // after a hub has said no
	leaveTries  = 3              // requests to end a subscription
)

// noteWebSub is the kind of the notes that are subscriptions.
const noteWebSub = "websub"

// A subscription is what we have with a hub for one feed. It is kept as a note, secrets included; what may be shown of it
// is the store.Push of the feed's state.
type subscription struct {
	Outlet  string   `json:"outlet"`
	URL     string   `json:"url"` // of the feed, as configured
	Hub     string   `json:"hub"` // that is asked next
	Topic   string   `json:"topic"`
	Active  callback `json:"active,omitzero"`  // that a hub has verified
	Pending callback `json:"pending,omitzero"` // that a hub has been told of
	Leaving bool     `json:"leaving,omitempty"`

	Next     time.Time `json:"next,omitzero"` // when the hub is asked again
	Failures int       `json:"failures,omitempty"`
	Err      string    `json:"err,omitempty"`
}

// A callback is an address that nobody can guess, for one hub, one topic and one lease.
type callback struct {
	Hub     string    `json:"hub"`
	Address string    `json:"address"`
	Secret  string    `json:"secret,omitempty"`
	Asked   time.Time `json:"asked,omitzero"`
	Until   time.Time `json:"until,omitzero"`
}

// token is what makes a callback unguessable: its last part.
func (c callback) token() string { return c.Address[strings.LastIndexByte(c.Address, '/')+1:] }

func newCallback(base, hub string, signed bool, now time.Time) callback {
	c := callback{Hub: hub, Address: base + CallbackPath + rand.Text(), Asked: now}
	if signed {
		c.Secret = rand.Text() + rand.Text()
	}
	return c
}

// failed notes that a hub did not do what it was asked for, and turns to the feed's next one.
func (r *subscription) failed(err string, hubs []string, now time.Time) {
	r.Pending, r.Err = callback{}, err
	r.Failures++
	pause := hubPause
	for i := 1; i < r.Failures && pause < maxHubPause; i++ {
		pause *= 2
	}
	r.Next = now.Add(jitter(min(pause, maxHubPause)))
	if i := slices.Index(hubs, r.Hub); i >= 0 {
		r.Hub = hubs[(i+1)%len(hubs)]
	}
}

// verified makes the pending callback the active one, for a lease. It is renewed when between 75 % and 90 % of that is over.
func (r *subscription) verified(lease time.Duration, now time.Time) {
	r.Active, r.Pending = r.Pending, callback{}
	r.Active.Until = now.Add(lease).UTC().Truncate(time.Microsecond)
	r.Failures, r.Err = 0, ""
	r.Next = now.Add(max(time.Duration((0.75+0.15*mathrand.Float64())*float64(lease)), leastLease))
}

// denied notes that the hub will not push.
func (r *subscription) denied(reason string, now time.Time) {
	r.Active, r.Pending = callback{}, callback{}
	r.Failures++
	if r.Err = "denied"; reason != "" {
		r.Err = "denied: " + reason
	}
	r.Next = now.Add(jitter(deniedPause))
}

// jitter is a fifth more or less.
func jitter(d time.Duration) time.Duration {
	return time.Duration((0.8 + 0.4*mathrand.Float64()) * float64(d))
}

// A held subscription is in the hands of a Subscriber, whose mu guards it.
type held struct {
	subscription
	note   []byte // as it is stored; nil if it is not yet
	feed   Feed   // as it is configured; without an address if it is not any more
	hubs   []string
	busy   bool      // its hub is being asked
	wait   time.Time // for the hub's host to be free
	last   time.Time // when the hub pushed last
	tokens []string  // under which it is found
	credit float64   // pushes that it may make at once
	since  time.Time // when credit was reckoned
}

// push is what may be shown of a subscription.
func (h *held) push() store.Push {
	p := store.Push{Hub: h.Active.Hub, Until: h.Active.Until, Last: h.last, Err: h.Err}
	if p.Hub == "" && p.Err != "" {
		p.Hub = h.Hub
	}
	return p
}

func (h *held) name() store.FeedName { return store.FeedName{Outlet: h.Outlet, URL: h.URL} }

func noteKey(f store.FeedName) string { return f.Outlet + " " + f.URL } // neither has a space

// index lets a subscription be found by its callbacks. It needs mu.
func (s *Subscriber) index(h *held) {
	for _, t := range h.tokens {
		delete(s.tokens, t)
	}
	h.tokens = h.tokens[:0]
	for _, c := range []callback{h.Active, h.Pending} {
		if c.Address != "" {
			h.tokens = append(h.tokens, c.token())
			s.tokens[c.token()] = h
		}
	}
}

// keep stores a subscription as next, or removes it. It is false if another process has changed it meanwhile; then it is as
// that one left it. It needs mu.
func (s *Subscriber) keep(ctx context.Context, h *held, next *subscription) (bool, error) {
	w := store.Swap{Key: noteKey(h.name()), Old: h.note}
	if next != nil {
		var err error
		if w.New, err = json.Marshal(next); err != nil {
			return false, err
		}
	}
	done, err := s.notes.SwapNotes(ctx, noteWebSub, w)
	if err != nil {
		return false, err
	}
	if !done[0] {
		note, err := s.notes.Note(ctx, noteWebSub, w.Key)
		if err == nil {
			err = s.put(h.name(), note)
		}
		return false, err
	}
	return true, s.put(h.name(), w.New)
}

// put takes up a subscription as it is stored; nil is none. It needs mu.
func (s *Subscriber) put(name store.FeedName, note []byte) error {
	h := s.subs[name]
	if note == nil {
		if h != nil {
			h.Active, h.Pending = callback{}, callback{}
			s.index(h)
			delete(s.subs, name)
		}
		return nil
	}
	var r subscription
	if err := json.Unmarshal(note, &r); err != nil {
		return fmt.Errorf("the subscription of %s: %w", name.URL, err)
	}
	if h == nil {
		h = &held{feed: Feed{Outlet: name.Outlet, URL: name.URL}, credit: pushBurst}
		s.subs[name] = h
	}
	h.subscription, h.note = r, note
	s.index(h)
	return nil
}

// read takes up all subscriptions as they are stored. It needs mu.
func (s *Subscriber) read(ctx context.Context) error {
	stored := map[store.FeedName]bool{}
	for n, err := range s.notes.Notes(ctx, noteWebSub) {
		if err != nil {
			return err
		}
		outlet, url, _ := strings.Cut(n.Key, " ")
		name := store.FeedName{Outlet: outlet, URL: url}
		stored[name] = true
		if h := s.subs[name]; h != nil && string(h.note) == string(n.Value) {
			continue
		}
		if err := s.put(name, n.Value); err != nil {
			return err
		}
	}
	for name, h := range s.subs {
		if !stored[name] && h.note != nil {
			if err := s.put(name, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
