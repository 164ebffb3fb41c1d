package fetch

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"time"

	"broadsheet/store"
)

// doubtAfter is how long a feed may answer nothing but 304 before it is asked once without validators
// (PROTOCOL F6): a Last-Modified in the future makes a server say 304 for years.
const doubtAfter = 7 * 24 * time.Hour

// overdue reports whether a feed that was just answered with 304 has not shown its document for long.
func overdue(before *store.FeedState, p *store.Poll) bool {
	return p.State.Status == http.StatusNotModified && !before.Received.IsZero() && p.At.Sub(before.Received) >= doubtAfter
}

// doubt asks once more without validators, after a 304. Items that are not those of the known document
// convict the 304. Should nothing come of it, the 304 stands.
func (v poller) doubt(ctx context.Context, from string, p store.Poll) (store.Poll, error) {
	st := p.State
	q, err := v.ask(ctx, from, store.Validators{}, &st)
	if err != nil || q.State.Damaged {
		p.State.Received = p.At // not before another week
		p.State.RetryAfter, p.State.HostHold = q.State.RetryAfter, q.State.HostHold
		p.State.LastTry, p.State.LastPoll = q.State.LastTry, later(p.State.LastPoll, q.State.LastPoll)
		p.At = q.At
		return p, nil
	}
	if q.State.Listing != p.State.Listing {
		q.State.Unsound = true
		v.log.Warn("the outlet said 304 Not Modified of a feed that had changed; its validators are not sent any more")
	}
	q.State.Move = p.State.Move
	return q, nil
}

// heads is how many items' names a state keeps.
const heads = 5

// listing is a hash of what items a document lists, whatever else changes in it, and hashes of the names of
// the first.
func listing(arrivals []store.Arrival) (all store.Key, first []uint64) {
	sum := sha256.New()
	for i := range arrivals {
		a := &arrivals[i]
		name := a.Canonical // before the guid, which some outlets make anew with each request
		if name == "" {
			name = a.Item.GUID
		}
		fmt.Fprintf(sum, "%q %q\n", name, a.Item.Title)
		for _, name := range []string{a.Item.GUID, a.Canonical} {
			if i < heads && name != "" {
				h := fnv.New64a()
				io.WriteString(h, name)
				first = append(first, h.Sum64())
			}
		}
	}
	return store.Key(sum.Sum(nil)[:16]), first
}
