package store

import (
	"slices"
	"strings"
	"time"
)

// TombstoneAge is how long the keys of an item are remembered after an outlet last listed it (PROTOCOL F59).
const TombstoneAge = 400 * 24 * time.Hour

// updatedPause is how long an item's Updated stays where it is after it has moved: a story that is
// edited by the minute must not be unread by the minute in every reader.
const updatedPause = time.Hour

// maxAmbiguous bounds what a feed remembers; the oldest are forgotten first.
const maxAmbiguous = 2000

// Lookup is what a keeper must look up before it settles a poll.
type Lookup struct {
	Keys  []Key // of items; deduplicated
	Links []Key // of canonical links; deduplicated
	IDs   []Key // of published ids; deduplicated
}

// Wanted says what Settle needs to know to settle p.
func Wanted(p *Poll) Lookup {
	var w Lookup
	for i := range p.Arrivals {
		a := &p.Arrivals[i]
		k := a.keys(&p.State)
		w.Keys = append(w.Keys, k[:]...)
		if a.Canonical != "" {
			w.Links = append(w.Links, LinkKey(a.Canonical))
		}
		if publishable(a.Item.GUID) {
			w.IDs = append(w.IDs, IDKey(a.Item.GUID))
		}
	}
	for _, s := range []*[]Key{&w.Keys, &w.Links, &w.IDs} {
		slices.SortFunc(*s, Key.compare)
		*s = slices.Compact(*s)
	}
	return w
}

func (k Key) compare(l Key) int { return strings.Compare(string(k[:]), string(l[:])) }

// A LinkRef says that an item has a canonical link.
type LinkRef struct {
	Outlet string
	Item   ItemID
	Story  StoryID
}

// Known is what a keeper found: the answers to a Lookup.
type Known struct {
	State FeedState         // the stored state of the poll's feed; zero if it is new
	Keys  map[Key]ItemID    // also of items that are pruned
	Links map[Key][]LinkRef // in order of arrival, also of items that are pruned
	IDs   map[Key]bool      // published ids that are taken
	Items map[ItemID]Item   // the items that Keys and Links name; pruned ones are missing
	Next  ItemID            // the lowest number that is free
}

// An Insert is a new item; Item.Story is its own number or that of the story it joins.
type Insert struct {
	Item Item
	Body Body
}

// An Update is a known item as it shall stand. Body is nil if the stored one stays.
type Update struct {
	Item Item
	Body *Body
}

// Settled is what a poll changes. The keeper applies all of it in the poll's transaction; where
// Inserts or Updates is not empty it takes a new revision and stamps them with it.
type Settled struct {
	State   FeedState
	Inserts []Insert
	Updates []Update
	Keys    map[Key]ItemID  // to add: names by which items are now known
	Links   map[Key]LinkRef // to add: to the end of what is stored under the link
	Seen    []Key           // keys of items that the document still lists: refresh their tombstones
}

// Settle decides who the items of p are and what p changes. It is pure. PRODUCT.md, "Identity",
// "Stories" and "Time", are its rules.
func Settle(p *Poll, k Known) Settled {
	s := settler{poll: p, known: k, claimed: map[ItemID]bool{}}
	s.out = Settled{State: p.State, Keys: map[Key]ItemID{}, Links: map[Key]LinkRef{}}
	s.out.State.Items, s.out.State.LastNewItem, s.out.State.Ambiguous = k.State.Items, k.State.LastNewItem, k.State.Ambiguous
	s.candidates()
	s.disambiguate()
	s.recognise()
	for i := len(s.docs) - 1; i >= 0; i-- { // the last of the document is the oldest: it gets the lowest number
		if d := &s.docs[i]; d.id == 0 {
			s.insert(d)
		}
	}
	slices.Reverse(s.out.Inserts)
	for i := range s.docs {
		if d := &s.docs[i]; d.old != nil {
			s.update(d)
		}
	}
	return s.out
}

// settler holds the work on one poll. docs are the document's items without exact copies.
type settler struct {
	poll    *Poll
	known   Known
	out     Settled
	docs    []candidate
	claimed map[ItemID]bool // items that an arrival was recognised as
	links   map[string]int  // how many candidates have this canonical link
}

type candidate struct {
	*Arrival
	keys  [3]Key
	level int    // keys[level] identifies it
	id    ItemID // who it is; 0: new
	old   *Item  // the stored item; nil if new or pruned
}

// candidates collects the arrivals, without those that repeat another one's key, link and title.
func (s *settler) candidates() {
	s.links = map[string]int{}
	exact := map[Key]bool{}
	for i := range s.poll.Arrivals {
		a := &s.poll.Arrivals[i]
		c := candidate{Arrival: a, keys: a.keys(&s.poll.State)}
		if exact[c.keys[2]] {
			continue
		}
		exact[c.keys[2]] = true
		s.docs = append(s.docs, c)
		s.links[a.Canonical]++
	}
}

// disambiguate gives each candidate the first of its keys that stands on it alone and never stood on
// several items, and remembers those that did.
func (s *settler) disambiguate() {
	for level := range 2 {
		count := map[Key]int{}
		for i := range s.docs {
			if s.docs[i].level == level {
				count[s.docs[i].keys[level]]++
			}
		}
		for i := range s.docs {
			d := &s.docs[i]
			if d.level != level {
				continue
			}
			if count[d.keys[level]] > 1 || s.byPosition(d) {
				s.remember(d.keys[level])
			}
			if s.ambiguous(d.keys[level]) {
				d.level++
			}
		}
	}
	for i := range s.docs {
		if d := &s.docs[i]; d.Canonical != "" && s.links[d.Canonical] > 1 {
			s.remember(d.linkName(&s.poll.State))
		}
	}
}

// byPosition reports whether a guid names a place in the document instead of an item: the item that
// is known by it is still there, by its link, under another guid.
func (s *settler) byPosition(d *candidate) bool {
	if d.level != 0 || d.Item.GUID == "" {
		return false
	}
	old, ok := s.known.Items[s.known.Keys[d.keys[0]]]
	if !ok || old.LinkHash == 0 || old.LinkHash == linkHash(d.Canonical) {
		return false
	}
	return slices.ContainsFunc(s.docs, func(o candidate) bool {
		return o.Item.GUID != d.Item.GUID && linkHash(o.Canonical) == old.LinkHash
	})
}

func (s *settler) remember(k Key) {
	if s.ambiguous(k) {
		return
	}
	a := append(slices.Clone(s.out.State.Ambiguous), k)
	s.out.State.Ambiguous = a[max(0, len(a)-maxAmbiguous):]
}

func (s *settler) ambiguous(k Key) bool { return slices.Contains(s.out.State.Ambiguous, k) }

// recognise finds the known items among the candidates: by key first, all of them, so that no weaker
// evidence takes an item from the one that has its name.
func (s *settler) recognise() {
	for _, evidence := range []func(*candidate) ItemID{s.byKey, s.byEarlierKey, s.byLink} {
		for i := range s.docs {
			d := &s.docs[i]
			if d.id != 0 {
				continue
			}
			id := evidence(d)
			if id == 0 || s.claimed[id] {
				continue
			}
			d.id = id
			s.claimed[id] = true
			if old, ok := s.known.Items[id]; ok {
				d.old = &old
			}
		}
	}
}

func (s *settler) byKey(d *candidate) ItemID { return s.known.Keys[d.keys[d.level]] }

// byEarlierKey finds an item that was stored before its key turned out to stand on several.
func (s *settler) byEarlierKey(d *candidate) ItemID {
	for level := range d.level {
		id := s.known.Keys[d.keys[level]]
		old, ok := s.known.Items[id]
		if ok && old.LinkHash == linkHash(d.Canonical) && (d.level < 2 || old.Title == d.Item.Title) {
			return id
		}
	}
	return 0
}

// byLink finds an item whose guid was changed: its link stands on this candidate only, and no other
// candidate was recognised as the item, so its old guid has left the document.
func (s *settler) byLink(d *candidate) ItemID {
	if !s.ownLink(d) {
		return 0
	}
	for _, ref := range s.known.Links[LinkKey(d.Canonical)] {
		if ref.Outlet == s.poll.State.Outlet && !s.claimed[ref.Item] {
			return ref.Item
		}
	}
	return 0
}

// insert makes a new item of d and ties it to the story of another outlet's item with its link.
func (s *settler) insert(d *candidate) {
	f, at := &s.out.State, s.poll.At
	key := d.keys[d.level]
	idKey := IDKey(d.Item.GUID)
	own := d.level == 0 && !s.known.IDs[idKey]
	claimed := d.Body.Published
	if claimed.IsZero() {
		claimed = d.Body.Updated
	}
	it := d.Item
	it.ID = s.known.Next
	s.known.Next++
	it.Story = StoryID(it.ID)
	it.Outlet, it.Feeds = f.Outlet, []string{f.URL}
	it.PublishedID = publishedID(d.Arrival, key, own, tagHost(it.Link, f.URL), at.UTC().Year())
	it.Date, it.Arrived, it.Moved = ItemDate(claimed, at), at, at
	it.Updated = it.Date
	if u := d.Body.Updated; u.After(it.Date) && !u.After(at) {
		it.Updated = u
	}
	it.LinkHash = linkHash(d.Canonical)
	if own {
		s.known.IDs[idKey] = true
	}
	s.out.Keys[key] = it.ID
	if s.ownLink(d) {
		lk := LinkKey(d.Canonical)
		for _, ref := range s.known.Links[lk] {
			if _, stored := s.known.Items[ref.Item]; stored && ref.Outlet != f.Outlet {
				it.Story = ref.Story
				break
			}
		}
		s.out.Links[lk] = LinkRef{f.Outlet, it.ID, it.Story}
	}
	body := d.Body
	body.Item = it.ID
	s.out.Inserts = append(s.out.Inserts, Insert{it, body})
	f.Items++
	f.LastNewItem = at
}

// ownLink reports whether d's link says something about d alone: it never stood on several items of
// one document, and it does not lead to a front page.
func (s *settler) ownLink(d *candidate) bool {
	_, rest, _ := strings.Cut(d.Canonical, "://")
	_, path, _ := strings.Cut(rest, "/")
	return path != "" && s.links[d.Canonical] == 1 && !s.ambiguous(d.linkName(&s.poll.State))
}

// update compares d with the stored item and notes what changed.
func (s *settler) update(d *candidate) {
	f, at := &s.out.State, s.poll.At
	key := d.keys[d.level]
	if s.known.Keys[key] == d.id {
		s.out.Seen = append(s.out.Seen, key)
	} else {
		s.out.Keys[key] = d.id
	}
	if s.ownLink(d) {
		lk := LinkKey(d.Canonical)
		if !slices.ContainsFunc(s.known.Links[lk], func(r LinkRef) bool { return r.Item == d.id }) {
			s.out.Links[lk] = LinkRef{f.Outlet, d.id, d.old.Story}
		}
	}
	it, body, changed := *d.old, (*Body)(nil), false
	if !slices.Contains(it.Feeds, f.URL) {
		it.Feeds = append(slices.Clone(it.Feeds), f.URL)
		f.Items++
		changed = true
	}
	// Feeds of one outlet may carry an item in different lengths. Its first feed's version counts, or
	// the item would change with every poll.
	if it.Feeds[0] == f.URL && (it.Text != d.Item.Text || it.Rest != d.Item.Rest) {
		changed = true
		if it.Text != d.Item.Text && at.Sub(it.Moved) >= updatedPause {
			it.Updated, it.Moved = at, at
			if u := d.Body.Updated; u.After(d.old.Updated) && !u.After(at) {
				it.Updated = u
			}
		}
		it.Title, it.Link, it.Lead, it.Language = d.Item.Title, d.Item.Link, d.Item.Lead, d.Item.Language
		it.Authors, it.Categories, it.Enclosures = d.Item.Authors, d.Item.Categories, d.Item.Enclosures
		it.Image, it.Words = d.Item.Image, d.Item.Words
		it.Text, it.Rest, it.LinkHash = d.Item.Text, d.Item.Rest, linkHash(d.Canonical)
		b := d.Body
		b.Item = it.ID
		body = &b
	}
	if changed {
		s.out.Updates = append(s.out.Updates, Update{it, body})
	}
}
