package fetch

import "time"

// A clock that stood ahead and was set right must not keep feeds waiting until it has come so far again (PROTOCOL R21).

// A moment is a time by two clocks, which may leap apart: compare like with like.
type moment struct {
	mono time.Time // by that of this process, which nobody sets: leases, gaps and pauses are measured by it
	wall time.Time // by the store's: what is stored, and by whichever poller, is compared with no other
}

func (s *Scheduler) now() moment { return moment{time.Now(), s.o.Store.Now()} }

func (m moment) add(d time.Duration) moment { return moment{m.mono.Add(d), m.wall.Add(d)} }

// before reports whether m lies before end by both clocks: that of a process stands while its machine sleeps.
func (m moment) before(end moment) bool { return m.mono.Before(end.mono) && m.wall.Before(end.wall) }

// until is when a time of the store's clock will have come, unless that clock is set.
func (m moment) until(wall time.Time) time.Time { return m.mono.Add(wall.Sub(m.wall)) }

// clockSlack is how far a time may lie ahead of the clock before the clock must have been set back.
const clockSlack = time.Minute

// past lets a try that is stored as one of the future count as one of now, with what was asked of us then.
func (j *job) past(wall time.Time) {
	st := &j.state
	ahead := st.LastTry.Sub(wall)
	if ahead <= clockSlack {
		return
	}
	st.LastTry, st.LastPoll = wall, wall
	for _, t := range []*time.Time{&st.RetryAfter, &st.FreshUntil} {
		if !t.IsZero() {
			*t = t.Add(-ahead)
		}
	}
}

// mind looks whether the store's clock has leapt. If it has been set back, all that it made wait is reckoned anew. If it has been set
// forward, or this machine has slept, the store is asked before anything is polled that is due now: it may know the time better, and what
// others have polled.
func (s *Scheduler) mind(now moment) {
	by := s.minded.wall.Add(now.mono.Sub(s.minded.mono)).Sub(now.wall)
	s.minded = now
	if by < -clockSlack {
		for _, j := range s.jobs {
			j.epoch = 0
		}
	}
	if by <= clockSlack {
		return
	}
	s.o.Log.Warn("the clock was set back; feeds polled by the time that it showed count as polled now", "by", by.Round(time.Second))
	for _, h := range s.hosts {
		if !h.hold.IsZero() {
			h.hold = h.hold.Add(-by)
		}
	}
	for _, j := range s.jobs {
		if !j.running {
			j.past(now.wall)
			s.reckon(j)
		}
	}
}
