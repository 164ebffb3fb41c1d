package storetest

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
)

func checkIdentity(t *testing.T, s *session) {
	id, created := s.ID(), s.Created()
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("the id %q is no random UUID", id)
	}
	if d := time.Since(created); d < -time.Minute || d > time.Hour {
		t.Errorf("created %v", created)
	}
	other := s.keeper.Open(t)
	defer other.Close()
	if n, err := other.(store.Sizer).Size(t.Context()); n <= 0 || err != nil {
		t.Errorf("a new store takes %d bytes; %v", n, err)
	}
	if other.ID() == id {
		t.Error("two stores have one id")
	}
	s.reopen(t)
	expect(t, "id", s.ID(), id)
	expect(t, "created", s.Created(), created)
	expect(t, "revision of a new store", s.revision(t), 0)
	same(t, look(t, s), picture{})
}

// odd is text with what encoders stumble over.
const odd = "\x01 <b>&amp;</b> \"q\" \\ \t\r\n'; DROP TABLE items; -- \u202e \u2028 é 漢字 🗞 \ufeff %s \x7f"

func checkRoundTrip(t *testing.T, s *session) {
	full := arrival("guid "+odd, "https://a.example/1?"+odd, "title "+odd, start.Add(-time.Hour))
	full.Item.Lead, full.Item.Language, full.Item.Detected = "lead "+odd, "sr-Latn", "sr"
	full.Item.Authors = []store.Author{{Name: odd, Email: "a@b.example", URL: "https://a.example/me"}, {}}
	full.Item.Categories = []store.Category{{Term: "t", Scheme: "s", Label: "l"}, {Term: odd}}
	full.Item.Enclosures = []store.Enclosure{{URL: "u", Type: "audio/mpeg", Length: 1 << 60, Title: odd, Duration: time.Hour}, {URL: "v", Length: 0}, {URL: "w", Length: -1}}
	full.Item.Image, full.Item.Words = "https://a.example/i.png", 123456
	full.Item.Text, full.Item.Rest = 1<<64-1, 1<<63
	full.Body = store.Body{Summary: odd, Content: strings.Repeat(odd, 5000), Comments: "c", Rights: "r", License: "li",
		Secret: true, Published: start.Add(-time.Hour), Updated: start.Add(-time.Minute),
		Pictures: []store.Picture{{URL: "p", Width: 640, Height: 480, Caption: odd, Credit: "pc"}, {}},
		Podcast: store.Podcast{Title: odd, Type: "full", Season: 2, SeasonName: "sn", Episode: "3.5", EpisodeName: "en", Explicit: "false",
			Duration: 90 * time.Minute, Image: "pi", Blocked: true, Chapters: store.PodcastFile{URL: "ch", Type: "application/json+chapters"},
			Transcripts: []store.PodcastFile{{URL: "tr", Type: "text/vtt", Language: "es", Rel: "captions"}, {}},
			Persons:     []store.PodcastPerson{{Name: odd, Role: "guest", Group: "cast", Image: "im", URL: "https://a.example/me"}, {}}},
		Feed: store.Origin{ID: "fi", Title: odd, Subtitle: "<p>fs</p>", Link: "fl", Feed: "ff", Image: "fp", Rights: "fr", Updated: start, Issued: start.Add(-time.Hour),
			Authors: []store.Author{{Name: odd, Email: "a@b.example", URL: "fu"}, {}}, Categories: []store.Category{{Term: odd, Scheme: "s", Label: "l"}, {}}},
		Origin: store.Origin{Title: "ot"}}
	empty := store.Arrival{Item: store.Item{Text: 7}}
	p := poll("a", start, full, empty)
	s.save(t, p)
	check := func() {
		t.Helper()
		items := s.items(t, store.Query{ByArrival: true})
		if len(items) != 2 {
			t.Fatalf("%d items", len(items))
		}
		want := full.Item
		want.ID, want.Story, want.Outlet, want.Feeds = 2, 2, "a", []string{feedOf("a")}
		want.Date, want.Arrived, want.Updated, want.Moved, want.Changed = start.Add(-time.Hour), start, start.Add(-time.Minute), start, start
		want.PublishedID, want.LinkHash, want.Revision = items[0].PublishedID, items[0].LinkHash, 1
		expect(t, "full item", items[0], want)
		if want.PublishedID == "" || want.LinkHash == 0 {
			t.Error("no published id or no hash of the link")
		}
		want = store.Item{ID: 1, Story: 1, Outlet: "a", Feeds: want.Feeds, PublishedID: items[1].PublishedID,
			Date: start, Arrived: start, Updated: start, Moved: start, Changed: start, Text: 7, Revision: 1}
		expect(t, "empty item", items[1], want)
		bodies := all(t, s.Bodies(t.Context(), 2, 1))
		full.Body.Item = 2
		expect(t, "bodies", bodies, []store.Body{full.Body, {Item: 1}})
	}
	check()
	s.reopen(t)
	check()
	if again := s.save(t, p)[0]; again.New != 0 || again.Changed != 0 {
		t.Errorf("the same poll again: %+v", again)
	}
}

func checkStates(t *testing.T, s *session) {
	full := store.FeedState{Outlet: "b", URL: "https://b.example/" + odd, Title: odd,
		Validators: store.Validators{For: "x", ETag: []byte("W/\"a\x80\xff b\"\x00"), LastModified: []byte("Sat, 16 Nov 2041 \xe9")},
		Document:   store.Key{1, 2, 3, 255},
		LastTry:    start.Add(time.Second), LastPoll: start, LastSuccess: start.Add(-time.Hour), NextPoll: start.Add(time.Hour),
		Reason: odd, Status: 429, Failures: 7, Err: odd, Damaged: true, Gone: true, Private: true,
		FreshUntil: start.Add(time.Minute), TTL: 90 * time.Minute, RetryAfter: start.Add(24 * time.Hour), HostHold: true}
	var polls []store.Poll
	for _, f := range []store.FeedState{
		full, {Outlet: "b", URL: "https://b.example/"}, {Outlet: "a", URL: "z"}, {Outlet: "a-b", URL: "a"}, {Outlet: "a", URL: "b"},
		{Outlet: "a", URL: "Z"}, {Outlet: "B", URL: "a"}, // by their bytes in front of small letters
	} {
		polls = append(polls, store.Poll{At: start, State: f})
	}
	polls[0].Bytes, polls[0].Took = 12345, 67*time.Millisecond
	saved := s.save(t, polls...)
	if h := saved[0].State.History; len(h.Visits) == 0 || h.Bytes != 12345 || h.Took != 67*time.Millisecond || len(h.Breakdowns) != 1 {
		t.Errorf("the history after a visit: %+v", h)
	}
	full.Saves = 1
	for i := range polls {
		polls[i].State.Saves = 1
	}
	full.History = saved[0].State.History
	want := []store.FeedState{polls[6].State, polls[5].State, polls[4].State, polls[2].State, polls[3].State, polls[1].State, full}
	expect(t, "saved state", saved[0].State, full)
	expect(t, "states in order", all(t, s.Feeds(t.Context())), want)
	s.reopen(t)
	expect(t, "states in order", all(t, s.Feeds(t.Context())), want)
	expect(t, "revision after polls without items", s.revision(t), 0)

	// What the store itself counts cannot be overwritten.
	a := store.Poll{At: start, State: polls[4].State, Arrivals: []store.Arrival{arrival("1", "", "one", time.Time{}), arrival("1", "", "two", time.Time{})}}
	f := s.save(t, a)[0].State
	if f.Items != 2 || !f.LastNewItem.Equal(start) || len(f.Ambiguous) == 0 {
		t.Errorf("after two items with one guid: %+v", f)
	}
	a.At, a.Arrivals, a.State = start.Add(time.Hour), nil, store.FeedState{Outlet: "a", URL: "b", Items: 99, LastNewItem: start.Add(time.Hour), Err: "gone away", History: store.History{Polls: 99}}
	f.Err, f.Saves = "gone away", 3
	expect(t, "state after a poll without a document", s.save(t, a)[0].State, f)
	expect(t, "stored state", s.state(t, "a", "b"), f)
}

// checkVisits counts each visit once, whether it brought a document or not and however often it is saved.
func checkVisits(t *testing.T, s *session) {
	p := poll("a", start, arrival("1", "", "one", time.Time{}))
	for n := range 4 {
		saved := s.save(t, p)[0].State
		expect(t, "polls", saved.History.Polls, n+1)
		s.reopen(t)
		again := p
		again.State.Saves = saved.Saves - 1 // its answer was lost
		if saved = s.save(t, again)[0].State; n == 3 {
			again.State = saved
			again.State.Outage, again.Arrivals = true, nil // it turns out that we had no network
			saved = s.save(t, again)[0].State
		}
		expect(t, "polls, saved again", saved.History.Polls, n+1)
		var outcomes string
		for at, outcome := range saved.History.LastVisits() {
			if want := start.Add(time.Duration(len(outcomes)) * time.Hour).Truncate(time.Second); !at.Equal(want) {
				t.Errorf("visit at %v, want %v", at, want)
			}
			outcomes += string(outcome)
		}
		expect(t, "visits", outcomes, []string{"n", "n-", "n--", "n--o"}[n])
		at := start.Add(time.Duration(n+1) * time.Hour)
		p = store.Poll{At: at, State: saved}
		p.State.LastTry, p.State.LastPoll, p.State.LastSuccess = at, at, at
	}
}

func checkMoments(t *testing.T, s *session) {
	zone := time.FixedZone("", 5*3600+1800)
	at := start.Add(789).In(zone) // 789 ns more than a keeper keeps
	far := time.Date(292000, 1, 1, 0, 0, 0, 0, time.UTC)
	old := time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC)
	a := arrival("1", "", "one", start.Add(-time.Hour).Add(999).In(zone))
	a.Body.Updated, a.Body.Feed.Updated, a.Body.Origin.Updated, a.Body.Origin.Issued = far, old, far, far
	p := poll("a", at, a)
	p.State.NextPoll, p.State.RetryAfter = far, old
	saved := s.save(t, p)[0]
	end := time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)
	check := func(f store.FeedState) {
		t.Helper()
		expect(t, "last poll", f.LastPoll, start)
		expect(t, "next poll", f.NextPoll, end)
		expect(t, "retry after", f.RetryAfter, time.Time{})
	}
	check(saved.State)
	s.reopen(t)
	check(all(t, s.Feeds(t.Context()))[0])
	it := s.items(t, store.Query{})[0]
	expect(t, "times of the item", []time.Time{it.Date, it.Arrived, it.Updated, it.Moved, it.Changed},
		[]time.Time{start.Add(-time.Hour), start, start.Add(-time.Hour), start, start})
	b := all(t, s.Bodies(t.Context(), it.ID))[0]
	expect(t, "times of the body", []time.Time{b.Published, b.Updated, b.Feed.Updated, b.Origin.Updated, b.Origin.Issued}, []time.Time{start.Add(-time.Hour), end, {}, end, end})
}

func checkSeveralPolls(t *testing.T, s *session) {
	one := poll("a", start, arrival("https://a.example/#1", "https://a.example/1", "one", start))
	two := one
	two.State.URL = "https://a.example/other"
	two.At = start.Add(time.Second)
	three := poll("b", start.Add(2*time.Second), arrival("https://b.example/#1", "https://a.example/1", "one", start))
	edited := poll("a", start.Add(3*time.Second), arrival("https://a.example/#1", "https://a.example/1", "one, edited", start))
	saved := s.save(t, one, two, three, edited)
	var got [][2]int
	for _, r := range saved {
		got = append(got, [2]int{r.New, r.Changed})
	}
	expect(t, "new and changed", got, [][2]int{{1, 0}, {0, 1}, {1, 0}, {0, 1}})
	items := s.items(t, store.Query{ByArrival: true})
	expect(t, "titles", titles(items), []string{"one", "one, edited"})
	expect(t, "stories", []store.StoryID{items[0].Story, items[1].Story}, []store.StoryID{1, 1})
	expect(t, "feeds of the first", items[1].Feeds, []string{feedOf("a"), "https://a.example/other"})
	expect(t, "revision", s.revision(t), 1)
	if saved, err := s.SavePolls(t.Context()); err != nil || len(saved) != 0 {
		t.Errorf("no polls: %v %v", saved, err)
	}
}

func checkRevisions(t *testing.T, s *session) {
	p := poll("a", start, arrival("1", "", "one", time.Time{}), arrival("2", "", "two", time.Time{}))
	step := func(what string, moves bool) {
		t.Helper()
		before := s.revision(t)
		s.save(t, p)
		if now := s.revision(t); (now > before) != moves {
			t.Errorf("%s: revision %d after %d", what, now, before)
		}
	}
	step("new items", true)
	step("nothing new", false)
	p.State.Err, p.State.Failures, p.State.Title = "timeout", 3, "T"
	step("another state", false)
	p.Arrivals[0] = arrival("1", "", "one!", time.Time{})
	step("an edit", true)
	p.Arrivals[0].Item.Rest++
	step("another picture", true)
	p.State.URL += "2"
	p.Arrivals = []store.Arrival{arrival("3", "https://a.example/3", "three", time.Time{})}
	step("another feed", true)
	p.State.URL = feedOf("a")
	step("a second feed carries an item", true)
	step("again", false)
	rev := s.revision(t)
	s.reopen(t)
	expect(t, "revision after reopening", s.revision(t), rev)
	for _, it := range s.items(t, store.Query{}) {
		if it.Revision < 1 || it.Revision > rev {
			t.Errorf("item %d has revision %d of %d", it.ID, it.Revision, rev)
		}
	}
}

func checkContexts(t *testing.T, s *session) {
	s.save(t, poll("a", start, arrival("1", "", "one", time.Time{})))
	before := look(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wants := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: %v", what, err)
		}
	}
	_, err := s.SavePolls(ctx, poll("a", start, arrival("2", "", "two", time.Time{})))
	wants("SavePolls", err)
	_, err = s.Revision(ctx)
	wants("Revision", err)
	_, err = s.Months(ctx)
	wants("Months", err)
	_, err = s.Prune(ctx, start.Add(time.Hour), 10)
	wants("Prune", err)
	_, err = s.Rename(ctx, store.Rename{From: store.FeedName{Outlet: "a"}, To: store.FeedName{Outlet: "b"}})
	wants("Rename", err)
	for _, err := range s.Items(ctx, store.Query{}) {
		wants("Items", err)
	}
	for _, err := range s.Bodies(ctx, 1) {
		wants("Bodies", err)
	}
	for _, err := range s.Stories(ctx, 1) {
		wants("Stories", err)
	}
	for _, err := range s.Find(ctx, "1") {
		wants("Find", err)
	}
	for _, err := range s.Changes(ctx, 1) {
		wants("Changes", err)
	}
	for _, err := range s.Feeds(ctx) {
		wants("Feeds", err)
	}
	same(t, look(t, s), before)
}
