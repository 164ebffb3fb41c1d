package publish

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
)

// filesIn reads all files of a folder and the folders in it.
func filesIn(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		body, err := os.ReadFile(filepath.Join(dir, path))
		files[path] = body
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// paper serves a publisher's editions at the addresses that its documents name.
type paper struct {
	*world
	p *Publisher
	h *Handler
}

func (w *world) paper(pub Publication) *paper {
	w.t.Helper()
	s := &paper{w, w.publisher(pub), NewHandler(pub.BaseURL)}
	s.show()
	return s
}

func (s *paper) show() {
	s.t.Helper()
	s.h.Show(s.edition(s.p))
}

func (s *paper) get(address string) *httptest.ResponseRecorder {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, httptest.NewRequestWithContext(s.t.Context(), "GET", address, nil))
	return w
}

// A visit is what a client wants of a feed in any format.
type visit struct {
	ids   []string
	links map[string]string // by relation
	body  string
	whole bool // it says that it is an archive
}

func (s *paper) read(address string) visit {
	s.t.Helper()
	w := s.get(address)
	if w.Code != http.StatusOK {
		s.t.Fatalf("%s: %d %s", address, w.Code, w.Body)
	}
	out := visit{links: map[string]string{}, body: w.Body.String()}
	path, _, _ := strings.Cut(strings.TrimPrefix(address, "https://paper.example/news/"), "?")
	checkDocument(s.t, &Document{Path: path, Body: w.Body.Bytes(), ETag: w.Header().Get("ETag"), Modified: start, MaxAge: time.Minute})
	switch filepath.Ext(path) {
	case ".json":
		var feed struct {
			FeedURL string                `json:"feed_url"`
			NextURL string                `json:"next_url"`
			Items   []struct{ ID string } `json:"items"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &feed); err != nil {
			s.t.Fatal(err)
		}
		for _, it := range feed.Items {
			out.ids = append(out.ids, it.ID)
		}
		out.links["self"] = feed.FeedURL
		if feed.NextURL != "" {
			out.links["prev-archive"] = feed.NextURL
		}
	default:
		top := parseXML(s.t, path, w.Body.Bytes()).children[0]
		link, entry, id := "link", "entry", "id"
		if top.name == "rss" {
			top, link, entry, id = top.get("channel"), "atom:link", "item", "guid"
		}
		for _, l := range top.all(link) {
			out.links[l.attrs["rel"]] = l.attrs["href"]
		}
		for _, e := range top.all(entry) {
			out.ids = append(out.ids, e.get(id).text)
		}
		out.whole = len(top.all("fh:archive")) == 1
	}
	if out.links["self"] != address {
		s.t.Errorf("%s calls itself %s", address, out.links["self"])
	}
	return out
}

// walk follows prev-archive from a feed to where the chain ends, and returns the archives.
func (s *paper) walk(address string) (feed visit, archives map[string]visit, end string) {
	s.t.Helper()
	feed, archives = s.read(address), map[string]visit{}
	for at := feed.links["prev-archive"]; at != ""; {
		if s.get(at).Code == http.StatusGone {
			return feed, archives, at
		}
		if _, again := archives[at]; again {
			s.t.Fatalf("the chain leads to %s again", at)
		}
		archives[at] = s.read(at)
		at = archives[at].links["prev-archive"]
	}
	return feed, archives, ""
}

// month is a time in a month of 2026.
func month(m time.Month, day int) time.Time { return time.Date(2026, m, day, 7, 0, 0, 0, time.UTC) }

// history fills a store with items of two outlets, some of them in both, from January to a day of April.
func (w *world) history() (ids []string) {
	w.t.Helper()
	for n, at := 0, month(1, 3); at.Before(month(4, 9)); n, at = n+1, at.Add(50*time.Hour) {
		o := []string{"a", "b"}[n%2]
		link := fmt.Sprintf("https://wire.example/%d", n)
		w.poll(at, o, feedOf(o), news(fmt.Sprint("Item ", n), link, fmt.Sprintf("<p>Text of %d.</p>", n), dated(at.Add(-time.Hour))))
		if n%4 == 0 { // the other one has it two days later, perhaps in the next month
			o = []string{"b", "a"}[n%2]
			w.poll(at.Add(49*time.Hour), o, feedOf(o), news(fmt.Sprint("Copy ", n), link, "<p>Copied.</p>"))
		}
		ids = append(ids, link)
	}
	return ids
}

func archiveSections() []Section {
	return []Section{{Slug: "all", Limit: 5}, {Slug: "kept", Stories: "keep", Limit: 3}, {Slug: "b", From: []string{"b"}, Limit: 2, MaxAge: 48 * time.Hour, MaxPerOutlet: 1}}
}

// TestOnlyArchive: one month that is over is no link of a chain yet; with the second it becomes one.
func TestOnlyArchive(t *testing.T) {
	w := newWorld(t)
	w.poll(month(1, 3), "a", feedOf("a"), news("one", "https://a.example/1", "x"))
	w.poll(month(2, 3), "a", feedOf("a"), news("two", "https://a.example/2", "x"))
	s := w.paper(publication([]Outlet{outlet("a")}, Section{Slug: "all"}))
	const january = "https://paper.example/news/all/archive/2026-01"
	for _, ending := range []string{".atom", ".rss"} {
		if a := s.read(january + ending); a.whole || len(a.ids) != 1 || a.links["current"] == "" {
			t.Errorf("%s: %+v", ending, a)
		}
	}
	w.poll(month(3, 3), "a", feedOf("a"), news("three", "https://a.example/3", "x"))
	s.show()
	for _, ending := range []string{".atom", ".rss"} {
		if a := s.read(january + ending); !a.whole || a.links["next-archive"] == "" {
			t.Errorf("%s: %+v", ending, a)
		}
	}
}

func TestArchives(t *testing.T) {
	w := newWorld(t)
	pub := publication([]Outlet{outlet("a"), outlet("b")}, archiveSections()...)
	empty := w.paper(pub)
	if f := empty.read("https://paper.example/news/all.atom"); f.links["prev-archive"] != "" {
		t.Error("an empty store has archives")
	}
	w.history()
	s := w.paper(pub)
	const base = "https://paper.example/news/"
	before := map[string]visit{}
	for _, section := range archiveSections() {
		for _, ending := range []string{".atom", ".rss", ".json"} {
			feed, archives, end := s.walk(base + section.Slug + ending)
			if end != "" || len(archives) != 3 {
				t.Fatalf("%s%s: %d archives, then %q", section.Slug, ending, len(archives), end)
			}
			maps.Copy(before, archives)
			seen := map[string]string{}
			for at, a := range archives {
				for _, id := range a.ids {
					if seen[id] != "" {
						t.Errorf("%s stands in %s and %s", id, seen[id], at)
					}
					seen[id] = at
				}
				xml := ending != ".json"
				if xml && (!a.whole || a.links["current"] != base+section.Slug+ending) {
					t.Errorf("%s: an archive: %v, of %s", at, a.whole, a.links["current"])
				}
				if next := a.links["next-archive"]; xml && (next == "") != strings.Contains(at, "2026-03") || next != "" && archives[next].links["prev-archive"] != at {
					t.Errorf("%s leads on to %q", at, next)
				}
			}
			if feed.links["prev-archive"] != base+section.Slug+"/archive/2026-03"+ending {
				t.Errorf("%s%s leads to %s", section.Slug, ending, feed.links["prev-archive"])
			}
			// With the month that is not over, the chain has all that was ever admitted.
			open := s.read(base + section.Slug + "/archive/2026-04" + ending)
			if open.whole || open.links["next-archive"] != "" || open.links["prev-archive"] != feed.links["prev-archive"] {
				t.Errorf("the open month: an archive: %v, links %v", open.whole, open.links)
			}
			unbound := section
			unbound.Limit, unbound.MaxAge, unbound.MaxPerOutlet = 0, 0, 0
			all := w.paper(publication(pub.Outlets, unbound)).read(base + section.Slug + ending).ids
			got := slices.Concat(slices.Collect(maps.Keys(seen)), open.ids)
			slices.Sort(got)
			slices.Sort(all)
			if !slices.Equal(got, all) {
				t.Errorf("%s%s: %d ids in archives, %d in all", section.Slug, ending, len(got), len(all))
			}
			for _, id := range feed.ids {
				if !slices.Contains(all, id) {
					t.Errorf("%s is in the feed only", id)
				}
			}
		}
	}
	for path, code := range map[string]int{
		"all/archive/2026-04.atom": 200, "all/archive/2026-02": 200, "all/archive/2026-02.html": 200,
		"all/archive/2025-12.atom": 404, "all/archive/2026-05.atom": 404, "all/archive/2026-13.atom": 404, "all/archive/2026-02.opml": 404,
		"all/archive": 404, "none/archive/2026-02.atom": 404, "all/archive/2026-02.atom/x": 404,
	} {
		if w := s.get(base + path); w.Code != code {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	checkHTML(t, "all/archive/2026-02.html", s.get(base+"all/archive/2026-02").Body.String())
	if body := s.get(base + "all").Body.String(); !strings.Contains(body, `href="all/archive/2026-03.html"`) || strings.Contains(body, "archive/2026-04") {
		t.Error("the page of the section names the wrong months")
	}

	unchanged := func(when string, but ...string) {
		t.Helper()
		s.show()
		for at, a := range before {
			if slices.ContainsFunc(but, func(month string) bool { return strings.Contains(at, month) }) {
				continue
			}
			if got := s.get(at); got.Body.String() != a.body {
				t.Errorf("%s, %s is another: %d", when, at, got.Code)
			}
			if got := w.paper(pub).get(at); got.Body.String() != a.body {
				t.Errorf("%s, %s is another in the next process: %d", when, at, got.Code)
			}
		}
	}
	w.poll(month(4, 20), "a", feedOf("a"), news("more", "https://a.example/more", "x"))
	unchanged("after news")
	w.poll(month(5, 2), "a", feedOf("a"), news("May", "https://a.example/may", "x"))
	unchanged("after the month's end", "2026-03")
	march := base + "all/archive/2026-03.atom"
	if got := s.read(march); !slices.Equal(got.ids, before[march].ids) || got.links["next-archive"] != base+"all/archive/2026-04.atom" {
		t.Errorf("March: %v, on to %s", got.ids, got.links["next-archive"])
	}
	// An edit shows, and changes no entry's place.
	w.poll(month(5, 3), "a", feedOf("a"), news("Item 2, corrected", "https://wire.example/2", "<p>Text of 2.</p>", dated(month(1, 6))))
	s.show()
	january := base + "all/archive/2026-01.atom"
	if got := s.read(january); !slices.Equal(got.ids, before[january].ids) || !strings.Contains(got.body, "Item 2, corrected") {
		t.Errorf("January after an edit: %v", got.ids)
	}
	// The first item of January goes, and January with it. The other months stay as they are.
	if n, err := w.st.Prune(t.Context(), month(1, 4), 100); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	unchanged("after pruning", "2026-01", "2026-03")
	for _, ending := range []string{".atom", ".rss", ".json"} {
		_, archives, end := s.walk(base + "all" + ending)
		if len(archives) != 3 || end != base+"all/archive/2026-01"+ending {
			t.Errorf("%s: %d archives, then %s", ending, len(archives), end)
		}
	}
	for _, path := range []string{"all/archive/2026-01", "kept/archive/2026-01.json", "all/archive/2025-01.rss"} {
		w := s.get(base + path)
		if w.Code != http.StatusGone {
			t.Errorf("%s: %d", path, w.Code)
		}
		if people := !strings.Contains(path, "."); people != strings.Contains(w.Body.String(), "<h1 lang=\"en\">This page was here once") {
			t.Errorf("%s: %s", path, w.Body)
		}
	}
	// All of January goes. Stories that began in it do not come up in February.
	if _, err := w.st.Prune(t.Context(), month(2, 1), 100); err != nil {
		t.Fatal(err)
	}
	s.show()
	february := base + "all/archive/2026-02.atom"
	if got := s.read(february); !slices.Equal(got.ids, before[february].ids) {
		t.Errorf("February: %v, before %v", got.ids, before[february].ids)
	}
	if _, err := w.st.Prune(t.Context(), month(12, 1), 1000); err != nil {
		t.Fatal(err)
	}
	s.show()
	if f := s.read(base + "all.atom"); f.links["prev-archive"] != "" || s.get(march).Code != http.StatusGone {
		t.Error("all is pruned, and there are archives")
	}
}

// Files of archives are those that are served, are written when a month ends, and are touched no more.
func TestWriteArchives(t *testing.T) {
	w := newWorld(t)
	sections := append(archiveSections(), Section{Slug: "secret", Key: "k"})
	pub := publication([]Outlet{outlet("a"), outlet("b")}, sections...)
	dir := t.TempDir()
	write := func(pub Publication) int {
		t.Helper()
		p := w.publisher(pub)
		if _, err := p.Write(t.Context(), dir, w.st); err != nil {
			t.Fatal(err)
		}
		n, err := WriteArchives(t.Context(), dir, w.st, p)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := write(pub); n != 0 {
		t.Errorf("%d archives of nothing", n)
	}
	w.history()
	if n := write(pub); n != 3*3*4 {
		t.Errorf("%d files, want those of three months of three sections", n)
	}
	s := w.paper(pub)
	for path, body := range filesIn(t, dir) {
		if got := s.get("https://paper.example/news/" + path); got.Body.String() != string(body) {
			t.Errorf("%s: the file is another than what is served: %d", path, got.Code)
		}
		if strings.Contains(path, "secret") || strings.Contains(path, "2026-04") || strings.HasPrefix(filepath.Base(path), ".") {
			t.Errorf("%s was written", path)
		}
	}
	expect := func(when string, want int) {
		t.Helper()
		if n := write(pub); n != want {
			t.Errorf("%s: %d files written, want %d", when, n, want)
		}
	}
	expect("nothing new", 0)
	w.poll(month(4, 20), "a", feedOf("a"), news("more", "https://a.example/more", "x"))
	expect("news", 0)
	os.WriteFile(filepath.Join(dir, "all/archive/2026-02.rss"), []byte("broken"), 0o644)
	expect("a broken file", 1)
	w.poll(month(5, 3), "a", feedOf("a"), news("May", "https://a.example/may", "x"),
		news("Item 2, corrected", "https://wire.example/2", "<p>Text of 2.</p>", dated(month(1, 6))))
	// April is over, March leads on to it but in JSON, and January has another title in two sections.
	expect("an edit in the next month", 3*4+3*3+2*4)
	expect("nothing new", 0)
	if _, err := w.st.Prune(t.Context(), month(1, 4), 100); err != nil {
		t.Fatal(err)
	}
	write(pub)
	for path := range filesIn(t, dir) {
		if strings.Contains(path, "2026-01") {
			t.Errorf("%s is still there", path)
		}
	}
	fewer := pub
	fewer.Sections, fewer.Digest = sections[:1], "two"
	write(fewer)
	if _, err := os.Stat(filepath.Join(dir, "b")); err == nil {
		t.Error("the folder of a section that is gone is still there")
	}
}

// Archives are rendered while sections are chosen: neither disturbs what the other's condition finds.
func TestArchivesBesideSections(t *testing.T) {
	w := newWorld(t)
	p := w.publisher(publication([]Outlet{outlet("a")}, Section{Slug: "all", Where: `any(split(title, " "), # == "n") and not (title contains "x")`}))
	const many = 200
	var all []store.Arrival
	for n := range many {
		all = append(all, news(fmt.Sprint("a b c n ", n), fmt.Sprint("https://a.example/", n), "<p>b</p>"))
	}
	w.poll(start, "a", feedOf("a"), all...)
	w.edition(p)
	d, failed := p.desks[0], make(chan string, 1)
	go func() {
		defer close(failed)
		for range 50 {
			if found, err := p.shelf.choose(t.Context(), d.archivist, store.Month(start)); err != nil || len(found) != many {
				failed <- fmt.Sprintf("%d items in the archive, %v", len(found), err)
				return
			}
		}
	}()
	for range 50 {
		if v, err := d.chooser.choose(t.Context()); err != nil || len(v.Choices) != many {
			t.Errorf("%d items in the section, %v", len(v.Choices), err)
			break
		}
	}
	if text, ok := <-failed; ok {
		t.Error(text)
	}
}

// What another process withdraws between two editions is in no archive that is handed out after that.
func TestArchivesWithoutWhatIsWithdrawn(t *testing.T) {
	w := newWorld(t)
	w.history()
	pub := publication([]Outlet{outlet("a"), outlet("b")}, Section{Slug: "all"})
	p := w.publisher(pub)
	w.edition(p)
	const link = "https://wire.example/2"
	holding := func() (n int) {
		t.Helper()
		bound, archives, err := p.Archives(t.Context(), Bound{})
		if err != nil || bound.Digest != p.digest() {
			t.Fatal(bound.Digest, err)
		}
		for a, err := range archives {
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range a.Documents {
				if strings.Contains(string(d.Body), ">Item 2<") || strings.Contains(string(d.Body), `"Item 2"`) {
					n++
				}
			}
		}
		return n
	}
	if holding() == 0 {
		t.Fatal("there is nothing to withdraw")
	}
	pub.Withdraw = []Withdrawal{{Entry: link, Canonical: link}}
	if err := Remember(t.Context(), w.st, pub); err != nil {
		t.Fatal(err)
	}
	if n := holding(); n > 0 {
		t.Errorf("%d documents with what is withdrawn", n)
	}
}
