package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"broadsheet/config"
)

func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){"broadsheet": main})
}

// tests run in a folder for temporary files that is no deeper than the path of a control socket below a test's own folder permits.
type tests struct{ *testing.M }

func (m tests) Run() int {
	if len(os.TempDir()) > config.MaxSocket-60 {
		os.Setenv("TMPDIR", "/tmp")
	}
	return m.M.Run()
}

// The scripts of testdata/script run the real program. Besides testscript's own commands they have:
//
//	exits CODE COMMAND…     run and compare the exit code; its output is for stdout and stderr
//	outlets DIR             serve the files of DIR on loopback; $OUTLETS is the address. If there is a file NAME.status
//	                        beside NAME, its number is answered; NAME.slow lets the answer wait until it is gone, and
//	                        NAME.waits is there as soon as one does
//	address                 $ADDRESS is an address to listen at
//	answers ADDRESS [TEXT]  wait until it answers 200, and with this text
//	get ADDRESS [HEADER]    request it; the answer's status line, headers and body are for stdout
//	signal HUP|TERM         to the commands in the background
//	same FILE               remember the file's time and inode; the second time, compare
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "outlets": serveOutlets, "address": ownAddress, "answers": answers, "get": get, "same": same, "signal": sendSignal,
		},
		Setup: func(e *testscript.Env) error {
			e.Values["seen"] = map[string]os.FileInfo{}
			return nil
		},
	})
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		code = exit.ExitCode()
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

func serveOutlets(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := filepath.Join(dir, filepath.Base(r.URL.Path))
		for _, err := os.Stat(name + ".slow"); err == nil && r.Context().Err() == nil; _, err = os.Stat(name + ".slow") {
			os.WriteFile(name+".waits", nil, 0o600)
			time.Sleep(10 * time.Millisecond)
		}
		if status, err := os.ReadFile(name + ".status"); err == nil {
			code, err := strconv.Atoi(strings.TrimSpace(string(status)))
			if err != nil {
				code = http.StatusTeapot // which no script expects
			}
			w.WriteHeader(code)
			return
		}
		body, err := os.ReadFile(name)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(body))) // files change within a second here
		http.ServeContent(w, r, r.URL.Path, time.Time{}, bytes.NewReader(body))
	}))
	ts.Defer(s.Close)
	ts.Setenv("OUTLETS", s.URL)
}

func ownAddress(ts *testscript.TestScript, _ bool, _ []string) { ts.Setenv("ADDRESS", freeAddress()) }

var addresses atomic.Uint32 // that were given

// freeAddress is one to listen at. Where all of 127.0.0.0/8 is the machine's own, its host is this process' own, so that no connection
// of somebody else's takes the port before we listen there, or while nobody does.
func freeAddress() string {
	l, err := net.Listen("tcp", fmt.Sprintf("127.100.%d.%d:%d", byte(os.Getpid()>>8), byte(os.Getpid()), 10000+addresses.Add(1)))
	if err != nil {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		panic(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func sendSignal(ts *testscript.TestScript, _ bool, args []string) {
	sig := map[string]os.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM}[args[0]]
	for _, c := range ts.BackgroundCmds() {
		ts.Check(c.Process.Signal(sig))
	}
}

func answers(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if resp, err := http.Get(args[0]); err == nil {
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err == nil && resp.StatusCode == http.StatusOK && (len(args) < 2 || strings.Contains(string(body), args[1])) {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("%s does not answer so", args)
}

func get(ts *testscript.TestScript, _ bool, args []string) {
	req, err := http.NewRequest(http.MethodGet, args[0], nil)
	ts.Check(err)
	for _, h := range args[1:] {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	ts.Check(resp.Write(ts.Stdout()))
}

func same(ts *testscript.TestScript, _ bool, args []string) {
	seen := ts.Value("seen").(map[string]os.FileInfo)
	name := ts.MkAbs(args[0])
	info, err := os.Stat(name)
	ts.Check(err)
	if before, ok := seen[name]; ok && (!os.SameFile(before, info) || !before.ModTime().Equal(info.ModTime())) {
		ts.Fatalf("%s was written anew", filepath.Base(name))
	}
	seen[name] = info
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// Results that cannot be written are no success, whatever the command.
func TestResultsCutShort(t *testing.T) {
	feed := serveHandler(t, answer(200, "application/rss+xml", newsFeed("outlet.example", "", "A story")))
	w := newWorld(t, everything+outletBlock("o", "Outlet", feed))
	w.must("fetch", "--once")
	for _, args := range [][]string{{"check"}, {"outlets"}, {"explain", fmt.Sprintf("https://outlet.example/%x", "A story")}, {"preview", "all"}, {"export"}, {"completion", "bash"}, {"--help"}} {
		var stderr buffer
		code := run(t.Context(), append([]string{"-c", w.config}, args...), full{}, &stderr)
		if want := "broadsheet: " + syscall.ENOSPC.Error() + "\n"; code != exitFailed || stderr.String() != want {
			t.Errorf("%s: exit code %d: %s", args, code, stderr.String())
		}
	}
}
