package publish

import (
	"bytes"
	"image/png"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"broadsheet/store"
)

// everything is a publication whose pages have all that pages may have.
func everything(w *world) Publication {
	pictured := func(a *store.Arrival) { a.Item.Image = "https://a.example/i.png" }
	filed := func(a *store.Arrival) {
		a.Item.Enclosures = []store.Enclosure{{URL: "https://a.example/a.mp3", Type: "audio/mpeg"}}
		a.Body.Rights = "© A"
	}
	w.poll(in("0s"), "a", feedOf("a"), news("One", "https://a.example/1", "<h2>A heading</h2><p>text</p><h5>Another</h5>"+strings.Repeat("<p>long text</p>", 200), pictured),
		news("Two", "https://a.example/2", `<p>x</p><img src="https://a.example/2.png"><a href="https://a.example/"><img src="https://a.example/3.png"></a>`, filed))
	w.poll(in("1h"), "b", feedOf("b"), news("مذاکرات", "https://b.example/1", "<p>متن</p>", speaking("fa")), news("One", "https://a.example/1", "<p>carried</p>"))
	pub := publication([]Outlet{outlet("a"), outlet("b")}, Section{Slug: "all", Description: "Everything"}, Section{Slug: "only-b", From: []string{"b"}}, Section{Slug: "none", From: []string{"c"}})
	pub.Sections = pub.Sections[:2]
	pub.Images, pub.Footer = true, "[Imprint](https://paper.example/imprint)"
	return pub
}

// tree is a page as browsers read it.
func tree(t *testing.T, d *Document) *html.Node {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(d.Body))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func each(root *html.Node, do func(*html.Node)) {
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			do(n)
		}
	}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func reads(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return line(b.String())
}

// Pages are for everybody: what a screen reader and a keyboard need, and nothing that runs or tells others who reads.
func TestPagesAreAccessible(t *testing.T) {
	w := newWorld(t)
	e := w.edition(w.publisher(everything(w)))
	pages := 0
	for d := range e.Documents() {
		if d.ContentType != typeHTML {
			continue
		}
		pages++
		ids, names, landmarks := map[string]bool{}, map[string]int{}, []string{}
		level := 0
		each(tree(t, d), func(n *html.Node) {
			if id := attr(n, "id"); id != "" {
				if ids[id] {
					t.Errorf("%s: two elements have the id %s", d.Path, id)
				}
				ids[id] = true
			}
			names[n.Data]++
			switch n.Data {
			case "html":
				if attr(n, "lang") != "en" || attr(n, "dir") != "ltr" {
					t.Errorf("%s: <html lang=%q dir=%q>", d.Path, attr(n, "lang"), attr(n, "dir"))
				}
			case "h1", "h2", "h3", "h4", "h5", "h6":
				now := int(n.Data[1] - '0')
				if now > level+1 || reads(n) == "" {
					t.Errorf("%s: <%s>%s after level %d", d.Path, n.Data, reads(n), level)
				}
				level = now
			case "a":
				if reads(n) == "" {
					t.Errorf("%s: a link to %s without words", d.Path, attr(n, "href"))
				}
			case "img":
				alt := slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "alt" })
				if !alt || attr(n, "loading") != "lazy" || attr(n, "referrerpolicy") != "no-referrer" {
					t.Errorf("%s: %v", d.Path, n.Attr)
				}
			case "article":
				if attr(n, "dir") != "auto" {
					t.Errorf("%s: an item without a direction of its own", d.Path)
				}
				if strings.Contains(reads(n), "مذاکرات") && attr(n, "lang") != "fa" {
					t.Errorf("%s: an item without its language", d.Path)
				}
			case "header", "main", "footer", "nav", "aside":
				landmarks = append(landmarks, n.Data)
			case "script", "style", "iframe", "form", "svg":
				t.Errorf("%s has <%s>", d.Path, n.Data)
			}
		})
		each(tree(t, d), func(n *html.Node) {
			for _, name := range []string{"href", "aria-labelledby"} {
				to := attr(n, name)
				if id, ok := strings.CutPrefix(to, "#"); (ok || name != "href" && to != "") && !ids[id] {
					t.Errorf("%s: %s=%q leads nowhere", d.Path, name, to)
				}
			}
		})
		for _, want := range []string{"header", "main", "footer", "nav"} {
			if !slices.Contains(landmarks, want) {
				t.Errorf("%s has no <%s>", d.Path, want)
			}
		}
		if names["h1"] != 1 || names["main"] != 1 {
			t.Errorf("%s has %d <h1> and %d <main>", d.Path, names["h1"], names["main"])
		}
	}
	if pages != 5 {
		t.Errorf("%d pages", pages)
	}
}

func TestFrontPage(t *testing.T) {
	w := newWorld(t)
	e := w.edition(w.publisher(everything(w)))
	var titles []string
	each(tree(t, e.Document("index.html")), func(n *html.Node) {
		if n.Data == "article" {
			each(n, func(c *html.Node) {
				if c.Data == "h2" || c.Data == "h3" {
					titles = append(titles, c.Data+" "+reads(c))
				}
			})
		}
	})
	// What most outlets carry leads; each story stands there once.
	if want := []string{"h2 One", "h3 مذاکرات", "h3 Two"}; !slices.Equal(titles, want) {
		t.Errorf("the front page has %q, want %q", titles, want)
	}
	body := string(e.Document("index.html").Body)
	for _, want := range []string{
		`<link rel="alternate" type="application/atom+xml" title="Section only-b (Atom)" href="only-b.atom">`, "Latest news of 1 March 2026", `<a href="https://paper.example/imprint">Imprint</a>`,
		`<a href="sections.opml">`, `aria-label="Section all: RSS"`, "Also in",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the front page lacks %s", want)
		}
	}
	if section := string(e.Document("all.html").Body); !strings.Contains(section, "https://paper.example/news/all.atom</span>") || !strings.Contains(section, `id="subscribe"`) {
		t.Error("a section does not say how to subscribe")
	}
}

// What the operator says of the pages holds on all of them.
func TestLook(t *testing.T) {
	w := newWorld(t)
	pub := everything(w)
	pub.Images, pub.Language, pub.Sheet = false, "fa", []byte("body { color: teal }")
	pub.Location = time.FixedZone("Asia/Tehran", 3*3600+1800)
	e := w.edition(w.publisher(pub))
	for d := range e.Documents() {
		if d.ContentType != typeHTML {
			continue
		}
		body := string(d.Body)
		if strings.Contains(body, "<img") || strings.Contains(strings.ReplaceAll(body, "favicon.png", ""), ".png") {
			t.Errorf("%s has a picture", d.Path)
		}
		ours, own := strings.Index(body, "style.css"), strings.Index(body, "own.css")
		if ours < 0 || own < ours || !strings.HasPrefix(body, "<!DOCTYPE html>\n<html lang=\"fa\" dir=\"rtl\">") || !strings.Contains(body, "رفتن به خبرها") || !strings.Contains(body, "Asia/Tehran") {
			t.Errorf("%s: %.300s", d.Path, body)
		}
	}
	for path, size := range map[string]int{"icon.png": 512, "favicon.png": 128} { // JSON Feed wants them that large, RSS no larger than 144
		if c, err := png.DecodeConfig(bytes.NewReader(e.Document(path).Body)); err != nil || c.Width != size || c.Height != size {
			t.Errorf("%s: %v, %v", path, c, err)
		}
	}
	if d := e.Document("own.css"); d == nil || d.ContentType != typeCSS || string(d.Body) != string(pub.Sheet) {
		t.Error("the operator's sheet is not served")
	}
	if body := string(e.Document("all.html").Body); !strings.Contains(body, "1 مارس 2026, 16:30") || !strings.Contains(body, "a.mp3") {
		t.Error("another time zone, or no file")
	}
	if body := string(e.Document("feed.css").Body); !strings.Contains(body, speech["fa"].FeedIntro) || strings.Contains(body, "INTRODUCTION") {
		t.Error("feeds in a window do not say what they are")
	}
	if w := wordsIn("xx-YY"); w.Lang != "en" || w.Subscribe != "Subscribe" {
		t.Errorf("%+v", w)
	}
	for tag, w := range speech {
		for _, s := range []string{w.Lang, w.Skip, w.Sections, w.Latest, w.More, w.Empty, w.NoSection, w.AlsoIn, w.FullText, w.File, w.Why, w.Subscribe, w.HowTo, w.EverySection,
			w.Outlets, w.Months, w.Earlier, w.Later, w.AllSections, w.Times, w.Missing, w.Gone, w.FeedIntro, w.SeeAlso, w.Day, w.YearDay} {
			if s == "" {
				t.Errorf("%s lacks a word", tag)
			}
		}
		if months := strings.Fields(w.Calendar); len(months) != 12 {
			t.Errorf("%s has the months %q", tag, months)
		}
	}
}

// A page says no more of a date than its reader needs.
func TestDates(t *testing.T) {
	at := time.Date(2026, time.March, 1, 16, 5, 0, 0, time.UTC)
	for tag, want := range map[string][4]string{
		"en": {"1 March 2026, 16:05", "16:05", "1 March", "1 March 2026"},
		"de": {"1. März 2026, 16:05", "16:05", "1. März", "1. März 2026"},
		"es": {"1 de marzo de 2026, 16:05", "16:05", "1 de marzo", "1 de marzo de 2026"},
	} {
		w := wordsIn(tag)
		got := [4]string{w.moment(at), w.short(at, at.Add(7*time.Hour)), w.short(at, at.AddDate(0, 0, 30)), w.short(at, at.AddDate(1, 0, 0))}
		if got != want {
			t.Errorf("%s: %q, want %q", tag, got, want)
		}
	}
}

func TestExtent(t *testing.T) {
	for _, c := range []struct {
		duration time.Duration
		length   int64
		want     string
	}{{0, 0, ""}, {0, 20_000, ""}, {0, 27_400_000, ", 27 MB"}, {65 * time.Second, 1 << 30, ", 1:05"}, {7261 * time.Second, 0, ", 2:01:01"}} {
		if got := extent(&store.Enclosure{Duration: c.duration, Length: c.length}); got != c.want {
			t.Errorf("%v, %d bytes: %q, want %q", c.duration, c.length, got, c.want)
		}
	}
}

// Where a title of a whole paragraph leads, it takes smaller letters.
func TestLongTitles(t *testing.T) {
	w := newWorld(t)
	title := strings.Repeat("слово ", 14)
	w.poll(in("0s"), "a", feedOf("a"), news("Short", "https://a.example/1", "text"), news(title, "https://a.example/2", "text"))
	w.poll(in("1h"), "b", feedOf("b"), news(title, "https://b.example/2", "another text"))
	e := w.edition(w.publisher(publication([]Outlet{outlet("a"), outlet("b")}, Section{Slug: "a", From: []string{"a"}, Exclude: []string{"слово"}}, Section{Slug: "b", From: []string{"b"}})))
	classes := map[string]string{}
	each(tree(t, e.Document("index.html")), func(n *html.Node) {
		if n.Data == "article" {
			classes[attr(n, "class")] = reads(n)
		}
	})
	if !strings.HasPrefix(classes["lead long"], "Section b слово") || !strings.HasPrefix(classes["first"], "Short") {
		t.Errorf("%q", classes)
	}
}

// Pages go in the direction of the language that the configuration names, also where they have to name a wider one.
func TestDirection(t *testing.T) {
	for language, want := range map[string]string{"ckb": "ku rtl", "ku": "ku ltr", "fa": "fa rtl", "en": "en ltr", "x-ours": "en ltr"} {
		pub := publication(nil)
		pub.Language = language
		if p := newWorld(t).publisher(pub).pageOf("", "", 0); p.Language+" "+p.Direction != want {
			t.Errorf("%s: %s %s", language, p.Language, p.Direction)
		}
	}
}
