package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
	"broadsheet/store/bolt"
)

// What an older policy let through is gone from the documents after the next start.
func TestStricterPolicy(t *testing.T) {
	feed := serveHandler(t, answer(200, "application/rss+xml", newsFeed("outlet.example", "", "A story", "Another story")))
	w := newWorld(t, outletBlock("o", "Outlet", feed)+everything)
	w.must("fetch", "--once")
	const counter = `<img src="https://pixel.wp.com/b.gif" alt="">` // policies before the first let it through
	older := func(change func(*bolt.Store, store.Body)) {
		t.Helper()
		st, err := bolt.Open(filepath.Join(w.dir, "broadsheet.db"), bolt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		for body, err := range st.Bodies(t.Context(), 1) {
			if err != nil {
				t.Fatal(err)
			}
			change(st, body)
		}
	}
	older(func(st *bolt.Store, body store.Body) {
		dirty := body
		dirty.Summary += counter
		if n, err := st.Rewrite(t.Context(), time.Now(), store.Rewrite{Old: body, New: dirty}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	})
	w.must("publish", "--out", w.path(""))
	if !strings.Contains(string(w.file("all.atom")), "pixel.wp.com") {
		t.Fatal("the text is not shown as it is stored")
	}
	older(func(st *bolt.Store, _ store.Body) {
		if err := st.SetNote(t.Context(), "text policy", "", []byte(`{"policy":0}`)); err != nil {
			t.Fatal(err)
		}
	})
	w.must("publish", "--out", w.path(""))
	for _, file := range []string{"all.atom", "all.rss", "all.json", "all.html"} {
		if body := string(w.file(file)); strings.Contains(body, "pixel.wp.com") || !strings.Contains(body, "Another story") {
			t.Errorf("%s: %s", file, body)
		}
	}
	if log := w.must("-v", "publish", "--out", w.path("")); strings.Contains(log, "stricter policy") {
		t.Errorf("done a second time: %s", log)
	}
}
