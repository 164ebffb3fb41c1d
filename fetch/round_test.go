package fetch

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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
// behind it, and a round that takes each host no longer than its own feeds do.
func TestARoundOfThousands(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := quickStore(t, path)
		defer st.Close()
		const takes, gap = 200 * time.Millisecond, time.Second
		net := &stalling{fakeNet: fakeNet{takes: takes}}
		var addresses []string
		for i := range roundFeeds {
			addresses = append(addresses, roundAddress(i, ""))
		}
		s := testSettings()
		s.PerHost, s.HostGap, s.Concurrency, s.Timeout = 1, gap, 16, 60*time.Second
		began := time.Now()
		perHost := roundFeeds / roundHosts
		during(t, st, net, s, feeds(t, addresses...), 55*time.Minute)
		for host, asked := range net.asked {
			if net.most[host] != 1 {
				t.Errorf("%s: %d requests in flight", host, net.most[host])
			}
			least, forced := takes+gap, time.Duration(perHost)*(takes+gap)
			if isDead(host) {
				least, forced = s.Timeout+gap, time.Duration(perHost)*(s.Timeout+gap)
			}
			for i := 1; i < len(asked); i++ {
				if d := asked[i].Sub(asked[i-1]); d < least {
					t.Errorf("%s: requests %v apart, want %v", host, d, least)
				}
			}
			if len(asked) != perHost {
				t.Errorf("%s: %d requests, want %d", host, len(asked), perHost)
				continue
			}
			// 16 polls at once do for 40 hosts, of which each is asked a sixth of the time: what is lost is little.
			if took := asked[perHost-1].Sub(began) + least; took > forced+forced/10+s.Timeout/10 {
				t.Errorf("%s: the round took %v; its own feeds force %v", host, took, forced)
			}
		}
		if len(net.asked) != roundHosts {
			t.Errorf("%d hosts were asked", len(net.asked))
		}
	})
}

// stalling is a network in which some hosts never answer.
type stalling struct{ fakeNet }

func (n *stalling) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := n.fakeNet.RoundTrip(r)
	if err == nil && isDead(r.URL.Hostname()) {
		n.mu.Lock()
		n.inFlight[r.URL.Hostname()]++
		n.mu.Unlock()
		<-r.Context().Done()
		n.mu.Lock()
		n.inFlight[r.URL.Hostname()]--
		n.mu.Unlock()
		return nil, r.Context().Err()
	}
	return resp, err
}

// The same over real connections, as the server sees it. It ends as soon as all feeds that can be polled have been.
func TestARoundOverSockets(t *testing.T) {
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	const gap = 2 * time.Millisecond
	var mu sync.Mutex // guards what follows
	inFlight, most, asked := map[string]int{}, map[string]int{}, map[string]int{}
	free := map[string]time.Time{}
	early := 0
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.Host)
		mu.Lock()
		asked[host]++
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
	if want := roundFeeds / roundHosts * (roundHosts - deadHosts); err != nil || sum.Polled != want || sum.New != want {
		t.Errorf("%v, %+v; want all %d feeds that answer", err, sum, want)
	}
	mu.Lock()
	defer mu.Unlock()
	for host, n := range most {
		if n > 1 {
			t.Errorf("%s: %d requests in flight", host, n)
		}
		if isDead(host) && asked[host] != 1 {
			t.Errorf("%s never answered, and was asked %d times", host, asked[host])
		}
	}
	if early > 0 {
		t.Errorf("%d requests came earlier than the pause permits", early)
	}
}
