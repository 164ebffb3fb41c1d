package fetch

import (
	"context"
	"errors"
	"slices"
	"time"

	"broadsheet/store"
)

var (
	errHeld  = errors.New("the host asked to be left alone")
	errEnded = errors.New("polling has ended")
)

// A Request asks to poll once what is due.
type Request struct {
	Outlets []string `json:"outlets,omitempty"` // ids; empty is all
	Force   bool     `json:"force,omitempty"`   // also feeds that wait for their schedule, for hints or in back-off
}

// A Summary says what polling once came to.
type Summary struct {
	Feeds     int       `json:"feeds"`     // configured, of the outlets asked for
	Polled    int       `json:"polled"`    // of them, also those that failed
	Unchanged int       `json:"unchanged"` // polled, with nothing new
	Failed    int       `json:"failed"`
	New       int       `json:"new"`     // items
	Changed   int       `json:"changed"` // items
	Failures  []Failure `json:"failures,omitempty"`
	Unsaved   string    `json:"unsaved,omitempty"` // why the store took no more, if it did not
}

// A Failure is a feed that could not be polled, or whose document was damaged.
type Failure struct {
	Outlet string `json:"outlet"`
	Feed   string `json:"feed"`
	Err    string `json:"err"`
}

// Progress is told after each poll of a request.
type Progress struct {
	Done  int    `json:"done"`
	Total int    `json:"total"`
	Feed  string `json:"feed"`
	New   int    `json:"new"`
}

// request is a Request under way. Run's goroutine owns it.
type request struct {
	Request
	progress func(Progress)
	summary  Summary
	total    int
	pending  int
	cut      bool // Run ended before all of it was done
	done     chan struct{}
}

// Once polls what is due and returns when all of it is saved. Run must be running. progress may be nil; it
// must not block, and is not called any more when Once has returned. What is being polled already is waited for, not
// polled twice.
func (s *Scheduler) Once(ctx context.Context, want Request, progress func(Progress)) (Summary, error) {
	if progress == nil {
		progress = func(Progress) {}
	}
	r := &request{Request: want, progress: progress, done: make(chan struct{})}
	select {
	case s.requests <- r:
	case <-s.ended:
		return Summary{}, errEnded
	case <-ctx.Done():
		return Summary{}, ctx.Err()
	}
	select {
	case <-r.done:
		if r.cut {
			return Summary{}, errEnded
		}
		return r.summary, nil
	case <-s.ended:
		return Summary{}, errEnded
	case <-ctx.Done():
		s.call(func(context.Context) error {
			s.leave(r, s.o.Store.Now())
			return nil
		})
		return Summary{}, ctx.Err()
	}
}

// leave forgets a request that nobody waits for any more. Its polls that are under way go on.
func (s *Scheduler) leave(r *request, wall time.Time) {
	for _, j := range s.jobs {
		n := len(j.waiters)
		j.waiters = slices.DeleteFunc(j.waiters, func(o *request) bool { return o == r })
		if len(j.waiters) < n && j.queued && !j.wanted(s.o.Automatic, wall) {
			s.dequeue(j)
			s.reckon(j)
		}
	}
}

// from is when a request may have a feed.
func (r *Request) from(d *Due) time.Time {
	if r.Force {
		return d.Forced
	}
	return d.Early
}

// accept queues what a request may have.
func (s *Scheduler) accept(r *request, wall time.Time) {
	var wanted []*job
	for _, j := range s.jobs {
		if len(r.Outlets) > 0 && !slices.Contains(r.Outlets, j.feed.Outlet) {
			continue
		}
		r.summary.Feeds++
		s.heed(j, wall)
		if j.running || !j.due.Never && (j.queued || !r.from(&j.due).After(wall)) {
			wanted = append(wanted, j)
		}
	}
	slices.SortFunc(wanted, func(a, b *job) int { return a.due.At.Compare(b.due.At) })
	r.total, r.pending = len(wanted), len(wanted)
	for _, j := range wanted {
		j.waiters = append(j.waiters, r)
		if !j.queued && !j.running {
			s.enqueue(j)
		}
	}
	if r.pending == 0 {
		close(r.done)
	}
}

// answer tells those who wait for j what became of it.
func (s *Scheduler) answer(j *job, saved store.Saved, err error) {
	for _, r := range j.waiters {
		sum := &r.summary
		r.cut = r.cut || s.ending && err != nil
		switch {
		case errors.Is(err, errHeld), errors.Is(err, errRemoved), errors.Is(err, errElsewhere), errors.Is(err, context.Canceled):
		case err != nil:
			sum.Unsaved = err.Error()
		default:
			sum.Polled++
			sum.New += saved.New
			sum.Changed += saved.Changed
			if saved.State.Err != "" {
				sum.Failures = append(sum.Failures, Failure{j.feed.Outlet, j.feed.URL, saved.State.Err})
			}
			if saved.State.Failures > 0 || saved.State.Outage {
				sum.Failed++
			} else if saved.New+saved.Changed == 0 {
				sum.Unchanged++
			}
		}
		r.pending--
		r.progress(Progress{r.total - r.pending, r.total, j.feed.URL, saved.New})
		if r.pending == 0 {
			close(r.done)
		}
	}
	j.waiters = nil
}
