package store

import (
	"slices"
	"time"
)

// MaxEdits bounds how many edits of an item are remembered; the oldest are forgotten first.
const MaxEdits = 20

// A Change is what one document did to a known item: a further feed carried it, or the feed whose edits count
// edited it. What came before an edit is kept of it, but for the text.
type Change struct {
	Item    ItemID    `json:"item"`
	At      time.Time `json:"at"`
	Feed    string    `json:"feed"`              // whose document it was, as the feed was called then
	Carried bool      `json:"carried,omitempty"` // the first of this feed that held the item
	Editor  bool      `json:"editor,omitempty"`  // the feed's edits count from now on
	Edited  []string  `json:"edited,omitempty"`  // of "title", "link", "text", "details": what became another; nil is no edit

	// As they were before the edit.
	Title string `json:"title,omitempty"`
	Link  string `json:"link,omitempty"`
	Text  uint64 `json:"text,omitempty"` // hash of what a reader reads
}

// change says what made a stored item into it. edited says that its text and details are another document's now.
func change(old, it *Item, feed string, edited bool) Change {
	c := Change{Item: it.ID, At: it.Changed, Feed: feed, Carried: len(it.Feeds) > len(old.Feeds), Editor: it.editor() != old.editor()}
	if !edited {
		return c
	}
	c.Title, c.Link, c.Text = old.Title, old.Link, old.Text
	// Text covers title and link too: beside an edit of those, only the lead and the words tell of the text.
	renamed := it.Title != old.Title || it.LinkHash != old.LinkHash
	for _, part := range []struct {
		name   string
		edited bool
	}{
		{"title", it.Title != old.Title},
		{"link", it.Link != old.Link},
		{"text", it.Lead != old.Lead || it.Words != old.Words || it.Text != old.Text && !renamed},
		{"details", it.Rest != old.Rest},
	} {
		if part.edited {
			c.Edited = append(c.Edited, part.name)
		}
	}
	return c
}

// Remember adds a change to those of an item, oldest first, and forgets those that are too many. That a feed
// carried the item is never forgotten.
func Remember(changes []Change, c Change) []Change {
	changes = append(slices.Clip(changes), c)
	edits := 0
	for _, c := range changes {
		if !c.Carried {
			edits++
		}
	}
	return slices.DeleteFunc(changes, func(c Change) bool {
		if c.Carried || edits <= MaxEdits {
			return false
		}
		edits--
		return true
	})
}
