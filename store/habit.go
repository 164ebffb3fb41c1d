package store

import "time"

// What a feed's documents show of its habits, beyond one poll.

const (
	// rotatedPolls is how many documents in a row must show that guids mean nothing, and habitShare of which part
	// of their items it must show (PROTOCOL F54).
	rotatedPolls = 3
	habitShare   = 0.8

	// editorPause is how long a feed may be silent before other feeds edit its items.
	editorPause = 48 * time.Hour
)

// rotation finds out whether the feed makes new guids for known items with every document, or numbers the places of
// the document, and ends that: its items are known by their links from then on. Until then their links recognise them as
// well (byLink), but each new guid would be remembered.
func (s *settler) rotation() {
	f := &s.out.State
	if f.ByLink {
		return
	}
	guids, fresh, links, known := 0, 0, 0, 0
	for i := range s.docs {
		d := &s.docs[i]
		if d.Item.GUID == "" {
			continue
		}
		guids++
		if s.known.Keys[d.key] == 0 {
			fresh++
		}
		if d.Canonical != "" {
			links++
			if d.known && s.ownLink(d) {
				known++
			}
		}
	}
	share := func(part, all int) bool { return all > 0 && float64(part) >= habitShare*float64(all) }
	switch {
	case len(s.docs) == 0:
	case (share(fresh, guids) || s.shared[placesName(f)]) && share(known, links) && share(links, guids):
		if f.Rotated++; f.Rotated >= rotatedPolls {
			f.ByLink, f.Rotated = true, 0
		}
	default:
		f.Rotated = 0
	}
}

// window notes how far back the document reaches.
func (s *settler) window() {
	if s.out.State.Damaged || len(s.docs) == 0 {
		return
	}
	oldest := s.known.Next
	for i := range s.docs {
		if id := s.docs[i].id; id != 0 {
			oldest = min(oldest, id)
		}
	}
	for _, in := range s.out.Inserts {
		oldest = min(oldest, in.Item.ID)
	}
	s.out.State.Oldest = oldest
}

// passes reports whether from now on this poll's feed edits an item: the one that did so is polled no more, or has been
// without an answer for days, or its document does not reach back to the item any more. The other way round the same must
// hold, so that an item which both list stays where it is.
func (s *settler) passes(it *Item) bool {
	if it.editor() == s.out.State.URL {
		return false
	}
	editor := s.known.Editors[it.editor()]
	return s.at.Sub(editor.LastSuccess) > editorPause || it.ID < editor.Oldest
}
