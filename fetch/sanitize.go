package fetch

import (
	"bytes"
	"regexp"
	"slices"
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

// approve puts start tags, one a line, before the policy, and returns what is left of each. Those of which it is known
// that the policy passes them as they are, nearly all, are not even asked about.
func approve(tags []byte) [][]byte {
	if len(tags) == 0 {
		return nil
	}
	approved := make([][]byte, 0, bytes.Count(tags, []byte("\n")))
	var doubtful []byte
	var places []int // of the doubtful, in approved
	for tag := range bytes.Lines(tags) {
		tag = tag[:len(tag)-1]
		if !usualTag(tag) {
			doubtful = append(append(doubtful, tag...), '\n')
			places = append(places, len(approved))
			tag = nil
		}
		approved = append(approved, tag)
	}
	if doubtful == nil {
		return approved
	}
	var passed bytes.Buffer
	if err := markupPolicy().SanitizeReaderToWriter(bytes.NewReader(doubtful), &passed); err != nil || bytes.Count(passed.Bytes(), []byte("\n")) != len(places) {
		return approved // what it cannot read cannot stand
	}
	left := passed.Bytes()
	for _, at := range places {
		approved[at], left, _ = bytes.Cut(left, []byte("\n"))
	}
	return approved
}

// usualTag reports whether tag is one that the policy passes unchanged: attributes that it permits, an address of usual
// characters, and else short numbers or texts. FuzzUsualTag holds it against the policy.
func usualTag(tag []byte) bool {
	name, rest, found := bytes.Cut(tag, []byte(" "))
	if !found || len(name) < 2 || name[0] != '<' {
		return false
	}
	name = name[1:]
	address := ""
	switch string(name) {
	case "a":
		address = "href"
	case "img":
		address = "src"
	case "p", "blockquote", "ul", "ol", "li", "h2", "h3", "h4", "h5", "h6", "em", "strong", "b", "i", "abbr", "pre", "code", "figure":
	default:
		return false
	}
	addressed := address == ""
	var has [len(usualAttributes)]bool
	for {
		attribute, value, ok := bytes.Cut(rest, []byte(`="`))
		if !ok {
			return false
		}
		if value, rest, ok = bytes.Cut(value, []byte(`"`)); !ok {
			return false
		}
		of := string(attribute)
		which := slices.Index(usualAttributes[:], of)
		if which < 0 || has[which] {
			return false
		}
		has[which] = true
		switch of {
		case "href", "src":
			ok = of == address && usualAddress(value)
			addressed = true
		case "rel":
			ok = address == "href" && string(value) == linkRel
		case "title":
			ok = usualValue(value)
		case "alt":
			ok = address == "src" && usualValue(value)
		case "width", "height":
			ok = address == "src" && len(value) > 0 && len(value) <= 5 && len(bytes.Trim(value, "0123456789")) == 0
		case "lang":
			ok = len(value) > 0 && len(value) <= 35 && usualLanguage(value)
		case "dir":
			ok = string(value) == "ltr" || string(value) == "rtl"
		}
		if !ok {
			return false
		}
		if len(rest) == 1 && rest[0] == '>' {
			return addressed
		}
		if len(rest) == 0 || rest[0] != ' ' {
			return false
		}
		rest = rest[1:]
	}
}

// usualAttributes are those that a usual tag may have, each once.
var usualAttributes = [...]string{"href", "src", "rel", "title", "alt", "width", "height", "lang", "dir"}

func usualLanguage(value []byte) bool {
	for _, c := range value {
		if !isAlnum(c) && c != '-' {
			return false
		}
	}
	return true
}

// usualAddress reports whether a value is an absolute address that net/url would write in no other way.
func usualAddress(value []byte) bool {
	rest, ok := bytes.CutPrefix(value, []byte("https://"))
	if !ok {
		if rest, ok = bytes.CutPrefix(value, []byte("http://")); !ok {
			return false
		}
	}
	host := bytes.IndexByte(rest, '/')
	if host < 0 {
		host = len(rest)
	}
	if host == 0 {
		return false
	}
	fragment := false
	for i, c := range rest {
		switch {
		case i < host:
			if c != '.' && c != '-' && !isAlnum(c) {
				return false
			}
		case c == '&':
			if !bytes.HasPrefix(rest[i:], []byte("&amp;")) {
				return false
			}
		case c == '%':
			if len(rest) < i+3 || !isHex(rest[i+1]) || !isHex(rest[i+2]) {
				return false
			}
		case c == '#':
			if fragment || i+1 == len(rest) {
				return false
			}
			fragment = true
		case !usualInLink[c]:
			return false
		}
	}
	return true
}

// usualValue reports whether a value is text that could be written in no other way.
func usualValue(value []byte) bool {
	for i, c := range value {
		switch {
		case c == '&':
			known := false
			for _, reference := range []string{"&amp;", "&#34;", "&#39;", "&lt;", "&gt;"} {
				known = known || bytes.HasPrefix(value[i:], []byte(reference))
			}
			if !known {
				return false
			}
		case c < ' ', c == '<', c == '>', c == '\'', c == 0x7f:
			return false
		}
	}
	return true
}
