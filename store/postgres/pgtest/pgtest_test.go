package pgtest

import (
	"syscall"
	"testing"
)

// A cluster comes back after each way to end it, and its standby can take its place.
func TestCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers over and over: takes long")
	}
	c := Start(t)
	address := c.Database(t, "paper")
	run := func(address, sql string) {
		t.Helper()
		if err := execute(t.Context(), address, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	run(address, "CREATE TABLE news (n int PRIMARY KEY)")
	for i, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		c.Stop(sig)
		c.Run(t)
		run(address, "INSERT INTO news SELECT "+string(rune('0'+i)))
	}
	s := c.Standby(t)
	run(address, "INSERT INTO news VALUES (3)")
	c.Stop(syscall.SIGKILL)
	s.Promote(t)
	run(s.URL("paper"), "SELECT 1 / (count(*) = 4)::int FROM news") // none of the four is missing
	run(s.URL("paper"), "INSERT INTO news VALUES (4)")
}

func TestDatabase(t *testing.T) {
	s := New(t)
	a, b := s.Database(t), s.Database(t)
	for _, address := range []string{a, b} {
		if err := execute(t.Context(), address, "CREATE TABLE news ()"); err != nil {
			t.Error(err)
		}
	}
}
