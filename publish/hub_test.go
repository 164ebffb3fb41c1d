package publish

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

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
	p.await(t, func() bool { c := p.hub.Counts(); return c.Told == 4 && c.Failed == 0 && c.Owed == 0 })
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
	p.await(t, func() bool { c := p.hub.Counts(); return c.Receivers == 1 && c.Failed == 0 })
}

// A hub that has ended promises nothing, as long as its server still answers: a reload lets another one take its place.
func TestHubHasEnded(t *testing.T) {
	p := newPress(t)
	r := newReader(t, p.world)
	p.stop()
	if status, text := p.request("hub.mode", "subscribe", "hub.topic", p.topic(), "hub.callback", r.address); status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", status, text)
	}
	quiet(t, r.asked)
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
