package fetch

import (
	"fmt"
	"strings"
	"testing"
)

// Titles, authors and categories are plain text, decoded once by what their format says that they are and never twice.
// A row is how an outlet writes a text in the document, and what must come out for each format and type.
func TestPlainText(t *testing.T) {
	rss := `<rss><channel><item>%s</item></channel></rss>`
	atom := `<feed xmlns="http://www.w3.org/2005/Atom"><entry>%s</entry></feed>`
	old := `<feed version="0.3" xmlns="http://purl.org/atom/ns#"><entry>%s</entry></feed>`
	formats := []struct{ name, doc, element, what string }{
		{"RSS 2.0", rss, `<title>%s</title>`, "title"},
		{"RSS 1.0", `<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"><channel/><item>%s</item></rdf:RDF>`, `<title>%s</title>`, "title"},
		{"Atom, html", atom, `<title type="html">%s</title>`, "title"},
		{"Atom 0.3, text/html, escaped", old, `<title type="text/html" mode="escaped">%s</title>`, "title"},
		{"RSS, category", rss, `<category>%s</category>`, "category"},
		{"RSS, dc:creator", rss, `<dc:creator>%s</dc:creator>`, "author"},

		{"Atom, text", atom, `<title type="text">%s</title>`, "title"},
		{"Atom, no type", atom, `<title>%s</title>`, "title"},
		{"Atom 0.3, text/plain", old, `<title type="text/plain">%s</title>`, "title"},
		{"Atom, category", atom, `<category term="%s"/>`, "category"},
		{"Atom, author", atom, `<author><name>%s</name></author>`, "author"},

		{"Atom, xhtml", atom, `<title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">%s</div></title>`, "title"},
		{"Atom 0.3, xhtml", old, `<title type="application/xhtml+xml"><div xmlns="http://www.w3.org/1999/xhtml">%s</div></title>`, "title"},

		{"JSON Feed", `{"version":"https://jsonfeed.org/version/1.1","items":[{"id":"1",%s}]}`, `"title":"%s"`, "title"},
		{"JSON Feed, tag", `{"version":"https://jsonfeed.org/version/1.1","items":[{"id":"1",%s}]}`, `"tags":["%s"]`, "category"},
		{"JSON Feed, author", `{"version":"https://jsonfeed.org/version/1.1","items":[{"id":"1",%s}]}`, `"authors":[{"name":"%s"}]`, "author"},
	}
	for _, row := range []struct{ written, html, text, xhtml, json string }{
		{`Tom &amp; Jerry`, `Tom & Jerry`, `Tom & Jerry`, `Tom & Jerry`, `Tom &amp; Jerry`},
		{`AT&amp;amp;T`, `AT&T`, `AT&amp;T`, `AT&amp;T`, `AT&amp;amp;T`},
		{`AT&amp;amp;amp;T`, `AT&amp;T`, `AT&amp;amp;T`, `AT&amp;amp;T`, `AT&amp;amp;amp;T`},
		{`a &lt; b`, `a < b`, `a < b`, `a < b`, `a &lt; b`},
		{`a &amp;lt; b`, `a < b`, `a &lt; b`, `a &lt; b`, `a &amp;lt; b`},
		{`&lt;b&gt;bold&lt;/b&gt;`, `bold`, `<b>bold</b>`, `<b>bold</b>`, `&lt;b&gt;bold&lt;/b&gt;`},
		{`&amp;lt;b&amp;gt;bold&amp;lt;/b&amp;gt;`, `<b>bold</b>`, `&lt;b&gt;bold&lt;/b&gt;`, `&lt;b&gt;bold&lt;/b&gt;`, `&amp;lt;b&amp;gt;bold&amp;lt;/b&amp;gt;`},
		{`<b>bold</b>`, `bold`, `bold`, `bold`, `<b>bold</b>`},
		{`<![CDATA[Tom & Jerry]]>`, `Tom & Jerry`, `Tom & Jerry`, `Tom & Jerry`, `<![CDATA[Tom & Jerry]]>`},
		{`<![CDATA[Tom &amp; Jerry]]>`, `Tom & Jerry`, `Tom &amp; Jerry`, `Tom &amp; Jerry`, `<![CDATA[Tom &amp; Jerry]]>`},
		{`<![CDATA[<b>bold</b>]]>`, `bold`, `<b>bold</b>`, `<b>bold</b>`, `<![CDATA[<b>bold</b>]]>`},
		{`caf&#233; &#x201C;q&#x201D; 5 &#8364;`, `café “q” 5 €`, `café “q” 5 €`, `café “q” 5 €`, `caf&#233; &#x201C;q&#x201D; 5 &#8364;`},
		{`Q&amp;A: 1 &amp;lt; 2 &amp;copy; 3`, `Q&A: 1 < 2 © 3`, `Q&A: 1 &lt; 2 &copy; 3`, `Q&A: 1 &lt; 2 &copy; 3`, `Q&amp;A: 1 &amp;lt; 2 &amp;copy; 3`},
	} {
		for i, f := range formats {
			want := row.html
			switch {
			case i >= 13:
				want = row.json
			case i >= 11:
				want = row.xhtml
			case i >= 6:
				want = row.text
			}
			if strings.Contains(f.element, `="%s"`) && strings.Contains(row.written, "<") {
				continue // no attribute holds a tag
			}
			d := parseText(t, fmt.Sprintf(f.doc, fmt.Sprintf(f.element, row.written)))
			it, got := d.Arrivals[0].Item, ""
			switch {
			case f.what == "title":
				got = it.Title
			case f.what == "category" && len(it.Categories) == 1:
				got = it.Categories[0].Term
			case f.what == "author" && len(it.Authors) == 1:
				got = it.Authors[0].Name
			}
			if got != want {
				t.Errorf("%s: %s: %q, want %q", f.name, row.written, got, want)
			}
		}
	}
}
