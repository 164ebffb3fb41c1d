package fetch

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
)

// roundTrip answers in place of the network.
type roundTrip func(*http.Request) *http.Response

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

// Credentials go to the configured origin alone, whatever redirects lead to; what a Location holds besides an address goes nowhere.
func TestRedirectsGetNoCredentials(t *testing.T) {
	way := []string{"https://b.example/1", "http://a.example/2", "https://a.example:443/3", "https://x:y@a.example/4#part"}
	var asked []*url.URL
	c := NewClient(testSettings(), roundTrip(func(r *http.Request) *http.Response {
		at := r.URL.String()
		user, _, _ := r.BasicAuth()
		if own, given := strings.HasPrefix(at, "https://a.example/"), r.Header.Get("X-Key") == "canary" && user == "me"; own != given || !own && r.Header.Get("X-Key")+r.Header.Get("Authorization") != "" {
			t.Errorf("%s gets %v", at, r.Header)
		}
		if asked = append(asked, r.URL); len(asked) > len(way) {
			return response(200, smallFeed, nil)
		}
		return response(302, "", http.Header{"Location": {way[len(asked)-1]}})
	}))
	s := testSettings()
	f := Feed{Outlet: "o", URL: "https://a.example/feed", Address: "https://a.example/feed", Schedule: everyHour(t), Enabled: true,
		Username: "me", Password: "hunter22", Headers: map[string]string{"X-Key": "canary"}}
	p, _, err := poll(t.Context(), visiting(c), forgetful{}, &f, &s, store.FeedState{}, discard)
	if err != nil || p.State.Err != "" || len(p.Arrivals) != 1 || len(asked) != 5 {
		t.Fatalf("%d requests, %q, %v", len(asked), p.State.Err, err)
	}
	if last := asked[4].String(); last != "https://a.example/4" {
		t.Errorf("asked at last for %s", last)
	}
}

// A redirect that asks for a pause is followed, and its address left alone for that long afterwards (PROTOCOL F12).
func TestRedirectAsksForAPause(t *testing.T) {
	waits := []string{"60", "7200", "soon"} // of one redirect after the other
	c := NewClient(testSettings(), roundTrip(func(r *http.Request) *http.Response {
		n, _ := strconv.Atoi(r.URL.Path[1:])
		if n == len(waits) {
			return response(200, smallFeed, nil)
		}
		return response(302, "", http.Header{"Location": {fmt.Sprintf("/%d", n+1)}, "Retry-After": {waits[n]}})
	}))
	s := testSettings()
	f := Feed{Outlet: "o", URL: "https://a.example/0", Address: "https://a.example/0", Schedule: everyHour(t), Enabled: true}
	p, _, err := poll(t.Context(), visiting(c), forgetful{}, &f, &s, store.FeedState{}, discard)
	if err != nil || p.State.Err != "" || len(p.Arrivals) != 1 {
		t.Fatalf("%+v, %v", p.State, err)
	}
	if wait := p.State.RetryAfter.Sub(p.At); wait != 2*time.Hour || !p.State.NextPoll.Equal(p.State.RetryAfter) || p.State.HostHold {
		t.Errorf("a pause of %v, next poll %v, the whole host: %v", wait, p.State.NextPoll, p.State.HostHold)
	}
}

// A 304 to who sent no validators tells nothing, also where there are some of another address: they are dropped, and the next
// request is one without.
func Test304WithoutValidators(t *testing.T) {
	for name, v := range map[string]store.Validators{
		"none":               {},
		"of another address": {For: addressHash("https://b.example/feed"), ETag: []byte(`"b"`), LastModified: []byte("then")},
	} {
		s := testSettings()
		c := NewClient(s, roundTrip(func(r *http.Request) *http.Response {
			if h := r.Header; h.Get("If-None-Match")+h.Get("If-Modified-Since") != "" {
				t.Errorf("%s: asked with %v", name, h)
			}
			return response(304, "", http.Header{"Etag": {`"new"`}})
		}))
		f := Feed{Outlet: "o", URL: "https://a.example/feed", Address: "https://a.example/feed", Schedule: everyHour(t), Enabled: true}
		p, _, err := poll(t.Context(), visiting(c), forgetful{}, &f, &s, store.FeedState{Validators: v}, discard)
		if got := p.State.Validators; err != nil || p.State.Failures != 1 || !strings.Contains(p.State.Err, "without validators") || got.For != "" || got.ETag != nil || got.LastModified != nil {
			t.Errorf("%s: %d failures, %q, %+v, %v", name, p.State.Failures, p.State.Err, got, err)
		}
	}
}
