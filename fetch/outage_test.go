package fetch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"broadsheet/store"
	"broadsheet/store/storetest"
)

// While our own network is down no feed is charged with it, all are asked every five minutes, and readiness says
// so; when it is back everything is as before.
func TestOutageOfOurOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := storetest.NewModel()
		var down atomic.Bool
		answers := func(n int, _ *http.Request) (*http.Response, error) {
			if down.Load() {
				return nil, &net.DNSError{Err: "server misbehaving", IsTemporary: true}
			}
			return response(200, dated(n), nil), nil
		}
		rt := &originNet{origins: map[string]origin{}}
		var addresses []string
		for i := range 12 {
			h := fmt.Sprintf("h%d.example", i)
			rt.origins[h] = answers
			addresses = append(addresses, "https://"+h+"/feed")
		}
		fs := feeds(t, addresses...)
		sch := New(Options{Store: st, Settings: testSettings(), Feeds: fs, Automatic: true, Log: discard, RoundTripper: rt})
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { sch.Run(ctx) })
		time.Sleep(150 * time.Minute)
		synctest.Wait()
		if err := sch.Degraded(); err != nil {
			t.Errorf("in good times: %v", err)
		}
		down.Store(true)
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if sch.Degraded() == nil {
			t.Error("nothing was noticed of three hours without a network")
		}
		for s := range st.Feeds(ctx) {
			if s.Failures != 0 || !s.FailingSince.IsZero() || !s.Outage || s.Err == "" {
				t.Errorf("%s was charged: %+v", s.URL, s)
			}
		}
		before := rt.count("h0.example")
		if before < 2+18 || before > 3+36 {
			t.Errorf("%d attempts in three hours, one every five minutes is expected", before)
		}
		down.Store(false)
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if err := sch.Degraded(); err != nil {
			t.Errorf("the network is back: %v", err)
		}
		for s := range st.Feeds(ctx) {
			if s.Outage || s.Status != 200 || s.Err != "" {
				t.Errorf("%s was not asked as soon as it could be: %+v", s.URL, s)
			}
		}
		time.Sleep(30 * time.Minute)
		if n := rt.count("h0.example"); n != before+1 {
			t.Errorf("%d requests more, want 1: back to the schedule", n-before)
		}
		cancel()
		running.Wait()
	})
}

// Hosts that are dead while others are not are charged, after an hour at most; a few hosts prove nothing.
func TestDeadHostsAreNoOutage(t *testing.T) {
	for _, c := range []struct{ dead, alive, most int }{{4, 0, 12}, {3, 4, 12}, {6, 6, 30}} {
		synctest.Test(t, func(t *testing.T) {
			st := storetest.NewModel()
			rt := &originNet{origins: map[string]origin{}}
			var addresses []string
			for i := range c.dead + c.alive {
				h := fmt.Sprintf("h%d.example", i)
				addresses = append(addresses, "https://"+h+"/feed")
				rt.origins[h] = func(n int, _ *http.Request) (*http.Response, error) {
					if i < c.dead {
						return nil, errors.New("no route to host")
					}
					return response(200, dated(n), nil), nil
				}
			}
			runFor(t, st, rt, feeds(t, addresses...), 4*day)
			for s := range st.Feeds(context.Background()) {
				if dead := s.LastSuccess.IsZero(); dead && s.Failures < 5 {
					t.Errorf("%d dead, %d alive: %s has %d failures", c.dead, c.alive, s.URL, s.Failures)
				}
			}
			for i := range c.dead {
				if n := rt.count(fmt.Sprintf("h%d.example", i)); n > c.most {
					t.Errorf("%d dead, %d alive: %d attempts in 4 days, want %d at most", c.dead, c.alive, n, c.most)
				}
			}
		})
	}
}

// What our own guard refuses says nothing about the network.
func TestRefusalsAreNoOutage(t *testing.T) {
	s := New(Options{Settings: testSettings()})
	u := newUnreached(fmt.Errorf("dial: %w", &guardError{}), &meeting{})
	if !u.refused {
		t.Error("a refusal of the guard is not recognised")
	}
	for i := range 8 {
		f := &Feed{Address: fmt.Sprintf("https://h%d.example/", i)}
		p, lost, err := poll(t.Context(), visiting(NewClient(testSettings(), failing{u.error})), forgetful{}, &Feed{Address: f.Address, URL: f.Address, Schedule: everyHour(t), Enabled: true}, &s.o.Settings, store.FeedState{}, discard)
		if err != nil || lost {
			t.Fatalf("lost %v, %v", lost, err)
		}
		s.judge(f, &store.FeedState{}, &p, lost, &s.o.Settings)
		if p.State.Failures != 1 {
			t.Errorf("%+v", p.State)
		}
	}
	if err := s.Degraded(); err != nil {
		t.Error(err)
	}
}

// failing answers with an error in place of the network.
type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

// Polls that end at the moment at which the outage is seen are spared like those before and after.
func TestOutageSeenByManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := storetest.NewModel()
		var addresses []string
		for i := range 40 {
			addresses = append(addresses, fmt.Sprintf("https://h%d.example/feed", i))
		}
		runFor(t, st, failing{errors.New("no route to host")}, feeds(t, addresses...), 2*time.Minute)
		n := 0
		for s := range st.Feeds(context.Background()) {
			if n++; s.Failures != 0 || !s.Outage || s.NextPoll.Sub(s.LastTry) != outagePause {
				t.Errorf("%s was charged: %+v", s.URL, s)
			}
		}
		if n != 40 {
			t.Errorf("%d feeds were tried", n)
		}
	})
}

// What is counted as attempts come and go is what there is.
func TestOutageIsCounted(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	o, at, seen := outageWatch{seen: map[string]sighting{}}, time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC), map[bool]int{}
	for i := range 5000 {
		at = at.Add(time.Duration(r.Int64N(int64(3 * time.Minute))))
		down := i/200%2 == 1
		on, _ := o.note(fmt.Sprint(r.IntN(60)), at, r.IntN(10) == 0 || down, r.IntN(10) == 0)
		seen[on]++
		all, failed := 0, 0
		for h, s := range o.seen {
			if s.theirs {
				continue
			}
			if all++; s.lost {
				failed++
			}
			if at.Sub(s.at) > outageWindow {
				t.Fatalf("after %d attempts: %s is still seen as of %v", i, h, at.Sub(s.at))
			}
		}
		if all != o.all || failed != o.failed || len(o.attempts) < all {
			t.Fatalf("after %d attempts: %d hosts and %d lost are counted, there are %d and %d", i, o.all, o.failed, all, failed)
		}
	}
	if seen[true] < 500 || seen[false] < 500 {
		t.Errorf("%v: that was no test", seen)
	}
}
