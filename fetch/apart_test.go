package fetch

import (
	"context"
	"net/http"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"broadsheet/store"
	"broadsheet/store/bolt"
)

// apart is a store whose clock is not ours.
type apart struct {
	*bolt.Store
	ahead *atomic.Int64 // a Duration
}

func apartBy(t *testing.T, path string, ahead time.Duration) apart {
	a := apart{quickStore(t, path), new(atomic.Int64)}
	a.set(ahead)
	return a
}

func (a apart) set(ahead time.Duration) { a.ahead.Store(int64(ahead)) }

func (a apart) Now() time.Time { return a.Store.Now().Add(time.Duration(a.ahead.Load())) }

// What other machines have stored counts by the clock that all share, and so does what we store: neither min_interval nor
// Retry-After is cut short by what the clocks of two machines differ.
func TestClocksApart(t *testing.T) {
	path := t.TempDir()
	for _, ahead := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			st := apartBy(t, filepath.Join(path, ahead.String()), ahead)
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

// The store's clock leaps and is set right again, while polls are under way and between two at one host: leases and pauses are as
// long as they are, no poll is broken off, and no feed is polled twice for it.
func TestClockLeaps(t *testing.T) {
	path := t.TempDir()
	for _, leap := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			st := apartBy(t, filepath.Join(path, leap.String()), 0)
			defer st.Close()
			net := &fakeNet{takes: time.Minute}
			s := testSettings()
			s.PerHost, s.HostGap, s.Timeout = 1, 30*time.Second, 2*time.Minute
			sch := New(Options{Store: st, Settings: s, Feeds: feeds(t, "https://a.example/1", "https://a.example/2", "https://b.example/1"), Automatic: true, Log: discard, RoundTripper: net})
			began := time.Now()
			stop := runs(sch)
			time.Sleep(20 * time.Second)
			st.set(leap)
			time.Sleep(50 * time.Second)
			st.set(0)
			time.Sleep(75 * time.Second)
			st.set(leap)
			time.Sleep(time.Minute)
			st.set(0)
			time.Sleep(30 * time.Minute)
			var asked []time.Duration
			net.mu.Lock()
			for _, at := range net.asked["a.example"] {
				asked = append(asked, at.Sub(began).Round(time.Second))
			}
			net.mu.Unlock()
			if want := []time.Duration{0, 90 * time.Second}; !slices.Equal(asked, want) {
				t.Errorf("leaps of %v: a host was asked after %v, want %v", leap, asked, want)
			}
			if n := net.count("b.example"); n != 1 {
				t.Errorf("leaps of %v: the other host was asked %d times", leap, n)
			}
			time.Sleep(time.Hour)
			if a, b := net.count("a.example"), net.count("b.example"); a != 4 || b != 2 {
				t.Errorf("leaps of %v: %d and %d requests an hour later, want 4 and 2", leap, a, b)
			}
			stop()
		})
	}
}

// A machine that sleeps wakes with leases that have ended, by a clock of its own that stood still: nothing is asked of a host before
// the store has granted it anew.
func TestMachineSlept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := apartBy(t, path, 0)
		defer st.Close()
		net := &fakeNet{takes: 100 * time.Millisecond}
		s := testSettings()
		s.PerHost, s.HostGap = 1, renew*3/2
		sch := New(Options{Store: st, Settings: s, Feeds: feeds(t, "https://a.example/1", "https://a.example/2"), Automatic: true, Log: discard, RoundTripper: net})
		stop := runs(sch)
		time.Sleep(renew * 5 / 4) // just renewed; the second feed waits for its turn
		st.set(30 * time.Minute)
		time.Sleep(renew / 2)
		if n := net.count("a.example"); n != 1 {
			t.Errorf("%d requests before the host was granted anew, want 1", n)
		}
		time.Sleep(renew)
		if n := net.count("a.example"); n != 2 {
			t.Errorf("%d requests afterwards, want 2", n)
		}
		stop()
	})
}

// A told store learns from each claim that its clock was set wrong, as one in PostgreSQL does.
type told struct{ apart }

func (s told) Claim(ctx context.Context, c store.Claim) ([]store.Grant, error) {
	grants, err := s.apart.Claim(ctx, c)
	s.set(0)
	return grants, err
}

// What is due by a clock that was set forward by mistake is not polled if the store knows the time better, at hosts that are ours
// neither.
func TestClockIsSetForward(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := told{apartBy(t, path, 0)}
		defer st.Close()
		net := &fakeNet{answer: func(r *http.Request) *http.Response {
			if r.URL.Path == "/slow" {
				time.Sleep(time.Minute)
			}
			return nil
		}}
		s := testSettings()
		s.Timeout = 2 * time.Minute
		sch := New(Options{Store: st, Settings: s, Feeds: feeds(t, "https://a.example/slow", "https://a.example/1", "https://b.example/1"), Automatic: true, Log: discard, RoundTripper: net})
		stop := runs(sch)
		time.Sleep(21 * time.Second)
		st.set(3 * time.Hour)
		time.Sleep(30 * time.Minute)
		if a, b := net.count("a.example"), net.count("b.example"); a != 2 || b != 1 {
			t.Errorf("%d and %d requests, want 2 and 1", a, b)
		}
		stop()
	})
}
