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
	entries  []entry           // in order of their items
	gone     int32             // how many were dropped before the first of them
	days     map[int32]int32   // how many items have a date of that day
	terms    map[word]*term    // by stem
	stories  map[StoryID]int32 // the newest entry of each that has more than its first item
	openings map[uint64]int32  // the newest entry that begins so
	titles   map[uint64]int32  // how often an owner used a title
	kept     []word            // the entries' words stand in few large pieces; this is the end of the last

	shared  []uint8 // of each entry: how many words it shares with the item that is looked for; 0 between look-ups
	found   []int32 // room for entries
	near    []nearby
	weights []float32 // room for weights
}

// An entry is a print with the entries before it that belong to it, numbered from 1 over all that were ever added.
type entry struct {
	Print
	sibling int32 // of the same story; 0 if it is the first
	copy    int32 // with the same opening
}

// A nearby entry shares so many rare words with an item.
type nearby struct {
	entry  int32
	shared int
}

// A term is what is known of a word.
type term struct {
	prior  float32  // its share of the items before any was counted
	recent dayCount // how many items of that day and the countDays-1 before have it: the last day that was asked for
	days   []dayCount
	rare   []int32 // the entries of whose rarest words it is one, in their order
}

// A dayCount is how many items whose date is of one day have a word.
type dayCount struct{ day, items int32 }

const (
	// indexAge is how long an item is remembered after its arrival, and countDays how far back from a date words are
	// counted: those of the last days tell what everybody writes of just now.
	indexAge  = 96 * time.Hour
	countDays = 4

	// maxIndexed bounds the items that are remembered, whatever their age.
	maxIndexed = 250_000

	rareWords  = 8    // by so many an item is found
	askedWords = 16   // and with so many it is looked for
	rareShare  = 0.03 // of its words that no greater part of the items has
	sharedRare = 2    // and so many must agree
	maxNear    = 16   // candidates that are looked at, those with the most words in common

	// Before a store has seen enough, words are as rare as in other stores: that counts as much as so many items do.
	priorItems  = 400
	priorUnseen = 0.0006 // share of the items that have a word of which nothing is known

	// rareEnough is added to each share: that a word is rarer than that tells more of the number of outlets than of the word.
	rareEnough = 0.0005
)

var rareWeight = weight(rareShare)

// weight is how much a word tells that so great a part of the items has.
func weight(share float64) float32 { return float32(-math.Log(share + rareEnough)) }

// NewIndex makes an empty index.
func NewIndex() *Index {
	return &Index{days: map[int32]int32{}, terms: map[word]*term{}, stories: map[StoryID]int32{}, openings: map[uint64]int32{}, titles: map[uint64]int32{}}
}

// Add adds prints and returns the items whose prints are not needed any more.
func (x *Index) Add(prints ...Print) (dropped []ItemID) {
	for _, p := range prints {
		for len(x.entries) > 0 && (len(x.entries) >= maxIndexed || stale(x.entries[0].arrived, p.arrived)) {
			dropped = append(dropped, x.entries[0].Item)
			x.drop()
		}
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
func stale(arrived, now uint32) bool {
	d := int64(now) - int64(arrived)
	return time.Duration(max(d, -d))*time.Second > indexAge
}

func (x *Index) add(p Print) {
	at, day := x.gone+int32(len(x.entries))+1, p.day()
	x.days[day]++
	for _, w := range p.words {
		t := x.terms[w.stem()]
		if t == nil {
			t = &term{prior: prior(w)}
			x.terms[w.stem()] = t
		}
		t.count(day, 1)
		if w&isRare != 0 {
			t.rare = append(t.rare, at)
		}
	}
	p.words = x.keep(p.words)
	e := entry{Print: p}
	if p.Story != StoryID(p.Item) {
		e.sibling, x.stories[p.Story] = x.newest(p.Story), at
	}
	if p.opening != 0 {
		e.copy, x.openings[p.opening] = x.openings[p.opening], at
	}
	x.titles[p.title]++
	x.entries = append(x.entries, e)
}

// keep copies the words of an entry to where others' stand: one by one they would take a fifth more room.
func (x *Index) keep(words []word) []word {
	const piece = 1 << 14
	if len(x.kept)+len(words) > cap(x.kept) {
		x.kept = make([]word, 0, max(piece, len(words)))
	}
	from := len(x.kept)
	x.kept = append(x.kept, words...)
	return x.kept[from:len(x.kept):len(x.kept)]
}

// newest is the newest entry of a story; 0 if there is none.
func (x *Index) newest(id StoryID) int32 {
	if n, ok := x.stories[id]; ok {
		return n
	}
	// The entries are in order of their items, and a story is numbered as its first item.
	i, ok := slices.BinarySearchFunc(x.entries, ItemID(id), func(e entry, id ItemID) int { return cmp.Compare(e.Item, id) })
	if !ok {
		return 0
	}
	return x.gone + int32(i) + 1
}

// drop forgets the oldest entry.
func (x *Index) drop() {
	e, day := &x.entries[0], x.entries[0].day()
	x.gone++
	less(x.days, day)
	for _, w := range e.words {
		t := x.terms[w.stem()]
		if w&isRare != 0 {
			t.rare = t.rare[1:]
		}
		if t.count(day, -1); len(t.days) == 0 {
			delete(x.terms, w.stem())
		}
	}
	less(x.titles, e.title)
	if x.stories[e.Story] == x.gone {
		delete(x.stories, e.Story)
	}
	if x.openings[e.opening] == x.gone {
		delete(x.openings, e.opening)
	}
	x.entries = x.entries[1:]
}

// less counts one less.
func less[K comparable](m map[K]int32, k K) {
	if m[k]--; m[k] == 0 {
		delete(m, k)
	}
}

// count counts an item of a day.
func (t *term) count(day, n int32) {
	if t.recent.day-countDays < day && day <= t.recent.day {
		t.recent.items += n
	}
	for i := range t.days {
		if d := &t.days[i]; d.day == day {
			if d.items += n; d.items == 0 {
				t.days[i] = t.days[len(t.days)-1]
				t.days = t.days[:len(t.days)-1]
			}
			return
		}
	}
	t.days = append(t.days, dayCount{day, n})
}

// until counts the items of a day and of the countDays-1 before.
func (t *term) until(day int32) int32 {
	if t.recent.day != day {
		t.recent = dayCount{day: day}
		for _, d := range t.days {
			if day-countDays < d.day && d.day <= day {
				t.recent.items += d.items
			}
		}
	}
	return t.recent.items
}

// at is the entry with this number; nil if it was dropped.
func (x *Index) at(n int32) *entry {
	if n <= x.gone {
		return nil
	}
	return &x.entries[n-x.gone-1]
}

// day is the day of the item's date, counted from 1970.
func (p *Print) day() int32 { return int32(p.date / 86400) }

// weigh gives each word of a print its weight: how much it tells, the more the fewer of the items up to this day have it.
func (x *Index) weigh(p *Print, day int32, into []float32) []float32 {
	all := float32(priorItems)
	for d := day - countDays + 1; d <= day; d++ {
		all += float32(x.days[d])
	}
	into = into[:0]
	for _, w := range p.words {
		t := x.terms[w.stem()]
		if t == nil {
			into = append(into, weight(float64(priorItems*prior(w)/all)))
			continue
		}
		into = append(into, weight(float64((priorItems*t.prior+float32(t.until(day)))/all)))
	}
	return into
}

// prior is the share of the items that have a word, where nothing was counted yet.
func prior(w word) float32 {
	if p, ok := priors[w.stem()]; ok {
		return p
	}
	return priorUnseen
}

// markRare marks the words by which an item is found.
func (p *Print) markRare(weights []float32) {
	var room [maxWords]uint64
	order := room[:0]
	for i := range p.words {
		p.words[i] &^= isRare
		if weights[i] >= rareWeight {
			order = append(order, rank(weights[i], 0, i))
		}
	}
	slices.Sort(order)
	for _, r := range order[:min(rareWords, len(order))] {
		p.words[r&0xff] |= isRare
	}
}

// rank is a number that is the less the heavier a word is, then the fewer entries it finds, then the earlier it stands in its
// item: i, the last eight bits.
func rank(weight float32, entries, i int) uint64 {
	return uint64(^math.Float32bits(weight))<<32 | uint64(min(entries, 1<<24-1))<<8 | uint64(i)
}

// candidates are the entries near p in time that are found by its rarest words, of those that anybody else has.
func (x *Index) candidates(p *Print, weights []float32) []nearby {
	var room [maxWords]uint64
	var in [maxWords][]int32
	words := room[:0]
	for i, w := range p.words {
		if weights[i] < rareWeight {
			continue
		}
		if t := x.terms[w.stem()]; t != nil && len(t.rare) > 0 {
			in[i] = t.rare
			words = append(words, rank(weights[i], len(t.rare), i))
		}
	}
	slices.Sort(words)
	x.shared = append(x.shared, make([]uint8, len(x.entries)-min(len(x.shared), len(x.entries)))...)
	x.found = x.found[:0]
	for _, r := range words[:min(askedWords, len(words))] {
		for _, n := range in[r&0xff] {
			s := &x.shared[n-x.gone-1]
			if *s++; *s == sharedRare {
				x.found = append(x.found, n)
			}
		}
	}
	slices.Sort(x.found)
	x.near = x.near[:0]
	for _, n := range x.found {
		if e := x.at(n); e.owner != p.owner && e.tongue == p.tongue && e.apart(p) <= reportWindow {
			x.near = append(x.near, nearby{n, int(x.shared[n-x.gone-1])})
		}
	}
	for _, r := range words[:min(askedWords, len(words))] {
		for _, n := range in[r&0xff] {
			x.shared[n-x.gone-1] = 0
		}
	}
	if len(x.near) > maxNear {
		slices.SortStableFunc(x.near, func(a, b nearby) int { return cmp.Compare(b.shared, a.shared) })
		x.near = x.near[:maxNear]
	}
	return x.near
}
