package fetch

import (
	"context"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestHostName(t *testing.T) {
	for address, want := range map[string]string{
		"https://feeds.bbci.co.uk/news/rss.xml": "bbci.co.uk",
		"https://WWW.Example.COM./rss":          "example.com",
		"http://127.0.0.1:9000/feed/1":          "127.0.0.1",
		"http://[::1]:9000/feed/1":              "::1",
		"http://localhost:9000/":                "localhost",
		"https://someone.github.io/feed":        "someone.github.io",
	} {
		if got := hostName(address); got != want {
			t.Errorf("%s: host %s, want %s", address, got, want)
		}
	}
}

func TestHostRules(t *testing.T) {
	s := Settings{PerHost: 1, HostGap: time.Second, Hosts: []HostRule{
		{Name: "feedburner.com", PerHost: 2, Gap: 100 * time.Millisecond, Each: true},
		{Name: "example.org", PerHost: 3},
		{Name: "slow.example.org", PerHost: 1, Gap: time.Minute},
		{Name: "127.0.0.1", PerHost: 9},
		{Name: "github.io", PerHost: 4},
	}}
	for address, want := range map[string]struct {
		host    string
		perHost int
		gap     time.Duration
	}{
		"https://feeds.feedburner.com/a":   {"feeds.feedburner.com", 2, 100 * time.Millisecond},
		"https://FEEDS2.feedburner.com./a": {"feeds2.feedburner.com", 2, 100 * time.Millisecond},
		"https://notfeedburner.com/a":      {"notfeedburner.com", 1, time.Second},
		"https://a.example.org/":           {"example.org", 3, 0},
		"https://example.org/":             {"example.org", 3, 0},
		"https://x.slow.example.org/":      {"slow.example.org", 1, time.Minute},
		"http://127.0.0.1:9000/":           {"127.0.0.1", 9, 0},
		"http://127.0.0.2:9000/":           {"127.0.0.2", 1, time.Second},
		"https://someone.github.io/feed":   {"github.io", 4, 0}, // wider than its registrable domain
	} {
		host, r := s.rule(address)
		if host != want.host || r.PerHost != want.perHost || r.Gap != want.gap {
			t.Errorf("%s: %s, %d in flight, %v apart; want %+v", address, host, r.PerHost, r.Gap, want)
		}
	}
}

// With scope "host" the names under a domain neither wait for each other nor share a Retry-After; with
// "domain" they do both.
func TestHostScope(t *testing.T) {
	for _, each := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "s.db")
		synctest.Test(t, func(t *testing.T) {
			st := openStore(t, path)
			defer st.Close()
			net := &fakeNet{answer: func(r *http.Request) *http.Response {
				if r.URL.Hostname() == "a.burner.example" {
					return response(429, "", http.Header{"Retry-After": {"7200"}})
				}
				return nil
			}}
			s := testSettings()
			s.Hosts = []HostRule{{Name: "burner.example", PerHost: 1, Gap: 10 * time.Second, Each: each}}
			fs := feeds(t, "https://a.burner.example/1", "https://a.burner.example/2", "https://b.burner.example/1")
			if one := onceIn(t, st, net, s, fs[:1], Request{}); one.Polled != 1 {
				t.Fatalf("%+v", one)
			}
			began := time.Now()
			during(t, st, net, s, fs, time.Hour)
			wantB := 0
			if each {
				wantB = 1
			}
			if a, b := net.count("a.burner.example"), net.count("b.burner.example"); a != 1 || b != wantB {
				t.Errorf("each %v: %d and %d requests within Retry-After, want 1 and %d", each, a, b, wantB)
			}
			if each && net.asked["b.burner.example"][0].Sub(began) > time.Second {
				t.Error("a host of its own waited for another one's pause")
			}
		})
	}
}

// A reload may part a host or join two: what waits for a poll still gets it, at the new distance.
func TestReloadOfHosts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, path)
		defer st.Close()
		net := &fakeNet{}
		s := testSettings()
		s.PerHost, s.HostGap = 1, time.Hour
		fs := feeds(t, "https://a.burner.example/", "https://b.burner.example/", "https://c.burner.example/")
		sch := New(Options{Store: st, Settings: s, Feeds: fs, Log: discard, RoundTripper: net})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()
		running.Go(func() { sch.Run(ctx) })
		done := make(chan Summary, 1)
		running.Go(func() {
			sum, err := sch.Once(ctx, Request{}, nil)
			if err != nil {
				t.Error(err)
			}
			done <- sum
		})
		time.Sleep(time.Minute)
		s.Hosts = []HostRule{{Name: "burner.example", PerHost: 1, Gap: time.Second, Each: true}}
		sch.Reload(s, fs)
		time.Sleep(time.Minute)
		select {
		case sum := <-done:
			if sum.Polled != 3 {
				t.Errorf("%+v", sum)
			}
		default:
			t.Error("feeds that waited at a host are forgotten when it is parted")
		}
	})
}
