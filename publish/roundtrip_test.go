package publish

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mmcdole/gofeed"

	"broadsheet/store"
)

// texts makes random plain texts of what stands in real ones.
type texts struct{ *rand.Rand }

var pieceOfText = strings.Split("word|"+`naïve|Łódź|東京|مذاکرات|“quoted”|it’s|AT&T|R&D|a < b|3 > 2|&amp;|&lt;p&gt;|50 %|#tag|C++|{x}|[1]|\|👩‍🚀|é|ﷺ|ß|–|…|"double"|'single'|]]>|<!--|$1|a@b|tag:x|１２|ไทย|한국어`+"|e\u0301", "|")

func (r texts) text(n int) string {
	words := make([]string, 1+r.IntN(n))
	for i := range words {
		words[i] = pieceOfText[r.IntN(len(pieceOfText))]
	}
	return strings.Join(words, " ")
}

// markup makes a text of the HTML that the store holds.
func (r texts) markup(n int) string {
	var b strings.Builder
	for range 1 + r.IntN(n) {
		text := escapeText.Replace(r.text(8))
		switch r.IntN(5) {
		case 0:
			fmt.Fprintf(&b, `<p>%s <em>%s</em></p>`, text, text)
		case 1:
			fmt.Fprintf(&b, `<p><a href="https://a.example/?a=1&amp;b=%d" rel="nofollow noopener noreferrer">%s</a></p>`, r.IntN(99), text)
		case 2:
			fmt.Fprintf(&b, `<figure><img src="https://a.example/%d.jpg" alt="%d" width="640"><figcaption>%s</figcaption></figure>`, r.IntN(99), r.IntN(9), text)
		case 3:
			fmt.Fprintf(&b, "<ul><li>%s</li><li>%s</li></ul>", text, text)
		default:
			fmt.Fprintf(&b, "<p>%s</p>", text)
		}
	}
	return b.String()
}

func (r texts) item(i int) store.Arrival {
	link := fmt.Sprintf("https://a.example/%d?x=%d&y=2", i, r.IntN(9))
	return news(r.text(9), link, r.markup(5), dated(in(fmt.Sprintf("-%dm", r.IntN(60*24*20)))), func(a *store.Arrival) {
		it, b := &a.Item, &a.Body
		switch r.IntN(4) {
		case 0:
			it.GUID = strconv.Itoa(i)
		case 1:
			it.GUID = fmt.Sprintf("tag:a.example,2026:%d", i)
		}
		if r.IntN(2) == 0 {
			b.Summary = r.markup(2)
		}
		if r.IntN(3) == 0 {
			b.Updated = b.Published.Add(time.Duration(r.IntN(600)) * time.Minute)
		}
		for n := range r.IntN(3) {
			it.Authors = append(it.Authors, store.Author{Name: fmt.Sprintf("%s %d", strings.ReplaceAll(r.text(2), "a@b", "Ann"), n)}) // gofeed takes "a@b" for an address
			it.Categories = append(it.Categories, store.Category{Term: fmt.Sprintf("%s %d", r.text(2), n)})
			it.Enclosures = append(it.Enclosures, store.Enclosure{URL: fmt.Sprintf("https://a.example/%d-%d.mp3?a=1&b=2", i, n), Type: "audio/mpeg", Length: r.Int64N(1 << 40)})
		}
		if r.IntN(3) == 0 {
			b.Comments = fmt.Sprintf("https://a.example/%d?a=1&b=2#comments", i)
			b.Origin = store.Origin{Title: r.text(3), Link: "https://wire.example/"}
			b.License = "https://creativecommons.example/by/4.0/"
		}
		for n := range r.IntN(3) {
			b.Pictures = append(b.Pictures, store.Picture{URL: fmt.Sprintf("https://a.example/%d-%d.jpg?a=1&b=2", i, n), Width: 640, Caption: r.text(3)})
		}
		it.Language = []string{"", "en", "fa", "zh-Hant"}[r.IntN(4)]
	})
}

// reading is what another program makes of an item.
type reading struct {
	ID, Title, Link, Summary, Text string
	Published, Updated             time.Time
	Authors, Tags, Files           []string
	Source, SourceID, Rights       string

	// What gofeed does not tell.
	Pictures, Links    []string // each link with its relation
	Comments, Language string
}

// TestRoundTrip: what others read in our documents is what the section lists, and that is what is stored.
func TestRoundTrip(t *testing.T) {
	w := newWorld(t)
	a := Outlet{ID: "a", Name: "The “A” & Co.", URL: "https://a.example/", Language: "en", Rights: "© A & B", Feeds: []Feed{{URL: feedOf("a")}}}
	p := w.publisher(publication([]Outlet{a}, Section{Slug: "all"}))
	r := texts{rand.New(rand.NewPCG(20260301, 1))}
	stored := map[string]store.Arrival{}
	for round := range 4 {
		var arrivals []store.Arrival
		for i := range 30 {
			arrivals = append(arrivals, r.item(100*round+i))
			stored[arrivals[i].Item.Link] = arrivals[i]
		}
		w.poll(in(fmt.Sprintf("%dm", round)), "a", feedOf("a"), arrivals...)
	}
	e := w.edition(p)
	l := p.desks[0].list
	if len(l.Items) != len(stored) {
		t.Fatalf("%d items listed, %d stored", len(l.Items), len(stored))
	}

	var want []reading
	for i := range l.Items {
		x := &l.Items[i]
		s := stored[x.Link]
		if title := s.Item.Title; !strings.Contains(title, "<!--") && x.Title != title {
			t.Errorf("listed as %q, stored as %q", x.Title, title)
		}
		if x.Content != "" && x.Content != s.Body.Content || x.Summary != firstText(s.Body.Summary, s.Body.Content) {
			t.Errorf("%s: the text is another than the stored one", x.ID)
		}
		if !x.Published.Equal(s.Body.Published) {
			t.Errorf("%s: published %v, stored as %v", x.ID, x.Published, s.Body.Published)
		}
		one := reading{ID: x.ID, Title: x.Title, Link: x.Link, Summary: x.Summary, Language: x.Language, Comments: x.Comments, Text: firstText(x.Content, x.Summary), Published: x.Published.Truncate(time.Second), Updated: x.Updated,
			Source: "The “A” & Co.", SourceID: x.Source.ID, Rights: "© A & B"}
		for _, who := range x.Authors {
			one.Authors = append(one.Authors, who.Name)
		}
		for _, tag := range x.Tags {
			one.Tags = append(one.Tags, tag.Term)
		}
		for _, f := range x.Files {
			one.Files = append(one.Files, fmt.Sprintf("%s %s %d", f.URL, f.Type, f.Length))
		}
		for _, f := range x.Pictures {
			one.Pictures = append(one.Pictures, f.URL)
		}
		if x.License != "" {
			one.Links = append(one.Links, "license "+x.License)
		}
		if x.Via.Link != "" {
			one.Links = append(one.Links, "via "+x.Via.Link)
		}
		if x.Comments != s.Body.Comments || len(one.Pictures) != len(s.Body.Pictures) || len(one.Links) > 0 != (s.Body.License != "") || x.Language != cmp.Or(s.Item.Language, "en") {
			t.Errorf("%s: %+v is listed of %+v", x.ID, x, s.Body)
		}
		if len(one.Tags) != len(s.Item.Categories) || len(one.Files) != len(s.Item.Enclosures) {
			t.Errorf("%s: %v and %v, stored are %v and %v", x.ID, one.Tags, one.Files, s.Item.Categories, s.Item.Enclosures)
		}
		want = append(want, one)
	}

	for _, path := range []string{"all.rss", "all.atom", "all.json"} {
		t.Run("gofeed "+path, func(t *testing.T) { sameReadings(t, path, "gofeed", readWithGofeed(t, e.Document(path).Body), want) })
	}
	for _, path := range []string{"all.rss", "all.atom"} {
		t.Run("feedparser "+path, func(t *testing.T) {
			sameReadings(t, path, "feedparser", readWithFeedparser(t, path, e.Document(path).Body), want)
		})
	}
}

func firstText(texts ...string) string {
	i := slices.IndexFunc(texts, func(s string) bool { return s != "" })
	if i < 0 {
		return ""
	}
	return texts[i]
}

// sameReadings compares, but for what a format or reader has no place for.
func sameReadings(t *testing.T, path, reader string, got, want []reading) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("reads %d items, want %d", len(got), len(want))
	}
	for i, g := range got {
		w := want[i]
		if path == "all.rss" {
			w.Updated = time.Time{} // RSS has none
			w.SourceID, w.Files = feedOf("a"), w.Files[:min(len(w.Files), 1)]
		}
		if path == "all.rss" && reader == "gofeed" {
			w.Authors = w.Authors[:1] // of several dc:creators it takes the first
		}
		if path == "all.atom" && reader == "feedparser" {
			w.Updated = w.Updated.Truncate(time.Second)
		}
		if reader == "gofeed" { // drops what an aggregator says of an item's feed
			w.Source, w.SourceID, w.Rights = "", "", ""
			w.Pictures, w.Links, w.Comments, w.Language = nil, nil, "", ""
		}
		if path == "all.json" && w.Summary == w.Text {
			w.Summary = "" // there is one text
		}
		if path == "all.rss" && len(w.Links) > 0 {
			w.Links = w.Links[1:] // the license stands in Atom only
		}
		if path == "all.json" && w.Summary != "" {
			w.Summary = plain(w.Summary) // of both texts, JSON has the shorter one without markup
		}
		if fmt.Sprintf("%q", g) != fmt.Sprintf("%q", w) {
			t.Errorf("\n got %q\nwant %q", g, w)
		}
	}
}

func readWithGofeed(t *testing.T, body []byte) (out []reading) {
	feed, err := gofeed.NewParser().ParseString(string(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range feed.Items {
		r := reading{ID: it.GUID, Title: it.Title, Link: it.Link, Summary: it.Description, Text: firstText(it.Content, it.Description), Tags: it.Categories}
		if it.PublishedParsed != nil {
			r.Published = it.PublishedParsed.UTC()
		}
		if it.UpdatedParsed != nil {
			r.Updated = it.UpdatedParsed.UTC()
		}
		for _, a := range it.Authors {
			r.Authors = append(r.Authors, a.Name)
		}
		for _, e := range it.Enclosures {
			r.Files = append(r.Files, strings.Join([]string{e.URL, e.Type, e.Length}, " "))
		}
		out = append(out, r)
	}
	return out
}

const feedparserScript = `
import calendar, feedparser, json, sys
d = feedparser.parse(open(sys.argv[1], "rb").read(), sanitize_html=False, resolve_relative_uris=False)
if d.bozo: sys.exit(str(d.bozo_exception))
def entry(e):
    updated = e.get("updated_parsed") if "updated" in e else None
    rel = lambda *names: [l.rel + " " + l.href for l in e.links if l.rel in names]
    return {"ID": e.id, "Title": e.title, "Link": e.link, "Summary": e.summary, "Text": e.content[0].value if "content" in e else e.get("summary", ""),
        "Published": calendar.timegm(e.published_parsed), "Updated": calendar.timegm(updated) if updated else 0,
        "Authors": [a.get("name") for a in e.get("authors", [])], "Tags": [t.term for t in e.get("tags", [])],
        "Files": ["%s %s %s" % (f.href, f.type, f.get("length", 0)) for f in e.get("enclosures", [])],
        "Pictures": [m["url"] for m in e.get("media_content", []) if m.get("medium") == "image"], "Links": sorted(rel("license", "via")),
        "Comments": e.get("comments") or "".join(rel("replies"))[8:], "Language": e.get("language") or e.title_detail.language or "",
        "Source": e.source.get("title", ""), "SourceID": e.source.get("id") or e.source.get("href", ""), "Rights": e.get("rights", "")}
print(json.dumps([entry(e) for e in d.entries]))
`

func readWithFeedparser(t *testing.T, path string, body []byte) (out []reading) {
	python := ""
	for _, p := range []string{"python3", "/usr/bin/python3"} {
		if python == "" && exec.CommandContext(t.Context(), p, "-c", "import feedparser").Run() == nil {
			python = p
		}
	}
	if python == "" {
		t.Skip("needs feedparser: apt-get install python3-feedparser")
	}
	file := filepath.Join(t.TempDir(), path)
	if err := os.WriteFile(file, body, 0o600); err != nil {
		t.Fatal(err)
	}
	answer, err := exec.CommandContext(t.Context(), python, "-c", feedparserScript, file).Output()
	if err != nil {
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			t.Fatalf("%v: %s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var entries []struct {
		reading
		Published, Updated int64
	}
	if err := json.Unmarshal(answer, &entries); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		r := e.reading
		r.Published = time.Unix(e.Published, 0).UTC()
		if e.Updated != 0 {
			r.Updated = time.Unix(e.Updated, 0).UTC()
		}
		out = append(out, r)
	}
	return out
}
