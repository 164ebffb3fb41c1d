package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"broadsheet/store"
)

func TestStories(t *testing.T) {
	const l = "https://a.example/"
	for name, c := range map[string]struct {
		visits []visit
		want   []store.StoryID // of the items in the order of their arrival
	}{
		"the same link in other outlets": {[]visit{
			{"a/1", []doc{{"1", l + "1", "one"}}}, {"b/1", []doc{{"x", l + "1", "eins"}}}, {"c/1", []doc{{"", l + "1", "un"}}},
		}, []store.StoryID{1, 1, 1}},
		"other links": {[]visit{
			{"a/1", []doc{{"1", l + "1", "one"}}}, {"b/1", []doc{{"x", l + "2", "one"}}},
		}, []store.StoryID{1, 2}},
		"no links": {[]visit{
			{"a/1", []doc{{"1", "", "one"}}}, {"b/1", []doc{{"1", "", "one"}}},
		}, []store.StoryID{1, 2}},
		"front pages": {[]visit{
			{"a/1", []doc{{"1", l, "one"}}}, {"b/1", []doc{{"1", l, "one"}}}, {"c/1", []doc{{"1", "https://a.example", "one"}}},
		}, []store.StoryID{1, 2, 3}},
		"a link on several items": {[]visit{
			{"a/1", []doc{{"1", l + "live", "one"}, {"2", l + "live", "two"}}}, {"b/1", []doc{{"1", l + "live", "three"}}},
		}, []store.StoryID{1, 2, 3}},
		"a link on several items of the other": {[]visit{
			{"b/1", []doc{{"1", l + "live", "three"}}}, {"a/1", []doc{{"1", l + "live", "one"}, {"2", l + "live", "two"}}},
		}, []store.StoryID{1, 2, 3}},
		"not within one outlet": {[]visit{
			{"a/1", []doc{{"1", l + "1", "one"}}},
			{"a/1", []doc{{"2", l + "1", "two"}, {"1", l + "other", "one"}}},
		}, []store.StoryID{1, 2}},
		"the story is settled at arrival": {[]visit{
			{"a/1", []doc{{"1", l + "1", "one"}}}, {"b/1", []doc{{"1", l + "2", "two"}}}, {"b/1", []doc{{"1", l + "1", "two"}}},
			{"c/1", []doc{{"1", l + "1", "three"}}},
		}, []store.StoryID{1, 2, 1}},
		"a link that the other has no more": {[]visit{
			{"a/1", []doc{{"1", l + "live", "one"}}}, {"a/1", []doc{{"1", l + "1", "one"}}}, {"b/1", []doc{{"1", l + "live", "two"}}},
		}, []store.StoryID{1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPaper(t)
			for _, v := range c.visits {
				p.poll(v.feed, v.docs...)
			}
			var got []store.StoryID
			for _, it := range p.items() {
				got = append(got, it.Story)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("\n got %v\nwant %v: %s", got, c.want, p.list())
			}
		})
	}
}

// An edit shows at once; Updated moves at most once an hour.
func TestEdits(t *testing.T) {
	p := newPaper(t)
	edit := func(minutes int, title string, claimed time.Time, updated int) {
		t.Helper()
		p.at = start.Add(time.Duration(minutes) * time.Minute)
		a := doc{"1", "https://a.example/1", title}.arrival()
		a.Body.Published, a.Body.Updated = start.Add(-time.Hour-time.Duration(minutes)*time.Second), claimed // no edit moves it
		got := p.save("a/1", a)
		it := p.items()[0]
		if it.Title != title {
			t.Errorf("after %d minutes: it still shows %q", minutes, it.Title)
		}
		if want := start.Add(time.Duration(updated) * time.Minute); !it.Updated.Equal(want) {
			t.Errorf("after %d minutes: Updated is %v, want %v", minutes, it.Updated, want)
		}
		if !it.Date.Equal(start.Add(-time.Hour)) || !it.Arrived.Equal(start) {
			t.Errorf("after %d minutes: date %v, arrived %v", minutes, it.Date, it.Arrived)
		}
		for b, err := range p.Bodies(t.Context(), it.ID) {
			if err != nil || b.Content != title {
				t.Errorf("after %d minutes: the body is %q: %v", minutes, b.Content, err)
			}
		}
		if got.Changed > 1 || got.New > 1 {
			t.Errorf("after %d minutes: %+v", minutes, got)
		}
	}
	no := time.Time{}
	edit(0, "one", no, -60)
	edit(30, "two", no, -60) // within the hour of its arrival
	edit(61, "three", no, 61)
	edit(119, "four", no, 61)
	edit(121, "five", no, 121)
	edit(121, "five", no, 121)
	edit(200, "five", no, 121)                          // no edit
	edit(300, "six", start.Add(290*time.Minute), 290)   // as the outlet says
	edit(400, "seven", start.Add(10000*time.Hour), 400) // which must not be in the future
	edit(500, "eight", start.Add(100*time.Minute), 500) // or before the one that is shown
}

func TestClaimedUpdate(t *testing.T) {
	for _, c := range []struct {
		name               string
		published, updated time.Time
		date, shown        time.Time
	}{
		{"both", start.Add(-2 * time.Hour), start.Add(-time.Hour), start.Add(-2 * time.Hour), start.Add(-time.Hour)},
		{"published only", start.Add(-2 * time.Hour), time.Time{}, start.Add(-2 * time.Hour), start.Add(-2 * time.Hour)},
		{"updated only", time.Time{}, start.Add(-time.Hour), start.Add(-time.Hour), start.Add(-time.Hour)},
		{"none", time.Time{}, time.Time{}, start, start},
		{"updated before published", start.Add(-time.Hour), start.Add(-2 * time.Hour), start.Add(-time.Hour), start.Add(-time.Hour)},
		{"updated in the future", start.Add(-time.Hour), start.Add(time.Hour), start.Add(-time.Hour), start.Add(-time.Hour)},
		{"published in the future", start.Add(time.Hour), time.Time{}, start, start},
	} {
		p := newPaper(t)
		a := doc{"1", "", "one"}.arrival()
		a.Body.Published, a.Body.Updated = c.published, c.updated
		p.save("a/1", a)
		if it := p.items()[0]; !it.Date.Equal(c.date) || !it.Updated.Equal(c.shown) {
			t.Errorf("%s: date %v, updated %v; want %v, %v", c.name, it.Date, it.Updated, c.date, c.shown)
		}
	}
}

// Another picture shows, but is no news. Of several feeds, the version of the first counts.
func TestSmallChanges(t *testing.T) {
	p := newPaper(t)
	a := doc{"https://a.example/#1", "https://a.example/1", "one"}.arrival()
	p.save("a/1", a)
	before := p.items()[0]
	p.at = start.Add(5 * time.Hour)
	a.Item.Image, a.Item.Rest = "https://a.example/1.png", 1
	if got := p.save("a/1", a); got.Changed != 1 {
		t.Errorf("another picture: %+v", got)
	}
	it := p.items()[0]
	if it.Image != a.Item.Image || it.Updated != before.Updated || it.Revision <= before.Revision {
		t.Errorf("another picture: %+v", it)
	}
	short := doc{"https://a.example/#1", "https://a.example/1", "one, in short"}.arrival()
	for i, want := range []int{1, 0, 0} { // the second feed is new to the item once
		if got := p.save("a/2", short); got.Changed != want || got.New != 0 {
			t.Errorf("the second feed, poll %d: %+v", i, got)
		}
		if got := p.save("a/1", a); got.Changed != 0 {
			t.Errorf("the first feed, poll %d: %+v", i, got)
		}
	}
	if it := p.items()[0]; it.Title != "one" || len(it.Feeds) != 2 {
		t.Errorf("%+v", it)
	}
}

func TestItemDate(t *testing.T) {
	for claimed, want := range map[time.Time]time.Time{
		{}:                      start,
		time.Unix(0, 0).UTC():   start,
		start.Add(-time.Hour):   start.Add(-time.Hour),
		start:                   start,
		start.Add(time.Second):  start,
		start.AddDate(74, 0, 0): start,
		time.Date(1989, 12, 31, 23, 59, 59, 0, time.UTC): start,
		time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC):      time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC):      start,
	} {
		if got := store.ItemDate(claimed, start); !got.Equal(want) {
			t.Errorf("%v: %v, want %v", claimed, got, want)
		}
	}
}

// Undated items keep their document's order, also when the next document brings more.
func TestUndated(t *testing.T) {
	p := newPaper(t)
	p.poll("a/1", doc{"2", "", "2"}, doc{"1", "", "1"})
	p.poll("a/1", doc{"4", "", "4"}, doc{"3", "", "3"}, doc{"2", "", "2"}, doc{"1", "", "1"})
	var got string
	for it, err := range p.Items(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		got += fmt.Sprint(it.Title, " ")
	}
	if got != "4 3 2 1 " {
		t.Error(got)
	}
}

// Settle changes nothing of what it is given.
func TestSettleIsPure(t *testing.T) {
	poll := store.Poll{At: start.Add(123), State: store.FeedState{Outlet: "a", URL: "u", LastPoll: start.Add(123)},
		Arrivals: []store.Arrival{
			doc{"https://a.example/?p=1", "https://a.example/1", "one"}.arrival(), doc{"7", "", "x"}.arrival(), doc{"7", "", "y"}.arrival(),
		}}
	poll.Arrivals[0].Body.Published = start.Add(-1)
	known := store.Known{State: store.FeedState{Outlet: "a", URL: "u", Ambiguous: make([]store.Key, 1, 10)}, Next: 1}
	first := fmt.Sprintf("%+v", store.Settle(&poll, known))
	if second := fmt.Sprintf("%+v", store.Settle(&poll, known)); second != first {
		t.Errorf("first  %s\nsecond %s", first, second)
	}
	if poll.At != start.Add(123) || poll.State.LastPoll != poll.At || !poll.Arrivals[0].Body.Published.Equal(start.Add(-1)) {
		t.Errorf("the poll was changed: %+v", poll)
	}
}

// Many new items at once are stored like any others, and noted; a feed's first document is no flood.
func TestFloodIsNoted(t *testing.T) {
	p := newPaper(t)
	many := func(from, n int) (ds []doc) {
		for i := range n {
			id := fmt.Sprint(from + i)
			ds = append(ds, doc{id, "https://a.example/" + id, id})
		}
		return ds
	}
	flood := func() time.Time {
		for f, err := range p.Feeds(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			return f.Flood
		}
		return time.Time{}
	}
	p.poll("a/1", many(0, 150)...)
	if at := flood(); !at.IsZero() {
		t.Error("a first document counts as a flood")
	}
	p.poll("a/1", many(1000, store.FloodItems)...)
	if at := flood(); !at.IsZero() {
		t.Errorf("%d items count as a flood", store.FloodItems)
	}
	p.poll("a/1", many(2000, store.FloodItems+1)...)
	if at := flood(); at.IsZero() {
		t.Error("a flood was not noted")
	}
}
