package fetch

import (
	"encoding/json"
	"strings"
	"testing"
)

// What feeds and items say of themselves in other places and vocabularies than their format has for it. A row is what
// stands in the feed or item, and what is read for a field as lookUp names it.
func TestParseVariants(t *testing.T) {
	rss := `<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/"><channel>` + "|</channel></rss>"
	item := strings.Replace(rss, "|", "<item>|</item>", 1)
	atom := `<feed xmlns="http://www.w3.org/2005/Atom" xmlns:dcterms="http://purl.org/dc/terms/">|</feed>`
	entry := strings.Replace(atom, "|", "<entry>|</entry>", 1)
	for _, test := range []struct{ name, within, written, path, want string }{
		{"two titles", rss, "<title/><title>a</title><image><title>b</title></image><title>c</title>", `["feed","title"]`, "a"},
		{"two titles", atom, "<title/><title>a</title><title>c</title>", `["feed","title"]`, "a"},
		{"two titles of an item", item, "<title>a</title><title>b</title>", `["entries",0,"title"]`, "a"},
		{"media:title", rss, "<media:title>a</media:title>", `["feed","title"]`, "a"},
		{"media:description", rss, "<media:description>a</media:description>", `["feed","summary"]`, "a"},
		{"issued", rss, "<issued>2026-11-23</issued>", `["feed","published"]`, "[2026 11 23 0 0 0]"},
		{"dc:title of Atom", `<feed xmlns="http://www.w3.org/2005/Atom" xmlns:dc="http://purl.org/dc/elements/1.1/">|</feed>`, "<dc:title>a</dc:title>", `["feed","title"]`, "a"},
		{"dc:description of Atom", `<feed xmlns="http://www.w3.org/2005/Atom" xmlns:dc="http://purl.org/dc/elements/1.1/">|</feed>`, "<dc:description>a</dc:description>", `["feed","summary"]`, "a"},
		{"modified", rss, "<dc:date>2026-11-22</dc:date><modified>2026-11-23</modified>", `["feed","updated"]`, "[2026 11 23 0 0 0]"},
		{"lastBuildDate before dc:date", rss, "<lastBuildDate>2026-11-23</lastBuildDate><dc:date>2026-11-22</dc:date>", `["feed","updated"]`, "[2026 11 23 0 0 0]"},
		{"dcterms:issued of Atom", atom, "<dcterms:issued>2026-11-23</dcterms:issued>", `["feed","published"]`, "[2026 11 23 0 0 0]"},
		{"lastBuildDate of Atom", atom, "<lastBuildDate>2026-11-23</lastBuildDate>", `["feed","updated"]`, "[2026 11 23 0 0 0]"},
		{"two kinds of authors", rss, "<managingEditor>ed@a.example (Ed)</managingEditor><dc:creator>Zoë</dc:creator>", `["feed","authors",1,"email"]`, "ed@a.example"},
		{"atom:link of RSS", rss, `<link xmlns="http://www.w3.org/2005/Atom" href="https://a.example/"/>`, `["feed","link"]`, "https://a.example/"},
		{"Atom's link in RSS", item, `<link rel="self" href="https://b.example/"/><link rel="alternate" href="https://a.example/"/>`, `["entries",0,"link"]`, "https://a.example/"},
		{"Atom's enclosure in RSS", item, `<link rel="enclosure" href="https://a.example/1.mp3"/>`, `["entries",0,"enclosures",0,"href"]`, "https://a.example/1.mp3"},
		{"enclosure with href", item, `<enclosure href="https://a.example/1.mp3"/>`, `["entries",0,"enclosures",0,"href"]`, "https://a.example/1.mp3"},
		{"Atom's category in RSS", item, `<category term="a"/>`, `["entries",0,"tags",0]`, "a"},
		{"category of a file", item, `<media:group><media:content url="https://a.example/1.mp3"><media:category>a</media:category></media:content></media:group>`, `["entries",0,"tags",0]`, "a"},
		{"keywords of a file", item, `<media:content url="https://a.example/1.mp3"><media:keywords>a, b</media:keywords></media:content>`, `["entries",0,"tags",1]`, "b"},
		{"guid that is a relative address", rss, `<item xml:base="https://a.example/"><guid isPermaLink="true">b/1</guid></item>`, `["entries",0,"link"]`, "https://a.example/b/1"},
		{"author read as windows-1252", item, "<author>NÃ¸hr</author>", `["entries",0,"author"]`, "Nøhr"},
		{"RSS's enclosure in Atom", entry, `<enclosure url="https://a.example/1.mp3"/>`, `["entries",0,"enclosures",0,"href"]`, "https://a.example/1.mp3"},
		{"RSS's guid in Atom", entry, `<guid>a</guid>`, `["entries",0,"id"]`, "a"},
		{"RSS's description in Atom", entry, `<description>a</description>`, `["entries",0,"summary"]`, "a"},
		{"RSS's description of a feed in Atom", atom, `<description>a</description>`, `["feed","summary"]`, "a"},
		{"RSS's content in Atom", entry, `<content:encoded>&lt;b&gt;a&lt;/b&gt;</content:encoded>`, `["entries",0,"content",0]`, "<b>a</b>"},
		{"RSS's link in Atom", entry, "<link xml:base='https://a.example/b/'> c </link>", `["entries",0,"link"]`, "https://a.example/b/c"},
		{"base from which no address follows", rss, `<item xml:base="urn:a"><link xml:base="javascript:a">/b/1</link></item>`, `["entries",0,"link"]`, "https://feeds.example/b/1"},
		{"dc:title in Atom", entry, "<dc:title>a</dc:title>", `["entries",0,"title"]`, "a"},
		{"no base64", entry, `<content mode="base64">a &amp; b</content>`, `["entries",0,"content",0]`, "a &amp; b"},
		{"vocabulary of nobody", `<x:feed xmlns:x="http://nobody.example/ns">|</x:feed>`, "<x:entry><x:title>a</x:title></x:entry>", `["entries",0,"title"]`, "a"},
		{"old address of RSS", `<rss xmlns:x="http://purl.org/rss/1.0/modules/rss091#"><channel><item>|</item></channel></rss>`, "<x:title>a</x:title>", `["entries",0,"title"]`, "a"},
	} {
		var path []any
		if err := json.Unmarshal([]byte(test.path), &path); err != nil {
			t.Fatal(err)
		}
		d := parseText(t, strings.Replace(test.within, "|", test.written, 1))
		if got, _ := lookUp(d, path); len(got) != 1 || got[0] != test.want {
			t.Errorf("%s: %s is %q, want %q", test.name, test.path, got, test.want)
		}
	}
}
