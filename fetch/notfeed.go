package fetch

import (
	"bytes"
	"fmt"
	"strings"
)

// NotAFeed says that an address answered with a web page. Candidates are the feeds that the page advertises, as
// it writes them, which need not be absolute.
type NotAFeed struct {
	Candidates []string
}

func (e *NotAFeed) Error() string {
	if len(e.Candidates) == 0 {
		return "a web page, not a feed: ask the outlet for the address of its feed"
	}
	return "a web page, not a feed: it names as its feeds " + strings.Join(e.Candidates, " ")
}

// notFeed says what a document is that is no feed, from its first element.
func notFeed(src []byte, root string) error {
	head := bytes.ToLower(src[:min(len(src), 4096)])
	switch {
	case root == "opml":
		return fmt.Errorf("an OPML list of feeds, not a feed: broadsheet import reads it")
	case root == "urlset" || root == "sitemapindex":
		return fmt.Errorf("a site map, not a feed: ask the outlet for the address of its feed")
	case root == "html" || bytes.Contains(head, []byte("<!doctype html")) || bytes.Contains(head, []byte("<html")) || bytes.Contains(head, []byte("<body")) || bytes.Contains(head, []byte("<head")):
		return &NotAFeed{}
	case root != "":
		return fmt.Errorf("not a feed: its first element is <%s>, none of <rss>, <rdf:RDF>, <feed>", root)
	}
	return fmt.Errorf("not a feed: it begins with %q", oneLine(clean(string(src[:min(len(src), 200)])), 60))
}
