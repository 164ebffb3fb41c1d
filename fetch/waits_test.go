package fetch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"broadsheet/store"
)

// Whatever outlets answer and whatever happens to the pollers, whoever asks to poll once has an answer in time: two
// daemons and many one-shots share a store, with and without --force, while configurations are reloaded, feeds revived,
// askers give up, hosts ask to be left alone, and the store goes away and comes back.
func TestNobodyWaitsForEver(t *testing.T) {
	for seed := range uint64(6) {
		path := filepath.Join(t.TempDir(), "s.db")
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { crowd(t, path, rand.New(rand.NewPCG(seed, 0))) })
		})
	}
}

func crowd(t *testing.T, path string, rnd *rand.Rand) {
	st := quickStore(t, path)
	defer st.Close()
	const hosts = 12
	var mu sync.Mutex // guards rnd
	number := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return rnd.IntN(n)
	}
	chance := func(percent int) bool { return number(100) < percent }
	upTo := func(d time.Duration) time.Duration {
		return time.Duration(number(int(d/time.Millisecond))) * time.Millisecond
	}
	net := &fakeNet{takes: 200 * time.Millisecond, answer: func(r *http.Request) *http.Response {
		switch n := number(40); n {
		case 0:
			return response(404, "", nil)
		case 1:
			return response(410, "", nil)
		case 2:
			return response(429, "", http.Header{"Retry-After": {fmt.Sprint(1 + number(7200))}})
		case 3:
			return response(503, "", http.Header{"Retry-After": {fmt.Sprint(1 + number(600))}})
		case 4:
			return response(301, "", http.Header{"Location": {fmt.Sprintf("https://%s/%d", r.URL.Host, number(5))}})
		case 5:
			<-r.Context().Done() // nothing comes
		case 6:
			return response(200, "no feed", nil)
		}
		return nil
	}}
	s := testSettings()
	s.PerHost, s.HostGap, s.Concurrency, s.MinInterval, s.Timeout = 1, 2*time.Second, 4, 10*time.Minute, 20*time.Second
	var all []string
	for i := range hosts * 5 {
		all = append(all, fmt.Sprintf("https://h%d.example/%d", i%hosts, i/hosts))
	}
	some := func() []Feed {
		fs := feeds(t, all...)
		for i := range fs {
			fs[i].Enabled = !chance(10)
		}
		return append(fs[number(10):], Feed{Outlet: "twin", URL: all[20], Address: all[20], Schedule: everyHour(t), Enabled: true})
	}

	ctx, cancel := context.WithCancel(t.Context())
	var daemons, others sync.WaitGroup
	cut := &lameStore{Store: st}
	running := pollers(ctx, &daemons, net, s, some(), cut, st)
	ask := func(sch *Scheduler) {
		asked, giveUp := context.WithTimeout(ctx, time.Second+upTo(time.Hour))
		defer giveUp()
		if chance(80) {
			asked = ctx
		}
		began := time.Now()
		var left atomic.Bool
		_, err := sch.Once(asked, Request{Force: chance(50)}, func(Progress) {
			if left.Load() {
				t.Error("told of progress after the end")
			}
		})
		left.Store(true)
		if took := time.Since(began); took > 20*time.Minute || err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %v: %v", took, err)
		}
	}
	for range 150 {
		time.Sleep(upTo(4 * time.Minute))
		switch n := number(10); n {
		case 0:
			running[number(2)].Reload(s, some())
		case 1:
			running[number(2)].Revive(fmt.Sprintf("h%d.example", number(hosts)))
		case 2:
			others.Go(func() {
				cut.away.Store(true)
				time.Sleep(upTo(time.Minute))
				cut.away.Store(false)
			})
		case 3, 4, 5: // by the control socket
			others.Go(func() { ask(running[number(2)]) })
		default: // a process of its own
			fs := some()
			others.Go(func() {
				own, stop := context.WithCancel(ctx)
				defer stop()
				sch := New(Options{Store: st, Settings: s, Feeds: fs, Log: discard, RoundTripper: net})
				others.Go(func() { sch.Run(own) })
				ask(sch)
			})
		}
	}
	others.Wait()
	began := time.Now()
	cancel()
	daemons.Wait()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("stopping took %v", took)
	}
	if n := net.total(); n < 500 {
		t.Errorf("only %d requests: this proves nothing", n)
	}
	for host, most := range net.most {
		if most > 1 {
			t.Errorf("%s: %d requests in flight", host, most)
		}
	}
}

// occupied lets a poller keep big.example busy for hours, a minute of which are over: 500 feeds with long pauses, as the settings have
// them that it returns. stop ends it.
func occupied(t *testing.T, st store.Store, net *fakeNet) (s Settings, stop func()) {
	t.Helper()
	s = testSettings()
	s.PerHost, s.HostGap = 1, 10*time.Second
	var many []string
	for i := range 500 {
		many = append(many, fmt.Sprintf("https://big.example/%d", i))
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	pollers(ctx, &wg, net, s, feeds(t, many...), st)
	time.Sleep(time.Minute)
	return s, func() {
		cancel()
		wg.Wait()
	}
}

// A one-shot does not wait for a host that another poller keeps busy for hours; what that one polls meanwhile it learns.
func TestBusyHostIsLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := quickStore(t, path)
		defer st.Close()
		net := &fakeNet{takes: time.Second}
		s, stop := occupied(t, st, net)
		before, began := net.count("big.example"), time.Now()
		if sum := onceIn(t, st, net, s, feeds(t, "https://big.example/other", "https://small.example/1"), Request{Force: true}); sum.Feeds != 2 || sum.Polled != 1 || sum.Failed != 0 {
			t.Errorf("%+v", sum)
		}
		if took := time.Since(began); took < patience || took > patience+time.Minute {
			t.Errorf("it took %v", took)
		}
		if n := net.count("big.example") - before; n > 8 {
			t.Errorf("%d requests to the busy host", n)
		}
		stop()
	})
}

// Who asks to poll and goes away is told nothing more, and what nobody else wants is not polled.
func TestAskerLeaves(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := quickStore(t, path)
		defer st.Close()
		net := &fakeNet{takes: time.Second}
		s := testSettings()
		s.PerHost, s.HostGap = 1, time.Second
		sch := New(Options{Store: st, Settings: s, Feeds: feeds(t, "https://a.example/1", "https://a.example/2", "https://a.example/3"), Log: discard, RoundTripper: net})
		stop := runs(sch)
		asked, leave := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer leave()
		steps := make(chan Progress, 3)
		if _, err := sch.Once(asked, Request{}, func(p Progress) { steps <- p }); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		close(steps) // to tell of another one would panic
		time.Sleep(time.Minute)
		if n := net.count("a.example"); n != 1 {
			t.Errorf("%d requests, want the one that was under way", n)
		}
		if sum, err := sch.Once(t.Context(), Request{}, nil); err != nil || sum.Polled != 2 {
			t.Errorf("the others are due still: %+v, %v", sum, err)
		}
		stop()
	})
}

// The clock stands a year ahead for an hour and is set right while the daemon runs: feeds are polled on as if that hour
// had been now, and a Retry-After of that hour is as long as it was meant.
func TestClockIsSetBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := quickStore(t, path)
		defer st.Close()
		net := &fakeNet{}
		sch := New(Options{Store: st, Settings: testSettings(), Feeds: feeds(t, "https://a.example/1", "https://b.example/1"), Automatic: true, Log: discard, RoundTripper: net})
		stop := runs(sch)
		time.Sleep(time.Minute)
		sch.call(func(context.Context) error { // what a year ahead would have left behind
			ahead := time.Now().AddDate(1, 0, 0).Round(0)
			sch.minded = moment{time.Now(), ahead}
			for _, j := range sch.jobs {
				j.state.LastTry, j.state.LastPoll, j.state.NextPoll = ahead, ahead, ahead.Add(time.Hour)
				if j.feed.Outlet == "b.example" {
					j.state.RetryAfter, j.state.HostHold = ahead.Add(3*time.Hour), true
				}
				if j.state.HostHold {
					j.host.hold = ahead.Add(3 * time.Hour)
				}
				sch.reckon(j)
			}
			return nil
		})
		time.Sleep(150 * time.Minute)
		if a, b := net.count("a.example"), net.count("b.example"); a != 3 || b != 1 {
			t.Errorf("%d and %d requests in two and a half hours, want 3, and 1 of the host that is to be left alone", a, b)
		}
		time.Sleep(time.Hour)
		if b := net.count("b.example"); b != 2 {
			t.Errorf("%d requests after Retry-After", b)
		}
		stop()
	})
}

// What was stored by a clock that stood a year ahead counts as of now when the next process starts.
func TestClockWasSetBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := quickStore(t, path)
		defer st.Close()
		ahead := time.Now().AddDate(1, 0, 0).UTC()
		fs := feeds(t, "https://a.example/1")
		p := store.Poll{At: ahead, State: store.FeedState{Outlet: fs[0].Outlet, URL: fs[0].URL, LastTry: ahead, LastPoll: ahead, LastSuccess: ahead, NextPoll: ahead.Add(time.Hour)}}
		if _, err := st.SavePolls(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		net := &fakeNet{}
		during(t, st, net, testSettings(), fs, 150*time.Minute)
		if n := net.count("a.example"); n != 2 {
			t.Errorf("%d requests in two and a half hours, want 2", n)
		}
	})
}

// A feed that comes due while its host is still ours is not asked when the host has just asked to be left alone; a
// queued feed that a reload turns off neither.
func TestDueIntoAHold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := quickStore(t, path)
		defer st.Close()
		net := &fakeNet{takes: 2 * time.Second, answer: func(r *http.Request) *http.Response {
			if strings.HasSuffix(r.URL.Path, "/busy") {
				return response(429, "", http.Header{"Retry-After": {"7200"}})
			}
			return nil
		}}
		fs := feeds(t, "https://a.example/busy", "https://a.example/other", "https://b.example/1", "https://b.example/2")
		s := testSettings()
		s.PerHost = 1
		sch := New(Options{Store: st, Settings: s, Feeds: fs, Log: discard, RoundTripper: net})
		stop := runs(sch)
		var asking sync.WaitGroup
		asking.Go(func() { sch.Once(t.Context(), Request{}, nil) })
		time.Sleep(time.Second)
		fewer := slices.Clone(fs)
		fewer[2].Enabled, fewer[3].Enabled = false, false
		sch.Reload(s, fewer)
		asking.Wait()
		sch.call(func(context.Context) error { // as it was reckoned before the hold
			j := sch.jobs[store.FeedName{Outlet: "a.example", URL: "https://a.example/other"}]
			j.due.Early, j.due.Forced = time.Time{}, time.Time{}
			return nil
		})
		before := net.count("a.example")
		if sum, err := sch.Once(t.Context(), Request{Force: true}, nil); err != nil || sum.Polled != 0 || net.count("a.example") != before {
			t.Errorf("%+v, %v", sum, err)
		}
		if n := net.count("b.example"); n != 1 {
			t.Errorf("%d requests of feeds that are turned off, want the one that was under way", n)
		}
		stop()
	})
}

// Whoever waits for polls that the end of Run breaks off is told so, and not that there was nothing to poll.
func TestEndIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := quickStore(t, path)
		defer st.Close()
		s := testSettings()
		s.PerHost = 1
		sch := New(Options{Store: st, Settings: s, Feeds: feeds(t, "https://a.example/1", "https://a.example/2"), Log: discard, RoundTripper: &fakeNet{takes: time.Hour}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var running sync.WaitGroup
		running.Go(func() { sch.Run(ctx) })
		for _, outlets := range [][]string{nil, {"a.example"}} {
			if sum, err := sch.Once(t.Context(), Request{Outlets: outlets}, nil); !errors.Is(err, errEnded) {
				t.Errorf("%+v, %v", sum, err)
			}
		}
		running.Wait()
	})
}

// A full disk shows in the scheduler's condition, without the path, until polls can be stored again; they are repeated by then, after
// one, two, four, eight and then ten minutes, and never sooner than the outlet may be asked again (PROTOCOL R6).
func TestFullDiskIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := &lameStore{Store: quickStore(t, path)}
		defer st.Close()
		at := time.Now().Add(-24 * time.Hour)
		private := store.FeedState{Outlet: "private.example", URL: "https://private.example/1", LastTry: at, LastPoll: at, Private: true}
		if _, err := st.SavePolls(t.Context(), store.Poll{At: at, State: private}); err != nil {
			t.Fatal(err)
		}
		st.full.Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		net := &fakeNet{}
		sch := pollers(ctx, &wg, net, testSettings(), feeds(t, "https://public.example/1", "https://private.example/1"), st)[0]
		time.Sleep(44 * time.Minute)
		if err := sch.Degraded(); !errors.Is(err, errUnsaved) {
			t.Error(err)
		}
		st.full.Store(false)
		time.Sleep(11 * time.Minute)
		if err := sch.Degraded(); err != nil {
			t.Error(err)
		}
		st.full.Store(true) // again
		time.Sleep(80 * time.Minute)
		cancel()
		wg.Wait()
		for host, want := range map[string][]float64{
			"public.example": {5, 5, 5, 8, 10, 10, 10, 0, 5, 5}, "private.example": {1, 2, 4, 8, 10, 10, 10, 0, 5, 5}, // 0: what the schedule says; both are seen to be public then
		} {
			var pauses []float64
			for i, at := range net.asked[host][1:] {
				pauses = append(pauses, at.Sub(net.asked[host][i]).Round(time.Minute).Minutes())
			}
			if len(pauses) > len(want) {
				pauses[7], pauses = 0, pauses[:len(want)]
			}
			if !slices.Equal(pauses, want) {
				t.Errorf("%s was asked after %v minutes; want %v", host, pauses, want)
			}
		}
		for f, err := range st.Feeds(t.Context()) {
			if err != nil || f.Items != 1 {
				t.Errorf("%+v, %v", f, err)
			}
		}
	})
}
