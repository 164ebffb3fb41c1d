package fetch

import (
	"context"
	"time"
)

// Load is how busy a Scheduler is, for those who watch over it.
type Load struct {
	Running int // requests under way
	Waiting int // feeds that are due and wait for their turn at a host

	// A round begins with a poll and ends when none is under way and none waits.
	Rounds uint64
	Round  time.Duration // what the last one took
}

// Load says how busy s is, while Run runs; nothing afterwards.
func (s *Scheduler) Load() (l Load) {
	s.call(func(context.Context) error {
		l = s.load
		l.Running, l.Waiting = s.places(), s.waiting
		for _, j := range s.jobs {
			if j.queued {
				l.Waiting++
			}
		}
		return nil
	})
	return l
}

// begin notes that a request begins.
func (s *Scheduler) begin(now time.Time) {
	if s.running++; s.began.IsZero() {
		s.began = now
	}
}

// rest notes whether a round is over.
func (s *Scheduler) rest(now time.Time) {
	if s.running > 0 || s.ready.Len() > 0 || s.wanted.Len() > 0 || s.began.IsZero() {
		return
	}
	s.load.Rounds++
	s.load.Round, s.began = now.Sub(s.began), time.Time{}
}
