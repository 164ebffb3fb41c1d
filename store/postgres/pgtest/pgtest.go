// Package pgtest gives tests a real PostgreSQL.
//
// New finds one: the server that BROADSHEET_TEST_POSTGRES names (a postgres:// address of a role that may create
// databases), else a throw-away cluster of the server binaries on this machine; without either the test is
// skipped. Its Database makes an empty database for one test. Start gives a throw-away cluster in any case, for
// tests that stop it, kill it, follow it with a standby (Standby) and promote that (Promote).
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a PostgreSQL that tests may make databases on.
type Server struct{ address url.URL }

// Main runs a package's tests with one cluster for all that call New: TestMain is os.Exit(pgtest.Main(m)). Without it each
// of them has its own.
func Main(m *testing.M) int {
	common.on = true
	defer func() {
		if common.cluster != nil {
			common.cluster.remove()
		}
	}()
	return m.Run()
}

// common is the cluster of Main. It is made when the first test needs it.
var common struct {
	on      bool
	mu      sync.Mutex // guards cluster
	cluster *Cluster
}

// New finds a server. A cluster that it starts ends with the test, or with the package's tests.
func New(t testing.TB) *Server {
	t.Helper()
	address := os.Getenv("BROADSHEET_TEST_POSTGRES")
	switch {
	case address != "":
	case common.on:
		address = shared(t).URL("postgres")
	default:
		address = Start(t).URL("postgres")
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		t.Fatal("BROADSHEET_TEST_POSTGRES is no postgres:// address")
	}
	return &Server{*u}
}

func shared(t testing.TB) *Cluster {
	t.Helper()
	common.mu.Lock()
	defer common.mu.Unlock()
	if common.cluster != nil {
		return common.cluster
	}
	c, err := find(nil)
	if errors.Is(err, errNone) {
		t.Skip(err)
	}
	if err == nil {
		if err = c.init(); err != nil {
			c.remove()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	common.cluster = c
	return c
}

// Database makes an empty database, which goes with the test, and returns its address.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("broadsheet_%016x", rand.Uint64())
	// A collation that is not the order of bytes finds the statements which forgot to ask for that.
	if err := s.run("CREATE DATABASE " + name + " TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en'"); err != nil {
		if err := s.run("CREATE DATABASE " + name); err != nil {
			t.Fatalf("a database for the test: %v", err)
		}
	}
	t.Cleanup(func() {
		if err := s.run("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Logf("the test's database stays: %v", err)
		}
	})
	u := s.address
	u.Path = "/" + name
	return u.String()
}

func (s *Server) run(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return execute(ctx, s.address.String(), sql)
}

// execute runs one statement on a connection of its own.
func execute(ctx context.Context, address, sql string) error {
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	_, err = c.Exec(ctx, sql)
	return err
}
