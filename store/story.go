package store

import (
	"cmp"
	"fmt"
	"slices"
)

// How a story is settled. An item that arrives joins the story of another outlet's item, in this order, by the canonical
// link that they share, by the text that they share, or because both report the same. Stories are never merged, and what
// is settled stays.

// A Layer is the kind of evidence that ties two items.
type Layer string

const (
	ByLink   Layer = "link"   // the canonical link is the same
	ByText   Layer = "text"   // the text begins word by word the same
	ByReport Layer = "report" // title and text tell the same
)

// A Tie says why an item joined a story.
type Tie struct {
	Item    ItemID
	Partner ItemID // of the story's items the one that drew it in
	Layer   Layer
	Score   float64 // of a report; see Why
	Why     string  // what decided, in words
}

const (
	maxByText  = 12 // items of a story that takes more by its text
	maxRelated = 4  // items that an item names as related
)

// tie settles the story of a new item: its own, or that of others. It notes what is related and what the item leaves to be
// remembered.
func (s *settler) tie(d *candidate, in *Insert) {
	if s.ownLink(d) {
		s.tieByLink(in, d.Canonical)
	}
	if s.hasOriginal(d) {
		s.tieByLink(in, d.Original)
	}
	if s.known.Index != nil || s.known.Prints != nil {
		in.Print = s.known.Prints.of(d.Arrival, &in.Item, s.poll)
	}
	if s.known.Index != nil {
		s.settleText(in)
	}
}

// tieByLink ties an item to the oldest story of another outlet's item that has this link, or names it as its original's.
func (s *settler) tieByLink(in *Insert, canonical string) {
	it, hash := &in.Item, LinkHash(canonical)
	for _, ref := range s.known.Links[LinkKey(canonical)] {
		old, stored := s.known.Items[ref.Item]
		if !stored || old.Outlet == it.Outlet || !ref.Original && old.LinkHash != hash || in.Tie != nil && ref.Story >= it.Story {
			continue
		}
		it.Story, it.CopyOf = ref.Story, cmp.Or(old.CopyOf, old.PublishedID)
		in.Tie = &Tie{Item: it.ID, Partner: ref.Item, Layer: ByLink, Why: canonical}
	}
}

// settleText settles by its text, of which in.Print was made, the story of an item that has none by its link.
func (s *settler) settleText(in *Insert) {
	it, x := &in.Item, s.known.Index
	x.settle(s, in)
	s.joined[it.Story]++
	in.Print.Story, in.Print.Place = it.Story, x.newest(it.Story).place+int32(s.joined[it.Story])
}

// settle looks for the story of an item that has none yet, by its text, and for what is related to it.
func (x *Index) settle(s *settler, in *Insert) {
	p := &in.Print
	weights := x.weigh(p, p.day(), nil)
	p.markRare(weights)
	if x.titles[uint32(p.title)] > 0 {
		return // a title that the outlet repeats names no story
	}
	if in.Tie == nil {
		in.tied(x.copied(s, p, weights))
	}
	type found struct {
		e *entry
		judgement
	}
	var near []found
	for _, n := range x.candidates(p, weights) {
		e := x.at(n.entry)
		if x.titles[e.title] >= formLeast {
			continue // likewise; what is there twice may be one item that was published again
		}
		j := x.judge(p, n.entry, weights)
		if j.above >= 0 || j.near >= 0 {
			x.weighForms(&j, p, n.entry)
		}
		if (j.above >= 0 || j.near >= 0) && s.stored(e.item) {
			near = append(near, found{e, j})
		}
	}
	slices.SortStableFunc(near, func(a, b found) int { return cmp.Compare(b.above, a.above) })
	if in.Tie == nil {
		var best *found
		for i := range near {
			f := &near[i]
			if f.above < 0 || best != nil && f.e.story >= best.e.story || !x.fits(s, p, f.e.story, weights) {
				continue
			}
			best = f
		}
		if best != nil {
			in.tied(&Tie{Partner: best.e.item, Layer: ByReport, Score: best.score, Why: best.why()}, best.e.story)
		}
	}
	for _, f := range near {
		if f.e.story != in.Item.Story && len(in.Item.Related) < maxRelated {
			in.Item.Related = append(in.Item.Related, f.e.item)
		}
	}
}

// tied lets an item join a story; without a tie it stays alone.
func (in *Insert) tied(t *Tie, story StoryID) {
	if t != nil {
		t.Item = in.Item.ID
		in.Tie, in.Item.Story = t, story
	}
}

func (s *settler) stored(id ItemID) bool { return s.known.Stored == nil || s.known.Stored(id) }

// judge compares a new item with an entry, by the words of the later one's time.
func (x *Index) judge(p *Print, n ordinal, weights []float32) judgement {
	q := x.print(n)
	day := max(p.day(), q.day())
	if day > p.day() {
		weights = x.weigh(p, day, nil)
	}
	x.weights = x.weigh(q, day, x.weights)
	return judge(p, q, weights, x.weights)
}

// copied finds the story of a copy. A beginning that one owner has twice is a form and no text; what stands in it may
// differ further on, as numbers in the titles show.
func (x *Index) copied(s *settler, p *Print, weights []float32) (t *Tie, story StoryID) {
	if p.opening == 0 || x.openings[uint32(p.opening)] == 0 || s.lists(p.opening) > 1 {
		return nil, 0
	}
	owners := map[uint32]bool{uint32(p.owner): true}
	for n, e := range x.copies(p.opening) {
		if owners[e.owner] {
			return nil, 0
		}
		owners[e.owner] = true
		if apart(e.date, p.date) > reportWindow || t != nil && e.story >= story || !s.stored(e.item) || !x.open(s, p, e.story) {
			continue
		}
		if j := x.judge(p, n, weights); !j.numbers {
			t, story = &Tie{Partner: e.item, Layer: ByText, Why: fmt.Sprintf("the first %d letters of the text are the same", openingWeight)}, e.story
		}
	}
	return t, story
}

// lists is how many items of the document have an opening.
func (s *settler) lists(begin uint64) int {
	if s.openings == nil {
		s.openings = map[uint64]int{}
		for i := range s.docs {
			s.openings[opening(s.docs[i].Item.Lead)]++
		}
	}
	return s.openings[begin]
}

// open reports whether a story takes an item by its text: it is not too large, and none of its items is of the same owner.
func (x *Index) open(s *settler, p *Print, id StoryID) bool {
	if s.joined[id] > 0 || x.newest(id).place >= maxByText {
		return false
	}
	for _, e := range x.items(id) {
		if e.owner == uint32(p.owner) {
			return false
		}
	}
	return true
}

// fits reports whether an item joins a story: it must be near to each of its items, lest one leads to the next and the last has
// nothing to do with the first.
func (x *Index) fits(s *settler, p *Print, id StoryID, weights []float32) bool {
	if !x.open(s, p, id) {
		return false
	}
	for n := range x.items(id) {
		if j := x.judge(p, n, weights); j.above < -j.slack || j.apart > reportWindow {
			return false
		}
	}
	return true
}
