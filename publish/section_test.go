package publish

import (
	"slices"
	"testing"
	"time"
)

// equal compares what a section shows with what is wanted.
func equal(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("shown:\n  %q\nwanted:\n  %q", got, want)
	}
}

// shows says what one section of these outlets shows.
func (w *world) shows(s Section, outlets ...Outlet) []string {
	w.t.Helper()
	s.Slug = "s"
	return w.shown(w.publisher(publication(outlets, s)), "s")
}

func TestFrom(t *testing.T) {
	w := newWorld(t)
	a := outlet("a", tagged("world"))
	b := outlet("b")
	b.Feeds = append(b.Feeds, Feed{URL: "https://b.example/sport", Tags: []string{"sport"}})
	c := outlet("c")
	c.Feeds[0].Private = true
	w.poll(in("1m"), "a", feedOf("a"), news("one", "https://a.example/1", "x"))
	w.poll(in("2m"), "b", feedOf("b"), news("two", "https://b.example/2", "x"))
	w.poll(in("3m"), "b", "https://b.example/sport", news("three", "https://b.example/3", "x"), news("two", "https://b.example/2", "x"))
	w.poll(in("4m"), "c", feedOf("c"), news("secret", "https://c.example/4", "x"))
	w.poll(in("5m"), "gone", feedOf("gone"), news("gone", "https://gone.example/5", "x"))
	w.poll(in("6m"), "b", "https://b.example/old", news("unlisted feed", "https://b.example/6", "x"))
	for _, test := range []struct {
		from []string
		want []string
	}{
		{nil, []string{"b three", "b two", "a one"}},
		{[]string{"a"}, []string{"a one"}},
		{[]string{"tag:world"}, []string{"a one"}},
		{[]string{"tag:sport"}, []string{"b three", "b two"}},
		{[]string{feedOf("b")}, []string{"b two"}},
		{[]string{"a", feedOf("b")}, []string{"b two", "a one"}},
		{[]string{"c"}, []string{}},
	} {
		equal(t, w.shows(Section{From: test.from}, a, b, c), test.want...)
	}
	c.Feeds = append(c.Feeds, Feed{URL: "https://c.example/public"})
	w.poll(in("7m"), "c", "https://c.example/public", news("secret", "https://c.example/4", "x"))
	p := w.publisher(publication([]Outlet{c}, Section{Slug: "s"}))
	equal(t, w.shown(p, "s"), "c secret")
	if e := p.desks[0].list.Items[0]; e.Content+e.Summary != "" || e.Feed.URL != "https://c.example/public" {
		t.Errorf("the private feed's version is shown: %+v", e)
	}
	if _, err := New(publication([]Outlet{a}, Section{Slug: "s", From: []string{"nobody", "tag:none"}}), w.st, w.log); err == nil {
		t.Error("unknown names in from are taken")
	}
}

func TestWords(t *testing.T) {
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"iran", "Iran's parliament", true},
		{"iran", "IRAN: talks", true},
		{"iran", "Iranian talks", false},
		{"iran", "Tehran-Iran talks", true},
		{"IRAN", "talks in iran", true},
		{"climate change", "Climate\u00a0 change now", true},
		{"climate change", "climate changes", false},
		{"o'neill", "Mr O’Neill said", true},
		{"café", "Cafe\u0301 society", true},
		{"straße", "Die STRASSE", false},
		{"ΟΔΟΣ", "η οδός", false},
		{"οδος", "ΟΔΟΣ", true},
		{"иран", "Переговоры: ИРАН и США", true},
		{"иран", "иранский", false},
		{"北京", "今天在北京举行", true},
		{"ai", "生成AI技术", true},
		{"ai", "said", false},
		{"東京", "東京都", true},
		{"ไทย", "ประเทศไทยวันนี้", true},
		{"ایران", "دولت ایران اعلام کرد", true},
		{"ایران", "ایرانیان", false},
		{"می\u200cرود", "او می\u200cرود خانه", true},
		{"c++", "in C++ today", true},
		{"g7", "the G7 summit", true},
		{"g7", "the G77 summit", false},
		{"/iran(ian)?s?/", "IRANIANS", true},
		{"/^iran/", "talks in iran", false},
		{"/(?-i:US)/", "tell us", false},
		{"/(?-i:US)/", "the US", true},
	} {
		p, err := newPattern(test.pattern)
		if err != nil {
			t.Errorf("%s: %v", test.pattern, err)
			continue
		}
		if got := p.in(prepare(test.text)); got != test.want {
			t.Errorf("%s in %q: %v", test.pattern, test.text, got)
		}
	}
	for _, bad := range []string{"", "  ", "/(/", "/a*/"} {
		if _, err := newPattern(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestFilters(t *testing.T) {
	w := newWorld(t)
	w.poll(in("1m"), "a", feedOf("a"),
		news("Oil and Iran", "https://a.example/1", "<p>prices</p>", speaking("en")),
		news("Football", "https://a.example/2", "<p>In <b>Iran</b>, too</p>", speaking("en-GB")),
		news("Wetter", "https://a.example/3", "<p>Regen</p>", speaking("de")),
		news("Sans langue", "https://a.example/4", "<p>x</p>"))
	a := outlet("a")
	for _, test := range []struct {
		section Section
		want    []string
	}{
		{Section{Include: []string{"iran"}}, []string{"a Oil and Iran", "a Football"}},
		{Section{Include: []string{"iran", "regen"}}, []string{"a Oil and Iran", "a Football", "a Wetter"}},
		{Section{Include: []string{"iran"}, Exclude: []string{"/foot/"}}, []string{"a Oil and Iran"}},
		{Section{Exclude: []string{"iran"}}, []string{"a Wetter", "a Sans langue"}},
		{Section{Languages: []string{"EN"}}, []string{"a Oil and Iran", "a Football", "a Sans langue"}},
		{Section{Languages: []string{"en-GB", "de"}}, []string{"a Football", "a Wetter", "a Sans langue"}},
		{Section{Where: `title contains "Iran"`}, []string{"a Oil and Iran"}},
		{Section{Where: `text contains "Iran" and language == "en-GB"`}, []string{"a Football"}},
		{Section{Where: `content startsWith "<p>R"`}, []string{"a Wetter"}},
		{Section{Where: `words > 1 && host == "a.example" && outlet == "a" && "x" not in tags`}, []string{"a Football"}},
		{Section{Where: `published > date("2026-03-01") && coverage == 1 && len(enclosures) == 0 && len(authors) == 0`},
			[]string{"a Oil and Iran", "a Football", "a Wetter", "a Sans langue"}},
		{Section{Where: `categories[0] == "x"`}, []string{}}, // fails on every item
		{Section{Where: `any(1..1000000, # > 5)`}, []string{}},
		{Section{Limit: 2}, []string{"a Oil and Iran", "a Football"}},
	} {
		equal(t, w.shows(test.section, a), test.want...)
	}
	a.Language = "fr"
	equal(t, w.shows(Section{Languages: []string{"fr"}}, a), "a Sans langue")
}

func TestBounds(t *testing.T) {
	w := newWorld(t)
	w.poll(in("0s"), "a", feedOf("a"),
		news("a1", "https://a.example/1", "x", dated(in("-1h"))),
		news("a2", "https://a.example/2", "x", dated(in("-2h"))),
		news("a3", "https://a.example/3", "x", dated(in("-240h"))))
	w.poll(in("48h"), "b", feedOf("b"), news("b1", "https://b.example/1", "x", dated(in("-30h"))))
	a, b := outlet("a"), outlet("b")
	equal(t, w.shows(Section{}, a, b), "a a1", "a a2", "b b1", "a a3")
	equal(t, w.shows(Section{Limit: 3}, a, b), "a a1", "a a2", "b b1")
	equal(t, w.shows(Section{MaxPerOutlet: 1}, a, b), "a a1", "b b1")
	// Newest arrival: b's, 48 h after a's.
	equal(t, w.shows(Section{MaxAge: 49*time.Hour + 30*time.Minute}, a, b), "a a1")
	equal(t, w.shows(Section{MaxAge: 80 * time.Hour}, a, b), "a a1", "a a2", "b b1")
	// Of what the section admits: without b nothing arrived since a's.
	equal(t, w.shows(Section{MaxAge: 90 * time.Minute}, a), "a a1")
	equal(t, w.shows(Section{MaxAge: 90 * time.Minute, From: []string{"a"}}, a, b), "a a1")
}

func TestCheckSection(t *testing.T) {
	got := CheckSection(Section{
		Include: []string{"fine", "/[/", "/case/i", "/r/all"}, Exclude: []string{""}, Where: `titel contains "x"`,
	})
	var keys []string
	for _, p := range got {
		keys = append(keys, p.Key)
		t.Log(p.Key + ": " + p.Text)
	}
	equal(t, keys, "include[1]", "include[2]", "exclude[0]", "where")
	for _, where := range []string{`title`, `words + 1`, `published > now()`, `title contains`, `$env`, `words contains "x"`, `titel == ""`} {
		if p := CheckSection(Section{Where: where}); len(p) != 1 {
			t.Errorf("%s: %v", where, p)
		} else {
			t.Log(p[0].Text)
		}
	}
}
