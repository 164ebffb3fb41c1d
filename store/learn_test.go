package store

import (
	"cmp"
	"fmt"
	"go/format"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestLearn learns what score.go weighs from the labelled pairs, and which words are common from all items, and writes
// weights.go. It runs where BROADSHEET_LEARN is set; BROADSHEET_READ names a folder for the pairs with their scores. What it prints first, learned from some days and measured on
// others, is the estimate; the last line shows how much of that is learned by heart.
func TestLearn(t *testing.T) {
	if os.Getenv("BROADSHEET_LEARN") == "" {
		t.Skip("set BROADSHEET_LEARN=1 to learn the weights anew")
	}
	stream := recorded(t)
	common := frequentWords(stream)
	commonEnglish = wordTable(common)
	priors = priorTable()
	all := samples(t, stream)
	t.Log(len(all), "pairs")
	var held []sample
	for n := range divisions {
		held = append(held, onOthers(all, n)...)
	}
	curve(t, "other days", held)
	w := regress(all)
	for i := range all {
		all[i].score = w.score(&all[i].pair)
	}
	curve(t, "the same days", all)
	w.tied, w.related = englishWeights.tied, englishWeights.related
	writeWeights(t, common, &w)
	if dir := os.Getenv("BROADSHEET_READ"); dir != "" {
		var b strings.Builder
		for _, s := range held { // curve has sorted them
			fmt.Fprintf(&b, "%.2f\t%s\t%s\n", s.score, s.label, s.words)
		}
		if err := os.WriteFile(filepath.Join(dir, "pairs.tsv"), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

const (
	divisions = 6 // of the days into folds, each another way: which pairs meet in one makes a difference
	folds     = 8
)

// onOthers scores each pair by what is learned from the other folds. Days that follow each other, which have the same
// affairs, are in one.
func onOthers(all []sample, division int) (held []sample) {
	rng := rand.New(rand.NewPCG(uint64(division), 0))
	fold := map[int32]int{}
	for _, s := range all {
		if _, ok := fold[s.day/3]; !ok {
			fold[s.day/3] = rng.IntN(folds)
		}
	}
	for n := range folds {
		w := regress(slices.DeleteFunc(slices.Clone(all), func(s sample) bool { return fold[s.day/3] == n }))
		for _, s := range all {
			if fold[s.day/3] == n {
				s.score = w.score(&s.pair)
				held = append(held, s)
			}
		}
	}
	return held
}

// curve tells how many of the true pairs are found at which precision.
func curve(t *testing.T, name string, set []sample) {
	for i := range set {
		if s := &set[i]; s.apartAnyway() {
			s.score = -99
		}
	}
	slices.SortFunc(set, func(a, b sample) int { return cmp.Compare(b.score, a.score) })
	all, right, best := 0, 0, map[float64]string{}
	for _, s := range set {
		all += int(yes(s.label == "S"))
	}
	aims := []float64{.9, .95, .97, .98, .99}
	for i, s := range set {
		right += int(yes(s.label == "S"))
		for _, aim := range aims {
			if float64(right) >= aim*float64(i+1) {
				best[aim] = fmt.Sprintf("%.3f from %.2f", float64(right)/float64(all), s.score)
			}
		}
	}
	var b strings.Builder
	for _, aim := range aims {
		fmt.Fprintf(&b, "; P %.2f: R %s", aim, best[aim])
	}
	t.Log(name + b.String())
}

// ridge keeps the weights small: what few pairs tell must not decide.
const ridge = 30

// regress fits a logistic regression by descent with momentum. R and N are one to it: no S. Of pairs that nothing would tie
// there is nothing to learn.
func regress(set []sample) (w weighting) {
	set = slices.DeleteFunc(slices.Clone(set), func(s sample) bool { return s.apartAnyway() })
	const steps, rate, momentum = 800, 0.1, 0.9
	n := float64(len(set))
	var mean, scale [features]float64
	for _, s := range set {
		for i, v := range s.of {
			mean[i] += v / n
		}
	}
	for _, s := range set {
		for i, v := range s.of {
			scale[i] += (v - mean[i]) * (v - mean[i]) / n
		}
	}
	for i := range scale {
		scale[i] = max(math.Sqrt(scale[i]), 0.05)
	}
	var of, speed [features]float64
	var bias, biasSpeed float64
	for range steps {
		var slope [features]float64
		var biasSlope float64
		for _, s := range set {
			z := bias
			for i, v := range s.of {
				z += of[i] * (v - mean[i]) / scale[i]
			}
			d := 1/(1+math.Exp(-z)) - yes(s.label == "S")
			biasSlope += d
			for i, v := range s.of {
				slope[i] += d * (v - mean[i]) / scale[i]
			}
		}
		for i := range of {
			speed[i] = momentum*speed[i] - rate*(slope[i]+ridge*of[i])/n
			of[i] += speed[i]
		}
		biasSpeed = momentum*biasSpeed - rate*biasSlope/n
		bias += biasSpeed
	}
	w.bias = bias
	for i := range of {
		w.of[i] = of[i] / scale[i]
		w.bias -= of[i] * mean[i] / scale[i]
	}
	return w
}

// frequentWords are the stems of English that are written in lower case, by the logarithm of how many of 1024 items have
// them: in spring 2020 and in 2024, so that they are none of one year's.
func frequentWords(stream []heard) map[int]string {
	type count struct{ items, lower int }
	years := map[int]map[string]count{2020: {}, 2024: {}}
	items := map[int]int{}
	for _, h := range stream {
		counts, ok := years[h.Date.Year()]
		if !ok || primary(h.Language) != english {
			continue
		}
		items[h.Date.Year()]++
		seen := map[string]bool{}
		for w := range strings.FieldsFuncSeq(head(h.Lead, printText), func(r rune) bool { return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z') }) {
			lower := strings.ToLower(w)
			stem := string(stemEnglish([]byte(lower)))
			if smallWords[lower] || len(stem) < 2 || seen[stem] {
				continue
			}
			seen[stem] = true
			c := counts[stem]
			c.items++
			c.lower += int(yes(w == lower))
			counts[stem] = c
		}
	}
	classes := map[int][]string{}
	for stem, a := range years[2020] {
		b := years[2024][stem]
		if a.items < 15 || b.items < 5 || a.lower+b.lower < (a.items+b.items)*3/4 {
			continue
		}
		share := min(float64(a.items)/float64(items[2020]), float64(b.items)/float64(items[2024]))
		if class := int(math.Round(math.Log2(share * 1024))); class >= 0 {
			classes[class] = append(classes[class], stem)
		}
	}
	lists := map[int]string{}
	for class, list := range classes {
		slices.Sort(list)
		lists[class] = strings.Join(list, " ")
	}
	return lists
}

// writeWeights writes weights.go. The marks are kept: how sure a tie must be is not learned.
func writeWeights(t *testing.T, common map[int]string, w *weighting) {
	var b strings.Builder
	b.WriteString("package store\n\n// Code generated by BROADSHEET_LEARN=1 go test ./store -run TestLearn; DO NOT EDIT, but for the marks.\n\n")
	fmt.Fprintf(&b, "var englishWeights = weighting{\n\ttied: %v, related: %v,\n\tbias: %.3f,\n\tof: [features]float64{\n", w.tied, w.related, w.bias)
	for i, v := range w.of {
		fmt.Fprintf(&b, "\t\t%s: %.3f,\n", featureNames[i], v)
	}
	b.WriteString("\t},\n}\n\n// commonWords are stems of English by the logarithm of how many of 1024 items have them.\nvar commonWords = map[int]string{\n")
	for class := range 10 {
		if common[class] == "" {
			continue
		}
		fmt.Fprintf(&b, "\t%d: ", class)
		line := ""
		for w := range strings.FieldsSeq(common[class]) {
			if len(line)+len(w) > 120 {
				fmt.Fprintf(&b, "%q +\n\t\t", line)
				line = ""
			}
			line += w + " "
		}
		fmt.Fprintf(&b, "%q,\n", strings.TrimSuffix(line, " "))
	}
	b.WriteString("}\n")
	source, err := format.Source([]byte(b.String()))
	if err == nil {
		err = os.WriteFile("weights.go", source, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
