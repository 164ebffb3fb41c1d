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
	return fmt.Errorf("not a feed: its first element is <%s>, none of <rss>, <rdf:RDF>, <feed>", root)
}

const (
	pageHead      = 512 << 10 // bytes of a page in which its feeds are looked for
	maxCandidates = 20
)

// feedCandidates lists the feeds that a page advertises (RSS autodiscovery; HTML §4.6.7.1).
func feedCandidates(src []byte, address *url.URL) []string {
	var found []string
	l := lexer{src: src[:min(len(src), pageHead)]}
	for len(found) < maxCandidates {
		tok := l.next()
		if tok.kind == lexEnd {
			break
		}
		if tok.kind != lexStart || !strings.EqualFold(string(tok.name), "link") {
			continue
		}
		kind, _, _ := strings.Cut(strings.ToLower(l.attribute("type")), ";")
		switch strings.TrimSpace(kind) {
		case "application/rss+xml", "application/atom+xml", "application/feed+json", "application/rdf+xml":
		default:
			continue
		}
		alternate := slices.Contains(strings.Fields(strings.ToLower(l.attribute("rel"))), "alternate")
		if link := absoluteLink(address, l.attribute("href")); alternate && link != "" && !slices.Contains(found, link) {
			found = append(found, link)
		}
	}
	return found
}
