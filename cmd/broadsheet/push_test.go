package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A pushWorld is an outlet with a hub, our daemon with another, and a subscriber of ours, all on loopback.
type pushWorld struct {
	t     testing.TB
	base  string // of our daemon
	asked chan url.Values
	came  chan string // bodies that the subscriber got
	log   *syncLog

	mu    sync.Mutex // guards items
	items []string
}

type syncLog struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *syncLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *syncLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (w *pushWorld) feed(address string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, `<feed xmlns="http://www.w3.org/2005/Atom"><title>Pusher</title><id>urn:pusher</id><link rel="self" href="%s/feed"/><link rel="hub" href="%[1]s/hub"/>`, address)
	for _, it := range slices.Backward(w.items[max(0, len(w.items)-25):]) {
		fmt.Fprintf(&b, `<entry><id>https://pusher.example/%[1]s</id><title>Item %[1]s</title><link href="https://pusher.example/%[1]s"/><summary>%s</summary></entry>`, it, strings.Repeat("What happened. ", 40))
	}
	return b.String() + "</feed>"
}

func (w *pushWorld) publish(item string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.items = append(w.items, item)
}

// newPushWorld returns when our daemon has subscribed to the outlet's hub and the subscriber to ours, and what pushes an item.
func newPushWorld(t testing.TB) (w *pushWorld, push func(item string)) {
	w = &pushWorld{t: t, asked: make(chan url.Values, 10), came: make(chan string, 100), log: &syncLog{}, items: []string{"first"}}
	var outlet *httptest.Server
	outlet = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hub" {
			if err := r.ParseForm(); err != nil {
				t.Error(err)
			}
			rw.WriteHeader(http.StatusAccepted)
			w.asked <- r.PostForm
			return
		}
		io.WriteString(rw, w.feed(outlet.URL))
	}))
	t.Cleanup(outlet.Close)
	reader := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			io.WriteString(rw, r.FormValue("hub.challenge"))
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.came <- string(body)
	}))
	t.Cleanup(reader.Close)

	address := freeAddress()
	w.base = "http://" + address
	path := filepath.Join(t.TempDir(), "broadsheet.toml")
	err := os.WriteFile(path, fmt.Appendf(nil, `
contact = "https://reader.test/about"
base_url = %q
[server]
listen = %q
[store]
url = "bolt:push.db"
[fetch]
websub = true
host_gap = "0s"
allow_private = ["127.0.0.0/8"]
[publish]
hub = "builtin"
[[outlet]]
id = "pusher"
  [[outlet.feed]]
  url = "%s/feed"
[[section]]
slug = "world"
`, w.base, address, outlet.URL), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	pl, err := load(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	go func() { done <- runPlan(ctx, pl, duties{fetch: true, serve: true}, log, nil, nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(w.log)
		}
	})

	ask := take(w, w.asked)
	q := url.Values{"hub.mode": {"subscribe"}, "hub.topic": {ask.Get("hub.topic")}, "hub.challenge": {"x"}, "hub.lease_seconds": {"864000"}}
	resp, err := http.Get(ask.Get("hub.callback") + "?" + q.Encode())
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	w.until("the first edition", func() bool {
		resp, err := http.Get(w.base + "/world.atom")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return err == nil && strings.Contains(string(body), "Item first")
	})
	resp, err = http.PostForm(w.base+"/hub", url.Values{"hub.mode": {"subscribe"}, "hub.topic": {w.base + "/world.atom"}, "hub.callback": {reader.URL}})
	if err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	w.until("the subscription", func() bool { return strings.Contains(w.log.String(), "hub: confirmed") })

	return w, func(item string) {
		w.publish(item)
		body := w.feed(outlet.URL)
		sign := hmac.New(sha256.New, []byte(ask.Get("hub.secret")))
		io.WriteString(sign, body)
		req, err := http.NewRequest(http.MethodPost, ask.Get("hub.callback"), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/atom+xml")
		req.Header.Set("X-Hub-Signature", fmt.Sprintf("sha256=%x", sign.Sum(nil)))
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.StatusCode != http.StatusAccepted {
			t.Fatal(resp, err)
		}
		resp.Body.Close()
		for !strings.Contains(take(w, w.came), ">Item "+item+"<") { // an edition that was on its way already
		}
	}
}

func take[T any](w *pushWorld, from chan T) (v T) {
	w.t.Helper()
	select {
	case v = <-from:
	case <-time.After(time.Minute):
		w.t.Fatalf("nothing came within a minute\n%s", w.log)
	}
	return v
}

func (w *pushWorld) until(what string, so func() bool) {
	w.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if so() {
			return
		}
	}
	w.t.Fatalf("%s does not come about\n%s", what, w.log)
}

// What an outlet's hub pushes to us, our hub has delivered to a subscriber of ours right after.
func TestPushed(t *testing.T) {
	w, push := newPushWorld(t)
	for i := range 5 {
		push(fmt.Sprint(i))
	}
	rows, err := http.Get(w.base + "/status.json")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Body.Close()
	status, err := io.ReadAll(rows.Body)
	if err != nil || !strings.Contains(string(status), "pushed by 127.0.0.1 until") {
		t.Errorf("%v: the status does not tell of it: %s", err, status)
	}
	ask := w.log.String()
	if i := strings.Index(ask, "/websub/"); i < 0 || !strings.HasPrefix(ask[i:], "/websub/…") || strings.Count(ask, "/websub/") != strings.Count(ask, "/websub/…") {
		t.Error("the log tells callbacks, or no requests at all")
	}
}

// BenchmarkPush is the way of one item from an outlet's hub to a subscriber of ours: the callback, the store on disk, the new
// edition, the delivery.
func BenchmarkPush(b *testing.B) {
	_, push := newPushWorld(b)
	n := 0
	var took []time.Duration
	for b.Loop() {
		n++
		began := time.Now()
		push(fmt.Sprint(n))
		took = append(took, time.Since(began))
		b.StopTimer()
		time.Sleep(2 * time.Second) // a feed may push every two seconds
		b.StartTimer()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[min(len(took)*99/100, len(took)-1)].Microseconds())/1000, "p99-ms")
}
