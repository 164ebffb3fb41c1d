package fetch

import (
	"slices"
	"time"

	"broadsheet/store"
)

// enqueue lets j wait for its turn at its host.
func (s *Scheduler) enqueue(j *job) {
	s.due.take(j)
	j.queued = true
	if h := j.host; h.held && s.known(j) {
		h.queue = append(h.queue, j)
	} else {
		if now := time.Now(); len(h.unseen) == 0 && j.due.At.Before(now) { // those that wait longest first
			h.again = later(h.again, j.due.At)
		} else if len(h.unseen) == 0 {
			h.again = later(h.again, now) // it was asked for before its time
		}
		h.unseen = append(h.unseen, j)
	}
	s.offer(j.host)
}

func (s *Scheduler) dequeue(j *job) {
	if j.queued {
		j.queued = false
		j.host.queue = slices.DeleteFunc(j.host.queue, func(o *job) bool { return o == j })
		j.host.unseen = slices.DeleteFunc(j.host.unseen, func(o *job) bool { return o == j })
		s.offer(j.host)
	}
}

// offer puts h among those that may start a poll, those that are to be claimed, and those that are to be given back, or
// takes it away from there.
func (s *Scheduler) offer(h *host) {
	if len(h.queue) > 0 && h.inFlight < h.perHost {
		s.ready.put(h)
	} else {
		s.ready.take(h)
	}
	asks := len(h.unseen) > 0 && !h.asked
	if asks && !h.held {
		s.wanted.put(h)
	} else {
		s.wanted.take(h)
	}
	if asks && h.held {
		s.unsure[h] = true
	} else {
		delete(s.unsure, h)
	}
	if h.held && !h.asked && h.inFlight+len(h.queue)+len(h.unseen) == 0 {
		if len(s.idle) == 0 {
			s.giveBack = time.Now().Add(releaseWait)
		}
		s.idle[h] = true
	} else {
		delete(s.idle, h)
	}
}

// hold lets j's host wait if that is what its answer asks for.
func (s *Scheduler) hold(j *job) {
	if j.state.HostHold {
		s.holdHost(j.host, j.state.RetryAfter)
	}
}

func (s *Scheduler) holdHost(h *host, until time.Time) {
	if !until.After(h.hold) || !until.After(time.Now()) {
		return
	}
	h.hold = until
	waiting := append(h.queue, h.unseen...)
	h.queue, h.unseen = nil, nil
	for _, j := range waiting { // whoever waits for them must not wait that long
		j.queued = false
		s.answer(j, store.Saved{State: j.state}, errHeld)
		s.reckon(j)
	}
	s.offer(h)
}
