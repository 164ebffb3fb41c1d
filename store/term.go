package store

import "math"

// terms are the words of the items that an Index remembers, and how rare each is. A term has a number, by which entries name it; a
// number that is free is given again.
type terms struct {
	days   map[int32]int32    // how many items have a date of that day
	number map[word]uint32    // of a stem
	all    []*[termPiece]term // by number: room is made by the piece
	made   uint32             // how many numbers were given
	free   []uint32           // those of them that nothing has any more
}

const termPiece = 1024

// A term is what is known of a word.
type term struct {
	stem   word
	prior  float32  // its share of the items before any was counted
	recent dayCount // how many items of that day and the countDays-1 before have it: the last day that was asked for
	days   []dayCount
	rare   []ordinal // the entries of whose rarest words it is one, in their order
}

// A dayCount is how many items whose date is of one day have a word.
type dayCount struct{ day, items int32 }

const (
	// countDays is how far back from a date words are counted: those of the last days tell what everybody writes of just now.
	countDays = 4

	rareShare = 0.03 // of the items no greater part has a rare word

	// Before a store has seen enough, words are as rare as in other stores: that counts as much as so many items do.
	priorItems  = 400
	priorUnseen = 0.0006 // share of the items that have a word of which nothing is known

	// rareEnough is added to each share: that a word is rarer than that tells more of the number of outlets than of the word.
	rareEnough = 0.0005
)

var rareWeight = weight(rareShare)

// weight is how much a word tells that so great a part of the items has.
func weight(share float64) float32 { return float32(-math.Log(share + rareEnough)) }

// prior is the share of the items that have a word, where nothing was counted yet.
func prior(w word) float32 {
	if p, ok := priors[w.stem()]; ok {
		return p
	}
	return priorUnseen
}

// term is the term with this number.
func (ts *terms) term(n uint32) *term { return &ts.all[n/termPiece][n%termPiece] }

// find is the term of a word; nil if no item has it.
func (ts *terms) find(w word) *term {
	if n, ok := ts.number[w.stem()]; ok {
		return ts.term(n)
	}
	return nil
}

// add counts a word of an item of a day, and returns the number of its term.
func (ts *terms) add(w word, day int32) uint32 {
	n, ok := ts.number[w.stem()]
	if !ok {
		if last := len(ts.free) - 1; last >= 0 {
			n, ts.free = ts.free[last], ts.free[:last]
		} else {
			if n, ts.made = ts.made, ts.made+1; n%termPiece == 0 {
				ts.all = append(ts.all, new([termPiece]term))
			}
		}
		ts.number[w.stem()], *ts.term(n) = n, term{stem: w.stem(), prior: prior(w)}
	}
	ts.term(n).count(day, 1)
	return n
}

// drop counts a word of an item of a day no more.
func (ts *terms) drop(n uint32, day int32) {
	t := ts.term(n)
	if t.count(day, -1); len(t.days) == 0 {
		delete(ts.number, t.stem)
		ts.free = append(ts.free, n)
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

// weigh gives each word of a print its weight: how much it tells, the more the fewer of the items up to this day have it.
func (ts *terms) weigh(p *Print, day int32, into []float32) []float32 {
	all := float32(priorItems)
	for d := day - countDays + 1; d <= day; d++ {
		all += float32(ts.days[d])
	}
	into = into[:0]
	for _, w := range p.words {
		t := ts.find(w)
		if t == nil {
			into = append(into, weight(float64(priorItems*prior(w)/all)))
			continue
		}
		into = append(into, weight(float64((priorItems*t.prior+float32(t.until(day)))/all)))
	}
	return into
}
