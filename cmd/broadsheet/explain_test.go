package main

import (
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"broadsheet/publish"
	"broadsheet/store"
	"broadsheet/store/bolt"
)

// A section goes on showing a story under the id of its first item when retention has deleted that: explain knows it by this
// id, too.
func TestExplainStoryOfPruned(t *testing.T) {
	st, err := bolt.Open(filepath.Join(t.TempDir(), "test.db"), bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	poll := func(after time.Duration, outlet, guid, link, text string) {
		t.Helper()
		a := store.Arrival{Canonical: link, Item: store.Item{GUID: guid, Title: "Carried by " + outlet, Link: link, Lead: text}}
		p := store.Poll{At: start.Add(after), State: store.FeedState{Outlet: outlet, URL: "https://" + outlet + ".example/feed"}, Arrivals: []store.Arrival{a}}
		if _, err := st.SavePolls(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	wire := strings.Repeat("The agency reports from the harbour that no ship has left it since the storm. ", 4)
	poll(0, "a", "tag:a.example,2026:1", "https://wire.example/1", wire)
	poll(time.Hour, "b", "tag:b.example,2026:1", "https://wire.example/1", "Other words.")
	poll(2*time.Hour, "c", "tag:c.example,2026:1", "https://c.example/1", wire)
	poll(3*time.Hour, "d", "tag:d.example,2026:1", "https://d.example/1", "Something else.")
	publisher, err := publish.New(publish.Publication{Title: "T", BaseURL: "https://paper.example", Outlets: []publish.Outlet{
		{ID: "b", Feeds: []publish.Feed{{URL: "https://b.example/feed"}}}, {ID: "c", Feeds: []publish.Feed{{URL: "https://c.example/feed"}}}},
		Sections: []publish.Section{{Slug: "all"}}}, st, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	explains := func(name string, want ...string) {
		t.Helper()
		all, err := explain(t.Context(), st, publisher, name)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range all {
			got = append(got, e.Outlet)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	explains("tag:a.example,2026:1", "a")
	if n, err := st.Prune(t.Context(), start.Add(time.Minute), 10); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	l, _, err := publisher.Listing(t.Context(), "all")
	if err != nil || len(l.Items) != 1 || l.Items[0].ID != "tag:a.example,2026:1" {
		t.Fatalf("the section shows %+v, %v", l, err)
	}
	explains("tag:a.example,2026:1", "b", "c")
	explains("tag:b.example,2026:1", "b")
	explains("tag:nobody.example,2026:1")
}
