package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"broadsheet/store/postgres/pgtest"
)

// An origin is the load server of the project, ../shared/origin, as a press: it keeps its own log of who asked.
type origin struct{ address string }

const originFolder = "../../../shared/origin"

// startOrigin starts it, or, where it is not there, our own press in its place.
func startOrigin(t *testing.T, feeds, hosts int, latency time.Duration) *press {
	t.Helper()
	if _, err := os.Stat(originFolder); err != nil {
		t.Log("../shared/origin is not there: the test's own outlets play")
		return startPress(t, feeds, hosts, latency)
	}
	binary := filepath.Join(t.TempDir(), "origin")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", binary, ".")
	build.Dir = originFolder
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	number := 12000 + os.Getpid()%20000 // above those of freeAddress, below those that the system gives to connections
	for {
		l, err := net.Listen("tcp", fmt.Sprintf("0.0.0.0:%d", number))
		if err == nil {
			l.Close()
			break
		}
		number++
	}
	port := strconv.Itoa(number)
	c := exec.Command(binary, "-n", strconv.Itoa(feeds), "-hosts", strconv.Itoa(hosts), "-port", port, "-items", strconv.Itoa(pressItems),
		"-size", "600", "-wire", "0.2", "-lat", latency.String())
	pgtest.DieWithUs(c, syscall.SIGKILL)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	o := &origin{"http://127.0.0.1:" + port}
	for end := time.Now().Add(fleetPatience); ; time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get(o.address + "/reset")
		if err == nil {
			resp.Body.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	return &press{feeds: feeds, hosts: hosts, items: pressItems, net: "127.0.0", port: port, latency: latency, origin: o}
}

func (o *origin) ask(t testing.TB, path string) io.ReadCloser {
	t.Helper()
	resp, err := http.Get(o.address + path)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, resp.Status)
	}
	return resp.Body
}

func (o *origin) move(t testing.TB) { o.ask(t, "/advance").Close() }

func (o *origin) tag(feed int, generation int64) string {
	return fmt.Sprintf(`"1-%d-%d-gz"`, feed, generation)
}

// log is what the origin wrote down, of which it keeps the first 5,000; how long an answer took it does not say.
func (o *origin) log(t testing.TB, latency time.Duration) (asked []asking) {
	t.Helper()
	body := o.ask(t, "/log")
	defer body.Close()
	for d := json.NewDecoder(body); d.More(); {
		var e struct {
			At         time.Time
			Host, Path string
		}
		if err := d.Decode(&e); err != nil {
			t.Fatal(err)
		}
		feed, err := strconv.Atoi(strings.TrimPrefix(e.Path, "/feed/"))
		if err != nil {
			t.Errorf("%s was asked for", e.Path)
			continue
		}
		asked = append(asked, asking{feed: feed, host: e.Host, begun: e.At, end: e.At.Add(latency)})
	}
	if len(asked) == 5000 {
		t.Error("the origin's log is full")
	}
	return asked
}

// overlap is how many requests it has seen at once at one host, at most.
func (o *origin) overlap(t testing.TB) int {
	t.Helper()
	body := o.ask(t, "/stats")
	defer body.Close()
	var stats struct {
		Most int `json:"max_concurrent_per_host"`
	}
	if err := json.NewDecoder(body).Decode(&stats); err != nil {
		t.Fatal(err)
	}
	return stats.Most
}
