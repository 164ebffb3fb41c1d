package postgres

import (
	"testing"
	"time"

	"broadsheet/store/postgres/pgtest"
)

// The server of a test has the clock of this machine; another one's is ahead of it, or behind, and the way there and back is
// no part of that.
func TestClockOfTheServer(t *testing.T) {
	st := openAt(t, pgtest.New(t).Database(t))
	st.ahead = 24 * time.Hour
	began := time.Now()
	if err := st.do(t.Context(), st.compareClocks); err != nil {
		t.Fatal(err)
	}
	if most := clockStep + time.Since(began); st.Ahead().Abs() > most {
		t.Errorf("the server's clock is %v ahead, want %v at most", st.Ahead(), most)
	}
	asked := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct{ theirs, took, want time.Duration }{
		{0, 0, 0},
		{time.Second, 2 * time.Second, 0},
		{3 * time.Minute, 0, 3 * time.Minute},
		{3*time.Minute + 10*time.Second, 20 * time.Second, 3 * time.Minute},
		{-time.Hour + 10*time.Millisecond, 20 * time.Millisecond, -time.Hour},
	} {
		if got := ahead(asked.Add(test.theirs), asked, test.took); got != test.want {
			t.Errorf("it shows %v more, after %v: %v, want %v", test.theirs, test.took, got, test.want)
		}
	}
}
