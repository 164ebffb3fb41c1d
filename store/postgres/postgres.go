// Package postgres keeps a store in PostgreSQL, for any number of processes on any number of machines.
//
// Open gives a Store. In come polls (save.go): most bring nothing new, and a batch of those is one statement. What
// brings something is rehearsed first, without any lock, and then done once more while the one row of the table head is
// held: that orders arrivals, settles stories and gives the revision in the order of commits. What is looked up and
// changed on the way is kept in a ledger (ledger.go), so that all look-ups are one round trip and all changes are
// another (write.go). Which poller may poll is claim.go, what time it is clock.go. Out go items, bodies, stories and feed states (items.go), in
// pages, so that no transaction is open while a caller works. Prune (prune.go) deletes what is old and forgets what has long been
// gone; Rename (rename.go) gives outlets and feeds other names.
//
// The tables are in migrations/. Everything is in one schema of the database, "broadsheet" unless search_path in the address
// says otherwise. The SQL is plain, so that other engines that speak PostgreSQL's protocol can take its place: no advisory
// locks, no LISTEN and NOTIFY, no triggers, nothing is created or altered once a migration is done.
//
// Tables are not partitioned. Items are numbered as they arrive and deleted in that order, so their pages empty one after the other
// and are used again; months need no partitions for that, and partitions would have to be made at run time.
package postgres

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"broadsheet/store"
	"broadsheet/store/record"
)

var (
	_ store.Store  = (*Store)(nil)
	_ store.Notes  = (*Store)(nil)
	_ store.Copier = (*Store)(nil)
)

// Options of a store.
type Options struct {
	Copy   bool         // open it also while a copy into it is not finished
	Exists bool         // make none where there is none
	Log    *slog.Logger // nil is silent
}

// A Store is a store in a database.
type Store struct {
	*engine
	packer  *record.Packer
	id      string
	created time.Time

	mu    sync.Mutex   // guards index
	index *store.Index // of the prints that this process has seen; nil before the first
}

// Open opens the store in the database that a postgres:// address names, and makes it if there is none.
func Open(ctx context.Context, address string, o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	e, err := newEngine(address, o)
	if err != nil {
		return nil, err
	}
	s := &Store{engine: e, packer: record.NewPacker()}
	if err := s.migrate(ctx, o); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// head is the one row of its table.
type head struct {
	revision store.Revision
	last     store.ItemID
	gone     store.ItemID
	day      int
	arrived  time.Time
	pruned   time.Time
	names    store.Names
}

const selectHead = "SELECT revision, last, gone, day, arrived, pruned, names FROM head WHERE one = 1"

func scanHead(r row) (h head, err error) {
	var arrived, pruned *time.Time
	var names string
	if err := r.Scan(&h.revision, &h.last, &h.gone, &h.day, &arrived, &pruned, &names); err != nil {
		return h, err
	}
	if arrived != nil {
		h.arrived = arrived.UTC()
	}
	if pruned != nil {
		h.pruned = pruned.UTC()
	}
	if names != "" {
		if err := json.Unmarshal([]byte(names), &h.names); err != nil {
			return h, fmt.Errorf("the names: %w: %w", record.ErrDamaged, err)
		}
	}
	return h, nil
}

// newUUID makes a random UUID (RFC 9562 §5.4).
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// ID implements store.Store.
func (s *Store) ID() string { return s.id }

// Created implements store.Store.
func (s *Store) Created() time.Time { return s.created }

// Now implements store.Store.
func (s *Store) Now() time.Time { return s.clock.now() }

// Revision implements store.Store.
func (s *Store) Revision(ctx context.Context) (rev store.Revision, err error) {
	err = s.do(ctx, func(ctx context.Context, c *conn) error {
		return c.QueryRow(ctx, "SELECT revision FROM head WHERE one = 1").Scan(&rev)
	})
	return rev, err
}

// Size implements store.Sizer: what the tables of its schema take.
func (s *Store) Size(ctx context.Context) (n int64, err error) {
	err = s.do(ctx, func(ctx context.Context, c *conn) error {
		return c.QueryRow(ctx, `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname = current_schema() AND c.relkind = 'r'`).Scan(&n)
	})
	return n, err
}

// leave is how long a server has to see our connections end. pgx gives one that is silent 15 s, and so long a process would not stop.
const leave = time.Second

// Close implements store.Store. It waits for calls that are under way.
func (s *Store) Close() error {
	s.closed.Store(true)
	closed := make(chan struct{})
	go func() { // ends with the last connection
		s.pool.Close()
		close(closed)
	}()
	for {
		select {
		case <-closed:
			return nil
		case <-time.After(leave):
			if s.calls.Load() == 0 {
				return nil
			}
		}
	}
}
