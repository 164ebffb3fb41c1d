package store

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Print is what a store remembers of an item for as long as others may carry its story: nothing that can be read, only what
// can be compared. It is made when the item arrives and never changes, whatever becomes of the item.
type Print struct {
	Item  ItemID
	Story StoryID // of the item
	Place int32   // in its story, from 1

	tongue  tongue
	bare    bool // nothing but a title
	marks   marks
	date    uint32 // Item.Date in Unix seconds: the earlier of what the outlet claims and the arrival
	arrived uint32
	owner   uint64 // hash of whose outlet it is
	title   uint64 // hash of the owner and the title, numbers aside
	opening uint64 // hash of how the text begins; 0 if it is short
	words   []word
}

// A tongue is the first subtag of a language, or the script in place of one that cannot be.
type tongue [3]byte

var (
	english      = tongue{'e', 'n'}
	solidTongue  = tongue{'+', 's'}
	spacedTongue = tongue{'+'}
)

const (
	printText = 300 // bytes, at least, of the text that is evidence, as far as it goes

	// openingWeight is how much text must be equal to be a copy: letters, of scripts without spaces a third as many.
	openingWeight = 140
)

// Prints are prints of the arrivals of polls, made before it is known which items they become. A keeper that settles while
// others wait for it rehearses without an index first, to have them then. Nil has none and keeps none.
type Prints map[*Arrival]Print

// of is the print of the item that an arrival becomes.
func (ps Prints) of(a *Arrival, it *Item, p *Poll) Print {
	if ps == nil {
		return newPrint(it, p)
	}
	pr, ok := ps[a]
	if !ok {
		pr = newPrint(it, p)
		ps[a] = pr
	}
	pr.words = slices.Clone(pr.words) // which of them are rare is marked in them
	pr.become(it)
	return pr
}

// become makes it the print of this item, which says the same as the one that was read.
func (p *Print) become(it *Item) {
	p.Item, p.Story, p.Place = it.ID, it.Story, 1
	p.date, p.arrived = uint32(it.Date.Unix()), uint32(it.Arrived.Unix())
}

// newPrint reads an item; p is the poll that brought it.
func newPrint(it *Item, p *Poll) Print {
	lang := primary(cmp.Or(it.Language, it.Detected))
	text := head(it.Lead, printText)
	if lang == (tongue{}) && looksEnglish(it.Title+" "+text) {
		lang = english
	}
	w := words{english: lang == english, list: make([]word, 0, 64)}
	w.read(it.Title, inTitle)
	shouts := capitalised(it.Title)
	for i := range w.list {
		if shouts { // names show in the text alone
			w.list[i] &^= isName
		}
	}
	w.read(text, 0)
	owner := p.Owner
	if owner == "" {
		owner = it.Outlet
	}
	pr := Print{owner: hash64(owner), tongue: spoken(lang, w.scripts), opening: opening(it.Lead), bare: text == "", words: w.finish()}
	pr.title = hash64(owner + "\x00" + strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) || unicode.IsSpace(r) || unicode.IsPunct(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, it.Title))
	pr.marks = marksOf(it.Title, text, it.Link, pr.tongue == english)
	if shouts {
		pr.marks |= capitals
	}
	pr.become(it)
	return pr
}

// primary is the first subtag of a language.
func primary(tag string) (t tongue) {
	lang, _, _ := strings.Cut(tag, "-")
	copy(t[:], strings.ToLower(lang))
	return t
}

// spoken is the language, unless its letters say otherwise: feeds are made with tools that say "en" of everything.
func spoken(lang tongue, scripts [3]int) tongue {
	switch {
	case scripts[solid] > scripts[latin] && scripts[solid] > scripts[spaced]:
		if lang == english || lang == (tongue{}) {
			return solidTongue
		}
	case scripts[spaced] > scripts[latin]:
		if lang == english || lang == (tongue{}) {
			return spacedTongue
		}
	}
	return lang
}

// capitalised reports whether a title has capitals where a sentence has none.
func capitalised(title string) bool {
	long, capital := 0, 0
	for w := range strings.FieldsSeq(title) {
		if r, n := utf8.DecodeRuneInString(w); unicode.IsLetter(r) && len(w)-n >= 3 {
			long++
			if unicode.IsUpper(r) {
				capital++
			}
		}
	}
	return long >= 4 && capital*5 >= long*4
}

// head is the beginning of a text, to the end of a word.
func head(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i, r := range s[n:] {
		if unicode.IsSpace(r) || i > 100 {
			return s[:n+i]
		}
	}
	return s
}

// opening hashes the letters and digits with which a text begins.
func opening(text string) uint64 {
	h, weight := uint64(fnvBasis), 0
	var room [utf8.UTFMax]byte
	for _, r := range text {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			continue
		}
		for _, c := range utf8.AppendRune(room[:0], unicode.ToLower(r)) {
			h = (h ^ uint64(c)) * fnvPrime
		}
		weight++
		if r >= utf8.RuneSelf && unicode.In(r, unspaced...) {
			weight += 2
		}
		if weight >= openingWeight {
			return h
		}
	}
	return 0
}

const (
	fnvBasis = 14695981039346656037
	fnvPrime = 1099511628211
)

func hash64(s string) uint64 {
	h := uint64(fnvBasis)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * fnvPrime
	}
	return h
}

// apart is the time between two dates.
func apart(a, b uint32) time.Duration {
	d := int64(a) - int64(b)
	return time.Duration(max(d, -d)) * time.Second
}

const printLayout = 1

// Append appends what ParsePrint reads.
func (p *Print) Append(b []byte) []byte {
	b = append(b, printLayout)
	b = binary.AppendUvarint(b, uint64(p.Item))
	b = binary.AppendUvarint(b, uint64(p.Item)-uint64(p.Story))
	b = binary.AppendUvarint(b, uint64(p.Place))
	for _, h := range []uint64{p.owner, p.title, p.opening} {
		b = binary.LittleEndian.AppendUint64(b, h)
	}
	b = binary.LittleEndian.AppendUint32(b, p.arrived)
	b = binary.AppendUvarint(b, uint64(p.arrived-p.date))
	b = append(b, p.tongue[:]...)
	bare := uint64(0)
	if p.bare {
		bare = 1
	}
	b = binary.AppendUvarint(b, uint64(p.marks)<<1|bare)
	b = binary.AppendUvarint(b, uint64(len(p.words)))
	for _, w := range p.words {
		b = binary.LittleEndian.AppendUint32(b, uint32(w))
	}
	return b
}

var errPrint = errors.New("the print of an item is damaged")

// ParsePrint reads what Append wrote.
func ParsePrint(b []byte) (p Print, err error) {
	if len(b) == 0 || b[0] != printLayout {
		return p, errPrint
	}
	b = b[1:]
	take := func(n uint64) []byte {
		if n > uint64(len(b)) {
			b, err = nil, errPrint
			return make([]byte, min(n, 8))
		}
		v := b[:n]
		b = b[n:]
		return v
	}
	uvarint := func() uint64 {
		v, n := binary.Uvarint(b)
		take(uint64(max(n, 1)))
		return v
	}
	p.Item = ItemID(uvarint())
	p.Story = StoryID(uint64(p.Item) - uvarint())
	p.Place = int32(uvarint())
	for _, h := range []*uint64{&p.owner, &p.title, &p.opening} {
		*h = binary.LittleEndian.Uint64(take(8))
	}
	p.arrived = binary.LittleEndian.Uint32(take(4))
	p.date = p.arrived - uint32(uvarint())
	copy(p.tongue[:], take(3))
	kind := uvarint()
	p.marks, p.bare = marks(kind>>1), kind&1 != 0
	n := uvarint()
	if err != nil || n*4 != uint64(len(b)) {
		return Print{}, errPrint
	}
	p.words = make([]word, n)
	for i := range p.words {
		p.words[i] = word(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return p, nil
}
