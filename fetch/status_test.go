package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"broadsheet/store"
	"broadsheet/store/storetest"
)

// An origin answers the n-th request to it, from 0.
type origin func(n int, r *http.Request) (*http.Response, error)

// An originNet answers in place of the network by host and keeps what was asked.
type originNet struct {
	fakeNet
	origins map[string]origin
	asks    map[string][]*http.Request
}

func (n *originNet) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.asked == nil {
		n.asked, n.asks = map[string][]time.Time{}, map[string][]*http.Request{}
	}
	h := r.URL.Host
	n.asked[h] = append(n.asked[h], time.Now())
	n.asks[h] = append(n.asks[h], r)
	return n.origins[h](len(n.asks[h])-1, r)
}

// runFor runs a scheduler for a while of fake time.
func runFor(t *testing.T, st store.Store, rt http.RoundTripper, fs []Feed, while time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), while)
	defer cancel()
	s := testSettings()
	s.MinInterval = 15 * time.Minute
	if err := New(Options{Store: st, Settings: s, Feeds: fs, Automatic: true, Log: discard, RoundTripper: rt}).Run(ctx); err != nil {
		t.Fatal(err)
	}
}

// stateOf is the stored state of a store's only feed.
func stateOf(t *testing.T, st store.Store) (f store.FeedState) {
	t.Helper()
	for s, err := range st.Feeds(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		f = s
	}
	return f
}

// dated is a feed whose one item is new now, so that its rhythm stays out of the way.
func dated(n int) string {
	return fmt.Sprintf(`<rss version="2.0"><channel><title>Small</title><link>https://a.example/</link><item><guid isPermaLink="false">%d</guid><title>Item %[1]d</title><link>https://a.example/%[1]d</link><pubDate>%s</pubDate></item></channel></rss>`,
		n, time.Now().UTC().Format(time.RFC1123Z))
}

// Thirty days of each status code and of some combinations: how often it is asked (PROTOCOL 1.4).
func TestThirtyDays(t *testing.T) {
	always := func(status int, header ...string) origin {
		return func(int, *http.Request) (*http.Response, error) {
			h := http.Header{}
			for i := 0; i+1 < len(header); i += 2 {
				h.Set(header[i], header[i+1])
			}
			return response(status, "", h), nil
		}
	}
	well := func(n int, _ *http.Request) (*http.Response, error) { return response(200, dated(n), nil), nil }
	lost := func(err error) origin {
		return func(int, *http.Request) (*http.Response, error) { return nil, err }
	}
	// in turns: so many answers of one, then so many of the other
	turns := func(a origin, m int, b origin, k int) origin {
		return func(n int, r *http.Request) (*http.Response, error) {
			if n%(m+k) < m {
				return a(n, r)
			}
			return b(n, r)
		}
	}
	date := func(after time.Duration) origin {
		return func(int, *http.Request) (*http.Response, error) {
			return response(503, "", http.Header{"Retry-After": {time.Now().Add(after).UTC().Format(http.TimeFormat)}}), nil
		}
	}
	for _, c := range []struct {
		name        string
		answers     origin
		least, most int
		state       string
	}{
		{"200", well, 680, 720, "ok"},
		{"203", func(n int, _ *http.Request) (*http.Response, error) { return response(203, dated(n), nil), nil }, 680, 720, "ok"},
		{"200, empty body", always(200), 29, 40, "failing"},
		{"200, a web page", func(int, *http.Request) (*http.Response, error) {
			return response(200, "<!doctype html><title>Hello</title>", nil), nil
		}, 29, 40, "failing"},
		{"200, max-age a day", func(n int, _ *http.Request) (*http.Response, error) {
			return response(200, dated(n), http.Header{"Cache-Control": {"max-age=86400"}}), nil
		}, 30, 31, "ok"},
		{"304 to everything", always(304), 29, 40, "failing"},
		{"300", always(300), 29, 40, "failing"},
		{"301 without Location", always(301), 29, 40, "failing"},
		{"302 without Location", always(302), 29, 40, "failing"},
		{"308 without Location", always(308), 29, 40, "failing"},
		{"302 in a circle", always(302, "Location", "/feed"), 29, 80, "failing"}, // two requests each time
		{"400", always(400), 20, 26, "dead?"},
		{"401", always(401), 29, 40, "failing"},
		{"403", always(403), 29, 36, "failing"},
		{"403 of Cloudflare", always(403, "Cf-Mitigated", "challenge"), 29, 36, "failing"},
		{"404", always(404), 20, 26, "dead?"},
		{"405", always(405), 20, 26, "dead?"},
		{"408", always(408), 29, 40, "failing"},
		{"410", always(410), 1, 1, "gone"},
		{"425", always(425), 29, 40, "failing"},
		{"429", always(429), 29, 36, "failing"},
		{"429, Retry-After 2 days", always(429, "Retry-After", "172800"), 15, 16, "held"},
		{"429, Retry-After a year", always(429, "Retry-After", "31536000"), 5, 6, "held"},
		{"413, Retry-After a week", always(413, "Retry-After", "604800"), 5, 6, "held"},
		{"451", always(451), 1, 1, "gone"},
		{"500", always(500), 29, 40, "failing"},
		{"502", always(502), 29, 40, "failing"},
		{"503", always(503), 29, 40, "failing"},
		{"503, Retry-After 3 days", always(503, "Retry-After", "259200"), 10, 11, "held"},
		{"503, Retry-After as a date", date(48 * time.Hour), 15, 16, "held"},
		{"503, Retry-After in the past", date(-time.Hour), 29, 40, "failing"},
		{"599", always(599), 29, 40, "failing"},
		{"no such name", lost(&net.DNSError{Err: "no such host", Name: "a.example", IsNotFound: true}), 20, 26, "dead?"},
		{"connection refused", lost(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), 20, 26, "dead?"},
		{"name server fails", lost(&net.DNSError{Err: "server misbehaving", Name: "a.example", IsTemporary: true}), 29, 40, "failing"},
		{"connections break", lost(errors.New("connection reset by peer")), 29, 40, "failing"},
		{"every second answer is 500", turns(well, 1, always(500), 1), 660, 720, ""},
		{"three 500 after each 200", turns(well, 1, always(500), 3), 300, 400, ""}, // waits of 1, 1, 2, 4 hours
		{"a 404 after nine 200", turns(well, 9, always(404), 1), 660, 720, ""},
		{"429 for a day, then 200", turns(always(429, "Retry-After", "86400"), 1, well, 23), 345, 365, ""},
		{"410 after a week", turns(well, 168, always(410), 1000), 169, 169, "gone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				st := storetest.NewModel()
				net := &originNet{origins: map[string]origin{"a.example": c.answers}}
				fs := feeds(t, "https://a.example/feed")
				runFor(t, st, net, fs, 30*24*time.Hour)
				if n := net.count("a.example"); n < c.least || n > c.most {
					t.Errorf("%d requests, want %d to %d", n, c.least, c.most)
				}
				state := stateOf(t, st)
				settings := testSettings()
				if due := Next(&fs[0], &settings, &state); c.state != "" && due.State != c.state {
					t.Errorf("it is %q (%s), want %q", due.State, due.Reason, c.state)
				}
				asked := net.asked["a.example"]
				for i := 1; i < len(asked); i++ {
					if gap := asked[i].Sub(asked[i-1]); gap < 54*time.Minute && !strings.Contains(c.name, "circle") {
						t.Fatalf("two requests %v apart", gap)
					}
				}
			})
		})
	}
}
