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
		if len(h.unseen) == 0 {
			now := s.now()
			waited := max(now.wall.Sub(j.due.At), 0)        // 0: it was asked for before its time
			h.again = later(h.again, now.mono.Add(-waited)) // those that wait longest first
			h.refused = time.Time{}
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
	if !h.held && !h.asked && len(h.unseen)+len(h.guests) > 0 {
		s.wanted.put(h)
	} else {
		s.wanted.take(h)
	}
	if h.held && !h.asked && len(h.unseen) > 0 {
		s.unsure[h] = true
	} else {
		delete(s.unsure, h)
	}
	if h.held && !h.asked && h.inFlight+h.polling+len(h.queue)+len(h.unseen)+len(h.guests) == 0 {
		if len(s.idle) == 0 {
			s.giveBack = time.Now().Add(releaseWait)
		}
		s.idle[h] = true
	} else {
		delete(s.idle, h)
	}
}

// heed reckons j anew if its host has asked to be left alone since it was reckoned.
func (s *Scheduler) heed(j *job, wall time.Time) {
	if j.host.hold.After(wall) && !j.queued && !j.running {
		s.reckon(j)
	}
}

// hold lets j's host wait if that is what its answer asks for.
func (s *Scheduler) hold(j *job) {
	if j.state.HostHold {
		s.holdHost(j.host, j.state.RetryAfter)
	}
}

// keepHold notes that h wants to be left alone until then, and reports whether that is longer than was known.
func (h *host) keepHold(until, wall time.Time) bool {
	if !until.After(h.hold) || !until.After(wall) {
		return false
	}
	h.hold = until
	return true
}

func (s *Scheduler) holdHost(h *host, until time.Time) {
	if !h.keepHold(until, s.o.Store.Now()) {
		return
	}
	waiting := append(h.queue, h.unseen...)
	h.queue, h.unseen = nil, nil
	for _, j := range waiting { // whoever waits for them must not wait that long
		j.queued = false
		s.answer(j, store.Saved{State: j.state}, errHeld)
		s.reckon(j)
	}
	s.offer(h)
}
