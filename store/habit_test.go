package store_test

import (
	"fmt"
	"testing"
	"time"

	"broadsheet/store"
)

// A feed that makes new guids for the same links is known by its links from its third such document on.
func TestRotatingGuids(t *testing.T) {
	p := newPaper(t)
	guid := 0
	document := func(from, n int) (docs []doc) {
		for i := range n {
			guid++
			docs = append(docs, doc{fmt.Sprintf("https://a.example/?r=%d", guid), fmt.Sprint("https://a.example/", from-i), fmt.Sprint("t", from-i)})
		}
		return docs
	}
	for i := range 12 {
		saved := p.poll("a/1", document(10+i, 10)...)
		if want := i >= 3; saved.State.ByLink != want {
			t.Errorf("document %d: ByLink is %v", i, saved.State.ByLink)
		}
		if want := map[bool]int{true: 10, false: 1}[i == 0]; saved.New != want {
			t.Errorf("document %d: %d new items, want %d", i, saved.New, want)
		}
	}
	if n := len(p.items()); n != 21 {
		t.Errorf("%d items: %s", n, p.list())
	}
	// Now its guids may be anything.
	if saved := p.poll("a/1", doc{"https://a.example/?r=1", "https://a.example/new", "new"}, doc{"1", "https://a.example/21", "t21"}); saved.New != 1 || saved.Changed != 0 {
		t.Errorf("%+v", saved)
	}
}

// What does not make a feed one that rotates its guids.
func TestSteadyGuids(t *testing.T) {
	const l = "https://a.example/"
	for name, document := range map[string]func(i int) []doc{
		"only new items": func(i int) []doc {
			return []doc{{fmt.Sprint(2 * i), fmt.Sprint(l, 2*i), "t"}, {fmt.Sprint(2*i + 1), fmt.Sprint(l, 2*i+1), "t"}}
		},
		"edited items": func(i int) []doc { return []doc{{"1", l + "1", fmt.Sprint(i)}} },
		"no links":     func(i int) []doc { return []doc{{fmt.Sprint(i), "", "t"}} },
		"one link":     func(i int) []doc { return []doc{{fmt.Sprint(i), l + "live", "a"}, {fmt.Sprint(-i), l + "live", "b"}} },
		"now and then": func(i int) []doc {
			if i%3 == 2 {
				return []doc{{fmt.Sprint(i - 1), l + "1", "t"}}
			}
			return []doc{{fmt.Sprint(i), l + "1", "t"}}
		},
	} {
		p := newPaper(t)
		for i := range 12 {
			if saved := p.poll("a/1", document(i)...); saved.State.ByLink {
				t.Errorf("%s: after %d documents its links count", name, i+1)
				break
			}
		}
	}
	// A second feed with guids of its own for known links: its first document looks like rotation.
	p := newPaper(t)
	for i := range 6 {
		p.poll("a/1", doc{"7", l + "1", "one"})
		if saved := p.poll("a/2", doc{"x9", l + "1", "one"}); saved.State.ByLink || saved.New > 0 {
			t.Errorf("second feed, poll %d: %+v", i, saved)
		}
	}
}

// An item is edited by the feed that first had it, while that feed has it; then by another. Passing on shows
// nothing by itself, and goes back no sooner than the other feed has dropped the item.
func TestEditor(t *testing.T) {
	const l = "https://a.example/"
	long := func(title string) doc { return doc{l + "?p=1", l + "1", title} }
	other := doc{l + "?p=2", l + "2", "two"}
	shows := func(p *paper, when, want string) {
		t.Helper()
		if it := p.items()[0]; it.Title != want {
			t.Errorf("%s: the item shows %q, want %q", when, it.Title, want)
		}
	}
	t.Run("the first feed drops the item", func(t *testing.T) {
		p := newPaper(t)
		p.poll("a/1", long("in full"))
		p.poll("a/2", long("in short"))
		p.poll("a/1", other) // its window has moved on
		if saved := p.poll("a/2", long("in short")); saved.Changed != 1 {
			t.Errorf("passing: %+v", saved)
		}
		shows(p, "passed, not edited", "in full")
		if it := p.items()[0]; it.Feeds[0] != feedOf("a/1") || it.Editor != feedOf("a/2") {
			t.Errorf("what is shown is still the first feed's: %q, %q", it.Feeds, it.Editor)
		}
		if saved := p.poll("a/2", long("in short")); saved.Changed != 0 {
			t.Errorf("once more: %+v", saved)
		}
		p.poll("a/2", long("in short, edited"))
		shows(p, "edited by the second feed", "in short, edited")
		if it := p.items()[0]; it.Feeds[0] != feedOf("a/2") || it.Editor != "" || len(it.Feeds) != 2 {
			t.Errorf("what is shown is the second feed's: %q, %q", it.Feeds, it.Editor)
		}
		for range 3 { // both have it: it stays where it is
			for _, feed := range []string{"a/1", "a/2"} {
				text := map[string]string{"a/1": "in full", "a/2": "in short, edited"}[feed]
				if saved := p.poll(feed, long(text)); saved.Changed != 0 {
					t.Errorf("both list it: %+v", saved)
				}
			}
		}
		shows(p, "both have it", "in short, edited")
		p.poll("a/2", other)
		p.poll("a/1", long("in full"))
		p.poll("a/1", long("in full, edited"))
		shows(p, "back", "in full, edited")
	})
	t.Run("the first feed is polled no more", func(t *testing.T) {
		p := newPaper(t)
		p.poll("a/1", long("one"))
		p.poll("a/2", long("one"))
		p.poll("a/2", long("one, edited"))
		shows(p, "a day later", "one")
		p.at = p.at.Add(72 * time.Hour)
		p.poll("a/2", long("one, edited"))
		p.poll("a/2", long("one, edited again"))
		shows(p, "days later", "one, edited again")
	})
	t.Run("half a document says nothing", func(t *testing.T) {
		p := newPaper(t)
		p.poll("a/1", other, long("one"))
		p.poll("a/2", long("short"))
		p.at = p.at.Add(time.Hour)
		poll := store.Poll{At: p.at, Arrivals: []store.Arrival{other.arrival()},
			State: store.FeedState{Outlet: "a", URL: feedOf("a/1"), LastSuccess: p.at, Damaged: true}}
		if _, err := p.SavePolls(t.Context(), poll); err != nil {
			t.Fatal(err)
		}
		if saved := p.poll("a/2", long("short")); saved.Changed != 0 {
			t.Errorf("passed: %+v", saved)
		}
	})
}
