package publish

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A press is a publication with its own hub, on loopback.
type press struct {
	*world
	pub     *Publisher
	handler *Handler
	hub     *Hub
	base    string
	stop    func()
}

func newPress(t *testing.T) *press {
	p := &press{world: newWorld(t)}
	mux := http.NewServeMux()
	p.base = listen(t, p.world, mux)
	pub := publication([]Outlet{outlet("a")}, Section{Slug: "all"}, Section{Slug: "none", From: []string{"b"}})
	pub.BaseURL, pub.Hub = p.base, p.base+HubPath
	pub.Outlets = append(pub.Outlets, outlet("b"))
	p.pub = p.publisher(pub)
	p.handler = NewHandler(p.base)
	mux.Handle("/", p.handler)
	mux.HandleFunc(HubPath, func(w http.ResponseWriter, r *http.Request) { p.hub.ServeHTTP(w, r) })
	p.start()
	t.Cleanup(func() { p.stop() })
	p.poll(in("0s"), "a", feedOf("a"), news("one", "https://a.example/1", "<p>one</p>"))
	p.print()
	return p
}

func hubOptions(w *world, base string) HubOptions {
	do := (&http.Transport{DisableKeepAlives: true}).RoundTrip
	host := func(address string) string {
		u, err := url.Parse(address)
		if err != nil {
			return ""
		}
		return u.Host
	}
	return HubOptions{BaseURL: base, Notes: w.st, Do: do, Host: host, Log: w.log}
}

// start lets a hub begin, as a process does.
func (p *press) start() {
	p.hub = NewHub(hubOptions(p.world, p.base))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.hub.Run(ctx) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			p.t.Error(err)
		}
	})
}

// print serves what is stored, and announces it.
func (p *press) print() {
	e := p.edition(p.pub)
	p.handler.Show(e)
	p.hub.Announce(e)
}

func (p *press) topic() string { return p.base + "/all.atom" }

// A reader has a callback of its own.
type reader struct {
	t       *testing.T
	address string

	mu     sync.Mutex
	answer func(w http.ResponseWriter, r *http.Request) // to a verification
	status int                                          // of deliveries
	asked  chan url.Values
	came   chan delivery
}

type delivery struct {
	at     time.Time
	header http.Header
	body   string
	query  string
}

func newReader(t *testing.T, w *world) *reader {
	r := &reader{t: t, status: http.StatusNoContent, asked: make(chan url.Values, 100), came: make(chan delivery, 100)}
	r.answer = echo
	r.address = listen(t, w, r)
	return r
}

func echo(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.FormValue("hub.challenge")) }

func (r *reader) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	answer, status := r.answer, r.status
	r.mu.Unlock()
	if req.Method == http.MethodGet {
		answer(w, req)
		r.asked <- req.URL.Query()
		return
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		r.t.Error(err)
	}
	w.WriteHeader(status)
	r.came <- delivery{time.Now(), req.Header, string(body), req.URL.RawQuery}
}

func (r *reader) set(answer func(http.ResponseWriter, *http.Request), status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer, r.status = answer, status
}

// next takes from a channel what must come.
func next[T any](t *testing.T, from chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(time.Minute):
		t.Fatal("nothing came within a minute")
	}
	return v
}

// quiet sees that nothing comes.
func quiet[T any](t *testing.T, from chan T) {
	t.Helper()
	select {
	case v := <-from:
		t.Fatalf("came: %v", v)
	case <-time.After(150 * time.Millisecond):
	}
}

// request asks the hub; the pairs are of the form.
func (p *press) request(pairs ...string) (int, string) {
	p.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return p.post("application/x-www-form-urlencoded", form.Encode())
}

func (p *press) post(kind, body string) (int, string) {
	p.t.Helper()
	resp, err := http.Post(p.base+HubPath, kind, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// subscribe subscribes and waits until that stands.
func (p *press) subscribe(t *testing.T, r *reader, callback string, more ...string) url.Values {
	t.Helper()
	before := fmt.Sprintf("%+v", p.notices()) // a subscription may be renewed
	status, text := p.request(append([]string{"hub.mode", "subscribe", "hub.topic", p.topic(), "hub.callback", callback}, more...)...)
	if status != http.StatusAccepted {
		t.Fatalf("%d %s", status, text)
	}
	asked := next(t, r.asked)
	p.await(t, func() bool {
		now := p.notices()
		return fmt.Sprintf("%+v", now) != before && slices.ContainsFunc(now, func(n notice) bool { return n.Callback == callback && n.Topic == p.topic() })
	})
	return asked
}

func (p *press) notices() (all []notice) {
	p.t.Helper()
	for n, err := range p.st.Notes(context.Background(), "hub") {
		if err != nil {
			p.t.Fatal(err)
		}
		all = append(all, decodeNotice(p.t, n.Value))
	}
	return all
}

func decodeNotice(t testing.TB, b []byte) notice {
	t.Helper()
	c := &courier{told: map[string]*told{}, host: func(string) string { return "" }}
	if err := c.put("x", b); err != nil {
		t.Fatal(err)
	}
	return c.told["x"].notice
}

func (p *press) await(t *testing.T, what func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if what() {
			return
		}
	}
	t.Fatal("it does not come about within a minute")
}

// change changes all notices, while no hub runs.
func (p *press) change(do func(*notice)) {
	p.t.Helper()
	for n, err := range p.st.Notes(context.Background(), "hub") {
		if err != nil {
			p.t.Fatal(err)
		}
		as := decodeNotice(p.t, n.Value)
		do(&as)
		if err := p.st.SetNote(context.Background(), "hub", n.Key, encodeNotice(&as)); err != nil {
			p.t.Fatal(err)
		}
	}
}
