package storetest

import (
	"testing"
	"time"

	"broadsheet/store"
)

// checkRecalled: items that were only recalled are listed, and changed in nothing; where the store needs more of one, it gets the
// whole document.
func checkRecalled(t *testing.T, s *session) {
	one := arrival("1", "https://a.example/1", "One", start.Add(-time.Hour))
	two := arrival("2", "https://a.example/2", "Two", start.Add(-time.Hour))
	three := arrival("3", "https://a.example/3", "Three", start.Add(-time.Hour))
	recall := func(a store.Arrival) store.Arrival {
		return store.Arrival{Item: store.Item{GUID: a.Item.GUID, Title: a.Item.Title, Link: a.Item.Link, Text: a.Item.Text, Rest: a.Item.Rest},
			Body: store.Body{Published: a.Body.Published}, Canonical: a.Canonical, Recalled: true}
	}
	asked := 0
	recalled := func(at time.Time, whole []store.Arrival, arrivals ...store.Arrival) store.Saved {
		t.Helper()
		p := poll("a", at, arrivals...)
		p.Whole = func() []store.Arrival {
			asked++
			return whole
		}
		return s.save(t, p)[0]
	}
	p := poll("a", start, one)
	p.Recollection = []byte("of one")
	s.save(t, p)
	before := s.items(t, store.Query{})

	saved := recalled(start.Add(time.Hour), nil, recall(one))
	if saved.New+saved.Changed > 0 || asked > 0 {
		t.Errorf("nothing new: %d new, %d changed, asked %d times for the whole document", saved.New, saved.Changed, asked)
	}
	expect(t, "an item that was recalled", s.items(t, store.Query{}), before)

	saved = recalled(start.Add(2*time.Hour), nil, two, recall(one))
	if saved.New != 1 || saved.Changed > 0 || asked > 0 {
		t.Errorf("a new item: %d new, %d changed, asked %d times for the whole document", saved.New, saved.Changed, asked)
	}

	// The store does not have what was recalled.
	saved = recalled(start.Add(3*time.Hour), []store.Arrival{three, two, one}, recall(three), recall(two), recall(one))
	if saved.New != 1 || asked != 1 {
		t.Errorf("an unknown item: %d new, asked %d times for the whole document", saved.New, asked)
	}
	edited := arrival("1", "https://a.example/1", "One, edited", start.Add(-time.Hour))
	saved = recalled(start.Add(4*time.Hour), []store.Arrival{three, two, edited}, recall(three), recall(two), recall(edited))
	if saved.New != 0 || saved.Changed != 1 || asked != 2 {
		t.Errorf("another version: %d new, %d changed, asked %d times for the whole document", saved.New, saved.Changed, asked)
	}
	expect(t, "stored", titles(s.items(t, store.Query{ByArrival: true})), []string{"Three", "Two", "One, edited"})
	for b, err := range s.Bodies(t.Context(), 1, 2, 3) {
		if err != nil || b.Content == "" {
			t.Errorf("item %d has no text (%v)", b.Item, err)
		}
	}

	remembered := func(name store.FeedName) string {
		t.Helper()
		b, err := s.Recollection(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	name := p.State.Name()
	expect(t, "what was remembered and left by four polls", remembered(name), "of one")
	p = poll("a", start.Add(5*time.Hour), three, two, edited)
	p.Recollection = []byte("of three")
	s.save(t, p)
	expect(t, "what was remembered last", remembered(name), "of three")
	expect(t, "what was remembered of nobody", remembered(store.FeedName{Outlet: name.Outlet, URL: "https://nobody.example/"}), "")
	to := store.FeedName{Outlet: name.Outlet, URL: "https://moved.example/"}
	if done, err := s.Rename(t.Context(), store.Rename{From: name, To: to}); err != nil || len(done) != 1 {
		t.Fatal(done, err)
	}
	expect(t, "what is remembered after a rename", remembered(name)+remembered(to), "")
}
