package store

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// What is compared of two items, each so that the order of the two makes no difference.
const (
	cosine       = iota // of title and text, words weighted by how rare they are
	titleCosine         // of the titles alone
	foundLess           // part of a title that the other item has, by weight: of the title that has less of it there
	foundMore           // and of the other title
	hoursApart          // logarithm
	daysApart           //
	questions           // one of them is one
	explainers          // one of them is one
	opinions            // one of them is one
	lives               // one of them is one
	digests             // one of them is one
	futures             // one of them tells what may be, the other what is
	speeches            // one of them tells what somebody says of it
	stageApart          // each is at a step of an affair, and not at the same
	stageAlone          // one of them is
	stageShared         // both are at the same
	numbersApart        // each title has a number that the other item has not
	numberAlone         // one of them has one
	numberShared        // a title's number stands in the other item
	figuresApart        // both have figures in title or text, and none in common
	namesShared         // names in common, by weight
	nameApart           // each title has a name that the other item has not
	oddLess             // the rarest word of a title that the other item has not: of the title where it is less rare
	oddMore             // and of the other title
	rarest              // the three rarest words in common
	bareOne             // one of them has nothing but a title
	bareBoth            // both have
	coverage            // part of the shorter one's words, by weight, that the other has
	features
)

// A pair is two items under comparison.
type pair [features]float64

// compare compares p with q, whose words weigh a and b.
func compare(p, q *Print, a, b []float32) (f pair) {
	var dot, pp, qq, tdot, tpp, tqq float64
	var side [2]struct {
		title, found float64 // weight of the title, and of its words that the other has
		all          float64
		odd          float64 // the rarest that it has not
		number, name bool    // it has a number, a name that the other has not
		figures      int
	}
	var shared, names, figures float64
	var numberFound bool
	var top [3]float64
	one := func(n int, w word, v float64, found bool) {
		s := &side[n]
		s.all += v
		if w&isNumber != 0 {
			s.figures++
		}
		if w&inTitle == 0 {
			return
		}
		s.title += v
		switch {
		case found:
			s.found += v
			numberFound = numberFound || w&isNumber != 0
		default:
			s.odd = max(s.odd, v)
			s.number = s.number || w&isNumber != 0
			s.name = s.name || w&isName != 0
		}
	}
	for i, j := 0, 0; i < len(p.words) || j < len(q.words); {
		switch {
		case j == len(q.words) || i < len(p.words) && p.words[i].stem() < q.words[j].stem():
			w, v := p.words[i], float64(a[i])
			pp += v * v
			if w&inTitle != 0 {
				tpp += v * v
			}
			one(0, w, v, false)
			i++
		case i == len(p.words) || q.words[j].stem() < p.words[i].stem():
			w, v := q.words[j], float64(b[j])
			qq += v * v
			if w&inTitle != 0 {
				tqq += v * v
			}
			one(1, w, v, false)
			j++
		default:
			w, u, v := p.words[i], q.words[j], float64(a[i])
			dot, pp, qq = dot+v*v, pp+v*v, qq+v*v
			if w&inTitle != 0 {
				tpp += v * v
			}
			if u&inTitle != 0 {
				tqq += v * v
			}
			if w&u&inTitle != 0 {
				tdot += v * v
			}
			one(0, w, v, true)
			one(1, u, v, true)
			shared += v
			if w&u&isName != 0 {
				names += v
			}
			if w&u&isNumber != 0 {
				figures++
			}
			for k, t := 0, v; k < len(top); k++ {
				if t > top[k] {
					top[k], t = t, top[k]
				}
			}
			i, j = i+1, j+1
		}
	}
	f[cosine] = ratio(dot, math.Sqrt(pp*qq))
	f[titleCosine] = ratio(tdot, math.Sqrt(tpp*tqq))
	x, y := ratio(side[0].found, side[0].title), ratio(side[1].found, side[1].title)
	f[foundLess], f[foundMore] = min(x, y), max(x, y)
	f[coverage] = ratio(shared, min(side[0].all, side[1].all))
	h := p.apart(q).Hours()
	f[hoursApart], f[daysApart] = math.Log1p(h)/4, h/24
	for n, m := range map[int]marks{questions: question, explainers: explainer, opinions: opinion, lives: live, digests: digest, futures: future, speeches: speech} {
		f[n] = yes((p.marks^q.marks)&m != 0)
	}
	ps, qs := p.marks&stageMarks, q.marks&stageMarks
	f[stageApart] = yes(ps != 0 && qs != 0 && ps&qs == 0)
	f[stageAlone] = yes((ps == 0) != (qs == 0))
	f[stageShared] = yes(ps&qs != 0)
	f[numbersApart] = yes(side[0].number && side[1].number)
	f[numberAlone] = yes(side[0].number != side[1].number)
	f[numberShared] = yes(numberFound)
	f[figuresApart] = yes(side[0].figures > 0 && side[1].figures > 0 && figures == 0)
	f[namesShared] = min(names, 40) / 20
	f[nameApart] = yes(side[0].name && side[1].name)
	f[oddLess], f[oddMore] = min(side[0].odd, side[1].odd)/8, max(side[0].odd, side[1].odd)/8
	f[rarest] = (top[0] + top[1] + top[2]) / 24
	f[bareOne], f[bareBoth] = yes(p.bare != q.bare), yes(p.bare && q.bare)
	return f
}

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

// score is the logarithm of the odds that the two are one report.
func (f *pair) score() float64 {
	z := englishWeights.bias
	for i, v := range f {
		z += englishWeights.of[i] * v
	}
	return z
}

// A weighting is what a logistic regression learned.
type weighting struct {
	bias          float64
	of            pair
	tied, related float64 // scores from which on two items are one story, and from which on they are related
}

const (
	reportWindow = 48 * time.Hour
	slack        = 1.5 // how far below the mark a story's other items may score

	// Where no weights were learned, plainer evidence must be stronger.
	plainWindow  = 24 * time.Hour
	plainCosine  = 0.7
	plainRelated = 0.5
	plainSlack   = 0.1
	plainShared  = 0.6 // of each title
)

// judged is what comes of comparing two items.
type judged struct {
	score  float64 // how far above the mark, in the scale of the rule
	shown  float64 // the score as explain shows it: the odds' logarithm, or a cosine
	near   bool    // not above it, but related
	slack  float64 // how far below it another item of the story may be
	reason string
}

// judge compares two items of one language.
func judge(p, q *Print, a, b []float32) (j judged) {
	f := compare(p, q, a, b)
	j.reason = f.reason(p.apart(q))
	if p.tongue == english {
		j.shown = f.score()
		j.score, j.slack, j.near = j.shown-englishWeights.tied, slack, j.shown >= englishWeights.related
	} else {
		j.shown = f[cosine]
		j.score, j.slack, j.near = j.shown-plainCosine, plainSlack, j.shown >= plainRelated
		if p.apart(q) > plainWindow || f[foundLess] < plainShared {
			j.score = min(j.score, -1)
		}
	}
	if f[numbersApart] > 0 || f[digests] > 0 || p.marks&q.marks&digest != 0 {
		j.score = min(j.score, -1)
	}
	return j
}

// reason says in a few words what two items have in common.
func (f *pair) reason(apart time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "text %.2f alike, titles %.2f, %.0f and %.0f %% of them found in the other, %s apart", f[cosine], f[titleCosine],
		100*f[foundMore], 100*f[foundLess], apart.Round(time.Minute))
	for n, text := range map[int]string{questions: "one asks"} {
		if f[n] > 0 {
			b.WriteString(", " + text)
		}
	}
	return b.String()
}
