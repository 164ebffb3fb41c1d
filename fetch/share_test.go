package fetch

import (
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"broadsheet/store"
)

// states are all feeds' states, by outlet.
func states(t *testing.T, st store.Store) map[string]store.FeedState {
	t.Helper()
	all := map[string]store.FeedState{}
	for s, err := range st.Feeds(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all[s.Outlet] = s
	}
	return all
}

func inOutlets(t *testing.T, address string, outlets ...string) []Feed {
	var fs []Feed
	for _, o := range outlets {
		f := feeds(t, address)[0]
		f.Outlet = o
		fs = append(fs, f)
	}
	return fs
}

// The same address in three outlets is asked for once a round, and the answer is all three's.
func TestSameAddressIsAskedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, path)
		defer st.Close()
		var mu sync.Mutex
		var conditions []string
		net := &fakeNet{takes: time.Second, answer: func(r *http.Request) *http.Response {
			mu.Lock()
			defer mu.Unlock()
			conditions = append(conditions, r.Header.Get("If-None-Match"))
			if r.Header.Get("If-None-Match") == `"1"` {
				return response(304, "", nil)
			}
			return response(200, smallFeed, http.Header{"Etag": {`"1"`}})
		}}
		s := testSettings()
		fs := inOutlets(t, "https://a.example/feed", "one", "two", "three")
		fs[2].Schedule, _ = ParseSchedule("@every 3h")
		during(t, st, net, s, fs[:2], 4*time.Minute)
		if got := states(t, st); len(conditions) != 1 || got["one"].Items != 1 || got["two"].Items != 1 {
			t.Errorf("%d requests for two outlets, %+v", len(conditions), got)
		}
		// A third one knows nothing yet. It waits until the address may be asked again, and then all ask without
		// conditions; from there on they go together.
		during(t, st, net, s, fs, 30*time.Second)
		if len(conditions) > 1 {
			t.Error("a feed that is new was asked for at once, though its address had just been")
		}
		during(t, st, net, s, fs, 90*time.Minute)
		if got := strings.Join(conditions, ","); got != `,,"1"` {
			t.Errorf("asked with %s", got)
		}
		all := states(t, st)
		if len(all) != 3 || all["three"].Items != 1 || !all["three"].LastPoll.Equal(all["one"].LastPoll) || string(all["three"].Validators.ETag) != `"1"` {
			t.Errorf("the third outlet: %+v", all["three"])
		}
	})
}

// Feeds with other credentials see each other's answers never.
func TestOtherCredentialsAskForThemselves(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, path)
		defer st.Close()
		net := &fakeNet{answer: func(r *http.Request) *http.Response {
			if r.Header.Get("Authorization") == "" {
				return response(401, "", nil)
			}
			return nil
		}}
		fs := inOutlets(t, "https://a.example/feed", "one", "two", "three")
		fs[0].Username, fs[0].Password = "me", "secret"
		sum := onceIn(t, st, net, testSettings(), fs, Request{})
		if n := net.count("a.example"); n != 2 || sum.Polled != 3 || sum.Failed != 2 || sum.New != 1 {
			t.Errorf("%d requests, %+v; want one with the password, and one for the two without", n, sum)
		}
	})
}

// Whoever asks, and for whichever outlet: one request, one result; Retry-After and 410 bind them all.
func TestSharersAreBoundTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, path)
		defer st.Close()
		status := 200
		net := &fakeNet{takes: time.Second, answer: func(*http.Request) *http.Response {
			if status == 200 {
				return nil
			}
			return response(status, "", http.Header{"Retry-After": {"36000"}})
		}}
		s := testSettings()
		s.MinInterval = 15 * time.Minute
		fs := inOutlets(t, "https://a.example/feed", "one", "two")
		if sum := onceIn(t, st, net, s, fs, Request{Outlets: []string{"two"}}); sum.Polled != 1 || sum.New != 1 {
			t.Errorf("%+v", sum)
		}
		if sum := onceIn(t, st, net, s, fs, Request{Outlets: []string{"one"}, Force: true}); sum.Polled != 0 || net.count("a.example") != 1 {
			t.Errorf("at once again for the other outlet: %+v, %d requests", sum, net.count("a.example"))
		}
		if all := states(t, st); all["one"].Items != 1 || all["two"].Items != 1 {
			t.Errorf("%+v", all)
		}
		status = 500 // of which the host knows nothing
		time.Sleep(2 * time.Hour)
		if sum := onceIn(t, st, net, s, fs, Request{}); sum.Polled != 2 || sum.Failed != 2 || net.count("a.example") != 2 {
			t.Errorf("%+v, %d requests", sum, net.count("a.example"))
		}
		third := append(fs, inOutlets(t, "https://a.example/feed", "late")...)
		if sum := onceIn(t, st, net, s, third, Request{Force: true}); sum.Polled != 0 {
			t.Errorf("a new outlet went against the Retry-After of its address: %+v", sum)
		}
		var known []store.FeedState
		for _, f := range third {
			known = append(known, states(t, st)[f.Outlet])
		}
		if late := Dues(third, &s, known, time.Now())[2]; !strings.Contains(late.Reason, "the same address was polled for") || time.Until(late.At) < 9*time.Hour {
			t.Errorf("what is told of the new outlet: %+v", late)
		}
		status = 410
		time.Sleep(11 * time.Hour)
		during(t, st, net, s, third, 100*time.Hour)
		if n := net.count("a.example"); n != 3 {
			t.Errorf("%d requests, want one more, which ended the feed for all", n)
		}
	})
}
