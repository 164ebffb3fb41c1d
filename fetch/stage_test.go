package fetch

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"broadsheet/store"
	"broadsheet/store/bolt"
)

// A stage is an outlet with a hub and our subscriber, in fake time.
type stage struct {
	t    *testing.T
	path string
	st   *bolt.Store
	log  *bytes.Buffer
	feed Feed
	net  *fakeNet

	s     *Scheduler
	sub   *Subscriber
	saved atomic.Int32 // how often something was, by a poll or by a push
	stop  func()

	mu     sync.Mutex // guards what follows
	items  []string   // of the feed, newest first
	status int        // of the hub's answers
	where  string     // of its redirects
	asks   []url.Values
	hubs   string // that the feed names
}

const (
	stageHub   = "https://hub.example/"
	stageTopic = "https://outlet.example/self"
	stageBase  = "https://paper.example/news"
)

func onStage(t *testing.T, play func(t *testing.T, g *stage)) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		g := &stage{t: t, path: path, log: &bytes.Buffer{}, status: 202, items: []string{"one"}, hubs: stageHub}
		g.feed = feeds(t, "https://outlet.example/feed")[0]
		g.feed.WebSub = true
		g.net = &fakeNet{answer: g.answer}
		g.st = openStore(t, path)
		defer func() { g.st.Close() }()
		g.begin()
		defer func() { g.stop() }()
		play(t, g)
	})
}

// begin runs scheduler and subscriber, as a daemon does.
func (g *stage) begin() {
	log := slog.New(slog.NewTextHandler(io.MultiWriter(g.log, g.t.Output()), nil))
	g.s = New(Options{Store: g.st, Settings: testSettings(), Feeds: []Feed{g.feed}, Automatic: true, Log: log, RoundTripper: g.net, Saved: func() { g.saved.Add(1) }})
	g.sub = NewSubscriber(g.s, g.st, stageBase)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := g.s.Run(ctx); err != nil {
			g.t.Error(err)
		}
	})
	running.Go(func() {
		if err := g.sub.Run(ctx); err != nil {
			g.t.Error(err)
		}
	})
	g.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	g.settle()
}

// settle waits until nothing happens any more by itself, with the pause between requests to a host.
func (g *stage) settle() {
	time.Sleep(2 * time.Second)
	synctest.Wait()
}

func (g *stage) answer(r *http.Request) *http.Response {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(r.Body)
		form, perr := url.ParseQuery(string(body))
		if err != nil || perr != nil || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			g.t.Errorf("%v %v %s", err, perr, r.Header)
		}
		form.Set("at", r.URL.String())
		g.asks = append(g.asks, form)
		h := http.Header{"Content-Type": {"text/plain"}}
		if g.where != "" && r.URL.String() == stageHub {
			h.Set("Location", g.where)
			return response(g.status, "", h)
		}
		if g.where != "" {
			return response(202, "", h)
		}
		return response(g.status, "be\x1bcause", h)
	}
	return response(200, g.document(g.items), nil)
}

func (g *stage) document(items []string) string {
	var b strings.Builder
	b.WriteString(`<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title><id>urn:x</id><link rel="self" href="` + stageTopic + `"/>`)
	for hub := range strings.FieldsSeq(g.hubs) {
		b.WriteString(`<link rel="hub" href="` + hub + `"/>`)
	}
	for _, it := range items {
		fmt.Fprintf(&b, `<entry><id>urn:%s</id><title>%[1]s</title><link href="https://outlet.example/%[1]s"/></entry>`, it)
	}
	return b.String() + `</feed>`
}

// publish lets the outlet have a new item.
func (g *stage) publish(item string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.items = append([]string{item}, g.items...)
}

// asked takes what the hub was asked since it was asked last.
func (g *stage) asked() []url.Values {
	g.mu.Lock()
	defer g.mu.Unlock()
	asks := g.asks
	g.asks = nil
	return asks
}

// subscribed takes the one request that there must be.
func (g *stage) subscribed() url.Values {
	g.t.Helper()
	asks := g.asked()
	if len(asks) != 1 {
		g.t.Fatalf("%d requests to the hub, want 1: %v", len(asks), asks)
	}
	return asks[0]
}

// awaited takes the next request, which must come within a while.
func (g *stage) awaited(while time.Duration) url.Values {
	g.t.Helper()
	for range while / time.Minute {
		if asks := g.asked(); len(asks) > 0 {
			return asks[0]
		}
		time.Sleep(time.Minute)
		synctest.Wait()
	}
	g.t.Fatalf("no request to the hub within %v", while)
	return nil
}

// call sends a request to a callback of ours.
func (g *stage) call(method, address string, header http.Header, body string) (int, string) {
	r := httptest.NewRequest(method, strings.TrimPrefix(address, stageBase), strings.NewReader(body))
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	g.sub.ServeHTTP(w, r)
	synctest.Wait()
	return w.Code, w.Body.String()
}

func (g *stage) verify(callback, mode, topic, lease string) (int, string) {
	q := url.Values{"hub.mode": {mode}, "hub.topic": {topic}, "hub.challenge": {"ch4llenge"}, "hub.lease_seconds": {lease}, "hub.reason": {"no\nmo\x1bre\x00"}}
	return g.call(http.MethodGet, callback+"?"+q.Encode(), nil, "")
}

// accept verifies a request as a hub does.
func (g *stage) accept(ask url.Values, lease string) {
	g.t.Helper()
	if code, body := g.verify(ask.Get("hub.callback"), ask.Get("hub.mode"), ask.Get("hub.topic"), lease); code != 200 || body != "ch4llenge" {
		g.t.Fatalf("verification: %d %q", code, body)
	}
	g.settle()
}

func sign(method string, h func() hash.Hash, secret, body string) http.Header {
	mac := hmac.New(h, []byte(secret))
	io.WriteString(mac, body)
	return http.Header{"X-Hub-Signature": {fmt.Sprintf("%s=%x", method, mac.Sum(nil))}, "Content-Type": {"application/atom+xml"},
		"Link": {`<https://evil.example/>; rel="self"`}}
}

// push sends items as the hub does.
func (g *stage) push(ask url.Values, items ...string) int {
	body := g.document(items)
	code, _ := g.call(http.MethodPost, ask.Get("hub.callback"), sign("sha256", sha256.New, ask.Get("hub.secret"), body), body)
	g.settle()
	return code
}

func (g *stage) titles() (titles []string) {
	g.t.Helper()
	for it, err := range g.st.Items(context.Background(), store.Query{ByArrival: true}) {
		if err != nil {
			g.t.Fatal(err)
		}
		titles = append(titles, it.Title)
	}
	return titles
}

func (g *stage) state() store.FeedState { return stateOf(g.t, g.st) }

// due is what the state says to everybody.
func (g *stage) due() Due {
	st, s := g.state(), testSettings()
	return Next(&g.feed, &s, &st)
}
