package publish

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"broadsheet/store"
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
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came within 10 s")
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
	for range 500 {
		if what() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it does not come about within 5 s")
}

// The tests of websub.rocks for hubs: a typical subscription (100), more parameters (101), a subscription again before
// its lease ends (102), its end (103), and the types of what is delivered (104, 105: here those of our feeds).
func TestHub(t *testing.T) {
	p := newPress(t)
	r := newReader(t, p.world)
	callback := r.address + "/cb?own=1&hub.mode=mine"

	// 100, 101
	asked := p.subscribe(t, r, callback, "hub.secret", "s3cret", "hub.verify", "sync", "hub.verify", "async", "foo", "bar")
	if asked.Get("own") != "1" || asked["hub.mode"][1] != "subscribe" || asked.Get("hub.topic") != p.topic() || asked.Get("hub.lease_seconds") != "864000" || len(asked.Get("hub.challenge")) < 20 {
		t.Errorf("verification: %v", asked)
	}
	quiet(t, r.came)
	p.poll(in("1m"), "a", feedOf("a"), news("two", "https://a.example/2", "<p>two</p>"))
	p.print()
	d := next(t, r.came)
	served := p.handler.Shown().Document("all.atom")
	if d.body != string(served.Body) || d.header.Get("Content-Type") != typeAtom || d.query != "own=1&hub.mode=mine" {
		t.Errorf("delivery: %v, %d bytes", d.header, len(d.body))
	}
	if got, want := d.header.Get("Link"), fmt.Sprintf(`<%s/hub>; rel="hub", <%s>; rel="self"`, p.base, p.topic()); got != want {
		t.Errorf("Link %s, want %s", got, want)
	}
	sign := hmac.New(sha256.New, []byte("s3cret"))
	sign.Write(served.Body)
	if got := d.header.Get("X-Hub-Signature"); got != fmt.Sprintf("sha256=%x", sign.Sum(nil)) {
		t.Errorf("signature %s", got)
	}
	p.print() // nothing new
	quiet(t, r.came)

	// An edit within an hour shows, and is no news.
	p.poll(in("2m"), "a", feedOf("a"), news("two, edited", "https://a.example/2", "<p>two</p>"))
	p.print()
	quiet(t, r.came)

	// 102: the secret is the new one.
	asked = p.subscribe(t, r, callback, "hub.secret", "another", "hub.lease_seconds", "7200")
	if asked.Get("hub.lease_seconds") != "7200" || len(p.notices()) != 1 {
		t.Errorf("again: %v, %d subscriptions", asked, len(p.notices()))
	}
	p.poll(in("3m"), "a", feedOf("a"), news("three", "https://a.example/3", "<p>three</p>"))
	p.print()
	d = next(t, r.came)
	sign = hmac.New(sha256.New, []byte("another"))
	io.WriteString(sign, d.body)
	if got := d.header.Get("X-Hub-Signature"); got != fmt.Sprintf("sha256=%x", sign.Sum(nil)) {
		t.Errorf("signature after the second subscription: %s", got)
	}

	// 103: verified as well, and without it nothing changes.
	unsubscribe := []string{"hub.mode", "unsubscribe", "hub.topic", p.topic(), "hub.callback", callback, "hub.lease_seconds", "nonsense"}
	r.set(http.NotFound, 204)
	p.request(unsubscribe...)
	if asked = next(t, r.asked); asked["hub.mode"][1] != "unsubscribe" || asked.Has("hub.lease_seconds") {
		t.Errorf("verification of the end: %v", asked)
	}
	time.Sleep(50 * time.Millisecond)
	if len(p.notices()) != 1 {
		t.Error("unsubscribed without consent")
	}
	r.set(echo, 204)
	if status, _ := p.request(unsubscribe...); status != http.StatusAccepted {
		t.Errorf("unsubscribe: %d", status)
	}
	next(t, r.asked)
	p.await(t, func() bool { return len(p.notices()) == 0 })
	p.poll(in("4m"), "a", feedOf("a"), news("four", "https://a.example/4", "<p>four</p>"))
	p.print()
	quiet(t, r.came)
	if status, _ := p.request(unsubscribe...); status != http.StatusAccepted {
		t.Errorf("unsubscribe again: %d", status)
	}
	quiet(t, r.asked) // there is nothing to ask about

	// 104, 105
	for format, kind := range map[string]string{"rss": typeRSS, "json": typeJSON} {
		to := r.address + "/" + format
		if status, text := p.request("hub.mode", "subscribe", "hub.topic", p.base+"/all."+format, "hub.callback", to); status != http.StatusAccepted {
			t.Fatal(status, text)
		}
		next(t, r.asked)
		p.await(t, func() bool { return p.hub.Counts().Receivers == 1 })
		p.poll(in("5m"), "a", feedOf("a"), news("for "+format, "https://a.example/"+format, "<p>x</p>"))
		p.print()
		if d := next(t, r.came); d.header.Get("Content-Type") != kind || d.header.Get("X-Hub-Signature") != "" || d.body != string(p.handler.Shown().Document("all."+format).Body) {
			t.Errorf("%s: %v", format, d.header)
		}
		p.request("hub.mode", "unsubscribe", "hub.topic", p.base+"/all."+format, "hub.callback", to)
		next(t, r.asked)
		p.await(t, func() bool { return p.hub.Counts().Receivers == 0 })
	}
	if c := p.hub.Counts(); c.Told != 4 || c.Failed != 0 || c.Owed != 0 {
		t.Errorf("counts %+v", c)
	}
}

// Whose topic is not published any more is told so, once, and forgotten; whoever subscribes to others stays.
func TestHubTopicGone(t *testing.T) {
	p := newPress(t)
	r, other := newReader(t, p.world), newReader(t, p.world)
	p.subscribe(t, r, r.address+"/cb?own=1")
	spelt := strings.Replace(p.base+"/none.atom", "none", "%6eone", 1) // the same address
	if status, text := p.request("hub.mode", "subscribe", "hub.topic", spelt, "hub.callback", other.address); status != http.StatusAccepted {
		t.Fatal(status, text)
	}
	if asked := next(t, other.asked); asked.Get("hub.topic") != p.base+"/none.atom" {
		t.Errorf("verification: %v", asked)
	}
	p.await(t, func() bool { return len(p.notices()) == 2 })
	pub := p.pub.pub
	pub.Sections = pub.Sections[1:]
	p.pub = p.publisher(pub)
	r.set(http.NotFound, 204) // what it says to that does not matter
	p.print()
	asked := next(t, r.asked)
	if asked.Get("hub.mode") != "denied" || asked.Get("hub.topic") != p.topic() || asked.Get("own") != "1" || asked.Get("hub.reason") == "" || asked.Has("hub.challenge") {
		t.Errorf("denial: %v", asked)
	}
	p.await(t, func() bool { return len(p.notices()) == 1 })
	p.print()
	quiet(t, r.asked)
	quiet(t, other.asked)
	if c := p.hub.Counts(); c.Receivers != 1 || c.Failed != 0 {
		t.Errorf("counts %+v", c)
	}
}

// What the callback answers decides, and nothing else does.
func TestHubVerification(t *testing.T) {
	p := newPress(t)
	r := newReader(t, p.world)
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"404":      http.NotFound,
		"another":  func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "challenge") },
		"and more": func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.FormValue("hub.challenge")+"!") },
		"nothing":  func(http.ResponseWriter, *http.Request) {},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere?"+r.URL.RawQuery, http.StatusFound)
		},
		"500":       func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500); echo(w, r) },
		"very long": func(w http.ResponseWriter, r *http.Request) { echo(w, r); w.Write(make([]byte, 1<<20)) },
	} {
		r.set(answer, 204)
		if status, text := p.request("hub.mode", "subscribe", "hub.topic", p.topic(), "hub.callback", r.address+"/"+url.PathEscape(name)); status != http.StatusAccepted {
			t.Errorf("%s: %d %s", name, status, text)
		}
		next(t, r.asked)
	}
	quiet(t, r.asked)
	if n := p.notices(); len(n) != 0 {
		t.Errorf("subscribed without consent: %+v", n)
	}
}

func TestHubRefusals(t *testing.T) {
	p := newPress(t)
	good := []string{"hub.mode", "subscribe", "hub.topic", p.topic(), "hub.callback", "https://reader.example/cb"}
	with := func(pairs ...string) []string {
		out := append([]string{}, good...)
		for i := 0; i < len(pairs); i += 2 {
			for j := 0; j < len(good); j += 2 {
				if out[j] == pairs[i] {
					out[j+1] = pairs[i+1]
				}
			}
			if !strings.Contains(strings.Join(good, " "), pairs[i]) {
				out = append(out, pairs[i], pairs[i+1])
			}
		}
		return out
	}
	for _, c := range []struct {
		status int
		pairs  []string
	}{
		{400, with("hub.mode", "publish")},
		{400, with("hub.mode", "")},
		{400, with("hub.mode", "denied")},
		{404, with("hub.topic", "")},
		{404, with("hub.topic", "https://another.example/feed")},
		{404, with("hub.topic", p.base+"/all.html")},
		{404, with("hub.topic", p.base+"/style.css")},
		{404, with("hub.topic", p.base+"/all.atom?x=1")},
		{404, with("hub.topic", "/all.atom")},
		{400, with("hub.callback", "")},
		{400, with("hub.callback", "ftp://reader.example/")},
		{400, with("hub.callback", "https://user:secret@reader.example/")},
		{400, with("hub.callback", "https://reader.example/#x")},
		{400, with("hub.callback", "//reader.example/")},
		{400, with("hub.callback", "https:///cb")},
		{400, with("hub.callback", "https://reader.example/\n")},
		{400, with("hub.callback", "https://reader.example/"+strings.Repeat("x", 2048))},
		{400, with("hub.secret", strings.Repeat("x", 200))},
		{400, with("hub.lease_seconds", "soon")},
		{400, with("hub.lease_seconds", "-1")},
		{400, with("hub.lease_seconds", "1.5")},
		{400, append(with(), "hub.topic", p.topic())},
		{400, append(with(), "hub.callback", "https://reader.example/other")},
		{400, append(with(), "hub.secret", "\xff")},
		{413, append(with(), "more", strings.Repeat("x", 17<<10))},
	} {
		if status, text := p.request(c.pairs...); status != c.status || !strings.HasSuffix(text, ".\n") {
			t.Errorf("%.200q: %d %s, want %d", c.pairs, status, text, c.status)
		}
	}
	if status, _ := p.post("application/json", `{}`); status != 415 {
		t.Errorf("JSON: %d", status)
	}
	if status, _ := p.post("application/x-www-form-urlencoded", "hub.mode=%zz"); status != 400 {
		t.Errorf("malformed: %d", status)
	}
	if resp, _ := ask(t, "GET", p.base+HubPath); resp.StatusCode != 405 || resp.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %d %v", resp.StatusCode, resp.Header)
	}
	if n := p.notices(); len(n) != 0 {
		t.Errorf("stored: %+v", n)
	}
}

// Leases are bounded, whatever is wished, and end.
func TestHubLeases(t *testing.T) {
	for wish, want := range map[string]time.Duration{
		"": defaultLease, "0": defaultLease, "1": minLease, "86400": 24 * time.Hour, "99999999": maxLease, strings.Repeat("9", 50): maxLease,
	} {
		if got, no := leaseOf(wish); got != want || no != nil {
			t.Errorf("%q: %v, %v, want %v", wish, got, no, want)
		}
	}
	p := newPress(t)
	r := newReader(t, p.world)
	p.subscribe(t, r, r.address)
	p.stop()
	p.change(func(n *notice) { n.Lease = time.Now().Add(-time.Second) })
	p.start()
	p.poll(in("1m"), "a", feedOf("a"), news("two", "https://a.example/2", "<p>two</p>"))
	p.print()
	quiet(t, r.came)
	if n := p.notices(); len(n) != 0 {
		t.Errorf("a lease that ended is still there: %+v", n)
	}
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

// What a subscriber does not take is tried again, the newest only; a restart forgets nothing, and 410 ends it.
func TestHubRetries(t *testing.T) {
	p := newPress(t)
	r := newReader(t, p.world)
	p.subscribe(t, r, r.address)
	r.set(echo, 503)
	p.poll(in("1m"), "a", feedOf("a"), news("two", "https://a.example/2", "<p>two</p>"))
	p.print()
	next(t, r.came)
	p.await(t, func() bool {
		n := p.notices()[0]
		return n.Failures == 1 && n.Owed.After(time.Now().Add(3*time.Second))
	})
	p.poll(in("2m"), "a", feedOf("a"), news("three", "https://a.example/3", "<p>three</p>"))
	p.print()
	quiet(t, r.came) // not yet
	if c := p.hub.Counts(); c.Failed != 1 || c.Owed != 1 {
		t.Errorf("counts %+v", c)
	}

	p.stop()
	p.change(func(n *notice) { n.Owed = time.Now() })
	r.set(echo, 200)
	p.start()
	p.print()
	if d := next(t, r.came); d.body != string(p.handler.Shown().Document("all.atom").Body) {
		t.Error("it is not the newest that is delivered")
	}
	quiet(t, r.came)
	p.await(t, func() bool { n := p.notices()[0]; return n.Failures == 0 && n.Owed.IsZero() })

	// What is new while the hub is away comes when it is back.
	p.stop()
	p.poll(in("3m"), "a", feedOf("a"), news("four", "https://a.example/4", "<p>four</p>"))
	p.start()
	p.print()
	next(t, r.came)

	// News that nobody takes for a day are given up; the subscription stays, and the next news are tried.
	p.await(t, func() bool { return p.notices()[0].Owed.IsZero() })
	r.set(echo, 500)
	p.poll(in("4m"), "a", feedOf("a"), news("five", "https://a.example/5", "<p>five</p>"))
	p.print()
	next(t, r.came)
	p.await(t, func() bool { return p.notices()[0].Failures == 1 })
	p.stop()
	p.change(func(n *notice) { n.Owed, n.Since = time.Now(), time.Now().Add(-25*time.Hour) })
	p.start()
	p.print()
	next(t, r.came)
	p.await(t, func() bool { n := p.notices()[0]; return n.Failures == 2 && n.Owed.IsZero() })
	if c := p.hub.Counts(); c.Dropped != 1 {
		t.Errorf("counts %+v", c)
	}
	r.set(echo, 410)
	p.poll(in("5m"), "a", feedOf("a"), news("six", "https://a.example/6", "<p>six</p>"))
	p.print()
	next(t, r.came)
	p.await(t, func() bool { return len(p.notices()) == 0 })
}

// Two publishers on one store tell each change once, and an older edition never follows a newer one.
func TestHubShared(t *testing.T) {
	p := newPress(t)
	r := newReader(t, p.world)
	p.subscribe(t, r, r.address)
	other := NewHub(hubOptions(p.world, p.base))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- other.Run(ctx) }()
	old := p.handler.Shown()
	for i := range 20 {
		p.poll(in("1m"), "a", feedOf("a"), news(fmt.Sprint(i), fmt.Sprint("https://a.example/n", i), "<p>x</p>"))
		e := p.edition(p.pub)
		p.hub.Announce(e)
		other.Announce(e)
		if d := next(t, r.came); d.body != string(e.Document("all.atom").Body) {
			t.Fatal("not this edition")
		}
		p.await(t, func() bool { return p.notices()[0].Owed.IsZero() })
	}
	other.Announce(old)
	quiet(t, r.came)
	if a, b := p.hub.Counts().Told, other.Counts().Told; a+b != 20 {
		t.Errorf("told %d and %d times", a, b)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A hub takes no more subscriptions than it can serve.
func TestHubFull(t *testing.T) {
	p := newPress(t)
	r := newReader(t, p.world)
	p.stop()
	for i := range hostShare {
		n := notice{Topic: p.topic(), Callback: fmt.Sprint(r.address, "/", i), Lease: time.Now().Add(time.Hour), Told: p.handler.Shown().Document("all.atom").News}
		if err := p.st.SetNote(t.Context(), "hub", fmt.Sprint(i), encodeNotice(&n)); err != nil {
			t.Fatal(err)
		}
	}
	p.start()
	p.print()
	p.await(t, func() bool { return p.hub.Counts().Receivers == hostShare })
	if status, _ := p.request("hub.mode", "subscribe", "hub.topic", p.topic(), "hub.callback", r.address+"/more"); status != http.StatusServiceUnavailable {
		t.Errorf("one more of this host: %d", status)
	}
	if status, _ := p.request("hub.mode", "subscribe", "hub.topic", p.topic(), "hub.callback", "http://127.0.0.1:1/"); status != http.StatusAccepted {
		t.Errorf("one of another host: %d", status)
	}
}

// An outside hub is told each changed address once, after a failure again, and by one-shots what is still owed.
func TestPings(t *testing.T) {
	w := newWorld(t)
	pings := make(chan string, 100)
	status := make(chan int, 100)
	hub := listen(t, w, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || r.PostForm.Get("hub.mode") != "publish" || len(r.PostForm["hub.url"]) != 1 {
			t.Errorf("%s %v %v", r.Method, r.PostForm, err)
		}
		select {
		case s := <-status:
			rw.WriteHeader(s)
		default:
			rw.WriteHeader(http.StatusNoContent)
		}
		pings <- r.PostForm.Get("hub.url")
	}))
	pub := publication([]Outlet{outlet("a"), outlet("b")}, Section{Slug: "a", From: []string{"a"}}, Section{Slug: "b", From: []string{"b"}})
	pub.Hub = hub
	once := func(failed int, want ...string) {
		t.Helper()
		p := w.publisher(pub) // as each one-shot has its own
		if _, err := p.Write(t.Context(), w.path+".files", w.st); err != nil {
			t.Fatal(err)
		}
		o := NewPings(hub, hubOptions(w, pub.BaseURL))
		o.Announce(p.Rendered())
		if err := o.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for range len(pings) {
			got[<-pings]++
		}
		for _, path := range want {
			got[pub.BaseURL+"/"+path]--
		}
		again := 0 // those that failed, whichever they were
		for path, n := range got {
			if again += n; n < 0 {
				t.Errorf("%s: not pinged", path)
			}
		}
		if again != failed {
			t.Errorf("%d pings too many, want %d", again, failed)
		}
	}
	w.poll(in("0s"), "a", feedOf("a"), news("one", "https://a.example/1", "<p>one</p>"))
	once(0, "a.atom", "a.rss", "a.json", "b.atom", "b.rss", "b.json")
	once(0)
	w.poll(in("1m"), "b", feedOf("b"), news("one", "https://b.example/1", "<p>one</p>"))
	for range 2 {
		status <- 500
	}
	once(2, "b.atom", "b.rss", "b.json") // two of them failed, and were tried again
	once(0)
	var owed []store.Note
	for n, err := range w.st.Notes(t.Context(), "ping "+hub) {
		if err != nil {
			t.Fatal(err)
		}
		if x := decodeNotice(t, n.Value); !x.Owed.IsZero() || x.Failures > 0 {
			owed = append(owed, n)
		}
	}
	if len(owed) > 0 {
		t.Errorf("owed: %s", owed)
	}
}

// Feeds name the hub in each format and in the header, static files in each format.
func TestHubAdvertised(t *testing.T) {
	p := newPress(t)
	hub := p.base + "/hub"
	for path, want := range map[string]string{
		"/all.atom": `<link rel="hub" href="` + hub + `"></link>`,
		"/all.rss":  `<atom:link rel="hub" href="` + hub + `"></atom:link>`,
		"/all.json": `"type": "WebSub",`,
	} {
		resp, body := ask(t, "GET", p.base+path)
		if got, self := resp.Header.Get("Link"), fmt.Sprintf(`<%s>; rel="hub", <%s%s>; rel="self"`, hub, p.base, path); got != self {
			t.Errorf("%s: Link %s, want %s", path, got, self)
		}
		if !strings.Contains(body, want) && !strings.Contains(body, strings.ReplaceAll(want, "></link>", "/>")) || !strings.Contains(body, hub) {
			t.Errorf("%s does not name the hub:\n%s", path, body[:min(len(body), 1500)])
		}
	}
	for _, path := range []string{"/all.html", "/", "/all.opml", "/style.css"} {
		if resp, _ := ask(t, "GET", p.base+path); resp.Header.Get("Link") != "" {
			t.Errorf("%s: Link %s", path, resp.Header.Get("Link"))
		}
	}
	pub := publication([]Outlet{outlet("a")}, Section{Slug: "all"})
	w := newWorld(t)
	for d := range w.edition(w.publisher(pub)).Documents() {
		if strings.Contains(string(d.Body), `"hub"`) || strings.Contains(string(d.Body), `"hubs"`) {
			t.Errorf("%s names a hub where there is none", d.Path)
		}
	}
}
