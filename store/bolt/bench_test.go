package bolt

import (
	"context"
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

// BenchmarkCommit saves 16 polls of 25 items at a time, into a store of some size.
func BenchmarkCommit(b *testing.B) {
	const outlets = 16 * 25
	text := benchText()
	batch := func(n, round int) (polls []store.Poll) {
		for i := range 16 {
			polls = append(polls, benchPoll((n*16+i)%outlets, round, text))
		}
		return polls
	}
	save := func(b *testing.B, s *Store, polls []store.Poll, want int) {
		for i, got := range must(s.SavePolls(b.Context(), polls...)) {
			if got.New != want || got.Changed != 0 {
				b.Fatalf("poll %d: %d new, %d changed", i, got.New, got.Changed)
			}
		}
	}
	perItem := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/16/benchItems, "ns/item")
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/16, "µs/poll")
	}
	b.Run("new", func(b *testing.B) {
		s := openTemp(b)
		for n := 0; b.Loop(); n++ {
			b.StopTimer()
			polls := batch(n, n*16/outlets)
			b.StartTimer()
			save(b, s, polls, benchItems)
		}
		perItem(b)
	})
	b.Run("unchanged", func(b *testing.B) {
		s := openTemp(b)
		var batches [][]store.Poll
		for round := range 4 { // 40,000 items
			batches = nil
			for n := range outlets / 16 {
				batches = append(batches, batch(n, round))
				save(b, s, batches[n], benchItems)
			}
		}
		b.ResetTimer()
		for n := 0; b.Loop(); n++ {
			save(b, s, batches[n%len(batches)], 0)
		}
		perItem(b)
	})
	b.Run("no document", func(b *testing.B) {
		s := openTemp(b)
		polls := batch(0, 0)
		save(b, s, polls, benchItems)
		for i := range polls {
			polls[i].Arrivals = nil
		}
		for b.Loop() {
			save(b, s, polls, 0)
		}
		perItem(b)
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// BenchmarkItems looks through a store of 100,000 items.
func BenchmarkItems(b *testing.B) {
	s := openTemp(b)
	text := benchText()
	for n := range 100000 / benchItems / 40 {
		var polls []store.Poll
		for i := range 40 {
			polls = append(polls, benchPoll(i, n, text))
		}
		must(s.SavePolls(context.Background(), polls...))
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
	walk("all", store.Query{}, -1, nil)
	walk("of one outlet of 40", store.Query{Outlets: []string{"outlet7"}}, -1, nil)
	walk("by arrival, first 500", store.Query{ByArrival: true}, 500, nil)
	walk("with bodies, first 50", store.Query{}, 50, func(it store.Item) {
		for _, err := range s.Bodies(b.Context(), it.ID) {
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("find", func(b *testing.B) {
		for b.Loop() {
			for _, err := range s.Find(b.Context(), "https://outlet7.example/?p=1") {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
