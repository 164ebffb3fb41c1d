package store

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// TombstoneAge is how long the keys of an item are remembered after an outlet last listed it (PROTOCOL F59).
const TombstoneAge = 400 * 24 * time.Hour

// updatedPause is how long an item's Updated stays where it is after it has moved: a story that is
// edited by the minute must not be unread by the minute in every reader.
const updatedPause = time.Hour

// Lookup is what a keeper must look up before it settles a poll.
type Lookup struct {
	Keys  []Key // of items; deduplicated
	Links []Key // of canonical links; deduplicated
	IDs   []Key // of published ids; deduplicated
}

// Wanted says what Settle needs to know to settle p, when f is the stored state of its feed.
func Wanted(p *Poll, f FeedState) Lookup {
	var w Lookup
	state := p.State
	state.Keys, state.ByLink = f.Keys, f.ByLink
	// The more exact keys matter where the first one stands on several.
	sharpen := func(i int) {
		for level := 1; level < levels; level++ {
			w.Keys = append(w.Keys, p.Arrivals[i].key(&state, level))
		}
	}
	first := make(map[Key]int, len(p.Arrivals)) // which arrival has the key
	for i := range p.Arrivals {
		a := &p.Arrivals[i]
		k := a.key(&state, 0)
		w.Keys = append(w.Keys, k)
		j, twice := first[k]
		if twice {
			sharpen(j)
		} else {
			first[k] = i
		}
		if twice || len(f.Ambiguous) > 0 {
			sharpen(i)
		}
		if a.Canonical != "" {
			w.Links = append(w.Links, LinkKey(a.Canonical))
		}
		if a.Original != "" {
			w.Links = append(w.Links, LinkKey(a.Original))
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

// A LinkRef says that an item has a canonical link, or says that its original has it.
type LinkRef struct {
	Outlet   string // its outlet's name in keys, which stays when the outlet gets another id
	Item     ItemID
	Story    StoryID
	Original bool // the link is that of its original
}

// Known is what a keeper found: the answers to a Lookup.
type Known struct {
	State FeedState         // the stored state of the poll's feed; Names.Newcomer if it is new
	Keys  map[Key]ItemID    // also of items that are pruned
	Links map[Key][]LinkRef // in order of arrival, also of items that are pruned
	IDs   map[Key]bool      // published ids that are taken, of those looked up
	Items map[ItemID]Item   // the items that Keys and Links name; pruned ones are missing

	// Editors are the states of those feeds of the outlet, by address, whose edits of these items count (Item.Editor,
	// else the first of Item.Feeds). The poll's own may be missing.
	Editors map[string]FeedState

	// Index holds the prints of all items that were saved before; nil ties by link alone. Stored reports whether one of
	// them is stored still, and is asked of the few that Index finds; nil is always.
	Index  *Index
	Stored func(ItemID) bool
	Prints Prints // that were made before; those that are made are added

	Next  ItemID    // the lowest number that is free
	Month time.Time // in which that one of all items arrived, pruned ones too, that arrived last; zero if none did
}

// lateness is how long after the end of a month an item may come that was on its way before it: longer than it takes to
// save a poll, and than the clocks of processes that share a store are apart.
const lateness = 24 * time.Hour

// An Insert is a new item; Item.Story is its own number or that of the story it joins. The keeper stores its print, and
// once the poll is saved adds it to the index.
type Insert struct {
	Item  Item
	Body  Body
	Tie   *Tie  // nil if it joins none
	Print Print // the zero Print without an index
}

// An Update is a known item as it shall stand. Body is nil if the stored one stays. Change is to be kept.
type Update struct {
	Item   Item
	Body   *Body
	Change Change
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
	s := settler{poll: p, at: moment(p.At), known: k, claimed: map[ItemID]bool{}, taken: map[Key]bool{}, joined: map[StoryID]int{}}
	if s.arrival = s.at; s.at.Before(k.Month) && k.Month.Sub(s.at) <= lateness {
		s.arrival = k.Month // the month of at is over: what its archives have never changes
	}
	s.out = Settled{State: p.State, Keys: map[Key]ItemID{}, Links: map[Key]LinkRef{}}
	f := &s.out.State
	if p.Pushed {
		push := p.State.Push
		push.Missed = push.Hub == k.State.Push.Hub && k.State.Push.Missed
		*f = k.State
		f.Outlet, f.URL, f.Push = p.State.Outlet, p.State.URL, push
	} else {
		f.Push = k.State.Push
	}
	f.Saves = k.State.Saves + 1
	f.Items, f.LastNewItem, f.Ambiguous = k.State.Items, k.State.LastNewItem, k.State.Ambiguous
	f.Keys, f.Oldest, f.Rotated, f.ByLink = k.State.Keys, k.State.Oldest, k.State.Rotated, k.State.ByLink
	for _, t := range s.out.State.times() {
		*t = moment(*t)
	}
	s.candidates()
	s.disambiguate()
	s.recognise()
	if !p.Pushed {
		s.rotation()
	}
	for i := len(s.docs) - 1; i >= 0; i-- { // the last of the document is the oldest: it gets the lowest number
		if d := &s.docs[i]; d.id == 0 {
			s.insert(d)
		}
	}
	slices.Reverse(s.out.Inserts)
	if n := len(s.out.Inserts); n > FloodItems && !k.State.LastNewItem.IsZero() {
		s.out.State.Flood, s.out.State.FloodItems = s.at, n
	}
	for i := range s.docs {
		if d := &s.docs[i]; d.known {
			s.listed(d)
			if d.old != nil {
				s.update(d)
			}
		}
	}
	if s.wanting {
		whole := *p
		whole.Arrivals, whole.Whole = p.Whole(), nil
		return Settle(&whole, k)
	}
	if !p.Pushed {
		s.window()
	}
	s.record()
	if len(s.out.Inserts) > 0 {
		f.Push.Missed = !p.Pushed && f.Push.Until.After(s.at)
	}
	return s.out
}

// insert makes a new item of d and settles its story.
func (s *settler) insert(d *candidate) {
	if d.Recalled { // the store has never had it, or under another name
		s.wanting = true
		return
	}
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
	it.Date, it.Arrived, it.Moved, it.Changed = ItemDate(claimed, at), s.arrival, at, at
	it.Updated = it.Date
	if u := body.Updated; u.After(it.Date) && !u.After(at) {
		it.Updated = u
	}
	it.LinkHash = d.link
	s.out.Keys[d.key] = it.ID
	in := Insert{Item: it, Body: body}
	s.tie(d, &in)
	if s.ownLink(d) {
		s.out.Links[LinkKey(d.Canonical)] = LinkRef{Outlet: f.keyName().Outlet, Item: it.ID, Story: in.Item.Story}
	}
	if s.hasOriginal(d) {
		s.out.Links[LinkKey(d.Original)] = LinkRef{Outlet: f.keyName().Outlet, Item: it.ID, Story: in.Item.Story, Original: true}
	}
	s.out.Inserts = append(s.out.Inserts, in)
	f.Items++
	f.LastNewItem = at
}

// publishedID makes the permanent id of a new item: the outlet's own where it can stand in any feed as
// it is, names this item only and is free, else a tag: URI (RFC 4151) made from the item's key, with the host
// of its link and the year of its arrival.
func (s *settler) publishedID(d *candidate) string {
	id, key := d.Item.GUID, d.key
	if d.level > 0 || s.out.State.ByLink || !Publishable(id) {
		id = ""
	}
	for n := 0; id == "" || s.known.IDs[IDKey(id)] || s.taken[IDKey(id)]; n++ {
		if n > 0 { // the item that once had this key lives on under another
			key = makeKey(s.out.State.keyName().Outlet, "again", fmt.Sprintf("%x %d", d.key, n))
		}
		id = fmt.Sprintf("tag:%s,%04d:%x", tagHost(d.Item.Link, s.poll.State.URL), s.arrival.Year(), key[:])
	}
	s.taken[IDKey(id)] = true
	return id
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
			s.out.Links[lk] = LinkRef{Outlet: f.keyName().Outlet, Item: d.id, Story: d.old.Story}
		}
	}
	it, body, changed := *d.old, (*Body)(nil), false
	if !slices.Contains(it.Feeds, f.URL) {
		it.Feeds = append(slices.Clip(it.Feeds), f.URL)
		f.Items++
		changed = true
	}
	// Feeds of one outlet may carry an item in different lengths. Only one of them edits it, or the item would
	// change with every poll.
	if s.passes(&it) {
		// What is shown stays: it may be longer, and it is the first feed's, which may be a private one.
		it.Editor, it.Text, it.Rest = f.URL, d.Item.Text, d.Item.Rest
		if f.URL == it.Feeds[0] {
			it.Editor = ""
		}
		changed = true
	}
	if it.editor() == f.URL && (it.Text != d.Item.Text || it.Rest != d.Item.Rest) {
		if d.Recalled { // another version of it stands in its place
			s.wanting = true
			return
		}
		if i := slices.Index(it.Feeds, f.URL); i > 0 {
			it.Feeds, it.Editor = slices.Concat(it.Feeds[i:i+1], it.Feeds[:i], it.Feeds[i+1:]), ""
		}
		changed = true
		b := d.body(it.ID)
		if it.Text != d.Item.Text && at.Sub(it.Moved) >= updatedPause {
			it.Updated, it.Moved = at, at
			if b.Updated.After(d.old.Updated) && !b.Updated.After(at) {
				it.Updated = b.Updated
			}
		}
		it.Title, it.Link, it.Lead = d.Item.Title, d.Item.Link, d.Item.Lead
		it.Language, it.Detected = d.Item.Language, d.Item.Detected
		it.Authors, it.Categories, it.Enclosures = d.Item.Authors, d.Item.Categories, d.Item.Enclosures
		it.Image, it.Words = d.Item.Image, d.Item.Words
		it.Text, it.Rest, it.LinkHash = d.Item.Text, d.Item.Rest, d.link
		body = &b
	}
	if changed {
		it.Changed = at
		s.out.Updates = append(s.out.Updates, Update{it, body, change(d.old, &it, f.URL, body != nil)})
	}
}

// times are the times of a state.
func (f *FeedState) times() []*time.Time {
	return []*time.Time{&f.LastTry, &f.LastPoll, &f.LastSuccess, &f.LastNewItem, &f.NextPoll, &f.FreshUntil, &f.RetryAfter,
		&f.FailingSince, &f.Pace.Newest, &f.Received, &f.Listed, &f.Move.Since, &f.Move.Checked, &f.Flood, &f.Push.Until, &f.Push.Last}
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
