package publish

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mmcdole/gofeed"

	"broadsheet/store"
)

var update = flag.Bool("update", false, "write the golden documents anew")

// golden is a small section with one of everything, to be read and checked by hand.
func golden(t *testing.T) (*world, *Publisher) {
	w := newWorld(t)
	mehr := Outlet{ID: "mehr", Name: "Mehr News Agency", URL: "https://en.mehrnews.example", Language: "en", Rights: "© Mehr & Co.",
		Feeds: []Feed{{URL: "https://en.mehrnews.example/rss"}}}
	radio := Outlet{ID: "radio", Name: "Radio <Zamaneh>", URL: "https://radio.example/", Language: "fa", Priority: 1,
		Feeds: []Feed{{URL: "https://radio.example/feed?key=${KEY}", Shown: "https://radio.example/feed"}}}
	cast := Outlet{ID: "cast", Name: "The Cast", URL: "https://cast.example/", Language: "en", Feeds: []Feed{{URL: "https://cast.example/rss"}}}
	pub := publication([]Outlet{mehr, radio, cast},
		Section{Slug: "world", Title: "World & News", Description: "What <happens> elsewhere", From: []string{"mehr", "radio"}},
		Section{Slug: "casts", Title: "Casts", From: []string{"cast"}, Itunes: Itunes{Author: "The <Test>", Owner: "T. Est", Email: "desk@paper.example",
			Category: "News", Subcategory: "Politics", Image: "https://paper.example/cover.jpg", Type: "episodic"}})
	w.poll(in("0s"), "mehr", "https://en.mehrnews.example/rss",
		news("Talks “resume” – AT&T, <b>bold</b> and 1 < 2", "https://en.mehrnews.example/news/1?a=1&b=2", "<p>The <em>whole</em> text &amp; more.</p><p>Second.</p>", func(a *store.Arrival) {
			a.Item.GUID = "1000"
			a.Body.Summary = "<p>The short text.</p>"
			a.Item.Authors = []store.Author{{Name: "Sara Ahmadi"}, {Name: "Desk", URL: "https://en.mehrnews.example/desk"}}
			a.Item.Categories = []store.Category{{Term: "Politics"}, {Term: "R&D", Scheme: "https://en.mehrnews.example/tags", Label: "Research & Development"}}
			a.Item.Enclosures = []store.Enclosure{{URL: "https://cdn.example/a.mp3", Type: "audio/mpeg", Length: 1234}, {URL: "https://cdn.example/b.jpg"}}
			a.Item.Image = "https://cdn.example/b.jpg"
			a.Body.Comments = "https://en.mehrnews.example/news/1#comments"
			a.Body.Feed.ID, a.Body.Feed.Title = "tag:mehrnews.example,2001:rss", "Mehr: latest"
			a.Body.Feed.Updated = in("-10m")
			a.Body.Feed.Image, a.Body.Feed.Authors = "https://en.mehrnews.example/logo.png", []store.Author{{Name: "Mehr"}}
			a.Body.Pictures = []store.Picture{{URL: "https://cdn.example/c.jpg", Width: 640, Height: 480, Caption: "The <talks>", Credit: "R. Amiri"}}
			a.Body.License = "https://creativecommons.example/by/4.0/"
			a.Body.Origin = store.Origin{Title: "The Wire", Link: "https://wire.example/", Feed: "https://wire.example/rss"}
		}, dated(in("-1h"))))
	w.poll(in("30m"), "radio", "https://radio.example/feed?key=${KEY}",
		news("مذاکرات از سر گرفته شد", "https://radio.example/2", "<p>متن کامل</p>", dated(in("20m")), func(a *store.Arrival) {
			a.Item.Authors = []store.Author{{Name: "Newsroom", Email: "desk@radio.example"}}
		}),
		news("Copy of the talks", "https://en.mehrnews.example/news/1?a=1&b=2", "<p>copied</p>"))
	w.poll(in("35m"), "cast", "https://cast.example/rss",
		news("Episode 3: Who <listens>?", "https://cast.example/3", "<p>We talk.</p>", dated(in("30m")), func(a *store.Arrival) {
			a.Item.Enclosures = []store.Enclosure{{URL: "https://cast.example/3.mp3", Type: "audio/mpeg", Length: 12345678, Title: "The show", Duration: 25 * time.Minute}}
			a.Body.Podcast = store.Podcast{Title: "Who <listens>?", Type: "full", Season: 2, SeasonName: "Dogs & cats", Episode: "3", EpisodeName: "three", Explicit: "false",
				Duration: 1500500 * time.Millisecond, Image: "https://cast.example/3.jpg", Blocked: true,
				Chapters:    store.PodcastFile{URL: "https://cast.example/3.json", Type: "application/json+chapters"},
				Transcripts: []store.PodcastFile{{URL: "https://cast.example/3.vtt", Type: "text/vtt", Language: "en", Rel: "captions"}, {URL: "javascript:alert(1)"}},
				Persons:     []store.PodcastPerson{{Name: "Ann <Onymous>", Role: "Host", Group: "Cast", URL: "https://cast.example/ann"}, {Role: "Guest"}}}
		}),
		news("Episode 2.5", "https://cast.example/25", "<p>We talk.</p>", dated(in("20m")), func(a *store.Arrival) {
			a.Item.Enclosures = []store.Enclosure{{URL: "https://cast.example/25.ogg?t=1"}}
			a.Body.Podcast = store.Podcast{Type: "halb", Season: -1, Episode: "2.5", Explicit: "yes", Duration: -time.Second}
		}))
	w.poll(in("40m"), "mehr", "https://en.mehrnews.example/rss", news("", "", "No title and no link", func(a *store.Arrival) { a.Item.GUID = "1001" }))
	return w, w.publisher(pub)
}

func TestGolden(t *testing.T) {
	w, p := golden(t)
	e := w.edition(p)
	for _, path := range []string{"world.rss", "world.atom", "world.json", "world.html", "world.opml", "casts.rss", "casts.atom", "casts.json", "sections.opml"} {
		body := string(e.Document(path).Body)
		for i, slug := range []string{"world", "casts"} { // another in each store
			body = strings.ReplaceAll(body, feedID(w.st.ID(), slug), fmt.Sprintf("urn:uuid:00000000-0000-5000-8000-00000000000%d", i))
		}
		file := filepath.Join("testdata", path)
		if *update {
			if err := os.WriteFile(file, []byte(body), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if body != string(want) {
			t.Errorf("%s is not as in testdata; look at it, then go test -update:\n%s", path, body)
		}
	}
	for d := range e.Documents() {
		if strings.Contains(string(d.Body), "KEY") {
			t.Errorf("%s holds the secret part of an address", d.Path)
		}
	}
}

// What we publish means to another program what it means to us.
func TestReadBack(t *testing.T) {
	w, p := golden(t)
	e := w.edition(p)
	l := p.desks[0].list
	for _, path := range []string{"world.rss", "world.atom", "world.json"} {
		feed, err := gofeed.NewParser().ParseString(string(e.Document(path).Body))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if feed.Title != "World & News" || feed.Language != "en" || feed.FeedLink != "https://paper.example/news/"+path || feed.Link != "https://paper.example/news/world.html" {
			t.Errorf("%s: %q %q %q %q", path, feed.Title, feed.Language, feed.FeedLink, feed.Link)
		}
		if len(feed.Items) != len(l.Items) {
			t.Fatalf("%s: %d items, want %d", path, len(feed.Items), len(l.Items))
		}
		for i, got := range feed.Items {
			want := l.Items[i]
			if got.GUID != want.ID || got.Title != want.Title || got.Link != want.Link {
				t.Errorf("%s: %q %q %q, want %q %q %q", path, got.GUID, got.Title, got.Link, want.ID, want.Title, want.Link)
			}
			if got.PublishedParsed == nil || !got.PublishedParsed.Equal(want.Published.Truncate(1e9)) {
				t.Errorf("%s: published %v, want %v", path, got.PublishedParsed, want.Published)
			}
			if path != "world.rss" && (got.UpdatedParsed == nil || !got.UpdatedParsed.Equal(want.Updated)) {
				t.Errorf("%s: updated %v, want %v", path, got.UpdatedParsed, want.Updated)
			}
			writers := len(want.Authors)
			if path == "world.rss" {
				writers = 1 // gofeed takes the first dc:creator
			}
			if len(got.Categories) != len(want.Tags) || len(got.Authors) != writers {
				t.Errorf("%s: %v %v, want %v %v", path, got.Categories, got.Authors, want.Tags, want.Authors)
			}
			if content := got.Content; want.Content != "" && content != want.Content {
				t.Errorf("%s: content %q, want %q", path, content, want.Content)
			}
		}
	}
}

// The main job: an article arrives with every paragraph, in every format and on the page.
func TestArticle(t *testing.T) {
	paragraphs := []string{
		"TEHRAN, Mar. 01 – “We will not wait,” the minister said on Sunday – and left.",
		"The ‘second round’ of talks, he added, begins next week… or the week after.",
		"وزیر امور خارجه ایران گفت: «مذاکرات هفتهٔ آینده از سر گرفته می\u200cشود.»",
		"中国外交部发言人表示：“我们支持对话。”",
		"Переговоры продлятся – как минимум – три дня.",
		"Prices rose 3 % – from €1,200 to €1,236 – within 48 hours; “calm” followed.",
		"दिल्ली में भी बातचीत जारी है।",
		"Naïve café owners – façade, coöperation, Ångström – were unmoved.",
		"The ninth paragraph ends it. 🕊",
	}
	content := "<p>" + strings.Join(paragraphs, "</p>\n<p>") + "</p>"
	w := newWorld(t)
	mehr := Outlet{ID: "mehr", Name: "Mehr News Agency", URL: "https://en.mehrnews.com", Language: "en", Feeds: []Feed{{URL: "https://en.mehrnews.com/rss"}}}
	w.poll(in("0s"), "mehr", "https://en.mehrnews.com/rss", news("Talks resume", "https://en.mehrnews.com/news/1/Talks", content,
		func(a *store.Arrival) { a.Body.Summary = "<p>" + paragraphs[0] + "</p>" }))
	e := w.edition(w.publisher(publication([]Outlet{mehr}, Section{Slug: "world-news", Title: "World News"})))
	for _, path := range []string{"world-news.rss", "world-news.atom", "world-news.json"} {
		feed, err := gofeed.NewParser().ParseString(string(e.Document(path).Body))
		if err != nil {
			t.Fatal(err)
		}
		if got := feed.Items[0].Content; got != content {
			t.Errorf("%s:\n%q, want\n%q", path, got, content)
		}
	}
	for _, path := range []string{"world-news.html", "world-news.rss", "world-news.atom", "world-news.json"} {
		body := string(e.Document(path).Body)
		if !strings.Contains(body, "Mehr News Agency") {
			t.Errorf("%s does not name the outlet", path)
		}
		for _, text := range paragraphs {
			if !strings.Contains(body, text) {
				t.Errorf("%s lacks %q", path, text)
			}
		}
	}
	var feed jsonFeed
	if err := json.Unmarshal(e.Document("world-news.json").Body, &feed); err != nil || feed.Items[0].Source.Title != "Mehr News Agency" {
		t.Error(err, feed.Items[0].Source)
	}
}

// Whatever is stored, what is published is well-formed and runs nothing.
func FuzzRender(f *testing.F) {
	for _, s := range []string{
		"plain", "]]>", "a\x08b\x00c", "<script>alert(1)</script>", `"quotes" & 'more'`, "<p>open <b>bold <p>next</b>", "\ufffe\ud7ff\ufdd0\u0085\u0092",
		"&lt;script&gt;&#60;img src=x onerror=alert(1)&#62;", "<a href='javascript:alert(1)'>x</a>", "<a href=\"java\tscript:x\">y</a>", "http://[::1]:80/ü?q=ä#%zz#",
		"<svg><script>1</script></svg>", "<table><tr><td>1<td>2<table></td></table><li>x", "<ul>text<li>a<li>b</ul></ul></div>", "<!--><script>--><style>*{}</style>",
		"<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">", "<math><mtext><table><mglyph><style><img src=x>", "\xff\xfe", "FÃ³rmula Ã©tÃ© â", "tag:a,2020:x y",
		"<img src=http://a.example/x.png width=1 onload=x style=y id=z>", "<pre>\n a\n</pre><hr/><br/>", "<h1>a<h2>b</h1>c</h2>", "https://user:pass@a.example/%7e/../b",
		"<plaintext>x", "<textarea></p>", "<title>&amp;amp;</title>", "<a href=http://a.example><p><a href=http://b.example>x</a></p></a>", "en-US", "\u202e\u2028x", "<dl>a<dt>b<dd>c<p>d</dl>",
	} {
		f.Add(s, "title", "https://a.example/1")
		f.Add("<p>x</p>", s, "https://a.example/1")
		f.Add("<p>x</p>", "title", s)
	}
	f.Fuzz(func(t *testing.T, content, title, link string) {
		if len(content)+len(title)+len(link) > 10000 {
			t.Skip()
		}
		o := Outlet{ID: "a", Name: "A", URL: "https://a.example/", Feeds: []Feed{{URL: "https://a.example/feed"}}}
		p := &Publisher{pub: publication([]Outlet{o}), roster: newRoster([]Outlet{o})}
		p.pub.Location = start.Location()
		it := store.Item{
			ID: 1, Story: 1, Outlet: "a", Feeds: []string{"https://a.example/feed"}, PublishedID: "tag:a,2026:1", GUID: title, Title: title, Link: link, Lead: content,
			Language: title, Authors: []store.Author{{Name: title, Email: link, URL: link}}, Categories: []store.Category{{Term: title, Scheme: link, Label: content}},
			Enclosures: []store.Enclosure{{URL: link, Type: title, Length: -1}}, Image: link, Date: start, Arrived: start, Updated: start, Moved: start,
		}
		b := store.Body{Item: 1, Summary: title, Content: content, Comments: link, Rights: title, Feed: store.Origin{ID: link, Title: title, Rights: content}}
		out := &p.roster.outlets[0]
		e := p.describe(&choice{ID: it.PublishedID}, &it, &b, out, &out.Feeds[0], "full")
		e.Also = []also{{"b", label(title), Address(link)}}
		l := &list{Slug: "s", Title: "S", ID: "urn:uuid:x", Updated: start, Modified: start, MaxAge: 60e9, TTL: 60e9, Items: []listed{e}}
		for _, d := range []*Document{p.page(l), p.feed(l, ".rss"), p.feed(l, ".atom"), p.feed(l, ".json")} {
			checkDocument(t, d)
		}
		if again := markup(e.Content); again != e.Content {
			t.Errorf("markup is not stable: %q, %q", e.Content, again)
		}
	})
}
