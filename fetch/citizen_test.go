package fetch

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"broadsheet/store"
)

// Seventy-two hours at an outlet that writes everything down and changes twice a day, with twenty restarts in
// the middle: one unconditional request, all others with the validators that the outlet gave last, byte for byte,
// never two within the due time, and nothing in them that a feed reader has no business to send.
func TestModelCitizen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		type validators struct{ tag, modified string }
		var given []validators // with each answer
		net := &originNet{origins: map[string]origin{"a.example": func(_ int, r *http.Request) (*http.Response, error) {
			edition := int(time.Since(began) / (12 * time.Hour))
			changed := began.Add(time.Duration(edition) * 12 * time.Hour)
			v := validators{fmt.Sprintf(`W/"edition %d, <é>"`, edition), changed.Format("Monday, 2-Jan-06 15:04:05 MST")}
			h := http.Header{"Etag": {v.tag}, "Last-Modified": {v.modified}, "Set-Cookie": {"id=1234; Path=/"}}
			given = append(given, v)
			if r.Header.Get("If-None-Match") == v.tag {
				return response(304, "", h), nil
			}
			return response(200, dated(edition), h), nil
		}}}
		fs := feeds(t, "https://a.example/feed?format=rss")
		var due []time.Time // at each request: when it was due
		run := func(while time.Duration) {
			st := openStore(t, path)
			defer st.Close()
			for end := time.Now().Add(while); time.Now().Before(end); {
				runFor(t, st, net, fs, min(20*time.Minute, time.Until(end)))
				for len(due) < len(net.asked["a.example"]) {
					due = append(due, stateOf(t, st).NextPoll)
				}
			}
		}
		run(36 * time.Hour)
		before := net.count("a.example")
		for range 20 {
			run(30 * time.Second)
		}
		extra := net.count("a.example") - before
		if !due[before-1].After(time.Now()) {
			extra-- // it was its time
		}
		if extra != 0 {
			t.Errorf("%d requests more for 20 restarts", extra)
		}
		run(36*time.Hour - 10*time.Minute)

		asks, asked := net.asks["a.example"], net.asked["a.example"]
		if len(asks) < 66 || len(asks) > 72 {
			t.Errorf("%d requests in 72 hours at an hourly schedule", len(asks))
		}
		for i, r := range asks {
			h := r.Header
			if i == 0 {
				if conditional(r) {
					t.Error("the first request is conditional")
				}
			} else {
				if got := (validators{h.Get("If-None-Match"), h.Get("If-Modified-Since")}); got != given[i-1] {
					t.Errorf("request %d sends back %q, given was %q", i, got, given[i-1])
				}
				if asked[i].Before(due[i-1]) {
					t.Errorf("request %d came %v before it was due", i, due[i-1].Sub(asked[i]))
				}
				if gap := asked[i].Sub(asked[i-1]); gap < time.Hour {
					t.Errorf("request %d came %v after the last", i, gap)
				}
			}
			for name := range h {
				if !slices.Contains([]string{"Accept", "Accept-Encoding", "User-Agent", "If-None-Match", "If-Modified-Since"}, name) {
					t.Errorf("request %d has a header %s", i, name)
				}
			}
			if r.Method != http.MethodGet || r.URL.String() != fs[0].Address || h.Get("User-Agent") != asks[0].Header.Get("User-Agent") {
				t.Errorf("request %d: %s %s by %s", i, r.Method, r.URL, h.Get("User-Agent"))
			}
		}
		st := openStore(t, path)
		defer st.Close()
		items := 0
		for _, err := range st.Items(t.Context(), store.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			items++
		}
		if items != 6 {
			t.Errorf("%d items of 6 editions", items)
		}
	})
}
