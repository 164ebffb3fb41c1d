package fetch

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"broadsheet/store/storetest"
)

func conditional(r *http.Request) bool {
	return r.Header.Get("If-None-Match")+r.Header.Get("If-Modified-Since") != ""
}

// A server that says 304 for ever although its feed changes is found out within a week and a day, and
// asked daily without validators from then on (PROTOCOL F6).
func TestBroken304(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		st := storetest.NewModel()
		net := &originNet{origins: map[string]origin{"a.example": func(_ int, r *http.Request) (*http.Response, error) {
			h := http.Header{"Last-Modified": {"Sat, 16 Nov 2041 10:00:00 GMT"}}
			if conditional(r) {
				return response(304, "", h), nil
			}
			return response(200, dated(int(time.Since(began)/(6*time.Hour))), h), nil
		}}}
		fs := feeds(t, "https://a.example/feed")
		runFor(t, st, net, fs, 8*24*time.Hour)
		if s := stateOf(t, st); !s.Unsound || s.Items != 2 {
			t.Errorf("after 8 days: %+v", s)
		}
		asks := len(net.asks["a.example"])
		plain := 0
		for _, r := range net.asks["a.example"] {
			if !conditional(r) {
				plain++
			}
		}
		if plain != 2 {
			t.Errorf("%d unconditional requests in 8 days, want the first and one after a week", plain)
		}
		runFor(t, st, net, fs, 10*24*time.Hour)
		if n := len(net.asks["a.example"]) - asks; n < 9 || n > 11 {
			t.Errorf("%d requests in 10 days without validators, want one a day", n)
		}
		if s := stateOf(t, st); s.Items < 10 || s.Failures > 0 {
			t.Errorf("after 18 days: %+v", s)
		}
	})
}

// An outlet whose 304s are true keeps its validators, also when its document differs in more than its items,
// and is asked without them once a week at most.
func TestTrue304(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := storetest.NewModel()
		item := dated(1)
		net := &originNet{origins: map[string]origin{"a.example": func(_ int, r *http.Request) (*http.Response, error) {
			h := http.Header{"Etag": {`"1"`}}
			if conditional(r) {
				return response(304, "", h), nil
			}
			return response(200, item+"<!-- made at "+time.Now().String()+" -->", h), nil
		}}}
		runFor(t, st, net, feeds(t, "https://a.example/feed"), 29*24*time.Hour)
		var plain []time.Time
		for i, r := range net.asks["a.example"] {
			if !conditional(r) {
				plain = append(plain, net.asked["a.example"][i])
			}
		}
		if len(plain) != 5 {
			t.Errorf("%d unconditional requests in 29 days, want 5", len(plain))
		}
		for i := 1; i < len(plain); i++ {
			if gap := plain[i].Sub(plain[i-1]); gap < 7*24*time.Hour {
				t.Errorf("two of them %v apart", gap)
			}
		}
		if s := stateOf(t, st); s.Unsound || s.Items != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// A failure of the doubting request costs the feed nothing, but its Retry-After holds.
func TestDoubtMayFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := storetest.NewModel()
		net := &originNet{origins: map[string]origin{"a.example": func(n int, r *http.Request) (*http.Response, error) {
			switch {
			case conditional(r):
				return response(304, "", http.Header{"Etag": {`"1"`}}), nil
			case n > 0:
				return response(503, "", http.Header{"Retry-After": {"172800"}}), nil
			}
			return response(200, dated(1), http.Header{"Etag": {`"1"`}}), nil
		}}}
		runFor(t, st, net, feeds(t, "https://a.example/feed"), 8*24*time.Hour)
		asked := net.asked["a.example"]
		if last := asked[len(asked)-1]; time.Since(last) < 20*time.Hour {
			t.Errorf("asked %v ago against Retry-After", time.Since(last))
		}
		if s := stateOf(t, st); s.Failures != 0 || s.Unsound {
			t.Errorf("%+v", s)
		}
	})
}
