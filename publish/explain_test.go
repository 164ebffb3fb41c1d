package publish

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
)

// What explain says of each item is what its section shows, and what preview says of two configurations leads from the one
// to the other, each step with a reason.
func TestReasons(t *testing.T) {
	outlets := []Outlet{outlet("a"), outlet("b", priority(2)), outlet("c", priority(1))}
	sections := []Section{
		{},
		{Limit: 5},
		{MaxAge: 5 * 24 * time.Hour},
		{Stories: "keep"},
		{Stories: "keep", Limit: 6},
		{Stories: "link"},
		{MinOutlets: 2},
		{MinOutlets: 3, Stories: "link", From: []string{"b", "c"}},
		{MinOutlets: 2, Stories: "keep", Limit: 4},
		{MaxPerOutlet: 2, Limit: 5},
		{Include: []string{"odd"}, Exclude: []string{"odd 1"}},
		{Where: "coverage > 1"},
		{Where: `text contains "odd"`, From: []string{"a", "c"}},
		{Languages: []string{"en"}, LanguagesUnknown: "drop"},
	}
	for seed := range uint64(2) {
		w := newWorld(t)
		r := rand.New(rand.NewPCG(seed, 2))
		now := start
		for range 18 {
			now = now.Add(time.Duration(r.IntN(6*60)) * time.Minute)
			id := []string{"a", "b", "c", "gone"}[r.IntN(4)]
			w.poll(now, id, feedOf(id), randomItems(r, now)...)
		}
		if _, err := w.st.Prune(t.Context(), start.Add(12*time.Hour), 10); err != nil {
			t.Fatal(err)
		}
		items, err := collect(w.st.Items(t.Context(), store.Query{}))
		if err != nil {
			t.Fatal(err)
		}
		var withdrawn []Withdrawal
		if seed%2 == 1 {
			for range 3 {
				withdrawn = append(withdrawn, Withdrawal{Entry: items[r.IntN(len(items))].PublishedID})
			}
		}
		var publishers []*Publisher
		for i, s := range sections {
			s.Slug = "s"
			pub := publication(outlets, s)
			if i%3 > 0 {
				pub.Withdraw = withdrawn
			}
			publishers = append(publishers, w.publisher(pub))
		}
		for i, p := range publishers {
			explained(t, p, items)
			for _, old := range publishers[i/2:] {
				previewed(t, p, old)
			}
			if t.Failed() {
				t.Fatalf("seed %d, section %+v", seed, sections[i])
			}
		}
	}
}

// explained compares what explain says of items with what the only section of p shows.
func explained(t *testing.T, p *Publisher, items []store.Item) {
	t.Helper()
	l, _, err := p.Listing(t.Context(), "s")
	if err != nil {
		t.Fatal(err)
	}
	stands := map[store.ItemID]bool{}
	for i := range items {
		it := &items[i]
		all, err := p.Explain(t.Context(), *it)
		if err != nil {
			t.Fatal(err)
		}
		v := all[0]
		at := slices.IndexFunc(l.Items, func(s Shown) bool { return s.ID == v.ID })
		standing := at >= 0 && l.Items[at].Item == it.ID
		if !v.Shown && slices.ContainsFunc(l.Items, func(s Shown) bool { return s.Item == it.ID }) {
			t.Errorf("%s is shown: %v", it.Title, v)
		}
		if v.Shown && at < 0 {
			t.Errorf("%s is not shown: %v", it.Title, v)
		}
		last := v.Rules[len(v.Rules)-1]
		if v.Shown && (last != Rule{Key: "limit", Text: fmt.Sprintf("place %d of %d", at+1, len(l.Items))}) || v.Shown && standing == strings.Contains(fmt.Sprint(v.Rules), "stands for the story,") {
			t.Errorf("%s: %v, in %+v", it.Title, v, l)
		}
		s, bad := p.desks[0].section, false
		switch last.Key {
		case "min_outlets":
			var had, want int
			fmt.Sscanf(strings.NewReplacer("outlets", "outlet").Replace(last.Text), "carried by %d outlet, and %d are wanted", &had, &want)
			bad = had >= want || want != s.MinOutlets
		case "limit":
			bad = !v.Shown && len(l.Items) != s.Limit
		case "max_age":
			bad = s.MaxAge == 0
		case "max_per_outlet":
			bad = s.MaxPerOutlet == 0
		}
		if !v.Shown && bad {
			t.Errorf("%s: %v", it.Title, v)
		}
		stands[it.ID] = standing
	}
	for _, s := range l.Items {
		if !stands[s.Item] {
			t.Errorf("%+v is shown, and explain does not say so", s)
		}
	}
}

// previewed follows a preview of p's section against old's.
func previewed(t *testing.T, p, old *Publisher) {
	t.Helper()
	before, _, err := old.Listing(t.Context(), "s")
	if err != nil {
		t.Fatal(err)
	}
	after, _, err := p.Listing(t.Context(), "s")
	if err != nil {
		t.Fatal(err)
	}
	preview, err := p.Preview(t.Context(), "s", before, old)
	if err != nil {
		t.Fatal(err)
	}
	var was, is []string
	for _, l := range preview.Lines {
		if l.Mark != "+" {
			was = append(was, l.ID)
		}
		if l.Mark != "-" {
			is = append(is, l.ID)
		}
		why := ""
		if len(l.Why) > 0 {
			why = l.Why[len(l.Why)-1]
		}
		switch l.Mark {
		case "+":
			if !strings.HasPrefix(why, "until now ") || strings.HasPrefix(why, "until now limit: place ") {
				t.Errorf("%+v", l)
			}
		case "-":
			if len(l.Why) != 1 || strings.HasPrefix(why, "limit: place ") {
				t.Errorf("%+v", l)
			}
		}
	}
	ids := func(l Listing) (out []string) {
		for _, s := range l.Items {
			out = append(out, s.ID)
		}
		return out
	}
	slices.Sort(was)
	listed := ids(before)
	slices.Sort(listed)
	if !slices.Equal(was, listed) || !slices.Equal(is, ids(after)) {
		t.Errorf("%+v leads from\n%+v to\n%+v", preview, before, after)
	}
}
