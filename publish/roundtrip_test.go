package publish

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

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

// either is s, or nothing.
func (r texts) either(s string) string { return []string{"", s}[r.IntN(2)] }

func (r texts) episode(i int) store.Podcast {
	file := func(kind string) store.PodcastFile {
		return store.PodcastFile{URL: fmt.Sprintf("https://a.example/%d.%d?a=1&b=2", i, r.IntN(99)), Type: kind}
	}
	p := store.Podcast{
		Type: r.either("trailer"), Season: r.IntN(3), Episode: []string{"", "3", "3.5"}[r.IntN(3)], Explicit: r.either("true"), Duration: time.Duration(r.IntN(9999)) * time.Second,
		Blocked: r.IntN(2) == 0, Image: r.either("https://a.example/cover.jpg?a=1&b=2"),
	}
	if p.Season > 0 {
		p.SeasonName = r.either("Dogs, cats")
	}
	if p.Episode != "" {
		p.EpisodeName = r.either("Kapitel drei")
	}
	if r.IntN(2) == 0 {
		p.Chapters = file("application/json+chapters")
	}
	for range r.IntN(3) {
		f := file("text/vtt")
		f.Language, f.Rel = r.either("pt-BR"), r.either("captions")
		p.Transcripts = append(p.Transcripts, f)
		p.Persons = append(p.Persons, store.PodcastPerson{Name: r.text(2), Role: r.either("host"), Group: r.either("cast"), URL: r.either("https://a.example/ann?a=1&b=2"), Image: r.either("https://a.example/ann.jpg")})
	}
	return p
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
			it.Categories = append(it.Categories, store.Category{Term: fmt.Sprintf("%s %d", r.text(2), n), Scheme: r.either("https://a.example/tags?a=1&b=2"), Label: r.either(r.text(2))})
			it.Enclosures = append(it.Enclosures, store.Enclosure{URL: fmt.Sprintf("https://a.example/%d-%d.mp3", i, n) + r.either("?a=1&b=2"), Type: "audio/mpeg", Length: r.Int64N(1 << 40),
				Title: r.either(r.text(2)), Duration: time.Duration(r.IntN(9999)) * time.Second})
		}
		if r.IntN(2) == 0 {
			b.Podcast = r.episode(i)
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

// TestRoundTrip: what others read in our documents is what the section lists, and that is what is stored.
func TestRoundTrip(t *testing.T) {
	w := newWorld(t)
	a := Outlet{ID: "a", Name: "The “A” & Co.", URL: "https://a.example/", Language: "en", Rights: "© A & B", Feeds: []Feed{{URL: feedOf("a")}}}
	casts := Section{Slug: "casts", Itunes: Itunes{Author: "The A", Owner: "Ann", Email: "desk@paper.example", Category: "News", Image: "https://paper.example/cover.jpg"}}
	p := w.publisher(publication([]Outlet{a}, Section{Slug: "all"}, casts))
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
		for i, tag := range x.Tags {
			if s := s.Item.Categories[i]; tag.Term != s.Term || tag.Scheme != s.Scheme || (tag.Label == "") != (s.Label == "") {
				t.Errorf("%s: %v is listed of %v", x.ID, tag, s)
			}
			one.Tags = append(one.Tags, bars(tag.Term, tag.Scheme, tag.Label))
		}
		for i, f := range x.Files {
			if s := s.Item.Enclosures[i]; f.URL != s.URL || f.Duration != s.Duration || (f.Title == "") != (s.Title == "") {
				t.Errorf("%s: %v is listed of %v", x.ID, f, s)
			}
			one.Files = append(one.Files, fmt.Sprintf("%s %s %d", f.URL, f.Type, f.Length))
			one.Recordings = append(one.Recordings, bars(f.URL, f.Title, orNothing(seconds(f.Duration))))
		}
		if !reflect.DeepEqual(x.Podcast, s.Body.Podcast) {
			t.Errorf("%s: %+v is listed of %+v", x.ID, x.Podcast, s.Body.Podcast)
		}
		one.Episode, one.Itunes = episodeLines(&s.Body.Podcast), itunesValues(&s.Body.Podcast, s.Item.Enclosures)
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

	for _, path := range []string{"all.rss", "casts.rss", "all.atom", "all.json"} {
		t.Run("gofeed "+path, func(t *testing.T) { sameReadings(t, path, "gofeed", readWithGofeed(t, e.Document(path).Body), want) })
	}
	for _, path := range []string{"all.rss", "casts.rss", "all.atom"} {
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
	format := filepath.Ext(path)
	for i, g := range got {
		w := want[i]
		if path != "casts.rss" {
			w.Itunes = nil // of podcasts only
		}
		switch format {
		case ".rss":
			w.Updated = time.Time{} // RSS has none
			w.SourceID, w.Files = feedOf("a"), w.Files[:min(len(w.Files), 1)]
			w.Tags = without(w.Tags, 2)
			if len(w.Links) > 0 {
				w.Links = w.Links[1:] // the license stands in Atom only
			}
		case ".atom":
			w.Recordings = without(w.Recordings, 2) // links have no duration
		case ".json":
			w.Tags, w.Episode = without(without(w.Tags, 2), 1), nil // gofeed does not know _podcast
			if w.Summary == w.Text {
				w.Summary = "" // there is one text
			}
			w.Summary = plain(w.Summary) // of both texts, JSON has the shorter one without markup
		}
		switch reader {
		case "gofeed": // drops what an aggregator says of an item's feed
			w.Source, w.SourceID, w.Rights = "", "", ""
			w.Pictures, w.Links, w.Comments, w.Language = nil, nil, "", ""
			if format == ".rss" {
				w.Authors = w.Authors[:1] // of several dc:creators it takes the first
			}
		case "feedparser":
			w.Updated = w.Updated.Truncate(time.Second)
			w.Episode = sparse(w.Episode)
			if w.Itunes != nil {
				w.Itunes = slices.Clone(w.Itunes)
				w.Itunes[4] = "" // it knows "yes" and "clean" alone
			}
			if format == ".rss" {
				w.Recordings = without(w.Recordings, 1) // it reads no titles within media:content
			}
		}
		if fmt.Sprintf("%q", g) != fmt.Sprintf("%q", w) {
			t.Errorf("\n got %q\nwant %q", g, w)
		}
	}
}
