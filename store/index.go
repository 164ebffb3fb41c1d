package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"iter"
	"math"
	"slices"
	"sort"
	"time"
)

// An Index finds, among the items that came in the last days, those that may carry a new item's story. It is a fold over
// prints in the order of their items: what it holds after Add depends on the prints added alone. So a keeper stores the
// prints beside the items, forgets those that Add says, and has the same index after a restart, or in another process,
// by adding what is stored. Only Add changes it; it is for one goroutine.
type Index struct {
	terms
	pieces   []*piece           // of the entries, in order of their items
	skipped  int                // how many entries of the first piece were dropped
	size     int                // how many there are
	gone     ordinal            // the last that was dropped
	stories  map[StoryID]latest // of each that has more than its first item
	openings map[uint32]ordinal // the newest entry that begins so, by the lower half of the hash
	owners   map[uint32]ordinal // the newest entry of each, by the lower half of the hash
	titles   map[uint32]int32   // how often an owner used a title, by the lower half of the hash: two taken for one cost no more than a tie

	shared  []uint8 // of each entry: how many words it shares with the item that is looked for; 0 between look-ups
	found   []int32 // room for entries, counted from the first
	near    []nearby
	other   Print     // room for a print
	weights []float32 // room for its weights
	codes   []uint64  // room for its words
}

// An ordinal is the number of an entry, from 1 over all that were ever added; those that are there follow one another.
type ordinal uint32

// A piece holds so many entries and their words: room is made, and given back, by the piece.
type piece struct {
	entries []entry
	words   []byte
}

const pieceSize = 2048

// An entry is what an Index keeps of a print, and the entries before it that belong to it.
type entry struct {
	item    ItemID
	story   StoryID
	opening uint64
	words   uint32 // where they begin in the piece
	date    uint32
	arrived uint32
	owner   uint32 // the lower half of the hash, as of the title's
	title   uint32
	marks   marks
	sibling ordinal // of the same story; 0 if it is the first
	copy    ordinal // with the same lower half of the opening
	earlier ordinal // of the same owner
	tongue  tongue
	bare    bool
}

// A latest entry is the newest of a story; place is that of its item.
type latest struct {
	entry ordinal
	place int32
}

// A nearby entry shares so many rare words with an item.
type nearby struct {
	entry  ordinal
	shared int
}

const (
	// indexAge is how long an item is remembered after its arrival.
	indexAge = 96 * time.Hour

	// maxIndexed bounds the items that are remembered, whatever their age.
	maxIndexed = 250_000

	rareWords  = 8  // by so many an item is found
	askedWords = 16 // and with so many it is looked for
	sharedRare = 2  // and so many must agree
	maxNear    = 16 // candidates that are looked at, those with the most words in common
)

// NewIndex makes an empty index.
func NewIndex() *Index {
	return &Index{terms: terms{days: map[int32]int32{}, number: map[word]uint32{}}, stories: map[StoryID]latest{}, openings: map[uint32]ordinal{}, owners: map[uint32]ordinal{}, titles: map[uint32]int32{}}
}

// Add adds prints and returns the items whose prints are not needed any more.
func (x *Index) Add(prints ...Print) (dropped []ItemID) {
	for i := range prints {
		p := &prints[i]
		for x.size > 0 && (x.size >= maxIndexed || stale(x.at(x.gone+1).arrived, p.arrived)) {
			dropped = append(dropped, x.at(x.gone+1).item)
			x.drop()
		}
		x.add(p)
	}
	return dropped
}

// Last is the newest item that was added; 0 if none was.
func (x *Index) Last() ItemID {
	if x.size == 0 {
		return 0
	}
	return x.at(x.gone + ordinal(x.size)).item
}

// stale reports whether an item is too old for one that arrives now, or came while the clock stood wrong.
func stale(arrived, now uint32) bool {
	d := int64(now) - int64(arrived)
	return time.Duration(max(d, -d))*time.Second > indexAge
}

func (x *Index) add(p *Print) {
	in, n := x.piece(), x.gone+ordinal(x.size)+1
	x.days[p.day()]++
	e := entry{item: p.Item, story: p.Story, opening: p.opening, words: uint32(len(in.words)), date: p.date, arrived: p.arrived,
		owner: uint32(p.owner), title: uint32(p.title), marks: p.marks, tongue: p.tongue, bare: p.bare}
	in.words = x.pack(in.words, p, n)
	if p.Story != StoryID(p.Item) {
		e.sibling, x.stories[p.Story] = x.newest(p.Story).entry, latest{n, p.Place}
	}
	if p.opening != 0 {
		e.copy, x.openings[uint32(p.opening)] = x.openings[uint32(p.opening)], n
	}
	e.earlier, x.owners[e.owner] = x.owners[e.owner], n
	x.titles[e.title]++
	in.entries = append(in.entries, e)
	x.size++
}

// piece is the piece into which the next entry comes.
func (x *Index) piece() *piece {
	if last := len(x.pieces) - 1; last >= 0 {
		in := x.pieces[last]
		if len(in.entries) < pieceSize {
			return in
		}
		in.words = bytes.Clone(in.words) // no longer than they are
	}
	in := &piece{entries: make([]entry, 0, pieceSize)}
	x.pieces = append(x.pieces, in)
	return in
}

// kindBits are those of a word that tell more than its stem and that it is rare, which terms know.
const kindBits = wordBits - 1

// pack counts the words of a new entry, and appends them to those of its piece: their terms and what they are, in the order of the
// terms, each of which is told by its distance from the one before.
func (x *Index) pack(b []byte, p *Print, n ordinal) []byte {
	x.codes = x.codes[:0]
	for _, w := range p.words {
		at := x.terms.add(w, p.day())
		x.codes = append(x.codes, uint64(at)<<kindBits|uint64(w&(1<<kindBits-1)))
		if t := x.term(at); w&isRare != 0 {
			if len(t.rare) == cap(t.rare) { // append would make twice the room
				t.rare = append(make([]ordinal, 0, len(t.rare)*9/8+1), t.rare...)
			}
			t.rare = append(t.rare, n)
		}
	}
	slices.Sort(x.codes)
	b = binary.AppendUvarint(b, uint64(len(x.codes)))
	last := uint64(0)
	for _, c := range x.codes {
		b = binary.AppendUvarint(b, c-last)
		last = c >> kindBits << kindBits
	}
	return b
}

// unpack is what pack made of an entry's words: terms, and in the lowest bits what they are.
func (x *Index) unpack(n ordinal) []uint64 {
	in, i := x.find(n)
	b := in.words[in.entries[i].words:]
	size, read := binary.Uvarint(b)
	b, x.codes = b[read:], x.codes[:0]
	last := uint64(0)
	for range size {
		d, read := binary.Uvarint(b)
		b, x.codes = b[read:], append(x.codes, last+d)
		last = (last + d) >> kindBits << kindBits
	}
	return x.codes
}

// print is the print of an entry as far as it is kept, until the next is asked for.
func (x *Index) print(n ordinal) *Print {
	e, p := x.at(n), &x.other
	*p = Print{Item: e.item, Story: e.story, opening: e.opening, date: e.date, arrived: e.arrived,
		marks: e.marks, tongue: e.tongue, bare: e.bare, words: p.words[:0]}
	for _, c := range x.unpack(n) {
		p.words = append(p.words, x.term(uint32(c>>kindBits)).stem<<wordBits|word(c&(1<<kindBits-1)))
	}
	slices.Sort(p.words)
	return p
}

// find is where an entry stands that is there.
func (x *Index) find(n ordinal) (*piece, int) {
	i := int(n-x.gone-1) + x.skipped
	return x.pieces[i/pieceSize], i % pieceSize
}

// at is the entry with this number; nil if it was dropped.
func (x *Index) at(n ordinal) *entry {
	if n-x.gone-1 >= ordinal(x.size) {
		return nil
	}
	in, i := x.find(n)
	return &in.entries[i]
}

// newest is the newest entry of a story; the zero one if there is none.
func (x *Index) newest(id StoryID) latest {
	if l, ok := x.stories[id]; ok {
		return l
	}
	// The entries are in order of their items, and a story is numbered as its first item.
	i, ok := sort.Find(x.size, func(i int) int { return cmp.Compare(ItemID(id), x.at(x.gone+1+ordinal(i)).item) })
	if !ok {
		return latest{}
	}
	return latest{x.gone + 1 + ordinal(i), 1}
}

// items are the entries of a story, the newest first.
func (x *Index) items(id StoryID) iter.Seq2[ordinal, *entry] {
	return func(yield func(ordinal, *entry) bool) {
		n := x.newest(id).entry
		for e := x.at(n); e != nil && yield(n, e); e = x.at(n) {
			n = e.sibling
		}
	}
}

// copies are the entries with an opening, the newest first.
func (x *Index) copies(opening uint64) iter.Seq2[ordinal, *entry] {
	return func(yield func(ordinal, *entry) bool) {
		n := x.openings[uint32(opening)]
		for e := x.at(n); e != nil && (e.opening != opening || yield(n, e)); e = x.at(n) {
			n = e.copy
		}
	}
}

// drop forgets the oldest entry.
func (x *Index) drop() {
	n := x.gone + 1
	e := x.at(n)
	day := int32(e.date / 86400)
	less(x.days, day)
	for _, c := range x.unpack(n) {
		if t := x.term(uint32(c >> kindBits)); len(t.rare) > 0 && t.rare[0] == n {
			t.rare = t.rare[1:]
		}
		x.terms.drop(uint32(c>>kindBits), day)
	}
	less(x.titles, e.title)
	if x.stories[e.story].entry == n {
		delete(x.stories, e.story)
	}
	if x.openings[uint32(e.opening)] == n {
		delete(x.openings, uint32(e.opening))
	}
	if x.owners[e.owner] == n {
		delete(x.owners, e.owner)
	}
	x.gone, x.size = n, x.size-1
	if x.skipped++; x.skipped == pieceSize {
		x.pieces, x.skipped = slices.Delete(x.pieces, 0, 1), 0
	}
}

// less counts one less.
func less[K comparable](m map[K]int32, k K) {
	if m[k]--; m[k] == 0 {
		delete(m, k)
	}
}

// day is the day of the item's date, counted from 1970.
func (p *Print) day() int32 { return int32(p.date / 86400) }

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
	var in [maxWords][]ordinal
	words := room[:0]
	for i, w := range p.words {
		if weights[i] < rareWeight {
			continue
		}
		if t := x.terms.find(w); t != nil && len(t.rare) > 0 {
			in[i] = t.rare
			words = append(words, rank(weights[i], len(t.rare), i))
		}
	}
	slices.Sort(words)
	words = words[:min(askedWords, len(words))]
	x.shared = append(x.shared, make([]uint8, x.size-min(len(x.shared), x.size))...)
	x.found = x.found[:0]
	for _, r := range words {
		for _, n := range in[r&0xff] {
			i := n - x.gone - 1
			if x.shared[i]++; x.shared[i] == sharedRare {
				x.found = append(x.found, int32(i))
			}
		}
	}
	slices.Sort(x.found)
	x.near = x.near[:0]
	for _, i := range x.found {
		n := x.gone + 1 + ordinal(i)
		if e := x.at(n); e.owner != uint32(p.owner) && e.tongue == p.tongue && apart(e.date, p.date) <= reportWindow {
			x.near = append(x.near, nearby{n, int(x.shared[i])})
		}
	}
	for _, r := range words {
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
