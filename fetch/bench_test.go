package fetch

import (
	"bytes"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mmcdole/gofeed"
)

// benchWords are what the documents of the benchmarks are made of.
var benchWords = strings.Fields(`the of council and to minister in says “harvest” is that after a – bridge café for naïve on 東京
	election police hospital it’s climate research was drought Łódź league with railway before satellite`)

func benchText(r *rand.Rand, n int) string {
	words := make([]string, n)
	for i := range words {
		words[i] = benchWords[r.IntN(len(benchWords))]
	}
	return strings.Join(words, " ")
}

// benchFeed makes a feed of 25 items and some 85 KiB, with what feeds have in them: figures, links, lists, trackers.
func benchFeed(atom bool) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	esc := html.EscapeString
	var b bytes.Buffer
	if atom {
		b.WriteString(`<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><id>tag:outlet.example,2026:feed</id><title>Outlet</title><link rel="alternate" href="https://outlet.example/"/><updated>2026-01-02T03:04:05Z</updated>`)
	} else {
		b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:atom="http://www.w3.org/2005/Atom"><channel><title>Outlet</title><link>https://outlet.example/</link><description>News</description><language>en</language><lastBuildDate>Fri, 02 Jan 2026 03:04:05 +0000</lastBuildDate>`)
	}
	for i := range 25 {
		var c strings.Builder
		fmt.Fprintf(&c, `<figure><img src="https://img.outlet.example/%d.jpg" alt="%s" width="1200" height="675" loading="lazy"/><figcaption>%s</figcaption></figure>`, i, benchText(r, 4), benchText(r, 9))
		for n := 0; c.Len() < 2400; n++ {
			if n%5 == 4 {
				fmt.Fprintf(&c, "<ul><li>%s &amp; %s</li><li>%s</li></ul>", benchText(r, 8), benchText(r, 2), benchText(r, 7))
				continue
			}
			fmt.Fprintf(&c, "<p>%s, <a href=\"https://outlet.example/ref/%d?a=1&amp;b=2\" rel=\"noopener\" target=\"_blank\">%s</a> <em>%s</em> &mdash; %s.</p>\n", benchText(r, 30), n, benchText(r, 3), benchText(r, 1), benchText(r, 10))
		}
		c.WriteString(`<div class="share"><a href="https://outlet.example/share">Share</a></div><img src="https://outlet.example/pixel.gif" width="1" height="1" alt=""/>`)
		title, summary, content := benchText(r, 9), "<p>"+benchText(r, 25)+".</p>", c.String()
		when := time.Date(2026, 1, 2, 3, i, 0, 0, time.UTC)
		if atom {
			fmt.Fprintf(&b, `<entry><id>tag:outlet.example,2026:%d</id><title type="html">%s</title><link rel="alternate" type="text/html" href="https://outlet.example/item/%d?utm_source=rss"/><published>%s</published><updated>%s</updated><author><name>Amara Berg</name></author><category term="world"/><summary type="html">%s</summary><content type="html">%s</content></entry>`,
				i, esc(title), i, when.Format(time.RFC3339), when.Format(time.RFC3339), esc(summary), esc(content))
		} else {
			fmt.Fprintf(&b, `<item><title>%s</title><link>https://outlet.example/item/%d?utm_source=rss</link><guid isPermaLink="false">outlet:%d</guid><pubDate>%s</pubDate><dc:creator>Amara Berg</dc:creator><category>world</category><category>law</category><description>%s</description><content:encoded><![CDATA[%s]]></content:encoded></item>`,
				esc(title), i, i, when.Format(time.RFC1123Z), esc(summary), content)
		}
	}
	if atom {
		b.WriteString("</feed>")
	} else {
		b.WriteString("</channel></rss>")
	}
	return b.Bytes()
}

// BenchmarkParse compares all that becomes of a document with what gofeed alone takes to read it.
func BenchmarkParse(b *testing.B) {
	address, _ := url.Parse("https://outlet.example/feed")
	for _, format := range []string{"rss", "atom"} {
		body := benchFeed(format == "atom")
		b.Run("ours/"+format, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if d, err := parseDocument(body, "", address); err != nil || len(d.Arrivals) != 25 {
					b.Fatal(err)
				}
			}
		})
		b.Run("gofeed/"+format, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if d, err := gofeed.NewParser().Parse(bytes.NewReader(body)); err != nil || len(d.Items) != 25 {
					b.Fatal(err)
				}
			}
		})
	}
}
