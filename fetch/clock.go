package fetch

import "time"

// A clock that stood ahead and was set right must not keep feeds waiting until it has come so far again (PROTOCOL R21). What is
// measured inside this process is measured by the monotonic clock; what is stored has only the wall's.

// now is the time by the store's clock: what is stored, and by whichever poller, is compared with no other.
func (s *Scheduler) now() time.Time { return time.Now().Add(s.o.Store.Ahead()) }

// clockSlack is how far a time may lie ahead of the clock before the clock must have been set back.
const clockSlack = time.Minute

// past lets a try that is stored as one of the future count as one of now, with what was asked of us then.
func (j *job) past(now time.Time) {
	st := &j.state
	ahead := st.LastTry.Sub(now)
	if ahead <= clockSlack {
		return
	}
	st.LastTry, st.LastPoll = now, now
	for _, t := range []*time.Time{&st.RetryAfter, &st.FreshUntil} {
		if !t.IsZero() {
			*t = t.Add(-ahead)
		}
	}
}

// mind looks whether the clock has been set back. Then all that it made wait is reckoned anew.
func (s *Scheduler) mind(now time.Time) {
	before := s.wall
	if s.wall = now.Round(0); !s.wall.Before(before.Add(-clockSlack)) {
		return
	}
	s.o.Log.Warn("the clock was set back; feeds polled by the time that it showed count as polled now", "by", before.Sub(s.wall).Round(time.Second))
	for _, h := range s.hosts {
		h.hold = now.Add(h.hold.Sub(now)) // the same moment, as the wall shows it now
	}
	for _, j := range s.jobs {
		if !j.running {
			j.past(now)
			s.reckon(j)
		}
	}
}
