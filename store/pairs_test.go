package store

import (
	"os"
	"strings"
	"testing"
)

// A labelled pair is two recorded items by their links, and what somebody found who read title and text of both:
//
//	S  both report the same single event or announcement: a reader of one feels that the other adds no separate news
//	R  the same affair, but another step of it, a reaction, an explainer, a preview, a digest
//	N  different
type labelled struct {
	label string
	links [2]string
}

// labels reads testdata/pairs.tsv: label, day and link of the one, day and link of the other.
func labels(t *testing.T) (pairs []labelled) {
	t.Helper()
	data, err := os.ReadFile("testdata/pairs.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 5 || !strings.Contains("SRN", f[0]) {
			t.Fatalf("testdata/pairs.tsv: %q", line)
		}
		pairs = append(pairs, labelled{f[0], [2]string{f[2], f[4]}})
	}
	return pairs
}

// A sample is a labelled pair as it looked when the later of the two came.
type sample struct {
	labelled
	pair
	day   int32 // of the later
	score float64
	found bool // by the words that they share
	words string
}

// samples plays the stream and measures the labelled pairs in it.
func samples(t *testing.T, stream []heard) (out []sample) {
	t.Helper()
	partners := map[string][]labelled{} // by either link
	for _, l := range labels(t) {
		partners[l.links[0]] = append(partners[l.links[0]], l)
		partners[l.links[1]] = append(partners[l.links[1]], l)
	}
	came := map[string]*heard{}
	x := NewIndex()
	for i := range stream {
		h := &stream[i]
		p := newPrint(&h.Item, &Poll{Owner: h.outlet})
		weights := x.weigh(&p, p.day(), nil)
		p.markRare(weights)
		near := map[ItemID]bool{}
		for _, n := range x.candidates(&p, weights) {
			near[x.at(n.entry).item] = true
		}
		if came[h.Link] == nil {
			came[h.Link] = h
			for _, pair := range partners[h.Link] {
				other := came[pair.links[0]]
				if pair.links[0] == h.Link {
					other = came[pair.links[1]]
				}
				if other == nil || other == h {
					continue
				}
				q := newPrint(&other.Item, &Poll{Owner: other.outlet})
				day := max(p.day(), q.day())
				s := sample{labelled: pair, day: p.day(), found: near[q.Item], words: other.Title + " | " + h.Title}
				s.pair = compare(&p, &q, x.weigh(&p, day, nil), x.weigh(&q, day, nil))
				s.score = englishWeights.score(&s.pair)
				out = append(out, s)
			}
		}
		x.Add(p)
	}
	return out
}
