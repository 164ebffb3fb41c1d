package fetch

import (
	"cmp"
	"container/heap"
	"context"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"broadsheet/store"
)

// A HostRule is an exception for a host that carries many feeds.
type HostRule struct {
	Name    string // a domain, which stands for the names under it as well, or an IP address
	PerHost int    // requests in flight
	Gap     time.Duration
	Each    bool // each name under Name is a host of its own; else all of them are one
}

// hostName is what per_host and host_gap count by: the registrable domain, since an outlet's servers
// share an operator and often a machine. An IP literal or a name without such a domain is its own
// host; the resolved address never is: thousands of outlets share a CDN's (PROTOCOL F20).
func hostName(address string) string {
	name := nameIn(address)
	return cmp.Or(Domain(address), name)
}

// Domain is the registrable domain in an address; "" where it has none: an IP literal, localhost.
func Domain(address string) string {
	name := nameIn(address)
	if _, err := netip.ParseAddr(name); err == nil {
		return ""
	}
	domain, _ := publicsuffix.EffectiveTLDPlusOne(name)
	return domain
}

// nameIn is the host name in an address, in the one way to write it.
func nameIn(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
}

// rule is what holds for the host of an address, and its name. Of several rules the one with the longest name does.
func (s *Settings) rule(address string) (host string, r HostRule) {
	name := nameIn(address)
	r = HostRule{PerHost: s.PerHost, Gap: s.HostGap}
	for _, x := range s.Hosts {
		if (name == x.Name || strings.HasSuffix(name, "."+x.Name)) && len(x.Name) > len(r.Name) {
			r = x
		}
	}
	switch {
	case r.Name == "":
		return hostName(address), r
	case r.Each:
		return name, r
	}
	return r.Name, r
}

// A host is what several feeds share: their requests keep a distance.
type host struct {
	name     string
	perHost  int           // requests in flight
	gap      time.Duration // between two of them
	queue    []*job        // waiting for their turn, first come first served; only while it is ours
	guests   []*journey    // waiting for their turn, before the queue
	inFlight int           // polls that are here
	polling  int           // polls that began here, wherever they are
	free     time.Time     // when the next request may start
	hold     time.Time     // Retry-After for the whole host, by the store's clock
	index    int           // in the ready heap; -1 outside
	tenancy
}

// A job is a feed in the hands of the scheduler. It is queued, running or waiting for its due time.
type job struct {
	feed    Feed
	host    *host
	share   string // feed.shareKey
	due     Due
	state   store.FeedState
	epoch   uint64 // of the host, when the store had this state; 0: it has to be asked
	queued  bool   // in host.queue or host.unseen
	running bool
	unsaved int                // polls in a row that could not be stored
	polled  bool               // by us: before that nobody knows what was pushed in vain
	told    *store.FeedState   // saved without a poll while one was running
	stop    context.CancelFunc // breaks off the poll that is running
	waiters []*request
	index   int // in the due heap; -1 outside
}

// at puts j at a host. It must not be queued.
func (j *job) at(h *host) {
	if j.host != h {
		j.host, j.epoch = h, 0
	}
}

// A pile is a heap that knows where its members are, so that one can be moved or taken out.
type pile[T any] struct {
	members []T
	less    func(a, b T) bool
	index   func(T) *int
}

func (p *pile[T]) Len() int           { return len(p.members) }
func (p *pile[T]) Less(i, j int) bool { return p.less(p.members[i], p.members[j]) }
func (p *pile[T]) Swap(i, j int) {
	p.members[i], p.members[j] = p.members[j], p.members[i]
	*p.index(p.members[i]), *p.index(p.members[j]) = i, j
}
func (p *pile[T]) Push(x any) {
	*p.index(x.(T)) = len(p.members)
	p.members = append(p.members, x.(T))
}
func (p *pile[T]) Pop() any {
	last := p.members[len(p.members)-1]
	p.members = p.members[:len(p.members)-1]
	*p.index(last) = -1
	return last
}

// put adds x or moves it to its new place.
func (p *pile[T]) put(x T) {
	if i := *p.index(x); i >= 0 {
		heap.Fix(p, i)
	} else {
		heap.Push(p, x)
	}
}

// take removes x if it is there.
func (p *pile[T]) take(x T) {
	if i := *p.index(x); i >= 0 {
		heap.Remove(p, i)
	}
}

// first is the least member.
func (p *pile[T]) first() (x T, ok bool) {
	if len(p.members) == 0 {
		return x, false
	}
	return p.members[0], true
}
