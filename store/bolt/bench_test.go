package bolt

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
	"broadsheet/store/storetest"
)

func BenchmarkCommit(b *testing.B) {
	storetest.BenchmarkCommit(b, func(tb testing.TB) store.Store { return openTemp(tb) })
}

// BenchmarkItems looks through a store of 100,000 items.
func BenchmarkItems(b *testing.B) {
	s := openTemp(b)
	storetest.Fill(b, s, 100_000)
	b.ResetTimer()
	storetest.BenchmarkItems(b, s)
}

// BenchmarkFirstSave opens a store with 100,000 items of four days and saves one more, before which the index of stories is made,
// and then another. The difference is what a restart costs.
func BenchmarkFirstSave(b *testing.B) {
	const items, inPoll, days = 100_000, 250, 4
	path := filepath.Join(b.TempDir(), "broadsheet.db")
	rng := rand.New(rand.NewPCG(1, 2))
	text := func(words int) string {
		var t strings.Builder
		for range words { // of 60,000, by the law of Zipf and Mandelbrot
			fmt.Fprintf(&t, "w%dx ", int(100*(math.Pow(600, rng.Float64())-1)))
		}
		return t.String()
	}
	at, n := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), 0
	save := func(s *Store, size int) {
		p := store.Poll{At: at, State: store.FeedState{Outlet: fmt.Sprint("outlet", n/inPoll), URL: "https://outlet.example/feed", LastPoll: at}}
		for range size {
			n++
			id := fmt.Sprint("https://outlet.example/", n)
			p.Arrivals = append(p.Arrivals, store.Arrival{Item: store.Item{GUID: id, Link: id, Title: text(10), Lead: text(40), Language: "en"}, Canonical: id})
		}
		if got, err := s.SavePolls(b.Context(), p); err != nil || got[0].New != size {
			b.Fatal(got, err)
		}
	}
	s := openAt(b, path)
	for n < items {
		save(s, inPoll)
		at = at.Add(days * 24 * time.Hour * inPoll / items)
	}
	var first, second time.Duration
	for b.Loop() {
		s.Close()
		s = openAt(b, path)
		began := time.Now()
		save(s, 1)
		first += time.Since(began)
		began = time.Now()
		save(s, 1)
		second += time.Since(began)
	}
	b.ReportMetric(float64(first.Milliseconds())/float64(b.N), "ms/first")
	b.ReportMetric(float64(second.Milliseconds())/float64(b.N), "ms/second")
}
