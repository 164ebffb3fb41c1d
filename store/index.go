package store

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// An Index finds, among the items that came in the last days, those that may carry a new item's story. It is a fold over
// prints in the order of their items: what it holds after Add depends on the prints added alone. So a keeper stores the
// prints beside the items, forgets those that Add says, and has the same index after a restart, or in another process,
// by adding what is stored. Only Add changes it; it is for one goroutine.
type Index struct {
	entries  []entry // in order of their items
	gone     int32   // how many were dropped before the first of them
	days     map[int32]*indexDay
	stories  map[StoryID]int32 // the newest entry of each story
	openings map[uint64]int32  // the newest entry that begins so
	titles   map[uint64]int32  // how often an owner used a title
	found    []int32           // room for candidates
	weights  []float32         // room for weights
}

// An entry is a print with the entries before it that belong to it, numbered from 1 over all that were ever added.
type entry struct {
	Print
	sibling int32 // of the same story; 0 if it is the first
	copy    int32 // with the same opening
}

// An indexDay holds what is needed of the items whose date is of one day.
type indexDay struct {
	items int
	count map[word]int32 // of these items, by stem: how many have it
	last  map[word]int32 // by stem: the newest posting
	posts []posting
}

// A posting says that a word is one of an entry's rarest.
type posting struct{ entry, before int32 }

const (
	// indexAge is how long an item is remembered after its arrival, and how far back words are counted from a date.
	indexAge  = 96 * time.Hour
	countDays = 4

	// maxIndexed bounds the items that are remembered, whatever their age.
	maxIndexed = 250_000

	rareWords  = 8    // by so many an item is found
	rareShare  = 0.03 // of its words that no greater part of the items has
	sharedRare = 2    // and so many must agree

	// Before a store has seen enough, words are as rare as in other stores: that counts as much as so many items do.
	priorItems  = 400
	priorUnseen = 0.0006 // share of the items that have a word of which nothing is known

	// rareEnough is added to each share: that a word is rarer than that tells more of the number of outlets than of the word.
	rareEnough = 0.0005
)

var rareWeight = float32(-math.Log(rareShare + rareEnough))

// NewIndex makes an empty index.
func NewIndex() *Index {
	return &Index{days: map[int32]*indexDay{}, stories: map[StoryID]int32{}, openings: map[uint64]int32{}, titles: map[uint64]int32{}}
}

// Add adds prints and returns the items whose prints are not needed any more.
func (x *Index) Add(prints ...Print) (dropped []ItemID) {
	for _, p := range prints {
		n := 0
		for n < len(x.entries) && (len(x.entries)-n >= maxIndexed || stale(x.entries[n].arrived, p.arrived)) {
			dropped = append(dropped, x.entries[n].Item)
			x.drop(x.gone+int32(n)+1, &x.entries[n])
			n++
		}
		x.gone += int32(n)
		x.entries = x.entries[n:]
		x.add(p)
	}
	return dropped
}

// Last is the newest item that was added; 0 if none was.
func (x *Index) Last() ItemID {
	if len(x.entries) == 0 {
		return 0
	}
	return x.entries[len(x.entries)-1].Item
}

// stale reports whether an item is too old for one that arrives now, or came while the clock stood wrong.
func stale(arrived, now int64) bool {
	d := now - arrived
	return time.Duration(max(d, -d))*time.Second > indexAge
}

func (x *Index) add(p Print) {
	at := x.gone + int32(len(x.entries)) + 1
	d := x.days[p.day()]
	if d == nil {
		d = &indexDay{count: map[word]int32{}, last: map[word]int32{}}
		x.days[p.day()] = d
	}
	d.items++
	for _, w := range p.words {
		s := w.stem()
		d.count[s]++
		if w&isRare != 0 {
			d.posts = append(d.posts, posting{at, d.last[s]})
			d.last[s] = int32(len(d.posts))
		}
	}
	e := entry{p, x.stories[p.Story], 0}
	x.stories[p.Story] = at
	if p.opening != 0 {
		e.copy, x.openings[p.opening] = x.openings[p.opening], at
	}
	x.titles[p.title]++
	x.entries = append(x.entries, e)
}

func (x *Index) drop(at int32, e *entry) {
	d := x.days[e.day()]
	if d.items--; d.items == 0 {
		delete(x.days, e.day())
	} else {
		for _, w := range e.words {
			s := w.stem()
			if d.count[s]--; d.count[s] == 0 {
				delete(d.count, s)
			}
		}
	}
	if x.titles[e.title]--; x.titles[e.title] == 0 {
		delete(x.titles, e.title)
	}
	if x.stories[e.Story] == at {
		delete(x.stories, e.Story)
	}
	if x.openings[e.opening] == at {
		delete(x.openings, e.opening)
	}
}

// at is the entry with this number; nil if it was dropped.
func (x *Index) at(n int32) *entry {
	if n <= x.gone {
		return nil
	}
	return &x.entries[n-x.gone-1]
}

func (p *Print) day() int32 { return int32(math.Floor(float64(p.date) / 86400)) }

// A lens weighs words as they were used around one day.
type lens struct {
	days  [countDays]*indexDay
	items float64
}

func (x *Index) lens(day int32) (l lens) {
	l.items = priorItems
	for i := range l.days {
		if d := x.days[day-int32(i)]; d != nil {
			l.days[i] = d
			l.items += float64(d.items)
		}
	}
	return l
}

// share is the part of the items that have a word.
func (l *lens) share(w word) float64 {
	n := priorItems * prior(w)
	for _, d := range l.days {
		if d != nil {
			n += float64(d.count[w.stem()])
		}
	}
	return n / l.items
}

// prior is the share that a word has where nothing was counted yet.
func prior(w word) float64 {
	if p, ok := priors[w.stem()]; ok {
		return p
	}
	return priorUnseen
}

// weigh gives each word of a print its weight: how much it tells, the more the fewer have it.
func (l *lens) weigh(p *Print, into []float32) []float32 {
	into = into[:0]
	for _, w := range p.words {
		into = append(into, float32(-math.Log(l.share(w)+rareEnough)))
	}
	return into
}

// markRare marks the words by which an item is found.
func (l *lens) markRare(p *Print, weights []float32) {
	order := make([]int, 0, len(p.words))
	for i := range p.words {
		p.words[i] &^= isRare
		if weights[i] >= rareWeight {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(weights[b], weights[a]), cmp.Compare(a, b)) })
	for _, i := range order[:min(rareWords, len(order))] {
		p.words[i] |= isRare
	}
}

// candidates are the entries near p in time that are found by its words. All of these that are rare enough count, since
// the rarest of all are those that nobody else has.
func (x *Index) candidates(p *Print, weights []float32, window time.Duration) []int32 {
	x.found = x.found[:0]
	reach := int32((window + 24*time.Hour - 1) / (24 * time.Hour))
	for day := p.day() - reach; day <= p.day()+reach; day++ {
		d := x.days[day]
		if d == nil {
			continue
		}
		for i, w := range p.words {
			if weights[i] < rareWeight {
				continue
			}
			for n := d.last[w.stem()]; n != 0; n = d.posts[n-1].before {
				e := x.at(d.posts[n-1].entry)
				if e == nil {
					break // so are those before it
				}
				if e.owner != p.owner && e.tongue == p.tongue && e.apart(p) <= window {
					x.found = append(x.found, d.posts[n-1].entry)
				}
			}
		}
	}
	slices.Sort(x.found)
	out := x.found[:0]
	for i := 0; i < len(x.found); {
		j := i
		for j < len(x.found) && x.found[j] == x.found[i] {
			j++
		}
		if j-i >= sharedRare {
			out = append(out, x.found[i])
		}
		i = j
	}
	return out
}
