package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
	"broadsheet/store/storetest"
)

// start is when the tests begin.
var start = time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)

// paper is a store and the clock of its polls.
type paper struct {
	*testing.T
	store.Store
	at time.Time
}

func newPaper(t *testing.T) *paper { return &paper{t, storetest.NewModel(), start} }

// doc is an item of a document: guid, link, title. Its text is its title.
type doc [3]string

func (d doc) arrival() store.Arrival {
	return store.Arrival{
		Item: store.Item{GUID: d[0], Link: d[1], Title: d[2], Text: hash(d[2] + "\x00" + d[1])},
		Body: store.Body{Content: d[2]}, Canonical: d[1],
	}
}

func hash(s string) (h uint64) {
	for _, c := range []byte(s) {
		h = h*31 + uint64(c) + 7
	}
	return h
}

// poll saves a document of a feed, "outlet/feed", an hour after the poll before.
func (p *paper) poll(feed string, docs ...doc) store.Saved {
	p.Helper()
	var arrivals []store.Arrival
	for _, d := range docs {
		arrivals = append(arrivals, d.arrival())
	}
	return p.save(feed, arrivals...)
}

func (p *paper) save(feed string, arrivals ...store.Arrival) store.Saved {
	p.Helper()
	outlet, _, _ := strings.Cut(feed, "/")
	saved, err := p.SavePolls(p.Context(), store.Poll{At: p.at, Arrivals: arrivals,
		State: store.FeedState{Outlet: outlet, URL: feedOf(feed), LastSuccess: p.at}})
	if err != nil {
		p.Fatal(err)
	}
	p.at = p.at.Add(time.Hour)
	return saved[0]
}

// feedOf is the address of a feed, "outlet/feed".
func feedOf(feed string) string {
	outlet, _, _ := strings.Cut(feed, "/")
	return "https://" + outlet + ".example/" + feed
}

// items are the items in the order of their arrival.
func (p *paper) items() (items []store.Item) {
	p.Helper()
	for it, err := range p.Items(p.Context(), store.Query{ByArrival: true}) {
		if err != nil {
			p.Fatal(err)
		}
		items = append(items, it)
	}
	slices.Reverse(items)
	return items
}

// list names the items, first arrival first: number, outlet, title, and how many feeds carried it if
// they are several.
func (p *paper) list() string {
	p.Helper()
	var names []string
	for _, it := range p.items() {
		n := fmt.Sprintf("%d %s %s", it.ID, it.Outlet, it.Title)
		if len(it.Feeds) > 1 {
			n += fmt.Sprintf(" x%d", len(it.Feeds))
		}
		names = append(names, n)
	}
	return strings.Join(names, ", ")
}

// A poll of the table below: the feed, and what its document holds, first to last.
type visit struct {
	feed string
	docs []doc
}

// TestIdentity goes through PRODUCT.md, "Identity". Of one document, the last item gets the lowest number.
func TestIdentity(t *testing.T) {
	const iri, l = "https://a.example/?p=", "https://a.example/"
	numbered := func(from, n int) (docs []doc) { // a document that numbers its items by their place
		for i := range n {
			docs = append(docs, doc{fmt.Sprint(i + 1), fmt.Sprint(l, from-i), fmt.Sprint("t", from-i)})
		}
		return docs
	}
	for name, c := range map[string]struct {
		visits []visit
		want   string
	}{
		"an absolute IRI identifies within the outlet": {[]visit{
			{"a/1", []doc{{iri + "1", l + "x", "one"}}},
			{"a/2", []doc{{iri + "1", l + "y", "one, otherwise"}}},
		}, "1 a one x2"},
		"a front page identifies where there is no guid": {[]visit{
			{"a/1", []doc{{"", l, "one"}}},
			{"a/1", []doc{{"", l, "one, edited"}}},
		}, "1 a one, edited"},
		"so does urn:": {[]visit{
			{"a/1", []doc{{"urn:isbn:0451450523", l + "x", "one"}}},
			{"a/2", []doc{{"urn:isbn:0451450523", l + "y", "one"}}},
		}, "1 a one x2"},
		"and tag:": {[]visit{
			{"a/1", []doc{{"tag:a.example,2020:1", "", "one"}}},
			{"a/2", []doc{{"tag:a.example,2020:1", "", "one"}}},
		}, "1 a one x2"},
		"but not in another outlet": {[]visit{
			{"a/1", []doc{{iri + "1", "", "one"}}},
			{"b/1", []doc{{iri + "1", "", "one"}}},
		}, "1 a one, 2 b one"},
		"a link identifies within the outlet": {[]visit{
			{"a/1", []doc{{"", l + "1", "one"}}},
			{"a/2", []doc{{"", l + "1", "one, otherwise"}}},
		}, "1 a one x2"},
		"another guid only within its feed": {[]visit{
			{"a/1", []doc{{"7", l + "1", "one"}}},
			{"a/2", []doc{{"7", l + "2", "two"}}},
		}, "1 a one, 2 a two"},
		"even if it looks like an IRI": {[]visit{
			{"a/1", []doc{{"post:7", "", "one"}, {"12:30", "", "two"}, {"a b://c", "", "three"}}},
			{"a/2", []doc{{"post:7", "", "four"}, {"12:30", "", "five"}, {"a b://c", "", "six"}}},
		}, "1 a three, 2 a two, 3 a one, 4 a six, 5 a five, 6 a four"},
		"unless the link is the same": {[]visit{
			{"a/1", []doc{{"7", l + "1", "one"}}},
			{"a/2", []doc{{"7", l + "1", "one"}}},
		}, "1 a one x2"},
		"two feeds and two guids, one link": {[]visit{
			{"a/1", []doc{{"7", l + "1", "one"}}},
			{"a/2", []doc{{"x9", l + "1", "one"}}},
			{"a/1", []doc{{"7", l + "1", "one"}}},
			{"a/2", []doc{{"x9", l + "1", "one"}}},
		}, "1 a one x2"},
		"the guid comes before link and title": {[]visit{
			{"a/1", []doc{{"7", l + "1", "one"}}},
			{"a/1", []doc{{"7", l + "2", "one, edited"}}},
		}, "1 a one, edited"},
		"the link comes before title and content": {[]visit{
			{"a/1", []doc{{"", l + "1", "one"}}},
			{"a/1", []doc{{"", l + "1", "one, edited"}}},
		}, "1 a one, edited"},
		"else title and content": {[]visit{
			{"a/1", []doc{{"", "", "one"}}},
			{"a/1", []doc{{"", "", "two"}, {"", "", "one"}}},
		}, "1 a one, 2 a two"},
		"exact copies are one": {[]visit{
			{"a/1", []doc{{"7", l + "1", "one"}, {"7", l + "1", "one"}, {"", "", "two"}, {"", "", "two"}}},
			{"a/1", []doc{{"7", l + "1", "one"}}},
		}, "1 a two, 2 a one"},
		"a key on several items identifies none: the link is added": {[]visit{
			{"a/1", []doc{{"7", l + "1", "one"}, {"7", l + "2", "two"}}},
			{"a/1", []doc{{"7", l + "2", "two, edited"}, {"7", l + "1", "one, edited"}}},
		}, "1 a two, edited, 2 a one, edited"},
		"then the title": {[]visit{
			{"a/1", []doc{{"7", l + "1", "one"}, {"7", l + "1", "two"}}},
			{"a/1", []doc{{"7", l + "1", "three"}, {"7", l + "1", "two"}, {"7", l + "1", "one"}}},
		}, "1 a two, 2 a one, 3 a three"},
		"the same without guids": {[]visit{
			{"a/1", []doc{{"", l + "live", "one"}, {"", l + "live", "two"}}},
			{"a/1", []doc{{"", l + "live", "three"}, {"", l + "live", "two"}, {"", l + "live", "one"}}},
		}, "1 a two, 2 a one, 3 a three"},
		"and the feed remembers it": {[]visit{
			{"a/1", []doc{{"7", l + "1", "one"}, {"7", l + "2", "two"}}},
			{"a/1", []doc{{"7", l + "2", "two"}}},
			{"a/1", []doc{{"7", l + "3", "three"}}},
			{"a/1", []doc{{"7", l + "1", "one"}}},
		}, "1 a two, 2 a one, 3 a three"},
		"an item that was stored before keeps its number": {[]visit{
			{"a/1", []doc{{"7", l + "1", "one"}}},
			{"a/1", []doc{{"7", l + "2", "two"}, {"7", l + "1", "one"}}},
			{"a/1", []doc{{"7", l + "1", "one, edited"}}},
		}, "1 a one, edited, 2 a two"},
		"also when the title tells them apart": {[]visit{
			{"a/1", []doc{{"7", l + "1", "one"}}},
			{"a/1", []doc{{"7", l + "1", "two"}, {"7", l + "1", "one"}}},
			{"a/1", []doc{{"7", l + "1", "one"}}},
		}, "1 a one, 2 a two"},
		"a new guid with a known link is the known item": {[]visit{
			{"a/1", []doc{{"7", l + "1", "one"}, {"8", l + "2", "two"}}},
			{"a/1", []doc{{"8", l + "2", "two"}, {"9", l + "1", "one, edited"}}},
			{"a/1", []doc{{"9", l + "other", "one, edited again"}}},
		}, "1 a two, 2 a one, edited again"},
		"and no item of its own when the old guid is back": {[]visit{
			{"a/1", []doc{{"7", l + "1", "one"}}},
			{"a/1", []doc{{"9", l + "1", "one"}}},
			{"a/1", []doc{{"7", l + "1", "one"}}},
		}, "1 a one"},
		"but not while the old guid is in the document": {[]visit{
			{"a/1", []doc{{"7", l + "1", "one"}}},
			{"a/1", []doc{{"9", l + "1", "two"}, {"7", l + "2", "one"}}},
		}, "1 a one, 2 a two"},
		"nor when the link stands on several items": {[]visit{
			{"a/1", []doc{{"7", l + "1", "one"}}},
			{"a/1", []doc{{"9", l + "1", "two"}, {"10", l + "1", "three"}}},
		}, "1 a one, 2 a three, 3 a two"},
		"or ever stood on several": {[]visit{
			{"a/1", []doc{{"7", l + "live", "one"}, {"8", l + "live", "two"}}},
			{"a/1", []doc{{"9", l + "live", "three"}}},
		}, "1 a two, 2 a one, 3 a three"},
		"nor when it leads to the front page": {[]visit{
			{"a/1", []doc{{"7", "https://a.example/", "one"}}},
			{"a/1", []doc{{"9", "https://a.example/", "two"}}},
		}, "1 a one, 2 a two"},
		"nor when the item has moved on to another link": {[]visit{
			{"a/1", []doc{{"7", l + "live", "one"}}},
			{"a/1", []doc{{"7", l + "1", "one"}}},
			{"a/1", []doc{{"8", l + "live", "two"}}},
		}, "1 a one, 2 a two"},
		"guids that change with every poll": {[]visit{
			{"a/1", []doc{{"r1", l + "1", "one"}, {"r2", l + "2", "two"}}},
			{"a/1", []doc{{"r3", l + "3", "three"}, {"r4", l + "1", "one"}, {"r5", l + "2", "two"}}},
			{"a/1", []doc{{"r6", l + "3", "three"}, {"r7", l + "1", "one"}}},
			{"a/1", []doc{{"r8", l + "3", "three"}, {"r9", l + "1", "one"}, {"r10", l + "2", "two"}}},
		}, "1 a two, 2 a one, 3 a three"},
		"guids that number the places": {[]visit{
			{"a/1", numbered(3, 3)},
			{"a/1", numbered(4, 3)},
			{"a/1", numbered(5, 4)},
			{"a/1", numbered(8, 4)},
			{"a/1", numbered(20, 3)}, // nothing of it was there before
			{"a/1", numbered(21, 4)},
		}, "1 a t1, 2 a t2, 3 a t3, 4 a t4, 5 a t5, 6 a t6, 7 a t7, 8 a t8, 9 a t18, 10 a t19, 11 a t20, 12 a t21"},
		"two guids change places and links": {[]visit{
			{"a/1", []doc{{iri + "1", l + "1", "one"}, {iri + "2", l + "2", "two"}}},
			{"a/1", []doc{{iri + "1", l + "2", "two"}, {iri + "2", l + "1", "one"}}},
		}, "1 a two, 2 a one"},
		"a page that is used again for another item": {[]visit{
			{"a/1", []doc{{iri + "1", l + "live", "one"}}},
			{"a/1", []doc{{iri + "2", l + "live", "two"}, {iri + "1", l + "archive/1", "one"}}},
		}, "1 a one, 2 a two"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPaper(t)
			for _, v := range c.visits {
				p.poll(v.feed, v.docs...)
			}
			if got := p.list(); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
			// Whoever polls all of it once more finds nothing new in the last document of each feed.
			last := map[string][]doc{}
			for _, v := range c.visits {
				last[v.feed] = v.docs
			}
			for feed, docs := range last {
				if got := p.poll(feed, docs...); got.New != 0 {
					t.Errorf("%s again: %+v", feed, got)
				}
			}
			seen := map[string]bool{}
			for _, it := range p.items() {
				if seen[it.PublishedID] {
					t.Errorf("%s is published twice", it.PublishedID)
				}
				seen[it.PublishedID] = true
			}
		})
	}
}

// What was published once keeps its id, whatever the outlet does to the item.
func TestPublishedID(t *testing.T) {
	p := newPaper(t)
	id := func(n store.ItemID) string {
		t.Helper()
		for it, err := range p.Items(t.Context(), store.Query{IDs: []store.ItemID{n}}) {
			if err != nil {
				t.Fatal(err)
			}
			return it.PublishedID
		}
		t.Fatalf("no item %d", n)
		return ""
	}
	p.poll("a/1", doc{"https://a.example/?p=1", "https://www.a.example/1", "own id"})
	p.poll("a/1", doc{"2", "https://www.A.example:8080/2", "not an IRI"})
	p.poll("a/1", doc{"3", "", "no link"})
	p.poll("a/1", doc{"4", "https://[::1]/4", "a link without a name"})
	p.poll("b/1", doc{"https://a.example/?p=1", "", "an id that is taken"})
	p.poll("b/1", doc{"5", "https://b.example/5", "doubled"}, doc{"5", "https://b.example/6", "doubled"})
	p.at = time.Date(2031, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600)) // still 2030 in UTC
	p.poll("c/1", doc{"6", "https://c.example/6", "years later"})
	want := []string{"https://a.example/?p=1", "tag:www.a.example,2025:", "tag:a.example,2025:", "tag:a.example,2025:",
		"tag:b.example,2025:", "tag:b.example,2025:", "tag:b.example,2025:", "tag:c.example,2030:"}
	var before []string
	for i, w := range want {
		got := id(store.ItemID(i + 1))
		if got != w && (!strings.HasPrefix(got, w) || len(got) != len(w)+32) {
			t.Errorf("item %d is published as %s", i+1, got)
		}
		before = append(before, got)
	}
	p.poll("a/2", doc{"https://a.example/?p=1", "https://elsewhere.example/1", "moved, in another feed"})
	p.poll("a/1", doc{"rotated", "https://www.A.example:8080/2", "with another guid"})
	p.poll("b/1", doc{"5", "https://b.example/5", "edited"})
	for i, want := range before {
		if got := id(store.ItemID(i + 1)); got != want {
			t.Errorf("item %d was published as %s and is now %s", i+1, want, got)
		}
	}
	// Made from what the outlet said, so that another store makes the same.
	q := newPaper(t)
	q.poll("z/1", doc{"0", "", "something first"})
	q.poll("a/1", doc{"2", "https://www.A.example:8080/2", "not an IRI"})
	if got := q.items()[1].PublishedID; got != before[1] {
		t.Errorf("another store makes %s of what was %s", got, before[1])
	}
}

// An item that lost its guid to another one leaves it the guid, not the id that was made from it.
func TestPublishedIDOfReusedGUID(t *testing.T) {
	p := newPaper(t)
	p.poll("a/1", doc{"1", "https://a.example/1", "one"})
	p.poll("a/1", doc{"2", "https://a.example/1", "one"})                                               // it has another guid now
	p.poll("a/1", doc{"2", "https://a.example/1", "one"}, doc{"1", "https://a.example/2", "the other"}) // and both
	items := p.items()
	if len(items) != 2 || items[0].PublishedID == items[1].PublishedID {
		t.Errorf("%+v", items)
	}
}

// A guid that forges the id of another item of its own document does not get it twice.
func TestPublishedIDForged(t *testing.T) {
	p := newPaper(t)
	p.poll("a/1", doc{"1", "", "one"})
	forged := p.items()[0].PublishedID
	for _, docs := range [][]doc{{{"1", "", "one"}, {forged, "", "forged"}}, {{forged, "", "forged"}, {"1", "", "one"}}} {
		p := newPaper(t)
		p.poll("a/1", docs...)
		if items := p.items(); len(items) != 2 || items[0].PublishedID == items[1].PublishedID {
			t.Errorf("%+v", items)
		}
	}
}

// What a feed remembers of ambiguous keys is bounded.
func TestAmbiguousIsBounded(t *testing.T) {
	p := newPaper(t)
	var f store.FeedState
	for round := range 4 {
		var docs []doc
		for i := range 1600 {
			docs = append(docs, doc{fmt.Sprint(round, "-", i/2), fmt.Sprintf("https://a.example/%d/%d", round, i), fmt.Sprint(i)})
		}
		f = p.poll("a/1", docs...).State
		if got := p.poll("a/1", docs...).New; got != 0 {
			t.Errorf("round %d: %d are new the second time", round, got)
		}
	}
	if n := len(f.Ambiguous); n != 2000 {
		t.Errorf("%d keys are remembered", n)
	}
}
