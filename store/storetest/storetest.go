// Package storetest checks that a keeper keeps the contract of store.Store.
//
// Run takes a Keeper, which says how to open one, and goes through the contract sentence by sentence
// (contract.go, orders.go, crowd.go, rewrite.go, find.go, reports.go, rename.go, push.go, prune.go, notes.go, claim.go). At its end, random polls go to the keeper
// and to a model of it in memory (model.go), and both must show the same (random.go).
package storetest

import (
	"context"
	"hash/fnv"
	"iter"
	"reflect"
	"slices"
	"testing"
	"time"

	"broadsheet/store"
)

// A Keeper says how the tests get at one.
type Keeper struct {
	// Open makes an empty store.
	Open func(t *testing.T) store.Store
	// Reopen closes s and opens what it kept, as the next process would.
	Reopen func(t *testing.T, s store.Store) store.Store
	// Check looks at the store's insides when a test is done with it; nil if there is nothing to look at.
	Check func(t *testing.T, s store.Store)
}

// Run runs all checks. Stores are closed when their check is done.
func Run(t *testing.T, k Keeper) {
	for _, c := range []struct {
		name  string
		check func(*testing.T, *session)
	}{
		{"identity", checkIdentity},
		{"round trip", checkRoundTrip},
		{"states", checkStates},
		{"visits", checkVisits},
		{"moments", checkMoments},
		{"several polls", checkSeveralPolls},
		{"revisions", checkRevisions},
		{"contexts", checkContexts},
		{"order", checkOrder},
		{"order of arrival", checkArrivals},
		{"arrivals within bounds", checkBounds},
		{"months", checkMonths},
		{"outlets", checkOutlets},
		{"chosen items", checkIDs},
		{"since", checkSince},
		{"bodies", checkBodies},
		{"rewritten bodies", checkRewrite},
		{"stories", checkStories},
		{"reports", checkReports},
		{"copies", checkCopies},
		{"forms", checkForms},
		{"originals", checkOriginals},
		{"failed polls", checkFailed},
		{"find", checkFind},
		{"changes", checkChanges},
		{"published ids", checkPublishedIDs},
		{"writing while reading", checkWriteInLoop},
		{"many items", checkMany},
		{"concurrent use", checkConcurrent},
		{"rename", checkRename},
		{"renames that meet", checkRenameInto},
		{"pushed", checkPushed},
		{"prune", checkPrune},
		{"prune by arrival", checkPruneOrder},
		{"pruning while reading", checkPruneInLoop},
		{"tombstones", checkTombstones},
		{"names of stored items", checkKeptNames},
		{"prune stories", checkPruneStories},
		{"recalled items", checkRecalled},
		{"notes", checkNotes},
		{"notes of a kind", checkNotesOfAKind},
		{"swapped notes", checkSwapNotes},
		{"claims", checkClaims},
		{"leases that end", checkLapse},
		{"fencing", checkFencing},
		{"pollers at once", checkPollers},
		{"random polls", checkRandom},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &session{Store: k.Open(t), keeper: k}
			c.check(t, s)
			if k.Check != nil {
				k.Check(t, s.Store)
			}
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

// session is one check's store.
type session struct {
	store.Store
	keeper Keeper
}

func (s *session) reopen(t *testing.T) { s.Store = s.keeper.Reopen(t, s.Store) }

// start is when the tests begin.
var start = time.Date(2025, 3, 4, 5, 6, 7, 123456000, time.UTC)

// feedOf is the address of the only feed of most outlets here.
func feedOf(outlet string) string { return "https://" + outlet + ".example/feed" }

// poll is a poll of the outlet's feed that found these items.
func poll(outlet string, at time.Time, arrivals ...store.Arrival) store.Poll {
	return store.Poll{At: at, State: store.FeedState{Outlet: outlet, URL: feedOf(outlet), LastPoll: at, LastSuccess: at}, Arrivals: arrivals}
}

// arrival is an item with a guid, a link and a title; any may be empty. date may be zero.
func arrival(guid, link, title string, date time.Time) store.Arrival {
	h := fnv.New64a()
	h.Write([]byte(title + "\x00" + link))
	return store.Arrival{
		Item:      store.Item{GUID: guid, Link: link, Title: title, Text: h.Sum64()},
		Body:      store.Body{Content: "<p>" + title + "</p>", Published: date},
		Canonical: link,
	}
}

// save saves polls, which must work.
func (s *session) save(t *testing.T, polls ...store.Poll) []store.Saved {
	t.Helper()
	saved, err := s.SavePolls(t.Context(), polls...)
	if err != nil {
		t.Fatalf("SavePolls: %v", err)
	}
	if len(saved) != len(polls) {
		t.Fatalf("SavePolls of %d polls returned %d results", len(polls), len(saved))
	}
	return saved
}

// items asks for items.
func (s *session) items(t *testing.T, q store.Query) []store.Item {
	t.Helper()
	return all(t, s.Items(t.Context(), q))
}

func (s *session) revision(t *testing.T) store.Revision {
	t.Helper()
	rev, err := s.Revision(t.Context())
	if err != nil {
		t.Fatalf("Revision: %v", err)
	}
	return rev
}

// all collects what an iterator yields; an error ends the test.
func all[T any](t *testing.T, seq iter.Seq2[T, error]) (list []T) {
	t.Helper()
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

func titles(items []store.Item) (list []string) {
	for _, it := range items {
		list = append(list, it.Title)
	}
	return list
}

func ids(items []store.Item) (list []store.ItemID) {
	for _, it := range items {
		list = append(list, it.ID)
	}
	return list
}

func expect[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// picture is all that a store shows.
type picture struct {
	Revision store.Revision
	Items    []store.Item
	Arrivals []store.ItemID
	Bodies   []store.Body
	Changes  []store.Change
	Stories  []store.Story
	Feeds    []store.FeedState
	Months   store.Months
}

func look(t *testing.T, s store.Store) (p picture) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	var err error
	if p.Revision, err = s.Revision(ctx); err != nil {
		t.Fatal(err)
	}
	if p.Months, err = s.Months(ctx); err != nil {
		t.Fatal(err)
	}
	p.Items = all(t, s.Items(ctx, store.Query{}))
	p.Arrivals = ids(all(t, s.Items(ctx, store.Query{ByArrival: true})))
	p.Bodies = all(t, s.Bodies(ctx, ids(p.Items)...))
	p.Changes = all(t, s.Changes(ctx, ids(p.Items)...))
	var stories []store.StoryID
	for _, it := range p.Items {
		stories = append(stories, it.Story)
	}
	slices.Sort(stories)
	p.Stories = all(t, s.Stories(ctx, slices.Compact(stories)...))
	p.Feeds = all(t, s.Feeds(ctx))
	return p
}

// same compares two pictures part by part.
func same(t *testing.T, got, want picture) {
	t.Helper()
	expect(t, "revision", got.Revision, want.Revision)
	expect(t, "order of arrival", got.Arrivals, want.Arrivals)
	expect(t, "months", got.Months, want.Months)
	expect(t, "stories", got.Stories, want.Stories)
	expect(t, "feeds", got.Feeds, want.Feeds)
	expect(t, "order", ids(got.Items), ids(want.Items))
	expect(t, "changes", got.Changes, want.Changes)
	expect(t, "number of bodies", len(got.Bodies), len(want.Bodies))
	for i := range min(len(got.Items), len(want.Items)) {
		expect(t, "item", got.Items[i], want.Items[i])
	}
	for i := range min(len(got.Bodies), len(want.Bodies)) {
		expect(t, "body", got.Bodies[i], want.Bodies[i])
	}
}
