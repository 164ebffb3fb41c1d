package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
)

func checkOrder(t *testing.T, s *session) {
	hour := func(n int) time.Time { return start.Add(time.Duration(n) * time.Hour) }
	s.save(t, poll("a", start,
		arrival("1", "", "undated 1", time.Time{}),
		arrival("2", "", "two days", hour(-48)),
		arrival("3", "", "undated 2", time.Time{}),
		arrival("4", "", "future", hour(24*365)),
		arrival("5", "", "before 1990", time.Unix(0, 0)),
		arrival("6", "", "1990", time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)),
	))
	s.save(t, poll("b", hour(1),
		arrival("1", "", "same date, later", hour(-48)),
		arrival("2", "", "a microsecond later", hour(-48).Add(time.Microsecond)),
		arrival("3", "", "newest", hour(1)),
	))
	want := []string{"newest", "undated 1", "undated 2", "future", "before 1990",
		"a microsecond later", "same date, later", "two days", "1990"}
	expect(t, "newest date first", titles(s.items(t, store.Query{})), want)
	// An edit and a date that the outlet changes move nothing.
	s.save(t, poll("a", hour(9), arrival("2", "", "two days, edited", hour(8))))
	want[7] = "two days, edited"
	s.reopen(t)
	expect(t, "after an edit", titles(s.items(t, store.Query{})), want)
}

func checkArrivals(t *testing.T, s *session) {
	s.save(t, poll("a", start, arrival("1", "", "1", start.Add(-time.Hour)), arrival("2", "", "2", start.Add(-time.Minute))))
	s.save(t, poll("b", start.Add(time.Hour), arrival("3", "", "3", start.Add(-24*time.Hour))))
	got := s.items(t, store.Query{ByArrival: true})
	expect(t, "newest arrival first", titles(got), []string{"3", "1", "2"})
	expect(t, "numbers", ids(got), []store.ItemID{3, 2, 1})
	expect(t, "of one outlet", titles(s.items(t, store.Query{ByArrival: true, Outlets: []string{"a"}})), []string{"1", "2"})
}

func checkBounds(t *testing.T, s *session) {
	for i, o := range []string{"a", "b", "a", "b", "a"} {
		s.save(t, poll(o, start.Add(time.Duration(i)*time.Hour), arrival(fmt.Sprint(i), "", fmt.Sprint(i), start.Add(-time.Duration(i)*time.Hour))))
	}
	// The clock stood wrong for a while: what came then neither ends the walk nor is in it.
	s.save(t, poll("a", start.Add(-1000*aDay), arrival("early", "", "early", time.Time{})))
	s.save(t, poll("b", start.Add(5*time.Hour), arrival("5", "", "5", time.Time{})))
	hour := func(n int) time.Time { return start.Add(time.Duration(n) * time.Hour) }
	for _, c := range []struct {
		q    store.Query
		want []string
	}{
		{store.Query{From: hour(1)}, []string{"5", "4", "3", "2", "1"}},
		{store.Query{From: hour(1).Add(time.Microsecond)}, []string{"5", "4", "3", "2"}},
		{store.Query{Until: hour(1)}, []string{"early", "0"}},
		{store.Query{From: hour(1), Until: hour(4)}, []string{"3", "2", "1"}},
		{store.Query{From: hour(1), Until: hour(4), Outlets: []string{"b"}}, []string{"3", "1"}},
		{store.Query{From: hour(6)}, nil},
	} {
		c.q.ByArrival = true
		expect(t, fmt.Sprintf("%+v", c.q), titles(s.items(t, c.q)), c.want)
	}
}

func checkMonths(t *testing.T, s *session) {
	months := func(pruned time.Time, want ...string) {
		t.Helper()
		for range 2 {
			m, err := s.Months(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, month := range m.Stored {
				got = append(got, month.Format("2006-01-02T15:04:05 MST"))
			}
			for i := range want {
				if len(want[i]) == len("2006-01") {
					want[i] += "-01T00:00:00 UTC"
				}
			}
			expect(t, "months", got, want)
			expect(t, "pruned", m.Pruned, pruned)
			s.reopen(t)
		}
	}
	months(time.Time{})
	at := func(month time.Month, day int) time.Time { return time.Date(2025, month, day, 0, 0, 0, 0, time.UTC) }
	edge := at(6, 1).Add(-time.Microsecond)
	s.save(t, poll("a", at(3, 31), arrival("1", "", "1", time.Time{}), arrival("2", "", "2", time.Time{})),
		poll("b", edge, arrival("3", "", "3", time.Time{})), poll("c", at(6, 1), arrival("4", "", "4", time.Time{})))
	s.save(t, poll("a", at(9, 1), arrival("1", "", "1, edited", time.Time{}))) // nothing arrived
	months(time.Time{}, "2025-03", "2025-05", "2025-06")
	s.prune(t, at(7, 1), 1)
	months(at(3, 31), "2025-03", "2025-05", "2025-06")
	s.prune(t, at(6, 1), 10)
	months(edge, "2025-06")
	s.save(t, poll("d", at(1, 1), arrival("5", "", "5", time.Time{})))
	s.prune(t, at(2, 1), 10)
	months(edge, "2025-06") // pruned last, but not the latest
	s.prune(t, at(12, 1), 10)
	months(at(6, 1))

	// What was on its way when its month ended arrives in the one that is open, also of one that is pruned by now; what
	// comes much later has another clock.
	s.save(t, poll("e", edge, arrival("6", "", "6", time.Time{})))
	months(at(6, 1), "2025-06")
	edge = at(8, 1).Add(-time.Second)
	s.save(t, poll("e", at(8, 1).Add(time.Second), arrival("7", "", "7", time.Time{})),
		poll("a", edge, arrival("8", "", "8", time.Time{})), poll("b", edge.AddDate(0, 0, -1), arrival("9", "", "9", time.Time{})))
	months(at(6, 1), "2025-06", "2025-07", "2025-08")
	late := s.items(t, store.Query{ByArrival: true, From: at(8, 1)})
	expect(t, "late items", titles(late), []string{"8", "7"})
	expect(t, "arrival and date", []time.Time{late[0].Arrived, late[0].Date}, []time.Time{at(8, 1), edge})
}

func checkOutlets(t *testing.T, s *session) {
	for i, o := range []string{"a", "ab", "b", "a"} {
		s.save(t, poll(o, start.Add(time.Duration(i)*time.Hour), arrival(fmt.Sprint(i), "", o+fmt.Sprint(i), time.Time{})))
	}
	for _, c := range []struct {
		outlets []string
		want    []string
	}{
		{nil, []string{"a3", "b2", "ab1", "a0"}},
		{[]string{}, nil},
		{[]string{"a"}, []string{"a3", "a0"}},
		{[]string{"b", "ab", "nobody"}, []string{"b2", "ab1"}},
		{[]string{"", "nobody"}, nil},
	} {
		expect(t, fmt.Sprintf("%q", c.outlets), titles(s.items(t, store.Query{Outlets: c.outlets})), c.want)
	}

	// So many outlets that they are looked up in another way, and items of one date.
	var arrivals []store.Arrival
	names := []string{"many"}
	for i := range 700 {
		arrivals = append(arrivals, arrival(fmt.Sprint(i), "", fmt.Sprint(i), time.Time{}))
		names = append(names, fmt.Sprint("nobody", i))
	}
	s.save(t, poll("many", start, arrivals...))
	for _, n := range []int{1, len(names)} {
		got := titles(s.items(t, store.Query{Outlets: names[:n]}))
		if len(got) != len(arrivals) {
			t.Errorf("%d of %d items of one date, of %d outlets", len(got), len(arrivals), n)
		}
		for i, title := range got {
			if title != fmt.Sprint(i) {
				t.Fatalf("item %d of %d outlets is %s", i, n, title)
			}
		}
	}
}

func checkIDs(t *testing.T, s *session) {
	var arrivals []store.Arrival
	for i := range 5 {
		arrivals = append(arrivals, arrival(fmt.Sprint(i), "", fmt.Sprint(5-i), time.Time{}))
	}
	s.save(t, poll("a", start, arrivals...))
	q := store.Query{IDs: []store.ItemID{4, 99, 1, 5, 0}, Outlets: []string{"b"}, Since: 7, ByArrival: true}
	expect(t, "in the order asked for", titles(s.items(t, q)), []string{"4", "1", "5"})
	expect(t, "none", len(s.items(t, store.Query{IDs: []store.ItemID{}})), 0)
}

func checkSince(t *testing.T, s *session) {
	s.save(t, poll("a", start, arrival("1", "", "1", time.Time{}), arrival("2", "", "2", time.Time{}), arrival("3", "", "3", time.Time{})))
	first := s.revision(t)
	s.save(t, poll("b", start.Add(time.Hour), arrival("4", "", "4", time.Time{})))
	second := s.revision(t)
	s.save(t, poll("a", start.Add(2*time.Hour), arrival("2", "", "2, edited", time.Time{})))
	third := s.revision(t)
	since := func(rev store.Revision, outlets ...string) []string {
		t.Helper()
		got := titles(s.items(t, store.Query{Since: rev, Outlets: outlets}))
		slices.Sort(got)
		return got
	}
	for range 2 {
		expect(t, "since the beginning", since(0), []string{"1", "2, edited", "3", "4"})
		expect(t, "since the first", since(first), []string{"2, edited", "4"})
		expect(t, "since the second", since(second), []string{"2, edited"})
		expect(t, "since the third", since(third), nil)
		expect(t, "since the future", since(third+5), nil)
		expect(t, "of one outlet", since(first, "b"), []string{"4"})
		s.reopen(t)
	}
}

func checkBodies(t *testing.T, s *session) {
	var arrivals []store.Arrival
	for i := range 6 {
		a := arrival(fmt.Sprint(i), "", fmt.Sprint(6-i), time.Time{})
		a.Body = store.Body{Content: strings.Repeat("x", i*i*i*1000)}
		arrivals = append(arrivals, a)
	}
	s.save(t, poll("a", start, arrivals...))
	var sizes []int
	for _, b := range all(t, s.Bodies(t.Context(), 3, 77, 6, 1)) {
		sizes = append(sizes, len(b.Content))
	}
	expect(t, "sizes", sizes, []int{27000, 0, 125000})
	if got := all(t, s.Bodies(t.Context())); got != nil {
		t.Errorf("no ids: %v", got)
	}
	// An edit brings a new body.
	arrivals[3].Item.Text++
	arrivals[3].Body.Content = "new"
	s.save(t, poll("a", start.Add(time.Hour), arrivals...))
	expect(t, "edited", all(t, s.Bodies(t.Context(), 3))[0], store.Body{Item: 3, Content: "new"})
}

func checkStories(t *testing.T, s *session) {
	link := "https://a.example/1"
	s.save(t, poll("a", start, arrival("https://a.example/?p=1", link, "a", time.Time{}), arrival("2", "https://a.example/2", "alone", time.Time{})))
	before := s.items(t, store.Query{IDs: []store.ItemID{2}})[0]
	s.save(t, poll("b", start.Add(time.Hour), arrival("x", link, "b", time.Time{})))
	s.save(t, poll("c", start.Add(time.Hour), arrival("y", link, "c", time.Time{})))
	for range 2 {
		want := []store.Story{
			{ID: 2, PublishedID: "https://a.example/?p=1", Items: []store.ItemID{2, 3, 4}, Ties: byLink(link, 2, 3, 4)},
			{ID: 1, PublishedID: s.items(t, store.Query{IDs: []store.ItemID{1}})[0].PublishedID, Items: []store.ItemID{1}},
		}
		expect(t, "stories", all(t, s.Stories(t.Context(), 2, 99, 3, 1)), want)
		s.reopen(t)
	}
	var stories []store.StoryID
	var copies []string
	for _, it := range s.items(t, store.Query{ByArrival: true}) {
		stories, copies = append(stories, it.Story), append(copies, it.CopyOf)
	}
	expect(t, "stories of the items", stories, []store.StoryID{2, 2, 2, 1})
	expect(t, "what they are copies of", copies, []string{"https://a.example/?p=1", "https://a.example/?p=1", "", ""})
	expect(t, "the first item, which a join leaves as it is", s.items(t, store.Query{IDs: []store.ItemID{2}})[0], before)
}

// byLink are the ties of items that share a link with a partner.
func byLink(link string, partner store.ItemID, items ...store.ItemID) (ties []store.Tie) {
	for _, id := range items {
		if id != partner {
			ties = append(ties, store.Tie{Item: id, Partner: partner, Layer: store.ByLink, Why: link})
		}
	}
	return ties
}

func checkPublishedIDs(t *testing.T, s *session) {
	const own = "https://a.example/?p=1"
	s.save(t, poll("a", start, arrival(own, "", "a", time.Time{}), arrival("7", "", "seven", time.Time{})))
	items := s.items(t, store.Query{})
	expect(t, "the outlet's own id", items[0].PublishedID, own)
	// Another outlet comes with ids that are taken: the first one's own, and the tag that was made for it.
	s.save(t, poll("b", start.Add(time.Hour), arrival(own, "", "b1", time.Time{}), arrival(items[1].PublishedID, "", "b2", time.Time{})))
	s.save(t, poll("c", start.Add(time.Hour), arrival(own, "", "c1", time.Time{}), arrival("tag:c.example,2025:1", "", "c2", time.Time{})))
	seen := map[string]bool{}
	items = s.items(t, store.Query{})
	for _, it := range items {
		if seen[it.PublishedID] {
			t.Errorf("%s is published twice", it.PublishedID)
		}
		seen[it.PublishedID] = true
		if own := it.PublishedID == it.GUID; own != (it.Title == "a" || it.Title == "c2") {
			t.Errorf("%s: %s is published as %s", it.Title, it.GUID, it.PublishedID)
		}
	}
	if len(items) != 6 {
		t.Errorf("%d items", len(items))
	}
	// A tag that another outlet took before it was made gives way as well.
	forged := store.Item{}
	for n := 0; ; n++ {
		p := poll("d", start.Add(2*time.Hour), arrival("8", "", "eight", time.Time{}))
		if n == 0 {
			other := s.keeper.Open(t)
			if _, err := other.SavePolls(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			forged = all(t, other.Items(t.Context(), store.Query{}))[0]
			other.Close()
			s.save(t, poll("e", start, arrival(forged.PublishedID, "", "forged", time.Time{})))
			continue
		}
		s.save(t, p)
		break
	}
	got := s.items(t, store.Query{Outlets: []string{"d"}})
	if len(got) != 1 || got[0].PublishedID == forged.PublishedID || !strings.HasPrefix(got[0].PublishedID, "tag:d.example,2025:") {
		t.Errorf("%+v after %s was forged", got, forged.PublishedID)
	}
}
