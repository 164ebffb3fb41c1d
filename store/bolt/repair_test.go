package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
)

// worn is a store with a past: edits, a story, pruned items, notes. It is closed.
func worn(t *testing.T) (path string) {
	path = filepath.Join(t.TempDir(), "broadsheet.db")
	s := openAt(t, path)
	for n := range 40 {
		save(t, s, n+1)
	}
	copied := numbered(40)
	copied.Recollection = []byte("document")
	copied.State.Outlet, copied.State.URL, copied.Owner = "b", "https://b.example/feed", "b"
	for i := range copied.Arrivals {
		copied.Arrivals[i].Item.GUID += "-b"
	}
	if _, err := s.SavePolls(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prune(t.Context(), time.Date(2025, 1, 1, 0, 10, 0, 0, time.UTC), 100); err != nil {
		t.Fatal(err)
	}
	if err := s.SetNote(t.Context(), "kind", "key", []byte("value")); err != nil {
		t.Fatal(err)
	}
	mustCheck(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func duplicate(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

// spoil changes a store's insides.
func spoil(t *testing.T, path string, f func(*tx) error) {
	t.Helper()
	s := openAt(t, path)
	if err := errors.Join(s.db.Update(f), s.Close()); err != nil {
		t.Fatal(err)
	}
}

// equalStores fails if two files do not keep the same, record by record. Only what was remembered of documents may be gone.
func equalStores(t *testing.T, a, b string) {
	t.Helper()
	x, y := openAt(t, a), openAt(t, b)
	defer x.Close()
	defer y.Close()
	mustCheck(t, x)
	if err := store.Copy(t.Context(), x, y, nil); err != nil {
		t.Error(err)
	}
	entries := func(s *Store) map[string]int {
		n := map[string]int{}
		if err := s.db.View(func(tx *tx) error {
			return tx.ForEach(func(name []byte, b *bucket) error {
				n[string(name)] = b.Stats().KeyN
				return nil
			})
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	there, copied := entries(x), entries(y)
	for name, n := range there {
		switch bucket := []byte(name); {
		case n == 0:
			t.Errorf("%s: nothing in it, so this test does not see whether it is brought over", name)
		case bytes.Equal(bucket, metaBucket):
		case bytes.Equal(bucket, recollectionsBucket) != (copied[name] == 0) || copied[name] > 0 && copied[name] != n:
			t.Errorf("%s: %d entries of %d are brought over", name, copied[name], n)
		}
	}
}

// Every bucket is copied.
func TestCopyOfEveryBucket(t *testing.T) {
	from, to := worn(t), filepath.Join(t.TempDir(), "copy.db")
	x, y := openAt(t, from), openAt(t, to)
	err := store.Copy(t.Context(), x, y, nil)
	if err := errors.Join(err, x.Close(), y.Close()); err != nil {
		t.Fatal(err)
	}
	equalStores(t, from, to)
}

func TestRepairOfASoundStore(t *testing.T) {
	path := worn(t)
	before := duplicate(t, path)
	r, err := Repair(t.Context(), path, Options{})
	if err != nil || r.Faults != nil || r.Kept != "" || r.Items != 36 || r.Lost+r.Textless != 0 || r.After > 2<<20 || r.Before < 16<<20 {
		t.Errorf("%+v, %v", r, err)
	}
	equalStores(t, before, path)
	if left, _ := filepath.Glob(path + "?*"); left != nil {
		t.Errorf("left behind: %s", left)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// Every index comes back as it was, whatever of it is gone or wrong.
func TestRepairOfIndexes(t *testing.T) {
	clearBucket := func(name []byte) func(*tx) error {
		return func(tx *tx) error {
			keys := [][]byte{}
			c := tx.Bucket(name).Cursor()
			for k, _ := c.First(); k != nil; k, _ = c.Next() {
				keys = append(keys, bytes.Clone(k))
			}
			for _, k := range keys {
				if err := tx.Bucket(name).Delete(k); err != nil {
					return err
				}
			}
			return nil
		}
	}
	for name, f := range map[string]func(*tx) error{
		"numbers":    clearBucket(idsBucket),
		"months":     clearBucket(monthsBucket),
		"revisions":  clearBucket(revisionsBucket),
		"a number":   func(tx *tx) error { return tx.Bucket(idsBucket).Delete(key8(uint64(20))) },
		"a stranger": func(tx *tx) error { return tx.Bucket(revisionsBucket).Put(revisionEntry(7, 9999), nil) },
		"the count of a feed": func(tx *tx) error {
			b := tx.Bucket(feedsBucket)
			k, v := b.Cursor().First()
			return b.Put(bytes.Clone(k), bytes.Replace(v, []byte(`"items":`), []byte(`"items":1`), 1))
		},
		"the name of a stored item": func(tx *tx) error {
			it, err := decodeFirst(tx)
			key := store.IDKey(it.PublishedID)
			return errors.Join(err, tx.Bucket(publishedBucket).Delete(key[:]))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := worn(t)
			before := duplicate(t, path)
			spoil(t, path, f)
			damaged, _ := os.ReadFile(path)
			r, err := Repair(t.Context(), path, Options{})
			if err != nil || r.Faults == nil || r.Items != 36 || r.Lost+r.Textless != 0 {
				t.Fatalf("%+v, %v", r, err)
			}
			if kept, err := os.ReadFile(r.Kept); err != nil || !bytes.Equal(kept, damaged) {
				t.Errorf("the file as it was is not kept: %v", err)
			}
			if name == "the name of a stored item" { // its day is that of the last poll now
				mustCheck(t, openAt(t, path))
				return
			}
			equalStores(t, before, path)
		})
	}
}

func decodeFirst(tx *tx) (store.Item, error) {
	k, v := tx.Bucket(headsBucket).Cursor().First()
	return decodeHead(place(k), string(v))
}

// Of what is lost the outlet's next document brings back what it still lists: a text under the same id, an item once.
func TestRepairOfLostItems(t *testing.T) {
	path := worn(t)
	last := func(s *Store) (items []store.Item) {
		for it, err := range s.Items(t.Context(), store.Query{Outlets: []string{"a"}, ByArrival: true}) {
			if err != nil {
				t.Fatal(err)
			}
			if items = append(items, it); len(items) == 5 {
				break
			}
		}
		return items
	}
	s := openAt(t, path)
	before := last(s)
	s.Close()
	spoil(t, path, func(tx *tx) error {
		p := placeOf(before[2].Date, before[2].ID)
		return errors.Join(tx.Bucket(bodiesBucket).Delete(key8(before[1].ID)), tx.Bucket(headsBucket).Put(p[:], []byte("rubbish")))
	})
	r, err := Repair(t.Context(), path, Options{})
	if err != nil || r.Textless != 1 || r.Lost != 1 || r.Items != 35 {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, want := range []string{"it has no body", "months 24300", "feeds "} {
		if !strings.Contains(r.Faults.Error(), want) {
			t.Errorf("no word of %q in %v", want, r.Faults)
		}
	}
	s = openAt(t, path)
	for f, err := range s.Feeds(t.Context()) {
		if err != nil || f.Outlet == "a" && f.Validators.ETag != nil {
			t.Errorf("%s would be answered with 304: %v", f.URL, err)
		}
	}
	save(t, s, 40)
	mustCheck(t, s)
	after := map[string]store.Item{}
	for _, it := range last(s) {
		after[it.Title] = it
	}
	for i, old := range before {
		it, ok := after[old.Title]
		if !ok || i != 2 && (it.ID != old.ID || it.PublishedID != old.PublishedID) {
			t.Errorf("item %s: %d %s, before %d %s", old.Title, it.ID, it.PublishedID, old.ID, old.PublishedID)
		}
		for b, err := range s.Bodies(t.Context(), it.ID) {
			if err != nil || b.Content == "" {
				t.Errorf("item %s has no text: %v", old.Title, err)
			}
		}
	}
}

// Two pages that are rubbish cost what stood on them, not what stands between.
func TestRepairBetweenDamagedPages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "broadsheet.db")
	s := openAt(t, path)
	const all = 400
	at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	p := store.Poll{At: at, State: store.FeedState{Outlet: "a", URL: "https://a.example/feed", LastPoll: at}}
	for n := range all {
		p.Arrivals = append(p.Arrivals, store.Arrival{Item: store.Item{GUID: fmt.Sprint(n), Title: fmt.Sprint("Number ", n)}, Body: store.Body{Content: "A text."}})
	}
	if _, err := s.SavePolls(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	var places []place
	for it, err := range s.Items(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, placeOf(it.Date, it.ID))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const leaf = 2 // in a page's header (bbolt internal/common/page.go)
	for page := range slices.Chunk(b, os.Getpagesize()) {
		if binary.NativeEndian.Uint16(page[8:]) == leaf && (bytes.Contains(page, places[40][:]) || bytes.Contains(page, places[all-40][:])) {
			copy(page, bytes.Repeat([]byte{0xA5}, len(page)))
		}
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Repair(t.Context(), path, Options{})
	if err != nil || r.Faults == nil || r.Lost == 0 || r.Lost > all/4 || r.Items != all-r.Lost {
		t.Errorf("%+v, %v", r, err)
	}
	s = openAt(t, path)
	mustCheck(t, s)
	got, err := s.SavePolls(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if got[0].New != r.Lost {
		t.Errorf("of %d lost items the next document brings back %d", r.Lost, got[0].New)
	}
}

// Pages full of rubbish cost what stood on them; the process lives, and the file is sound afterwards or left as it was.
func TestRepairOfDamagedPages(t *testing.T) {
	whole := worn(t)
	original, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	rnd := rand.New(rand.NewPCG(1, 2))
	repaired := 0
	for n := range 60 {
		b := bytes.Clone(original)
		at := (2 + rnd.IntN(len(b)/page-2)) * page
		for i := range page {
			if n%2 == 0 || rnd.IntN(50) == 0 {
				b[at+i] = byte(rnd.Uint32())
			}
		}
		path := filepath.Join(t.TempDir(), fmt.Sprint(n, ".db"))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Repair(t.Context(), path, Options{})
		if err != nil {
			if now, _ := os.ReadFile(path); !bytes.Equal(now, b) {
				t.Errorf("page %d: refused (%v), and changed", at/page, err)
			}
			continue
		}
		repaired++
		s := openAt(t, path)
		mustCheck(t, s)
		save(t, s, 41)
		s.Close()
		if r.Items+r.Lost < 30 && r.Faults == nil {
			t.Errorf("page %d: %+v", at/page, r)
		}
	}
	if repaired < 30 {
		t.Errorf("%d of 60 repaired", repaired)
	}
}
