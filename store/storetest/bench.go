package storetest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
)

const benchItems = 25 // in a document

// benchPoll is a poll of one of many outlets; round counts the documents that it has published.
func benchPoll(outlet, round int, text string) store.Poll {
	host := fmt.Sprintf("outlet%d.example", outlet)
	at := time.Date(2025, 1, 1, 0, 0, outlet+round*1000, 0, time.UTC)
	p := store.Poll{At: at, State: store.FeedState{Outlet: fmt.Sprint("outlet", outlet), URL: "https://" + host + "/rss.xml", Title: "Outlet",
		Validators: store.Validators{ETag: []byte(`W/"0123456789abcdef"`)}, LastTry: at, LastPoll: at, LastSuccess: at, NextPoll: at.Add(time.Hour), Status: 200}}
	for i := range benchItems {
		n := round*benchItems + i
		link := fmt.Sprintf("https://%s/news/2025/01/the-title-of-an-item-%d", host, n)
		start := rand.IntN(len(text) - 2000)
		p.Arrivals = append(p.Arrivals, store.Arrival{
			Item: store.Item{GUID: fmt.Sprintf("https://%s/?p=%d", host, n), Link: link, Title: fmt.Sprint("The title of an item that has the number ", n),
				Lead: text[start:][:300], Language: "en", Authors: []store.Author{{Name: "Jane Doe"}}, Categories: []store.Category{{Term: "World"}},
				Image: link + ".jpg", Words: 300, Text: uint64(n), Rest: 1},
			Body:      store.Body{Content: text[start:][:2000], Published: at.Add(-time.Duration(i) * time.Minute), Feed: store.Origin{Title: "Outlet"}},
			Canonical: link,
		})
	}
	return p
}

// benchText is text that compresses about as well as news do.
func benchText() string {
	rng := rand.New(rand.NewPCG(1, 1))
	words := make([]string, 4000)
	for i := range words {
		b := make([]byte, 2+rng.IntN(9))
		for j := range b {
			b[j] = 'a' + byte(rng.IntN(26))
		}
		words[i] = string(b)
	}
	var b strings.Builder
	for range 20000 {
		b.WriteString(words[int(float64(len(words))*rng.Float64()*rng.Float64())])
		b.WriteByte(' ')
	}
	return b.String()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// BenchmarkCommit saves polls of 25 items, 16 at a time, into a store of some size, and polls without a document, 64 at
// a time.
func BenchmarkCommit(b *testing.B, open func(testing.TB) store.Store) {
	const outlets = 16 * 25
	text := benchText()
	batch := func(n, round, size int) (polls []store.Poll) {
		for i := range size {
			polls = append(polls, benchPoll((n*size+i)%outlets, round, text))
		}
		return polls
	}
	save := func(b *testing.B, s store.Store, polls []store.Poll, want int) {
		for i, got := range must(s.SavePolls(b.Context(), polls...)) {
			if got.New != want || got.Changed != 0 {
				b.Fatalf("poll %d: %d new, %d changed", i, got.New, got.Changed)
			}
			polls[i].State = got.State // whoever polls a feed knows its state
		}
	}
	perPoll := func(b *testing.B, polls int) {
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(polls), "µs/poll")
	}
	b.Run("new", func(b *testing.B) {
		s := open(b)
		for n := 0; b.Loop(); n++ {
			b.StopTimer()
			polls := batch(n, n*16/outlets, 16)
			b.StartTimer()
			save(b, s, polls, benchItems)
		}
		perPoll(b, 16)
	})
	b.Run("unchanged", func(b *testing.B) {
		s := open(b)
		var batches [][]store.Poll
		for round := range 4 { // 40,000 items
			batches = nil
			for n := range outlets / 16 {
				batches = append(batches, batch(n, round, 16))
				save(b, s, batches[n], benchItems)
			}
		}
		b.ResetTimer()
		for n := 0; b.Loop(); n++ {
			save(b, s, batches[n%len(batches)], 0)
		}
		perPoll(b, 16)
	})
	b.Run("no document", func(b *testing.B) {
		s := open(b)
		polls := batch(0, 0, 64)
		save(b, s, polls, benchItems)
		for i := range polls {
			polls[i].Arrivals = nil
		}
		for b.Loop() {
			save(b, s, polls, 0)
		}
		perPoll(b, 64)
	})
}

// Fill saves n items, of 400 outlets that have 25 new ones each in turn.
func Fill(tb testing.TB, s store.Store, n int) {
	const outlets, polls = 400, 40
	text := benchText()
	for i := range n / benchItems / polls {
		var batch []store.Poll
		for j := range polls {
			k := i*polls + j
			batch = append(batch, benchPoll(k%outlets, k/outlets, text))
		}
		must(s.SavePolls(tb.Context(), batch...))
	}
}

// BenchmarkItems looks through a store as sections do.
func BenchmarkItems(b *testing.B, s store.Store) {
	few := make([]string, 20)
	for i := range few {
		few[i] = fmt.Sprint("outlet", i*7)
	}
	walk := func(name string, q store.Query, limit int, each func(store.Item)) {
		b.Run(name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				left := limit
				for it, err := range s.Items(b.Context(), q) {
					if err != nil {
						b.Fatal(err)
					}
					n++
					if each != nil {
						each(it)
					}
					if left--; left == 0 {
						break
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/item")
			b.ReportMetric(float64(n)/float64(b.N), "items")
			b.ReportAllocs()
		})
	}
	walk("first 500", store.Query{}, 500, nil)
	walk("first 500 of 20 outlets of 400", store.Query{Outlets: few}, 500, nil)
	walk("by arrival, first 500", store.Query{ByArrival: true}, 500, nil)
	walk("of one outlet of 400", store.Query{Outlets: few[1:2]}, -1, nil)
	rev := must(s.Revision(b.Context()))
	walk("since the last commit", store.Query{Since: rev - 1}, -1, nil)
	walk("all", store.Query{}, -1, nil)
	b.Run("bodies of 50", func(b *testing.B) {
		var ids []store.ItemID
		for it, err := range s.Items(b.Context(), store.Query{}) {
			if err != nil {
				b.Fatal(err)
			}
			if ids = append(ids, it.ID); len(ids) == 50 {
				break
			}
		}
		for b.Loop() {
			for _, err := range s.Bodies(b.Context(), ids...) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
