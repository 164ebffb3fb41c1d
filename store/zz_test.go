package store

import (
	"encoding/json"
	"os"
	"testing"
	"time"
)

func TestZZ(t *testing.T) {
	if os.Getenv("ZZ") == "" {
		t.Skip()
	}
	stream := recorded(t)
	known := map[[2]string]bool{}
	for _, l := range labels(t) {
		known[l.links] = true
		known[[2]string{l.links[1], l.links[0]}] = true
	}
	f, _ := os.Create(os.Getenv("ZZ"))
	enc := json.NewEncoder(f)
	x := NewIndex()
	var worst, sum time.Duration
	n, c := 0, 0
	for i := range stream {
		h := &stream[i]
		p := newPrint(&h.Item, &Poll{Owner: h.outlet})
		t0 := time.Now()
		l := x.lens(p.day())
		w := l.weigh(&p, nil)
		l.markRare(&p, w)
		cand := x.candidates(&p, w, reportWindow)
		for _, at := range cand {
			e := x.at(at)
			j := x.judge(&p, e, w)
			n++
			o := stream[e.Item-1]
			if !known[[2]string{o.Link, h.Link}] {
				enc.Encode(map[string]any{"A": e.Item, "B": p.Item, "Score": j.score, "above": j.above, "ua": o.Link, "ub": h.Link, "da": o.Date.Format("2006-01-02"), "db": h.Date.Format("2006-01-02")})
			}
		}
		d := time.Since(t0)
		sum += d
		worst = max(worst, d)
		if d > 100*time.Microsecond {
			c++
		}
		x.Add(p)
	}
	t.Log(n, "candidates", sum/time.Duration(len(stream)), worst, c)
}
