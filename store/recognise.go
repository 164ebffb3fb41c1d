package store

import (
	"slices"
	"strings"
	"time"
)

// maxAmbiguous bounds what a feed remembers; the oldest are forgotten first.
const maxAmbiguous = 2000

// settler holds the work on one poll. docs are the document's items without exact copies.
type settler struct {
	poll      *Poll
	at        time.Time
	arrival   time.Time // of new items
	known     Known
	out       Settled
	docs      []candidate
	claimed   map[ItemID]bool // items that an arrival was recognised as
	taken     map[Key]bool    // published ids that this poll took
	joined    map[StoryID]int // how many of its new items are of the story
	links     map[string]int  // how many candidates have this canonical link
	originals map[string]int  // and how many name this one as their original's
	openings  map[uint64]int  // how many begin so; made when it is first asked for
	shared    map[Key]bool    // the feed's ambiguous keys
	wanting   bool            // a recalled item is needed whole
}

type candidate struct {
	*Arrival
	key   Key    // identifies it
	level int    // how exact key is
	link  uint64 // hash of the canonical link
	id    ItemID // who it is
	known bool   // it was recognised
	old   *Item  // the stored item; nil if new or pruned
}

// body is the candidate's body as it is kept.
func (c *candidate) body(id ItemID) Body {
	b := c.Body
	b.Item, b.Published, b.Updated = id, moment(b.Published), moment(b.Updated)
	for _, o := range []*Origin{&b.Feed, &b.Origin} {
		o.Updated, o.Issued = moment(o.Updated), moment(o.Issued)
	}
	return b
}

// candidates collects the arrivals, without those that repeat another one's key, link and title.
func (s *settler) candidates() {
	s.docs = make([]candidate, 0, len(s.poll.Arrivals))
	s.links = make(map[string]int, len(s.poll.Arrivals))
	s.originals = map[string]int{}
	seen := make(map[exact]bool, len(s.poll.Arrivals))
	for i := range s.poll.Arrivals {
		a := &s.poll.Arrivals[i]
		if seen[a.exact()] {
			continue
		}
		seen[a.exact()] = true
		s.docs = append(s.docs, candidate{Arrival: a, key: a.key(&s.out.State, 0), link: LinkHash(a.Canonical)})
		s.links[a.Canonical]++
		s.originals[a.Original]++
	}
}

// disambiguate gives each candidate the first of its keys that stands on it alone and never stood on
// several items, and remembers those that did.
func (s *settler) disambiguate() {
	s.shared = make(map[Key]bool, len(s.out.State.Ambiguous))
	for _, k := range s.out.State.Ambiguous {
		s.shared[k] = true
	}
	places := placesName(&s.out.State)
	byGUID := !s.out.State.ByLink
	if byGUID && slices.ContainsFunc(s.docs, s.movedOn) {
		s.remember(places)
	}
	for i := range s.docs {
		if d := &s.docs[i]; byGUID && d.Item.GUID != "" && s.shared[places] {
			s.sharpen(d)
		}
	}
	for level := range levels - 1 {
		count := map[Key]int{}
		for i := range s.docs {
			if s.docs[i].level == level {
				count[s.docs[i].key]++
			}
		}
		for i := range s.docs {
			d := &s.docs[i]
			if d.level != level {
				continue
			}
			if count[d.key] > 1 {
				s.remember(d.key)
			}
			if s.shared[d.key] {
				s.sharpen(d)
			}
		}
	}
	for i := range s.docs {
		if d := &s.docs[i]; d.Canonical != "" && s.links[d.Canonical] > 1 {
			s.remember(d.linkName(&s.out.State))
		}
	}
}

// sharpen gives a candidate its next, more exact key.
func (s *settler) sharpen(d *candidate) {
	d.level++
	d.key = d.Arrival.key(&s.out.State, d.level)
}

// movedOn reports whether d's guid names a place in the document ("the third from the top") instead of an
// item: the item that is known by it is still there, with its link and title, under another guid. One such
// guid speaks for all guids of the feed.
func (s *settler) movedOn(d candidate) bool {
	old, ok := s.known.Items[s.known.Keys[d.key]]
	if !ok || d.Item.GUID == "" || old.LinkHash == 0 || old.LinkHash == d.link {
		return false
	}
	return slices.ContainsFunc(s.docs, func(o candidate) bool {
		return o.Item.GUID != d.Item.GUID && o.link == old.LinkHash && o.Item.Title == old.Title
	})
}

func (s *settler) remember(k Key) {
	if s.shared[k] {
		return
	}
	s.shared[k] = true
	a := append(slices.Clip(s.out.State.Ambiguous), k)
	s.out.State.Ambiguous = a[max(0, len(a)-maxAmbiguous):]
}

// recognise finds the known items among the candidates: by key first, all of them, so that no weaker
// evidence takes an item from the one that has its name.
func (s *settler) recognise() {
	for _, evidence := range []func(*candidate) ItemID{s.byKey, s.byEarlierKey, s.byLink} {
		for i := range s.docs {
			d := &s.docs[i]
			if d.known {
				continue
			}
			id := evidence(d)
			if id == 0 || s.claimed[id] {
				continue
			}
			d.id, d.known = id, true
			s.claimed[id] = true
			if old, ok := s.known.Items[id]; ok {
				d.old = &old
			}
		}
	}
}

func (s *settler) byKey(d *candidate) ItemID { return s.known.Keys[d.key] }

// byEarlierKey finds an item that was stored before its key turned out to stand on several.
func (s *settler) byEarlierKey(d *candidate) ItemID {
	for level := range d.level {
		id := s.known.Keys[d.Arrival.key(&s.out.State, level)]
		old, ok := s.known.Items[id]
		if ok && old.LinkHash == d.link && (d.level < 2 || old.Title == d.Item.Title) {
			return id
		}
	}
	return 0
}

// byLink finds an item whose guid was changed: its link stands on this candidate only, and no other
// candidate was recognised as the item, so its old guid has left the document. A stored item must still
// have the link; an outlet may use one address for one item after the other.
func (s *settler) byLink(d *candidate) ItemID {
	if !s.ownLink(d) {
		return 0
	}
	var pruned ItemID
	for _, ref := range s.known.Links[LinkKey(d.Canonical)] {
		if s.claimed[ref.Item] || ref.Original {
			continue
		}
		old, stored := s.known.Items[ref.Item]
		switch {
		case stored && old.Outlet == s.poll.State.Outlet && old.LinkHash == d.link:
			return ref.Item
		case !stored && ref.Outlet == s.out.State.keyName().Outlet && pruned == 0:
			pruned = ref.Item
		}
	}
	return pruned
}

// hasOriginal reports whether d names an original of its own, as ownLink does of links.
func (s *settler) hasOriginal(d *candidate) bool {
	return d.Original != d.Canonical && leadsInside(d.Original) && s.originals[d.Original] == 1
}

// leadsInside reports whether a link leads further than to a front page.
func leadsInside(link string) bool {
	_, rest, _ := strings.Cut(link, "://")
	_, path, _ := strings.Cut(rest, "/")
	return path != ""
}

// ownLink reports whether d's link says something about d alone: it never stood on several items of
// one document, and it does not lead to a front page.
func (s *settler) ownLink(d *candidate) bool {
	return leadsInside(d.Canonical) && (len(s.shared) == 0 || !s.shared[d.linkName(&s.out.State)])
}
