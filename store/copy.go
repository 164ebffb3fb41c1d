package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"iter"
	"reflect"
	"time"
)

// A store moves from one keeper to another record by record, everything that is kept, tombstones and notes included; only
// who has claimed which host stays behind, and what was remembered of documents. What the copy publishes is what the original published, byte for byte.

// A Copier is a keeper that can be copied, and copied into.
type Copier interface {
	Store

	// Head is what is kept of the store as a whole.
	Head(ctx context.Context) (Head, error)

	// Kept yields what is kept of a kind, in the order of Record.Place, from the first place behind after; "" is in front
	// of all.
	Kept(ctx context.Context, kind Kind, after string) iter.Seq2[Record, error]

	// Copying is how far a copy into this store has come; nil if none is under way.
	Copying(ctx context.Context) (*Copying, error)

	// Take stores records of c.Kind, and c, all or nothing and durably. With c.Done the store becomes the one that was
	// copied, to whoever opens it next; until then it can only be opened to go on with the copy.
	Take(ctx context.Context, c Copying, records ...Record) error
}

// A Head is what is kept of a store as a whole.
type Head struct {
	ID       string
	Created  time.Time
	Revision Revision
	Last     ItemID    // the last number given to an item
	Day      int       // of the last poll that brought something, counted from 1970
	Pruned   time.Time // Months.Pruned
	Names    Names
}

// A Kind is a kind of record.
type Kind string

const (
	KeptFeeds     Kind = "feeds"
	KeptItems     Kind = "items" // with their bodies and changes
	KeptKeys      Kind = "keys"
	KeptLinks     Kind = "links"
	KeptPublished Kind = "published ids"
	KeptStories   Kind = "stories"
	KeptPrints    Kind = "prints"
	KeptNotes     Kind = "notes"
)

// Kinds are all kinds, in the order in which they are copied.
var Kinds = []Kind{KeptFeeds, KeptItems, KeptKeys, KeptLinks, KeptPublished, KeptStories, KeptPrints, KeptNotes}

// A Record is one thing that is kept. Which of its fields are set depends on its kind.
type Record struct {
	State *FeedState `json:",omitempty"`

	Item    *Item    `json:",omitempty"`
	Body    *Body    `json:",omitempty"`
	Changes []Change `json:",omitempty"`

	Key  Key       `json:",omitzero"` // of an item, a link or a published id
	ID   ItemID    `json:",omitempty"`
	Day  int       `json:",omitempty"` // when an outlet last listed what Key names, counted from 1970
	Refs []LinkRef `json:",omitempty"`

	Story *Story `json:",omitempty"`
	Print []byte `json:",omitempty"` // of the item ID
	Note  *Note  `json:",omitempty"`
	Under string `json:",omitempty"` // the kind of the note
}

// Place is where a record stands among those of its kind.
func (r *Record) Place(kind Kind) string {
	switch kind {
	case KeptFeeds:
		return r.State.Outlet + "\x00" + r.State.URL
	case KeptItems:
		return place(uint64(r.Item.ID))
	case KeptStories:
		return place(uint64(r.Story.ID))
	case KeptPrints:
		return place(uint64(r.ID))
	case KeptNotes:
		return r.Under + "\x00" + r.Note.Key
	}
	return string(r.Key[:])
}

func place(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }

// Copying is how far a copy has come.
type Copying struct {
	Head  Head // of the original, when the copy began
	Kind  Kind
	After []byte // place of the last record that was copied
	Done  bool
}

// ErrUnfinished says that a store cannot be used yet.
var ErrUnfinished = errors.New("holds the beginning of a copy of another store: finish it with `broadsheet copy`, or remove it")

// Errors of Copy; each says in whole what is wrong with which store.
var (
	ErrNotEmpty = errors.New("the store that is copied into is not empty")
	ErrMoved    = errors.New("the original has changed since the copy began; stop all that writes into it, empty the store that is copied into, and copy again")
	ErrDiffers  = errors.New("the copy differs from the original")
)

// What Copy tells of records.
const (
	Copied   = "copied"
	Compared = "compared"
)

const (
	copyRecords = 1000
	copyBytes   = 4 << 20 // of bodies, roughly
)

// Copy copies a store into an empty one, reads both back and compares them, and only then lets the copy be a store. Where an
// earlier Copy broke off it goes on; of a store that was copied already it only compares. step is told after each
// batch how many records of a kind were copied or, once all are, compared; it may be nil.
func Copy(ctx context.Context, from, to Copier, step func(what string, kind Kind, n int)) error {
	if step == nil {
		step = func(string, Kind, int) {}
	}
	head, err := from.Head(ctx)
	if err != nil {
		return err
	}
	c, err := to.Copying(ctx)
	if err != nil {
		return err
	}
	if c == nil {
		if there, err := to.Head(ctx); err != nil || there.ID == head.ID {
			return errors.Join(err, compareStores(ctx, from, to, head, there, step))
		}
		if err := empty(ctx, to); err != nil {
			return err
		}
		c = &Copying{Head: head}
		if err := to.Take(ctx, *c); err != nil {
			return err
		}
	}
	switch {
	case c.Head.ID != head.ID:
		return fmt.Errorf("%w: it holds the beginning of a copy of another store (%s)", ErrNotEmpty, c.Head.ID)
	case !reflect.DeepEqual(c.Head, head):
		return ErrMoved
	}
	begun := c.Kind == ""
	for _, kind := range Kinds {
		if begun = begun || kind == c.Kind; !begun {
			continue // copied before
		}
		if kind != c.Kind {
			c.Kind, c.After = kind, nil
		}
		if err := copyKind(ctx, from, to, c, step); err != nil {
			return fmt.Errorf("copy %s: %w", kind, err)
		}
	}
	if err := compareStores(ctx, from, to, head, head, step); err != nil {
		if errors.Is(err, ErrDiffers) { // polls without news and notes do not show in the head
			err = fmt.Errorf("%w; if anything wrote into one of them meanwhile, stop it, empty the store that is copied into, and copy again", err)
		}
		return err
	}
	c.Done = true
	return to.Take(ctx, *c)
}

// empty reports an error if a store holds anything.
func empty(ctx context.Context, s Copier) error {
	for _, kind := range Kinds {
		for _, err := range s.Kept(ctx, kind, "") {
			if err == nil {
				err = fmt.Errorf("%w: it has %s", ErrNotEmpty, kind)
			}
			return err
		}
	}
	return nil
}

// copyKind copies what is left of a kind.
func copyKind(ctx context.Context, from, to Copier, c *Copying, step func(string, Kind, int)) error {
	var batch []Record
	size, n := 0, 0
	take := func() error {
		if len(batch) == 0 {
			return nil
		}
		c.After = []byte(batch[len(batch)-1].Place(c.Kind))
		if err := to.Take(ctx, *c, batch...); err != nil {
			return err
		}
		n += len(batch)
		step(Copied, c.Kind, n)
		batch, size = batch[:0], 0
		return nil
	}
	for r, err := range from.Kept(ctx, c.Kind, string(c.After)) {
		if err != nil {
			return err
		}
		if r.Body != nil {
			size += len(r.Body.Content) + len(r.Body.Summary)
		}
		if r.Note != nil {
			size += len(r.Note.Value)
		}
		if batch = append(batch, r); len(batch) == copyRecords || size > copyBytes {
			if err := take(); err != nil {
				return err
			}
		}
	}
	return take()
}

// compareStores reads all that both stores keep. there is the head that the copy has or will have.
func compareStores(ctx context.Context, from, to Copier, head, there Head, step func(string, Kind, int)) error {
	if !reflect.DeepEqual(head, there) {
		return fmt.Errorf("%w: it is at revision %d, the original at %d", ErrDiffers, there.Revision, head.Revision)
	}
	for _, kind := range Kinds {
		n, hashes, err := sums(ctx, kind, from, to)
		if err != nil {
			return fmt.Errorf("compare %s: %w", kind, err)
		}
		if n[0] != n[1] {
			return fmt.Errorf("%w: of %s it has %d, the original %d", ErrDiffers, kind, n[1], n[0])
		}
		if !bytes.Equal(hashes[0], hashes[1]) {
			return fmt.Errorf("%w in its %s", ErrDiffers, kind)
		}
		step(Compared, kind, n[0])
	}
	if now, err := from.Head(ctx); err != nil || !reflect.DeepEqual(now, head) {
		return errors.Join(err, ErrMoved)
	}
	return nil
}

// sums counts and hashes the records of two stores, both at once.
func sums(ctx context.Context, kind Kind, stores ...Copier) (n [2]int, hashes [2][]byte, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make(chan error, len(stores))
	for i, s := range stores {
		go func() {
			h := sha256.New()
			var err error
			if n[i], err = sum(ctx, s, kind, h); err != nil {
				cancel()
			}
			hashes[i] = h.Sum(nil)
			errs <- err
		}()
	}
	for range stores {
		if e := <-errs; e != nil && (err == nil || errors.Is(err, context.Canceled)) {
			err = e
		}
	}
	return n, hashes, err
}

func sum(ctx context.Context, s Copier, kind Kind, h hash.Hash) (n int, err error) {
	enc := json.NewEncoder(h)
	for r, err := range s.Kept(ctx, kind, "") {
		if err == nil {
			err = enc.Encode(r)
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
