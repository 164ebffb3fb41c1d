package postgres

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"broadsheet/store"
	"broadsheet/store/postgres/pgtest"
)

// outlast saves a poll although the server is away for a while. That costs it no error unless the server was away for longer than
// a call has patience.
func (s *Store) outlast(t *testing.T, p store.Poll) {
	for {
		began := time.Now()
		_, err := s.SavePolls(t.Context(), p)
		if errors.Is(err, store.ErrAway) && time.Since(began) >= patience {
			continue // on a machine that is so slow
		}
		if err != nil {
			t.Errorf("poll of %v: %v", p.At, err)
		}
		return
	}
}

// The server is restarted, crashes and comes back while polls are saved.
func TestRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers over and over: takes long")
	}
	cluster := pgtest.Start(t)
	s := openAt(t, cluster.Database(t, "paper"))
	acknowledged := 0
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			s.outlast(t, poll("a", n, ""))
			acknowledged++
		}
	})
	for _, sig := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGKILL, syscall.SIGINT} {
		time.Sleep(300 * time.Millisecond)
		cluster.Stop(sig)
		cluster.Run(t)
	}
	time.Sleep(300 * time.Millisecond)
	close(stop)
	wg.Wait()
	if n := count(t, s); n != acknowledged || n == 0 {
		t.Errorf("%d items, %d polls were acknowledged", n, acknowledged)
	}
	mustCheck(t, s)

	// While there is no server, calls fail, in time and with a reason, and an open one ends with its caller.
	cluster.Stop(syscall.SIGQUIT)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := s.Revision(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Revision without a server: %v", err)
	}
	began := time.Now()
	if _, err := s.Revision(t.Context()); !errors.Is(err, store.ErrAway) || !strings.Contains(err.Error(), "PostgreSQL at "+cluster.Host()) || time.Since(began) > time.Minute {
		t.Errorf("Revision without a server, after %v: %v", time.Since(began), err)
	}
	cluster.Run(t)
	if _, err := s.Revision(t.Context()); err != nil {
		t.Errorf("the server is back: %v", err)
	}
}

// The primary dies and its standby takes its place: what was acknowledged is there.
func TestFailover(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers over and over: takes long")
	}
	primary := pgtest.Start(t)
	address := primary.Database(t, "paper")
	openAt(t, address).Close()
	standby := primary.Standby(t)
	s := openAt(t, within(strings.Replace(address, primary.Host(), primary.Host()+","+standby.Host(), 1), "target_session_attrs", "read-write"))
	for n := range 20 {
		save(t, s, poll("a", n, ""))
	}
	primary.Stop(syscall.SIGKILL)
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := range 20 {
			s.outlast(t, poll("a", 20+n, ""))
		}
	})
	time.Sleep(500 * time.Millisecond)
	standby.Promote(t)
	wg.Wait()
	if n := count(t, s); n != 40 {
		t.Errorf("%d items of 40", n)
	}
}

// Connections to a server that does not take writes any more are given up, although they live.
func TestDemoted(t *testing.T) {
	s := openAt(t, within(pgtest.New(t).Database(t), "pool_max_conns", "1"))
	if _, err := s.pool.Exec(t.Context(), "SET default_transaction_read_only = on"); err != nil {
		t.Fatal(err)
	}
	save(t, s, poll("a", 0, ""))
	if n := count(t, s); n != 1 {
		t.Errorf("%d items", n)
	}
}

// A caller who waits no longer than for the first few tries still hears why they failed.
func TestReadOnly(t *testing.T) {
	address := pgtest.New(t).Database(t)
	s := openAt(t, address)
	alter(t, s, address, "default_transaction_read_only = on")
	var err error
	for wait := patience / 16; wait < patience; wait += patience / 8 { // the first try may take longer on a machine that does much else
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		_, err = s.Claim(ctx, store.Claim{Owner: "p", Lease: time.Minute, Want: []store.Want{{Host: "a.example", Visit: true}}})
		cancel()
		if errors.Is(err, context.DeadlineExceeded) && strings.Contains(err.Error(), "a standby takes no writes") {
			return
		}
	}
	t.Errorf("no reason: %v", err)
}

// alter changes what holds for new connections to a database, and lets s make new ones.
func alter(t *testing.T, s *Store, address, setting string) {
	t.Helper()
	u, err := url.Parse(address)
	if err == nil {
		_, err = s.pool.Exec(t.Context(), "ALTER DATABASE "+strings.TrimPrefix(u.Path, "/")+" SET "+setting)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.pool.Reset()
}

// What an administrator has set for all of a database's users does not cost polls that wait for their turn.
func TestImpatientDatabase(t *testing.T) {
	address := pgtest.New(t).Database(t)
	s := openAt(t, address)
	alter(t, s, address, "lock_timeout = '1s'")
	var is string
	if err := s.pool.QueryRow(t.Context(), "SELECT setting FROM pg_settings WHERE name = 'lock_timeout'").Scan(&is); err != nil || is != "0" {
		t.Errorf("lock_timeout is %q: %v", is, err)
	}
}

// A database that cannot keep all letters is not begun with.
func TestEncoding(t *testing.T) {
	address := pgtest.New(t).Database(t)
	s := openAt(t, address)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.Path += "_latin"
	name := strings.TrimPrefix(u.Path, "/")
	if _, err := s.pool.Exec(t.Context(), "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"); err != nil {
		t.Fatal(err)
	}
	defer s.pool.Exec(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)")
	if _, err := Open(t.Context(), u.String(), Options{}); err == nil || !strings.Contains(err.Error(), "keeps text as LATIN1") || !strings.Contains(err.Error(), "createdb -E UTF8 -T template0 "+name) {
		t.Errorf("opened: %v", err)
	}
}

// A schema that went away under a process is not taken for a fault of the program.
func TestSchemaGone(t *testing.T) {
	s := openAt(t, pgtest.New(t).Database(t))
	if _, err := s.pool.Exec(t.Context(), "ALTER SCHEMA broadsheet RENAME TO elsewhere"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Revision(t.Context()); err == nil || !strings.Contains(err.Error(), `the schema "broadsheet" is gone`) {
		t.Errorf("no reason: %v", err)
	}
}

// Connections are few: who waits in vain hears why, and nobody waits for ever.
func TestPoolExhausted(t *testing.T) {
	s := openAt(t, within(pgtest.New(t).Database(t), "pool_max_conns", "2"))
	var held []*conn
	for range 2 {
		c, err := s.pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := s.Revision(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no connection is free: %v", err)
	}
	for _, c := range held {
		c.Release()
	}
	if _, err := s.Revision(t.Context()); err != nil {
		t.Error(err)
	}
}

// Behind a pooler that gives each transaction another connection, nothing is made where it does not belong, and the error says
// what to do.
func TestPooler(t *testing.T) {
	s := openAt(t, pgtest.New(t).Database(t))
	all, err := steps()
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	if _, err := c.Exec(t.Context(), "SET search_path TO public"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.catchUp(t.Context(), c, all); !errors.Is(err, errPooled) {
		t.Errorf("migrated by a search_path of somebody else's: %v", err)
	}
	c.Exec(t.Context(), "ROLLBACK")
	for _, sql := range []string{"PREPARE news AS SELECT 1", "EXECUTE nothing"} {
		c.Exec(t.Context(), sql)
		if _, err := c.Exec(t.Context(), sql); err == nil || !strings.Contains(s.explain(err).Error(), "session mode") {
			t.Errorf("%s: %v", sql, err)
		}
	}
	var n int
	if err := c.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").Scan(&n); err != nil || n > 0 {
		t.Errorf("%d tables in another schema: %v", n, err)
	}
}

// No error names a password, wherever it stands.
func TestPasswords(t *testing.T) {
	const secret = "s3cr%40t"
	for _, address := range []string{
		"postgres://me:" + secret + "@127.0.0.1:1/paper?connect_timeout=1",
		"postgres://me:" + secret + "@127.0.0.1:1/paper?sslmode=nonsense",
		"postgres://me:" + secret + "@127.0.0.1:port/paper",
		"postgres://me:" + secret + "@127.0.0.1:1/pa%zzper",
		"postgres://127.0.0.1:1/paper?user=me&password=" + secret,
		"postgres://me:" + secret + "@127.0.0.1:1,127.0.0.1:2/paper?target_session_attrs=read-write",
		"postgres://me:" + secret + "@127.0.0.1:1/paper?search_path=a,b",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		_, err := Open(ctx, address, Options{})
		cancel()
		if err == nil || strings.Contains(err.Error(), "s3cr") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
