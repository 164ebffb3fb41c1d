package publish

import (
	"hash/fnv"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
	"broadsheet/store/bolt"
)

// A world is a real store in a file, with polls to fill it.
type world struct {
	t    testing.TB
	path string
	st   *bolt.Store
	log  *slog.Logger
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, path: filepath.Join(t.TempDir(), "test.db"), log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	w.open()
	t.Cleanup(func() { w.st.Close() })
	return w
}

func (w *world) open() {
	w.t.Helper()
	st, err := bolt.Open(w.path, bolt.Options{NoSync: true})
	if err != nil {
		w.t.Fatal(err)
	}
	w.st = st
}

// start is when the tests' news begins.
var start = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// in is a time after start: in("90m").
func in(d string) time.Time {
	after, err := time.ParseDuration(d)
	if err != nil {
		panic(err)
	}
	return start.Add(after)
}

// news makes an item as a feed holds it: "title | link | content", with changes.
func news(title, link, content string, changes ...func(*store.Arrival)) store.Arrival {
	a := store.Arrival{Canonical: link}
	a.Item = store.Item{GUID: link, Title: title, Link: link, Lead: plain(content), Words: len(strings.Fields(plain(content)))}
	a.Body = store.Body{Content: content}
	for _, change := range changes {
		change(&a)
	}
	a.Item.Text = hash(a.Item.Title, a.Body.Summary, a.Body.Content, a.Canonical)
	return a
}

func hash(texts ...string) uint64 {
	h := fnv.New64()
	for _, s := range texts {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	return h.Sum64()
}

func dated(at time.Time) func(*store.Arrival) {
	return func(a *store.Arrival) { a.Body.Published = at }
}

func speaking(language string) func(*store.Arrival) {
	return func(a *store.Arrival) { a.Item.Language = language }
}

// poll saves one visit to a feed.
func (w *world) poll(at time.Time, outlet, feed string, items ...store.Arrival) {
	w.t.Helper()
	p := store.Poll{At: at, State: store.FeedState{Outlet: outlet, URL: feed, LastPoll: at, LastSuccess: at}, Arrivals: items}
	if _, err := w.st.SavePolls(w.t.Context(), p); err != nil {
		w.t.Fatal(err)
	}
}

// outlet is an outlet with one feed at https://ID.example/feed.
func outlet(id string, changes ...func(*Outlet)) Outlet {
	o := Outlet{ID: id, Name: strings.ToUpper(id), URL: "https://" + id + ".example/", Feeds: []Feed{{URL: feedOf(id), Interval: time.Hour}}}
	for _, change := range changes {
		change(&o)
	}
	return o
}

func feedOf(id string) string { return "https://" + id + ".example/feed" }

func priority(n int) func(*Outlet) { return func(o *Outlet) { o.Priority = n } }

func tagged(tags ...string) func(*Outlet) { return func(o *Outlet) { o.Tags = tags } }

// publication has the given outlets and sections.
func publication(outlets []Outlet, sections ...Section) Publication {
	for i := range sections {
		if sections[i].Title == "" {
			sections[i].Title = "Section " + sections[i].Slug
		}
	}
	return Publication{Title: "The Test", BaseURL: "https://paper.example/news", Language: "en",
		Outlets: outlets, Sections: sections, Digest: "one"}
}

func (w *world) publisher(pub Publication) *Publisher {
	w.t.Helper()
	p, err := New(pub, w.st, w.log)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) edition(p *Publisher) *Edition {
	w.t.Helper()
	e, err := p.Edition(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for d := range e.Documents() {
		checkDocument(w.t, d)
	}
	return e
}

// shown tells what a section lists, an item a line: "OUTLET title (also in OUTLET, OUTLET)".
func (w *world) shown(p *Publisher, slug string) []string {
	w.t.Helper()
	w.edition(p)
	for _, d := range p.desks {
		if d.section.Slug != slug {
			continue
		}
		lines := []string{}
		for _, e := range d.list.Items {
			s := e.Outlet.ID + " " + e.Title
			for i, a := range e.Also {
				s += []string{" +", ","}[min(i, 1)] + a.Outlet
			}
			lines = append(lines, s)
		}
		return lines
	}
	w.t.Fatalf("no section %s", slug)
	return nil
}
