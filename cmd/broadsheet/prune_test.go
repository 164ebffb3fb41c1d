package main

import (
	"testing"
	"time"
)

// A clock that leaps deletes nothing until it has gone on from there for a day; one that stands wrong for an hour does
// no harm.
func TestPruneClock(t *testing.T) {
	const retention = 90 * 24 * time.Hour
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	var c pruneClock
	look := func(after time.Duration, want bool) {
		t.Helper()
		if at = at.Add(after); c.look(at, retention) != want {
			t.Errorf("%v after the last look (%v): %v", after, at, !want)
		}
	}
	look(0, false)
	for range 23 {
		look(time.Hour, false)
	}
	look(time.Hour, true)
	look(40*24*time.Hour, true) // a one-shot once a month or so

	const year = 365 * 24 * time.Hour
	look(year, false)
	look(time.Hour, false)
	look(-year, false) // set right
	for range 23 {
		look(time.Hour, false)
	}
	look(time.Hour, true)

	short := pruneClock{}
	if short.look(at, time.Second) || !short.look(at.Add(time.Second), time.Second) {
		t.Error("a retention of a second must not wait for a day")
	}
}

// Processes that share a store look at the full hour, each by its own clock: whoever comes later may see an earlier time than the one
// before it did.
func TestPruneClockOfMany(t *testing.T) {
	const retention = 90 * 24 * time.Hour
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for name, clocks := range map[string][]time.Duration{
		"in step":       {8 * time.Millisecond, 5 * time.Millisecond},
		"minutes apart": {4 * time.Minute, -3 * time.Minute, 0},
	} {
		var c pruneClock
		for hour := range 30 {
			for i, apart := range clocks {
				if !c.look(at.Add(time.Duration(hour)*time.Hour+apart), retention) && hour > 24 {
					t.Errorf("%s: nothing deleted after %d hours by process %d", name, hour, i)
				}
			}
		}
	}
}
