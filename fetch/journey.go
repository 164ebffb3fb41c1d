package fetch

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// A journey is a poll on its way from request to request: a redirect, or the address that a feed has moved to, may lead it away from
// the host where it began. Each request but the first, which the poll began with, waits for its turn at its host like any other of
// that host's, and the poll takes up no place meanwhile.
type journey struct {
	s        *Scheduler
	settings *Settings
	began    bool // the first request was made; its poll's goroutine owns it
	seat          // likewise

	// Run's goroutine owns these.
	home *host // where it began; nobody else is to get this host as long as it lasts
	at   *host // where it may make requests; nil while it waits
	next *host // where it waits for its turn; nil if it does not

	turn chan error // told once for each wait
}

// visit takes the journey to the host of an address and returns when it is its turn there, for one request.
func (v *journey) visit(ctx context.Context, address string) error {
	if name, _ := v.settings.rule(address); !v.began && name == v.home.name {
		v.began = true
		return nil
	}
	v.began = true
	v.leave() // or those that wait for room and those that wait for a turn could wait for each other
	c := call{func(context.Context) error { v.s.lead(v, address, time.Now()); return nil }, make(chan error, 1)}
	select {
	case v.s.calls <- c:
		<-c.done
	case <-ctx.Done(): // Run may not listen any more
		return context.Cause(ctx)
	}
	select {
	case err := <-v.turn:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lead lets a journey wait for its turn at the host of an address.
func (s *Scheduler) lead(v *journey, address string, now time.Time) {
	s.depart(v, now)
	h := s.host(address)
	v.next = h
	h.guests = append(h.guests, v)
	s.visited[h] = true
	s.waiting++
	s.offer(h)
}

// depart takes a journey away from where it is, or waits.
func (s *Scheduler) depart(v *journey, now time.Time) {
	if h := v.at; h != nil {
		v.at = nil
		h.inFlight--
		h.free = later(h.free, now.Add(h.gap))
		s.offer(h)
	}
	if h := v.next; h != nil {
		v.next = nil
		h.guests = slices.DeleteFunc(h.guests, func(o *journey) bool { return o == v })
		s.waiting--
		s.offer(h)
	}
}

// places is how many polls are at a host.
func (s *Scheduler) places() int { return s.running - s.waiting }

// receive lets those journeys go on whose turn has come. They go before the polls that wait at the host: they have begun.
func (s *Scheduler) receive(now moment) {
	for h := range s.visited {
		for len(h.guests) > 0 {
			v := h.guests[0]
			if h.hold.After(now.wall) {
				s.depart(v, now.mono)
				v.turn <- fmt.Errorf("the feed is at %s now, which asked to be left alone until %s", h.name, clockTime(h.hold, now.wall))
				continue
			}
			if at, known := h.opens(now); !known || at.After(now.mono) || h.inFlight >= h.perHost || s.places() >= s.o.Settings.Concurrency {
				break
			}
			s.depart(v, now.mono)
			v.at = h
			h.inFlight++
			h.free = now.mono.Add(h.gap)
			s.offer(h)
			v.turn <- nil
		}
		if len(h.guests) == 0 {
			delete(s.visited, h)
		}
	}
}

// opens is when h receives a guest, if it is not too busy; never before it is ours, unless another poller will not give it
// away: a feed that leads there would never be polled.
func (h *host) opens(now moment) (at time.Time, known bool) {
	switch {
	case h.ours(now):
		return h.free, true
	case !h.held && !h.refused.IsZero():
		return later(h.free, h.refused.Add(patience)), true
	}
	return time.Time{}, false
}
