package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"broadsheet/store"
	"broadsheet/store/postgres"
	"broadsheet/store/postgres/pgtest"
)

const (
	fleetEvery = 10 * time.Second       // how often a feed is polled
	fleetGap   = 100 * time.Millisecond // between two requests to one host
	fleetLease = 20 * time.Second       // what fetch gives a poller that is silent

	fleetPatience = 2 * time.Minute // for what takes seconds where nothing else runs
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
	out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput()
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
		l, err := net.Listen("tcp", listen)
		if err != nil {
			f.t.Fatal(err)
		}
		listen = l.Addr().String()
		l.Close()
		s.address = "http://" + listen
	}
	log, err := os.OpenFile(filepath.Join(f.dir, name+".log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	s.Env = append(os.Environ(), "LISTEN="+listen, "CONTROL="+filepath.Join(f.dir, name+".sock"))
	s.Stdout, s.Stderr = log, log
	s.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
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

// stop asks all processes to end, and fails for those that do not end well within 10 s.
func (f *fleet) stop() {
	f.t.Helper()
	for _, s := range f.ships() {
		s.Process.Signal(syscall.SIGTERM)
	}
	late := time.After(10 * time.Second)
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

// askFor asks for a document; nil if the answer is not 200.
func askFor(address string) (body []byte, h http.Header) {
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Get(address)
	if err != nil {
		return nil, nil
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, nil
	}
	return body, resp.Header
}

func (s *ship) shows(path, text string) bool {
	body, _ := askFor(s.address + path)
	return bytes.Contains(body, []byte(text))
}

// upTo is how many feeds have a validator: of the newest document, or of any.
func (f *fleet) upTo(newest bool) (n int) {
	for st, err := range f.store.Feeds(context.Background()) {
		if err != nil {
			return 0
		}
		var feed int
		fmt.Sscanf(st.Outlet, "outlet-%d", &feed)
		if has := string(st.Validators.ETag); has != "" && (!newest || has == f.press.tag(feed)) {
			n++
		}
	}
	return n
}

func (f *fleet) allPolled() bool { return f.upTo(false) == f.press.feeds }

// caughtUp waits until all that the press has is stored, and checks that it is stored once: since the
// beginning every document was seen by somebody, so all items of all generations are there.
func (f *fleet) caughtUp(within time.Duration) {
	f.t.Helper()
	f.await("all feeds polled to the end", within, func() bool { return f.upTo(true) == f.press.feeds })
	type name struct{ outlet, guid string }
	seen, carried := map[name]int{}, map[string]int{}
	doubled := 0
	for it, err := range f.store.Items(context.Background(), store.Query{}) {
		if err != nil {
			f.t.Fatal(err)
		}
		n := name{it.Outlet, it.GUID}
		if seen[n]++; seen[n] > 1 {
			doubled++
		} else {
			carried[it.Outlet]++
		}
	}
	want, lost := int(f.press.generation.Load())+f.press.items, 0
	for i := range f.press.feeds {
		lost += want - carried[fmt.Sprintf("outlet-%d", i)]
	}
	if lost != 0 || doubled > 0 || len(carried) != f.press.feeds {
		f.t.Errorf("%d items lost, %d doubled, of %d", lost, doubled, f.press.feeds*want)
	}
}

// onceEach stops all processes and checks that each request was a poll, and each poll a request: nobody asked for what
// another one had polled or was polling. And nobody waited for long: most pauses are of one interval.
func (f *fleet) onceEach(interval time.Duration) {
	f.t.Helper()
	stopped := time.Now()
	f.stop()
	logs, err := filepath.Glob(filepath.Join(f.dir, "*.log"))
	if err != nil {
		f.t.Fatal(err)
	}
	for _, log := range logs {
		if b, _ := os.ReadFile(log); bytes.Contains(b, []byte("has gone to another poller")) {
			f.t.Log("this machine was so busy that a lease ended: requests and polls are not compared")
			return
		}
	}
	asked := map[string][]time.Time{}
	for _, a := range f.press.log(f.t) {
		outlet := fmt.Sprintf("outlet-%d", a.feed)
		asked[outlet] = append(asked[outlet], a.begun)
	}
	wrong := 0
	for st, err := range f.store.Feeds(context.Background()) {
		if err != nil {
			f.t.Fatal(err)
		}
		all, whole := asked[st.Outlet], 0 // the last may have been broken off by the end
		for _, at := range all {
			if stopped.Sub(at) > time.Second {
				whole++
			}
		}
		if n := st.History.Polls; n < whole || n > len(all) {
			if wrong++; wrong < 5 {
				f.t.Errorf("%s was asked for %d times, and polled %d times", st.Outlet, len(all), n)
			}
		}
	}
	var pauses []time.Duration
	for _, times := range asked {
		slices.SortFunc(times, time.Time.Compare)
		for i := 1; i < len(times); i++ {
			pauses = append(pauses, times[i].Sub(times[i-1]))
		}
	}
	slices.Sort(pauses)
	if len(pauses) == 0 || pauses[len(pauses)/2] > interval*3/2 {
		f.t.Errorf("of %d pauses the median is not near %v", len(pauses), interval)
	}
}

// oneStory checks that the copies of each wire story are tied: the items of one link.
func (f *fleet) oneStory() {
	f.t.Helper()
	stories, copies := map[uint64]map[store.StoryID]bool{}, 0
	for it, err := range f.store.Items(context.Background(), store.Query{}) {
		if err != nil {
			f.t.Fatal(err)
		}
		if stories[it.LinkHash] == nil {
			stories[it.LinkHash] = map[store.StoryID]bool{}
		} else {
			copies++
		}
		if stories[it.LinkHash][it.Story] = true; len(stories[it.LinkHash]) > 1 {
			f.t.Errorf("the copies of %s are several stories", it.Link)
		}
	}
	if copies < f.press.feeds {
		f.t.Errorf("only %d copies", copies)
	}
}

// alike checks that publishers that have seen the same show the same, byte for byte.
func (f *fleet) alike(publishers ...*ship) {
	f.t.Helper()
	for _, path := range []string{"/all.atom", "/all.rss", "/all.json", "/first.atom", "/", "/all"} {
		f.await("all publishers show the same "+path, fleetPatience, func() bool {
			first, h := askFor(publishers[0].address + path)
			for _, p := range publishers[1:] {
				body, g := askFor(p.address + path)
				if !bytes.Contains(first, []byte(f.press.mark())) || !bytes.Equal(body, first) || h.Get("ETag") != g.Get("ETag") || h.Get("Last-Modified") != g.Get("Last-Modified") || h.Get("ETag") == "" {
					return false
				}
			}
			return true
		})
	}
}

// readers ask a publisher over and over until ctx ends, as feed readers do, and count the answers that are no good.
func (f *fleet) readers(ctx context.Context, publishers ...*ship) (failed func() (answers, errors int)) {
	var wg sync.WaitGroup
	var mu sync.Mutex // guards answers, bad and last
	answers, bad, last := 0, 0, ""
	for _, p := range publishers {
		wg.Go(func() {
			for ctx.Err() == nil {
				body, _ := askFor(p.address + "/all.atom")
				mu.Lock()
				if answers++; !bytes.Contains(body, []byte("</feed>")) {
					bad++
					last = string(body)
				}
				mu.Unlock()
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	return func() (int, int) {
		wg.Wait()
		if bad > 0 {
			f.t.Logf("the last bad answer: %q", last)
		}
		return answers, bad
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

// run runs a command to its end.
func (f *fleet) run(args ...string) ([]byte, error) {
	cmd := exec.Command(f.binary, append([]string{"-c", f.config}, args...)...)
	cmd.Env = append(os.Environ(), "LISTEN=127.0.0.1:0", "CONTROL="+filepath.Join(f.dir, "one.sock"))
	return cmd.CombinedOutput()
}
