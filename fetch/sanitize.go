package fetch

import (
	"bytes"
	"regexp"
	"sync"

	"github.com/microcosm-cc/bluemonday"
)

// markupPolicy is what bluemonday lets through: the tags with attributes that markup writes (markup.go), and so a
// second opinion on all that could do harm. rel is written by markup and only passed on.
var markupPolicy = sync.OnceValue(func() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	number := regexp.MustCompile(`^[0-9]{1,5}%?$`)
	tag := regexp.MustCompile(`^[A-Za-z0-9-]{1,35}$`)
	p.AllowElements("p", "br", "hr", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "dl", "dt", "dd", "blockquote",
		"pre", "code", "em", "strong", "b", "i", "u", "s", "sub", "sup", "small", "figure", "figcaption",
		"table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "abbr", "time", "del", "ins")
	p.AllowAttrs("href").OnElements("a")
	p.AllowAttrs("rel").Matching(regexp.MustCompile(`^` + linkRel + `$`)).OnElements("a")
	p.AllowAttrs("src", "alt").OnElements("img")
	p.AllowAttrs("width", "height").Matching(number).OnElements("img")
	p.AllowAttrs("colspan", "rowspan").Matching(number).OnElements("td", "th")
	p.AllowAttrs("datetime").Matching(regexp.MustCompile(`^[0-9TZW:.+ -]{1,40}$`)).OnElements("time", "del", "ins")
	p.AllowAttrs("title").Globally()
	p.AllowAttrs("lang").Matching(tag).Globally()
	p.AllowAttrs("dir").Matching(bluemonday.Direction).Globally()
	p.AllowURLSchemes("http", "https", "mailto")
	p.RequireParseableURLs(true)
	p.AllowRelativeURLs(false)
	return p
})

// linkRel: an outlet's links earn nothing from us, and those who follow them tell nothing.
const linkRel = "nofollow noopener noreferrer"

// approve puts start tags, one a line, before the policy, and returns what is left of each.
func approve(tags []byte) [][]byte {
	if len(tags) == 0 {
		return nil
	}
	approved := bytes.NewBuffer(make([]byte, 0, len(tags)+len(tags)/8))
	lines := bytes.Count(tags, []byte("\n"))
	if err := markupPolicy().SanitizeReaderToWriter(bytes.NewReader(tags), approved); err != nil || bytes.Count(approved.Bytes(), []byte("\n")) != lines {
		return make([][]byte, lines) // what it cannot read cannot stand
	}
	return bytes.Split(approved.Bytes(), []byte("\n"))
}
