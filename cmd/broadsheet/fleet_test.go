package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"broadsheet/store/postgres"
	"broadsheet/store/postgres/pgtest"
)

const (
	fleetEvery = 10 * time.Second       // how often a feed is polled
	fleetGap   = 500 * time.Millisecond // between two requests to one host
	fleetLease = 20 * time.Second       // what fetch gives a poller that is silent

	fleetPatience = 4 * time.Minute // for what takes seconds where nothing else runs
)

// A fleet is several processes of the program with one database.
type fleet struct {
	t       testing.TB
	dir     string
	config  string
	binary  string
	press   *press
	store   *postgres.Store // the test's own view
	mu      sync.Mutex      // guards running
	running []*ship
}

// A ship is one of them.
type ship struct {
	*exec.Cmd
	name    string
	address string // where it serves; "" if it does not
	ended   chan struct{}
	err     error // how, once it has ended
}

// buildProgram builds the real binary, once for all tests.
var buildProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "broadsheet-binary-*")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "broadsheet")
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, ".").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return binary, err
})

// newFleet makes one that polls the feeds of a press into a database. It has no ship yet.
func newFleet(t testing.TB, p *press, database string) *fleet {
	t.Helper()
	f := newHarbour(t, p, database, fmt.Sprintf("schedule = \"@every %v\"\nmin_interval = \"%v\"\nhost_gap = \"%v\"", fleetEvery, fleetEvery, fleetGap))
	var err error
	if f.store, err = postgres.Open(t.Context(), database, postgres.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, s := range f.ships() {
			s.Process.Kill()
			<-s.ended
		}
		f.store.Close()
	})
	return f
}

// newHarbour is the binary and a configuration of it, with keys of [fetch].
func newHarbour(t testing.TB, p *press, store, fetch string) *fleet {
	t.Helper()
	binary, err := buildProgram()
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, dir: t.TempDir(), binary: binary, press: p}
	f.config = filepath.Join(f.dir, "broadsheet.toml")
	var b bytes.Buffer
	fmt.Fprintf(&b, `
contact = "https://reader.test/about"
base_url = "http://news.test"
[server]
listen = "${LISTEN}"
control = "${CONTROL}"
[store]
url = %q
[fetch]
%s
timeout = "10s"
allow_private = ["127.0.0.0/8"]
[[section]]
slug = "all"
limit = 100
[[section]]
slug = "first"
from = ["outlet-0"]
`, store, fetch)
	for i := range p.feeds {
		fmt.Fprintf(&b, "[[outlet]]\nid = \"outlet-%d\"\n[[outlet.feed]]\nurl = %q\n", i, p.address(i))
	}
	if err := os.WriteFile(f.config, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fleet) ships() []*ship {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*ship{}, f.running...)
}

// launch starts a process: "fetch", or "serve" and its flags.
func (f *fleet) launch(name string, args ...string) *ship {
	f.t.Helper()
	s := &ship{name: name, Cmd: exec.Command(f.binary, append([]string{"-c", f.config}, args...)...), ended: make(chan struct{})}
	listen := "127.0.0.1:0"
	if args[0] == "serve" {
		listen = freeAddress()
		s.address = "http://" + listen
	}
	log, err := os.OpenFile(filepath.Join(f.dir, name+".log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	s.Env = append(os.Environ(), "LISTEN="+listen, "CONTROL="+filepath.Join(f.dir, name+".sock"))
	s.Stdout, s.Stderr = log, log
	pgtest.DieWithUs(s.Cmd, syscall.SIGKILL)
	if err := s.Start(); err != nil {
		f.t.Fatal(err)
	}
	go func() {
		s.err = s.Wait()
		log.Close()
		close(s.ended)
	}()
	f.mu.Lock()
	f.running = append(f.running, s)
	f.mu.Unlock()
	return s
}

// kill ends a process as a power cut would.
func (f *fleet) kill(s *ship) {
	s.Process.Kill()
	<-s.ended
	f.forget(s)
}

func (f *fleet) forget(s *ship) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, r := range f.running {
		if r == s {
			f.running = append(f.running[:i:i], f.running[i+1:]...)
			return
		}
	}
}

// stop asks all processes to end, and fails for those that do not end well.
func (f *fleet) stop() {
	f.t.Helper()
	for _, s := range f.ships() {
		s.Process.Signal(syscall.SIGTERM)
	}
	late := time.After(fleetPatience)
	for _, s := range f.ships() {
		select {
		case <-s.ended:
			if s.err != nil {
				f.t.Errorf("%s: %v\n%s", s.name, s.err, f.log(s.name))
			}
		case <-late:
			f.t.Errorf("%s does not stop", s.name)
			s.Process.Kill()
			<-s.ended
		}
		f.forget(s)
	}
}

// alive fails if a process has ended by itself.
func (f *fleet) alive() {
	f.t.Helper()
	for _, s := range f.ships() {
		select {
		case <-s.ended:
			f.t.Fatalf("%s has ended: %v\n%s", s.name, s.err, f.log(s.name))
		default:
		}
	}
}

// log is the end of a process' log.
func (f *fleet) log(name string) string {
	b, _ := os.ReadFile(filepath.Join(f.dir, name+".log"))
	return string(b[max(0, len(b)-2000):])
}

// await waits until done reports true.
func (f *fleet) await(what string, within time.Duration, done func() bool) {
	f.t.Helper()
	for end := time.Now().Add(within); !done(); time.Sleep(50 * time.Millisecond) {
		f.alive()
		if time.Now().After(end) {
			for _, s := range f.ships() {
				f.t.Logf("%s: %s", s.name, f.log(s.name))
			}
			f.t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// needsDatabase skips what takes long or a PostgreSQL that is not there.
func needsDatabase(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("takes a minute")
	}
	return pgtest.New(t).Database(t)
}

// polled is how many polls a process has logged.
func (f *fleet) polled(s *ship) int {
	b, _ := os.ReadFile(filepath.Join(f.dir, s.name+".log"))
	return bytes.Count(b, []byte("msg=polled "))
}

// run runs a command to its end. What it says is in a log of its own, too.
func (f *fleet) run(args ...string) ([]byte, error) {
	cmd := exec.Command(f.binary, append([]string{"-c", f.config}, args...)...)
	cmd.Env = append(os.Environ(), "LISTEN=127.0.0.1:0", "CONTROL="+filepath.Join(f.dir, "one.sock"))
	said, err := cmd.CombinedOutput()
	return said, errors.Join(err, os.WriteFile(filepath.Join(f.dir, "one.log"), said, 0o600))
}
