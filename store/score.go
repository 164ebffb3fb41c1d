package store

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"
)

// What is compared of two items, each so that the order of the two makes no difference. Words count by their weight: how
// few items have them.
const (
	cosine      = iota // of title and text
	cosineEvent        // of the words that are no names: who is in it may be the same, and what happens another thing
	foundLess          // the part of a title that stands in the other item: of the title that has less of it there
	foundMore          // and of the other title
	eventLess          // the same without names
	eventMore          //
	nameOdd            // the rarest name of a title that the other item has not
	nameOddLess        // where both have such a name, the less rare of the two
	numberFound        // a number of a title stands in the other item
	hoursApart         // logarithm
	daysApart          //
	questions          // one of them asks, the other does not
	explainers         // likewise explains
	speeches           // likewise tells what somebody says of it
	reactions          // likewise how somebody takes it
	stageShared        // both are at the same step of an affair
	rareShared         // how much the rarest words that both have tell
	longest            // words of the longer item: long ones have more to differ in
	shows              // one of them is, or has, a film, pictures, a list
	features
)

// featureNames name them in weights.go.
var featureNames = [features]string{"cosine", "cosineEvent", "foundLess", "foundMore", "eventLess", "eventMore",
	"nameOdd", "nameOddLess", "numberFound", "hoursApart", "daysApart", "questions", "explainers", "speeches", "reactions", "stageShared", "rareShared", "longest", "shows"}

// A pair is two items under comparison.
type pair struct {
	of    [features]float64
	apart time.Duration

	// What parts them whatever they have in common.
	numbers bool // both titles count something, and not the same: "33 new cases", "20 new cases"
	names   bool // but for a name, the titles are the same: "Apple crosses $900B", "Amazon crosses $900B"
	several bool // one of them is a live page or holds several stories
}

// apartAnyway reports whether two items are no story whatever they score.
func (f *pair) apartAnyway() bool { return f.numbers || f.names || f.several }

// side is what one of the two brings.
type side struct {
	title, found       float64 // weight of the title, and of those of its words that the other item has
	event, eventFound  float64 // likewise without names
	oddName            float64 // the rarest name of the title that the other item has not
	words, missing     int     // of the title, and those that the other item has not
	numbers            bool    // the title has one
	oddNumber          bool    // that the other item has not
	oddNames, oddWords int     // names, and uncommon words, of the title that the other item has not
	squares            float64 // of all weights
	events             float64 // of those of words that are no names
}

// add counts a word; found says that the other item has it.
func (s *side) add(w word, v float64, found bool) {
	s.squares += v * v
	if w&isName == 0 {
		s.events += v * v
	}
	if w&inTitle == 0 {
		return
	}
	s.words++
	s.title += v
	s.numbers = s.numbers || w&isNumber != 0
	if w&isName == 0 {
		s.event += v
	}
	switch {
	case found:
		s.found += v
		if w&isName == 0 {
			s.eventFound += v
		}
	default:
		s.missing++
		if w&isName != 0 {
			s.oddName = max(s.oddName, v)
			s.oddNames++
		}
		s.oddNumber = s.oddNumber || w&isNumber != 0
		if w&(isNumber|isName) == 0 && prior(w) == priorUnseen {
			s.oddWords++
		}
	}
}

// compare compares p with q, whose words weigh a and b.
func compare(p, q *Print, a, b []float32) (f pair) {
	var x, y side
	var dot, eventDot float64
	var rarest [4]float64         // weights of the rarest words that both have
	var number, sharedNumber bool // of a title: it stands in the other item, in both titles
	for i, j := 0, 0; i < len(p.words) || j < len(q.words); {
		switch {
		case j == len(q.words) || i < len(p.words) && p.words[i].stem() < q.words[j].stem():
			x.add(p.words[i], float64(a[i]), false)
			i++
		case i == len(p.words) || q.words[j].stem() < p.words[i].stem():
			y.add(q.words[j], float64(b[j]), false)
			j++
		default:
			u, w, v := p.words[i], q.words[j], float64(a[i])
			if (u|w)&isName != 0 { // where one writes a name, it is one
				u, w = u|isName, w|isName
			} else {
				eventDot += v * v
			}
			x.add(u, v, true)
			y.add(w, v, true)
			dot += v * v
			for k := range rarest {
				if v > rarest[k] {
					v, rarest[k] = rarest[k], v
				}
			}
			if u&isNumber != 0 {
				number = number || (u|w)&inTitle != 0
				sharedNumber = sharedNumber || u&w&inTitle != 0
			}
			i, j = i+1, j+1
		}
	}
	f.apart = apart(p.date, q.date)
	h := f.apart.Hours()
	f.of[cosine] = ratio(dot, math.Sqrt(x.squares*y.squares))
	f.of[cosineEvent] = ratio(eventDot, math.Sqrt(x.events*y.events))
	f.of[foundLess], f.of[foundMore] = order(ratio(x.found, x.title), ratio(y.found, y.title))
	f.of[eventLess], f.of[eventMore] = order(ratio(x.eventFound, x.event), ratio(y.eventFound, y.event))
	f.of[nameOddLess], f.of[nameOdd] = order(x.oddName/8, y.oddName/8)
	f.of[numberFound] = yes(number)
	f.of[hoursApart], f.of[daysApart] = math.Log1p(h)/4, h/24
	differ := p.marks ^ q.marks
	f.of[questions], f.of[explainers], f.of[speeches], f.of[reactions] = yes(differ&question != 0), yes(differ&explainer != 0), yes(differ&speech != 0), yes(differ&reaction != 0)
	f.of[stageShared] = yes(p.marks&q.marks&stageMarks != 0)
	f.of[rareShared] = (rarest[0] + rarest[1] + rarest[2] + rarest[3]) / 24
	f.of[longest] = float64(max(len(p.words), len(q.words))) / 30
	f.of[shows] = yes((p.marks|q.marks)&shown != 0)
	f.numbers = x.numbers && y.numbers && !sharedNumber && (x.oddNumber || y.oddNumber)
	f.names = template(&x, p.marks) && template(&y, q.marks)
	f.several = (p.marks|q.marks)&(live|digest) != 0
	return f
}

// template reports whether of a title nothing is its own but a word or two, and these are, or may be, a name.
func template(s *side, m marks) bool {
	names := s.oddNames
	if m&capitals != 0 {
		names += s.oddWords
	}
	return names > 0 && names == s.missing && s.missing <= 2 && s.words >= 3 && s.found >= 0.5*s.title
}

func order(a, b float64) (less, more float64) { return min(a, b), max(a, b) }

func yes(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// A weighting is what a logistic regression learned.
type weighting struct {
	bias          float64
	of            [features]float64
	tied, related float64 // scores from which on two items are one story, and from which on they are related
}

// score is the logarithm of the odds that the two are one report.
func (w *weighting) score(f *pair) float64 {
	z := w.bias
	for i, v := range f.of {
		z += w.of[i] * v
	}
	return z
}

const (
	reportWindow = 48 * time.Hour
	slack        = 1.2 // how far below the mark a story's other items may score
	titleOnly    = 1.2 // how much more two titles without texts must score

	// Where no weights were learned, plainer evidence must be stronger.
	plainWindow  = 24 * time.Hour
	plainTied    = 0.7 // mean of the cosine and of the part of each title that the other item has
	plainRelated = 0.5
	plainSlack   = 0.1
)

// A judgement is what comes of comparing two items of one language.
type judgement struct {
	pair
	score float64 // the odds' logarithm, or how alike they are
	above float64 // how far the score is above the mark of one story, or below
	near  float64 // likewise above that of related items
	slack float64 // how far below the mark the other items of the story may be
}

func judge(p, q *Print, a, b []float32) (j judgement) {
	j.pair = compare(p, q, a, b)
	if p.tongue == english {
		w := &englishWeights
		j.score = w.score(&j.pair)
		j.above, j.near, j.slack = j.score-w.tied, j.score-w.related, slack
		if p.bare && q.bare {
			j.above -= titleOnly
		}
	} else {
		j.score = (j.of[cosine] + j.of[foundLess]) / 2
		j.above, j.near, j.slack = j.score-plainTied, j.score-plainRelated, plainSlack
		if j.apart > plainWindow {
			j.above = min(j.above, -plainTied)
		}
	}
	if j.apartAnyway() {
		j.above = min(j.above, -2*slack)
	}
	return j
}

// why says in a few words what tied two items.
func (j *judgement) why() string {
	return fmt.Sprintf("title and text %.2f alike, %.0f %% and %.0f %% of the titles found in the other, %s apart; %.2f is enough",
		j.of[cosine], 100*j.of[foundMore], 100*j.of[foundLess], roughly(j.apart), j.score-j.above)
}

// roughly writes a duration to the minute, without what is zero.
func roughly(d time.Duration) string {
	s := strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return cmp.Or(s, "no time")
}
