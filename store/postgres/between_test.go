package postgres

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"broadsheet/store"
	"broadsheet/store/postgres/pgtest"
)

// locked does begin while another transaction holds what sql locks, and then more, until as many calls as there are functions
// wait for a lock or have ended. It returns when all have ended.
func (s *Store) locked(t *testing.T, sql string, calls ...func()) {
	t.Helper()
	holder, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Release()
	run := func(sql string) {
		t.Helper()
		if _, err := holder.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	run("BEGIN")
	run(sql)
	var all sync.WaitGroup
	var mu sync.Mutex // guards ended
	ended := 0
	for i, call := range calls {
		all.Go(func() {
			call()
			mu.Lock()
			ended++
			mu.Unlock()
		})
		for still := true; still; time.Sleep(10 * time.Millisecond) {
			var waiting int
			// Not by the holder: within its transaction what others do stands still.
			err := s.pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = current_database()").Scan(&waiting)
			if err != nil {
				t.Fatal(err)
			}
			mu.Lock()
			still = waiting+ended <= i
			mu.Unlock()
		}
	}
	run("COMMIT")
	all.Wait()
}

// saves is a call that saves a poll.
func (s *Store) saves(t *testing.T, p store.Poll) func() {
	return func() {
		if _, err := s.SavePolls(t.Context(), p); err != nil {
			t.Error(err)
		}
	}
}

// Whoever is granted a host sees what was saved before, and nothing is saved under the former epoch afterwards: also when the
// claim comes while a poll is being saved.
func TestClaimWhileSaving(t *testing.T) {
	s := openAt(t, pgtest.New(t).Database(t))
	news, quiet, silent := poll("news", 1, ""), poll("quiet", 0, ""), poll("silent", 0, "")
	for _, p := range []*store.Poll{&news, &quiet, &silent} {
		outlet := p.State.Outlet
		known := save(t, s, poll(outlet, 0, ""))[0].State
		p.Host, p.Epoch = outlet, 1
		p.State.Saves = known.Saves
		if outlet == "silent" {
			p.State, p.Arrivals = known, nil
		}
		want := store.Want{Host: outlet, Feeds: []store.Seen{{Feed: p.State.Name(), Saves: known.Saves}}}
		if g, err := s.Claim(t.Context(), store.Claim{Owner: "one", Lease: time.Microsecond, Want: []store.Want{want}}); err != nil || g[0].Epoch != 1 {
			t.Fatal(g, err)
		}
		var saved []store.Saved
		var grants []store.Grant
		// The poll's transaction has looked at the epoch, and cannot go on.
		s.locked(t, fmt.Sprintf("SELECT 1 FROM feeds WHERE outlet = '%s' FOR UPDATE", outlet), func() {
			var err error
			if saved, err = s.SavePolls(t.Context(), *p); err != nil {
				t.Error(err)
			}
		}, func() {
			var err error
			if grants, err = s.Claim(t.Context(), store.Claim{Owner: "two", Lease: time.Hour, Want: []store.Want{want}}); err != nil {
				t.Error(err)
			}
		})
		if t.Failed() {
			return
		}
		if saved[0].Fenced || saved[0].State.Saves != 2 {
			t.Errorf("%s: the poll that came first: %+v", outlet, saved[0])
		}
		// Nothing is left to do there, and the claim says so.
		if g := grants[0]; g.Epoch != 0 || len(g.States) != 1 || g.States[0].Saves != 2 {
			t.Errorf("%s: granted %+v while the feed is being saved", outlet, g)
		}
	}
}

// A host that goes to another poller between the rehearsal of a poll and its turn at the head fences it.
func TestClaimAfterTheRehearsal(t *testing.T) {
	s := openAt(t, pgtest.New(t).Database(t))
	p := poll("a", 1, "")
	p.Host, p.Epoch = "a", 1
	want := []store.Want{{Host: "a", Feeds: []store.Seen{{Feed: p.State.Name()}}}}
	if _, err := s.Claim(t.Context(), store.Claim{Owner: "one", Lease: time.Microsecond, Want: want}); err != nil {
		t.Fatal(err)
	}
	var saved []store.Saved
	s.locked(t, "SELECT 1 FROM head FOR UPDATE", func() {
		var err error
		if saved, err = s.SavePolls(t.Context(), p); err != nil {
			t.Error(err)
		}
	}, func() {
		if g, err := s.Claim(t.Context(), store.Claim{Owner: "two", Lease: time.Hour, Want: want}); err != nil || g[0].Epoch != 2 {
			t.Error(g, err)
		}
	})
	if t.Failed() {
		return
	}
	if !saved[0].Fenced || count(t, s) != 0 {
		t.Errorf("%d items of a poll that is fenced: %+v", count(t, s), saved[0])
	}
}

// Of two pollers who claim at once a host that nobody ever had, one gets it.
func TestClaimsOfANewHost(t *testing.T) {
	s := openAt(t, pgtest.New(t).Database(t))
	grants := make([][]store.Grant, 2)
	claim := func(i int) func() {
		return func() {
			var err error
			want := []store.Want{{Host: "a", Feeds: []store.Seen{{Feed: store.FeedName{Outlet: "a", URL: "a"}}}}}
			if grants[i], err = s.Claim(t.Context(), store.Claim{Owner: fmt.Sprint(i), Lease: time.Hour, Want: want}); err != nil {
				t.Error(err)
			}
		}
	}
	// Both have found no row, and cannot make one yet.
	s.locked(t, "LOCK TABLE hosts IN SHARE MODE", claim(0), claim(1))
	if t.Failed() {
		return
	}
	if grants[0][0].Epoch+grants[1][0].Epoch != 1 {
		t.Errorf("granted %+v", grants)
	}
}

// A visit that is saved while another one with news is: the later one is made of the earlier one's state.
func TestVisitWhileSaving(t *testing.T) {
	s := openAt(t, pgtest.New(t).Database(t))
	known := save(t, s, poll("a", 0, ""))[0].State
	news, silent := poll("a", 1, "https://a.example/1"), store.Poll{At: start.Add(time.Hour), State: known}
	silent.State.LastPoll = silent.At
	s.locked(t, "LOCK TABLE links IN SHARE MODE", s.saves(t, news), s.saves(t, silent))
	if f := states(t, s)["a"]; f.Saves != known.Saves+2 || f.Items != 2 || !f.LastPoll.Equal(silent.At) {
		t.Errorf("after two visits at once: %+v", f)
	}
	mustCheck(t, s)
}

// All that changes items takes its turn at the head: what one is about to write, another neither reads nor writes, and each
// commit has a revision of its own.
func TestTurns(t *testing.T) {
	const link = "https://wire.example/1"
	for name, act := range map[string]func(*Store) error{
		"prune": func(s *Store) error {
			_, err := s.Prune(t.Context(), start.Add(time.Minute), 1)
			return err
		},
		"rename": func(s *Store) error {
			_, err := s.Rename(t.Context(), store.Rename{From: store.FeedName{Outlet: "b"}, To: store.FeedName{Outlet: "c"}})
			return err
		},
		"rewrite": func(s *Store) error {
			old := store.Body{Item: 1, Content: "0"}
			_, err := s.Rewrite(t.Context(), start, store.Rewrite{Old: old, New: store.Body{Item: 1, Content: "new"}})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			address := pgtest.New(t).Database(t)
			s, saver := openAt(t, address), openAt(t, within(address, "pool_max_conns", "1"))
			save(t, saver, poll("a", 0, link))
			save(t, saver, poll("b", 1, link)) // which prepares all statements
			before, err := s.Revision(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			// The poll's transaction has read the story and written it, and cannot go on.
			s.locked(t, "LOCK TABLE links IN SHARE MODE", saver.saves(t, poll("d", 2, link)), func() {
				if err := act(s); err != nil {
					t.Error(err)
				}
			})
			if after, err := s.Revision(t.Context()); err != nil || after != before+2 {
				t.Errorf("revision %d after two commits, before %d (%v)", after, before, err)
			}
			mustCheck(t, s)
		})
	}
}

// What gets in the way of others is tried again, and not for ever.
func TestClashes(t *testing.T) {
	s := openAt(t, pgtest.New(t).Database(t))
	run := func(sql string) {
		t.Helper()
		if _, err := s.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	run("CREATE SEQUENCE clashes")
	n := 0
	for _, code := range []string{"40001", "40P01"} {
		for _, times := range []int{1, clashes - 1, clashes} {
			run("ALTER SEQUENCE clashes RESTART")
			run(fmt.Sprintf(`CREATE OR REPLACE FUNCTION clash() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				IF nextval('clashes') <= %d THEN RAISE 'others are in the way' USING ERRCODE = '%s'; END IF;
				RETURN NEW; END $$`, times, code))
			run("CREATE OR REPLACE TRIGGER clash BEFORE INSERT ON items FOR EACH STATEMENT EXECUTE FUNCTION clash()")
			_, err := s.SavePolls(t.Context(), poll("a", n, ""))
			if (err == nil) != (times < clashes) {
				t.Errorf("%d times %s: %v", times, code, err)
			}
			run("DROP TRIGGER clash ON items")
			save(t, s, poll("a", n, ""))
			n++
			if got := count(t, s); got != n {
				t.Errorf("%d times %s: %d items of %d", times, code, got, n)
			}
		}
	}
	mustCheck(t, s)
}

// report is a poll of an outlet that reports what all of them report, in the words that it has for it.
func report(outlet string, n int, title, lead string) store.Poll {
	p := poll(outlet, n, fmt.Sprintf("https://%s.example/%d", outlet, n))
	a := &p.Arrivals[0]
	a.Item.Title, a.Item.Lead, a.Item.Language, a.Body.Published = title, lead, "en", p.At
	return p
}

func quake(outlet string, n int) store.Poll {
	return report(outlet, n, "Earthquake of magnitude 6.8 strikes off the coast of Fukushima, Japan",
		"A strong earthquake struck off Japan's Fukushima coast on Tuesday with a magnitude of 6.8, the Meteorological Agency said. No tsunami warning was issued.")
}

// stories are the stories of the outlets' items.
func stories(t *testing.T, s *Store) map[string]store.StoryID {
	t.Helper()
	of := map[string]store.StoryID{}
	for it, err := range s.Items(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		of[it.Outlet] = it.Story
	}
	return of
}

// A report is tied to one that another process commits when the poll has been rehearsed already.
func TestReportsAtOnce(t *testing.T) {
	address := pgtest.New(t).Database(t)
	one, two := openAt(t, address), openAt(t, address)
	save(t, one, report("x", 0, "Ferry to Bergen cancelled", "Storm keeps the ferry in the harbour."))
	save(t, two, report("y", 0, "Museum of the north opens", "The museum shows boats of three centuries."))
	one.locked(t, "SELECT 1 FROM head FOR UPDATE", one.saves(t, quake("a", 1)), two.saves(t, quake("b", 2)))
	if of := stories(t, one); of["a"] != of["b"] || of["a"] == of["x"] {
		t.Errorf("stories %v", of)
	}
	mustCheck(t, one)
}

// What could not be committed is nothing that a later report could be tied to.
func TestReportThatFailed(t *testing.T) {
	s := openAt(t, pgtest.New(t).Database(t))
	for _, sql := range []string{
		"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the test forbids it'; END $$",
		"CREATE TRIGGER fail BEFORE INSERT ON bodies FOR EACH STATEMENT EXECUTE FUNCTION fail()",
	} {
		if _, err := s.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.SavePolls(t.Context(), report("x", 0, "Ferry to Bergen cancelled", "Storm keeps the ferry in the harbour."), quake("a", 1)); err == nil {
		t.Fatal("saved")
	}
	if _, err := s.pool.Exec(t.Context(), "DROP TRIGGER fail ON bodies"); err != nil {
		t.Fatal(err)
	}
	save(t, s, quake("b", 2))
	save(t, s, quake("c", 3))
	if of := stories(t, s); len(of) != 2 || of["b"] != 1 || of["c"] != 1 {
		t.Errorf("stories %v", of)
	}
	mustCheck(t, s)
}
