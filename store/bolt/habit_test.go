package bolt

import (
	"fmt"
	"testing"
	"time"

	"broadsheet/store"
)

// A feed with random guids, and one whose guids number the places of its document, through 40 documents: each item is
// there once, and what is remembered of them does not grow with the documents.
func TestGuidsWithoutMeaning(t *testing.T) {
	for name, guid := range map[string]func(document, place, item int) string{
		"random IRIs": func(document, place, _ int) string {
			return fmt.Sprintf("https://a.example/?r=%d", 1000*document+place)
		},
		"random":   func(document, place, _ int) string { return fmt.Sprint(1000*document + place) },
		"places":   func(_, place, _ int) string { return fmt.Sprint(place) },
		"fast":     func(document, _, item int) string { return fmt.Sprintf("urn:x-a:%d:%d", item, document) },
		"reversed": func(_, place, _ int) string { return fmt.Sprint(-place) },
	} {
		t.Run(name, func(t *testing.T) {
			s := openTemp(t)
			at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			names := map[int]int{} // in the bucket of keys, by document
			for document := range 41 {
				p := store.Poll{At: at.Add(time.Duration(document) * time.Hour), State: store.FeedState{Outlet: "a", URL: "https://a.example/feed"}}
				p.State.LastSuccess = p.At
				newest := document / 2 // every second document has a new item
				for place := range 20 {
					item := newest - place + 20
					title := fmt.Sprint("item ", item)
					p.Arrivals = append(p.Arrivals, store.Arrival{
						Item:      store.Item{GUID: guid(document, place, item), Title: title, Link: fmt.Sprint("https://a.example/", item), Text: uint64(item)},
						Canonical: fmt.Sprint("https://a.example/", item),
					})
				}
				if _, err := s.SavePolls(t.Context(), p); err != nil {
					t.Fatal(err)
				}
				if err := s.db.View(func(tx *tx) error {
					names[document] = tx.Bucket(keysBucket).Stats().KeyN
					return nil
				}); err != nil {
					t.Fatal(err)
				}
			}
			items := 0
			for it, err := range s.Items(t.Context(), store.Query{}) {
				if err != nil {
					t.Fatal(err)
				}
				if it.Title != fmt.Sprint("item ", it.Text) {
					t.Errorf("item %d is mixed up: %+v", it.ID, it)
				}
				items++
			}
			if items != 40 {
				t.Errorf("%d items, want 40", items)
			}
			// From the tenth document on, 15 items have come: a few names each, however many documents there were.
			if grown := names[40] - names[10]; grown > 3*15 {
				t.Errorf("%d names after 10 documents, %d after 40", names[10], names[40])
			}
			mustCheck(t, s)
		})
	}
}
