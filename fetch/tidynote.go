package fetch

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// A tidyNote is what gofeed's structs do not tell of a feed or an item.
type tidyNote struct {
	base  *url.URL // xml:base in scope; nil without one
	lang  string   // xml:lang in scope
	id    string   // Atom's id or RDF's about, as written
	texts [3]textNote

	own                [3]string // the texts of its format's own elements; of a feed the title only
	published, updated notedDate
}

// A textNote says how one of an item's texts is written.
type textNote struct {
	plain bool     // "<" is a less-than sign, not markup
	base  *url.URL // xml:base in scope
	lang  string   // xml:lang in scope
}

const noteTitle, noteSummary, noteContent, noteID = 0, 1, 2, 3 // the last is no text

// noted is the text of the item or feed that e is; -1 for those of which nothing need be noted, and for those of what
// stands inside of it.
func (t *tidier) noted(e *tidyElement) int {
	if parent := t.open[len(t.open)-1]; parent.role == roleContainer && parent.name != "" {
		return -1
	}
	switch e.name {
	case "title":
		return noteTitle
	case "summary", "description", "subtitle", "tagline":
		return noteSummary
	case "content", "content:encoded", "xhtml:body", "body", "fullitem":
		return noteContent
	case "id":
		return noteID
	}
	return -1
}

// isOwn reports whether e is one of the three texts that nearly every item has, or the title of the feed. They are kept
// where they are read: what encoding/xml and gofeed do with a text costs more than all else that becomes of it here, and
// of two, gofeed has the last.
func (t *tidier) isOwn(e *tidyElement) bool {
	if t.above() == nil {
		return false
	}
	if t.item < 0 {
		return e.name == "title"
	}
	switch e.name {
	case "title":
		return true
	case "description", "content:encoded":
		return !t.atom
	case "summary":
		return t.atom
	case "content":
		return t.atom && t.attribute("src") == ""
	}
	return false
}

// noteOf is the note of the open item, or of the feed.
func (t *tidier) noteOf() *tidyNote {
	if t.item >= 0 {
		return &t.result.items[len(t.result.items)-1]
	}
	return &t.result.feed
}

// above is the note of the item or feed that what is read now belongs to itself; nil if it stands deeper inside.
func (t *tidier) above() *tidyNote {
	if parent := t.open[len(t.open)-1]; parent.role == roleItem || parent.name == "" {
		return t.noteOf()
	}
	return nil
}

// note keeps what gofeed does not tell of a text that was just read.
func (t *tidier) note(e *tidyElement, which int, plain bool) {
	n := t.noteOf()
	switch which {
	case -1:
	case noteID:
		n.id = strings.TrimSpace(string(t.text))
	default:
		n.texts[which] = textNote{plain, e.base, e.lang}
	}
}

// A notedDate is one of the dates of an item or feed, and how much it counts among those that its document gives: the least the most.
type notedDate struct {
	time.Time
	rank int
}

// publishedDates and updatedDates are the elements that say when an item or feed was published and updated, in the order in which
// they count (parse.go has the table).
var (
	publishedDates = []string{"pubdate", "published", "issued", "dcterms:issued", "created", "dcterms:created", "dcterms:available", "atom:published", "dc:date"}
	updatedDates   = []string{"updated", "modified", "atom:updated", "dcterms:modified", "lastbuilddate", "dc:date"}
)

// date notes a date, which is read here once and for all.
func (n *tidyNote) date(name string, when time.Time) {
	n.published.consider(slices.Index(publishedDates, name), when)
	n.updated.consider(slices.Index(updatedDates, name), when)
}

// consider takes a date of this rank in the place of d if it counts more, or comes later; no rank is -1.
func (d *notedDate) consider(rank int, when time.Time) {
	if rank >= 0 && !when.IsZero() && (d.IsZero() || rank <= d.rank) {
		*d = notedDate{when, rank}
	}
}
