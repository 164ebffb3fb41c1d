package postgres

import (
	"context"
	"testing"

	"broadsheet/store"
	"broadsheet/store/record"
)

// mustCheck looks whether the tables agree with each other.
func mustCheck(t *testing.T, st store.Store) {
	t.Helper()
	s := st.(*Store)
	ctx := context.WithoutCancel(t.Context())
	if c, err := s.Copying(ctx); err == nil && c != nil {
		return // not yet a store
	}
	for what, sql := range map[string]string{
		"items without a body":                  "SELECT count(*) FROM items i WHERE NOT EXISTS (SELECT 1 FROM bodies b WHERE b.item = i.id)",
		"bodies without an item":                "SELECT count(*) FROM bodies b WHERE NOT EXISTS (SELECT 1 FROM items i WHERE b.item = i.id)",
		"changes without an item":               "SELECT count(*) FROM changes c WHERE NOT EXISTS (SELECT 1 FROM items i WHERE c.item = i.id)",
		"items with a number not given yet":     "SELECT count(*) FROM items, head WHERE items.id > head.last OR items.id < 1",
		"items of a revision that has not come": "SELECT count(*) FROM items, head WHERE items.revision > head.revision OR items.revision < 1",
		"keys of a number not given yet":        "SELECT count(*) FROM keys, head WHERE keys.item > head.last OR keys.item < 1",
		"ids of a number not given yet":         "SELECT count(*) FROM published, head WHERE published.item > head.last OR published.item < 1",
		"prints of a number not given yet":      "SELECT count(*) FROM prints, head WHERE prints.item > head.last OR prints.item < 1",
		"more than one head":                    "SELECT count(*) - 1 FROM head",
	} {
		var n int
		if err := s.pool.QueryRow(ctx, sql).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d %s: %v", n, what, err)
		}
	}
	carried, stories := map[store.FeedName]int{}, map[store.StoryID][]store.ItemID{}
	r, err := s.pool.Query(ctx, "SELECT id, date, value FROM items ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	if err := eachItem(r, func(it store.Item) {
		stories[it.Story] = append(stories[it.Story], it.ID)
		for _, url := range it.Feeds {
			carried[store.FeedName{Outlet: it.Outlet, URL: url}]++
		}
	}); err != nil {
		t.Fatal(err)
	}
	for f, err := range s.Feeds(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if f.Items != carried[f.Name()] {
			t.Errorf("%v counts %d items, %d name it", f.Name(), f.Items, carried[f.Name()])
		}
		delete(carried, f.Name())
	}
	if len(carried) > 0 {
		t.Errorf("items name feeds that are not there: %v", carried)
	}
	r, err = s.pool.Query(ctx, "SELECT id, value FROM stories")
	if err != nil {
		t.Fatal(err)
	}
	var id store.StoryID
	var value string
	if err := each(r, []any{&id, (*bytesAsString)(&value)}, func() error {
		st, err := record.Story(id, value)
		if len(st.Items) == 0 || len(st.Items) != len(stories[id]) {
			t.Errorf("story %d has items %v, of it are %v", id, st.Items, stories[id])
		}
		delete(stories, id)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for id, items := range stories {
		if len(items) != 1 || items[0] != store.ItemID(id) {
			t.Errorf("story %d of items %v has no record", id, items)
		}
	}
	r, err = s.pool.Query(ctx, "SELECT i.id, i.date, i.value FROM items i LEFT JOIN published p ON p.item = i.id WHERE p.item IS NULL")
	if err != nil {
		t.Fatal(err)
	}
	if err := eachItem(r, func(it store.Item) { t.Errorf("item %d: nothing is published as %s", it.ID, it.PublishedID) }); err != nil {
		t.Fatal(err)
	}
}
