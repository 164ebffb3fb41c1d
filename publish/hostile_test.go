package publish

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
)

// hostile makes items of which no field is what it should be. The store was written by fetch, which cleans what
// outlets send; what is published must be valid even if it had not.
type hostile struct{ *rand.Rand }

func pick[T any](h hostile, of []T) T { return of[h.IntN(len(of))] }

var hostileTexts = []string{
	"", " ", "plain", "a\x00b\x08c\x0b\x1f\x7f\u0080\u009f", "\ufffe\uffff\ufdd0\U0001fffe", "\xed\xa0\x80\xff\xfe", "\u202eright\u2066to\u2069left\u200f\u200b", "\u2028\u2029\u0085\u00a0",
	"\ufeffmark", "👩‍👩‍👧‍👦🏳️‍🌈\U0001f1e9\U0001f1ea", "]]>", "<![CDATA[x]]>", "<!-- x --><?xml version='1.0'?>", "<!DOCTYPE x [<!ENTITY y 'z'>]>&y;", "<b>bold</b>", "<script>alert(1)</script>", "< b >", "a<b", "<", ">", "&",
	"&amp;", "&amp;amp;lt;b&amp;amp;gt;", "&lt;b&gt;x&lt;/b&gt;", "&#60;i&#62;", "&#x3c;script&#x3e;", "&#0;&#x1F;&#xD800;&#x110000;", "&nbsp;&copy;&bogus;&hellip", "AT&T", "R&amp;D", "x &lt y", "FÃ³rmula Ã©tÃ© â€œquoteâ€\u009d", "Â© 2026", "Â", "Ã", "Ã¢Â‚Â¬",
	"a\tb\r\nc\rd", "\"double\" 'single' `back`", "javascript:alert(1)", "desk@paper.example", "Ann <ann@paper.example>", "ann@paper.example (Ann)", "mailto:ann@paper.example", "https://a.example/?a=b&c=d", "http://", "/relative/path", "%", "%zz%00", "\\", "{}[]|^~",
	"مذاکرات", "東京", "ไทย", "e\u0301\u0301\u0301", "ﬁ ﷺ １２", strings.Repeat("long ", 200), strings.Repeat("x", 2000), strings.Repeat("&", 100), strings.Repeat("<i>", 60), "0", "-1", "true", "1e400", "\ue000 private", "&#128;&#150;", "<br/>", "</p>", "<p", "<img src=x onerror=alert(1)>", "<a href='/x'>x</a>",
}

var hostileAddresses = []string{
	"", " ", "https://a.example/1", " https://a.example/2 ", "https://a.example/a b", "https://a.example/\"q\"", "https://a.example/<x>", "https://a.example/[1]|{2}^`\\", "https://a.example/%", "https://a.example/%zz", "https://a.example/%e2%82%ac", "https://a.example/ä?ö=ü#ß",
	"https://a.example/?a=[1]&b={2}&c=a b", "https://a.example/#a#b", "https://a.example/?q=%", "https://bücher.example/", "https://xn--bcher-kva.example/", "https://xn--zzzzzzzz-.example/", "https://[::1]/", "https://[2001:db8::1]:8080/x", "https://[fe80::1%25eth0]/", "https://[zz]/", "https://192.0.2.1/", "https://0x7f.1/",
	"https://a.example:80/", "https://a.example:/x", "https://a.example:99999/", "https://a.example:x/", "https://user:pass@a.example/", "https://@a.example/", "http://a_b.example/", "http://-a.example/", "http://a..example/", "http://.example/", "http://a.example./", "http://localhost/x", "http://a/x.mp3", "http:///x", "http:x", "http:/x", "https:", "//a.example/x", "/x", "x", "?x", "#x",
	"mailto:ann@a.example", "mailto:ann@a.example?subject=a b", "javascript:alert(1)", "java\tscript:alert(1)", "JAVASCRIPT:x", "data:text/html,x", "data:image/png;base64,AAAA", "urn:uuid:1234", "tag:a.example,2026:x", "ftp://a.example/x", "file:///etc/passwd", "feed:https://a.example/", "about:blank", "tel:+123", "HTTPS://A.EXAMPLE/X", "https://a.example/../../x/./y", "https://a.example//x",
	"https://a.example/\x00\x1f", "https://a.example/\u202e", "https://a.example/😀", "https://😀.example/", "https://例え.テスト/", "https://a。example/", "https://a.example\\x", "https://a.example/x\ny", "https://a.example/" + strings.Repeat("x", 1500), "https://" + strings.Repeat("a", 300) + ".example/", "https://a.example/%ff%fe", "https://a.example/?%ff", "https://a.example/x.mp3", "https://a.example/x.MP3?y=1.jpg", "https://a.example?x", "https://a.example#x", "https://%61.example/", "https://a.example/;x,y:z@w!$'()*+",
	"https://A.example/", "https://a.example:443/x", "https://1.2.3/", "https://a.example/'", "https://a.example/x?y?z", "https://a.example/%2525", "https://ａ.example/", "https://a.b.c.d.e.f.example/", "https://a.example/\ufffd", "https://a.example/\xff",
}

var hostileTypes = []string{"", "audio/mpeg", "AUDIO/MPEG", "audio", "audio/", "/mpeg", "a/b/c", "text/html; charset=utf-8", "text/html;", "text/html; x", "*/*", "image/*", "video/mp4; codecs=\"a, b\"", "audio mpeg", "<b>/x", "日本/語", "application/x-" + strings.Repeat("a", 300), "application/rss+xml", "text/vtt\n", "a/b\x00"}

var hostileLanguages = []string{"", "en", "EN-us", "en_US", "zh-Hant-TW", "x-klingon", "i-default", "i-klingon", "art-lojban", "und", "mul", "zxx", "mis", "root", "C", "english", "Deutsch", "en-", "-", "e", "qaa", "qaa-QM", "de-CH-1996", "sl-rozaj-biske-1994", "en-a-bbb-x-a-ccc", "sr-Latn-RS", "iw", "in", "ji", "mo", "sh", "no-NO", "nb", "nn-NO", "cmn-Hans", "fil", "tl", "es-419", "en-UK", "en-GB-oed", "zh-min-nan", "ar-001", "en-US-u-ca-buddhist", "en-t-jp", "<b>", "en\x00", "日本語", strings.Repeat("a", 100), "en,de", "en;q=1", "hbs", "bih", "pt-BR", "ckb", "yue-HK", "gsw", "ast", "nds-NL", "sgn-BE-FR", "tlh", "jbo", "eng", "ger", "deu", "mo-MD", "zh-cmn-Hans-CN"}

var hostileTimes = []time.Time{{}, time.Unix(0, 0), time.Unix(-1<<40, 0), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(99999, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1990, 1, 1, 0, 0, 0, 0, time.FixedZone("", 14*3600)),
	time.Date(2026, 2, 28, 23, 59, 59, 999999999, time.FixedZone("X", -11*3600-1800)), start.Add(-time.Hour), start.Add(400 * 24 * time.Hour), time.Date(2016, 12, 31, 23, 59, 60, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(1989, 12, 31, 0, 0, 0, 0, time.UTC)}

var hostileNumbers = []int64{0, 1, -1, math.MinInt64, math.MaxInt64, 1 << 31, 1 << 40, 42}

// hostileFeeds are addresses that can be polled, as documents show them.
var hostileFeeds = slices.DeleteFunc(slices.Clone(hostileAddresses), func(s string) bool { return Address(s) == "" })

func (h hostile) text() string    { return pick(h, hostileTexts) }
func (h hostile) address() string { return pick(h, hostileAddresses) }

func (h hostile) any() string {
	switch h.IntN(4) {
	case 0:
		return h.address()
	case 1:
		return pick(h, hostileLanguages)
	case 2:
		return h.text() + h.text()
	}
	return h.text()
}

func (h hostile) markup() string {
	switch h.IntN(4) {
	case 0:
		return h.text()
	case 1:
		return fmt.Sprintf(`<p title="%s">%s<a href="%s">%s</a><img src="%s" alt="%s" width="%s"></p>`, h.text(), h.text(), h.address(), h.text(), h.address(), h.text(), h.text())
	case 2:
		return fmt.Sprintf("<table><tr><td>%s</table><ul>%s<li><p>%s</ul><blockquote cite='%s'>%s", h.text(), h.text(), h.text(), h.address(), h.text())
	}
	return fmt.Sprintf(`<p lang="%s" dir=rtl>%s</p><time datetime="%s">%s</time><del datetime="%s">x</del><ol start=%d><li>x</ol><pre>%s</pre><h1>%s</h1><a href="mailto:%s">%s</a>`,
		pick(h, hostileLanguages), h.text(), h.text(), h.text(), h.text(), pick(h, hostileNumbers), h.text(), h.text(), h.text(), h.text())
}

func (h hostile) duration() time.Duration { return time.Duration(pick(h, hostileNumbers)) }

func several[T any](h hostile, one func() T) (all []T) {
	for range h.IntN(4) {
		all = append(all, one())
	}
	return all
}

func (h hostile) author() store.Author {
	return store.Author{Name: h.any(), Email: h.any(), URL: h.address()}
}

func (h hostile) category() store.Category {
	return store.Category{Term: h.any(), Scheme: h.address(), Label: h.any()}
}

func (h hostile) file() store.PodcastFile {
	return store.PodcastFile{URL: h.address(), Type: pick(h, hostileTypes), Language: pick(h, hostileLanguages), Rel: h.any()}
}

func (h hostile) origin() store.Origin {
	return store.Origin{ID: h.any(), Title: h.any(), Subtitle: h.markup(), Link: h.address(), Feed: h.address(), Image: h.address(), Rights: h.any(),
		Updated: pick(h, hostileTimes), Issued: pick(h, hostileTimes), Authors: several(h, h.author), Categories: several(h, h.category)}
}

func (h hostile) podcast() store.Podcast {
	return store.Podcast{Title: h.any(), Type: pick(h, []string{"", "full", "Full", h.text()}), Season: int(pick(h, hostileNumbers)), SeasonName: h.any(), Episode: pick(h, []string{"", "3", "3.5", "0", "-1", "1e3", h.text()}), EpisodeName: h.any(),
		Explicit: pick(h, []string{"", "true", "false", "yes", "clean", h.text()}), Duration: h.duration(), Image: h.address(), Blocked: h.IntN(2) == 0, Chapters: h.file(), Transcripts: several(h, h.file),
		Persons: several(h, func() store.PodcastPerson {
			return store.PodcastPerson{Name: h.any(), Role: h.any(), Group: h.any(), Image: h.address(), URL: h.address()}
		})}
}

func (h hostile) arrival(n int) store.Arrival {
	a := news(h.any(), h.address(), h.markup())
	it, b := &a.Item, &a.Body
	a.Canonical = fmt.Sprintf("https://a.example/%d", n) // one item each
	it.GUID = fmt.Sprintf("%s#%d", h.any(), n)
	if h.IntN(2) == 0 {
		it.GUID = fmt.Sprintf("%d%s", n, h.any())
	}
	if h.IntN(8) == 0 {
		it.GUID = h.any()
	}
	it.Lead, it.Language, it.Detected, it.Image = h.any(), pick(h, hostileLanguages), pick(h, hostileLanguages), h.address()
	it.Authors, it.Categories = several(h, h.author), several(h, h.category)
	it.Enclosures = several(h, func() store.Enclosure {
		return store.Enclosure{URL: h.address(), Type: pick(h, hostileTypes), Length: pick(h, hostileNumbers), Title: h.any(), Duration: h.duration()}
	})
	if h.IntN(3) == 0 { // what directories of podcasts take
		it.Enclosures = []store.Enclosure{{URL: fmt.Sprintf("https://a.example/%d.mp3", n), Type: pick(h, hostileTypes), Length: pick(h, hostileNumbers), Duration: h.duration()}}
	}
	b.Summary, b.Comments, b.Rights, b.License = h.markup(), h.address(), h.any(), h.address()
	b.Published, b.Updated = pick(h, hostileTimes), pick(h, hostileTimes)
	b.Pictures = several(h, func() store.Picture {
		return store.Picture{URL: h.address(), Width: int(pick(h, hostileNumbers)), Height: int(pick(h, hostileNumbers)), Caption: h.any(), Credit: h.any()}
	})
	b.Podcast, b.Feed, b.Origin = h.podcast(), h.origin(), h.origin()
	it.Text = hash(it.Title, b.Summary, b.Content, a.Canonical)
	return a
}

// TestHostile: whatever the store holds, and the configuration says, what is published is valid.
func TestHostile(t *testing.T) {
	h := hostile{rand.New(rand.NewPCG(6, 4287))}
	w := newWorld(t)
	var outlets []Outlet
	for i := range 20 {
		id := fmt.Sprintf("o%d", i)
		name := h.any()
		if i == 0 {
			name = "\b \u0085" // blank
		}
		outlets = append(outlets, Outlet{ID: id, Name: name, URL: h.address(), Language: pick(h, hostileLanguages), Rights: h.any(), Feeds: []Feed{{URL: feedOf(id), Shown: pick(h, hostileFeeds)}}})
		var arrivals []store.Arrival
		for n := range 20 {
			arrivals = append(arrivals, h.arrival(100*i+n))
		}
		for n := range 1000 / (1 + 999*i) { // a thousand of the first item
			arrivals[0].Item.Categories = append(arrivals[0].Item.Categories, store.Category{Term: fmt.Sprint(n, h.text()), Scheme: h.address()})
		}
		w.poll(in(fmt.Sprintf("%dh", i)), id, feedOf(id), arrivals...)
	}
	section := func(slug string) Section {
		return Section{Slug: slug, Title: h.any(), Description: h.any(), Stories: "keep"}
	}
	full, excerpts, titles, casts := section("full"), section("excerpts"), section("titles"), section("casts")
	excerpts.Content, titles.Content = "excerpt", "title"
	casts.Itunes = Itunes{Author: h.any(), Owner: h.any(), Email: "desk@paper.example", Category: "News", Subcategory: "Politics", Image: "https://paper.example/cover.jpg"}
	pub := publication(outlets, full, excerpts, titles, casts)
	pub.Title, pub.AlsoInText = h.text(), true
	e := w.edition(w.publisher(pub))
	t.Run("W3C validator", func(t *testing.T) {
		checkout := os.Getenv("BROADSHEET_FEEDVALIDATOR")
		if checkout == "" {
			t.Skip("needs the W3C feed validator: README, \"What is published\", has how to get it")
		}
		dir := t.TempDir()
		for d := range e.Documents() {
			if err := os.WriteFile(filepath.Join(dir, d.Path), d.Body, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		validator := exec.CommandContext(t.Context(), "/usr/bin/python3", "testdata/w3c.py", dir)
		validator.Env = append(os.Environ(), "PYTHONPATH="+filepath.Join(checkout, "src"))
		if out, err := validator.CombinedOutput(); err != nil {
			t.Errorf("%v\n%.3000s", err, out)
		}
	})
}
