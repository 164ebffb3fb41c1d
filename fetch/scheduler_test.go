package fetch

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"broadsheet/store"
	"broadsheet/store/bolt"
)

var discard = slog.New(slog.DiscardHandler)

func openStore(t *testing.T, path string) *bolt.Store {
	t.Helper()
	st, err := bolt.Open(path, bolt.Options{Log: discard})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// A fakeNet answers in place of the network and writes down who asked what, when.
type fakeNet struct {
	mu       sync.Mutex
	asked    map[string][]time.Time // by host
	inFlight map[string]int
	most     map[string]int
	answer   func(*http.Request) *http.Response // nil: a feed with one item
	takes    time.Duration
}

// begin notes a request that has come.
func (n *fakeNet) begin(host string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.asked == nil {
		n.asked, n.inFlight, n.most = map[string][]time.Time{}, map[string]int{}, map[string]int{}
	}
	n.asked[host] = append(n.asked[host], time.Now())
	n.inFlight[host]++
	n.most[host] = max(n.most[host], n.inFlight[host])
}

func (n *fakeNet) end(host string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.inFlight[host]--
}

func (n *fakeNet) RoundTrip(r *http.Request) (*http.Response, error) {
	n.begin(r.URL.Hostname())
	defer n.end(r.URL.Hostname())
	select {
	case <-time.After(n.takes):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if n.answer != nil {
		if resp := n.answer(r); resp != nil {
			return resp, nil
		}
	}
	return response(200, strings.ReplaceAll(smallFeed, "example.com", r.URL.Host+r.URL.Path), nil), nil
}

func response(status int, body string, h http.Header) *http.Response {
	if h == nil {
		h = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

func (n *fakeNet) count(host string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.asked[host])
}

func (n *fakeNet) total() (all int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, at := range n.asked {
		all += len(at)
	}
	return all
}

func feeds(t *testing.T, addresses ...string) []Feed {
	var fs []Feed
	for _, a := range addresses {
		fs = append(fs, Feed{Outlet: hostName(a), URL: a, Address: a, Schedule: everyHour(t), Enabled: true})
	}
	return fs
}

// during runs a scheduler for a while of fake time.
func during(t *testing.T, st store.Store, net http.RoundTripper, s Settings, fs []Feed, while time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), while)
	defer cancel()
	if err := New(Options{Store: st, Settings: s, Feeds: fs, Automatic: true, Log: discard, RoundTripper: net}).Run(ctx); err != nil {
		t.Fatal(err)
	}
}

// Restarts never poll early: twenty of them in an hour cost not one request more.
func TestRestartsPollNothingEarly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		net := &fakeNet{}
		for range 20 {
			st := openStore(t, path)
			during(t, st, net, testSettings(), feeds(t, "https://a.example/feed"), 2*time.Minute)
			if err := st.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if n := net.count("a.example"); n != 1 {
			t.Errorf("%d requests in 40 minutes, want 1", n)
		}
	})
}

// A day of hourly polls: at their times, never two within the schedule.
func TestADay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, path)
		defer st.Close()
		net := &fakeNet{}
		during(t, st, net, testSettings(), feeds(t, "https://a.example/feed"), 24*time.Hour)
		asked := net.asked["a.example"]
		if len(asked) < 22 || len(asked) > 24 {
			t.Errorf("%d requests in a day", len(asked))
		}
		for i := 1; i < len(asked); i++ {
			if gap := asked[i].Sub(asked[i-1]); gap < time.Hour || gap > 66*time.Minute {
				t.Errorf("gap %d is %v", i, gap)
			}
		}
	})
}

// One request in flight at a host and a second between two; a slow host holds nobody else up.
func TestHostsKeepTheirDistance(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, path)
		defer st.Close()
		var addresses []string
		for i := range 50 {
			addresses = append(addresses, fmt.Sprintf("https://feeds%d.big.example/%d", i, i)) // one registrable domain
			addresses = append(addresses, fmt.Sprintf("https://small%d.example/feed", i))
		}
		net := &fakeNet{takes: 500 * time.Millisecond}
		s := testSettings()
		s.PerHost, s.HostGap, s.Concurrency = 1, time.Second, 8
		began := time.Now()
		during(t, st, net, s, feeds(t, addresses...), 30*time.Minute)
		var big []time.Time
		for h, at := range net.asked {
			if strings.HasSuffix(h, ".big.example") {
				big = append(big, at...)
			} else if wait := at[0].Sub(began); wait > 10*time.Second {
				t.Errorf("%s waited %v for a host that is not its own", h, wait)
			}
		}
		sortTimes(big)
		if len(big) != 50 {
			t.Fatalf("%d of 50 feeds asked for", len(big))
		}
		for i := 1; i < len(big); i++ {
			if gap := big[i].Sub(big[i-1]); gap < 1500*time.Millisecond {
				t.Errorf("requests %v apart: one in flight takes 0.5 s, and the pause is 1 s", gap)
			}
		}
	})
}

func sortTimes(ts []time.Time) {
	for i := range ts {
		for j := i; j > 0 && ts[j].Before(ts[j-1]); j-- {
			ts[j], ts[j-1] = ts[j-1], ts[j]
		}
	}
}

// Retry-After with 429 and 503 holds the whole host, over a restart, and against --force.
func TestRetryAfterHolds(t *testing.T) {
	for _, status := range []int{429, 503} {
		path := filepath.Join(t.TempDir(), "s.db")
		synctest.Test(t, func(t *testing.T) {
			s := testSettings()
			s.PerHost, s.HostGap = 1, time.Second
			net := &fakeNet{answer: func(*http.Request) *http.Response {
				return response(status, "", http.Header{"Retry-After": {"7200"}})
			}}
			fs := feeds(t, "https://a.example/1", "https://a.example/2", "https://b.a.example/3")
			for range 3 {
				st := openStore(t, path)
				during(t, st, net, s, fs, 30*time.Minute)
				if sum := onceIn(t, st, net, s, fs, Request{Force: true}); sum.Polled != 0 {
					t.Errorf("%d: --force polled %d feeds of a host that asked to be left alone", status, sum.Polled)
				}
				st.Close()
			}
			if n := net.count("a.example") + net.count("b.a.example"); n != 1 {
				t.Errorf("%d: %d requests within Retry-After, want 1", status, n)
			}
		})
	}
}

// A host that asks one of its feeds for patience has it from the others, too, also from those that are not due for
// longer than that and would be free to be forced.
func TestHeldAgainstForce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, path)
		defer st.Close()
		s := testSettings()
		s.PerHost, s.HostGap = 1, time.Second
		busy := false
		net := &fakeNet{answer: func(*http.Request) *http.Response {
			if !busy {
				return nil
			}
			return response(429, "", http.Header{"Retry-After": {"600"}})
		}}
		fs := feeds(t, "https://a.example/1", "https://a.example/2")
		if sum := onceIn(t, st, net, s, fs, Request{}); sum.Polled != 2 {
			t.Fatalf("%+v", sum)
		}
		busy = true
		time.Sleep(6 * time.Minute)
		for range 3 {
			onceIn(t, st, net, s, fs, Request{Force: true})
			time.Sleep(time.Minute)
		}
		if n := net.count("a.example"); n != 3 {
			t.Errorf("%d requests, want two and the one that was told to wait", n)
		}
		var states []store.FeedState
		for s, err := range st.Feeds(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			states = append(states, s)
		}
		for _, d := range Dues(fs, &s, states, time.Now()) {
			if !strings.Contains(d.Reason, "Retry-After") && time.Until(d.Forced) < 6*time.Minute {
				t.Errorf("%+v", d)
			}
		}
		busy = false
		time.Sleep(8 * time.Minute)
		if sum := onceIn(t, st, net, s, fs, Request{Force: true}); sum.Polled != 2 {
			t.Errorf("after the hold: %+v", sum)
		}
	})
}

// 410 is asked once, and never again: not by schedule, not by --force.
func TestGoneIsNotAskedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, path)
		defer st.Close()
		net := &fakeNet{answer: func(*http.Request) *http.Response { return response(410, "", nil) }}
		fs := feeds(t, "https://a.example/1")
		during(t, st, net, testSettings(), fs, 30*24*time.Hour)
		onceIn(t, st, net, testSettings(), fs, Request{Force: true})
		if n := net.count("a.example"); n != 1 {
			t.Errorf("%d requests in 30 days, want 1", n)
		}
	})
}

// A dead host is asked ever more rarely: at most 40 times in 30 days.
func TestDeadHost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, path)
		defer st.Close()
		net := &fakeNet{answer: func(*http.Request) *http.Response { return response(500, "", nil) }}
		during(t, st, net, testSettings(), feeds(t, "https://a.example/1"), 30*24*time.Hour)
		if n := net.count("a.example"); n > 40 || n < 25 {
			t.Errorf("%d requests in 30 days", n)
		}
	})
}

// onceIn polls once in a scheduler of its own.
func onceIn(t *testing.T, st store.Store, net *fakeNet, s Settings, fs []Feed, want Request) Summary {
	t.Helper()
	sch := New(Options{Store: st, Settings: s, Feeds: fs, Log: discard, RoundTripper: net})
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- sch.Run(ctx) }()
	began, before := time.Now(), net.total()
	sum, err := sch.Once(ctx, want, nil)
	if err != nil {
		t.Error(err)
	}
	if took, most := time.Since(began), time.Minute+time.Duration(net.total()-before)*(s.Timeout+s.HostGap); took > most {
		t.Errorf("polling once took %v", took)
	}
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
	return sum
}

// One-shots poll what is due, and only that; --force comes nearer, but not within min_interval.
func TestOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, path)
		defer st.Close()
		net := &fakeNet{}
		s := testSettings()
		s.MinInterval = 15 * time.Minute
		fs := feeds(t, "https://a.example/1", "https://b.example/1")
		fs[1].Enabled = false
		polled := func(want Request) int { return onceIn(t, st, net, s, fs, want).Polled }
		if sum := onceIn(t, st, net, s, fs, Request{}); sum.Polled != 1 || sum.New != 1 || sum.Feeds != 2 {
			t.Errorf("first: %+v", sum)
		}
		if n := polled(Request{}) + polled(Request{Force: true}); n != 0 {
			t.Errorf("at once again: %d", n)
		}
		time.Sleep(16 * time.Minute)
		if n := polled(Request{}); n != 0 {
			t.Errorf("after 16 minutes: %d", n)
		}
		if n := polled(Request{Force: true, Outlets: []string{"b.example"}}); n != 0 {
			t.Errorf("an outlet that is not enabled: %d", n)
		}
		if n := polled(Request{Force: true}); n != 1 {
			t.Errorf("forced after 16 minutes: %d", n)
		}
		for hour := range 24 { // cron, with a minute of jitter
			time.Sleep(time.Hour - time.Duration(hour%3)*time.Minute)
			if n := polled(Request{}); n != 1 {
				t.Errorf("hour %d: %d", hour, n)
			}
		}
	})
}

// Ten who ask at once share one request.
func TestTenTriggersOneRequest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, path)
		defer st.Close()
		net := &fakeNet{takes: time.Second}
		sch := New(Options{Store: st, Settings: testSettings(), Feeds: feeds(t, "https://a.example/1"), Log: discard, RoundTripper: net})
		stop := runs(sch)
		var asking sync.WaitGroup
		for range 10 {
			asking.Go(func() {
				if sum, err := sch.Once(t.Context(), Request{}, nil); err != nil || sum.Polled != 1 || sum.New != 1 {
					t.Errorf("%+v, %v", sum, err)
				}
			})
		}
		asking.Wait()
		stop()
		if n := net.count("a.example"); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

// A hundred servers that hang do not keep the scheduler from stopping, and their feeds stay due.
func TestStop(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, path)
		defer st.Close()
		net := &fakeNet{takes: time.Hour}
		var addresses []string
		for i := range 100 {
			addresses = append(addresses, fmt.Sprintf("https://h%d.example/", i))
		}
		began := time.Now()
		during(t, st, net, testSettings(), feeds(t, addresses...), time.Second)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("stopping took %v", took)
		}
		for s := range st.Feeds(context.Background()) {
			t.Errorf("%s: a poll that was broken off was saved", s.URL)
		}
	})
}

// A reload takes feeds out and in without losing what is known of the others.
func TestReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, path)
		defer st.Close()
		net := &fakeNet{}
		sch := New(Options{Store: st, Settings: testSettings(), Feeds: feeds(t, "https://a.example/", "https://b.example/"), Automatic: true, Log: discard, RoundTripper: net})
		stop := runs(sch)
		time.Sleep(10 * time.Minute)
		sch.Reload(testSettings(), feeds(t, "https://a.example/", "https://c.example/"))
		time.Sleep(2 * time.Hour)
		stop()
		for host, want := range map[string]int{"a.example": 3, "b.example": 1, "c.example": 2} {
			if n := net.count(host); n != want {
				t.Errorf("%s: %d requests, want %d", host, n, want)
			}
		}
	})
}
