package fetch

import (
	"context"
	"strings"
	"time"

	"broadsheet/store"
)

// What a Scheduler does for a Subscriber. All of it is done by Run's goroutine.

// pushable are the feeds that may be pushed and name hubs, as they stand.
func (s *Scheduler) pushable() (feeds []turn, err error) {
	err = s.call(func(context.Context) error {
		for _, j := range s.jobs {
			if st := &j.state; j.feed.WebSub && j.feed.Enabled && !st.Gone && st.Topic != "" && len(st.Hubs) > 0 {
				feeds = append(feeds, turn{j.feed, *st})
			}
		}
		return nil
	})
	return feeds, err
}

// turnAt takes a request's turn at the host of an address, among the polls there; or it returns in how long the host is free,
// and takes none.
func (s *Scheduler) turnAt(address string) (wait time.Duration, err error) {
	err = s.call(func(context.Context) error {
		h, now := s.host(address), s.now()
		if wait = max(h.free.Sub(now.mono), h.hold.Sub(now.wall), 0); wait > 0 {
			return nil
		}
		h.free = now.mono.Add(h.gap)
		s.offer(h)
		return nil
	})
	return wait, err
}

// visitor is the client that polls with.
func (s *Scheduler) visitor() (c *Client, err error) {
	err = s.call(func(context.Context) error {
		c = s.client
		return nil
	})
	return c, err
}

// noted takes up the state of a feed of which something was saved without a poll.
func (s *Scheduler) noted(st store.FeedState) error {
	return s.call(func(context.Context) error {
		switch j := s.jobs[st.Name()]; {
		case j == nil || st.Saves <= j.state.Saves:
		case j.running:
			if j.told == nil || st.Saves > j.told.Saves {
				j.told = &st
			}
		default:
			j.state = st
			s.reckon(j)
		}
		return nil
	})
}

// takeTold takes up what noted could not while j was polled.
func (j *job) takeTold() {
	if j.told != nil && j.told.Saves > j.state.Saves {
		j.state = *j.told
	}
	j.told = nil
}

// pushLinks are the hubs and the topic of a feed, to compare.
func (j *job) pushLinks() string { return j.state.Topic + " " + strings.Join(j.state.Hubs, " ") }
