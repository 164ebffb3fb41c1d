package fetch

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"broadsheet/store"
	"broadsheet/store/storetest"
)

func to(status int, address string) origin {
	return func(int, *http.Request) (*http.Response, error) {
		return response(status, "", http.Header{"Location": {address}}), nil
	}
}

// steady is a feed that always has something new.
func steady(n int, _ *http.Request) (*http.Response, error) { return response(200, dated(n), nil), nil }

// then answers as before until some time has passed, then otherwise.
func then(before origin, after time.Duration, otherwise origin) origin {
	began := time.Now()
	return func(n int, r *http.Request) (*http.Response, error) {
		if time.Since(began) < after {
			return before(n, r)
		}
		return otherwise(n, r)
	}
}

const day = 24 * time.Hour

// A feed that redirects permanently for two days is asked where it is, and at its configured address once a
// week; nothing is stored twice.
func TestMovedFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := storetest.NewModel()
		serial := 0
		feed := func(int, *http.Request) (*http.Response, error) {
			serial++
			return response(200, dated(serial), nil), nil
		}
		net := &originNet{origins: map[string]origin{
			"old.example": then(feed, 5*day, to(301, "https://new.example/feed")),
			"new.example": feed,
		}}
		fs := feeds(t, "https://old.example/feed")
		runFor(t, st, net, fs, 7*day-time.Hour)
		if s := stateOf(t, st); s.Move.Holds || s.Move.To != "https://new.example/feed" {
			t.Errorf("within two days: %+v", s.Move)
		}
		runFor(t, st, net, fs, 2*time.Hour)
		s := stateOf(t, st)
		if !s.Move.Holds || !strings.HasSuffix(s.Reason, "; moved to https://new.example/feed") || s.URL != "https://old.example/feed" {
			t.Errorf("after two days: %+v", s)
		}
		old, fresh := net.count("old.example"), net.count("new.example")
		runFor(t, st, net, fs, 21*day)
		if n := net.count("old.example") - old; n != 3 && n != 2 {
			t.Errorf("the configured address was asked %d times in three weeks", n)
		}
		if n := net.count("new.example") - fresh; n < 450 {
			t.Errorf("the new address was asked %d times in three weeks", n)
		}
		if s := stateOf(t, st); s.Items != serial || s.Failures > 0 {
			t.Errorf("%d items were published, %d stored; %+v", serial, s.Items, s)
		}
	})
}

// What does not hold, or does not any more.
func TestMovesThatDoNotHold(t *testing.T) {
	other := func(n int, _ *http.Request) (*http.Response, error) {
		return response(200, strings.NewReplacer("Small", "Best domains to buy", "a.example", "parked.example", "<guid isPermaLink=\"false\">", "<guid isPermaLink=\"false\">parked").Replace(dated(n)), nil), nil
	}
	page := func(int, *http.Request) (*http.Response, error) {
		return response(200, "<!doctype html><title>Welcome to our hotel</title>", nil), nil
	}
	for _, c := range []struct {
		name    string
		origins func() map[string]origin
		check   func(t *testing.T, s store.FeedState, net *originNet)
	}{
		{"hotel portal", func() map[string]origin {
			return map[string]origin{"a.example": then(steady, day, then(to(301, "https://portal.example/"), 5*day, steady)), "portal.example": page}
		}, func(t *testing.T, s store.FeedState, net *originNet) {
			if s.Move.To != "" || s.Status != 200 || s.Failures != 0 {
				t.Errorf("%+v", s)
			}
		}},
		{"parked domain with a feed of its own", func() map[string]origin {
			return map[string]origin{"a.example": then(steady, day, to(301, "https://parked.example/feed")), "parked.example": other}
		}, nil},
		{"temporary redirect", func() map[string]origin {
			return map[string]origin{"a.example": to(302, "https://b.example/feed"), "b.example": steady}
		}, nil},
		{"out of TLS", func() map[string]origin {
			return map[string]origin{"a.example": to(308, "http://b.example/feed"), "b.example": steady}
		}, nil},
		{"now and then", func() map[string]origin {
			return map[string]origin{"a.example": func(n int, r *http.Request) (*http.Response, error) {
				if n%4 == 3 {
					return steady(n, r)
				}
				return to(301, "https://b.example/feed")(n, r)
			}, "b.example": steady}
		}, nil},
		{"permanent, then temporary", func() map[string]origin {
			return map[string]origin{"a.example": to(301, "https://b.example/feed"), "b.example": to(302, "https://c.example/feed"), "c.example": steady}
		}, func(t *testing.T, s store.FeedState, net *originNet) {
			if !s.Move.Holds || s.Move.To != "https://b.example/feed" {
				t.Errorf("%+v", s.Move)
			}
		}},
		{"the new address ends with 404", func() map[string]origin {
			gone := func(int, *http.Request) (*http.Response, error) { return response(404, "", nil), nil }
			return map[string]origin{"a.example": then(to(301, "https://b.example/feed"), 4*day, steady), "b.example": then(steady, 4*day, gone)}
		}, backHome},
		{"the new address ends with 410", func() map[string]origin {
			gone := func(int, *http.Request) (*http.Response, error) { return response(410, "", nil), nil }
			return map[string]origin{"a.example": then(to(301, "https://b.example/feed"), 4*day, steady), "b.example": then(steady, 4*day, gone)}
		}, backHome},
		{"the new address becomes a page", func() map[string]origin {
			return map[string]origin{"a.example": then(to(301, "https://b.example/feed"), 4*day, steady), "b.example": then(steady, 4*day, page)}
		}, backHome},
		{"the new address breaks off for a day", func() map[string]origin {
			broken := func(int, *http.Request) (*http.Response, error) {
				r := response(200, "", nil)
				r.Body = io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF))
				return r, nil
			}
			return map[string]origin{"a.example": to(301, "https://b.example/feed"), "b.example": then(steady, 4*day, then(broken, 5*day, steady))}
		}, func(t *testing.T, s store.FeedState, net *originNet) {
			if n := net.count("a.example"); !s.Move.Holds || s.Failures != 0 || n > 60 {
				t.Errorf("%+v; the configured address was asked %d times", s, n)
			}
		}},
		{"the old address is given up", func() map[string]origin {
			gone := func(int, *http.Request) (*http.Response, error) { return response(410, "", nil), nil }
			return map[string]origin{"a.example": then(to(301, "https://b.example/feed"), 4*day, gone), "b.example": steady}
		}, func(t *testing.T, s store.FeedState, net *originNet) {
			if !s.Move.Holds || s.Failures != 0 || s.Gone {
				t.Errorf("%+v", s)
			}
		}},
		{"the old address is back in use", func() map[string]origin {
			return map[string]origin{"a.example": then(to(301, "https://b.example/feed"), 4*day, steady), "b.example": steady}
		}, func(t *testing.T, s store.FeedState, net *originNet) {
			if s.Move != (store.Move{}) || s.Failures != 0 {
				t.Errorf("%+v", s)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := storetest.NewModel()
				net := &originNet{origins: c.origins()}
				runFor(t, st, net, feeds(t, "https://a.example/feed"), 14*day)
				s := stateOf(t, st)
				if c.check != nil {
					c.check(t, s, net)
				} else if s.Move.Holds {
					t.Errorf("it holds: %+v", s.Move)
				}
			})
		})
	}
}

func backHome(t *testing.T, s store.FeedState, net *originNet) {
	if s.Move != (store.Move{}) || s.Failures != 0 || s.Status != 200 || s.Gone {
		t.Errorf("%+v", s)
	}
	for i := 1; i < len(net.asked["a.example"]); i++ { // asked at once, while the new one fails
		if gap := net.asked["a.example"][i].Sub(net.asked["a.example"][i-1]); gap > 3*day {
			t.Errorf("the configured address was left alone for %v", gap)
		}
	}
}

// A secret in an address stays out of the store: such a feed is asked at its configured address for ever.
func TestSecretAddressIsNoMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := storetest.NewModel()
		net := &originNet{origins: map[string]origin{"a.example": to(301, "https://b.example/feed?token=hunter2"), "b.example": steady}}
		fs := feeds(t, "https://a.example/feed?token=hunter2")
		fs[0].URL = "https://a.example/feed?token=${TOKEN}"
		runFor(t, st, net, fs, 4*day)
		if s := fmt.Sprintf("%+v", stateOf(t, st)); strings.Contains(s, "hunter2") {
			t.Errorf("stored: %s", s)
		}
	})
}
