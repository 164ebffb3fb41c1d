package store

import (
	"bytes"
	"fmt"
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

// Wanted says what Settle needs to know to settle p, when f is the stored state of its feed.
func Wanted(p *Poll, f FeedState) Lookup {
	var w Lookup
	first := map[Key]int{} // which arrival has the key
	for i := range p.Arrivals {
		a := &p.Arrivals[i]
		k := a.key(&p.State, 0)
		w.Keys = append(w.Keys, k)
		// The more exact keys matter where the first one stands on several.
		if j, twice := first[k]; twice || len(f.Ambiguous) > 0 {
			for level := 1; level < levels; level++ {
				w.Keys = append(w.Keys, a.key(&p.State, level), p.Arrivals[j].key(&p.State, level))
			}
		} else {
			first[k] = i
		}
		if a.Canonical != "" {
			w.Links = append(w.Links, LinkKey(a.Canonical))
		}
		if isIRI(a.Item.GUID) {
			w.IDs = append(w.IDs, IDKey(a.Item.GUID))
		}
	}
	for _, s := range []*[]Key{&w.Keys, &w.Links, &w.IDs} {
		slices.SortFunc(*s, Key.compare)
		*s = slices.Compact(*s)
	}
	return w
}

func (k Key) compare(l Key) int { return bytes.Compare(k[:], l[:]) }

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
	IDs   map[Key]bool      // published ids that are taken, of those looked up
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
// "Stories" and "Time", are its rules. Should an Insert's PublishedID turn out to be taken, the keeper adds
// its IDKey to k.IDs and settles again.
func Settle(p *Poll, k Known) Settled {
	s := settler{poll: p, at: moment(p.At), known: k, claimed: map[ItemID]bool{}, taken: map[Key]bool{}}
	s.out = Settled{State: p.State, Keys: map[Key]ItemID{}, Links: map[Key]LinkRef{}}
	s.out.State.Items, s.out.State.LastNewItem, s.out.State.Ambiguous = k.State.Items, k.State.LastNewItem, k.State.Ambiguous
	for _, t := range s.out.State.times() {
		*t = moment(*t)
	}
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
		if d := &s.docs[i]; d.known {
			s.listed(d)
			if d.old != nil {
				s.update(d)
			}
		}
	}
	return s.out
}

// settler holds the work on one poll. docs are the document's items without exact copies.
type settler struct {
	poll    *Poll
	at      time.Time
	known   Known
	out     Settled
	docs    []candidate
	claimed map[ItemID]bool // items that an arrival was recognised as
	taken   map[Key]bool    // published ids that this poll took
	links   map[string]int  // how many candidates have this canonical link
	shared  map[Key]bool    // the feed's ambiguous keys
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
	b.Item, b.Published, b.Updated, b.FeedUpdated = id, moment(b.Published), moment(b.Updated), moment(b.FeedUpdated)
	return b
}

// candidates collects the arrivals, without those that repeat another one's key, link and title.
func (s *settler) candidates() {
	s.docs = make([]candidate, 0, len(s.poll.Arrivals))
	s.links = make(map[string]int, len(s.poll.Arrivals))
	seen := make(map[exact]bool, len(s.poll.Arrivals))
	for i := range s.poll.Arrivals {
		a := &s.poll.Arrivals[i]
		if seen[a.exact()] {
			continue
		}
		seen[a.exact()] = true
		s.docs = append(s.docs, candidate{Arrival: a, key: a.key(&s.poll.State, 0), link: linkHash(a.Canonical)})
		s.links[a.Canonical]++
	}
}

// disambiguate gives each candidate the first of its keys that stands on it alone and never stood on
// several items, and remembers those that did.
func (s *settler) disambiguate() {
	s.shared = make(map[Key]bool, len(s.out.State.Ambiguous))
	for _, k := range s.out.State.Ambiguous {
		s.shared[k] = true
	}
	places := placesName(&s.poll.State)
	if slices.ContainsFunc(s.docs, s.movedOn) {
		s.remember(places)
	}
	for i := range s.docs {
		if d := &s.docs[i]; d.Item.GUID != "" && s.shared[places] {
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
			s.remember(d.linkName(&s.poll.State))
		}
	}
}

// sharpen gives a candidate its next, more exact key.
func (s *settler) sharpen(d *candidate) {
	d.level++
	d.key = d.Arrival.key(&s.poll.State, d.level)
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
		id := s.known.Keys[d.Arrival.key(&s.poll.State, level)]
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
		if ref.Outlet != s.poll.State.Outlet || s.claimed[ref.Item] {
			continue
		}
		old, stored := s.known.Items[ref.Item]
		switch {
		case stored && old.LinkHash == d.link:
			return ref.Item
		case !stored && pruned == 0:
			pruned = ref.Item
		}
	}
	return pruned
}

// insert makes a new item of d and ties it to the story of another outlet's item with its link.
func (s *settler) insert(d *candidate) {
	f, at, body := &s.out.State, s.at, d.body(s.known.Next)
	claimed := body.Published
	if claimed.IsZero() {
		claimed = body.Updated
	}
	it := d.Item
	it.ID = body.Item
	s.known.Next++
	it.Story = StoryID(it.ID)
	it.Outlet, it.Feeds = f.Outlet, []string{f.URL}
	it.PublishedID = s.publishedID(d)
	it.Date, it.Arrived, it.Moved = ItemDate(claimed, at), at, at
	it.Updated = it.Date
	if u := body.Updated; u.After(it.Date) && !u.After(at) {
		it.Updated = u
	}
	it.LinkHash = d.link
	s.out.Keys[d.key] = it.ID
	if s.ownLink(d) {
		lk := LinkKey(d.Canonical)
		for _, ref := range s.known.Links[lk] {
			if old, stored := s.known.Items[ref.Item]; stored && ref.Outlet != f.Outlet && old.LinkHash == d.link {
				it.Story = ref.Story
				break
			}
		}
		s.out.Links[lk] = LinkRef{f.Outlet, it.ID, it.Story}
	}
	s.out.Inserts = append(s.out.Inserts, Insert{it, body})
	f.Items++
	f.LastNewItem = at
}

// publishedID makes the permanent id of a new item: the outlet's own where it can stand in any feed as
// it is, names this item only and is free, else a tag: URI (RFC 4151) made from the item's key, with the host
// of its link and the year of its arrival.
func (s *settler) publishedID(d *candidate) string {
	id, key := d.Item.GUID, d.key
	if d.level > 0 || !publishable(id) {
		id = ""
	}
	for n := 0; id == "" || s.known.IDs[IDKey(id)] || s.taken[IDKey(id)]; n++ {
		if n > 0 { // the item that once had this key lives on under another
			key = makeKey(s.poll.State.Outlet, "again", fmt.Sprintf("%x %d", d.key, n))
		}
		id = fmt.Sprintf("tag:%s,%04d:%x", tagHost(d.Item.Link, s.poll.State.URL), s.at.Year(), key[:])
	}
	s.taken[IDKey(id)] = true
	return id
}

// ownLink reports whether d's link says something about d alone: it never stood on several items of
// one document, and it does not lead to a front page.
func (s *settler) ownLink(d *candidate) bool {
	_, rest, _ := strings.Cut(d.Canonical, "://")
	_, path, _ := strings.Cut(rest, "/")
	return path != "" && s.links[d.Canonical] == 1 && (len(s.shared) == 0 || !s.shared[d.linkName(&s.poll.State)])
}

// listed notes by which names the document lists a known item, stored or pruned.
func (s *settler) listed(d *candidate) {
	if s.known.Keys[d.key] == d.id {
		s.out.Seen = append(s.out.Seen, d.key)
	} else {
		s.out.Keys[d.key] = d.id
	}
}

// update compares d with the stored item and notes what changed.
func (s *settler) update(d *candidate) {
	f, at := &s.out.State, s.at
	if s.ownLink(d) {
		lk := LinkKey(d.Canonical)
		if !slices.ContainsFunc(s.known.Links[lk], func(r LinkRef) bool { return r.Item == d.id }) {
			s.out.Links[lk] = LinkRef{f.Outlet, d.id, d.old.Story}
		}
	}
	it, body, changed := *d.old, (*Body)(nil), false
	if !slices.Contains(it.Feeds, f.URL) {
		it.Feeds = append(slices.Clip(it.Feeds), f.URL)
		f.Items++
		changed = true
	}
	// Feeds of one outlet may carry an item in different lengths. Its first feed's version counts, or
	// the item would change with every poll.
	if it.Feeds[0] == f.URL && (it.Text != d.Item.Text || it.Rest != d.Item.Rest) {
		changed = true
		b := d.body(it.ID)
		if it.Text != d.Item.Text && at.Sub(it.Moved) >= updatedPause {
			it.Updated, it.Moved = at, at
			if b.Updated.After(d.old.Updated) && !b.Updated.After(at) {
				it.Updated = b.Updated
			}
		}
		it.Title, it.Link, it.Lead, it.Language = d.Item.Title, d.Item.Link, d.Item.Lead, d.Item.Language
		it.Authors, it.Categories, it.Enclosures = d.Item.Authors, d.Item.Categories, d.Item.Enclosures
		it.Image, it.Words = d.Item.Image, d.Item.Words
		it.Text, it.Rest, it.LinkHash = d.Item.Text, d.Item.Rest, d.link
		body = &b
	}
	if changed {
		s.out.Updates = append(s.out.Updates, Update{it, body})
	}
}

// times are the times of a state.
func (f *FeedState) times() []*time.Time {
	return []*time.Time{&f.LastTry, &f.LastPoll, &f.LastSuccess, &f.LastNewItem, &f.NextPoll, &f.FreshUntil, &f.RetryAfter}
}

// moment is t as it is kept: in UTC, whole microseconds, of a year that RFC 3339 can write.
func moment(t time.Time) time.Time {
	t = t.UTC().Truncate(time.Microsecond)
	switch {
	case t.Year() < 1:
		return time.Time{}
	case t.Year() > 9999:
		return time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)
	}
	return t
}
