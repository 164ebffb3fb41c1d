package publish

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"broadsheet/store"
)

func TestExcerpt(t *testing.T) {
	filler := strings.Repeat("Word ", 80) // 400 characters without an end
	for text, want := range map[string]string{
		"":                                    "",
		"Short.":                              "Short.",
		"One sentence. " + filler:             "One sentence.",
		"One. Two! Three? " + filler:          "One. Two! Three?",
		"He said “no.” Then " + filler:        "He said “no.”",
		"A sentence (in brackets.) " + filler: "A sentence (in brackets.)",
		"Prices rose 3.5 percent. " + filler:  "Prices rose 3.5 percent.",
		"Mr. Smith of the U.S. Army came. He " + filler:       "Mr. Smith of the U.S. Army came.",
		"J. R. Ewing went. And then " + filler:                "J. R. Ewing went.",
		"See example.org for more. Then " + filler:            "See example.org for more.",
		"It was … strange. But " + filler:                     "It was … strange.",
		"東京で地震がありました。" + strings.Repeat("余震", 200):            "東京で地震がありました。",
		"نص قصير؟ " + filler:                                  "نص قصير؟",
		strings.Repeat("Ten chars. ", 40):                     strings.TrimSpace(strings.Repeat("Ten chars. ", 27)),
		strings.Repeat("x", excerptLength-2) + ".” " + filler: strings.Repeat("x", excerptLength-2) + ".”",
		strings.Repeat("x", excerptLength-1) + ".” " + filler: strings.Repeat("x", excerptLength-1) + "…",
		filler: strings.TrimSpace(filler[:5*59]) + "…",
	} {
		if got := excerpt(text); got != want {
			t.Errorf("excerpt(%.40q…) = %q, want %q", text, got, want)
		}
		if n := utf8.RuneCountInString(excerpt(text)); n > excerptLength {
			t.Errorf("%d characters: %q", n, excerpt(text))
		}
	}
}

// What an outlet does not permit stands in no document, archive or file.
func TestContentLeaksNowhere(t *testing.T) {
	w := newWorld(t)
	text := func(id string) string {
		return fmt.Sprintf(`<p>The <b>%s</b> begins. %s</p><p><img src="https://%s.example/inner.jpg" alt=""> And %s-SECRET ends it.</p>`,
			id, strings.Repeat("It goes on & on for long. ", 30), id, id)
	}
	for _, month := range []string{"0s", "744h", "1488h"} {
		for _, id := range []string{"full", "brief", "bare", "free"} {
			w.poll(in(month), id, feedOf(id), news("Title "+id, "https://"+id+".example/"+month, text(id), func(a *store.Arrival) {
				a.Body.Rights = "© " + id
				a.Body.Summary = "A summary by " + id + ", which is long: " + strings.Repeat("again and again, ", 30) + id + "-SECRET."
				a.Item.Image = "https://" + id + ".example/outer.jpg"
				a.Item.Enclosures = []store.Enclosure{{URL: "https://" + id + ".example/sound.mp3", Type: "audio/mpeg", Length: 9}}
			}), news("", "https://"+id+".example/untitled/"+month, id+"-LEAD and nothing else"))
		}
	}
	content := func(c string) func(*Outlet) { return func(o *Outlet) { o.Content = c } }
	outlets := []Outlet{outlet("full"), outlet("brief", content("excerpt")), outlet("bare", content("title")), outlet("free", content("full"))}
	loose := publication(outlets, Section{Slug: "all", Stories: "link", Content: "full"}, Section{Slug: "strict", From: []string{"free"}, Content: "title"})
	all := map[string]*Document{}
	dir := t.TempDir()
	p := w.publisher(loose)
	for d := range w.edition(p).Documents() {
		all[d.Path] = d
	}
	if _, err := p.Write(t.Context(), dir, w.st); err != nil {
		t.Fatal(err)
	}
	if _, err := WriteArchives(t.Context(), dir, w.st, p); err != nil {
		t.Fatal(err)
	}
	for path, body := range filesIn(t, dir) {
		if d := all[path]; d == nil {
			all[path] = &Document{Path: path, Body: body}
		} else if !bytes.Equal(d.Body, body) {
			t.Errorf("%s is another file than document", path)
		}
	}
	if archives := 2 * 2 * 4; len(all) != len(slices.Collect(w.edition(p).Documents()))+archives {
		t.Errorf("%d documents", len(all))
	}
	for path, d := range all {
		body := string(d.Body)
		for _, secret := range []string{"brief-SECRET", "bare-SECRET", "bare.example/outer.jpg", "bare.example/sound.mp3", "bare.example/inner.jpg", "brief.example/inner.jpg", "bare-LEAD"} {
			if strings.Contains(body, secret) {
				t.Errorf("%s holds %s", path, secret)
			}
		}
		if strings.HasPrefix(path, "strict") && (strings.Contains(body, "-SECRET") || strings.Contains(body, "-LEAD")) {
			t.Errorf("%s holds more than its section may", path)
		}
		feed := strings.HasSuffix(path, ".atom") || strings.HasSuffix(path, ".rss") || strings.HasSuffix(path, ".json")
		if !feed || !strings.HasPrefix(path, "all") {
			continue
		}
		for _, kept := range []string{"full-SECRET", "brief.example/outer.jpg", "brief.example/sound.mp3", "© bare", "© brief", "https://bare.example/"} {
			if kept == "brief.example/outer.jpg" && !strings.HasSuffix(path, ".json") {
				continue // the XML formats have no room for a picture beside the text
			}
			if !strings.Contains(body, kept) && (kept[:4] != "© b" || !strings.HasSuffix(path, ".json")) {
				t.Errorf("%s lacks %s", path, kept)
			}
		}
	}

	// A stricter policy moves no date.
	strict := loose
	strict.Digest = "two"
	strict.Sections = []Section{{Slug: "all", Title: "Section all", Stories: "link", Content: "title"}}
	before, after := p.desks[0].list, func() *list { q := w.publisher(strict); w.edition(q); return q.desks[0].list }()
	for i := range before.Items {
		a, b := before.Items[i], after.Items[i]
		if a.ID != b.ID || !a.Updated.Equal(b.Updated) || !a.Published.Equal(b.Published) || b.Summary+b.Content != "" {
			t.Errorf("%s: %v %v, under the stricter policy %s: %v %v", a.ID, a.Updated, a.Published, b.ID, b.Updated, b.Published)
		}
	}
	if !before.Updated.Equal(after.Updated) {
		t.Errorf("updated moved from %v to %v", before.Updated, after.Updated)
	}
}

// A text that came by a feed that was polled with a secret stands in no document unless its outlet says so, whatever the
// configuration makes of that feed later, or leaves out.
func TestSecretTextLeaksNowhere(t *testing.T) {
	const private, public = "https://a.example/paid", "https://a.example/feed"
	secret := func(a *store.Arrival) { a.Body.Secret = true }
	feeds := func(feeds ...Feed) func(*Outlet) { return func(o *Outlet) { o.Feeds = feeds } }
	republished := func(o *Outlet) { o.Republish = true }
	for name, test := range map[string]struct {
		outlet Outlet
		rename bool
		shown  []string
		text   bool
	}{
		"private":                 {outlet: outlet("a", feeds(Feed{URL: private, Private: true}, Feed{URL: public})), shown: []string{"a Both", "a https://a.example/2"}},
		"gone":                    {outlet: outlet("a"), shown: []string{"a Both", "a https://a.example/2"}},
		"renamed to a public one": {outlet: outlet("a"), rename: true, shown: []string{"a Both", "a https://a.example/2", "a Paid"}},
		"public by now":           {outlet: outlet("a", feeds(Feed{URL: private}, Feed{URL: public})), shown: []string{"a Both", "a https://a.example/2", "a Paid"}},
		"republished":             {outlet: outlet("a", feeds(Feed{URL: private}, Feed{URL: public}), republished), shown: []string{"a Both", "a SECRET text of 2", "a Paid"}, text: true},
		"gone, republished":       {outlet: outlet("a", republished), shown: []string{"a Both", "a SECRET text of 2"}, text: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			items := func(changes ...func(*store.Arrival)) []store.Arrival {
				return []store.Arrival{
					news("Both", "https://a.example/1", "<p>SECRET text of 1</p>", changes...),
					news("", "https://a.example/2", "<p>SECRET text of 2</p>", changes...),
				}
			}
			w.poll(month(1, 1), "a", private, append(items(secret), news("Paid", "https://a.example/3", "<p>SECRET text of 3</p>", secret))...)
			w.poll(month(1, 2), "a", public, items()...)
			w.poll(month(2, 1), "b", feedOf("b"), news("February", "https://b.example/1", "<p>x</p>")) // so that there is an archive
			if test.rename {
				if _, err := w.st.Rename(t.Context(), store.Rename{From: store.FeedName{Outlet: "a", URL: private}, To: store.FeedName{Outlet: "a", URL: public}}); err != nil {
					t.Fatal(err)
				}
			}
			p := w.publisher(publication([]Outlet{test.outlet, outlet("b")}, Section{Slug: "a", From: []string{"a"}}, Section{Slug: "all", Stories: "keep"}))
			if got := w.shown(p, "a"); !slices.Equal(got, test.shown) {
				t.Errorf("shown is %q, want %q", got, test.shown)
			}
			dir := t.TempDir()
			if _, err := p.Write(t.Context(), dir, w.st); err != nil {
				t.Fatal(err)
			}
			if _, err := WriteArchives(t.Context(), dir, w.st, p); err != nil {
				t.Fatal(err)
			}
			files := filesIn(t, dir)
			if files["a/archive/2026-01.atom"] == nil {
				t.Error("no archive")
			}
			for path, body := range files {
				if !test.text && bytes.Contains(body, []byte("SECRET")) {
					t.Errorf("%s holds the text", path)
				} else if strings.HasSuffix(path, ".atom") && !bytes.Contains(body, []byte("SECRET")) && test.text && path != "all/archive/2026-02.atom" {
					t.Errorf("%s lacks the text", path)
				}
			}
		})
	}
}
