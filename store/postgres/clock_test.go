package postgres

import (
	"testing"
	"time"

	"broadsheet/store"
	"broadsheet/store/postgres/pgtest"
)

// The server of a test has the clock of this machine. A store that takes it to be another learns better from its next claim, at no
// round trip more, and from its next connection.
func TestClockIsRenewed(t *testing.T) {
	p, address := between(t, pgtest.New(t).Database(t))
	s := openAt(t, within(address, "pool_max_conns", "1"))
	right := func(when string) {
		t.Helper()
		before := time.Now().Add(-clockStep)
		if now := s.Now(); now.Before(before) || now.After(time.Now().Add(clockStep)) {
			t.Errorf("%s it is %v", when, now)
		}
	}
	wrong := func(ahead time.Duration) {
		t.Helper()
		s.clock.ahead.Store(int64(ahead))
		if off := time.Until(s.Now()) - ahead; off.Abs() > time.Minute {
			t.Errorf("a clock that is %v ahead is %v off that", ahead, off)
		}
	}
	right("at first")
	claim := store.Claim{Owner: "one", Lease: time.Hour, Want: []store.Want{{Host: "a.example", Visit: true}}}
	for n, ahead := range []time.Duration{0, 0, time.Hour, -time.Hour} { // the first two prepare the statements
		wrong(ahead)
		before := p.trips.Load()
		if _, err := s.Claim(t.Context(), claim); err != nil {
			t.Fatal(err)
		}
		if trips := p.trips.Load() - before; n > 1 && trips > 2 {
			t.Errorf("a claim: %d round trips, want 2", trips)
		}
		right("after a claim")
	}
	for _, ahead := range []time.Duration{time.Hour, -time.Hour} {
		wrong(ahead)
		p.cut()
		if _, err := s.Revision(t.Context()); err != nil {
			t.Fatal(err)
		}
		right("over a new connection")
	}
}

// The way there and back is no part of what clocks are apart, and what it may account for changes nothing.
func TestReckon(t *testing.T) {
	answered := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct{ before, shows, took, want time.Duration }{
		{0, 0, 0, 0},
		{0, 4 * time.Second, 0, 0},
		{0, -time.Second, 2 * time.Second, 0},
		{0, 3 * time.Minute, 0, 3 * time.Minute},
		{0, 3*time.Minute - 10*time.Second, 20 * time.Second, 3 * time.Minute},
		{0, -time.Hour - 10*time.Millisecond, 20 * time.Millisecond, -time.Hour},
		{0, -time.Hour, time.Hour, 0}, // we stood still on the way
		{3 * time.Minute, -time.Hour, 2 * time.Hour, 3 * time.Minute},
		{3 * time.Minute, 3*time.Minute + 2*time.Second, 0, 3 * time.Minute},
		{3 * time.Minute, time.Second, 0, 0},
		{-3 * time.Minute, time.Second, 0, 0},
	} {
		if got := reckon(test.before, answered.Add(test.shows), answered, test.took); got != test.want {
			t.Errorf("%v ahead, then it shows %v more after %v: %v, want %v", test.before, test.shows, test.took, got, test.want)
		}
	}
}
