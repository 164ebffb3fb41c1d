package fetch

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// NotAFeed says that an address answered with a web page. Candidates are the addresses of the feeds that the
// page advertises, absolute, in its order.
type NotAFeed struct {
	Candidates []string
}

func (e *NotAFeed) Error() string {
	if len(e.Candidates) == 0 {
		return "a web page, not a feed: ask the outlet for the address of its feed"
	}
	return "a web page, not a feed; the feeds that it names: " + strings.Join(e.Candidates, " ")
}

// notFeed says what a document is that is no feed. root is its first element in lower case; "" without one.
func notFeed(src []byte, root string, address *url.URL) error {
	switch root {
	case "opml":
		return errors.New("an OPML list of feeds, not a feed: broadsheet import reads it")
	case "urlset", "sitemapindex":
		return errors.New("a site map, not a feed: ask the outlet for the address of its feed")
	case "html", "head", "body", "title", "meta", "link", "script", "style", "noscript", "iframe", "div", "span", "p", "a", "b",
		"br", "hr", "img", "h1", "h2", "h3", "center", "font", "table", "form":
		return &NotAFeed{feedCandidates(src, address)}
	case "":
		if head := bytes.ToLower(src[:min(len(src), 4096)]); bytes.Contains(head, []byte("<!doctype html")) {
			return &NotAFeed{}
		}
		begin := strings.ToValidUTF8(string(src[:min(len(src), 200)]), "")
		return fmt.Errorf("not a feed: it begins with %q", oneLine(clean(begin), 60))
	}
	return fmt.Errorf("not a feed: its first element is %q, none of rss, rdf:RDF, feed", oneLine(root, 60))
}

const (
	pageHead      = 512 << 10 // bytes of a page in which its feeds are looked for
	maxCandidates = 20
)

// feedCandidates lists the addresses of the feeds that a page advertises.
func feedCandidates(src []byte, address *url.URL) []string {
	var found []string
	for _, f := range readPage(src, address).Feeds {
		found = append(found, f.URL)
	}
	return found
}

// readPage reads what the head of a page, in UTF-8, says of it and of its feeds (RSS autodiscovery; HTML §4.6.7.1).
func readPage(src []byte, address *url.URL) *Page {
	p := &Page{Address: address.String()}
	base := address
	l := lexer{src: src[:min(len(src), pageHead)]}
	for len(p.Feeds) < maxCandidates {
		tok := l.next()
		if tok.kind == lexEnd {
			break
		}
		if tok.kind != lexStart {
			continue
		}
		switch strings.ToLower(string(tok.name)) {
		case "html":
			p.Language = language(firstOf(l.ofHTML("lang"), p.Language))
		case "base":
			if u, err := address.Parse(strings.TrimSpace(l.ofHTML("href"))); err == nil && base == address {
				base = u
			}
		case "title":
			if text := l.next(); text.kind == lexText && p.Title == "" {
				p.Title = oneLine(string(appendText(nil, text.text, false)), maxTitle)
			}
		case "script", "style": // what looks like a tag in there is none
			end := bytes.Index(bytes.ToLower(l.src[l.pos:]), append([]byte("</"), bytes.ToLower(tok.name)...))
			if l.pos += max(end, 0); end < 0 {
				return p
			}
		case "link":
			p.advertise(&l, base)
		}
	}
	return p
}

// advertise adds the feed that a link element is about, if it is one.
func (p *Page) advertise(l *lexer, base *url.URL) {
	kind, _, _ := strings.Cut(strings.ToLower(l.ofHTML("type")), ";")
	switch strings.TrimSpace(kind) {
	case "application/rss+xml", "application/atom+xml", "application/feed+json", "application/rdf+xml":
	default:
		return
	}
	alternate := slices.Contains(strings.Fields(strings.ToLower(l.ofHTML("rel"))), "alternate")
	link, _, _ := strings.Cut(absoluteLink(base, l.ofHTML("href")), "#")
	if alternate && link != "" && !slices.ContainsFunc(p.Feeds, func(f PageFeed) bool { return f.URL == link }) {
		p.Feeds = append(p.Feeds, PageFeed{link, oneLine(l.ofHTML("title"), maxTitle)})
	}
}

// ofHTML is the decoded value of an attribute of the last start tag, whose name may be written in any case.
func (l *lexer) ofHTML(name string) string {
	for _, a := range l.attrs {
		if strings.EqualFold(string(a.name), name) {
			return string(appendText(nil, a.value, false))
		}
	}
	return ""
}
