package publish

import (
	"html"
	"slices"
	"strings"
	"testing"

	"broadsheet/store"
)

func TestStories(t *testing.T) {
	link := "https://wire.example/story"
	copyOf := func(title string, changes ...func(*store.Arrival)) store.Arrival {
		return news(title, link, "x", append([]func(*store.Arrival){func(a *store.Arrival) { a.Item.GUID = "tag:x,2026:" + title }}, changes...)...)
	}
	a, b, c := outlet("a"), outlet("b", priority(5)), outlet("c", priority(9))
	all := []Outlet{a, b, c}

	t.Run("once, by priority within an hour", func(t *testing.T) {
		w := newWorld(t)
		w.poll(in("0s"), "a", feedOf("a"), copyOf("first", dated(in("-2h"))), news("other", "https://a.example/o", "x", dated(in("-1h"))))
		w.poll(in("30m"), "b", feedOf("b"), copyOf("second"))
		w.poll(in("2h"), "c", feedOf("c"), copyOf("third"))
		equal(t, w.shows(Section{}, all...), "a other", "b second +a,c") // at the first one's date
		equal(t, w.shows(Section{Stories: "keep"}, all...), "c third +a,b", "b second +a,c", "a other", "a first +b,c")
		equal(t, w.shows(Section{From: []string{"a"}}, all...), "a other", "a first +b,c")
		equal(t, w.shows(Section{From: []string{"c", "b"}}, all...), "b second +a,c")
		equal(t, w.shows(Section{From: []string{"a", "c"}}, all...), "a other", "a first +b,c")
		equal(t, w.shows(Section{Exclude: []string{"first"}}, all...), "b second +a,c", "a other")
		equal(t, w.shows(Section{Where: "coverage >= 3"}, all...), "b second +a,c")
		equal(t, w.shows(Section{Where: "coverage >= 2"}, a, b), "b second +a")
		// One id for the story in every section that shows it, whatever stands for it.
		for _, s := range []Section{{}, {From: []string{"a"}}, {From: []string{"c"}}} {
			s.Slug = "s"
			p := w.publisher(publication(all, s))
			w.shown(p, "s")
			list := p.desks[0].list.Items
			if id := list[len(list)-1].ID; id != "tag:x,2026:first" {
				t.Errorf("%v: the story is called %s", s.From, id)
			}
		}
	})
	t.Run("the outlet whose site it is stands", func(t *testing.T) {
		w := newWorld(t)
		w.poll(in("0s"), "c", feedOf("c"), copyOf("claimed"))
		w.poll(in("5h"), "wire", feedOf("wire"), copyOf("own"))
		wire := outlet("wire", func(o *Outlet) { o.URL = "https://www.wire.example" })
		equal(t, w.shows(Section{}, c, wire), "wire own +c")
		equal(t, w.shows(Section{From: []string{"c"}}, c, wire), "c claimed +wire")
		equal(t, w.shows(Section{}, c), "c claimed")
	})
	t.Run("nobody stands by what it claims", func(t *testing.T) {
		w := newWorld(t)
		w.poll(in("0s"), "a", feedOf("a"), copyOf("linked"))
		w.poll(in("5h"), "b", feedOf("b"), news("claims the original", "https://b.example/1", "x", func(a *store.Arrival) { a.Original = link }))
		equal(t, w.shows(Section{}, a, b), "a linked +b")
		equal(t, w.shows(Section{Stories: "link"}, a, b), "a linked +b")
		wire := outlet("wire", func(o *Outlet) { o.URL = "https://wire.example" })
		w.poll(in("6h"), "wire", feedOf("wire"), copyOf("original"))
		equal(t, w.shows(Section{}, a, b, wire), "wire original +a,b")
		equal(t, w.shows(Section{From: []string{"b", "wire"}}, a, b, wire), "wire original +a,b") // nor if it came first
	})
	t.Run("when enough outlets carry it", func(t *testing.T) {
		w := newWorld(t)
		w.poll(in("0s"), "a", feedOf("a"), copyOf("first", dated(in("-9h"))))
		w.poll(in("5m"), "a", feedOf("a"), news("alone", "https://a.example/o", "x"), copyOf("first", dated(in("-9h"))))
		p := w.publisher(publication(all, Section{Slug: "two", MinOutlets: 2}, Section{Slug: "three", MinOutlets: 3},
			Section{Slug: "keep", MinOutlets: 2, Stories: "keep"}, Section{Slug: "a", From: []string{"a"}, MinOutlets: 2},
			Section{Slug: "c", From: []string{"c"}, MinOutlets: 2}, Section{Slug: "none", MinOutlets: 4}))
		both := func(slug string, want ...string) {
			t.Helper()
			equal(t, w.shown(p, slug), want...)
			equal(t, w.shown(w.publisher(p.pub), slug), want...)
		}
		both("two")
		w.poll(in("10m"), "b", feedOf("b"), news("another", "https://b.example/1", "x"), copyOf("second"))
		w.poll(in("20m"), "a", feedOf("a"), news("another, too", "https://b.example/1", "x"))
		both("two", "b another +a", "b second +a") // at the arrival of the second outlet
		both("keep", "a another, too +b", "b another +a", "b second +a", "a first +b")
		both("a", "a another, too +b", "a first +b")
		both("three")
		d := p.desks[0]
		if e := d.list.Items[1]; !e.Published.Equal(in("10m")) || e.Updated.Before(in("10m")) || d.list.Updated.Before(in("20m")) {
			t.Errorf("published %v, updated %v; the list %v", e.Published, e.Updated, d.list.Updated)
		}
		updated := d.list.Updated
		w.poll(in("3h"), "c", feedOf("c"), copyOf("third"))
		both("two", "b another +a", "b second +a,c") // stays where it is
		both("three", "b second +a,c")
		both("c", "c third +a,b")
		both("none")
		if !d.list.Updated.Equal(updated) {
			t.Errorf("a join moved the list's update from %v to %v", updated, d.list.Updated)
		}
		// The number is of the outlets that may be shown.
		equal(t, w.shows(Section{MinOutlets: 3}, a, b))
		equal(t, w.shows(Section{MinOutlets: 2}, a, c), "a first +c")
	})
	t.Run("of those that carry it, one goes", func(t *testing.T) {
		w := newWorld(t)
		for i, o := range []string{"a", "b", "c", "d"} {
			w.poll(in([]string{"0s", "2h", "4h", "6h"}[i]), o, feedOf(o), copyOf("from-"+o))
		}
		all := []Outlet{a, b, c, outlet("d")}
		three := Section{Slug: "s", MinOutlets: 3}
		placed := func(pub Publication, place string, want ...string) {
			t.Helper()
			p := w.publisher(pub)
			equal(t, w.shown(p, "s"), want...)
			if place != "" && !p.desks[0].view.Choices[0].Place.Equal(in(place)) {
				t.Errorf("its place is %v, want %s", p.desks[0].view.Choices[0].Place, place)
			}
		}
		placed(publication(all, three), "4h", "a from-a +b,c,d")
		for _, gone := range []string{"a", "b", "c"} { // the place is where the third of the others came
			pub := publication(slices.DeleteFunc(slices.Clone(all), func(o Outlet) bool { return o.ID == gone }), three)
			shown := w.shown(w.publisher(pub), "s")
			placed(pub, "6h", shown...)
			withdrawn := publication(all, three)
			withdrawn.Withdraw = []Withdrawal{{Entry: gone}}
			placed(withdrawn, "6h", shown...)
			if len(shown) != 1 || strings.Contains(shown[0], gone) {
				t.Errorf("without %s: %q", gone, shown)
			}
		}
		withdrawn := publication(all, three)
		withdrawn.Withdraw = []Withdrawal{{Entry: "tag:x,2026:from-b"}, {Entry: "c"}}
		placed(withdrawn, "")
		if _, err := w.st.Prune(t.Context(), in("1h"), 10); err != nil {
			t.Fatal(err)
		}
		placed(publication(all, three), "6h", "b from-b +c,d")
		if _, err := w.st.Prune(t.Context(), in("3h"), 10); err != nil {
			t.Fatal(err)
		}
		placed(publication(all, three), "")
	})
	t.Run("a join moves no update", func(t *testing.T) {
		w := newWorld(t)
		w.poll(in("0s"), "a", feedOf("a"), copyOf("first", dated(in("-2h"))))
		p := w.publisher(publication(all, Section{Slug: "s"}))
		equal(t, w.shown(p, "s"), "a first")
		list, entry := p.desks[0].list.Updated, p.desks[0].list.Items[0].Updated
		w.poll(in("30m"), "b", feedOf("b"), copyOf("second"))
		equal(t, w.shown(p, "s"), "b second +a")
		if l := p.desks[0].list; !l.Updated.Equal(list) || !l.Items[0].Updated.Equal(entry) {
			t.Errorf("the list's update moved from %v to %v, the story's from %v to %v", list, l.Updated, entry, l.Items[0].Updated)
		}
		w.poll(in("4h"), "b", feedOf("b"), copyOf("second", func(a *store.Arrival) { a.Item.GUID, a.Item.Title = "tag:x,2026:second", "second, corrected" }))
		equal(t, w.shown(p, "s"), "b second, corrected +a")
		if l := p.desks[0].list; !l.Updated.Equal(in("4h")) || l.Items[0].Updated.Before(in("4h")) {
			t.Errorf("after an edit: the list %v, the story %v", l.Updated, l.Items[0].Updated)
		}
	})
	t.Run("named in the text", func(t *testing.T) {
		w := newWorld(t)
		w.poll(in("0s"), "a", feedOf("a"), copyOf("first"))
		w.poll(in("2h"), "b", feedOf("b"), copyOf("second"))
		pub := publication([]Outlet{a, outlet("b", func(o *Outlet) { o.Name = "B & C" })}, Section{Slug: "s"})
		line := "<p>Also in: <a href=\"" + link + "\">B &amp; C</a></p>"
		for _, pub.AlsoInText = range []bool{false, true} {
			e := w.edition(w.publisher(pub))
			for _, path := range []string{"s.rss", "s.atom", "s.json"} {
				read := html.UnescapeString(string(e.Document(path).Body))
				if strings.HasSuffix(path, ".json") {
					read = strings.ReplaceAll(string(e.Document(path).Body), `\"`, `"`)
				}
				if got := strings.Contains(read, line); got != pub.AlsoInText {
					t.Errorf("also_in_text = %v: %s has %s", pub.AlsoInText, path, read)
				}
			}
		}
	})
	t.Run("tied by text", func(t *testing.T) {
		const agency = "No ship has left the port since Monday morning, and the ferries wait. The harbour master says that the wind will not cease before Thursday, and that nobody should wait on the quay."
		report := func(title, link string) store.Arrival {
			return news(title, link, "<p>"+agency+"</p>", func(a *store.Arrival) { a.Item.GUID = "tag:x,2026:" + strings.ReplaceAll(title, " ", "-") })
		}
		w := newWorld(t)
		w.poll(in("0s"), "a", feedOf("a"), report("first", "https://a.example/1"))
		w.poll(in("10m"), "b", feedOf("b"), report("same text", "https://b.example/1"))
		w.poll(in("20m"), "c", feedOf("c"), report("copy of b", "https://b.example/1"))
		w.poll(in("3h"), "d", feedOf("d"), report("copy of a", "https://a.example/1"))
		all := []Outlet{a, b, c, outlet("d")}
		shows := func(s Section, want ...string) (ids []string) {
			t.Helper()
			s.Slug = "s"
			p := w.publisher(publication(all, s))
			equal(t, w.shown(p, "s"), want...)
			for _, e := range p.desks[0].list.Items {
				ids = append(ids, strings.TrimPrefix(e.ID, "tag:x,2026:"))
			}
			return ids
		}
		equal(t, shows(Section{}, "b same text +a,c,d"), "first") // c has the highest priority, but a copy from b, whose link it is
		equal(t, shows(Section{From: []string{"a", "b", "d"}}, "b same text +a,c,d"), "first")
		equal(t, shows(Section{Stories: "link"}, "b same text +a,c,d", "a first +b,c,d"), "same-text", "first")
		equal(t, shows(Section{Stories: "link", From: []string{"c", "d"}}, "d copy of a +a,b,c", "c copy of b +a,b,d"), "first", "same-text")
		equal(t, shows(Section{Stories: "keep"}, "d copy of a +a,b,c", "c copy of b +a,b,d", "b same text +a,c,d", "a first +b,c,d"),
			"copy-of-a", "copy-of-b", "same-text", "first")
		equal(t, shows(Section{MinOutlets: 3}, "b same text +a,c,d"), "first")
		equal(t, shows(Section{MinOutlets: 4, Stories: "link"}, "b same text +a,c,d", "a first +b,c,d"), "same-text", "first")

		// An edited link and a pruned item give no story and no article another id, and an edited link makes no copy the original.
		w.poll(in("4h"), "c", feedOf("c"), report("copy of b", "https://c.example/own"))
		equal(t, shows(Section{Stories: "link"}, "b same text +a,c,d", "a first +b,c,d"), "same-text", "first")
		if _, err := w.st.Prune(t.Context(), in("15m"), 10); err != nil {
			t.Fatal(err)
		}
		equal(t, shows(Section{Stories: "link"}, "d copy of a +c", "c copy of b +d"), "first", "same-text")
		equal(t, shows(Section{}, "c copy of b +d"), "first")
	})
	t.Run("see also", func(t *testing.T) {
		report := func(title, text, link string) store.Arrival {
			return news(title, link, "<p>"+text+"</p>", speaking("en"))
		}
		const title, text = "Strong earthquake of magnitude 6.8 strikes off Fukushima coast in Japan",
			"An earthquake of magnitude 6.8 struck off the coast of Fukushima in northeastern Japan on Tuesday, the Meteorological Agency said; no tsunami warning was issued, and no damage was reported."
		w := newWorld(t)
		w.poll(in("0s"), "a", feedOf("a"), report(title, text, "https://a.example/1"))
		w.poll(in("1h"), "b", feedOf("b"), report("Earthquake off Japan", text, "https://b.example/1")) // a copy
		second := report(title, strings.Replace(text, "An earth", "The earth", 1), "https://b.example/2")
		w.poll(in("2h"), "b", feedOf("b"), second) // b is in the story already
		p := w.publisher(publication([]Outlet{a, b}, Section{Slug: "s", From: []string{"b"}, Limit: 1}))
		sees := func(want string) {
			t.Helper()
			equal(t, w.shown(p, "s"), "b "+second.Item.Title)
			got := ""
			for _, r := range p.desks[0].list.Items[0].Related {
				got += r.Outlet + " " + r.Title + " " + r.Link
			}
			page := string(w.edition(p).Document("s.html").Body)
			if got != want || strings.Contains(page, "See also") != (want != "") {
				t.Errorf("see also %q, want %q, on\n%s", got, want, page)
			}
		}
		sees("A Strong earthquake of magnitude 6.8 strikes off Fukushima coast in Japan https://a.example/1")
		w.poll(in("3h"), "a", feedOf("a"), report("Earthquake off Fukushima", "It was strong.", "https://a.example/1"))
		sees("A Earthquake off Fukushima https://a.example/1")
		if _, err := w.st.Prune(t.Context(), in("30m"), 10); err != nil {
			t.Fatal(err)
		}
		sees("")
	})
	t.Run("order is total", func(t *testing.T) {
		w := newWorld(t)
		w.poll(in("0s"), "a", feedOf("a"), news("1", "https://a.example/1", "x"), news("2", "https://a.example/2", "x"), news("3", "https://a.example/3", "x"))
		w.poll(in("0s"), "b", feedOf("b"), news("4", "https://b.example/4", "x"))
		equal(t, w.shows(Section{}, all...), "b 4", "a 1", "a 2", "a 3")
	})
}
