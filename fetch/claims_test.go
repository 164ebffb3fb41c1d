package fetch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"broadsheet/store"
)

// A lameStore is a store that one poller may lose sight of, and whose disk may be full.
type lameStore struct {
	store.Store
	away, full atomic.Bool
}

func (c *lameStore) Claim(ctx context.Context, claim store.Claim) ([]store.Grant, error) {
	if c.away.Load() {
		return nil, fmt.Errorf("claim: %w", store.ErrAway)
	}
	return c.Store.Claim(ctx, claim)
}

func (c *lameStore) SavePolls(ctx context.Context, polls ...store.Poll) ([]store.Saved, error) {
	if c.away.Load() {
		return nil, fmt.Errorf("save: %w", store.ErrAway)
	}
	if c.full.Load() {
		return nil, errors.New("write /secret/path: no space left on device")
	}
	return c.Store.SavePolls(ctx, polls...)
}

// pollers runs several schedulers until ctx ends, and returns when all have stopped.
func pollers(ctx context.Context, wg *sync.WaitGroup, net *fakeNet, s Settings, fs []Feed, stores ...store.Store) (all []*Scheduler) {
	for _, st := range stores {
		sch := New(Options{Store: st, Settings: s, Feeds: fs, Automatic: true, Log: discard, RoundTripper: net})
		wg.Go(func() { sch.Run(ctx) })
		all = append(all, sch)
	}
	return all
}

// Three pollers with one store do what one would: each feed once when it is due, one request in flight at a host, and the
// pause between two, whoever makes them.
func TestPollersShare(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := quickStore(t, path)
		defer st.Close()
		const hosts, perHost = 20, 5
		var addresses []string
		for i := range hosts * perHost {
			addresses = append(addresses, fmt.Sprintf("https://h%d.example/%d", i%hosts, i/hosts))
		}
		var mu sync.Mutex
		asked := map[string][]time.Time{}
		net := &fakeNet{takes: 300 * time.Millisecond, answer: func(r *http.Request) *http.Response {
			mu.Lock()
			defer mu.Unlock()
			asked[r.URL.String()] = append(asked[r.URL.String()], time.Now())
			return nil
		}}
		s := testSettings()
		s.PerHost, s.HostGap, s.Concurrency = 1, time.Second, 4
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Hour)
		defer cancel()
		var wg sync.WaitGroup
		pollers(ctx, &wg, net, s, feeds(t, addresses...), st, st, st)
		wg.Wait()
		for _, a := range addresses {
			if n := len(asked[a]); n < 11 || n > 12 {
				t.Errorf("%s: %d requests in 12 hours", a, n)
			}
			for i := 1; i < len(asked[a]); i++ {
				if gap := asked[a][i].Sub(asked[a][i-1]); gap < time.Hour {
					t.Errorf("%s: asked again after %v", a, gap)
				}
			}
		}
		for host, at := range net.asked {
			if net.most[host] > 1 {
				t.Errorf("%s: %d requests in flight", host, net.most[host])
			}
			sortTimes(at)
			for i := 1; i < len(at); i++ {
				if gap := at[i].Sub(at[i-1]); gap < net.takes+s.HostGap {
					t.Errorf("%s: requests %v apart", host, gap)
				}
			}
		}
	})
}

// A poller that loses sight of the store breaks off its polls when its leases end; its hosts are polled by another one, and what
// it still has in its hands is dropped. When it is back, it goes on.
func TestAPollerLosesItsHosts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := quickStore(t, path)
		defer st.Close()
		net := &fakeNet{takes: 15 * time.Second}
		s := testSettings()
		s.Timeout = time.Minute
		fs := feeds(t, "https://a.example/1", "https://b.example/1")
		lost := &lameStore{Store: st}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		first := pollers(ctx, &wg, net, s, fs, lost)[0]
		time.Sleep(time.Second)
		lost.away.Store(true)
		time.Sleep(15 * time.Second) // the polls are done and not saved; the leases are about to end
		second := pollers(ctx, &wg, net, s, fs, st)[0]
		time.Sleep(time.Minute)
		if n := net.count("a.example"); n != 2 {
			t.Errorf("%d requests, want the lost one and its repetition", n)
		}
		if err := first.Degraded(); err != ErrUnreached {
			t.Errorf("the poller without a store: %v", err)
		}
		if err := second.Degraded(); err != nil {
			t.Errorf("the other one: %v", err)
		}
		states := func() (saves []uint64) {
			for f, err := range st.Feeds(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				saves = append(saves, f.Saves)
			}
			return saves
		}
		if saves := fmt.Sprint(states()); saves != "[1 1]" {
			t.Errorf("saved %s times", saves)
		}
		lost.away.Store(false)
		time.Sleep(30 * time.Second)
		if err := first.Degraded(); err != nil {
			t.Errorf("the store is back: %v", err)
		}
		if saves := fmt.Sprint(states()); saves != "[1 1]" || net.count("a.example") != 2 {
			t.Errorf("with the store back: saved %s times after %d requests", saves, net.count("a.example"))
		}
		time.Sleep(4 * time.Hour)
		if saves := states(); saves[0] < 4 || saves[0] > 5 || uint64(net.count("a.example")) != saves[0]+1 {
			t.Errorf("four hours later: saved %v times after %d requests", saves, net.count("a.example"))
		}
		cancel()
		wg.Wait()
	})
}

// An outlet that was asked in vain, since the lease ended before its answer, stands in the log: it is asked again.
func TestBrokenOffIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := quickStore(t, path)
		defer st.Close()
		lost := &lameStore{Store: st}
		var log strings.Builder
		s := testSettings()
		s.Timeout = time.Hour
		sch := New(Options{Store: lost, Settings: s, Feeds: feeds(t, "https://a.example/1"), Automatic: true, Log: slog.New(slog.NewTextHandler(&log, nil)), RoundTripper: &fakeNet{takes: time.Minute}})
		stop := runs(sch)
		time.Sleep(time.Second)
		lost.away.Store(true)
		time.Sleep(30 * time.Second)
		lost.away.Store(false)
		time.Sleep(30 * time.Second)
		stop() // which breaks off the next poll, and that is not told
		if n := strings.Count(log.String(), "was not ours any more; a poll was broken off, and will be repeated\" outlet=a.example feed=https://a.example/1"); n != 1 {
			t.Errorf("told %d times: %s", n, &log)
		}
	})
}

// What outlets have answered is kept while the store is away, and not asked for again.
func TestAnswersWaitForTheStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := quickStore(t, path)
		defer st.Close()
		net := &fakeNet{takes: time.Second}
		lost := &lameStore{Store: st}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		pollers(ctx, &wg, net, testSettings(), feeds(t, "https://a.example/1", "https://a.example/2", "https://b.example/1"), lost)
		time.Sleep(500 * time.Millisecond)
		lost.away.Store(true)
		time.Sleep(10 * time.Minute)
		lost.away.Store(false)
		time.Sleep(time.Minute)
		cancel()
		wg.Wait()
		feeds := 0
		for f, err := range st.Feeds(t.Context()) {
			if feeds++; err != nil || f.Saves != 1 || f.Items != 1 {
				t.Errorf("%+v, %v", f, err)
			}
		}
		if n := net.count("a.example") + net.count("b.example"); feeds != 3 || n != 3 {
			t.Errorf("%d requests for %d feeds", n, feeds)
		}
	})
}

// A poller that stops gives its hosts back at once, and the next one keeps the pause behind its last request.
func TestHostsAreGivenBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := quickStore(t, path)
		defer st.Close()
		net := &fakeNet{takes: 100 * time.Millisecond}
		s := testSettings()
		s.PerHost, s.HostGap = 1, 5*time.Second
		fs := feeds(t, "https://a.example/1", "https://a.example/2", "https://a.example/3")
		for range 3 {
			during(t, st, net, s, fs, 200*time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		during(t, st, net, s, fs, 200*time.Millisecond)
		at := net.asked["a.example"]
		if len(at) != 2 {
			t.Fatalf("%d requests, want one in each 5 s", len(at))
		}
		if gap := at[1].Sub(at[0]); gap < 5100*time.Millisecond || gap > 6*time.Second {
			t.Errorf("requests %v apart", gap)
		}
	})
}

// A one-shot beside a daemon waits for what the daemon is polling, and polls nothing twice.
func TestOnceBesideAPoller(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := quickStore(t, path)
		defer st.Close()
		net := &fakeNet{takes: 4 * time.Second}
		fs := feeds(t, "https://a.example/1", "https://b.example/1")
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		pollers(ctx, &wg, net, testSettings(), fs[:1], st)
		time.Sleep(time.Second)
		began := time.Now()
		if sum := onceIn(t, st, net, testSettings(), fs, Request{}); sum.Feeds != 2 || sum.Polled != 1 || sum.New != 1 || sum.Unsaved != "" {
			t.Errorf("%+v", sum)
		}
		if took := time.Since(began); took < 4*time.Second || took > 8*time.Second {
			t.Errorf("it took %v", took)
		}
		if n := net.count("a.example"); n != 1 {
			t.Errorf("%d requests", n)
		}
		cancel()
		wg.Wait()
	})
}

// Who asks for polls does not wait for ever for a store that grants nothing; what is due by itself does.
func TestOnceWithoutTheStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := quickStore(t, path)
		defer st.Close()
		net := &fakeNet{}
		fs := feeds(t, "https://a.example/1", "https://a.example/2", "https://b.example/1")
		lost := &lameStore{Store: st}
		lost.away.Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for _, automatic := range []bool{false, true} {
			s := New(Options{Store: lost, Settings: testSettings(), Feeds: fs, Automatic: automatic, Log: discard, RoundTripper: net})
			wg.Go(func() { s.Run(ctx) })
			began := time.Now()
			if sum, err := s.Once(ctx, Request{}, nil); err != nil || sum.Polled != 0 || !strings.Contains(sum.Unsaved, "claim") {
				t.Errorf("%+v, %v", sum, err)
			}
			if took := time.Since(began); took < patience || took > 2*patience {
				t.Errorf("it took %v", took)
			}
		}
		if n := net.count("a.example") + net.count("b.example"); n != 0 {
			t.Errorf("%d requests", n)
		}
		lost.away.Store(false)
		time.Sleep(time.Minute)
		cancel()
		wg.Wait()
		if n := net.count("a.example") + net.count("b.example"); n != 3 {
			t.Errorf("%d requests of a daemon that the store grants hosts again", n)
		}
	})
}

// What one process revives, another one that runs polls again.
func TestRevivedElsewhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := quickStore(t, path)
		defer st.Close()
		var gone atomic.Bool
		gone.Store(true)
		net := &fakeNet{answer: func(*http.Request) *http.Response {
			if gone.Load() {
				return response(410, "", nil)
			}
			return nil
		}}
		fs := feeds(t, "https://a.example/1")
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		one, stop := context.WithCancel(ctx)
		other := New(Options{Store: st, Settings: testSettings(), Feeds: fs, Log: discard, RoundTripper: net}) // there before the feed ends
		wg.Go(func() { other.Run(one) })
		synctest.Wait()
		pollers(ctx, &wg, net, testSettings(), fs, st)
		time.Sleep(3 * time.Hour)
		gone.Store(false)
		if feeds, err := other.Revive("a.example"); err != nil || len(feeds) != 1 {
			t.Errorf("%v, %v", feeds, err)
		}
		stop()
		time.Sleep(2 * time.Hour)
		if n := net.count("a.example"); n < 2 || n > 3 {
			t.Errorf("%d requests", n)
		}
		cancel()
		wg.Wait()
	})
}
