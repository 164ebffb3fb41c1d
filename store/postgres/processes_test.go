package postgres

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"broadsheet/store"
	"broadsheet/store/postgres/pgtest"
)

var start = time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)

// poll is a poll of an outlet's feed with one item.
func poll(outlet string, n int, link string) store.Poll {
	at := start.Add(time.Duration(n) * time.Minute)
	return store.Poll{At: at, State: store.FeedState{Outlet: outlet, URL: "https://" + outlet + ".example/feed", LastPoll: at, LastSuccess: at},
		Arrivals: []store.Arrival{{Item: store.Item{GUID: fmt.Sprint(n), Link: link, Title: fmt.Sprint(outlet, n), Text: uint64(n) + 1}, Body: store.Body{Content: fmt.Sprint(n)}, Canonical: link}}}
}

func save(t *testing.T, s *Store, polls ...store.Poll) []store.Saved {
	t.Helper()
	saved, err := s.SavePolls(t.Context(), polls...)
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

func count(t *testing.T, s *Store) (n int) {
	t.Helper()
	for _, err := range s.Items(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// Of many processes that come to an empty database at once, one makes the store and all find it.
func TestOpenAtOnce(t *testing.T) {
	address := pgtest.New(t).Database(t)
	var wg sync.WaitGroup
	ids := make([]string, 8)
	for i := range ids {
		wg.Go(func() {
			s, err := Open(t.Context(), address, Options{})
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = s.ID()
			s.Close()
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Fatalf("ids %q", ids)
		}
	}
	s := openAt(t, address)
	if _, err := s.pool.Exec(t.Context(), "UPDATE migrations SET done = 99"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), address, Options{}); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("a schema of tomorrow: %v", err)
	}
	if _, err := Open(t.Context(), within(address, "search_path", "nobody"), Options{Exists: true}); err == nil || !strings.Contains(err.Error(), "no store") {
		t.Errorf("a store that must be there: %v", err)
	}
}

// Copies that several processes commit at once become one story, each item is stored once, and the numbers have no gap.
func TestSeveralProcesses(t *testing.T) {
	address := pgtest.New(t).Database(t)
	const processes, rounds = 4, 30
	stores := make([]*Store, processes)
	for i := range stores {
		stores[i] = openAt(t, address)
	}
	var wg sync.WaitGroup
	for i, s := range stores {
		wg.Go(func() {
			for n := range rounds {
				link := fmt.Sprintf("https://wire.example/%d", n)
				shared := poll("shared", n, fmt.Sprintf("https://shared.example/%d", n))
				if _, err := s.SavePolls(t.Context(), poll(fmt.Sprint("outlet", i), n, link), shared); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	stories, last := map[string]store.StoryID{}, store.ItemID(0)
	n := 0
	for it, err := range stores[0].Items(t.Context(), store.Query{ByArrival: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if known := stories[it.Link]; known != 0 && known != it.Story {
			t.Errorf("%s is of stories %d and %d", it.Link, known, it.Story)
		}
		stories[it.Link], last = it.Story, max(last, it.ID)
		n++
	}
	if n != (processes+1)*rounds || last != store.ItemID(n) {
		t.Errorf("%d items, the last has number %d; want %d", n, last, (processes+1)*rounds)
	}
	mustCheck(t, stores[0])
}
