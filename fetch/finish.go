package fetch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"broadsheet/store"
)

// finished is what became of one request, for each feed that it served; the first had its turn at the host.
type finished struct {
	polls []finishedPoll
	way   *journey
	epoch uint64 // of the host when it began
	began bool   // with it an outage of our own was seen
	took  time.Duration
}

type finishedPoll struct {
	job   *job
	saved store.Saved
	err   error // nothing was stored: ctx ended, or the store failed
}

// A feed whose poll could not be stored waits, longer with each one (PROTOCOL R6), and never less than between two polls: its outlet
// has been asked.
const storePause, maxStorePause = time.Minute, 10 * time.Minute

// finish takes in what became of a request.
func (s *Scheduler) finish(f finished, now moment) {
	h, last := f.way.home, f.way.at
	s.depart(f.way, now.mono)
	s.running--
	h.polling--
	changed, newHubs := false, false
	for _, p := range f.polls {
		j := p.job
		j.running = false
		j.stop()
		s.note(p.err)
		if p.err == nil {
			if p.saved.State.ByLink && !j.state.ByLink {
				s.o.Log.Warn("the feed gives known items new guids with every document; from now on they are known by their links",
					"outlet", j.feed.Outlet, "feed", j.feed.URL)
			}
			links := j.pushLinks()
			j.state, j.polled, j.unsaved = p.saved.State, true, 0
			s.tell(p, f.took)
			newHubs = newHubs || j.pushLinks() != links
			changed = changed || p.saved.New+p.saved.Changed > 0
		}
		j.takeTold()
		s.hold(j)
		if last != nil && last != h && j.state.HostHold { // a redirect has led to who says so
			s.holdHost(last, j.state.RetryAfter)
		}
		if errors.Is(p.err, errFenced) && h.epoch == f.epoch {
			s.lose(h)
		}
	}
	if changed && s.o.Saved != nil {
		s.o.Saved()
	}
	if newHubs && s.hubs != nil {
		s.hubs()
	}
	s.offer(h)
	for _, p := range f.polls {
		s.settle(p, now.wall)
		s.pardon(p.job, now.wall) // it may have been under way when the outage was seen
	}
	if f.began {
		s.amnesty(now.wall)
	}
	s.rest(now.mono)
}

var errUnsaved = errors.New("polls cannot be stored; the log says why") // which is not for everybody

// note takes in whether a poll could be stored.
func (s *Scheduler) note(err error) {
	switch {
	case errors.Is(err, errFenced), errors.Is(err, context.Canceled):
	case err == nil && s.unsaved.set(nil):
		s.o.Log.Info("polls can be stored again")
	case err != nil:
		s.unsaved.set(errUnsaved)
	}
}

// settle finds out when the feed of a finished poll is due again, and tells those who wait for it.
func (s *Scheduler) settle(p finishedPoll, wall time.Time) {
	j := p.job
	configured := s.jobs[j.feed.Name()] == j
	if configured {
		j.at(s.host(askAt(&j.feed, &j.state, wall)))
		s.reckon(j)
		for _, o := range s.sharers(j) {
			s.reckon(o)
		}
	}
	switch {
	case errors.Is(p.err, errFenced):
		s.o.Log.Warn("another poller has taken over; what was polled is dropped", "outlet", j.feed.Outlet, "feed", j.feed.URL)
	case errors.Is(p.err, errLapsed):
		s.o.Log.Warn("the host was not ours any more; a poll was broken off, and will be repeated", "outlet", j.feed.Outlet, "feed", j.feed.URL)
	case p.err != nil && !errors.Is(p.err, context.Canceled):
		s.o.Log.Error("a poll could not be stored; it will be repeated", "outlet", j.feed.Outlet, "feed", j.feed.URL, "err", p.err)
		wait := max(min(storePause<<min(j.unsaved, 4), maxStorePause), s.o.Settings.least(&j.state))
		j.unsaved++
		if until := wall.Add(wait); configured && j.due.At.Before(until) && !j.due.Never {
			j.due.At = until
			s.due.put(j)
		}
	}
	s.answer(j, p.saved, p.err)
}

// tell logs one line about a poll.
func (s *Scheduler) tell(f finishedPoll, took time.Duration) {
	st := &f.saved.State
	level, msg := slog.LevelInfo, "polled"
	if st.Err != "" {
		level, msg = slog.LevelWarn, "poll failed"
		if st.Damaged {
			msg = "polled a damaged document"
		} else if st.Failures == 0 && !st.Outage {
			msg = "polled a faulty document"
		}
	}
	args := []any{"outlet", st.Outlet, "feed", st.URL, "status", st.Status, "new", f.saved.New, "changed", f.saved.Changed,
		"took", took.Round(time.Millisecond), "next", st.NextPoll.Format(time.RFC3339), "reason", st.Reason}
	if st.Flood.Equal(st.LastPoll) && f.saved.New > 0 {
		level, msg = slog.LevelWarn, "a flood: many new items at once; they stand at their own dates"
	}
	if st.Err != "" {
		args = append(args, "failures", st.Failures, "err", st.Err)
	}
	s.o.Log.Log(context.Background(), level, msg, args...)
}
