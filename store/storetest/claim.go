package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"broadsheet/store"
)

// seen is the feed of an outlet as a poller knows it, after so many saves.
func seen(outlet string, saves uint64) store.Seen {
	return store.Seen{Feed: store.FeedName{Outlet: outlet, URL: feedOf(outlet)}, Saves: saves}
}

// claim claims one host for an hour, or releases it first.
func (s *session) claim(t *testing.T, owner, host string, feeds ...store.Seen) store.Grant {
	t.Helper()
	return s.claims(t, store.Claim{Owner: owner, Lease: time.Hour, Want: []store.Want{{Host: host, Gap: time.Second, Feeds: feeds}}})[0]
}

func (s *session) claims(t *testing.T, c store.Claim) []store.Grant {
	t.Helper()
	grants, err := s.Claim(t.Context(), c)
	if err != nil {
		t.Fatalf("Claim: %v", err)
	}
	if len(grants) != len(c.Want) {
		t.Fatalf("%d grants for %d wants", len(grants), len(c.Want))
	}
	return grants
}

func (s *session) release(t *testing.T, owner string, releases ...store.Release) {
	t.Helper()
	s.claims(t, store.Claim{Owner: owner, Lease: time.Hour, Release: releases})
}

// about expects a pause that began a moment ago.
func about(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	if got > want || got < want/2 {
		t.Errorf("%s: %v, want %v less a moment", what, got, want)
	}
}

func checkClaims(t *testing.T, s *session) {
	c := store.Claim{Owner: "one", Lease: time.Hour, Want: []store.Want{
		{Host: "a.example", Gap: time.Second, Feeds: []store.Seen{seen("a", 0), seen("b", 0)}},
		{Host: "b.example", Gap: time.Second, Feeds: []store.Seen{seen("c", 0)}},
	}}
	expect(t, "free hosts", s.claims(t, c), []store.Grant{{Epoch: 1}, {Epoch: 1}})
	expect(t, "nothing", s.claims(t, store.Claim{Owner: "one", Lease: time.Hour}), []store.Grant{})
	expect(t, "one's own again", s.claim(t, "one", "a.example", seen("a", 0)), store.Grant{Epoch: 1})
	expect(t, "one's own, to keep it", s.claim(t, "one", "a.example"), store.Grant{Epoch: 1})
	expect(t, "another's", s.claim(t, "two", "a.example", seen("a", 0)), store.Grant{})
	expect(t, "another's, to keep it", s.claim(t, "two", "a.example"), store.Grant{})
	expect(t, "a free host, to keep it", s.claim(t, "two", "c.example"), store.Grant{})
	visit := func(owner, host string) store.Grant {
		return s.claims(t, store.Claim{Owner: owner, Lease: time.Hour, Want: []store.Want{{Host: host, Gap: time.Second, Visit: true}}})[0]
	}
	expect(t, "a free host, to visit it", visit("two", "d.example"), store.Grant{Epoch: 1})
	expect(t, "another's, to visit it", visit("two", "a.example"), store.Grant{})

	// What was polled meanwhile is told to whoever asks.
	p := poll("a", start)
	p.Host, p.Epoch = "a.example", 1
	state := s.save(t, p)[0].State
	expect(t, "saves", state.Saves, 1)
	expect(t, "another's, polled", s.claim(t, "two", "a.example", seen("a", 0), seen("b", 0)), store.Grant{States: []store.FeedState{state}})
	expect(t, "one's own, polled", s.claim(t, "one", "a.example", seen("a", 0)), store.Grant{Epoch: 1, States: []store.FeedState{state}})
	expect(t, "one's own, as it was seen", s.claim(t, "one", "a.example", seen("a", 1)), store.Grant{Epoch: 1})

	// Whoever gives a host back tells when it may be asked next. Nobody else can.
	s.release(t, "two", store.Release{Host: "a.example"}, store.Release{Host: "nobody's.example"})
	expect(t, "released by a stranger", s.claim(t, "two", "a.example", seen("b", 0)), store.Grant{})
	s.release(t, "one", store.Release{Host: "a.example", Pause: time.Hour})
	expect(t, "a free host whose feeds were all polled", s.claim(t, "two", "a.example", seen("a", 0)), store.Grant{States: []store.FeedState{state}})
	expect(t, "given back, to keep it", s.claim(t, "one", "a.example"), store.Grant{})
	g := s.claim(t, "two", "a.example", seen("a", 0), seen("b", 0))
	about(t, "pause after the release", g.Wait, time.Hour)
	g.Wait = 0
	expect(t, "released", g, store.Grant{Epoch: 2, States: []store.FeedState{state}})
	expect(t, "no more one's own", s.claim(t, "one", "a.example", seen("b", 0)), store.Grant{})
	s.release(t, "one", store.Release{Host: "a.example"})
	expect(t, "released by who had it", s.claim(t, "one", "a.example", seen("b", 0)), store.Grant{})

	// Released and claimed in one go, and by who had it last.
	again := store.Claim{Owner: "two", Lease: time.Hour, Release: []store.Release{{Host: "a.example", Pause: time.Hour}}, Want: []store.Want{{Host: "a.example", Feeds: []store.Seen{seen("b", 0)}}}}
	g = s.claims(t, again)[0]
	about(t, "pause after one's own release", g.Wait, time.Hour)
	expect(t, "epoch of who had it last", g.Epoch, 2)
	expect(t, "the other host", s.claim(t, "two", "b.example", seen("c", 0)), store.Grant{})
}

func checkLapse(t *testing.T, s *session) {
	short := func(owner string, gap time.Duration, feeds ...store.Seen) store.Grant {
		t.Helper()
		return s.claims(t, store.Claim{Owner: owner, Lease: 50 * time.Millisecond, Want: []store.Want{{Host: "a.example", Gap: gap, Feeds: feeds}}})[0]
	}
	expect(t, "free", short("one", time.Hour, seen("a", 0)), store.Grant{Epoch: 1})
	time.Sleep(100 * time.Millisecond)
	expect(t, "to keep it, although its lease has ended", short("one", time.Hour), store.Grant{Epoch: 1})
	time.Sleep(100 * time.Millisecond)
	expect(t, "another's, to keep it", s.claim(t, "two", "a.example"), store.Grant{})
	g := s.claim(t, "two", "a.example", seen("a", 0))
	about(t, "pause after the lease", g.Wait, time.Hour)
	expect(t, "epoch", g.Epoch, 2)
	expect(t, "lost", short("one", time.Hour, seen("a", 0)), store.Grant{})
}

func checkFencing(t *testing.T, s *session) {
	of := func(outlet, host string, epoch uint64) store.Poll {
		p := poll(outlet, start, arrival(outlet, "", outlet, start))
		p.Host, p.Epoch = host, epoch
		return p
	}
	s.claims(t, store.Claim{Owner: "one", Lease: 50 * time.Millisecond, Want: []store.Want{
		{Host: "a.example", Feeds: []store.Seen{seen("a", 0)}}, {Host: "b.example", Feeds: []store.Seen{seen("b", 0)}},
		{Host: "c.example", Feeds: []store.Seen{seen("c", 0)}}}})
	time.Sleep(100 * time.Millisecond)
	expect(t, "epoch of the successor", s.claim(t, "two", "a.example", seen("a", 0)).Epoch, 2)

	// The successor's host fences its predecessor; the end of a lease alone does not. Nor does one poll cost another.
	saved := s.save(t, of("b", "b.example", 1), of("a", "a.example", 1), of("c", "c.example", 1), of("d", "d.example", 1), of("e", "", 0))
	var got []bool
	for _, r := range saved {
		got = append(got, r.Fenced)
	}
	expect(t, "fenced", got, []bool{false, true, false, true, false})
	expect(t, "what a fenced poll becomes", saved[1], store.Saved{Fenced: true})
	var outlets []string
	for _, f := range all(t, s.Feeds(t.Context())) {
		outlets = append(outlets, f.Outlet)
	}
	expect(t, "feeds", outlets, []string{"b", "c", "e"})
	expect(t, "items", titles(s.items(t, store.Query{ByArrival: true})), []string{"e", "c", "b"})
	rev := s.revision(t)
	s.save(t, of("a", "a.example", 1))
	expect(t, "revision after a fenced poll", s.revision(t), rev)
	if r := s.save(t, of("a", "a.example", 2))[0]; r.New != 1 || r.Fenced {
		t.Errorf("the successor's poll: %+v", r)
	}

	// A poll that brought no document is fenced as well, although its feed's state stands as the poller knew it.
	silent := of("c", "c.example", 1)
	silent.State, silent.Arrivals = saved[2].State, nil
	s.release(t, "one", store.Release{Host: "c.example"})
	expect(t, "epoch of c's next poller", s.claim(t, "two", "c.example", seen("x", 0)).Epoch, 2)
	expect(t, "what a fenced poll without a document becomes", s.save(t, silent)[0], store.Saved{Fenced: true})
	expect(t, "state after it", s.state(t, "c", feedOf("c")), saved[2].State)

	// A hold is told to the next one, the longest of several, by whatever poller it came. Another state takes none back.
	until := time.Now().UTC().Add(time.Hour).Truncate(time.Microsecond)
	for _, hold := range []time.Time{until, until.Add(-time.Minute), {}} {
		p := of("a", "a.example", 2)
		p.State.RetryAfter, p.State.HostHold = hold, !hold.IsZero()
		s.save(t, p)
	}
	p := of("c", "c.example", 2)
	p.State.RetryAfter = until // of the feed alone
	s.save(t, p)
	s.release(t, "two", store.Release{Host: "a.example"}, store.Release{Host: "c.example"})
	expect(t, "hold", s.claim(t, "three", "a.example", seen("x", 0)), store.Grant{Epoch: 3, Hold: until})
	expect(t, "hold of the other", s.claim(t, "three", "c.example", seen("x", 0)), store.Grant{Epoch: 3})
}

// checkPollers lets pollers claim the same hosts over and over: at any time each has one owner, whose polls alone are saved.
func checkPollers(t *testing.T, s *session) {
	const hosts, polls, pollers = 3, 30, 4
	var mu sync.Mutex // guards owners
	owners := map[string]string{}
	var wg sync.WaitGroup
	for n := range pollers {
		wg.Go(func() {
			me := fmt.Sprint("poller ", n)
			known := map[string]uint64{}
			for made := 0; made < polls; {
				c := store.Claim{Owner: me, Lease: time.Hour}
				for h := range hosts {
					outlet := fmt.Sprint("outlet", h)
					c.Want = append(c.Want, store.Want{Host: outlet, Feeds: []store.Seen{seen(outlet, known[outlet])}})
				}
				grants, err := s.Claim(t.Context(), c)
				if err != nil {
					t.Errorf("Claim: %v", err)
					return
				}
				c.Release = nil
				for i, g := range grants {
					outlet := c.Want[i].Host
					for _, f := range g.States {
						known[outlet] = f.Saves
					}
					if g.Epoch == 0 {
						continue
					}
					mu.Lock()
					if owners[outlet] != "" {
						t.Errorf("%s has %s, which %s has not given back", me, outlet, owners[outlet])
					}
					owners[outlet] = me
					mu.Unlock()
					p := poll(outlet, start)
					p.Host, p.Epoch = outlet, g.Epoch
					saved, err := s.SavePolls(t.Context(), p)
					if err != nil || saved[0].Fenced || saved[0].State.Saves != known[outlet]+1 {
						t.Errorf("SavePolls: %+v, %v, after %d saves", saved, err, known[outlet])
						return
					}
					known[outlet]++
					made++
					c.Release = append(c.Release, store.Release{Host: outlet})
					mu.Lock()
					owners[outlet] = ""
					mu.Unlock()
				}
				if c.Want = nil; len(c.Release) == 0 {
					time.Sleep(time.Millisecond) // the others have them all
				}
				if _, err := s.Claim(t.Context(), c); err != nil {
					t.Errorf("Claim: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	total := uint64(0)
	for _, f := range all(t, s.Feeds(t.Context())) {
		total += f.Saves
	}
	if total < polls*pollers {
		t.Errorf("%d polls were saved of %d at least", total, polls*pollers)
	}
}
