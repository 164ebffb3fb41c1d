package storetest

import (
	"fmt"
	"testing"
	"time"

	"broadsheet/store"
)

func checkFind(t *testing.T, s *session) {
	one := arrival("tag:a.example,2025:1", "https://a.example/1", "one", start)
	plain := arrival("7", "https://a.example/7", "seven", start)
	s.save(t, poll("a", start, one, plain))
	copied := arrival("7", "https://a.example/1", "one, copied", start)
	s.save(t, poll("b", start.Add(time.Hour), copied))
	// One guid on two items of a document, a link on two others: no key and no link names them.
	s.save(t, poll("c", start.Add(2*time.Hour), arrival("x", "https://c.example/1", "first", start), arrival("x", "https://c.example/2", "second", start),
		arrival("y", "https://c.example/3", "third", start), arrival("z", "https://c.example/3", "fourth", start)))
	finds := func(name string, want ...string) {
		t.Helper()
		expect(t, fmt.Sprintf("find %q", name), titles(all(t, s.Find(t.Context(), name))), want)
	}
	check := func() {
		t.Helper()
		finds("tag:a.example,2025:1", "one")
		finds("https://a.example/1", "one", "one, copied")
		finds("7", "seven", "one, copied")
		finds("x", "second", "first")
		finds("https://c.example/3", "fourth", "third")
		for _, it := range s.items(t, store.Query{}) {
			if found := all(t, s.Find(t.Context(), it.PublishedID)); len(found) == 0 || found[0].ID != it.ID {
				t.Errorf("%s is not found by its id", it.PublishedID)
			}
		}
		for _, no := range []string{"", "o", "one", "https://a.example/", "https://a.example/10", "tag:a.example,2025:"} {
			finds(no)
		}
	}
	check()
	s.reopen(t)
	check()
	// An edit moves the link, and the item with it.
	one.Item.Link, one.Canonical, one.Item.Text = "https://a.example/new", "https://a.example/new", 1
	s.save(t, poll("a", start.Add(3*time.Hour), one, plain))
	finds("https://a.example/new", "one")
	finds("https://a.example/1", "one, copied")
	s.prune(t, start.Add(90*time.Minute), 10)
	finds("7")
}

func checkChanges(t *testing.T, s *session) {
	at, a := start, arrival("1", "https://a.example/1", "one", start)
	p := poll("a", at, a)
	next := func() []store.Change {
		t.Helper()
		at = at.Add(2 * time.Hour)
		p.At = at
		p.Arrivals = []store.Arrival{a}
		s.save(t, p)
		return all(t, s.Changes(t.Context(), 1))
	}
	s.save(t, p)
	expect(t, "changes of a new item", len(all(t, s.Changes(t.Context(), 1, 2))), 0)
	expect(t, "changes of one that stayed", len(next()), 0)

	first := a.Item
	a.Item.Title, a.Item.Text = "two", 2
	want := []store.Change{{Item: 1, At: at.Add(2 * time.Hour), Feed: feedOf("a"), Edited: []string{"title"},
		Title: "one", Link: first.Link, Text: first.Text}}
	expect(t, "another title", next(), want)
	a.Item.Text = 3
	want = append(want, store.Change{Item: 1, At: at.Add(2 * time.Hour), Feed: feedOf("a"), Edited: []string{"text"},
		Title: "two", Link: first.Link, Text: 2})
	expect(t, "another text", next(), want)
	a.Item.Link, a.Canonical, a.Item.Lead, a.Item.Rest, a.Item.Text = "https://a.example/2", "https://a.example/2", "lead", 4, 5
	want = append(want, store.Change{Item: 1, At: at.Add(2 * time.Hour), Feed: feedOf("a"), Edited: []string{"link", "text", "details"},
		Title: "two", Link: first.Link, Text: 3})
	expect(t, "another link, text and picture", next(), want)
	s.reopen(t)

	// A second feed carries it.
	other := p
	other.State.URL, other.At = "https://a.example/other", at.Add(time.Minute)
	other.Arrivals = []store.Arrival{arrival("https://a.example/#x", "https://a.example/2", "two", start)}
	s.save(t, other)
	carried := store.Change{Item: 1, At: at.Add(time.Minute), Feed: other.State.URL, Carried: true}
	expect(t, "a second feed", all(t, s.Changes(t.Context(), 1)), append(want, carried))

	// Only so many edits are kept, and always who carried it.
	for n := range store.MaxEdits + 5 {
		a.Item.Text = uint64(100 + n)
		next()
	}
	got := all(t, s.Changes(t.Context(), 1))
	expect(t, "number of changes", len(got), store.MaxEdits+1)
	expect(t, "the first", got[0], carried)
	expect(t, "text before the last edit", got[len(got)-1].Text, a.Item.Text-1)
	expect(t, "text before the oldest edit kept", got[1].Text, a.Item.Text-store.MaxEdits)
	s.prune(t, at, 1)
	expect(t, "changes of a pruned item", len(all(t, s.Changes(t.Context(), 1))), 0)
}
