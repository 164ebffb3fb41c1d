package store

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// A newsroom writes items in words of its own, some common, most rare, as in any language.
type newsroom struct {
	rng   *rand.Rand
	words []string
	at    time.Time
	last  ItemID
}

func newNewsroom() *newsroom {
	n := &newsroom{rng: rand.New(rand.NewPCG(1, 2)), at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	for i := range 60000 {
		b := make([]byte, 3+n.rng.IntN(7))
		for j := range b {
			b[j] = 'a' + byte(n.rng.IntN(26))
		}
		if i%3 == 0 {
			b[0] -= 'a' - 'A'
		}
		n.words = append(n.words, string(b))
	}
	return n
}

func (n *newsroom) text(words int) string {
	var b strings.Builder
	for range words {
		rank := 100 * (math.Pow(float64(len(n.words))/100, n.rng.Float64()) - 1) // by the law of Zipf and Mandelbrot
		b.WriteString(n.words[int(rank)])
		b.WriteByte(' ')
	}
	return b.String()
}

// item is the next item, so many seconds after the one before.
func (n *newsroom) item(after float64) Item {
	n.last++
	n.at = n.at.Add(time.Duration(after * float64(time.Second)))
	return Item{ID: n.last, Story: StoryID(n.last), Outlet: fmt.Sprint("outlet", n.rng.IntN(1000)), Language: "en", Title: n.text(10), Lead: n.text(40),
		Link: fmt.Sprint("https://news.example/", n.last), Date: n.at, Arrived: n.at}
}

// settle lets an item find its story and adds it.
func (x *Index) arrive(it Item) (in Insert, dropped []ItemID) {
	s := settler{poll: &Poll{Owner: it.Outlet}, joined: map[StoryID]int{}}
	s.known.Index = x
	in = Insert{Item: it, Print: newPrint(&it, s.poll)}
	s.settleText(&in)
	return in, x.Add(in.Print)
}

// An index that is made of what was kept decides as the one that it comes from, also after items have been dropped and after a
// clock that stood wrong.
func TestIndexAfterRestart(t *testing.T) {
	n, x := newNewsroom(), NewIndex()
	kept := map[ItemID][]byte{}
	var last []Item
	for i := range 4000 {
		it := n.item(300)
		if i%7 == 0 && len(last) > 0 { // another outlet's report of the same
			from := last[n.rng.IntN(len(last))]
			it.Title, it.Lead = from.Title, from.Lead+n.text(3)
		}
		if i == 1500 {
			it.Arrived = it.Arrived.AddDate(10, 0, 0)
		}
		last = append(last, it)
		last = last[max(0, len(last)-50):]
		in, dropped := x.arrive(it)
		kept[it.ID] = in.Print.Append(nil)
		for _, id := range dropped {
			if kept[id] == nil {
				t.Fatalf("item %d is dropped twice", id)
			}
			delete(kept, id)
		}
		if i%500 != 499 {
			continue
		}
		y := NewIndex()
		for id := range it.ID + 1 {
			if b := kept[id]; b != nil {
				p, err := ParsePrint(b)
				if err != nil || !bytes.Equal(p.Append(nil), b) {
					t.Fatalf("print of item %d: %v", id, err)
				}
				if gone := y.Add(p); gone != nil {
					t.Fatalf("items %v are dropped although they were kept", gone)
				}
			}
		}
		next := n.item(60)
		next.Title, next.Lead = last[40].Title, last[40].Lead
		a, _ := x.arrive(next)
		b, _ := y.arrive(next)
		if a.Item.Story != b.Item.Story || !slices.Equal(a.Item.Related, b.Item.Related) || !bytes.Equal(a.Print.Append(nil), b.Print.Append(nil)) || a.Tie == nil {
			t.Fatalf("after %d items %+v, after a restart %+v", i, a, b)
		}
		kept[next.ID] = a.Print.Append(nil)
		last = append(last, next)
	}
	if x.size > 96*12+20 || len(x.days) > 6 || len(x.stories) > x.size || len(x.titles) > x.size || len(x.openings) > x.size || len(x.pieces) > 3 {
		t.Errorf("%d entries in %d pieces, %d days, %d stories, %d titles, %d openings", x.size, len(x.pieces), len(x.days), len(x.stories), len(x.titles), len(x.openings))
	}
	for _, n := range x.owners {
		if x.at(n) == nil {
			t.Errorf("entry %d is an owner's newest and is not there", n)
		}
	}
}

// What a rehearsal without an index has read is not read again, and makes no difference.
func TestPrintsOfRehearsal(t *testing.T) {
	n := newNewsroom()
	poll := Poll{At: n.at, State: FeedState{Outlet: "a", URL: "u"}}
	for i := range 3 {
		it := n.item(0)
		poll.Arrivals = append(poll.Arrivals, Arrival{Item: Item{GUID: fmt.Sprint(i), Title: it.Title, Lead: it.Lead, Language: "en"}})
	}
	settle := func(prints Prints, x *Index) (out []byte) {
		for _, in := range Settle(&poll, Known{Next: 7, Index: x, Prints: prints}).Inserts {
			out = in.Print.Append(out)
		}
		return out
	}
	prints := Prints{}
	settle(prints, nil)
	for a, p := range prints {
		p.marks |= live // to be known again
		prints[a] = p
	}
	if len(prints) != 3 {
		t.Fatalf("%d prints of 3 items", len(prints))
	}
	read, known := settle(nil, NewIndex()), settle(prints, NewIndex())
	if again := settle(prints, NewIndex()); bytes.Equal(known, read) || !bytes.Equal(again, known) {
		t.Errorf("prints\n  %x\nand when they were known\n  %x\n  %x", read, known, again)
	}
	for a := range prints {
		delete(prints, a)
	}
	if made := settle(prints, NewIndex()); !bytes.Equal(made, read) || len(prints) != 3 {
		t.Errorf("prints\n  %x\nand when %d were kept\n  %x", read, len(prints), made)
	}
}

// Openings of which only the lower halves of the hashes are equal are two.
func TestCopiesOfOneOpening(t *testing.T) {
	x := NewIndex()
	for i := range ItemID(6) {
		x.Add(Print{Item: i + 1, Story: StoryID(i + 1), opening: 7 + uint64(i%2)<<32})
	}
	var got []ItemID
	for _, e := range x.copies(7) {
		got = append(got, e.item)
	}
	if !slices.Equal(got, []ItemID{5, 3, 1}) {
		t.Errorf("items %v", got)
	}
}

func TestParsePrint(t *testing.T) {
	n, x := newNewsroom(), NewIndex()
	in, _ := x.arrive(n.item(1))
	b := in.Print.Append(nil)
	for i := range b {
		if _, err := ParsePrint(b[:i]); err == nil {
			t.Fatalf("%d of %d bytes are a print", i, len(b))
		}
	}
	if _, err := ParsePrint(append(b, 0)); err == nil {
		t.Fatal("one byte too many is a print")
	}
}

// BenchmarkIndex settles items among the 100,000 of four days, adds them, and makes that index anew.
func BenchmarkIndex(b *testing.B) {
	n, x := newNewsroom(), NewIndex()
	var stored [][]byte
	for range 100_000 {
		in, _ := x.arrive(n.item(96 * 3600 / 100_000.))
		stored = append(stored, in.Print.Append(nil))
	}
	size := 0
	for _, s := range stored {
		size += len(s)
	}
	var items []Item
	for range 20000 {
		items = append(items, n.item(0))
	}
	poll := &Poll{Owner: "new"}
	b.Run("print", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			newPrint(&items[i%len(items)], poll)
		}
	})
	b.Run("look up", func(b *testing.B) {
		prints := make([]Insert, len(items))
		for i := range items {
			prints[i] = Insert{Item: items[i], Print: newPrint(&items[i], poll)}
		}
		s := settler{poll: poll, joined: map[StoryID]int{}}
		s.known.Index = x
		var took []time.Duration
		for i := 0; b.Loop(); i++ {
			begin := time.Now()
			in := prints[i%len(prints)]
			x.settle(&s, &in)
			took = append(took, time.Since(begin))
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs-p99")
	})
	b.Run("rebuild", func(b *testing.B) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		var y *Index
		for b.Loop() {
			y = NewIndex()
			for _, s := range stored {
				p, err := ParsePrint(s)
				if err != nil {
					b.Fatal(err)
				}
				y.Add(p)
			}
		}
		b.ReportMetric(float64(size)/float64(len(stored)), "bytes/stored")
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(y.size), "bytes/item")
	})
}
