package fetch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// judged is what the policy makes of one tag.
func judged(tag string) string { return markupPolicy().Sanitize(tag + "\n") }

// Whatever a mistake in markup let through, the policy does not.
func TestPolicyIsAsked(t *testing.T) {
	for tag, want := range map[string]string{
		`<a href="javascript:alert(1)" rel="nofollow noopener noreferrer">`: `<a rel="nofollow noopener noreferrer">`,
		`<img src="https://outlet.example/a.jpg" alt="" onerror="x()">`:     `<img src="https://outlet.example/a.jpg" alt="">`,
		`<p style="x" title="t">`:                      `<p title="t">`,
		`<iframe src="https://outlet.example/">`:       "",
		`<a href="https://outlet.example/" title="t">`: `<a href="https://outlet.example/" title="t">`,
	} {
		if got := approve([]byte(tag + "\n<b lang=\"en\">\n")); len(got) != 2 || string(got[0]) != want || string(got[1]) != `<b lang="en">` {
			t.Errorf("%s: %q, want %q", tag, got, want)
		}
	}
}

func TestUsualTag(t *testing.T) {
	for tag, want := range map[string]bool{
		`<a href="https://outlet.example/a?b=1&amp;c=%C3%A9" rel="nofollow noopener noreferrer">`:             true,
		`<a href="https://outlet.example/" rel="nofollow noopener noreferrer" title="it&#39;s &#34;so&#34;">`: true,
		`<img src="http://outlet.example/a.jpg" alt="" width="640" height="480">`:                             true,
		`<img src="http://outlet.example/a.jpg" alt="a" onerror="x">`:                                         false,
		`<a href="https://outlet.example/'" rel="nofollow noopener noreferrer">`:                              false,
		`<a href="https://outlet.example/%zz" rel="nofollow noopener noreferrer">`:                            false,
		`<a href="https://user@outlet.example/" rel="nofollow noopener noreferrer">`:                          false,
		`<a href="javascript:alert(1)" rel="nofollow noopener noreferrer">`:                                   false,
		`<a href="https://outlet.example/" alt="a">`:                                                          false,
		`<p title="a" lang="en-GB" dir="rtl">`:                                                                true,
		`<p dir="auto">`:                                                                                      false,
		`<a title="a" href="https://outlet.example/" rel="nofollow noopener noreferrer">`:                     true,
		`<a title="a" rel="nofollow noopener noreferrer">`:                                                    false,
		`<a href="https://outlet.example/" href="https://outlet.example/">`:                                   false,
		`<span title="a">`: false,
		`<img src="https://outlet.example/a.jpg" width="1e9">`: false,
		`<img src="https://outlet.example/a.jpg"`:              false,
		`<img src="https://outlet.example/a.jpg" >`:            false,
	} {
		if got := usualTag([]byte(tag)); got != want {
			t.Errorf("%s: %v", tag, got)
		}
		if want && judged(tag) != tag+"\n" {
			t.Errorf("%s: the policy makes it %s", tag, judged(tag))
		}
	}
}

// FuzzUsualTag: what the policy is not asked about, it would have passed as it is.
func FuzzUsualTag(f *testing.F) {
	for _, attack := range attacks {
		var m markup
		m.sanitise(attack, testAddress())
		for tag := range strings.Lines(string(m.tags)) {
			f.Add(strings.TrimSuffix(tag, "\n"))
		}
		f.Add(`<a href="` + attack + `" rel="nofollow noopener noreferrer">`)
		f.Add(`<a href="https://outlet.example/` + attack + `" rel="nofollow noopener noreferrer">`)
		f.Add(`<img src="https://outlet.example/" alt="` + attack + `">`)
	}
	f.Add(`<img src="https://outlet.example/" alt="a" alt="">`)
	for _, s := range []string{"?a=1&amp;b=%7E;c", "//../%2e/*!$()", "#.a%20/?(b)", "a:b@c,d+e?f/g?h=~", "a%25%C3%A9"} {
		f.Add(`<p title="` + s + `" lang="en" dir="ltr">`)
		f.Add(`<a href="https://outlet.example/` + s + `" rel="nofollow noopener noreferrer" title="a &amp; b &#34;é&#39;">`)
		f.Add(`<img src="http://outlet.example/` + s + `" alt="&lt;&gt; 東京" width="1" height="99999">`)
	}
	f.Fuzz(func(t *testing.T, tag string) {
		if tag = clean(tag); strings.Contains(tag, "\n") || !usualTag([]byte(tag)) {
			return
		}
		if got := judged(tag); got != tag+"\n" {
			t.Fatalf("%q: the policy makes it %q", tag, got)
		}
	})
}

// TestUsualTags: of the tags of real documents nearly all are usual, and the policy agrees.
func TestUsualTags(t *testing.T) {
	names, _ := filepath.Glob(filepath.Join(sharedData, "feeds/*.xml"))
	if len(names) == 0 {
		t.Skip("needs the project's data in ../shared/data")
	}
	usual, all := 0, 0
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		d, err := parseDocument(body, "", testAddress())
		if err != nil {
			continue
		}
		for i := range d.Arrivals {
			for piece := range strings.SplitAfterSeq(d.Arrivals[i].Body.Summary+d.Arrivals[i].Body.Content, ">") {
				at := strings.LastIndex(piece, "<")
				if at < 0 || !strings.Contains(piece[at:], `="`) {
					continue
				}
				tag := piece[at:]
				if all++; usualTag([]byte(tag)) {
					usual++
				}
				if got := judged(tag); got != tag+"\n" {
					t.Errorf("%s: %q: the policy makes it %q", filepath.Base(name), tag, got)
				}
			}
		}
	}
	t.Logf("%d of %d tags with attributes are usual", usual, all)
	if 100*usual < 90*all {
		t.Errorf("only %d of %d tags with attributes are usual", usual, all)
	}
}
