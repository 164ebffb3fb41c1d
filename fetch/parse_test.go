package fetch

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"broadsheet/store"
)

func testAddress() *url.URL {
	return &url.URL{Scheme: "https", Host: "feeds.example", Path: "/x/feed"}
}

func parseFile(t *testing.T, name string) *document {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	d, err := parseDocument(body, "", testAddress())
	if err != nil {
		t.Fatal(err)
	}
	checkDocument(t, name, d)
	return d
}

func parseText(t *testing.T, doc string) *document {
	t.Helper()
	d, err := parseDocument([]byte(doc), "", testAddress())
	if err != nil {
		t.Fatalf("%.100s: %v", doc, err)
	}
	checkDocument(t, doc[:min(len(doc), 100)], d)
	return d
}

// same compares what is there with what should be, field by field.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %#v\nwant %#v", what, got, want)
	}
}

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

func TestParseRSS(t *testing.T) {
	d := parseFile(t, "news.rss")
	same(t, "title", d.Title, "Harbour & Hill News")
	same(t, "link", d.Link, "https://harbour.example/")
	same(t, "language", d.Language, "en-GB")
	same(t, "rights", d.Rights, "© 2026 Harbour & Hill")
	same(t, "updated", d.Updated.UTC(), at("2026-11-23T07:00:00Z"))
	same(t, "ttl", d.TTL, 30*time.Minute)
	same(t, "damaged", d.Damaged, error(nil))
	same(t, "items", len(d.Arrivals), 2)

	it, body := d.Arrivals[0].Item, d.Arrivals[0].Body
	same(t, "title", it.Title, "AT&T & Tom bold – “quoted”")
	same(t, "link", it.Link, "https://harbour.example/news/1?utm_source=rss")
	same(t, "canonical", d.Arrivals[0].Canonical, "https://harbour.example/news/1")
	same(t, "original", d.Arrivals[0].Original, "")
	same(t, "guid", it.GUID, "harbour:1")
	same(t, "published", body.Published.UTC(), at("2026-11-23T05:30:00Z"))
	same(t, "authors", it.Authors, []store.Author{{Name: "News Desk", Email: "desk@harbour.example"}, {Name: "Amara Berg"}, {Name: "Bo Costa"}})
	same(t, "categories", it.Categories, []store.Category{{Term: "Ports", Scheme: "https://harbour.example/topics"}, {Term: "Sea & Sky"}})
	same(t, "comments", body.Comments, "https://harbour.example/news/1#comments")
	same(t, "summary", body.Summary, `<p>The pier’s <a href="https://harbour.example/map"`+rel+`>map</a>`+"\u00a0changed.</p>")
	same(t, "content", body.Content, `<p>First.</p><p>Second &amp; last.</p><img src="https://harbour.example/news/pier.jpg" alt="Pier">`)
	same(t, "lead", it.Lead, "The pier’s map changed.")
	same(t, "words", it.Words, 3)
	same(t, "enclosures", it.Enclosures, []store.Enclosure{{URL: "https://feeds.example/audio/1.mp3", Type: "audio/mpeg", Length: 12345}})
	same(t, "image", it.Image, "https://img.harbour.example/1.jpg")
	same(t, "language", it.Language, "en-GB")
	same(t, "feed's title", body.Feed.Title, "Harbour & Hill News")
	same(t, "feed's rights", body.Feed.Rights, "© 2026 Harbour & Hill")

	it, body = d.Arrivals[1].Item, d.Arrivals[1].Body
	same(t, "title", it.Title, "Only a summary: 5 < 6 & so on")
	same(t, "canonical", d.Arrivals[1].Canonical, "https://harbour.example/news/2")
	same(t, "original", d.Arrivals[1].Original, "https://wire.example/2")
	same(t, "published", body.Published, time.Time{})
	same(t, "language", it.Language, "de-DE")
	same(t, "summary", body.Summary, "Grüße &amp;lol; aus dem Norden")
	same(t, "content", body.Content, "")
	same(t, "words", it.Words, 5)
}

func TestParseAtom(t *testing.T) {
	d := parseFile(t, "notes.atom")
	same(t, "title", d.Title, "Le « Carnet »")
	same(t, "id", d.ID, "tag:carnet.example,2026:fil")
	same(t, "link", d.Link, "https://carnet.example/")
	same(t, "language", d.Language, "fr")
	same(t, "items", len(d.Arrivals), 2)

	it, body := d.Arrivals[0].Item, d.Arrivals[0].Body
	same(t, "title", it.Title, "<title> et &amp;")
	same(t, "link", it.Link, "https://carnet.example/fil/billets/1")
	same(t, "guid", it.GUID, "tag:carnet.example,2026:1")
	same(t, "authors", it.Authors, []store.Author{{Name: "La rédaction", URL: "https://carnet.example/equipe"}})
	same(t, "categories", it.Categories, []store.Category{{Term: "ports", Scheme: "https://carnet.example/sujets/", Label: "Les ports"}})
	same(t, "summary", body.Summary, "Moins de 3 &lt; 4")
	same(t, "content", body.Content, `<p>One <em>two</em> &lt;three&gt;<br></p><p><a href="https://carnet.example/fil/billets/1/carte"`+rel+`>map</a></p>`)
	same(t, "language", it.Language, "en")
	same(t, "enclosures", it.Enclosures, []store.Enclosure{{URL: "https://carnet.example/fil/son.ogg", Type: "audio/ogg"}})
	same(t, "comments", body.Comments, "https://carnet.example/fil/billets/1#reponses")
	same(t, "published", body.Published.UTC(), at("2026-11-22T09:00:00Z"))
	same(t, "updated", body.Updated.UTC(), at("2026-11-23T06:00:00.25Z"))
	same(t, "feed's id", body.Feed.ID, "tag:carnet.example,2026:fil")

	it = d.Arrivals[1].Item
	same(t, "guid", it.GUID, "https://carnet.example/Ä b")
	same(t, "title", it.Title, "Un titre")
	same(t, "authors", it.Authors, []store.Author{{Name: "Zoë", Email: "zoe@carnet.example"}})
	same(t, "language", it.Language, "fr")
}

func TestParseRDF(t *testing.T) {
	d := parseFile(t, "old.rdf")
	same(t, "rights", d.Rights, "Old Times Ltd")
	it, body := d.Arrivals[0].Item, d.Arrivals[0].Body
	same(t, "guid", it.GUID, "https://old.example/1")
	same(t, "title", it.Title, "東京の新しい橋")
	same(t, "language", it.Language, "ja")
	same(t, "words", it.Words, 5)
	same(t, "authors", it.Authors, []store.Author{{Name: "佐藤"}})
	same(t, "categories", it.Categories, []store.Category{{Term: "橋"}})
	same(t, "published", body.Published.UTC(), at("2026-11-22T03:00:00Z"))
}

func TestParseJSON(t *testing.T) {
	d := parseFile(t, "items.json")
	same(t, "title", d.Title, "Bits & <Pieces>")
	same(t, "items", len(d.Arrivals), 2)
	it, body := d.Arrivals[0].Item, d.Arrivals[0].Body
	same(t, "guid", it.GUID, "7")
	same(t, "title", it.Title, "1 < 2 & so")
	same(t, "content", body.Content, "a &lt; b &amp; c<br>\nline")
	same(t, "summary", body.Summary, "s &amp; t")
	same(t, "language", it.Language, "pt-BR")
	same(t, "image", it.Image, "https://feeds.example/i.png")
	same(t, "authors", it.Authors, []store.Author{{Name: "Ed & Co", URL: "https://bits.example/ed"}})
	same(t, "categories", it.Categories, []store.Category{{Term: "x & y"}})
	same(t, "enclosures", it.Enclosures, []store.Enclosure{{URL: "https://bits.example/7.mp3", Type: "audio/mpeg", Length: 99, Title: "Seven & <co>", Duration: 61 * time.Second}})
	same(t, "published", body.Published.UTC(), at("2026-11-23T06:00:00Z"))
	it, body = d.Arrivals[1].Item, d.Arrivals[1].Body
	same(t, "link", it.Link, "https://elsewhere.example/8")
	same(t, "content", body.Content, "<p>html \uFFFD</p>")
	same(t, "authors", it.Authors, []store.Author{{Name: "Zoë"}})

	blank := parseText(t, `{"version":"https://jsonfeed.org/version/1.1","items":[{"id":" ","url":"https://bits.example/9"}]}`)
	same(t, "blank id", blank.Arrivals[0].Item.GUID, "")

	broken := parseText(t, `{"version":"https://jsonfeed.org/version/1.1","title":"T","items":[{"id":"1","title":"a"},{"id":"2",,"title":"b"},{"id":"3","title":"c"}],"language":"en"}`)
	same(t, "broken items", []any{len(broken.Arrivals), broken.Title, broken.Language, broken.Damaged != nil}, []any{2, "T", "en", true})

	with := parseText(t, "\xef\xbb\xbf"+`{"version":"https://jsonfeed.org/version/1","title":["odd"],"icon":"https://bits.example/i.png","items":[{"id":"1","title":5,"url":true,"tags":"x","authors":[3],
		"attachments":[{"url":"https://bits.example/1.mp3","mime_type":"audio/mpeg","size_in_bytes":7,"duration_in_seconds":61}]},"odd",{"id":2.5}]}`)
	same(t, "odd types", len(with.Arrivals), 2)
	same(t, "odd title", with.Arrivals[0].Item.Title, "5")
	same(t, "a file beside odd types", with.Arrivals[0].Item.Enclosures, []store.Enclosure{{URL: "https://bits.example/1.mp3", Type: "audio/mpeg", Length: 7, Duration: 61 * time.Second}})
	same(t, "a picture beside odd types", with.Image, "https://bits.example/i.png")
}

func TestParsePodcast(t *testing.T) {
	d := parseFile(t, "episode.rss")
	same(t, "feed", d.Origin, store.Origin{Title: "The Tide Table", Subtitle: "Every <em>tide</em>, twice a day", Link: "https://tide.example/", Feed: "https://tide.example/feed.xml",
		Image: "https://feeds.example/cover.jpg", Authors: []store.Author{{Name: "Harbour Radio"}}, Categories: []store.Category{{Term: "Science"}, {Term: "Earth & Sea"}}})
	it, body := d.Arrivals[0].Item, d.Arrivals[0].Body
	same(t, "guid", it.GUID, "{b7c1}-Ep 3")
	same(t, "enclosures", it.Enclosures, []store.Enclosure{{URL: "https://cdn.tide.example/3.mp3", Type: "audio/mpeg", Length: 4096},
		{URL: "https://cdn.tide.example/3.mp4", Type: "video/mp4", Length: 8192, Title: "Film", Duration: 61 * time.Second}})
	same(t, "image", it.Image, "https://img.tide.example/large.jpg")
	same(t, "pictures", body.Pictures, []store.Picture{{URL: "https://img.tide.example/large.jpg", Width: 1280, Height: 800, Caption: "The quay at low water", Credit: "Bo Costa"},
		{URL: "https://img.tide.example/small.jpg", Width: 320, Height: 200}, {URL: "https://img.tide.example/thumb.jpg", Width: 75, Height: 50}, {URL: "https://img.tide.example/3.jpg"}})
	same(t, "categories", it.Categories, []store.Category{{Term: "moon"}, {Term: "water"}})
	same(t, "authors", it.Authors, []store.Author{{Name: "Zoë Ek"}})
	same(t, "origin", body.Origin, store.Origin{Title: "Harbour Radio: all", Feed: "https://radio.example/all.xml"})
	same(t, "podcast", body.Podcast, store.Podcast{Title: "Neap & spring", Type: "full", Season: 2, SeasonName: "Low water", Episode: "3.5", EpisodeName: "3 and a half",
		Explicit: "false", Duration: time.Hour + 2*time.Minute + 3*time.Second, Image: "https://img.tide.example/3.jpg", Blocked: true,
		Chapters:    store.PodcastFile{URL: "https://feeds.example/3.chapters.json", Type: "application/json+chapters"},
		Transcripts: []store.PodcastFile{{URL: "https://tide.example/3.vtt", Type: "text/vtt", Language: "en", Rel: "captions"}},
		Persons:     []store.PodcastPerson{{Name: "Amara Berg", Role: "host", Group: "cast", Image: "https://feeds.example/amara.jpg", URL: "https://amara.example/"}}})
	same(t, "podcast of odd values", d.Arrivals[1].Body.Podcast, store.Podcast{})
}

func TestParseOrigin(t *testing.T) {
	d := parseFile(t, "planet.atom")
	same(t, "feed", d.Origin, store.Origin{ID: "https://planet.example/", Title: "Planet Harbour", Subtitle: "What the <b>harbour</b> writes", Link: "https://feeds.example/",
		Feed: "https://feeds.example/atom.xml", Image: "https://feeds.example/logo.png", Updated: at("2026-11-23T07:00:00Z"),
		Authors: []store.Author{{Name: "Planet"}}, Categories: []store.Category{{Term: "harbours", Label: "Harbours & quays"}}})
	own := d.Origin
	own.Feed = "" // which may hold a secret
	same(t, "feed of an item", d.Arrivals[0].Body.Feed, own)
	same(t, "origin", d.Arrivals[0].Body.Origin, store.Origin{ID: "tag:quay.example,2026:feed", Title: "Quay <i> &amp; Co", Subtitle: "Notes from a <em>quay</em>",
		Link: "https://quay.example/", Feed: "https://quay.example/atom", Image: "https://quay.example/icon.png", Rights: "© Quay", Updated: at("2026-11-23T05:00:00Z"),
		Authors: []store.Author{{Name: "Amara &amp; Bo", URL: "https://quay.example/amara"}}, Categories: []store.Category{{Term: "quays"}}})
	same(t, "authors", d.Arrivals[0].Item.Authors, d.Arrivals[0].Body.Origin.Authors)
	same(t, "categories", d.Arrivals[0].Item.Categories, []store.Category{{Term: "AT&amp;T", Scheme: "https://quay.example/"}})
	same(t, "authors", d.Arrivals[1].Item.Authors, []store.Author{{Name: "Zoë"}, {Name: "Ed", Email: "ed@quay.example"}})
	same(t, "no origin", d.Arrivals[1].Body.Origin, store.Origin{})
}

// What is not well-formed is read as it was meant.
func TestParseIllFormed(t *testing.T) {
	item := func(s string) string { return "<rss><channel><item>" + s + "</item></channel></rss>" }
	for _, test := range []struct{ name, doc, title string }{
		{"no declaration, no version", item("<title>t</title>"), "t"},
		{"junk before", "\n\n \ufeff<b>Warning</b>: mysql_connect() in /var/www/x.php\n<?xml version=\"1.0\"?>" + item("<title>t</title>"), "t"},
		{"comment of 9 KB before", "<!--" + strings.Repeat(" -x", 3000) + "-->" + item("<title>t</title>"), "t"},
		{"junk behind", item("<title>t</title>") + "<!-- generated in 0.3 s --> <script>track()</script> & so on", "t"},
		{"bare ampersand", item("<title>a & b &c; AT&T</title>"), "a & b &c; AT&T"},
		{"bare less-than", item("<title>a < b <3</title>"), "a < b <3"},
		{"entities of HTML", item("<title>caf&eacute;&nbsp;&ndash; &hellip;</title>"), "café – …"},
		{"controls", item("<title>a\x01\x0b\x1fb&#8;&#x1F;&#0;c\u0092d</title>"), "abc’d"},
		{"not a character", item("<title>a\ufffe\uffffb&#xFFFE;&#xD800;</title>"), "ab"},
		{"unquoted attribute", item("<guid isPermaLink=false>1</guid><title>t</title>"), "t"},
		{"attribute without value", item("<guid isPermaLink>1</guid><title>t</title>"), "t"},
		{"end tag without its end", item("<title>t</title<guid>1</guid>"), "t"},
		{"attributes with odd names", item(`<enclosure x:="a" y:1="b" é×="c" url="d"/><title>t</title>`), "t"},
		{"attribute twice", item(`<enclosure url="a" url="b"/><title>t</title>`), "t"},
		{"markup in the title", item("<title>a <b>b</b> &amp; <i>c</i></title>"), "a b & c"},
		{"title that does not end", item("<title>t<link>https://outlet.example/1</link><guid>1</guid>"), "t"},
		{"description with tags that do not end", item("<description>a<br>b<p>c</description><title>t</title>"), "t"},
		{"unknown element that does not end", item("<foo:bar><title>t</title>"), "t"},
		{"item that does not end", "<rss><channel><item><title>t</title><item><title>u</title></item></channel></rss>", "t"},
		{"category of the channel that does not end", "<rss><channel><itunes:category text='x'><itunes:category text='y'/><item><title>t</title></item></channel></rss>", "t"},
		{"picture of the feed that does not end", "<rss><channel><image><url>u</url><item><title>t</title></item></channel></rss>", "t"},
		{"upper case", "<RSS><CHANNEL><ITEM><TITLE>t</TITLE></ITEM></CHANNEL></RSS>", "t"},
		{"tags that cross", item("<title>t</title><category>x</item></category>"), "t"},
		{"channel without rss", "<channel><item><title>t</title></item></channel>", "t"},
		{"channel without rss, items behind it", "<channel><title>c</title></channel><item><title>t</title></item>", "t"},
		{"declaration without its end", "<?xml version='1.0'?\n" + item("<title>t</title>"), "t"},
		{"undeclared prefixes", item("<dc:creator>x</dc:creator><title>t</title><media:thumbnail url='x'/>"), "t"},
		{"namespace of another", `<rss xmlns="http://www.w3.org/2005/Atom"><channel><item><title>t</title></item></channel></rss>`, "t"},
		{"prefixed", `<a:feed xmlns:a="http://www.w3.org/2005/Atom"><a:entry><a:title>t</a:title></a:entry></a:feed>`, "t"},
		{"CDATA and text", item("<title>a <![CDATA[b & <i>c</i>]]> d</title>"), "a b & c d"},
		{"CDATA in CDATA", item("<title><![CDATA[a <![CDATA[b]]>]]></title>"), "a b"},
		{"encoded twice", item("<title>FÃ³rmula â€“ EspaÃ±ol</title>"), "Fórmula – Español"},
		{"white space", item("<title>\r\n  a\r\n\t b  </title>"), "a b"},
		{"marks of our own", item("<title>\ue0000</title><description>" + strings.Repeat("x", 300) + "</description>"), "\ue0000"},
		{"comment that never ends", item("<description>a <!-- b</description><title>t</title>"), "t"},
		{"CDATA that never ends", item("<description><![CDATA[a <b>b</b></description><title>t</title>"), "t"},
		{"quote that never ends", item("<image x=\"y><url>u</url></image><title>t</title>"), "t"},
		{"declaration inside", item("<description>a <!b it's c</description><title>t</title>") + "' <x/>", "t"},
		{"a DOCTYPE that never ends", "<!DOCTYPE rss [ <!ENTITY a 'b>\n" + item("<title>t</title>"), "t"},
	} {
		d := parseText(t, test.doc)
		if len(d.Arrivals) == 0 {
			t.Errorf("%s: no item", test.name)
		} else if got := d.Arrivals[0].Item.Title; got != test.title {
			t.Errorf("%s: title %q, want %q", test.name, got, test.title)
		}
	}
}

// A document that is cut off anywhere gives the items that are whole, as they are in the whole document.
func TestParseCutOff(t *testing.T) {
	for _, name := range []string{"news.rss", "notes.atom", "old.rdf", "items.json"} {
		body, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		whole := parseFile(t, name)
		most := 0
		for n := range body {
			d, err := parseDocument(body[:n], "", testAddress())
			if err != nil {
				continue
			}
			if d.Damaged == nil && len(strings.TrimSpace(string(body[n:]))) > 0 {
				t.Fatalf("%s cut off at %d: not damaged", name, n)
			}
			if most = max(most, len(d.Arrivals)); len(d.Arrivals) > len(whole.Arrivals) {
				t.Fatalf("%s cut off at %d: %d items", name, n, len(d.Arrivals))
			}
			for i, a := range d.Arrivals {
				if a.Item.Text != whole.Arrivals[i].Item.Text || a.Item.GUID != whole.Arrivals[i].Item.GUID {
					t.Fatalf("%s cut off at %d: item %d is %+v", name, n, i, a.Item)
				}
			}
		}
		if most != len(whole.Arrivals) {
			t.Errorf("%s: never more than %d items", name, most)
		}
	}
}

func TestParseErrors(t *testing.T) {
	page, err := os.ReadFile("testdata/page.html")
	if err != nil {
		t.Fatal(err)
	}
	_, err = parseDocument(page, "application/rss+xml", testAddress())
	var not *NotAFeed
	if !errors.As(err, &not) {
		t.Fatal(err)
	}
	same(t, "candidates", not.Candidates, []string{"https://feeds.example/rss", "https://harbour.example/atom?a=1&b=2", "https://feeds.example/x/feed.json"})

	for _, test := range []struct{ name, doc, says string }{
		{"empty", "", "is empty"},
		{"blank", " \n\t", "is empty"},
		{"a mark and nothing", "\xef\xbb\xbf", "is empty"},
		{"text", "Service temporarily unavailable", `"Service temporarily unavailable"`},
		{"page in XHTML", `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body/></html>`, "a web page"},
		{"a page of nothing but text", "<!doctype html>Back soon.", "a web page"},
		{"part of a page", "<div><a href=/login>Log in</a></div>", "web page"},
		{"OPML", "<opml version='2.0'><body/></opml>", "broadsheet import"},
		{"site map", "<urlset/>", "site map"},
		{"XML", "<catalogue><book/></catalogue>", `first element is "catalogue"`},
		{"XML that writes to a terminal", "<x\u009b31m\u202e/>", `"x\u009b31m\u202e"`},
		{"JSON", `{"status": "ok"}`, "JSON Feed"},
		{"JSON list", `[1, 2]`, "not a feed"},
		{"broken JSON", `{"version": "https://jsonfeed.org/version/1.1", "items": [}`, "broken before"},
		{"JSON cut off", `{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1`, "cut off"},
		{"deep JSON", `{"items":` + strings.Repeat("[", 200), "100 levels"},
		{"picture", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "not a feed"},
	} {
		d, err := parseDocument([]byte(test.doc), "", testAddress())
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, %v", test.name, d, err)
		}
	}
	d, err := parseDocument([]byte("<?xml version='1.0' encoding='x\x1b[31m\u009b'?><rss><channel><title>\xe9</title></channel></rss>"), "", testAddress())
	if err != nil || strings.ContainsFunc(d.Fault, unicode.IsControl) || !strings.Contains(d.Fault, "[31m") {
		t.Errorf("a charset that writes to a terminal: %+v, %v", d, err)
	}
}

// What an attacker sends costs little time and memory, and none of the items beside it.
func TestParseHostile(t *testing.T) {
	item := "<item><title>good</title><guid>good</guid></item>"
	rss := func(s string) string { return "<rss><channel>" + s + item + "</channel></rss>" }
	var lol strings.Builder
	lol.WriteString(`<!DOCTYPE lolz [<!ENTITY a0 "lol">`)
	for i := range 20 {
		fmt.Fprintf(&lol, `<!ENTITY a%d "%s">`, i+1, strings.Repeat(fmt.Sprintf("&a%d;", i), 10))
	}
	lol.WriteString("]>")
	for name, doc := range map[string]string{
		"billion laughs":     lol.String() + rss("<item><title>&a20;</title></item>"),
		"external entity":    `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>` + rss("<item><title>&e;</title></item>"),
		"deep unknown":       rss(strings.Repeat("<a>", 1000000) + strings.Repeat("</a>", 1000000)),
		"deep, never closed": rss(strings.Repeat("<a>", 1000000)),
		"deep in content":    rss("<item><description>" + strings.Repeat("<a>", 1000000) + strings.Repeat("</a>", 1000000) + "</description></item>"),
		"title of 10 MB":     rss("<item><title>" + strings.Repeat("long ", 2<<20) + "</title></item>"),
		"100,000 attributes": rss("<item><enclosure " + strings.Repeat(`a="b" `, 100000) + "/></item>"),
		"long attribute":     rss(`<item><enclosure url="` + strings.Repeat("x", 10<<20) + `"/></item>`),
		"unclosed elements":  rss("<item>" + strings.Repeat("<title>", 100000) + "</item>"),
		"100,000 categories": rss("<item>" + strings.Repeat("<category>c</category>", 100000) + "</item>"),
		"100,000 prefixes":   rss("<item>" + strings.Repeat(`<a xmlns:b="c"/>`, 100000) + "</item>"),
		"15 MB of text":      rss("<item><description>" + strings.Repeat("word ", 3<<20) + "</description></item>"),
		"15 MB of markup":    rss("<item><description><![CDATA[" + strings.Repeat("<p>x</p>", 2<<20) + "]]></description></item>"),
		"ampersands":         rss("<item><title>" + strings.Repeat("&", 1<<20) + "</title></item>"),
		"comments":           rss(strings.Repeat("<!---->", 1<<20)),
		"CDATA":              rss("<item><title>" + strings.Repeat("<![CDATA[x]]>", 1<<20) + "</title></item>"),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		d, err := parseDocument([]byte(doc), "", testAddress())
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.ContainsFunc(d.Arrivals, func(a store.Arrival) bool { return a.Item.GUID == "good" }) {
			t.Errorf("%s: the good item is lost", name)
		}
		checkDocument(t, name, d)
		if title := d.Arrivals[0].Item.Title; strings.Contains(title, "lollol") || strings.Contains(title, "root:") {
			t.Errorf("%s: %.80q", name, title)
		}
		t.Logf("%-20s %3d ms, %3d MiB for %3d MiB", name, took.Milliseconds(), (after.TotalAlloc-before.TotalAlloc)>>20, len(doc)>>20)
	}

	for _, doc := range []string{
		rss(strings.Repeat(item, 3000)),
		`{"version":"https://jsonfeed.org/version/1","items":[` + strings.Repeat(`{"id":"a"},`, 3000) + `{"id":"z"}]}`,
	} {
		d := parseText(t, doc)
		if len(d.Arrivals) != maxItems || d.Damaged == nil {
			t.Errorf("%d items, %v", len(d.Arrivals), d.Damaged)
		}
	}
	if _, err := parseDocument([]byte("<rss><channel>"+strings.Repeat("<image>", 1000)), "", testAddress()); err == nil {
		t.Error("elements nest without end")
	}
	if _, err := parseDocument([]byte("<rss><channel>"+strings.Repeat("<ttl/>", maxElements+1)), "", testAddress()); err == nil {
		t.Error("elements without end")
	}
}

// The hashes move with what they stand for, and with nothing else.
func TestParseHashes(t *testing.T) {
	const base = `<rss xmlns:media="http://search.yahoo.com/mrss/"><channel><item><title>Title</title><link>https://outlet.example/1?utm_source=a</link>
		<description>&lt;p&gt;Some text&lt;/p&gt;&lt;a href="/more?s=1"&gt;&lt;img src="https://i.example/1.jpg?w=1"&gt;&lt;/a&gt;</description><category>c</category>
		<media:group><media:community><media:statistics views="1"/></media:community></media:group></item></channel></rss>`
	one := parseText(t, base).Arrivals[0].Item
	for _, test := range []struct {
		old, new   string
		text, rest bool
	}{
		{`views="1"`, `views="2"`, false, false},
		{"Some text", "Some  \n text", false, false},
		{"&lt;p&gt;Some text&lt;/p&gt;", "&lt;div&gt;Some text&lt;/div&gt;", false, false},
		{"utm_source=a", "utm_source=b", false, false},
		{"?w=1", "?w=2", false, false},
		{"Some text", "Some other text", true, false},
		{"Title", "New title", true, false},
		{"example/1?", "example/2?", true, false},
		{"1.jpg", "2.jpg", false, true},
		{"/more?s=1", "/more?s=2", false, false},
		{"/more", "/less", false, true},
		{"<category>c", "<category>d", false, true},
	} {
		two := parseText(t, strings.Replace(base, test.old, test.new, 1)).Arrivals[0].Item
		if (one.Text != two.Text) != test.text || (one.Rest != two.Rest) != test.rest {
			t.Errorf("%q for %q: text moved %v, rest %v", test.new, test.old, one.Text != two.Text, one.Rest != two.Rest)
		}
	}
	if again := parseText(t, base).Arrivals[0].Item; again.Text != one.Text || again.Rest != one.Rest {
		t.Error("the hashes are not the same each time")
	}
	same(t, "hash of a text, for ever", one.Text, uint64(0xb9d84c3a61e5b477))
}
