package fetch

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, path)
		defer st.Close()
		settings := testSettings()
		settings.PerHost, settings.HostGap = 1, 0
		net := &fakeNet{takes: 2 * time.Second}
		fs := feeds(t, "https://a.example/1", "https://a.example/2", "https://a.example/3")
		sch := New(Options{Store: st, Settings: settings, Feeds: fs, Log: discard, RoundTripper: net})
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { sch.Run(ctx) })
		if l := sch.Load(); l != (Load{}) {
			t.Errorf("at rest: %+v", l)
		}
		for n := range uint64(2) {
			running.Go(func() { sch.Once(ctx, Request{}, nil) })
			time.Sleep(time.Second)
			if l := sch.Load(); l.Running != 1 || l.Waiting != 2 || l.Rounds != n {
				t.Errorf("at work: %+v", l)
			}
			time.Sleep(time.Minute)
			if l := sch.Load(); l.Running != 0 || l.Waiting != 0 || l.Rounds != n+1 || l.Round != 6*time.Second {
				t.Errorf("after round %d: %+v", n+1, l)
			}
			time.Sleep(2 * time.Hour)
		}
		cancel()
		running.Wait()
		if l := sch.Load(); l != (Load{}) {
			t.Errorf("after its end: %+v", l)
		}
	})
}
