package fetch

import (
	"context"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"broadsheet/store"
)

// runs starts a scheduler over a store and returns what ends it.
func runs(sch *Scheduler) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { sch.Run(ctx) })
	return func() { cancel(); running.Wait() }
}

func everything(t *testing.T, st store.Store) (states []store.FeedState, items []store.Item) {
	t.Helper()
	for f, err := range st.Feeds(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, f)
	}
	for it, err := range st.Items(context.Background(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, it)
	}
	return states, items
}

// A reload renames an outlet and moves its feed while it is being polled: that poll is broken off, and what comes of the
// next one is known already.
func TestRenameWhilePolling(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, path)
		defer st.Close()
		body := strings.ReplaceAll(smallFeed, "example.com", "a.example")
		net := &fakeNet{takes: 10 * time.Second, answer: func(*http.Request) *http.Response { return response(200, body, nil) }}
		before := feeds(t, "https://a.example/feed", "https://b.example/feed")
		sch := New(Options{Store: st, Settings: testSettings(), Feeds: before, Automatic: true, Log: discard, RoundTripper: net})
		stop := runs(sch)
		defer stop()
		time.Sleep(time.Minute)
		states, items := everything(t, st)
		due := states[0].NextPoll
		time.Sleep(time.Until(due) + 5*time.Second) // the second poll of a.example is under way
		if n := net.count("a.example"); n != 2 {
			t.Fatalf("%d polls", n)
		}
		after := feeds(t, "https://new.example/moved", "https://b.example/feed")
		err := sch.Reload(testSettings(), after,
			store.Rename{From: store.FeedName{Outlet: "a.example"}, To: store.FeedName{Outlet: "new.example"}},
			store.Rename{From: store.FeedName{Outlet: "new.example", URL: "https://a.example/feed"}, To: store.FeedName{Outlet: "new.example", URL: "https://new.example/moved"}})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		states, now := everything(t, st)
		if len(states) != 2 || len(now) != len(items) {
			t.Errorf("%d states, %d items after the rename, %d before: %+v", len(states), len(now), len(items), states)
		}
		for i, it := range now {
			if it.ID != items[i].ID || it.PublishedID != items[i].PublishedID || it.Outlet == "a.example" {
				t.Errorf("item %+v", it)
			}
		}
		if n := net.count("new.example"); n != 1 {
			t.Errorf("the new address was polled %d times", n)
		}
	})
}

// A feed that is taken out of the configuration and put back is not polled before it is due.
func TestComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, path)
		defer st.Close()
		net := &fakeNet{}
		fs := feeds(t, "https://a.example/feed")
		sch := New(Options{Store: st, Settings: testSettings(), Feeds: fs, Automatic: true, Log: discard, RoundTripper: net})
		stop := runs(sch)
		defer stop()
		time.Sleep(time.Minute)
		for _, fs := range [][]Feed{nil, fs, nil, fs} {
			if err := sch.Reload(testSettings(), fs); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		if n := net.count("a.example"); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
	})
}

// An ended feed that is revived is polled when it is due, not before, and not at all without that.
func TestRevive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, path)
		defer st.Close()
		var back atomic.Bool
		net := &fakeNet{answer: func(r *http.Request) *http.Response {
			if r.URL.Hostname() == "a.example" && !back.Load() {
				return response(http.StatusGone, "", nil)
			}
			return nil
		}}
		sch := New(Options{Store: st, Settings: testSettings(), Feeds: feeds(t, "https://a.example/feed", "https://b.example/feed"), Automatic: true, Log: discard, RoundTripper: net})
		stop := runs(sch)
		defer stop()
		time.Sleep(10 * time.Minute)
		back.Store(true)
		if n := net.count("a.example"); n != 1 {
			t.Fatalf("%d requests, want 1", n)
		}
		if revived, err := sch.Revive("b.example"); err != nil || revived != nil {
			t.Errorf("a feed that has not ended: %v %v", revived, err)
		}
		if revived, err := sch.Revive("a.example"); err != nil || !slices.Equal(revived, []string{"https://a.example/feed"}) {
			t.Errorf("%v %v", revived, err)
		}
		if states, _ := everything(t, st); states[0].Gone || states[0].Failures > 0 || states[0].NextPoll.Before(time.Now()) {
			t.Errorf("stored: %+v", states[0])
		}
		time.Sleep(10 * time.Minute)
		if n := net.count("a.example"); n != 1 {
			t.Errorf("%d requests before it was due, want 1", n)
		}
		time.Sleep(time.Hour)
		if n := net.count("a.example"); n != 2 {
			t.Errorf("%d requests when it was due, want 2", n)
		}
	})
}
