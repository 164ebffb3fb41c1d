package bolt

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
	"broadsheet/store/record"
)

// entries counts what is in the buckets of names.
func entries(t *testing.T, s *Store) (n [3]int) {
	t.Helper()
	if err := s.db.View(func(tx *tx) error {
		for i, name := range [][]byte{keysBucket, linksBucket, publishedBucket} {
			c := tx.Bucket(name).Cursor()
			for k, _ := c.First(); k != nil; k, _ = c.Next() {
				n[i]++
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// Names go when no outlet has listed them for long and their items are gone; not before, and not all at once.
func TestSweep(t *testing.T) {
	s := openTemp(t)
	const each = 4000
	at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	poll := func(outlet, title string, at time.Time, n int) {
		t.Helper()
		p := store.Poll{At: at, State: store.FeedState{Outlet: outlet, URL: "https://" + outlet + ".example/feed"}}
		for i := range n {
			p.Arrivals = append(p.Arrivals, store.Arrival{
				Item:      store.Item{GUID: fmt.Sprintf("https://%s.example/?p=%d", outlet, i), Title: title},
				Canonical: fmt.Sprintf("https://%s.example/%d", outlet, i),
			})
		}
		if _, err := s.SavePolls(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	poll("old", "listed once, pruned", at, each)
	poll("listed", "listed for long, pruned", at, 10)
	if n, err := s.Prune(t.Context(), at.Add(time.Hour), 2*each); n != each+10 || err != nil {
		t.Fatal(n, err)
	}
	poll("kept", "listed once, stored", at, 10)
	poll("listed", "listed for long, pruned", at.Add(100*24*time.Hour), 10)
	if n := entries(t, s); n != [3]int{each + 20, each + 20, each + 20} {
		t.Fatal(n)
	}
	later := func(days int) {
		t.Helper()
		poll("now", "now", at.Add(time.Duration(days)*24*time.Hour), 1)
		if n, err := s.Prune(t.Context(), at, 1000); n != 0 || err != nil {
			t.Fatal(n, err)
		}
	}
	for i := range 5 {
		later(400 + i)
	}
	if n := entries(t, s); n != [3]int{each + 21, each + 21, each + 21} {
		t.Errorf("names went too early: %v", n)
	}
	later(440)
	if n := entries(t, s); n[0] != 21 || n[1] != 21 || n[2] == 21 {
		t.Errorf("one call looks at %d names: %v", sweepLooks, n)
	}
	later(440)
	if n := entries(t, s); n != [3]int{21, 21, 21} {
		t.Errorf("left: %v", n)
	}
	for range 3 {
		later(540)
	}
	if n := entries(t, s); n != [3]int{11, 11, 11} {
		t.Errorf("left when nobody lists anything: %v", n)
	}
	mustCheck(t, s)
}

// Names are written again every month, not with every poll.
func TestFreshDays(t *testing.T) {
	s := openTemp(t)
	save(t, s, 1)
	days := func() string {
		var b strings.Builder
		s.db.View(func(tx *tx) error {
			for _, name := range [][]byte{keysBucket, linksBucket, publishedBucket} {
				day, _ := binary.Uvarint(second(tx.Bucket(name).Cursor().First()))
				fmt.Fprint(&b, " ", day-20089)
			}
			return nil
		})
		return b.String()
	}
	var got []string
	for _, day := range []int{0, 29, 30, 31, 60, 62} {
		p := numbered(1)
		p.At = p.At.Add(time.Duration(day) * 24 * time.Hour)
		if _, err := s.SavePolls(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		got = append(got, days())
	}
	// The tag that was made for the item is no name that its outlet lists.
	want := []string{" 0 0 0", " 0 0 0", " 0 0 0",
		" 31 31 0", " 31 31 0", " 62 62 0"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("days:\n got %q\nwant %q", got, want)
	}
}

func second(_, v []byte) []byte { return v }

// An address that is used for one item after the other does not make a list without end.
func TestRefsAreBounded(t *testing.T) {
	s := openTemp(t)
	for n := range 200 {
		p := numbered(1)
		p.At = p.At.Add(time.Duration(n) * time.Hour)
		p.Arrivals[0].Item.GUID = fmt.Sprint("guid", n)
		p.Arrivals[0].Canonical = "https://a.example/live"
		for range 2 { // then it moves to an address of its own
			if _, err := s.SavePolls(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			p.Arrivals[0].Canonical = fmt.Sprint("https://a.example/", n)
			p.Arrivals[0].Item.Text++
		}
	}
	err := s.db.View(func(tx *tx) error {
		k := store.LinkKey("https://a.example/live")
		_, refs, err := record.Links(string(tx.Bucket(linksBucket).Get(k[:])))
		if len(refs) != maxRefs || refs[maxRefs-1].Item != 200 {
			t.Errorf("%d items, the last %+v", len(refs), refs[len(refs)-1])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	mustCheck(t, s)
}

// Retention bounds the file: pages of pruned items are used again (PROTOCOL R5).
func TestFileStaysSmall(t *testing.T) {
	s := openTemp(t)
	size := func() (n int64) {
		s.db.View(func(tx *tx) error { n = tx.Size(); return nil })
		return n
	}
	var first int64
	for n := 1; n <= 1200; n++ {
		save(t, s, n)
		if n%20 == 0 {
			if _, err := s.Prune(t.Context(), numbered(n-60).At, 1000); err != nil {
				t.Fatal(err)
			}
		}
		if n == 400 {
			first = size()
		}
	}
	if last := size(); last > 2*first {
		t.Errorf("the file grew from %d to %d pages", first/int64(os.Getpagesize()), last/int64(os.Getpagesize()))
	}
	mustCheck(t, s)
}

// A slow reader holds no transaction, so that the file does not grow while it reads (PROTOCOL L9).
func TestSlowReader(t *testing.T) {
	s := openTemp(t)
	for n := 1; n <= 100; n++ {
		save(t, s, n)
	}
	size := func() (n int64) {
		s.db.View(func(tx *tx) error { n = tx.Size(); return nil })
		return n
	}
	before, n := size(), 0
	for _, err := range s.Items(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			n++
			p := numbered(100)
			p.Arrivals[0].Item.Text = uint64(1000 + n)
			if _, err := s.SavePolls(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
		if open := s.db.Stats().OpenTxN; open != 0 {
			t.Fatalf("%d transactions are open", open)
		}
	}
	if after := size(); after > 2*before {
		t.Errorf("the file grew from %d to %d bytes in %d updates", before, after, n)
	}
}

func TestCheckFindsFaults(t *testing.T) {
	for want, damage := range map[string]func(tx *tx) error{
		"its number leads elsewhere":         func(tx *tx) error { return tx.Bucket(idsBucket).Delete(key8(uint64(1))) },
		"it has no body":                     func(tx *tx) error { return tx.Bucket(bodiesBucket).Delete(key8(uint64(1))) },
		"its revision does not name it":      func(tx *tx) error { return tx.Bucket(revisionsBucket).Delete(revisionEntry(1, 1)) },
		"2 values for 1 item":                func(tx *tx) error { return tx.Bucket(revisionsBucket).Put(revisionEntry(1, 2), nil) },
		"its revision has not come yet":      func(tx *tx) error { return tx.Bucket(metaBucket).Put(revisionKey, key8(uint64(0))) },
		"names item 7, but the last is 1":    func(tx *tx) error { return tx.Bucket(keysBucket).Put(make([]byte, 16), appendName(nil, name{1, 7, 0})) },
		"has another date than its item":     func(tx *tx) error { return tx.Bucket(keysBucket).Put(make([]byte, 16), appendName(nil, name{1, 1, 7})) },
		"counts 1 item, but 0 name it":       func(tx *tx) error { return damageHead(tx, func(it *store.Item) { it.Feeds = []string{"other"} }) },
		"its story is not there":             func(tx *tx) error { return damageHead(tx, func(it *store.Item) { it.Story = 9 }) },
		"its published id is another item's": func(tx *tx) error { return damageHead(tx, func(it *store.Item) { it.PublishedID = "x" }) },
		"has item 5, which is not there": func(tx *tx) error {
			return tx.Bucket(storiesBucket).Put(key8(uint64(1)), record.AppendStory(nil, &store.Story{Items: []store.ItemID{1, 5}}))
		},
		"the value is damaged": func(tx *tx) error { return tx.Bucket(bodiesBucket).Put(key8(uint64(1)), []byte{1, 1, 9, 9}) },
	} {
		s := openTemp(t)
		save(t, s, 1)
		mustCheck(t, s)
		if err := s.db.Update(damage); err != nil {
			t.Fatal(err)
		}
		if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got: %v", want, err)
		}
	}
}

// damageHead changes the first item without the rest.
func damageHead(tx *tx, change func(*store.Item)) error {
	b := tx.Bucket(headsBucket)
	k, v := b.Cursor().First()
	it, err := decodeHead(place(k), string(v))
	if err != nil {
		return err
	}
	change(&it)
	return b.Put(k, record.AppendItem(nil, &it))
}
