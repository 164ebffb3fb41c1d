package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"broadsheet/store"
)

func checkWriteInLoop(t *testing.T, s *session) {
	var arrivals []store.Arrival
	for i := range 600 {
		arrivals = append(arrivals, arrival(fmt.Sprint(i), "", fmt.Sprint(i), time.Time{}))
	}
	s.save(t, poll("a", start, arrivals...))
	for _, q := range []store.Query{{}, {ByArrival: true}, {Since: 1}} {
		s.save(t, poll("z", start, arrival("edit", "", fmt.Sprint(q), time.Time{})))
		seen, n := map[store.ItemID]bool{}, 0
		for it, err := range s.Items(t.Context(), q) {
			if err != nil {
				t.Fatal(err)
			}
			if seen[it.ID] {
				t.Fatalf("%+v: item %d came twice", q, it.ID)
			}
			seen[it.ID] = true
			if n++; n%50 == 1 { // an edit of this item and of others, and new ones of every date
				at := start.Add(time.Duration(n) * time.Hour)
				s.save(t, poll(it.Outlet, at, arrival(it.GUID, "", fmt.Sprint(q, n, "this"), time.Time{})),
					poll("a", at, arrival("599", "", fmt.Sprint(q, n), time.Time{}), arrival("3", "", fmt.Sprint(q, n), time.Time{})),
					poll("b", at, arrival(fmt.Sprint(q, n), "", "new", start), arrival(fmt.Sprint(q, n, "!"), "", "newer", at)))
			}
		}
		if q.Since == 0 && n < 600 {
			t.Errorf("%+v: %d items of 600", q, n)
		}
	}
	for range s.Items(t.Context(), store.Query{}) {
		break // an iterator that is left early holds nothing up
	}
	s.save(t, poll("a", start, arrivals...))
}

func checkMany(t *testing.T, s *session) {
	const n = 3000
	var arrivals []store.Arrival
	for i := range n {
		arrivals = append(arrivals, arrival(fmt.Sprint(i), "", fmt.Sprint(i), start.Add(-time.Duration(i)*time.Minute)))
	}
	rare := poll("rare", start, arrival("x", "", "rare", start.Add(-n/2*time.Minute)))
	if got := s.save(t, poll("a", start, arrivals...), rare)[0].New; got != n {
		t.Fatalf("%d of %d items are new", got, n)
	}
	items := s.items(t, store.Query{Outlets: []string{"a"}})
	for i, it := range items {
		if it.Title != fmt.Sprint(i) || it.ID != store.ItemID(n-i) {
			t.Fatalf("item %d of the list is %s with number %d", i, it.Title, it.ID)
		}
	}
	list := ids(items)
	bodies := all(t, s.Bodies(t.Context(), list...))
	stories := make([]store.StoryID, 0, n)
	for _, id := range list {
		stories = append(stories, store.StoryID(id))
	}
	expect(t, "numbers of items, bodies and stories", []int{len(items), len(bodies), len(all(t, s.Stories(t.Context(), stories...)))}, []int{n, n, n})
	expect(t, "by number", len(s.items(t, store.Query{IDs: list})), n)
	expect(t, "of a rare outlet", titles(s.items(t, store.Query{Outlets: []string{"rare"}})), []string{"rare"})
	if got := s.save(t, poll("a", start, arrivals...))[0]; got.New != 0 || got.Changed != 0 {
		t.Errorf("the same again: %+v", got)
	}
}

// checkConcurrent lets writers and readers run at once; under the race detector it finds more.
func checkConcurrent(t *testing.T, s *session) {
	const writers, polls = 4, 12
	var wg, readers sync.WaitGroup
	done := make(chan struct{})
	for w := range writers {
		wg.Go(func() {
			outlet := fmt.Sprint("o", w)
			for i := range polls {
				at := start.Add(time.Duration(i) * time.Minute)
				p := poll(outlet, at, arrival(fmt.Sprint("own", i), fmt.Sprintf("https://shared.example/%d", i), outlet, time.Time{}),
					arrival("same", "", fmt.Sprint(outlet, i), time.Time{}))
				p.State.Validators.ETag = fmt.Append(nil, i)
				if _, err := s.SavePolls(t.Context(), p); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			var last store.Revision
			for {
				select {
				case <-done:
					return
				default:
				}
				rev, err := s.Revision(t.Context())
				if err != nil || rev < last {
					t.Errorf("revision %d after %d: %v", rev, last, err)
				}
				last = rev
				seen := map[store.ItemID]bool{}
				for it, err := range s.Items(t.Context(), store.Query{}) {
					if err != nil || seen[it.ID] {
						t.Errorf("item %d, again %t: %v", it.ID, seen[it.ID], err)
						return
					}
					seen[it.ID] = true
					for _, err := range s.Bodies(t.Context(), it.ID) {
						if err != nil {
							t.Error(err)
						}
					}
				}
				for f, err := range s.Feeds(t.Context()) {
					if err != nil || f.Items == 0 {
						t.Errorf("%+v: %v", f, err)
					}
				}
			}
		})
	}
	wg.Wait()
	close(done)
	readers.Wait()
	expect(t, "items", len(s.items(t, store.Query{})), writers*(polls+1))
	for _, st := range all(t, s.Stories(t.Context(), func() (l []store.StoryID) {
		for _, it := range s.items(t, store.Query{}) {
			if it.Link != "" {
				l = append(l, it.Story)
			}
		}
		return l
	}()...)) {
		if len(st.Items) != writers {
			t.Errorf("story %d has items %v", st.ID, st.Items)
		}
	}
}
