package fetch

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"broadsheet/store"
	"broadsheet/store/bolt"
)

const (
	roundFeeds = 2000
	roundHosts = 40
	deadHosts  = 4 // their 200 feeds never answer
)

func quickStore(t *testing.T, path string) *bolt.Store {
	t.Helper()
	st, err := bolt.Open(path, bolt.Options{Log: discard, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// roundAddress is that of feed i: its host is 127.0.1.1, 127.0.1.2 and so on.
func roundAddress(i int, port string) string {
	return fmt.Sprintf("http://127.0.1.%d%s/%d", 1+i%roundHosts, port, i/roundHosts)
}

func isDead(host string) bool {
	var n int
	fmt.Sscanf(host, "127.0.1.%d", &n)
	return n > roundHosts-deadHosts
}

// 2,000 feeds on 40 hosts, 200 of which never answer: at each host one request at a time, with exactly the pause
// behind it, and a round that takes each host no longer than its own feeds do. Those that never answer are all of four
// hosts, or, where there is a place for each host in the round, five of each.
func TestARoundOfThousands(t *testing.T) {
	for name, c := range map[string]struct {
		concurrency int
		dead        func(host, path string) bool
	}{
		"hosts": {16, func(host, _ string) bool { return isDead(host) }},
		"feeds": {roundHosts, func(_, path string) bool { return strings.HasSuffix(path, "7") }},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s.db")
			synctest.Test(t, func(t *testing.T) {
				st := quickStore(t, path)
				defer st.Close()
				round(t, st, c.concurrency, c.dead)
			})
		})
	}
}

func round(t *testing.T, st store.Store, concurrency int, dead func(host, path string) bool) {
	const takes, gap, perHost = 200 * time.Millisecond, time.Second, roundFeeds / roundHosts
	net := &stalling{fakeNet{takes: takes}, dead}
	s := testSettings()
	s.PerHost, s.HostGap, s.Concurrency, s.Timeout = 1, gap, concurrency, 60*time.Second
	forced := map[string]time.Duration{} // by a host's own feeds
	var addresses []string
	for i := range roundFeeds {
		a := roundAddress(i, "")
		u, _ := url.Parse(a)
		forced[u.Host] += takes + gap
		if dead(u.Host, u.Path) {
			forced[u.Host] += s.Timeout - takes
		}
		addresses = append(addresses, a)
	}
	began := time.Now()
	during(t, st, net, s, feeds(t, addresses...), 55*time.Minute)
	for host, asked := range net.asked {
		if net.most[host] != 1 {
			t.Errorf("%s: %d requests in flight", host, net.most[host])
		}
		for i := 1; i < len(asked); i++ {
			if d := asked[i].Sub(asked[i-1]); d < takes+gap {
				t.Errorf("%s: requests %v apart", host, d)
			}
		}
		if len(asked) != perHost {
			t.Errorf("%s: %d requests, want %d", host, len(asked), perHost)
			continue
		}
		// With 16 places 40 hosts, each of which is asked a sixth of the time, wait a little for each other.
		if took := asked[perHost-1].Sub(began); took > forced[host]+forced[host]/10 {
			t.Errorf("%s: the round took %v; its own feeds force %v", host, took, forced[host])
		}
	}
	if len(net.asked) != roundHosts {
		t.Errorf("%d hosts were asked", len(net.asked))
	}
}

// stalling is a network in which some never answer.
type stalling struct {
	fakeNet
	dead func(host, path string) bool
}

func (n *stalling) RoundTrip(r *http.Request) (*http.Response, error) {
	if !n.dead(r.URL.Host, r.URL.Path) {
		return n.fakeNet.RoundTrip(r)
	}
	n.begin(r.URL.Hostname())
	<-r.Context().Done()
	n.end(r.URL.Hostname())
	return nil, r.Context().Err()
}

// The same over real connections, as the server sees it. It ends as soon as all feeds that can be polled have been.
func TestARoundOverSockets(t *testing.T) {
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	const gap = 2 * time.Millisecond
	var mu sync.Mutex // guards what follows
	inFlight, most := map[string]int{}, map[string]int{}
	free := map[string]time.Time{}
	early := 0
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.Host)
		mu.Lock()
		inFlight[host]++
		most[host] = max(most[host], inFlight[host])
		if time.Now().Before(free[host]) {
			early++
		}
		mu.Unlock()
		if isDead(host) {
			<-r.Context().Done()
		}
		mu.Lock()
		inFlight[host]--
		free[host] = time.Now().Add(gap) // the answer is not even there yet, so it can only come later
		mu.Unlock()
		fmt.Fprint(w, strings.ReplaceAll(smallFeed, "example.com", r.Host+r.URL.Path))
	})}}
	server.Start()
	defer server.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if c, err := net.Dial("tcp", "127.0.1.40:"+port); err != nil {
		t.Skip("this machine has only one loopback address: ", err)
	} else {
		c.Close()
	}

	st := quickStore(t, filepath.Join(t.TempDir(), "s.db"))
	defer st.Close()
	var fs []Feed
	var outlets []string // that answer
	for i := range roundFeeds {
		f := feeds(t, roundAddress(i, ":"+port))[0]
		f.AllowPrivate = loopback
		if fs = append(fs, f); i < roundHosts && !isDead(f.Outlet) {
			outlets = append(outlets, f.Outlet)
		}
	}
	s := testSettings()
	s.PerHost, s.HostGap, s.Timeout = 1, gap, time.Minute
	sch := New(Options{Store: st, Settings: s, Feeds: fs, Automatic: true, Log: discard})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { sch.Run(ctx) })
	sum, err := sch.Once(ctx, Request{Outlets: outlets}, nil)
	cancel()
	running.Wait()
	if err != nil || sum.Failed > 0 {
		t.Errorf("%v, %+v", err, sum)
	}
	polled := 0 // those that were done before Once came count as well
	for state, err := range st.Feeds(t.Context()) {
		if isDead(state.Outlet) { // a machine may be so slow that it was left in the meantime
			continue
		}
		if err != nil || state.Failures > 0 || state.Items != 1 {
			t.Errorf("%v, %+v", err, state)
		}
		polled++
	}
	if want := roundFeeds / roundHosts * (roundHosts - deadHosts); polled != want {
		t.Errorf("%d feeds polled, want all %d that answer", polled, want)
	}
	mu.Lock()
	defer mu.Unlock()
	for host, n := range most {
		if n > 1 && !isDead(host) { // which may have been left and asked again before the server sees that it was left
			t.Errorf("%s: %d requests in flight", host, n)
		}
	}
	if early > 0 {
		t.Errorf("%d requests came earlier than the pause permits", early)
	}
}
