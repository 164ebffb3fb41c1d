package publish

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
)

// bigWorld holds 100,000 items of 200 outlets, a tenth of them copies of other outlets' items.
func bigWorld(b *testing.B) (*world, []Outlet) {
	w := newWorld(b)
	content := strings.Repeat("<p>The minister said on Sunday that talks would resume next week, and left it at that.</p>\n", 20)
	var outlets []Outlet
	for n := range 200 {
		outlets = append(outlets, outlet(fmt.Sprintf("o%d", n), priority(n%3), tagged(fmt.Sprintf("tag%d", n%10))))
	}
	var polls []store.Poll
	for n := range 1000 {
		id := outlets[n%200].ID
		at := start.Add(time.Duration(n) * 10 * time.Minute)
		p := store.Poll{At: at, State: store.FeedState{Outlet: id, URL: feedOf(id), LastPoll: at}}
		for i := range 100 {
			link := fmt.Sprintf("https://%s.example/%d/%d", id, n, i)
			if i%10 == 0 {
				link = fmt.Sprintf("https://wire.example/%d/%d", n/3, i)
			}
			p.Arrivals = append(p.Arrivals, news(fmt.Sprintf("Talks resume in city %d after %d days", n, i), link, content,
				dated(at.Add(-time.Duration(i)*time.Minute)), func(a *store.Arrival) { a.Item.Lead = a.Item.Lead[:400] }))
		}
		if polls = append(polls, p); len(polls) == 50 {
			if _, err := w.st.SavePolls(b.Context(), polls...); err != nil {
				b.Fatal(err)
			}
			polls = nil
		}
	}
	return w, outlets
}

func BenchmarkPublish(b *testing.B) {
	w, outlets := bigWorld(b)
	sections := []Section{
		{Slug: "all", Limit: 50, MaxAge: 30 * 24 * time.Hour},
		{Slug: "tag", Limit: 50, From: []string{"tag:tag7"}, MaxAge: 30 * 24 * time.Hour},
		{Slug: "words", Limit: 50, Include: []string{"after 7 days"}},
		{Slug: "never", Limit: 50, Include: []string{"never"}}, // admits nothing, of all of history
		{Slug: "never-where", Limit: 50, Where: `title contains "never" || words < 0`},
		{Slug: "covered", Limit: 50, MinOutlets: 3, MaxAge: 30 * 24 * time.Hour},
		{Slug: "nowhere", Limit: 50, MinOutlets: 9}, // nor any story
		{Slug: "german", Limit: 50, Languages: []string{"de"}, LanguagesUnknown: "drop"},
		{Slug: "where", Limit: 50, Where: `title contains "after 7 days" && "tag7" in tags`},
		{Slug: "text", Limit: 50, Where: `text contains "after 7 days"`},
	}
	pub := publication(outlets, sections...)
	for i, s := range sections {
		b.Run("Choose/"+s.Slug, func(b *testing.B) {
			for b.Loop() {
				p := w.publisher(pub)
				if _, err := p.desks[i].chooser.choose(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	one := publication(outlets, sections[0])
	b.Run("Section", func(b *testing.B) { // from the store to the bytes of all its formats
		for b.Loop() {
			if _, err := w.publisher(one).Edition(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	p := w.publisher(one)
	w.edition(p)
	l := p.desks[0].list
	for name, render := range map[string]func(*list) *Document{"Page": p.page,
		"RSS":  func(l *list) *Document { return p.feed(l, ".rss") },
		"Atom": func(l *list) *Document { return p.feed(l, ".atom") },
		"JSON": func(l *list) *Document { return p.feed(l, ".json") }} {
		b.Run("Render/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(render(l).Body)))
			for b.Loop() {
				render(l)
			}
		})
	}
	b.Run("Update", func(b *testing.B) { // one new item, six sections that all look at it
		p := w.publisher(pub)
		w.edition(p)
		at := start.Add(10000 * time.Hour)
		for n := 0; b.Loop(); n++ {
			b.StopTimer()
			at = at.Add(time.Second)
			w.poll(at, "o1", feedOf("o1"), news(fmt.Sprint("News ", n), fmt.Sprint("https://o1.example/new/", n), "<p>x</p>"))
			b.StartTimer()
			if _, err := p.Edition(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkReaders serves a feed of 50 items over loopback; the client is part of what is measured.
func BenchmarkReaders(b *testing.B) {
	w, outlets := bigWorld(b)
	p := w.publisher(publication(outlets, Section{Slug: "all", Limit: 50, MaxAge: 30 * 24 * time.Hour}))
	e := w.edition(p)
	e.Pack()
	h := NewHandler("http://news.test")
	h.Show(e)
	s := httptest.NewServer(h)
	b.Cleanup(s.Close)
	s.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = 64
	ask := func(b *testing.B, status int, header ...string) string {
		req, err := http.NewRequest(http.MethodGet, s.URL+"/all.atom", nil)
		if err != nil {
			b.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := s.Client().Do(req)
		if err != nil {
			b.Error(err)
			return ""
		}
		defer resp.Body.Close()
		if n, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != status || n == 0 && status == http.StatusOK {
			b.Errorf("%d bytes, %s, %v", n, resp.Status, err)
		}
		return resp.Header.Get("ETag")
	}
	tag := ask(b, http.StatusOK, "Accept-Encoding", "gzip")
	for name, c := range map[string]struct {
		status int
		header []string
	}{
		"304":   {http.StatusNotModified, []string{"Accept-Encoding", "gzip", "If-None-Match", tag}},
		"gzip":  {http.StatusOK, []string{"Accept-Encoding", "gzip"}},
		"whole": {http.StatusOK, []string{"Accept-Encoding", "identity"}},
	} {
		b.Run(name, func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					ask(b, c.status, c.header...)
				}
			})
		})
	}
}

// watchHeap watches how many bytes of objects there are, dead ones included; what it returns ends it, and says by how
// many they grew at most.
func watchHeap() (peak func() uint64) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	before := sample[0].Value.Uint64()
	stop, most := make(chan struct{}), make(chan uint64)
	go func() { // ends with stop
		high := before
		for {
			select {
			case <-stop:
				most <- high - before
				return
			case <-time.After(2 * time.Millisecond):
				metrics.Read(sample)
				high = max(high, sample[0].Value.Uint64())
			}
		}
	}()
	return func() uint64 {
		close(stop)
		return <-most
	}
}

// Archives of 24 months of 100,000 items, and of one that has ten times as many as the others: what one of them costs.
func BenchmarkArchive(b *testing.B) {
	w := newWorld(b)
	const perMonth, tenfold = 100_000 / 24, 12
	text := "<p>" + strings.Repeat("Some words of news, and more of them. ", 60) + "</p>"
	for m := range 24 {
		at := time.Date(2024, time.Month(1+m), 1, 0, 0, 0, 0, time.UTC)
		size, pause := perMonth, 8*time.Hour
		if m == tenfold {
			size, pause = 10*size, pause/10
		}
		for n := 0; n < size; n += 50 {
			var items []store.Arrival
			for i := range 50 {
				link := fmt.Sprintf("https://a.example/%d/%d", m, n+i)
				items = append(items, news(fmt.Sprint("Item ", n+i), link, text))
			}
			at = at.Add(pause)
			w.poll(at, "a", feedOf("a"), items...)
		}
	}
	p := w.publisher(publication([]Outlet{outlet("a")}, Section{Slug: "all", Limit: 50}))
	e, err := p.Edition(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for name, month := range map[string]int{"": 14, "tenfold-": tenfold} {
		for _, ending := range archiveEndings {
			b.Run(name+ending[1:], func(b *testing.B) {
				peak := uint64(0)
				for range b.N {
					runtime.GC()
					high := watchHeap()
					p.archives = archiveCache{turn: make(chan struct{}, 1)}
					d, err := e.shelf.document(b.Context(), e.shelf.desks["all"], time.Date(2024, time.Month(1+month), 1, 0, 0, 0, 0, time.UTC), ending)
					if err != nil {
						b.Fatal(err)
					}
					peak = max(peak, high())
					b.ReportMetric(float64(len(d.Body))/1e6, "MB")
				}
				b.ReportMetric(float64(peak)/1e6, "heap-MB")
			})
		}
	}
	b.Run("update", func(b *testing.B) {
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		for i := range b.N {
			b.StopTimer()
			w.poll(at.Add(time.Duration(i)*time.Second), "a", feedOf("a"), news("new", fmt.Sprint("https://a.example/new/", i), text))
			b.StartTimer()
			if _, err := p.Edition(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
