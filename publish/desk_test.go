package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
)

// A publisher that follows the store, one that resumes from static files, and one that begins anew must
// come to the same bytes after any polls, edits, joins and prunings.
func TestIncremental(t *testing.T) {
	sections := []Section{
		{Slug: "all"},
		{Slug: "five", Limit: 5},
		{Slug: "five-days", Limit: 5, MaxAge: 5 * 24 * time.Hour},
		{Slug: "keep", Limit: 7, Stories: "keep"},
		{Slug: "link", Limit: 6, Stories: "link"},
		{Slug: "two", Limit: 4, MinOutlets: 2},
		{Slug: "two-some", From: []string{"b"}, MinOutlets: 2, MaxAge: 4 * 24 * time.Hour},
		{Slug: "three", MinOutlets: 3, MaxPerOutlet: 2},
		{Slug: "two-keep", Limit: 5, MinOutlets: 2, Stories: "keep"},
		{Slug: "two-link", Limit: 3, MinOutlets: 2, Stories: "link", Include: []string{"odd"}},
		{Slug: "one-each", MaxPerOutlet: 1},
		{Slug: "two-each", MaxPerOutlet: 2, Limit: 4, MaxAge: 3 * 24 * time.Hour},
		{Slug: "words", Include: []string{"odd"}, Limit: 3},
		{Slug: "some", From: []string{"b", "c"}, Limit: 4},
		{Slug: "covered", Where: "coverage > 1", Limit: 4},
		{Slug: "text", Where: `text contains "odd"`, MaxAge: 4 * 24 * time.Hour},
		{Slug: "none", Include: []string{"never"}, MaxAge: time.Hour},
	}
	outlets := []Outlet{outlet("a"), outlet("b", priority(2)), outlet("c", priority(1))}
	pub := publication(outlets, sections...)
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t)
			r := rand.New(rand.NewPCG(seed, 1))
			follower, dir, now := w.publisher(pub), t.TempDir(), start
			for step := range 30 {
				now = now.Add(time.Duration(r.IntN(10*60)) * time.Minute)
				if r.IntN(8) == 0 {
					if _, err := w.st.Prune(t.Context(), now.Add(-time.Duration(r.IntN(8*24))*time.Hour), r.IntN(20)); err != nil {
						t.Fatal(err)
					}
				} else {
					id := []string{"a", "b", "c", "gone"}[r.IntN(4)]
					w.poll(now, id, feedOf(id), randomItems(r, now)...)
				}
				if _, err := w.publisher(pub).Write(t.Context(), dir, w.st); err != nil {
					t.Fatal(err)
				}
				if step%3 == 0 {
					continue // several revisions at once
				}
				sameEditions(t, fmt.Sprintf("step %d", step), follower, w.publisher(pub), dir)
				if t.Failed() {
					return
				}
			}
		})
	}
}

func randomItems(r *rand.Rand, now time.Time) []store.Arrival {
	var out []store.Arrival
	for range r.IntN(4) {
		n := r.IntN(40)
		a := news(fmt.Sprintf("%s %d", []string{"odd", "even"}[r.IntN(2)], n), fmt.Sprintf("https://wire.example/%d", n),
			fmt.Sprintf("<p>version %d</p>", r.IntN(3)))
		if r.IntN(2) == 0 {
			a.Body.Published = now.Add(-time.Duration(r.IntN(9*24)) * time.Hour)
		}
		switch { // some are copies although their links differ, some tell of what others tell
		case n%4 == 0:
			a.Item.Lead = strings.Repeat(fmt.Sprintf("The agency reports number %d from the harbour. ", n%8), 6)
		case n%4 == 1:
			a.Item.Title, a.Item.Lead, a.Item.Language = fmt.Sprintf("%s: magnitude 6.%d earthquake strikes off Fukushima coast in Japan", a.Item.Title, n%8),
				"An earthquake struck off the coast of Fukushima in northeastern Japan on Tuesday, the Meteorological Agency said.", "en"
		}
		out = append(out, a)
	}
	return out
}

// sameEditions compares what a follower and a beginner publish, and the files in a folder.
func sameEditions(t *testing.T, when string, follower, beginner *Publisher, dir string) {
	t.Helper()
	a, err := follower.Edition(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b, err := beginner.Edition(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for d := range b.Documents() {
		n++
		got := a.Document(d.Path)
		switch {
		case got == nil:
			t.Errorf("%s: %s is missing", when, d.Path)
		case !bytes.Equal(got.Body, d.Body):
			t.Errorf("%s: %s differs", when, d.Path)
			for i := range beginner.desks {
				if f, b := follower.desks[i], beginner.desks[i]; strings.HasPrefix(d.Path, f.section.Slug+".") {
					t.Logf("followed: %v\nbegun: %v", f.view, b.view)
				}
			}
		case got.ETag != d.ETag || !got.Modified.Equal(d.Modified):
			t.Errorf("%s: %s: %s %v, want %s %v", when, d.Path, got.ETag, got.Modified, d.ETag, d.Modified)
		}
		sameFile(t, when, dir, d)
	}
	if m := len(a.docs); m != n {
		t.Errorf("%s: %d documents, want %d", when, m, n)
	}
}

// A busyStore is written to when its items have been read for the n-th time, counted from 1.
type busyStore struct {
	Keeper
	n         int
	meanwhile func()
}

func (b *busyStore) Items(ctx context.Context, q store.Query) iter.Seq2[store.Item, error] {
	return func(yield func(store.Item, error) bool) {
		b.Keeper.Items(ctx, q)(yield)
		if b.n--; b.n == 0 {
			b.meanwhile()
		}
	}
}

// What is committed while a publisher reads is in its next edition at the latest.
func TestCommitWhileReading(t *testing.T) {
	committed := 0
	for n := 1; n <= 8; n++ {
		w := newWorld(t)
		item := func(i int) {
			w.poll(in(fmt.Sprint(i, "h")), "a", feedOf("a"), news(fmt.Sprint("item ", i), fmt.Sprint("https://a.example/", i), "Text."))
		}
		busy := &busyStore{Keeper: w.st, n: n, meanwhile: func() { item(3); committed++ }}
		p, err := New(publication([]Outlet{outlet("a")}, Section{Slug: "all"}), busy, w.log)
		if err != nil {
			t.Fatal(err)
		}
		item(1)
		w.edition(p)
		item(2)
		w.edition(p)
		written := busy.n <= 0
		if got := w.shown(p, "all"); written && len(got) != 3 {
			t.Errorf("written to after read %d: %q", n, got)
		}
	}
	if committed < 4 {
		t.Errorf("written to %d times: this proves nothing", committed)
	}
}

// A lameStore cannot read bodies for a while.
type lameStore struct {
	Keeper
	lame bool
}

func (l *lameStore) Bodies(ctx context.Context, ids ...store.ItemID) iter.Seq2[store.Body, error] {
	if l.lame {
		return func(yield func(store.Body, error) bool) { yield(store.Body{}, store.ErrAway) }
	}
	return l.Keeper.Bodies(ctx, ids...)
}

// What an edition that failed has seen of the store, the next one shows: an item that came, one that was pruned.
func TestEditionAfterFailure(t *testing.T) {
	w := newWorld(t)
	st := &lameStore{Keeper: w.st}
	p, err := New(publication([]Outlet{outlet("a")}, Section{Slug: "all"}), st, w.log)
	if err != nil {
		t.Fatal(err)
	}
	item := func(i int) {
		w.poll(in(fmt.Sprint(i, "h")), "a", feedOf("a"), news(fmt.Sprint("item ", i), fmt.Sprint("https://a.example/", i), "Text."))
	}
	item(1)
	item(2)
	w.edition(p)
	prune := func() {
		if n, err := w.st.Prune(t.Context(), in("90m"), 10); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	for i, change := range []func(){prune, func() { item(3) }} {
		want := i + 1
		change()
		st.lame = true
		if _, err := p.Edition(t.Context()); !errors.Is(err, store.ErrAway) {
			t.Fatal(err)
		}
		st.lame = false
		if got := w.shown(p, "all"); len(got) != want {
			t.Errorf("shown: %q, want %d", got, want)
		}
		if d := w.edition(p).Document("all.atom"); bytes.Count(d.Body, []byte("<entry>")) != want {
			t.Errorf("want %d entries: %s", want, d.Body)
		}
	}
}
