package store

import (
	"sync"
	"time"
)

// Pollers that share a store share its feeds by hosts: whoever has claimed a host alone polls its feeds, and so alone
// keeps the distance between two requests to it. A poller claims the hosts whose feeds it takes to be due, learns which
// of them others have polled meanwhile, and gives each host back when there is nothing left to ask. What it does not
// give back is free again when its lease ends, whatever has become of it.

// A Claim is what a poller asks of the store between two requests: to take hosts back, to make leases longer, and to
// grant hosts whose feeds are due.
type Claim struct {
	Owner   string        // the poller, by a name that nobody else ever has
	Lease   time.Duration // how long what is granted is its own, from now on
	Release []Release     // done in front of all else
	Want    []Want        // each host at most once
}

// A Release gives a host back.
type Release struct {
	Host  string
	Pause time.Duration // from now on, before anybody's next request to it
}

// A Want asks for a host, by the name that fetch gives it.
type Want struct {
	Host  string
	Gap   time.Duration // between two requests to it
	Feeds []Seen        // those that are due, as far as the poller knows; none: it only wants to keep what it has,
	Visit bool          // unless feeds of other hosts lead it there
}

// Seen is the version of a feed's state that a poller knows: FeedState.Saves, 0 for none.
type Seen struct {
	Feed  FeedName
	Saves uint64
}

// A Grant answers a Want.
type Grant struct {
	Epoch  uint64        // goes with each poll of this host (Poll.Epoch); 0: not granted
	Wait   time.Duration // from now on, before the first request to it
	Hold   time.Time     // the host's Retry-After, if a poll that another poller saved has brought one
	States []FeedState   // of those of Want.Feeds that the store has in another version, granted or not
}

// Leases are the hosts of a keeper that one process has to itself. They live in memory: whoever opens such a keeper
// knows that no other poller is left, and the feeds' states tell of the holds.
type Leases struct {
	mu    sync.Mutex // guards hosts
	hosts map[string]*lease
}

// A lease says whose a host is.
type lease struct {
	owner  string // who has it or had it last
	epoch  uint64
	held   bool      // and owner has not given it back; after until, anybody may take it
	until  time.Time // end of the lease
	free   time.Time // when the next owner may start a request
	hold   time.Time
	saving int // polls of it that are being saved: it goes to nobody else meanwhile
}

// Claim does what Store.Claim says. newer tells the state of a feed if it is of another version than seen.
func (l *Leases) Claim(c *Claim, newer func(Seen) (*FeedState, error)) ([]Grant, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, r := range c.Release {
		if h := l.hosts[r.Host]; h != nil && h.held && h.owner == c.Owner {
			h.held, h.free = false, now.Add(r.Pause)
		}
	}
	grants := make([]Grant, len(c.Want))
	for i, w := range c.Want {
		g := &grants[i]
		for _, seen := range w.Feeds {
			f, err := newer(seen)
			if err != nil {
				return nil, err
			}
			if f != nil {
				g.States = append(g.States, *f)
			}
		}
		h := l.hosts[w.Host]
		own := h != nil && h.held && h.owner == c.Owner
		if !own && !w.Visit && len(g.States) == len(w.Feeds) || h != nil && !own && (h.held && now.Before(h.until) || h.saving > 0) {
			continue
		}
		if h == nil {
			if h = (&lease{}); l.hosts == nil {
				l.hosts = map[string]*lease{}
			}
			l.hosts[w.Host] = h
		}
		if h.owner != c.Owner {
			h.owner = c.Owner
			h.epoch++
		}
		if !own {
			g.Wait = max(h.free.Sub(now), 0)
		}
		h.held, h.until = true, now.Add(c.Lease)
		h.free = h.until.Add(w.Gap)
		g.Epoch, g.Hold = h.epoch, h.hold
	}
	return grants, nil
}

// Begin says which polls are fenced, and keeps the hosts of the others from going to another poller until End.
func (l *Leases) Begin(polls []Poll) (fenced []bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fenced = make([]bool, len(polls))
	for i := range polls {
		if p := &polls[i]; p.Host != "" {
			if h := l.hosts[p.Host]; h == nil || h.epoch != p.Epoch {
				fenced[i] = true
			} else {
				h.saving++
			}
		}
	}
	return fenced
}

// End follows Begin when the polls are saved, or have failed to be.
func (l *Leases) End(polls []Poll, fenced []bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range polls {
		p := &polls[i]
		if p.Host == "" || fenced[i] {
			continue
		}
		h := l.hosts[p.Host]
		h.saving--
		if err == nil && p.State.HostHold && p.State.RetryAfter.After(h.hold) {
			h.hold = p.State.RetryAfter
		}
	}
}
