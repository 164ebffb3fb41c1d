package publish

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"broadsheet/store"
)

// An Edition is a set of documents that belong together. It never changes.
type Edition struct {
	Revision store.Revision // of the store that it shows
	Digest   string         // of the configuration and what is remembered of earlier ones
	docs     map[string]*Document

	// What only a publisher's own editions have: routes.go.
	private map[string]*Document // of private sections
	locks   map[string]lock      // of private sections, by slug
	slugs   map[string]slug      // that were ever published
	moved   map[string]string    // slugs by their former ones
	shelf   *shelf
}

// NewEdition makes an edition of documents, for instance of those that another process rendered.
func NewEdition(rev store.Revision, digest string, docs []*Document) *Edition {
	e := &Edition{Revision: rev, Digest: digest, docs: map[string]*Document{}}
	for _, d := range docs {
		e.docs[d.Path] = d
	}
	return e
}

// Document returns the document at a path as in "world.atom", nil if there is none.
func (e *Edition) Document(path string) *Document { return e.docs[path] }

// Documents yields all documents, ordered by path.
func (e *Edition) Documents() iter.Seq[*Document] {
	return func(yield func(*Document) bool) {
		for _, path := range slices.Sorted(maps.Keys(e.docs)) {
			if !yield(e.docs[path]) {
				return
			}
		}
	}
}

// Pack compresses what is new in e, so that no reader waits for that.
func (e *Edition) Pack() {
	for d := range e.Documents() {
		d.pack()
	}
	for _, d := range e.private {
		d.pack()
	}
}

// A Document is one file of an edition. It never changes. One that was taken out of its process (encoded
// and decoded) can be written, but not served.
type Document struct {
	Path        string // relative to the base URL: "index.html", "world.atom"
	ContentType string
	Body        []byte
	ETag        string        // strong, quoted: of Body as it is
	Modified    time.Time     // whole seconds, UTC; the static file carries it as well; zero if only ETag tells
	MaxAge      time.Duration // how long a cache may answer for it; 0: it has to ask each time

	Private bool // of a private section: only for who has its key

	// What a feed that hubs may tell of has besides.
	Links string // the header field of that name
	News  string // stands for the ids and dates of its entries: while it stays, there is nothing to tell

	packed *packed
}

func newDocument(path, contentType string, body []byte, modified time.Time, maxAge time.Duration) *Document {
	sum := sha256.Sum256(body)
	return &Document{
		Path:        path,
		ContentType: contentType,
		Body:        body,
		ETag:        `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`,
		Modified:    modified.UTC().Truncate(time.Second),
		MaxAge:      maxAge,
		packed:      newPacked(body),
	}
}

// cacheAge is how long caches may answer for a section: a quarter of what passes between two polls of
// its feeds (PRODUCT.md, "Time"; PROTOCOL P41).
func cacheAge(interval time.Duration) time.Duration {
	return min(max(interval/4, time.Minute), 15*time.Minute).Truncate(time.Second)
}

// The media types of the documents (PROTOCOL P43).
const (
	typeHTML = "text/html; charset=utf-8"
	typeCSS  = "text/css; charset=utf-8"
	typePNG  = "image/png"
	typeRSS  = "application/rss+xml; charset=utf-8"
	typeAtom = "application/atom+xml; charset=utf-8"
	typeJSON = "application/feed+json"
	typeOPML = "text/x-opml; charset=utf-8"
	typeXML  = "application/xml; charset=utf-8"
)

// isFeed reports whether a document is for programs rather than for a browser's window.
func (d *Document) isFeed() bool {
	return !strings.HasPrefix(d.ContentType, "text/html") && !strings.HasPrefix(d.ContentType, "text/css")
}

// shownByBrowsers reports whether a browser shows a document with its style sheet, if it is told that it is XML: by their own
// types it shows feeds as they are written, or saves them. So a person who opens a feed's address in a window, and nobody else,
// gets the same bytes under that name; no feed reader says that it is a window, as Accept: text/html does not say it
// (PROTOCOL P44). Caches that others share do not keep it.
func (d *Document) shownByBrowsers() bool {
	return d.ContentType == typeRSS || d.ContentType == typeAtom
}

// cacheControl is the header of that name (RFC 9111 §5.2, RFC 5861).
func (d *Document) cacheControl() string {
	if d.MaxAge == 0 {
		return "no-cache"
	}
	age := int(d.MaxAge / time.Second)
	if d.Private {
		return fmt.Sprintf("private, max-age=%d", age)
	}
	return fmt.Sprintf("public, max-age=%d, stale-while-revalidate=%d, stale-if-error=86400", age, age)
}
