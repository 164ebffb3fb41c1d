package store

import "time"

// ItemID numbers the items of a store in the order of their arrival, from 1. Of one document's new
// items the last gets the lowest number, so that "higher id first" keeps the document's order.
type ItemID uint64

// StoryID is the number of the story's first item.
type StoryID uint64

// An Item is one thing in a feed: what lists, filters and pages need of it. Its Body is kept apart.
// Text fields are plain text: no markup, entities decoded once, no control characters.
type Item struct {
	ID          ItemID
	Story       StoryID
	Outlet      string   // the outlet's id
	Feeds       []string // addresses of the outlet's feeds that carried it; its version comes from the first
	Editor      string   // the feed whose edits count, if no more the first: its next edit makes it the first; Settle sets it
	PublishedID string   // an absolute IRI; made at arrival, never changed
	CopyOf      string   // PublishedID of the story's first item with the link with which this one joined; "" if it did not join by its link
	GUID        string   // the outlet's own id as it wrote it at arrival; "" if it gave none

	Title      string
	Link       string // absolute, as the outlet gives it; "" if it gives none
	Lead       string // the beginning of the summary, else of the content, at most LeadBytes
	Language   string // BCP 47, as the item or its feed states it; "" if neither does, or not credibly
	Detected   string // where Language is "": the outlet's as it was configured at arrival, else what the text tells; "" if that is unclear
	Authors    []Author
	Categories []Category
	Enclosures []Enclosure
	Image      string   // address of the item's own picture; "" if it gives none
	Related    []ItemID // items of other outlets that came before and tell of the same, though not the same; the nearest first
	Words      int      // of the content, else of the summary

	Date    time.Time // its place in lists, fixed at arrival: ItemDate
	Arrived time.Time // when it first came
	Updated time.Time // last significant change: text or link; moves at most once an hour
	Moved   time.Time // when Updated was last set
	Changed time.Time // when anything of it last changed

	LinkHash uint64   // of the canonical link; 0 without one
	Text     uint64   // hash of what a reader reads: title, text, canonical link; white space aside
	Rest     uint64   // hash of the remainder: pictures, enclosures, authors, categories
	Revision Revision // of the commit that last changed it
}

// editor is the feed whose edits count.
func (it *Item) editor() string {
	if it.Editor != "" || len(it.Feeds) == 0 {
		return it.Editor
	}
	return it.Feeds[0]
}

// Named reports whether name is what a person may call the item by: its published id, the outlet's own, or its
// canonical link.
func (it *Item) Named(name string) bool {
	return name != "" && (it.PublishedID == name || it.GUID == name || it.LinkHash == LinkHash(name))
}

// LeadBytes bounds Item.Lead: include and exclude words, pages and excerpts look no further.
const LeadBytes = 1000

// A Story ties the items that carry the same article. A story of one item is never stored: it is made
// from the item.
type Story struct {
	ID          StoryID
	PublishedID string // its first item's, kept when that item is pruned
	Items       []ItemID
	Ties        []Tie // why each of Items but the first is one of them
}

// ItemDate is the date of an item: the one that the outlet claims, or its arrival when that is
// missing, before 1990 (clocks that start at 1970 or 1980) or in the future.
func ItemDate(claimed, arrived time.Time) time.Time {
	if claimed.Year() < 1990 || claimed.After(arrived) {
		return arrived
	}
	return claimed
}

// An Arrival is one item of a polled document before the store has settled who it is. Of Item, the
// fields that describe it are set, the others (ID, Story, Outlet, Feeds, PublishedID, CopyOf, Date, Arrived,
// Updated, Moved, Changed, LinkHash, Related, Revision) are Settle's to set.
type Arrival struct {
	Item      Item
	Body      Body
	Canonical string // the canonical link; "" without a link
	Original  string // the canonical link of the item's original, where the feed names one (rel=canonical) that is not its own link; else ""

	// Recalled: the document writes the item in the very bytes of an earlier one, so it was not parsed again. Set are only
	// what names and compares it (GUID, Title, Link, Text, Rest, Canonical) and, of its Body, the dates.
	Recalled bool
}
