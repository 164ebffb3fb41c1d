// Package bolt keeps a store in one file, on bbolt.
//
// Open gives a Store. In come polls (save.go): look up what store.Wanted asks for (lookup.go), let store.Settle decide,
// apply it, all in one transaction. Out go items, bodies, stories and feed states (items.go), read in batches
// so that no transaction is open while a caller works. Prune (prune.go) deletes what is old and forgets what
// has long been gone; Rename (rename.go) gives outlets and feeds other names; Check (check.go) tells whether the parts of the file agree,
// and Repair (repair.go, salvage.go) makes them. Stats (stats.go) tells of transactions and free pages.
//
// The buckets, and what lies under which key:
//
//	meta           name                 id, created, schema, revision, day, sweep, names, pruned
//	feeds          outlet, 0, address   FeedState in JSON
//	heads          date, item           the Item but its body (package record); the order of lists
//	bodies         item                 the Body, compressed (package record)
//	recollections  outlet, 0, address   the Recollection of its last poll that gave one
//	changes        item                 its Changes in JSON, if there are any (changes.go)
//	ids            item                 date and arrival; its sequence is the last number given out
//	months         month                number of stored items that arrived in it
//	revisions      revision, item       nothing; one entry for each item, at its latest revision
//	keys           Key                  day last listed, item
//	links          Key                  day last listed, LinkRefs
//	published      IDKey                day last listed, item
//	stories        story                PublishedID, items and ties, of stories that were ever joined
//	prints         item                 the Print, of the items of the last days
//	notes          kind, 0, key         the value
//
// Numbers in keys are big-endian, dates microseconds with the sign turned, so that they sort.
package bolt

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"time"

	"broadsheet/store"
	"broadsheet/store/record"
)

var (
	_ store.Store    = (*Store)(nil)
	_ store.Notes    = (*Store)(nil)
	_ store.Backuper = (*Store)(nil)
	_ store.Sizer    = (*Store)(nil)
	_ store.Copier   = (*Store)(nil)
)

// schema is what this program writes into new files, and the newest that it reads.
const schema = 1

var (
	metaBucket          = []byte("meta")
	feedsBucket         = []byte("feeds")
	recollectionsBucket = []byte("recollections")
	headsBucket         = []byte("heads")
	bodiesBucket        = []byte("bodies")
	changesBucket       = []byte("changes")
	idsBucket           = []byte("ids")
	monthsBucket        = []byte("months")
	revisionsBucket     = []byte("revisions")
	keysBucket          = []byte("keys")
	linksBucket         = []byte("links")
	publishedBucket     = []byte("published")
	storiesBucket       = []byte("stories")
	printsBucket        = []byte("prints")
	notesBucket         = []byte("notes")
)

var (
	idKey       = []byte("id")
	createdKey  = []byte("created")
	schemaKey   = []byte("schema")
	revisionKey = []byte("revision")
	dayKey      = []byte("day")     // of the last poll saved
	sweepKey    = []byte("sweep")   // where the next sweep goes on
	prunedKey   = []byte("pruned")  // the latest arrival of a pruned item; not there before the first one
	namesKey    = []byte("names")   // store.Names in JSON; not there before the first rename
	copyingKey  = []byte("copying") // store.Copying in JSON, while a copy into the file is not finished
)

// Options of a store file.
type Options struct {
	Wait   time.Duration // how long to wait for another process that holds the file; 0 tries once
	NoSync bool          // do not wait for the disk: for tests and benchmarks, a crash destroys the file
	Copy   bool          // open it also while a copy into it is not finished
	Log    *slog.Logger  // nil is silent
}

// A Store is a store in a file. Only one process at a time can have it open.
type Store struct {
	db      *db
	leases  store.Leases
	packer  *record.Packer
	index   *store.Index // of the prints bucket; a transaction that writes has it, and sees whether it is up to date
	id      string
	created time.Time
	page    int // bytes
	clerk   clerk
}

// Open opens the store at path and makes it, with its folder, if there is none. While another process holds
// it, Open waits as long as o.Wait; the error then wraps store.ErrHeld. A file that is no store is refused and
// never written to.
func Open(path string, o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d, err := open(path, o)
	if err != nil {
		return nil, err
	}
	s := &Store{db: d, packer: record.NewPacker(), page: d.Info().PageSize}
	if err := d.View(func(tx *tx) error { return s.load(tx, o.Copy) }); err != nil {
		s.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// fill puts into a new file what every store has.
func fill(tx *tx) error {
	for _, name := range [][]byte{feedsBucket, recollectionsBucket, headsBucket, bodiesBucket, changesBucket, idsBucket, monthsBucket, revisionsBucket,
		keysBucket, linksBucket, publishedBucket, storiesBucket, printsBucket, notesBucket} {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	meta, err := tx.CreateBucket(metaBucket)
	if err != nil {
		return err
	}
	for _, kv := range [][2][]byte{
		{idKey, []byte(newUUID())},
		{createdKey, binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixMicro()))},
		{schemaKey, binary.BigEndian.AppendUint64(nil, schema)},
		{revisionKey, binary.BigEndian.AppendUint64(nil, 0)},
	} {
		if err := meta.Put(kv[0], kv[1]); err != nil {
			return err
		}
	}
	return nil
}

// newUUID makes a random UUID (RFC 9562 §5.4).
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// load reads what the Store remembers of its file.
func (s *Store) load(tx *tx, copying bool) error {
	meta := tx.Bucket(metaBucket)
	if meta == nil || meta.Get(schemaKey) == nil {
		return fmt.Errorf("is a bbolt file, but no store of Broadsheet; it is left as it is: give store.url another name")
	}
	if v := number(meta.Get(schemaKey)); v != schema {
		return fmt.Errorf("was written by a newer version of broadsheet (store schema %d, this one reads %d): "+
			"run that version, or put a backup in the file's place", v, schema)
	}
	if meta.Get(copyingKey) != nil && !copying {
		return store.ErrUnfinished
	}
	s.id = string(meta.Get(idKey))
	s.created = moment(number(meta.Get(createdKey)))
	return nil
}

// number reads a number of the meta bucket; 0 if it is not there.
func number(v []byte) uint64 {
	if len(v) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(v)
}

// moment is a time that stands as a number of microseconds.
func moment(micros uint64) time.Time { return time.UnixMicro(int64(micros)).UTC() }

// ID implements store.Store.
func (s *Store) ID() string { return s.id }

// Created implements store.Store.
func (s *Store) Created() time.Time { return s.created }

// Now implements store.Store.
func (s *Store) Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// Revision implements store.Store.
func (s *Store) Revision(ctx context.Context) (rev store.Revision, err error) {
	err = s.view(ctx, func(tx *tx) error {
		rev = store.Revision(number(tx.Bucket(metaBucket).Get(revisionKey)))
		return nil
	})
	return rev, err
}

// Size implements store.Sizer.
func (s *Store) Size(ctx context.Context) (n int64, err error) {
	err = s.view(ctx, func(tx *tx) error {
		n = tx.Size()
		return nil
	})
	return n, err
}

// Backup implements store.Backuper. It reads the file as it stood when it began; what is written meanwhile goes to
// other pages, so that a slow w lets the file grow. End ctx to give up on one.
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	return s.view(ctx, func(tx *tx) error {
		_, err := tx.WriteTo(contextWriter{ctx, w})
		return err
	})
}

type contextWriter struct {
	ctx context.Context
	w   io.Writer
}

func (c contextWriter) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.w.Write(p)
}

// Close implements store.Store. It waits for transactions that are under way.
func (s *Store) Close() error {
	return s.db.Close()
}

func (s *Store) view(ctx context.Context, f func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.db.View(func(tx *tx) error {
		defer s.clerk.reading(tx)()
		return f(tx)
	})
}

func (s *Store) update(ctx context.Context, f func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var began time.Time
	err := s.db.Update(func(tx *tx) error {
		began = time.Now()
		return f(tx)
	})
	if err == nil {
		s.clerk.wrote(time.Since(began))
	}
	return err
}
