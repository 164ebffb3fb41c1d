package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Cluster is a throw-away PostgreSQL on loopback, at an address of its own. It does not wait for the disk: what it has committed survives its own
// death, but not the machine's. Everybody may log in, as postgres, without a password.
type Cluster struct {
	bin, dir string
	address  netip.AddrPort
	user     *syscall.Credential // whom the server runs as; nil is us
	settings []string            // name=value
	server   *exec.Cmd
	ended    chan struct{}
	log      *os.File
}

// Start makes a cluster, starts it, and removes it when the test ends. Settings are lines of postgresql.conf: "fsync=on".
func Start(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	c := newCluster(t, settings)
	if err := c.init(); err != nil {
		t.Fatal(err)
	}
	return c
}

// init fills the data folder and starts the server.
func (c *Cluster) init() error {
	if out, err := c.command("initdb", "-D", c.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N").CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return c.run()
}

// Standby makes a cluster that follows c. The primary waits for it with every commit from then on.
func (c *Cluster) Standby(t testing.TB) *Cluster {
	t.Helper()
	s := newCluster(t, c.settings)
	out, err := s.command("pg_basebackup", "-D", s.data(), "-h", c.address.Addr().String(), "-p", c.port(), "-U", "postgres", "-R",
		"-d", "application_name=standby", "-c", "fast").CombinedOutput()
	if err != nil {
		t.Fatalf("pg_basebackup: %v\n%s", err, out)
	}
	s.Run(t)
	run := func(sql string) error { return execute(t.Context(), c.URL("postgres"), sql) }
	for _, sql := range []string{"ALTER SYSTEM SET synchronous_standby_names = 'standby'", "SELECT pg_reload_conf()"} {
		if err := run(sql); err != nil {
			t.Fatal(err)
		}
	}
	// Commits wait from when the checkpointer has read that, which a new connection shows to have been sent to it. Only a
	// checkpoint that begins after another one has ended cannot have begun before it was read.
	for end := time.Now().Add(slowly); run("SELECT 1 / (current_setting('synchronous_standby_names') = 'standby')::int") != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the primary does not read its settings")
		}
	}
	for range 2 {
		if err := run("CHECKPOINT"); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// Promote makes a standby the primary, which waits for nobody.
func (c *Cluster) Promote(t testing.TB) {
	t.Helper()
	if err := execute(t.Context(), c.URL("postgres"), "SELECT pg_promote()"); err != nil {
		t.Fatalf("promote: %v", err)
	}
}

// URL is the address of one of the cluster's databases.
func (c *Cluster) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", c.Host(), database)
}

// Host is the cluster's host:port, as a part of an address with several.
func (c *Cluster) Host() string { return c.address.String() }

func (c *Cluster) port() string { return strconv.Itoa(int(c.address.Port())) }

// Database makes an empty database in the cluster and returns its address.
func (c *Cluster) Database(t testing.TB, name string) string {
	t.Helper()
	if err := execute(t.Context(), c.URL("postgres"), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return c.URL(name)
}

// Run starts a server that is not running and returns when it answers.
func (c *Cluster) Run(t testing.TB) {
	t.Helper()
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
}

// slowly is how long a server may take for what takes it a second, on a machine that does much else.
const slowly = 3 * time.Minute

// run starts the server, again and again while what a killed one has left behind is not gone: its children take a moment to
// see that it is dead.
func (c *Cluster) run() error {
	for end := time.Now().Add(slowly); ; time.Sleep(50 * time.Millisecond) {
		err := c.start(end)
		if err == nil || time.Now().After(end) || !strings.Contains(err.Error(), "pre-existing shared memory block") {
			return err
		}
	}
}

// start starts the server and returns when it answers, or has not by the end.
func (c *Cluster) start(end time.Time) error {
	args := []string{"-D", c.data(), "-k", "", "-h", c.address.Addr().String(), "-p", c.port()} // no unix socket, whose path may be too long
	for _, s := range append([]string{"fsync=off", "full_page_writes=off", "shared_buffers=64MB", "max_wal_senders=4",
		"wal_level=replica", "autovacuum_naptime=5s", "log_min_messages=warning"}, c.settings...) {
		args = append(args, "-c", s)
	}
	c.server = c.command("postgres", args...)
	DieWithUs(c.server, syscall.SIGQUIT)
	c.server.Stdout, c.server.Stderr = c.log, c.log
	if err := c.server.Start(); err != nil {
		return err
	}
	c.ended = make(chan struct{})
	go func(ended chan struct{}) {
		c.server.Wait()
		close(ended)
	}(c.ended)
	for ; ; time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := execute(ctx, c.URL("postgres"), "SELECT 1")
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-c.ended:
			return fmt.Errorf("PostgreSQL does not start: %s", c.tail())
		default:
		}
		if time.Now().After(end) {
			return fmt.Errorf("PostgreSQL does not answer: %w: %s", err, c.tail())
		}
	}
}

// Stop ends the server, if it runs: SIGINT is a fast shutdown, SIGQUIT an immediate one, SIGKILL a crash, which its children
// outlive for a moment.
func (c *Cluster) Stop(sig syscall.Signal) {
	c.server.Process.Signal(sig)
	<-c.ended
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// errNone says why there is no server.
var errNone = errors.New("no PostgreSQL: apt-get install postgresql, or name a server in BROADSHEET_TEST_POSTGRES")

// newCluster makes a cluster that goes with the test.
func newCluster(t testing.TB, settings []string) *Cluster {
	t.Helper()
	c, err := find(settings)
	if errors.Is(err, errNone) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.remove)
	return c
}

// clusters numbers those of this process.
var clusters atomic.Uint32

// listen listens at an address that this process alone uses: while a cluster is down, no connection of somebody else's gets its
// port. Other systems than Linux have but one.
func listen() (net.Listener, error) {
	own := netip.AddrFrom4([4]byte{127, byte(64 + clusters.Add(1)%32), byte(os.Getpid() >> 8), byte(os.Getpid())})
	if l, err := net.Listen("tcp", netip.AddrPortFrom(own, 0).String()); err == nil {
		return l, nil
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

// find finds the binaries, a folder and a port.
func find(settings []string) (*Cluster, error) {
	c := &Cluster{bin: binaries(), settings: settings}
	if c.bin == "" {
		return nil, errNone
	}
	var err error
	if c.user, err = servant(); err != nil {
		return nil, fmt.Errorf("%w (initdb does not run as root: %w)", errNone, err)
	}
	if c.user != nil && !passable(os.TempDir()) {
		return nil, fmt.Errorf("%w (initdb does not run as root, and root alone gets to %s)", errNone, os.TempDir())
	}
	l, err := listen()
	if err != nil {
		return nil, err
	}
	c.address = l.Addr().(*net.TCPAddr).AddrPort()
	l.Close()
	// Not a test's own folder: another user must get there.
	if c.dir, err = os.MkdirTemp("", "pgtest"); err != nil {
		return nil, err
	}
	if c.user != nil {
		err = os.Chown(c.dir, int(c.user.Uid), int(c.user.Gid))
	}
	if err == nil {
		c.log, err = os.Create(filepath.Join(c.dir, "log"))
	}
	if err != nil {
		os.RemoveAll(c.dir)
		return nil, err
	}
	return c, nil
}

// passable reports whether everybody gets to a folder.
func passable(dir string) bool {
	info, err := os.Stat(dir)
	up := filepath.Dir(dir)
	return err == nil && info.Mode()&0o001 != 0 && (up == dir || passable(up))
}

// remove ends the server, if it runs, and takes all of it away.
func (c *Cluster) remove() {
	if c.server != nil {
		c.Stop(syscall.SIGQUIT)
	}
	c.log.Close()
	os.RemoveAll(c.dir)
}

// command is one of the server's programs, in a process group of its own.
func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.user, Setpgid: true}
	return cmd
}

func (c *Cluster) tail() []byte {
	b, _ := os.ReadFile(c.log.Name())
	return bytes.TrimSpace(b[max(0, len(b)-2000):])
}

// binaries is the folder of the newest server on this machine; "" if there is none.
func binaries() string {
	var found []string
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path)
		}
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/initdb", "/usr/pgsql-*/bin/initdb", "/usr/libexec/postgresql*/initdb", "/usr/local/pgsql/bin/initdb"} {
		paths, _ := filepath.Glob(pattern)
		found = append(found, paths...)
	}
	if len(found) == 0 {
		return ""
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.TrimFunc(path, func(r rune) bool { return r < '0' || r > '9' }))
		return n
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }))
}

// servant is the user whom a server runs as when we are root: PostgreSQL refuses to be root's.
func servant() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("there is no user postgres or nobody")
}
