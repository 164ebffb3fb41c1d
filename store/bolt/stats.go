package bolt

import (
	"sync"
	"time"
)

// Stats is what a Store tells of its transactions and its file.
type Stats struct {
	Reading    int           // transactions that read and are open
	Oldest     time.Duration // since the first of them began; while it is open no page that it may need is used again
	Commits    uint64        // transactions that wrote, since the file was opened
	Committing time.Duration // what they took together, from when they could write until they were on the disk
	Free       int64         // bytes of the file that are used before it grows
}

// Stats tells how the store does.
func (s *Store) Stats() Stats {
	st := s.clerk.stats()
	file := s.db.Stats()
	st.Free = int64(file.FreePageN+file.PendingPageN) * int64(s.page) // FreeAlloc is 0 until something has been written since the file was opened
	return st
}

// A clerk writes down which transactions there are.
type clerk struct {
	mu         sync.Mutex // guards what follows
	began      map[*tx]time.Time
	commits    uint64
	committing time.Duration
}

// reading notes that a transaction reads, until done is called.
func (c *clerk) reading(t *tx) (done func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.began == nil {
		c.began = map[*tx]time.Time{}
	}
	c.began[t] = time.Now()
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.began, t)
	}
}

// wrote notes that a transaction was committed.
func (c *clerk) wrote(took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commits++
	c.committing += took
}

func (c *clerk) stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	st := Stats{Reading: len(c.began), Commits: c.commits, Committing: c.committing}
	for _, t := range c.began {
		st.Oldest = max(st.Oldest, time.Since(t))
	}
	return st
}
