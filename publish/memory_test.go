package publish

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"broadsheet/store"
)

func (w *world) remember(pub Publication) {
	w.t.Helper()
	if err := Remember(w.t.Context(), w.st, pub); err != nil {
		w.t.Fatal(err)
	}
}

// What is withdrawn is gone from everything, comes not back with the next poll, and stays gone when the configuration
// does not name it any more, until it is taken back.
func TestWithdraw(t *testing.T) {
	for name, withdrawn := range map[string]Withdrawal{
		"link":           {Entry: "https://a.example/SECRET"},
		"canonical link": {Entry: "http://www.a.example/SECRET?utm_source=x", Canonical: "https://a.example/SECRET"},
		"guid":           {Entry: "guid-1"},
		"outlet":         {Entry: "a"},
		"former id":      {Entry: "once-a"},
		"published id":   {}, // made below
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a := outlet("a")
			a.Formerly = []string{"once-a"}
			pub := publication([]Outlet{a, outlet("b")}, Section{Slug: "all"}, Section{Slug: "b", From: []string{"b"}}, Section{Slug: "kept", Stories: "keep"})
			poll := func(m int) {
				w.poll(month(1, m), "a", feedOf("a"), news("SECRET title", "https://a.example/SECRET", "<p>SECRET text</p>",
					func(a *store.Arrival) { a.Item.GUID = "guid-1" }))
			}
			poll(1)
			w.poll(month(1, 2), "b", feedOf("b"), news("Harmless", "https://a.example/SECRET?b=1", "<p>x</p>", func(a *store.Arrival) { a.Canonical = "https://b.example/1"; a.Item.Link = a.Canonical }))
			w.poll(month(2, 1), "b", feedOf("b"), news("February", "https://b.example/2", "<p>y</p>"))
			dir := t.TempDir()
			holds := func(when string, pub Publication, want bool) {
				t.Helper()
				p := w.publisher(pub)
				if _, err := p.Write(t.Context(), dir, w.st); err != nil {
					t.Fatal(err)
				}
				if _, err := WriteArchives(t.Context(), dir, w.st, p); err != nil {
					t.Fatal(err)
				}
				found := []string{}
				for path, body := range filesIn(t, dir) {
					if bytes.Contains(body, []byte("SECRET t")) {
						found = append(found, path)
					}
				}
				slices.Sort(found)
				if want != (len(found) > 0) {
					t.Errorf("%s: found in %v", when, found)
				}
				s := w.paper(pub)
				for _, path := range []string{"all.atom", "all/archive/2026-01.json", "kept/archive/2026-01.rss", "all/archive/2026-01"} {
					if got := strings.Contains(s.get("https://paper.example/news/"+path).Body.String(), "SECRET t"); got != want {
						t.Errorf("%s: %s shows it: %v", when, path, got)
					}
				}
			}
			holds("at first", pub, true)
			follower := w.paper(pub)
			if withdrawn.Entry == "" {
				withdrawn.Entry = follower.p.desks[0].list.Items[2].ID
			}
			with := pub
			with.Withdraw, with.Digest = []Withdrawal{withdrawn}, "two"
			w.remember(with)
			holds("withdrawn", with, false)
			// A process that shares the store does not know that configuration.
			follower.show()
			for _, path := range []string{"all.atom", "all/archive/2026-01.json"} {
				if strings.Contains(follower.get("https://paper.example/news/"+path).Body.String(), "SECRET t") {
					t.Errorf("another process still shows it in %s", path)
				}
			}
			holds("named no more", pub, false)
			poll(3)
			holds("listed again", pub, false)
			back := pub
			back.Withdraw = []Withdrawal{{Entry: withdrawn.Entry, Revoked: true}}
			w.remember(back)
			holds("taken back", pub, true)
		})
	}
}

// Other outlets of a story do not name what is withdrawn, and a story whose own id is withdrawn is gone as a whole.
func TestWithdrawFromStory(t *testing.T) {
	w := newWorld(t)
	link := "https://wire.example/1"
	w.poll(in("0s"), "a", feedOf("a"), news("From a", link, "x", func(a *store.Arrival) { a.Item.GUID = "https://a.example/?p=1" }))
	w.poll(in("1m"), "b", feedOf("b"), news("From b", link, "y", func(a *store.Arrival) { a.Item.GUID = "https://b.example/?p=1" }))
	pub := publication([]Outlet{outlet("a"), outlet("b")}, Section{Slug: "all"})
	equal(t, w.shown(w.publisher(pub), "all"), "a From a +b")
	pub.Withdraw = []Withdrawal{{Entry: "b"}}
	equal(t, w.shown(w.publisher(pub), "all"), "a From a")
	pub.Withdraw = []Withdrawal{{Entry: "https://b.example/?p=1"}}
	equal(t, w.shown(w.publisher(pub), "all"), "a From a")
	pub.Withdraw = []Withdrawal{{Entry: "https://a.example/?p=1"}}
	equal(t, w.shown(w.publisher(pub), "all"))
}

// What is withdrawn by its link stays so when its outlet edits the link; the copies of its story that others carry under links
// of their own stand there as before. Any spelling of the link takes it back.
func TestWithdrawnLinkIsEdited(t *testing.T) {
	w := newWorld(t)
	known := func(a *store.Arrival) { a.Item.GUID = "guid-1" }
	w.poll(in("0s"), "a", feedOf("a"), news("From a", "https://a.example/1", "x", known))
	w.poll(in("1m"), "b", feedOf("b"), news("From b", "https://b.example/1", "y", func(a *store.Arrival) { a.Original = "https://a.example/1" }))
	pub := publication([]Outlet{outlet("a"), outlet("b")}, Section{Slug: "all"})
	with, back := pub, pub
	with.Withdraw = []Withdrawal{{Entry: "http://www.a.example/1", Canonical: "https://a.example/1"}}
	back.Withdraw = []Withdrawal{{Entry: "https://a.example/1#top", Canonical: "https://a.example/1", Revoked: true}}
	equal(t, w.shown(w.publisher(pub), "all"), "a From a +b")
	w.remember(with)
	follower := w.publisher(pub)
	equal(t, w.shown(follower, "all"), "b From b")
	w.poll(in("2h"), "a", feedOf("a"), news("From a", "https://a.example/1-new", "x", known))
	equal(t, w.shown(follower, "all"), "b From b")
	w.remember(pub)
	equal(t, w.shown(w.publisher(pub), "all"), "b From b")
	w.remember(back)
	equal(t, w.shown(follower, "all"), "a From a +b")
}

// An outlet that is withdrawn stays so under its new id, also when its former one is named no more. Each of its ids takes it back.
func TestWithdrawnOutletIsRenamed(t *testing.T) {
	for _, back := range []string{"a", "c"} {
		w := newWorld(t)
		w.poll(in("0s"), "a", feedOf("a"), news("From a", "https://a.example/1", "x"))
		w.poll(in("1m"), "b", feedOf("b"), news("From b", "https://b.example/1", "y"))
		pub := publication([]Outlet{outlet("a"), outlet("b")}, Section{Slug: "all"})
		pub.Withdraw = []Withdrawal{{Entry: "a"}}
		w.remember(pub)
		if _, err := w.st.Rename(t.Context(), store.Rename{From: store.FeedName{Outlet: "a"}, To: store.FeedName{Outlet: "c"}}); err != nil {
			t.Fatal(err)
		}
		renamed := outlet("a")
		renamed.ID, renamed.Formerly = "c", []string{"a"}
		pub = publication([]Outlet{renamed, outlet("b")}, Section{Slug: "all"})
		w.remember(pub)
		equal(t, w.shown(w.publisher(pub), "all"), "b From b")
		taken := pub
		renamed.Formerly = nil
		pub = publication([]Outlet{renamed, outlet("b")}, Section{Slug: "all"})
		equal(t, w.shown(w.publisher(pub), "all"), "b From b")
		taken.Withdraw = []Withdrawal{{Entry: back, Revoked: true}}
		w.remember(taken)
		equal(t, w.shown(w.publisher(pub), "all"), "b From b", "c From a")
	}
}

func TestRemovedAndRenamed(t *testing.T) {
	w := newWorld(t)
	w.history()
	outlets := []Outlet{outlet("a"), outlet("b")}
	first := publication(outlets, Section{Slug: "world"}, Section{Slug: "dropped"}, Section{Slug: "secret", Key: "k"})
	w.remember(first)
	id := w.paper(first).p.desks[0].list.ID
	second := publication(outlets, Section{Slug: "globe", Formerly: []string{"world"}}, Section{Slug: "open", Formerly: []string{"secret"}, Key: "k"})
	w.remember(second)
	s := w.paper(second)
	if got := s.p.desks[0].list.ID; got != id {
		t.Errorf("the feed was %s and is %s", id, got)
	}
	for path, want := range map[string]struct {
		code     int
		location string
	}{
		"world":                           {308, "globe"},
		"world.html":                      {308, "globe.html"},
		"world.atom?a=b":                  {308, "globe.atom?a=b"},
		"world.opml":                      {308, "globe.opml"},
		"world/archive/2026-02.json":      {308, "../../globe/archive/2026-02.json"},
		"world/archive/2026-02":           {308, "../../globe/archive/2026-02"},
		"world/other":                     {404, ""},
		"world.pdf":                       {404, ""},
		"dropped":                         {410, ""},
		"dropped.rss":                     {410, ""},
		"dropped/archive/2026-02.atom":    {410, ""},
		"dropped.pdf":                     {404, ""},
		"never":                           {404, ""},
		"never/archive/2026-02.atom":      {404, ""},
		"secret.atom":                     {404, ""},
		"secret.atom?key=wrong":           {404, ""},
		"secret.atom?key=k":               {308, "open.atom?key=k"},
		"globe.atom":                      {200, ""},
		"globe/archive/2026-02.atom":      {200, ""},
		"open/archive/2026-02.atom":       {404, ""},
		"open/archive/2026-02.atom?key=k": {200, ""},
	} {
		for _, base := range []string{"/news/", "/"} {
			got := s.get("https://paper.example" + base + path)
			if got.Code != want.code || got.Header().Get("Location") != want.location {
				t.Errorf("%s: %d to %q, want %d to %q", base+path, got.Code, got.Header().Get("Location"), want.code, want.location)
			}
			// A reader in a browser, on another site, follows and learns what is gone, but of private sections nothing.
			asked, open := httptest.NewRecorder(), "*"
			if strings.Contains(path, "?key=k") {
				open = ""
			}
			s.h.ServeHTTP(asked, httptest.NewRequest("OPTIONS", "https://paper.example"+base+path, nil))
			if got.Header().Get("Access-Control-Allow-Origin") != open || asked.Header().Get("Access-Control-Allow-Origin") != open {
				t.Errorf("%s: %v; OPTIONS: %v", base+path, got.Header(), asked.Header())
			}
			if want.code == http.StatusPermanentRedirect && asked.Code != http.StatusNoContent {
				t.Errorf("OPTIONS %s: %d", base+path, asked.Code)
			}
		}
	}
	// A new section under the old name is another feed; the one that is renamed back is the same again.
	third := publication(outlets, Section{Slug: "globe"}, Section{Slug: "world"})
	w.remember(third)
	p := w.paper(third).p
	if a, b := p.desks[0].list.ID, p.desks[1].list.ID; a != id || b == id {
		t.Errorf("globe is %s, the new world %s", a, b)
	}
	w = newWorld(t)
	w.remember(first)
	id = w.paper(first).p.desks[0].list.ID
	w.remember(second)
	back := publication(outlets, Section{Slug: "world", Formerly: []string{"globe"}})
	w.remember(back)
	if got := w.paper(back).p.desks[0].list.ID; got != id {
		t.Errorf("renamed back, the feed was %s and is %s", id, got)
	}
	// Removed for good: also the private one is as if it never was.
	w.remember(publication(outlets))
	s = w.paper(publication(outlets))
	for path, want := range map[string]int{"world.atom": 410, "globe.atom": 410, "secret.atom": 404, "open": 404} {
		if got := s.get("https://paper.example/news/" + path).Code; got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
}

func TestPrivateSection(t *testing.T) {
	w := newWorld(t)
	w.history()
	const key = "s e&cret/1=canary"
	var log bytes.Buffer
	w.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	pub := publication([]Outlet{outlet("a"), outlet("b")}, Section{Slug: "open"}, Section{Slug: "closed", Title: "PRIVATE", Key: key})
	pub.Hub = "https://hub.example/"
	s := w.paper(pub)
	const base = "https://paper.example/news/"
	const query = "?key=s+e%26cret%2F1%3Dcanary"
	for _, path := range []string{"closed", "closed.html", "closed.atom", "closed.rss", "closed.json", "closed.opml", "closed/archive/2026-02.atom", "closed/archive/2026-02"} {
		nothing := s.get(base + strings.Replace(path, "closed", "never", 1))
		for _, tried := range []string{"", "?key=", "?key=wrong", query + "x", "?Key=" + query[5:]} {
			got := s.get(base + path + tried)
			if got.Code != nothing.Code || got.Body.String() != nothing.Body.String() || len(got.Header()) != len(nothing.Header()) {
				t.Errorf("%s%s: %d %v", path, tried, got.Code, got.Header())
			}
		}
		got := s.get(base + path + query)
		h := got.Header()
		if got.Code != 200 || !strings.HasPrefix(h.Get("Cache-Control"), "private,") || h.Get("Access-Control-Allow-Origin") != "" || h.Get("X-Robots-Tag") != "noindex" {
			t.Errorf("%s: %d %v", path, got.Code, h)
		}
		if strings.Contains(got.Body.String()+h.Get("Link"), "hub.example") {
			t.Errorf("%s names a hub", path)
		}
		again := httptest.NewRequest("GET", base+path+query, nil)
		again.Header.Set("If-None-Match", h.Get("ETag"))
		answer := httptest.NewRecorder()
		if s.h.ServeHTTP(answer, again); answer.Code != http.StatusNotModified {
			t.Errorf("%s: asked again: %d", path, answer.Code)
		}
		options := httptest.NewRecorder()
		if s.h.ServeHTTP(options, httptest.NewRequest("OPTIONS", base+path+query, nil)); options.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: other sites may read it", path)
		}
	}
	// Who has the key can follow all links of the section.
	for _, ending := range []string{".atom", ".rss", ".json"} {
		if _, archives, end := s.walk(base + "closed" + ending + query); len(archives) != 3 || end != "" {
			t.Errorf("%s: %d archives, then %q", ending, len(archives), end)
		}
	}
	for _, e := range []*Edition{w.edition(s.p), s.p.Rendered()} {
		for d := range e.Documents() {
			if strings.Contains(string(d.Body)+d.Links, "closed") || strings.Contains(string(d.Body), "PRIVATE") || strings.Contains(string(d.Body), "canary") || strings.HasPrefix(d.Path, "closed") {
				t.Errorf("%s tells of the private section", d.Path)
			}
		}
	}
	dir := t.TempDir()
	if _, err := s.p.Write(t.Context(), dir, w.st); err != nil {
		t.Fatal(err)
	}
	if _, err := WriteArchives(t.Context(), dir, w.st, s.p); err != nil {
		t.Fatal(err)
	}
	w.remember(pub)
	for path, body := range filesIn(t, dir) {
		if strings.HasPrefix(path, "closed") || bytes.Contains(body, []byte("closed")) || bytes.Contains(body, []byte("canary")) {
			t.Errorf("the file %s tells of the private section", path)
		}
	}
	if strings.Contains(log.String(), "canary") {
		t.Errorf("the log has the key: %s", log.String())
	}
}
