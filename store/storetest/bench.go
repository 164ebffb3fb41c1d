package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"broadsheet/store"
)

const benchItems = 25 // in a document

// benchPoll is a poll of one of many outlets; round counts the documents that it has published. only is the place
// of the one item that is wanted, if not all are.
func benchPoll(outlet, round int, text string, only ...int) store.Poll {
	host := fmt.Sprintf("outlet%d.example", outlet)
	at := time.Date(2025, 1, 1, 0, 0, outlet+round*1000, 0, time.UTC)
	p := store.Poll{At: at, State: store.FeedState{Outlet: fmt.Sprint("outlet", outlet), URL: "https://" + host + "/rss.xml", Title: "Outlet",
		Validators: store.Validators{ETag: []byte(`W/"0123456789abcdef"`)}, LastTry: at, LastPoll: at, LastSuccess: at, NextPoll: at.Add(time.Hour), Status: 200}}
	for i := range benchItems {
		if len(only) > 0 && i != only[0] {
			continue
		}
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

// Visit polls feeds so many times each, without a document, 64 at once.
func Visit(tb testing.TB, s store.Store, feeds, times int) {
	text := benchText()
	polls := make([]store.Poll, feeds)
	for i := range polls {
		polls[i] = benchPoll(i, 0, text)
		polls[i].Arrivals = nil
	}
	for range times + 1 { // the first makes the feeds
		for some := range slices.Chunk(polls, 64) {
			for i, saved := range must(s.SavePolls(tb.Context(), some...)) {
				p := &some[i]
				p.At, p.State = p.At.Add(time.Hour), saved.State
				p.State.LastTry, p.State.LastPoll, p.State.LastSuccess, p.State.NextPoll = p.At, p.At, p.At, p.At.Add(time.Hour)
			}
		}
	}
}

// Fill puts n items into an empty store, of 400 outlets that have 25 new ones each in turn, with all that names them, and
// without the pains of polls. What is opened afterwards has them.
func Fill(tb testing.TB, s store.Copier, n int) {
	const outlets, batch = 400, 2000
	text := benchText()
	head := must(s.Head(tb.Context()))
	id := func(i int) store.ItemID { return store.ItemID(i + 1) }
	item := func(i int) (store.Item, store.Body) {
		k := i / benchItems
		p := benchPoll(k%outlets, k/outlets, text, i%benchItems)
		a := &p.Arrivals[0]
		it := a.Item
		it.ID, it.Story, it.Outlet, it.Feeds = id(i), store.StoryID(id(i)), p.State.Outlet, []string{p.State.URL}
		it.PublishedID, it.LinkHash, it.Revision = it.GUID, store.LinkHash(it.Link), store.Revision(k+1)
		it.Date, it.Arrived, it.Updated, it.Moved, it.Changed = a.Body.Published, p.At, p.At, p.At, p.At
		a.Body.Item = it.ID
		return it, a.Body
	}
	for _, kind := range []store.Kind{store.KeptFeeds, store.KeptItems, store.KeptKeys, store.KeptLinks, store.KeptPublished} {
		count := n
		if kind == store.KeptFeeds {
			count = outlets
		}
		for i := 0; i < count; i += batch {
			var records []store.Record
			for j := i; j < min(i+batch, count); j++ {
				var r store.Record
				switch kind {
				case store.KeptFeeds:
					p := benchPoll(j, 0, text)
					p.State.Items, p.State.Saves = n/outlets, 1
					r.State = &p.State
				case store.KeptItems:
					it, body := item(j)
					r.Item, r.Body = &it, &body
				default:
					host := fmt.Sprintf("https://outlet%d.example/", j/benchItems%outlets)
					r.ID, r.Day = id(j), 20000
					if r.Key = store.IDKey(fmt.Sprint(host, kind, j)); kind == store.KeptLinks {
						r.ID, r.Refs = 0, []store.LinkRef{{Outlet: fmt.Sprint("outlet", j/benchItems%outlets), Item: id(j), Story: store.StoryID(id(j))}}
					}
				}
				records = append(records, r)
			}
			if err := s.Take(tb.Context(), store.Copying{Head: head, Kind: kind}, records...); err != nil {
				tb.Fatal(err)
			}
		}
	}
	head.Revision, head.Last, head.Day = store.Revision((n-1)/benchItems+1), id(n-1), 20000
	if err := s.Take(tb.Context(), store.Copying{Head: head, Done: true}); err != nil {
		tb.Fatal(err)
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

// BenchmarkPrune deletes two thirds of the 300,000 items of a store that Fill filled, and then lets a third as many come. tidy
// does what the keeper does by itself in the hours that lie between, if anything. Reported is what a deleted item costs, and how
// the store's size has changed when it holds two thirds of what it held.
func BenchmarkPrune(b *testing.B, s store.Store, tidy func()) {
	const all, gone, come = 300_000, 200_000, 100_000
	const outlets = 400
	text := benchText()
	size := func() float64 { return float64(must(s.(store.Sizer).Size(b.Context()))) }
	for b.Loop() {
		before := size()
		began := time.Now()
		last := benchPoll(0, gone/benchItems/outlets, text).At
		if n := must(s.Prune(b.Context(), last, all)); n != gone {
			b.Fatalf("%d items pruned", n)
		}
		b.ReportMetric(float64(time.Since(began).Microseconds())/gone, "µs/item")
		tidy()
		for n := range come / benchItems / 16 {
			var polls []store.Poll
			for i := range 16 {
				k := all/benchItems + n*16 + i
				polls = append(polls, benchPoll(k%outlets, k/outlets, text))
			}
			must(s.SavePolls(b.Context(), polls...))
		}
		b.ReportMetric(size()/before, "size")
	}
}

// BenchmarkCommitters lets several views of one store save 19,200 new items at once, 25 a poll, each 16 polls at a time of outlets
// of its own.
func BenchmarkCommitters(b *testing.B, stores ...store.Store) {
	const outlets = 400
	batches, text := 48/len(stores), benchText()
	for b.Loop() {
		b.StopTimer()
		work := make([][][]store.Poll, len(stores))
		for i := range stores {
			for n := range batches {
				var polls []store.Poll
				for k := range 16 {
					polls = append(polls, benchPoll(i*outlets+(n*16+k)%outlets, n*16/outlets, text))
				}
				work[i] = append(work[i], polls)
			}
		}
		b.StartTimer()
		var wg sync.WaitGroup
		for i, s := range stores {
			wg.Go(func() {
				for _, polls := range work[i] {
					must(s.SavePolls(b.Context(), polls...))
				}
			})
		}
		wg.Wait()
	}
	b.ReportMetric(float64(b.N*len(stores)*batches*16*benchItems)/b.Elapsed().Seconds(), "items/s")
}
