package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
)

// errBroken is what goes wrong in the middle of a copy.
var errBroken = errors.New("the power has failed")

// broken is a store whose machine fails now and then while it is copied into.
type broken struct {
	store.Copier
	left int // calls of Take that work
}

func (b *broken) Take(ctx context.Context, c store.Copying, records ...store.Record) error {
	if b.left--; b.left < 0 {
		return errBroken
	}
	return b.Copier.Take(ctx, c, records...)
}

// lossy is a store whose machine loses a record of a kind, and says nothing.
type lossy struct {
	store.Copier
	kind store.Kind
}

func (l *lossy) Take(ctx context.Context, c store.Copying, records ...store.Record) error {
	if c.Kind == l.kind && len(records) > 0 {
		records = records[1:]
	}
	return l.Copier.Take(ctx, c, records...)
}

// Copy checks that store.Copy moves a store from one keeper to another: all of it, whatever happens on the way, so that
// nobody can tell the copy from the original. The keepers must open stores into which a copy is not finished.
func Copy(t *testing.T, from, to Keeper) {
	original := &session{Store: from.Open(t), keeper: from}
	copied := &session{Store: to.Open(t), keeper: to}
	w := &world{rng: rand.New(rand.NewPCG(3, 4)), at: start}
	for step := range 120 {
		original.save(t, w.poll(), w.poll())
		if step%40 == 20 {
			original.prune(t, w.at.Add(-50*time.Hour), 20)
			original.rename(t, w.rename()...)
		}
	}
	var many []store.Arrival
	for i := range 1500 {
		many = append(many, arrival(fmt.Sprint("many", i), fmt.Sprint("https://m.example/", i), fmt.Sprint("of many ", i), w.at))
	}
	original.save(t, poll("m", w.at, many...))
	if notes, ok := original.Store.(store.Notes); ok {
		for _, n := range [][3]string{{"", "", "neither"}, {"kind", "", ""}, {"kind", "key", odd}, {"Large", "key", "in front of small"}, {"other", "key", strings.Repeat("long", 5000)}} {
			if err := notes.SetNote(t.Context(), n[0], n[1], []byte(n[2])); err != nil {
				t.Fatal(err)
			}
		}
	}

	// It breaks off everywhere, and goes on; what is not finished cannot be copied into from elsewhere.
	tries := 0
	for ; ; tries++ {
		err := store.Copy(t.Context(), original.Store.(store.Copier), &broken{copied.Store.(store.Copier), 1 + tries%3}, nil)
		if err == nil {
			break
		}
		if !errors.Is(err, errBroken) || tries > 50 {
			t.Fatal(err)
		}
		copied.reopen(t)
		if tries == 2 {
			other := from.Open(t)
			if err := store.Copy(t.Context(), other.(store.Copier), copied.Store.(store.Copier), nil); !errors.Is(err, store.ErrNotEmpty) {
				t.Errorf("another store into the beginning of a copy: %v", err)
			}
			other.Close()
		}
	}
	if tries < 3 {
		t.Errorf("only %d tries: nothing was tested", tries)
	}
	copied.reopen(t)
	expect(t, "id", copied.ID(), original.ID())
	expect(t, "created", copied.Created(), original.Created())
	same(t, look(t, copied), look(t, original))
	if err := store.Copy(t.Context(), original.Store.(store.Copier), copied.Store.(store.Copier), nil); err != nil {
		t.Errorf("copied once more: %v", err)
	}

	// Both go on alike, tombstones, links, ties and names included.
	for range 40 {
		polls := []store.Poll{w.poll(), w.poll(), poll("m", w.at, many...)}
		expect(t, "saved", copied.save(t, polls...), original.save(t, polls...))
		if w.rng.IntN(10) == 0 {
			r := w.rename()
			expect(t, "renamed", copied.rename(t, r...), original.rename(t, r...))
		}
	}
	same(t, look(t, copied), look(t, original))

	original.save(t, poll("a", w.at, arrival("only here", "", "only here", w.at)))
	if err := store.Copy(t.Context(), original.Store.(store.Copier), copied.Store.(store.Copier), nil); !errors.Is(err, store.ErrDiffers) {
		t.Errorf("into a copy of an earlier day: %v", err)
	}
	full := to.Open(t)
	if _, err := full.SavePolls(t.Context(), poll("x", start)); err != nil {
		t.Fatal(err)
	}
	if err := store.Copy(t.Context(), original.Store.(store.Copier), full.(store.Copier), nil); !errors.Is(err, store.ErrNotEmpty) {
		t.Errorf("into a store with a feed: %v", err)
	}
	full.Close()

	// What the other store does not keep is noticed, and it stays the beginning of a copy.
	for _, kind := range []store.Kind{store.KeptItems, store.KeptNotes} {
		less := to.Open(t)
		if err := store.Copy(t.Context(), original.Store.(store.Copier), &lossy{less.(store.Copier), kind}, nil); !errors.Is(err, store.ErrDiffers) {
			t.Errorf("a copy without one of the %s: %v", kind, err)
		}
		if c, err := less.(store.Copier).Copying(t.Context()); c == nil || err != nil {
			t.Errorf("a copy without one of the %s is a store (%v)", kind, err)
		}
		less.Close()
	}

	// The original changes while it is copied.
	late := to.Open(t)
	broke := &broken{late.(store.Copier), 4}
	if err := store.Copy(t.Context(), original.Store.(store.Copier), broke, nil); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	original.save(t, poll("a", w.at)) // which only its feed shows
	if err := store.Copy(t.Context(), original.Store.(store.Copier), late.(store.Copier), nil); !errors.Is(err, store.ErrDiffers) || !strings.Contains(err.Error(), "copy again") {
		t.Errorf("a copy that was begun before a poll of the original: %v", err)
	}
	original.save(t, poll("a", w.at, arrival("later", "", "later", w.at)))
	if err := store.Copy(t.Context(), original.Store.(store.Copier), late.(store.Copier), nil); !errors.Is(err, store.ErrMoved) {
		t.Errorf("a copy that was begun before the original changed: %v", err)
	}
	late.Close()
	for _, s := range []*session{original, copied} {
		if s.keeper.Check != nil {
			s.keeper.Check(t, s.Store)
		}
		s.Close()
	}
}
