package fetch

import (
	"cmp"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"time"

	"broadsheet/store"

	"golang.org/x/net/html"
)

// What kind of value a field is, and so how it is compared.
const (
	kindHTML     = "HTML"
	kindText     = "text"     // plain here (PROTOCOL S8), HTML or plain there
	kindDate     = "date"     // a moment
	kindLanguage = "language" // whose case says nothing (BCP 47)
	kindLink     = "link"     // a URI here (RFC 3986), perhaps an IRI there
	kindID       = "id"       // as the outlet wrote it here, resolved there
	kindExact    = "exact"
)

// What DATA.md does not allow for, and the contract of what we keep makes inevitable.
const (
	byRel      = "HTML but for rel" // links in texts carry one, and URIs (PROTOCOL S9)
	byText     = "text of HTML"     // titles, authors, tags and rights are plain text (S8)
	byMoment   = "same moment"      // a date is a moment, not how the outlet wrote it (F56)
	byLanguage = "same language"    // a tag of BCP 47 is spelt in one way
	byURI      = "IRI as URI"       // an address is a URI, of which an IRI is another spelling (RFC 3987 §3.1)
	byID       = "id resolved"      // an id is what the outlet wrote (PRODUCT.md, "Identity")
)

// holds is the comparison that DATA.md gives, and says by what rule a field is as it must be; "" if it is not.
//
// Everything may differ by white space, by the spelling of entities, by an outer <div> and by a trailing slash. What we
// keep differs further by contract, and where it does the comparison makes the same of what must come out, by one of the
// allowances below; TestConformance also tells what holds without them.
func holds(c *conformanceCheck, got []string, kind string, base *url.URL) string {
	if c.Op == "len" {
		return when(fmt.Sprint(len(got)) == fmt.Sprint(c.Value), "number")
	}
	if len(got) == 0 {
		return when(c.Value == nil || c.Value == "", "nothing there")
	}
	want := fmt.Sprint(c.Value)
	switch {
	case c.Op == "ord":
		char := []rune(got[0])
		return when(len(char) == 1 && fmt.Sprint(char[0]) == want, "character")
	case c.Op != "eq":
		panic("an op that nobody told us of: " + c.Op)
	case c.Value == nil:
		return when(got[0] == "", "nothing there")
	}
	for _, g := range got { // of several, any
		rule := ""
		switch {
		case kind == kindHTML:
			if rule = when(canonicalHTML(g, false) == canonicalHTML(want, false), "HTML"); rule == "" {
				rule = when(canonicalHTML(g, true) == canonicalHTML(want, true), byRel)
			}
		case one(g) == one(want):
			rule = "same"
		case kind == kindText:
			rule = when(one(g) == one(textOf(want)), byText)
		case kind == kindDate:
			rule = when(g == momentOf(want), byMoment)
		case kind == kindLanguage:
			rule = when(strings.EqualFold(g, want), byLanguage)
		case kind == kindLink:
			rule = when(one(g) == one(absoluteLink(base, want)), byURI)
		case kind == kindID:
			u, err := base.Parse(g)
			rule = when(err == nil && u.String() == want, byID)
		}
		if rule != "" {
			return rule
		}
	}
	return ""
}

func when(holds bool, rule string) string {
	if holds {
		return rule
	}
	return ""
}

// momentOf reads a date that stands in a case as its document has it.
func momentOf(s string) string {
	for _, layout := range []string{time.RFC3339, time.RFC1123, time.RFC1123Z, time.DateOnly} {
		if at, err := time.Parse(layout, s); err == nil {
			return clock(at)
		}
	}
	return s
}

// one is s on one line, without a trailing slash.
func one(s string) string { return strings.TrimSuffix(strings.Join(strings.Fields(s), " "), "/") }

// canonicalHTML spells HTML in one way: entities and white space, without the one <div> around all and the slash behind
// it; with ours also without the rel that we add, and with addresses as URIs.
func canonicalHTML(s string, ours bool) string {
	var b strings.Builder
	var depth, first, outer int // how deep the tags are; where the first ends; where the <div> that is first ends
	z := html.NewTokenizer(strings.NewReader(strings.TrimSpace(s)))
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			text := b.String()
			if first > 0 && outer == len(text) {
				text = strings.TrimSuffix(text[first:], "</div>")
			}
			return one(text)
		case html.TextToken:
			b.WriteString(html.EscapeString(html.UnescapeString(string(z.Raw()))))
		case html.StartTagToken, html.SelfClosingTagToken:
			tok := z.Token()
			start := b.Len()
			b.WriteString("<" + tok.Data)
			for _, a := range tok.Attr {
				if ours && (a.Key == "href" || a.Key == "src") {
					a.Val = cmp.Or(absoluteLink(nil, a.Val), a.Val)
				}
				if !ours || a.Key != "rel" || a.Val != linkRel {
					fmt.Fprintf(&b, " %s=%q", a.Key, a.Val)
				}
			}
			b.WriteString(">")
			if depth++; kind == html.SelfClosingTagToken || isVoid(tok.Data) {
				depth--
			}
			if start == 0 && tok.Data == "div" {
				first = b.Len()
			}
		case html.EndTagToken:
			tok := z.Token()
			b.WriteString("</" + tok.Data + ">")
			if depth--; depth == 0 && outer == 0 {
				outer = b.Len()
			}
		default:
			if raw := string(z.Raw()); strings.HasSuffix(raw, ">") {
				b.WriteString(raw)
			} else { // what never ends is text
				b.WriteString(html.EscapeString(raw))
			}
		}
	}
}

// textOf is the text of HTML.
func textOf(s string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(s))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return b.String()
		case html.TextToken:
			b.Write(z.Text())
		case html.StartTagToken, html.SelfClosingTagToken:
			if name, _ := z.TagName(); string(name) == "br" {
				b.WriteByte(' ')
			}
		}
	}
}

// lookUp returns what we have for the path of a check, and of what kind it is; "" for what we do not keep at all.
func lookUp(d *document, path []any) (got []string, kind string) {
	switch {
	case path[0] == "feed" && len(path) > 1:
		o := &d.Origin
		switch path[1] {
		case "title":
			return []string{o.Title}, kindText
		case "summary":
			return []string{o.Subtitle}, kindHTML
		case "link":
			return []string{o.Link}, kindLink
		case "anylink":
			return []string{o.Link, o.Feed}, kindLink
		case "id":
			return []string{o.ID}, kindID
		case "language":
			return []string{d.Language}, kindLanguage
		case "updated", "updated_parsed":
			return []string{clock(o.Updated)}, kindDate
		case "published", "published_parsed":
			return []string{clock(o.Issued)}, kindDate
		case "rights":
			return []string{o.Rights}, kindText
		case "image":
			return []string{o.Image}, kindLink
		case "author", "authors":
			return authorField(o.Authors, path[2:])
		case "tags":
			return tagField(o.Categories, path[2:])
		}
	case path[0] == "entries" && len(path) > 2:
		var it store.Item
		var b store.Body
		if n := int(path[1].(float64)); n < len(d.Arrivals) {
			it, b = d.Arrivals[n].Item, d.Arrivals[n].Body
		}
		switch path[2] {
		case "title":
			return []string{it.Title}, kindText
		case "summary":
			return []string{b.Summary}, kindHTML
		case "content":
			if path[3] != 0. { // we keep one
				return nil, kindHTML
			}
			return []string{b.Content}, kindHTML
		case "link":
			return []string{it.Link}, kindLink
		case "anylink":
			got = []string{it.Link, b.Comments, b.License}
			for _, e := range it.Enclosures {
				got = append(got, e.URL)
			}
			return got, kindLink
		case "id":
			return []string{it.GUID}, kindID
		case "language":
			return []string{it.Language}, kindLanguage
		case "published", "published_parsed":
			return []string{clock(b.Published)}, kindDate
		case "updated", "updated_parsed":
			return []string{clock(b.Updated)}, kindDate
		case "rights":
			return []string{b.Rights}, kindText
		case "image":
			return []string{it.Image}, kindLink
		case "comments":
			return []string{b.Comments}, kindLink
		case "source_title":
			return []string{b.Origin.Title}, kindText
		case "source_href":
			return []string{b.Origin.Link}, kindLink
		case "author", "authors":
			return authorField(it.Authors, path[3:])
		case "tags":
			return tagField(it.Categories, path[3:])
		case "enclosures":
			if len(path) < 5 {
				return make([]string, len(it.Enclosures)), kindExact
			}
			n := int(path[3].(float64))
			if n >= len(it.Enclosures) {
				return nil, kindExact
			}
			e := it.Enclosures[n]
			return []string{map[any]string{"href": e.URL, "type": e.Type, "length": fmt.Sprint(e.Length)}[path[4]]}, kindExact
		}
	}
	return nil, ""
}

// authorField is the field of the author that path names; without a path the first as one string, in any of the
// ways in which feeds write it.
func authorField(authors []store.Author, path []any) ([]string, string) {
	n, field := 0, any("")
	if len(path) > 1 {
		n, field = int(path[0].(float64)), path[1]
	}
	if n >= len(authors) {
		return nil, kindText
	}
	a := authors[n]
	switch field {
	case "name":
		return []string{a.Name}, kindText
	case "email":
		return []string{a.Email}, kindExact
	case "href":
		return []string{a.URL}, kindLink
	}
	switch local, _, _ := strings.Cut(a.Email, "@"); {
	case a.Email == "":
		return []string{a.Name}, kindText
	case a.Name == local: // made of it, where there is none
		return []string{a.Email}, kindText
	}
	return []string{a.Name + " (" + a.Email + ")", a.Email + " (" + a.Name + ")", a.Name + " <" + a.Email + ">"}, kindText
}

func tagField(categories []store.Category, path []any) (terms []string, kind string) {
	for _, c := range categories {
		terms = append(terms, c.Term)
	}
	if len(path) == 0 {
		return terms, kindText
	}
	n := int(path[0].(float64))
	if n >= len(terms) {
		return nil, kindText
	}
	return terms[n : n+1], kindText
}

// clock is a moment as cases give it.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	t = t.UTC()
	return fmt.Sprint([]any{t.Year(), int(t.Month()), t.Day(), t.Hour(), t.Minute(), t.Second()})
}

// active is what of a document could act in a browser; "" if nothing could. It looks at what a browser makes of the
// texts, and knows nothing of how they were cleaned.
func active(d *document) string {
	texts := []string{d.Subtitle}
	for i := range d.Arrivals {
		b := &d.Arrivals[i].Body
		texts = append(texts, b.Summary, b.Content, b.Origin.Subtitle)
	}
	for _, text := range texts {
		root, err := html.Parse(strings.NewReader("<!DOCTYPE html><body>" + text))
		if err != nil {
			return err.Error()
		}
		for n := range root.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			if strings.Contains(" script style iframe frame frameset object embed applet meta link base form input button select textarea svg math template noscript video audio source dialog marquee portal bgsound layer xml ", " "+n.Data+" ") {
				return "<" + n.Data + "> in " + text
			}
			for _, a := range n.Attr {
				scheme, _, found := strings.Cut(strings.ToLower(strings.Join(strings.Fields(a.Val), "")), ":")
				acts := strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "srcset" || a.Key == "srcdoc" || a.Key == "id" || a.Key == "name"
				address, words := a.Key == "href" || a.Key == "src", a.Key == "title" || a.Key == "alt"
				leads := address && (!found || scheme != "http" && scheme != "https" && scheme != "mailto")
				if acts || leads || !address && !words && strings.Contains(strings.ToLower(a.Val), "javascript:") {
					return fmt.Sprintf("%s=%q in %s", a.Key, a.Val, text)
				}
			}
		}
	}
	for i := range d.Arrivals {
		for _, l := range append(linksIn(reflect.ValueOf(d.Arrivals[i].Item)), linksIn(reflect.ValueOf(d.Arrivals[i].Body))...) {
			if !strings.HasPrefix(l, "http://") && !strings.HasPrefix(l, "https://") {
				return "link " + l
			}
		}
	}
	return ""
}
