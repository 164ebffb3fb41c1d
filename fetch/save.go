package fetch

import (
	"context"
	"errors"
	"time"

	"broadsheet/store"
)

// Bounds of one commit: a transaction stays short, and one fsync serves as many polls as came in
// during the one before.
const (
	maxPolls    = 64
	maxArrivals = 1000
)

const (
	saveWait    = 500 * time.Millisecond // at first, before a store is asked again that could not be reached
	maxSaveWait = 5 * time.Second
	saveGrace   = 5 * time.Second // for what is to be saved when polling ends
)

var errFenced = errors.New("another poller has the host now")

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

// run saves until in is closed. What the outlets have answered is kept until the store is reached again, or ctx ends, which
// is not before saveGrace after polling has.
func (s *saver) run(ctx context.Context) {
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
		if err := s.commit(ctx, batch...); err != nil && len(batch) > 1 && !errors.Is(err, store.ErrAway) {
			for _, w := range batch { // one poll that cannot be stored must not cost the others theirs
				s.commit(ctx, w)
			}
		}
		for _, w := range batch {
			close(w.done)
		}
	}
}

func (s *saver) commit(ctx context.Context, batch ...*saving) error {
	polls := make([]store.Poll, len(batch))
	for i, w := range batch {
		polls[i] = w.poll
	}
	saved, err := s.store.SavePolls(ctx, polls...)
	for wait := saveWait; errors.Is(err, store.ErrAway) && ctx.Err() == nil; wait = min(2*wait, maxSaveWait) {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		saved, err = s.store.SavePolls(ctx, polls...)
	}
	for i, w := range batch {
		switch {
		case err != nil:
			w.err = err
		case saved[i].Fenced:
			w.err = errFenced
		default:
			w.err, w.saved = nil, saved[i]
		}
	}
	return err
}
