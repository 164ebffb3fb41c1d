package storetest

import (
	"testing"
	"time"

	"broadsheet/store"
)

func outlets(from, to string) store.Rename {
	return store.Rename{From: store.FeedName{Outlet: from}, To: store.FeedName{Outlet: to}}
}

func feeds(outlet, from, to string) store.Rename {
	return store.Rename{From: store.FeedName{Outlet: outlet, URL: from}, To: store.FeedName{Outlet: outlet, URL: to}}
}

func (s *session) rename(t *testing.T, renames ...store.Rename) []store.Rename {
	t.Helper()
	done, err := s.Rename(t.Context(), renames...)
	if err != nil {
		t.Fatalf("Rename: %v", err)
	}
	return done
}

// state is the state of a feed; zero if there is none.
func (s *session) state(t *testing.T, outlet, url string) store.FeedState {
	t.Helper()
	for _, f := range all(t, s.Feeds(t.Context())) {
		if f.Name() == (store.FeedName{Outlet: outlet, URL: url}) {
			return f
		}
	}
	return store.FeedState{}
}

func checkRename(t *testing.T, s *session) {
	doc := []store.Arrival{
		arrival("https://a.example/?p=1", "https://a.example/1", "an IRI", start),
		arrival("2", "", "a guid", start),
		arrival("", "https://a.example/3", "a link", start),
		arrival("", "", "a text", start),
		arrival("5", "https://a.example/5", "doubled", start),
		arrival("5", "https://a.example/6", "doubled too", start),
	}
	p := poll("a", start, doc...)
	p.State.NextPoll, p.State.RetryAfter, p.State.HostHold = start.Add(time.Hour), start.Add(2*time.Hour), true
	p.State.Validators = store.Validators{For: "x", ETag: []byte("y")}
	p.State.Gone, p.State.Failures, p.State.Err = true, 3, "410 Gone"
	before := s.save(t, p, poll("b", start, arrival("https://b.example/1", "https://a.example/1", "of the same story", start)))[0].State
	s.prune(t, start.Add(time.Microsecond), 2) // what is pruned is remembered under the new name as well
	items, bodies := s.items(t, store.Query{}), all(t, s.Bodies(t.Context(), 3, 4, 5, 6))
	rev := s.revision(t)

	expect(t, "nobody is called so", len(s.rename(t, outlets("c", "d"), feeds("a", "no", "yes"), outlets("a", "a"))), 0)
	expect(t, "no rename at all", len(s.rename(t)), 0)
	expect(t, "revision", s.revision(t), rev)

	const moved = "https://a.example/moved"
	want := []store.Rename{outlets("a", "n"), feeds("n", feedOf("a"), moved)}
	expect(t, "done", s.rename(t, append([]store.Rename{outlets("c", "d")}, want...)...), want)
	expect(t, "done again", len(s.rename(t, want...)), 0)
	s.reopen(t)
	if now := s.revision(t); now <= rev {
		t.Errorf("revision %d after a rename, %d before", now, rev)
	}
	for _, it := range s.items(t, store.Query{Since: rev}) {
		expect(t, "outlet of what has changed", it.Outlet, "n")
	}
	after := s.items(t, store.Query{})
	for i, it := range items {
		if it.Outlet == "a" {
			it.Outlet, it.Feeds, it.Revision = "n", []string{moved}, after[i].Revision
		}
		expect(t, "item", after[i], it)
	}
	expect(t, "of the old outlet", len(s.items(t, store.Query{Outlets: []string{"a"}})), 0)
	expect(t, "bodies", all(t, s.Bodies(t.Context(), 3, 4, 5, 6)), bodies)
	f := s.state(t, "n", moved)
	if f.Keys != before.Name() || f.Gone || f.Failures != 0 || f.Err != "" || f.Items != 4 {
		t.Errorf("the state after the rename: %+v", f)
	}
	f.Outlet, f.URL, f.Keys, f.Gone, f.Failures, f.Err, f.Items = "a", feedOf("a"), before.Keys, true, 3, "410 Gone", 6
	expect(t, "what of the state stays", f, before)
	expect(t, "states", len(all(t, s.Feeds(t.Context()))), 2)

	// Nothing comes twice, in no way that an item is known by.
	p.At, p.State.Outlet, p.State.URL = start.Add(time.Hour), "n", moved
	if got := s.save(t, p)[0]; got.New != 0 || got.Changed != 0 {
		t.Errorf("the same document under new names: %+v", got)
	}
	other := poll("n", start.Add(2*time.Hour), doc[0], doc[2], doc[3])
	if got := s.save(t, other)[0]; got.New != 0 {
		t.Errorf("what counts within the outlet, in a new feed of it: %+v", got)
	}
	p.Arrivals = []store.Arrival{arrival("https://a.example/?p=new", "https://a.example/3", "a link", start)}
	if got := s.save(t, p)[0]; got.New != 0 {
		t.Errorf("another guid with a known link: %+v", got)
	}
	// Who takes up the old names is somebody else.
	p = poll("a", start.Add(3*time.Hour), doc...)
	if got := s.save(t, p)[0]; got.New != 6 {
		t.Errorf("another outlet with the old id: %+v", got)
	}
	p.State.Outlet = "n"
	p.Arrivals = doc[1:2]
	if got := s.save(t, p)[0]; got.New != 1 {
		t.Errorf("another feed at the old address, with the same guid: %+v", got)
	}
	// And back, and on.
	s.rename(t, outlets("n", "m"), outlets("m", "o"), outlets("o", "n"))
	p.State.URL, p.Arrivals = moved, doc
	if got := s.save(t, p)[0]; got.New != 0 {
		t.Errorf("after more renames: %+v", got)
	}
	s.rename(t, feeds("n", moved, moved+"2"), feeds("n", moved+"2", moved))
	if got := s.save(t, p)[0]; got.New != 0 {
		t.Errorf("after more addresses: %+v", got)
	}
}

// checkRenameInto gives names that the store has already.
func checkRenameInto(t *testing.T, s *session) {
	one := arrival("https://a.example/1", "https://a.example/1", "one", start)
	two := arrival("https://a.example/2", "https://a.example/2", "two", start)
	a2 := poll("a", start.Add(time.Hour), one, two)
	a2.State.URL += "2"
	s.save(t, poll("a", start, one), a2, poll("b", start.Add(2*time.Hour), arrival("7", "https://b.example/7", "seven", start)))
	s.rename(t, feeds("a", feedOf("a"), a2.State.URL))
	for _, it := range s.items(t, store.Query{Outlets: []string{"a"}}) {
		expect(t, "feeds of "+it.Title, it.Feeds, []string{a2.State.URL})
	}
	expect(t, "items of the one feed", s.state(t, "a", a2.State.URL).Items, 2)
	expect(t, "when it was polled", s.state(t, "a", a2.State.URL).LastPoll, start.Add(time.Hour))
	expect(t, "done", len(s.rename(t, outlets("b", "a"))), 1)
	s.reopen(t)
	expect(t, "items of the one outlet", len(s.items(t, store.Query{Outlets: []string{"a"}})), 3)
	a2.At = start.Add(3 * time.Hour)
	b := poll("a", start.Add(4*time.Hour), arrival("7", "https://b.example/7", "seven", start), two)
	b.State.URL = feedOf("b")
	for i, got := range s.save(t, a2, b) {
		expect(t, "new ones", got.New, 0)
		if i == 1 {
			expect(t, "items, with one that the other feed has too", got.State.Items, 2)
		}
	}
}
