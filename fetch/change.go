package fetch

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"broadsheet/store"
)

// A call is something that Run's goroutine does for another one.
type call struct {
	do   func(context.Context) error
	done chan error
}

// call lets Run's goroutine do something; errEnded says that Run has ended.
func (s *Scheduler) call(do func(context.Context) error) error {
	c := call{do, make(chan error, 1)}
	select {
	case s.calls <- c:
		return <-c.done
	case <-s.ended:
		return errEnded
	}
}

// Reload takes up another configuration while Run runs. Feeds and outlets that have got other names by it are renamed in the
// store first (store.Store.Rename); polls of them that are under way are broken off, for they would be saved under the former names.
// After an error everything is as it was.
func (s *Scheduler) Reload(settings Settings, feeds []Feed, renames ...store.Rename) error {
	return s.call(func(ctx context.Context) error {
		s.breakOff(renames)
		if err := Rename(ctx, s.o.Store, s.o.Log, renames...); err != nil {
			return err
		}
		states, err := s.states(ctx) // also of feeds that come back
		if err != nil {
			return err
		}
		s.client.Close()
		s.client = NewClient(settings, s.o.RoundTripper)
		s.configure(settings, feeds, states)
		return nil
	})
}

// breakOff ends the polls of the feeds that renames concern.
func (s *Scheduler) breakOff(renames []store.Rename) {
	concerned := func(j *job) bool {
		return j.running && slices.ContainsFunc(renames, func(r store.Rename) bool {
			name := j.feed.Name()
			return r.Name(name) != name
		})
	}
	for _, j := range s.jobs {
		if concerned(j) {
			j.stop()
		}
	}
	for slices.ContainsFunc(slices.Collect(maps.Values(s.jobs)), concerned) {
		s.finish(<-s.finished, s.now())
	}
}

// Rename does renames in the store, those that are still to be done, and says so in the log. A Scheduler that polls the
// feeds must not run: it does this itself, by Reload.
func Rename(ctx context.Context, st store.Store, log *slog.Logger, renames ...store.Rename) error {
	done, err := st.Rename(ctx, renames...)
	for _, r := range done {
		if r.From.URL == "" {
			log.Info("outlet renamed", "from", r.From.Outlet, "to", r.To.Outlet)
		} else {
			log.Info("feed moved", "outlet", r.To.Outlet, "from", r.From.URL, "to", r.To.URL)
		}
	}
	return err
}

// Revive lets feeds of an outlet be polled again that had ended (410, 451), when they are due. It returns
// their addresses. Run must be running.
func (s *Scheduler) Revive(outlet string) (revived []string, err error) {
	err = s.call(func(ctx context.Context) error {
		states, err := s.states(ctx) // another poller may have learnt that they ended
		if err != nil {
			return err
		}
		var jobs []*job
		var polls []store.Poll
		for _, j := range s.jobs {
			st := states[j.feed.Name()]
			if j.feed.Outlet != outlet || !st.Gone || j.running {
				continue
			}
			st.Gone, st.Missing, st.Status, st.Failures, st.FailingSince, st.Err = false, false, 0, 0, time.Time{}, ""
			due := Next(&j.feed, &s.o.Settings, &st)
			st.NextPoll, st.Reason = due.At, due.Reason
			jobs, polls = append(jobs, j), append(polls, store.Poll{At: s.o.Store.Now(), State: st})
		}
		saved, err := s.o.Store.SavePolls(ctx, polls...)
		if err != nil {
			return fmt.Errorf("revive %s: %w", outlet, err)
		}
		for i, j := range jobs {
			j.state = saved[i].State
			s.reckon(j)
			revived = append(revived, j.feed.URL)
		}
		slices.Sort(revived)
		return nil
	})
	return revived, err
}
