package fetch

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"broadsheet/store/storetest"
)

// leading answers at hosts whose names begin with "away" by a redirect to big.example, elsewhere with a feed.
func leading(r *http.Request) *http.Response {
	if strings.HasPrefix(r.URL.Host, "away") {
		return response(302, "", http.Header{"Location": {"https://big.example/" + r.URL.Host}})
	}
	return nil
}

// What a redirect leads to another host waits for its turn there, among that host's own polls, and holds up nobody else.
func TestRedirectsKeepTheirDistance(t *testing.T) {
	for _, own := range []int{0, 10} { // feeds that are configured at the host
		path := filepath.Join(t.TempDir(), "s.db")
		synctest.Test(t, func(t *testing.T) {
			st := openStore(t, path)
			defer st.Close()
			net := &fakeNet{takes: 500 * time.Millisecond, answer: leading}
			var addresses []string
			for i := range 30 {
				addresses = append(addresses, fmt.Sprintf("https://away%d.example/feed", i))
				addresses = append(addresses, fmt.Sprintf("https://small%d.example/feed", i))
			}
			for i := range own {
				addresses = append(addresses, fmt.Sprintf("https://www.big.example/%d", i))
			}
			s := testSettings()
			s.PerHost, s.HostGap, s.Concurrency, s.Timeout = 1, time.Second, 4, 3*time.Second
			began := time.Now()
			during(t, st, net, s, feeds(t, addresses...), 30*time.Minute)
			for h, at := range net.asked {
				if wait := at[0].Sub(began); !strings.Contains(h, "big") && wait > 15*time.Second {
					t.Errorf("%s waited %v for a host that is not its own", h, wait)
				}
			}
			big := append(net.asked["big.example"], net.asked["www.big.example"]...)
			sortTimes(big)
			if len(big) != 30+own {
				t.Errorf("%d requests, want %d", len(big), 30+own)
			}
			for i := 1; i < len(big); i++ {
				if gap := big[i].Sub(big[i-1]); gap < 1500*time.Millisecond || gap > 1600*time.Millisecond {
					t.Errorf("requests %v apart: one in flight takes 0.5 s, and the pause is 1 s", gap)
				}
			}
			for f, err := range st.Feeds(t.Context()) {
				if err != nil || f.Failures > 0 || f.Items == 0 {
					t.Errorf("%s: %s, %v", f.URL, f.Err, err)
				}
			}
		})
	}
}

// A host that asked to be left alone is, by redirects as well, and the feed says why it has nothing.
func TestRedirectIntoAHold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, path)
		defer st.Close()
		net := &fakeNet{answer: func(r *http.Request) *http.Response {
			if r.URL.Path == "/busy" {
				return response(429, "", http.Header{"Retry-After": {"7200"}})
			}
			return leading(r)
		}}
		onceIn(t, st, net, testSettings(), feeds(t, "https://big.example/busy"), Request{})
		began := time.Now()
		onceIn(t, st, net, testSettings(), feeds(t, "https://big.example/busy", "https://away.example/feed"), Request{})
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		if n := net.count("big.example"); n != 1 {
			t.Errorf("%d requests to a host that asked to be left alone", n)
		}
		for f, err := range st.Feeds(t.Context()) {
			if err != nil || f.Outlet == "away.example" && (f.Failures != 1 || !strings.Contains(f.Err, "big.example now, which asked to be left alone until 02:00")) {
				t.Errorf("%+v, %v", f, err)
			}
		}
	})
}

// What a host says to those that a redirect has led there holds for all who would ask it.
func TestRedirectBringsAHold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, path)
		defer st.Close()
		net := &fakeNet{takes: time.Second, answer: func(r *http.Request) *http.Response {
			if r.URL.Host == "big.example" {
				return response(503, "", http.Header{"Retry-After": {"7200"}})
			}
			return leading(r)
		}}
		s := testSettings()
		s.PerHost, s.HostGap = 1, time.Second
		during(t, st, net, s, feeds(t, "https://away1.example/", "https://away2.example/", "https://away3.example/"), 5*time.Minute)
		if n := net.count("big.example"); n != 1 {
			t.Errorf("%d requests to a host that asked to be left alone", n)
		}
	})
}

// A redirect to a host that another poller has waits for it, and not for ever; polls that wait so end with the scheduler, and
// their feeds stay due.
func TestRedirectBesideAPoller(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := quickStore(t, path)
		defer st.Close()
		net := &fakeNet{takes: time.Second, answer: leading}
		s, stop := occupied(t, st, net)
		away := feeds(t, "https://away.example/feed")
		began := time.Now()
		during(t, st, net, s, away, 30*time.Second)
		if took := time.Since(began); took > 31*time.Second {
			t.Errorf("it took %v to stop", took)
		}
		if n := net.count("away.example"); n != 1 {
			t.Errorf("%d requests, of one poll that does not end", n)
		}
		began = time.Now()
		if sum := onceIn(t, st, net, s, away, Request{}); sum.Polled != 1 || sum.Failed != 0 || sum.New != 1 {
			t.Errorf("%+v", sum)
		}
		if took := time.Since(began); took < patience || took > patience+30*time.Second {
			t.Errorf("it took %v", took)
		}
		stop()
	})
}

// A poll that makes several requests at one host makes each in its turn there, as far from the last one as any other poll's: for
// redirects, for the question without validators after a week of 304s, and for the configured address when the new one fails.
func TestPollsKeepTheirDistanceFromThemselves(t *testing.T) {
	for perHost, least := range map[int]time.Duration{1: 1500 * time.Millisecond, 2: time.Second} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			var plain, back atomic.Int32
			net := &fakeNet{takes: 500 * time.Millisecond}
			net.answer = func(r *http.Request) *http.Response {
				early := time.Since(began) < 4*day
				switch r.URL.Path {
				case "/away":
					return response(302, "", http.Header{"Location": {"https://www.big.example/there"}})
				case "/quiet":
					if conditional(r) {
						return response(304, "", nil)
					}
					plain.Add(1)
					return response(200, dated(1), http.Header{"Etag": {`"1"`}})
				case "/moved":
					if early {
						return response(301, "", http.Header{"Location": {"https://www.big.example/new"}})
					}
				case "/new":
					if !early {
						back.Add(1)
						return response(404, "", nil)
					}
				}
				return nil
			}
			s := testSettings()
			s.PerHost, s.HostGap = perHost, time.Second
			st := storetest.NewModel()
			during(t, st, net, s, feeds(t, "https://big.example/away", "https://big.example/quiet", "https://big.example/moved", "https://big.example/1", "https://big.example/2"), 10*day)
			big := append(net.asked["big.example"], net.asked["www.big.example"]...)
			sortTimes(big)
			for i := 1; i < len(big); i++ {
				if gap := big[i].Sub(big[i-1]); gap < least {
					t.Errorf("%d in flight: requests %v apart, want %v", perHost, gap, least)
				}
			}
			if n := plain.Load(); n != 2 {
				t.Errorf("%d requests without validators, want the first and one after a week", n)
			}
			if n := back.Load(); n != 1 {
				t.Errorf("%d requests to a new address that has gone, want 1", n)
			}
			for f, err := range st.Feeds(t.Context()) {
				if err != nil || f.Failures > 0 || f.Move.Holds {
					t.Errorf("%+v, %v", f, err)
				}
			}
		})
	}
}

// A host that asks a moved feed's configured address to be left alone is not asked at the new one instead.
func TestMoveKeepsAHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := storetest.NewModel()
		var held, asked []time.Time
		net := &originNet{origins: map[string]origin{
			"a.example": then(to(301, "https://www.a.example/new"), 4*day, func(int, *http.Request) (*http.Response, error) {
				held = append(held, time.Now())
				return response(503, "", http.Header{"Retry-After": {"7200"}}), nil
			}),
			"www.a.example": func(n int, r *http.Request) (*http.Response, error) {
				asked = append(asked, time.Now())
				return steady(n, r)
			},
		}}
		runFor(t, st, net, feeds(t, "https://a.example/feed"), 12*day)
		if len(held) == 0 {
			t.Error("the configured address was not asked once a week")
		}
		for _, h := range held {
			for _, at := range asked {
				if d := at.Sub(h); d >= 0 && d < 2*time.Hour {
					t.Errorf("asked %v after Retry-After of two hours", d)
				}
			}
		}
	})
}
