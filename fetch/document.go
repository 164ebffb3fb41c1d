package fetch

import (
	"bytes"
	"errors"
	"net/url"
	"time"

	"broadsheet/store"
)

// A document is what a feed's address answered with, as the store shall have it.
type document struct {
	store.Origin               // what the feed says of itself
	Language     string        // BCP 47; "" if the feed does not say
	TTL          time.Duration // for which the feed says it need not be asked again (RSS 2.0 ttl); 0 if it does not
	Pace         store.Pace    // what it says of its rhythm; of Gap and Newest, which are measured, nothing

	links feedLinks

	Arrivals []store.Arrival // in the document's order, complete items only
	Damaged  error           // what of the document was lost; nil if it is whole
	Fault    string          // what is wrong with it although nothing was lost; "" if nothing is
}

// parseDocument reads a feed: RSS 0.9x to 2.0, RSS 1.0, Atom 0.3 and 1.0, JSON Feed. contentType is the header
// of the answer and address where it came from, after redirects. Of a document that is cut off the complete
// items are returned, and Damaged says so. A web page is a NotAFeed.
func parseDocument(body []byte, contentType string, address *url.URL) (*document, error) {
	src, fault, err := readable(body, contentType)
	if err != nil {
		return nil, err
	}
	return readFeed(src, fault, address)
}

// readable is a document as UTF-8, without what stands before its first character; fault says what was wrong with it.
func readable(body []byte, contentType string) (src []byte, fault string, err error) {
	text, fault := toUTF8(body, contentType)
	src = bytes.TrimLeft(text, " \t\r\n\x00\ufeff")
	if len(src) == 0 {
		return nil, "", errors.New("the document is empty: the outlet sends no feed at this address")
	}
	return src, fault, nil
}

// readFeed reads a feed that readable returned.
func readFeed(src []byte, fault string, address *url.URL) (*document, error) {
	feed := rawFeed{base: address}
	var err error
	if src[0] == '{' {
		err = feed.readJSON(src)
	} else {
		err = feed.readXML(src)
	}
	if err != nil {
		return nil, err
	}
	d := feed.document()
	d.Fault = fault
	return d, nil
}

// A rawFeed is a feed as the outlet wrote it, whatever the format. Texts of items may be HTML and links
// relative.
type rawFeed struct {
	rawOrigin
	language string
	ttl      time.Duration
	pace     store.Pace
	base     *url.URL
	links    feedLinks
	note     tidyNote
	notes    []tidyNote // of the items
	items    []rawItem
	damaged  error
}

// A rawOrigin is what a feed says of itself, or an item of the feed that it was taken from.
type rawOrigin struct {
	id, title, subtitle string
	link, self, image   string
	rights, license     string
	updated, issued     time.Time
	authors             []store.Author
	categories          []store.Category
}

type rawItem struct {
	note                        tidyNote
	guid, title                 string
	links                       []string // the first that is one counts
	original                    string   // where it stood first, as rel=canonical says
	summary, content, mediaText string
	language, rights, license   string
	comments                    string
	published, updated          time.Time
	authors                     []store.Author
	categories                  []store.Category
	enclosures                  []store.Enclosure
	pictures                    []store.Picture // the first counts
	podcast                     store.Podcast
	origin                      rawOrigin
}

func firstOf(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

func firstTime(times ...*time.Time) time.Time {
	for _, t := range times {
		if t != nil {
			return *t
		}
	}
	return time.Time{}
}
