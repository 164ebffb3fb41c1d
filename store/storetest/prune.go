package storetest

import (
	"fmt"
	"testing"
	"time"

	"broadsheet/store"
)

const aDay = 24 * time.Hour

// prune deletes and says how many.
func (s *session) prune(t *testing.T, before time.Time, n int) int {
	t.Helper()
	gone, err := s.Prune(t.Context(), before, n)
	if err != nil {
		t.Fatalf("Prune: %v", err)
	}
	return gone
}

func checkPrune(t *testing.T, s *session) {
	two := poll("a", start.Add(aDay), arrival("https://a.example/#1", "", "one", time.Time{}), arrival("3", "", "three", time.Time{}))
	two.State.URL += "2"
	s.save(t, poll("a", start, arrival("https://a.example/#1", "", "one", time.Time{}), arrival("2", "", "two", time.Time{})), two)
	rev := s.revision(t)
	expect(t, "nothing is that old", s.prune(t, start, 100), 0)
	expect(t, "revision", s.revision(t), rev)
	expect(t, "pruned", s.prune(t, start.Add(time.Microsecond), 100), 2)
	if now := s.revision(t); now <= rev {
		t.Errorf("revision %d after items went, %d before", now, rev)
	}
	for range 2 {
		expect(t, "what is left", titles(s.items(t, store.Query{})), []string{"three"})
		expect(t, "by arrival", titles(s.items(t, store.Query{ByArrival: true})), []string{"three"})
		expect(t, "by number", titles(s.items(t, store.Query{IDs: []store.ItemID{1, 2, 3}})), []string{"three"})
		expect(t, "bodies", len(all(t, s.Bodies(t.Context(), 1, 2, 3))), 1)
		expect(t, "stories", len(all(t, s.Stories(t.Context(), 1, 2, 3))), 1)
		var counts []int
		for _, f := range all(t, s.Feeds(t.Context())) {
			counts = append(counts, f.Items)
		}
		expect(t, "items of the feeds", counts, []int{0, 1})
		s.reopen(t)
	}
	s.save(t, poll("b", start.Add(2*aDay), arrival("4", "", "four", time.Time{})))
	expect(t, "number of the next item", s.items(t, store.Query{Outlets: []string{"b"}})[0].ID, 4)
}

func checkPruneOrder(t *testing.T, s *session) {
	// The clock stood wrong when the first items came: they are not old, and must not protect what came later.
	s.save(t, poll("a", start.Add(1000*aDay), arrival("x", "", "from the future", time.Time{})))
	for i := range 500 {
		if i%50 == 0 {
			var arrivals []store.Arrival
			for j := range 50 {
				arrivals = append(arrivals, arrival(fmt.Sprint(i+49-j), "", fmt.Sprint(i+49-j), start.Add(-time.Duration(i)*time.Hour)))
			}
			s.save(t, poll("b", start.Add(time.Duration(i)*time.Minute), arrivals...))
		}
	}
	expect(t, "pruned", s.prune(t, start.Add(aDay), 7), 7)
	left := s.items(t, store.Query{ByArrival: true, Outlets: []string{"b"}})
	expect(t, "the oldest that is left", left[len(left)-1].Title, "7")
	expect(t, "pruned", s.prune(t, start.Add(400*time.Minute), 1000), 393)
	expect(t, "pruned", s.prune(t, start.Add(aDay), 1000), 100)
	expect(t, "pruned", s.prune(t, start.Add(aDay), 1000), 0)
	expect(t, "pruned", s.prune(t, start.Add(2000*aDay), 0), 0)
	expect(t, "what is left", titles(s.items(t, store.Query{})), []string{"from the future"})
}

// checkPruneInLoop deletes what a reader has just passed; what it has not reached yet must still come.
func checkPruneInLoop(t *testing.T, s *session) {
	var early, late []store.Arrival
	for i := range 300 {
		early = append(early, arrival(fmt.Sprint("early", i), "", "early", start.Add(-time.Duration(i)*time.Second)))
		late = append(late, arrival(fmt.Sprint("late", i), "", "late", start.Add(-aDay-time.Duration(i)*time.Second)))
	}
	s.save(t, poll("a", start, early...), poll("b", start.Add(aDay), late...))
	n := 0
	for it, err := range s.Items(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if it.Title == "late" {
			n++
		} else {
			s.prune(t, start.Add(time.Hour), 1000)
		}
	}
	expect(t, "items that were not pruned", n, 300)
}

func checkTombstones(t *testing.T, s *session) {
	doc := []store.Arrival{
		arrival("https://a.example/?p=1", "https://a.example/1", "one", start),
		arrival("2", "", "a guid", start),
		arrival("", "https://a.example/3", "a link", start),
		arrival("", "", "a text", start),
		arrival("5", "https://a.example/5", "doubled", start),
		arrival("5", "https://a.example/6", "doubled too", start),
	}
	p := poll("a", start, doc...)
	s.save(t, p)
	ids := map[string]bool{}
	for _, it := range s.items(t, store.Query{}) {
		ids[it.PublishedID] = true
	}
	expect(t, "pruned", s.prune(t, start.Add(aDay), 1000), 6)
	// The document still lists them, for years: each poll keeps them in mind.
	for at := start.Add(2 * aDay); at.Before(start.Add(1500 * aDay)); at = at.Add(100 * aDay) {
		p.At = at
		if got := s.save(t, p)[0]; got.New != 0 || got.Changed != 0 {
			t.Fatalf("after %v: %+v", at.Sub(start), got)
		}
		for range 3 {
			s.prune(t, at.Add(-90*aDay), 1000)
		}
		s.reopen(t)
	}
	// The outlet drops them and lists them again, not quite as long after as the store must remember them.
	last := p.At
	s.save(t, poll("a", last.Add(store.TombstoneAge-2*aDay), arrival("new", "https://a.example/new", "new", time.Time{})))
	for range 3 {
		s.prune(t, last, 1000)
	}
	p.At = last.Add(store.TombstoneAge - aDay)
	expect(t, "new ones among those listed again", s.save(t, p)[0].New, 0)
	// A changed guid is known by its link as well.
	p.Arrivals = []store.Arrival{arrival("changed", "https://a.example/1", "one", start)}
	expect(t, "new ones with a changed guid", s.save(t, p)[0].New, 0)
	// Another outlet does not get an id that was published once.
	s.save(t, poll("b", p.At, arrival("https://a.example/?p=1", "https://a.example/1", "b", time.Time{})))
	for _, it := range s.items(t, store.Query{Outlets: []string{"b"}}) {
		if ids[it.PublishedID] {
			t.Errorf("%s is published again", it.PublishedID)
		}
		expect(t, "story, since the other item is gone", it.Story, store.StoryID(it.ID))
	}
}

// checkKeptNames: what names a stored item is remembered as long as the item is, although no outlet lists it any more.
func checkKeptNames(t *testing.T, s *session) {
	one := poll("a", start, arrival("1", "", "a guid", start), arrival("", "https://a.example/2", "a link", start), arrival("https://a.example/?p=3", "", "an id", start))
	s.save(t, one)
	at := start.Add(2 * store.TombstoneAge)
	for i := range 3 { // sweeps, one after the other
		at = at.Add(30 * aDay)
		s.save(t, poll("b", at, arrival(fmt.Sprint(i), "", fmt.Sprint(i), time.Time{})))
		s.prune(t, start, 1000)
	}
	one.At = at
	if got := s.save(t, one)[0]; got.New != 0 || got.Changed != 0 {
		t.Errorf("stored items, listed again after %v: %+v", at.Sub(start), got)
	}
}

func checkPruneStories(t *testing.T, s *session) {
	link := "https://a.example/1"
	for i, o := range []string{"a", "b", "c"} {
		s.save(t, poll(o, start.Add(time.Duration(i)*aDay), arrival("https://"+o+".example/?p=1", link, o, time.Time{})))
	}
	story := func() []store.Story { return all(t, s.Stories(t.Context(), 1, 2, 3, 4)) }
	const id = "https://a.example/?p=1"
	expect(t, "all", story(), []store.Story{{ID: 1, PublishedID: id, Items: []store.ItemID{1, 2, 3}, Ties: byLink(link, 1, 2, 3)}})
	s.prune(t, start.Add(time.Hour), 10)
	expect(t, "without the first", story(), []store.Story{{ID: 1, PublishedID: id, Items: []store.ItemID{2, 3}, Ties: byLink(link, 1, 2, 3)}})
	s.save(t, poll("d", start.Add(3*aDay), arrival("https://d.example/?p=1", link, "d", time.Time{})))
	s.prune(t, start.Add(3*aDay), 10)
	s.reopen(t)
	expect(t, "with the last only", story(), []store.Story{{ID: 1, PublishedID: id, Items: []store.ItemID{4}, Ties: byLink(link, 2, 4)}})
	s.prune(t, start.Add(4*aDay), 10)
	expect(t, "without any", story(), nil)
}
