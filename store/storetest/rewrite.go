package storetest

import (
	"testing"
	"time"

	"broadsheet/store"
)

func checkRewrite(t *testing.T, s *session) {
	s.save(t, poll("a", start, arrival("3", "", "three", start), arrival("2", "", "two", start), arrival("1", "", "one", start)))
	before, at := s.items(t, store.Query{ByArrival: true}), start.Add(time.Hour)
	bodies := all(t, s.Bodies(t.Context(), 1, 2, 3))
	rewrite := func(want int, rewrites ...store.Rewrite) {
		t.Helper()
		n, err := s.Rewrite(t.Context(), at, rewrites...)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "rewritten", n, want)
	}
	other := func(b store.Body) store.Rewrite {
		r := store.Rewrite{Old: b, New: b}
		r.New.Content, r.New.Feed.Subtitle = "other", "another"
		return r
	}
	edited, gone := other(bodies[1]), other(bodies[0])
	edited.Old.Content, gone.Old.Item, gone.New.Item = "as it once was", 99, 99
	rewrite(0)
	rewrite(0, edited, gone)
	expect(t, "revision", s.revision(t), 1)
	rewrite(1, edited, other(bodies[2]), gone)
	check := func() {
		t.Helper()
		expect(t, "revision", s.revision(t), 2)
		want := before[0]
		want.Changed, want.Revision = at, 2
		expect(t, "items", s.items(t, store.Query{ByArrival: true}), []store.Item{want, before[1], before[2]})
		expect(t, "since", s.items(t, store.Query{Since: 1}), []store.Item{want})
		expect(t, "bodies", all(t, s.Bodies(t.Context(), 1, 2, 3)), []store.Body{bodies[0], bodies[1], other(bodies[2]).New})
	}
	check()
	s.reopen(t)
	check()
	rewrite(0, other(bodies[2])) // which is done
	check()
}
