package fetch

import (
	"context"

	"broadsheet/store"
)

// Bounds of one commit: a transaction stays short, and one fsync serves as many polls as came in
// during the one before.
const (
	maxPolls    = 64
	maxArrivals = 1000
)

// A saver commits polls, in batches of what has come in since the last commit.
type saver struct {
	store store.Store
	in    chan *saving
}

type saving struct {
	poll  store.Poll
	saved store.Saved
	err   error
	done  chan struct{}
}

func newSaver(st store.Store) *saver { return &saver{store: st, in: make(chan *saving, maxPolls)} }

// save hands over one poll and waits until it is durable.
func (s *saver) save(p store.Poll) (store.Saved, error) {
	w := &saving{poll: p, done: make(chan struct{})}
	s.in <- w
	<-w.done
	return w.saved, w.err
}

// run saves until in is closed. A commit that has begun is not interrupted by anybody's context.
func (s *saver) run() {
	for first := range s.in {
		batch, arrivals := []*saving{first}, len(first.poll.Arrivals)
	collect:
		for len(batch) < maxPolls && arrivals < maxArrivals {
			select {
			case w, ok := <-s.in:
				if !ok {
					break collect
				}
				batch = append(batch, w)
				arrivals += len(w.poll.Arrivals)
			default:
				break collect
			}
		}
		if s.commit(batch...) != nil && len(batch) > 1 {
			for _, w := range batch { // one poll that cannot be stored must not cost the others theirs
				s.commit(w)
			}
		}
		for _, w := range batch {
			close(w.done)
		}
	}
}

func (s *saver) commit(batch ...*saving) error {
	polls := make([]store.Poll, len(batch))
	for i, w := range batch {
		polls[i] = w.poll
	}
	saved, err := s.store.SavePolls(context.Background(), polls...)
	for i, w := range batch {
		if w.err = err; err == nil {
			w.saved = saved[i]
		}
	}
	return err
}
