package storetest

import (
	"testing"
	"time"

	"broadsheet/store"
)

// pushed is what a hub sent of the outlet's feed.
func pushed(outlet string, at time.Time, push store.Push, arrivals ...store.Arrival) store.Poll {
	return store.Poll{At: at, Pushed: true, State: store.FeedState{Outlet: outlet, URL: feedOf(outlet), Push: push, Err: "of no account"}, Arrivals: arrivals}
}

func checkPushed(t *testing.T, s *session) {
	one, two, three := arrival("1", "", "one", start), arrival("2", "", "two", start), arrival("3", "", "three", start)
	p := poll("a", start, two, one)
	p.State.Validators = store.Validators{For: "x", ETag: []byte("y")}
	p.State.NextPoll, p.State.Document, p.State.Heads, p.State.Title = start.Add(time.Hour), store.Key{7}, []uint64{1, 2}, "A"
	want := s.save(t, p)[0].State

	lease := store.Push{Hub: "https://hub.example/", Until: start.Add(240 * time.Hour)}
	if saved := s.save(t, pushed("a", start.Add(time.Minute), lease))[0]; saved.New+saved.Changed != 0 {
		t.Errorf("a lease brought items: %+v", saved)
	}
	want.Push, want.Saves = lease, 2
	expect(t, "state with a lease", s.state(t, "a", feedOf("a")), want)

	// A part of the document: what it lacks is still there, and all but the new item is as it was.
	at, last := start.Add(2*time.Minute), lease
	last.Last = at
	saved := s.save(t, pushed("a", at, last, three))[0]
	if saved.New != 1 || saved.Changed != 0 {
		t.Errorf("a push brought %+v", saved)
	}
	expect(t, "visits", saved.State.History.Visits, want.History.Visits)
	want.Push, want.Items, want.LastNewItem, want.History, want.Saves = last, 3, at, saved.State.History, 3
	expect(t, "state after a push", s.state(t, "a", feedOf("a")), want)
	want.Saves = 4
	expect(t, "a push again", s.save(t, pushed("a", at.Add(time.Second), last, three))[0], store.Saved{State: want})
	expect(t, "items", titles(s.items(t, store.Query{ByArrival: true})), []string{"three", "two", "one"})

	// A poll knows nothing of the push, and takes nothing of it away.
	p = poll("a", start.Add(time.Hour), three, two, one)
	saved = s.save(t, p)[0]
	expect(t, "push after a poll", saved.State.Push, last)
	expect(t, "new items of the poll", saved.New, 0)
	p = poll("a", start.Add(2*time.Hour), arrival("4", "", "four", start), three, two, one)
	last.Missed = true
	expect(t, "push after a poll that found more", s.save(t, p)[0].State.Push, last)
	last.Missed = false
	expect(t, "push again with the same", s.save(t, pushed("a", start.Add(3*time.Hour), last, three))[0].State.Push.Missed, true)
	expect(t, "push with more", s.save(t, pushed("a", start.Add(3*time.Hour), last, arrival("5", "", "five", start)))[0].State.Push, last)
	s.save(t, pushed("a", start.Add(4*time.Hour), store.Push{}))
	expect(t, "push at its end", s.state(t, "a", feedOf("a")).Push, store.Push{})

	// A visit without a document that began before a push takes nothing away either.
	began := s.save(t, poll("b", start, one))[0].State
	noted := s.save(t, pushed("b", start.Add(time.Minute), lease, two))[0].State
	began.LastPoll, began.Status = start.Add(time.Hour), 304
	got := s.save(t, store.Poll{At: start.Add(time.Hour), State: began})[0].State
	want, want.LastPoll, want.Status = noted, began.LastPoll, began.Status
	want.Saves, want.History = 3, got.History
	expect(t, "state after a visit that knew nothing of a push", got, want)
	expect(t, "stored state", s.state(t, "b", feedOf("b")), want)
}
