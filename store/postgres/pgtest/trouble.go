package pgtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Cut ends all connections but its own.
func (c *Cluster) Cut(t testing.TB) {
	t.Helper()
	const sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
	if err := execute(t.Context(), c.URL("postgres"), sql); err != nil {
		t.Fatal(err)
	}
}

// Occupy takes all connections that the server has to give, until release: those that others have, it cuts.
func (c *Cluster) Occupy(t testing.TB) (release func()) {
	t.Helper()
	var taken []*pgx.Conn
	take := func() bool {
		con, err := pgx.Connect(t.Context(), c.URL("postgres"))
		if full := (*pgconn.PgError)(nil); errors.As(err, &full) && full.Code == "53300" { // too_many_connections
			return false
		}
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, con)
		return true
	}
	for take() {
	}
	if len(taken) == 0 {
		t.Fatal("no connection to be had")
	}
	var all int
	if err := taken[0].QueryRow(t.Context(), "SELECT current_setting('max_connections')::int").Scan(&all); err != nil {
		t.Fatal(err)
	}
	// Whoever loses one of theirs finds it taken when they come back. One that is only being made is no row of pg_stat_activity yet.
	const sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name = 'broadsheet'"
	for end := time.Now().Add(slowly); len(taken) < all; time.Sleep(10 * time.Millisecond) {
		if _, err := taken[0].Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		for take() {
		}
		if time.Now().After(end) {
			t.Fatalf("%d connections taken of %d", len(taken), all)
		}
	}
	return func() {
		for _, con := range taken {
			con.Close(context.Background())
		}
	}
}

// Transactions is how many the server has committed in a database so far, as far as it has counted.
func (c *Cluster) Transactions(t testing.TB, database string) (n int) {
	t.Helper()
	con, err := pgx.Connect(t.Context(), c.URL(database))
	if err != nil {
		t.Fatal(err)
	}
	defer con.Close(context.Background())
	if err := con.QueryRow(t.Context(), "SELECT xact_commit FROM pg_stat_database WHERE datname = $1", database).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
