package fetch

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A job that takes longer than its period makes the next one fall out and never runs twice at once; one that panics is run
// again; the end waits for the one that is under way (PROTOCOL R20).
func TestRepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		var starts []time.Duration
		running, most := 0, 0
		var repeating sync.WaitGroup
		repeating.Go(func() {
			err := Repeat(ctx, "@every 1m", slog.New(slog.NewTextHandler(&said, nil)), func() {
				starts = append(starts, time.Since(began))
				running++
				most = max(most, running)
				defer func() { running-- }()
				switch len(starts) {
				case 1:
					panic("the first")
				case 2:
					time.Sleep(150 * time.Second)
				case 4:
					cancel()
					time.Sleep(time.Second)
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
		repeating.Wait()
		want := []time.Duration{1 * time.Minute, 2 * time.Minute, 5 * time.Minute, 6 * time.Minute}
		same(t, "starts", starts, want)
		if most != 1 || running != 0 {
			t.Errorf("%d at once, %d left", most, running)
		}
		if !strings.Contains(said.String(), "the first") || strings.Count(said.String(), "level=ERROR") != 1 || strings.Count(said.String(), "a run falls out") != 2 {
			t.Errorf("the log says %s", &said)
		}
	})
	if err := Repeat(t.Context(), "nonsense", discard, func() {}); err == nil {
		t.Error("nonsense is repeated")
	}
}

// In a zone with summer time, a time in the hour that is skipped does not happen, and one in the hour that comes twice
// happens twice; without a zone nothing of that is.
func TestSummerTime(t *testing.T) {
	for _, c := range []struct{ spec, from, next, then string }{
		{"CRON_TZ=America/New_York 30 2 * * *", "2026-03-07T12:00:00Z", "2026-03-09T06:30:00Z", "2026-03-10T06:30:00Z"},
		{"CRON_TZ=America/New_York 30 1 * * *", "2026-11-01T00:00:00Z", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"},
		{"30 2 * * *", "2026-03-07T12:00:00Z", "2026-03-08T02:30:00Z", "2026-03-09T02:30:00Z"},
	} {
		s, err := ParseSchedule(c.spec)
		if err != nil {
			t.Fatal(err)
		}
		next := s.Next(at(c.from).In(time.FixedZone("elsewhere", 3600)))
		same(t, c.spec, []time.Time{next.UTC(), s.Next(next).UTC()}, []time.Time{at(c.next), at(c.then)})
	}
}
