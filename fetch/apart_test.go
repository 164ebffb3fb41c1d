package fetch

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"broadsheet/store"
	"broadsheet/store/bolt"
)

// apart is a store whose clock is not ours.
type apart struct {
	*bolt.Store
	ahead time.Duration
}

func (a apart) Ahead() time.Duration { return a.ahead }

// What other machines have stored counts by the clock that all share, and so does what we store: neither min_interval nor
// Retry-After is cut short by what the clocks of two machines differ.
func TestClocksApart(t *testing.T) {
	path := t.TempDir()
	for _, ahead := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			st := apart{quickStore(t, filepath.Join(path, ahead.String())), ahead}
			defer st.Close()
			began := time.Now()
			there := began.Add(ahead).UTC()
			fs := feeds(t, "https://polled.example/", "https://held.example/", "https://new.example/")
			every, err := ParseSchedule("@every 15m")
			if err != nil {
				t.Fatal(err)
			}
			for i := range fs {
				fs[i].Schedule = every
			}
			polled := store.FeedState{Outlet: fs[0].Outlet, URL: fs[0].URL, LastTry: there, LastPoll: there, LastSuccess: there, Status: 304}
			held := store.FeedState{Outlet: fs[1].Outlet, URL: fs[1].URL, LastTry: there.Add(-time.Hour), LastPoll: there.Add(-time.Hour), Status: 503,
				RetryAfter: there.Add(5 * time.Minute), HostHold: true}
			if _, err := st.SavePolls(context.Background(), store.Poll{At: there, State: polled}, store.Poll{At: there, State: held}); err != nil {
				t.Fatal(err)
			}
			net := &fakeNet{}
			runFor(t, st, net, fs, 20*time.Minute)
			for host, pause := range map[string]time.Duration{"polled.example": 15 * time.Minute, "held.example": 5 * time.Minute, "new.example": 0} {
				if at := net.asked[host]; len(at) == 0 || at[0].Sub(began) < pause || at[0].Sub(began) > pause+time.Minute {
					t.Errorf("clock %v ahead: %s was asked at %v, want %v after %v", ahead, host, at, pause, began)
				}
			}
			for f, err := range st.Feeds(context.Background()) {
				if err != nil {
					t.Fatal(err)
				}
				asked := net.asked[f.Outlet]
				if want := asked[len(asked)-1].Add(ahead); f.LastPoll.Sub(want).Abs() > time.Second {
					t.Errorf("clock %v ahead: %s was polled at %v, want %v", ahead, f.Outlet, f.LastPoll, want)
				}
			}
			for it, err := range st.Items(context.Background(), store.Query{}) {
				if err != nil || it.Arrived.Before(there) || it.Arrived.After(there.Add(20*time.Minute)) {
					t.Errorf("clock %v ahead: %v arrived at %v", ahead, err, it.Arrived)
				}
			}
		})
	}
}
