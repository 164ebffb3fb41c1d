package fetch

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
)

// Discovery, as websub.rocks tests it: 100 the header, 102 Atom, 103 RSS, 104 the header before the document, 200 another
// rel=self, 201 and 202 redirects; and JSON Feed. 101 is about HTML pages, which are not polled.
func TestHubDiscovery(t *testing.T) {
	const (
		atomDoc = `<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title><id>urn:x</id>%s<entry><id>urn:1</id><title>One</title><link rel="hub" href="https://entry.example/"/></entry></feed>`
		rssDoc  = `<rss version="2.0" xmlns:a="http://www.w3.org/2005/Atom"><channel><title>x</title>%s<item><title>One</title><a:link rel="hub" href="https://item.example/"/></item></channel></rss>`
		jsonDoc = `{"version":"https://jsonfeed.org/version/1.1","title":"x",%s"items":[{"id":"1","content_text":"x"}]}`
	)
	doc := func(format, links string) string { return fmt.Sprintf(format, links) }
	for name, c := range map[string]struct {
		links []string // header fields
		body  string
		hubs  []string
		topic string
	}{
		"100": {[]string{`<https://hub.example/>; rel="hub"`, `<https://x.example/self>; rel="self"`}, doc(atomDoc, ""), []string{"https://hub.example/"}, "https://x.example/self"},
		"in one field": {[]string{`<https://x.example/a,b;c>; title="a \"quoted\", <text>; rel=hub"; rel=self , </hub>;rel="other HUB"; rel="self"`},
			doc(rssDoc, ""), []string{"http://HOST/hub"}, "https://x.example/a,b;c"},
		"102":          {nil, doc(atomDoc, `<link rel="self" href="https://x.example/self"/><link rel="hub" href="https://hub.example/"/>`), []string{"https://hub.example/"}, "https://x.example/self"},
		"103":          {nil, doc(rssDoc, `<a:link rel="hub" href="https://hub.example/"/><a:link rel="self" href="https://x.example/self"/>`), []string{"https://hub.example/"}, "https://x.example/self"},
		"104":          {[]string{`<https://right.example/>; rel=hub, <https://x.example/right>; rel=self`}, doc(rssDoc, `<a:link rel="hub" href="https://wrong.example/"/><a:link rel="self" href="https://x.example/wrong"/>`), []string{"https://right.example/"}, "https://x.example/right"},
		"JSON Feed":    {nil, doc(jsonDoc, `"feed_url":"https://x.example/self","hubs":[{"type":"rssCloud","url":"https://no.example/"},{"type":"WebSub","url":"https://hub.example/"}],`), []string{"https://hub.example/"}, "https://x.example/self"},
		"several":      {nil, doc(atomDoc, `<link rel="hub" href="http://one.example/"/><link rel="hub" href="https://two.example/"/><link rel="self" href="/self"/><link rel="hub" href="http://one.example/"/>`), []string{"https://two.example/", "http://one.example/"}, "http://HOST/self"},
		"no self":      {nil, doc(atomDoc, `<link rel="hub" href="https://hub.example/"/>`), nil, ""},
		"no hub":       {nil, doc(atomDoc, `<link rel="self" href="https://x.example/self"/>`), nil, "https://x.example/self"},
		"odd":          {nil, doc(rssDoc, `<a:link rel="hub" href="file:///etc/passwd"/><a:link rel="hub" href="https://u:p@hub.example/"/><a:link rel="self" href="https://x.example/self"/>`), nil, "https://x.example/self"},
		"broken field": {[]string{`<https://hub.example/; rel=hub`, `>>;;,,<`, `<>; rel="hub`}, doc(atomDoc, ""), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := record(t, func(w http.ResponseWriter, r *http.Request) {
				for _, l := range c.links {
					w.Header().Add("Link", l)
				}
				io.WriteString(w, c.body)
			})
			p := visit(t, r.URL, store.FeedState{}, nil)
			host := strings.TrimPrefix(r.URL, "http://")
			var hubs []string
			for _, h := range c.hubs {
				hubs = append(hubs, strings.ReplaceAll(h, "HOST", host))
			}
			if p.State.Err != "" || !slices.Equal(p.State.Hubs, hubs) || p.State.Topic != strings.ReplaceAll(c.topic, "HOST", host) {
				t.Errorf("hubs %q of topic %q (%s); want %q of %q", p.State.Hubs, p.State.Topic, p.State.Err, hubs, c.topic)
			}
		})
	}
	for _, status := range []int{301, 302} { // 201, 202: of the address that answers
		mux := http.NewServeMux()
		r := record(t, mux.ServeHTTP)
		mux.HandleFunc("/old", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/new", status) })
		mux.HandleFunc("/new", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, doc(atomDoc, `<link rel="self" href="/new"/><link rel="hub" href="/hub"/>`))
		})
		if p := visit(t, r.URL+"/old", store.FeedState{}, nil); p.State.Topic != r.URL+"/new" || !slices.Equal(p.State.Hubs, []string{r.URL + "/hub"}) {
			t.Errorf("%d: %q, %q", status, p.State.Topic, p.State.Hubs)
		}
	}
	// A topic with a secret in it stays with us.
	r := record(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, doc(atomDoc, `<link rel="self" href="https://x.example/self?key=s3cret"/><link rel="hub" href="https://hub.example/"/>`))
	})
	p := visit(t, r.URL+"/?key=s3cret", store.FeedState{}, func(f *Feed, _ *Settings) { f.URL, f.Secrets = r.URL+"/?key=${KEY}", []string{"s3cret"} })
	if p.State.Topic != "" || p.State.Hubs != nil {
		t.Errorf("a secret leaves: %q, %q", p.State.Topic, p.State.Hubs)
	}
}

// The tests of websub.rocks for subscribers from 205 on, and what follows from a subscription for the polls.
func TestSubscriber(t *testing.T) {
	onStage(t, func(t *testing.T, g *stage) {
		ask := g.subscribed()
		callback, secret := ask.Get("hub.callback"), ask.Get("hub.secret")
		if ask.Get("hub.mode") != "subscribe" || ask.Get("hub.topic") != stageTopic || ask.Get("hub.lease_seconds") != "864000" ||
			!strings.HasPrefix(callback, stageBase+"/websub/") || len(callback) < len(stageBase)+25 || len(secret) < 40 || len(secret) >= 200 {
			t.Fatalf("request %v", ask)
		}
		if code, _ := g.call(http.MethodPost, callback, nil, g.document(nil)); code != 404 {
			t.Errorf("a push before verification: %d", code)
		}
		// 205, and its like
		for _, q := range [][2]string{{"subscribe", "https://another.example/"}, {"subscribe", ""}, {"unsubscribe", stageTopic}, {"", stageTopic}, {"publish", stageTopic}} {
			if code, body := g.verify(callback, q[0], q[1], "100"); code != 404 || body != "" {
				t.Errorf("%q was agreed to: %d %q", q, code, body)
			}
		}
		if code, _ := g.verify(stageBase+"/websub/AAAAAAAAAAAAAAAAAAAAAAAAAA", "subscribe", stageTopic, "100"); code != 404 {
			t.Errorf("an unknown callback: %d", code)
		}
		if d := g.due(); d.Reason != "schedule" {
			t.Errorf("before verification: %q", d.Reason)
		}
		g.accept(ask, "864000")
		if code, body := g.verify(callback, "subscribe", stageTopic, "864000"); code != 200 || body != "ch4llenge" {
			t.Errorf("the hub, which has not heard us, asks again: %d %q", code, body)
		}
		d, polled := g.due(), g.net.count("outlet.example")
		if d.At.Sub(g.state().LastPoll) != 24*time.Hour || !strings.HasPrefix(d.Reason, "pushed by hub.example until ") || !strings.HasSuffix(d.Reason, "; safety poll every 24 h") {
			t.Errorf("next poll in %v: %q", d.At.Sub(g.state().LastPoll), d.Reason)
		}
		if polled != 1 {
			t.Errorf("%d polls", polled)
		}

		// 300: taken in, whatever the method of the signature; and nothing but items changes.
		before := g.state()
		g.publish("two")
		for method, h := range map[string]func() hash.Hash{"sha1": sha1.New, "SHA256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New} {
			body := g.document([]string{method, "two"})
			if code, _ := g.call(http.MethodPost, callback, sign(method, h, secret, body), body); code != 202 {
				t.Errorf("%s: %d", method, code)
			}
			g.settle()
			if got := g.titles(); got[0] != method {
				t.Errorf("%s: %q", method, got)
			}
		}
		after := g.state()
		if got := after.Push.Last; got.IsZero() || after.Items != 6 || g.saved.Load() != 5 {
			t.Errorf("%+v, %d items, %d times saved", after.Push, after.Items, g.saved.Load())
		}
		after.Push.Last, after.Items, after.LastNewItem, after.History, after.Saves = before.Push.Last, before.Items, before.LastNewItem, before.History, before.Saves
		if a, b := fmt.Sprintf("%+v", after), fmt.Sprintf("%+v", before); a != b {
			t.Errorf("a push changed the feed's state:\n%s\n%s", b, a)
		}

		// 301, 302: the hub does not learn of it.
		body := g.document([]string{"forged"})
		for _, h := range []http.Header{nil, {"X-Hub-Signature": {"sha256="}}, {"X-Hub-Signature": {"md5=00"}}, {"X-Hub-Signature": {"sha256"}},
			sign("sha256", sha256.New, "another", body), sign("sha256", sha256.New, secret, body+" "), sign("sha1", sha256.New, secret, body)} {
			if code, _ := g.call(http.MethodPost, callback, h, body); code != 202 {
				t.Errorf("%v: %d", h, code)
			}
		}
		g.settle()
		if got := g.titles(); slices.Contains(got, "forged") {
			t.Errorf("a forged push was taken in: %q", got)
		}
		if c := g.sub.Counts(); c.Subscriptions != 1 || c.Pushes != 4 || c.Items != 5 || c.Refused != 7 {
			t.Errorf("counts %+v", c)
		}
		if code, _ := g.call(http.MethodPut, callback, nil, ""); code != 405 {
			t.Errorf("PUT: %d", code)
		}

		// The first poll by a process that was away comes at its usual time; then one a day makes sure.
		time.Sleep(25 * time.Hour)
		if n := g.net.count("outlet.example"); n != 2 {
			t.Errorf("%d polls in a day, want 2", n)
		}
		time.Sleep(3 * 24 * time.Hour)
		if n := g.net.count("outlet.example"); n != 5 {
			t.Errorf("%d polls in four days, want 5", n)
		}
		if asks := g.asked(); len(asks) != 0 {
			t.Errorf("asked without need: %v", asks)
		}
		again := g.awaited(6 * 24 * time.Hour) // 90 % of the lease are over before that
		if again.Get("hub.callback") == callback || again.Get("hub.secret") == secret || again.Get("hub.topic") != stageTopic {
			t.Errorf("renewal %v", again)
		}
		if code := g.push(ask, "during the renewal"); code != 202 || g.titles()[0] != "during the renewal" {
			t.Errorf("the old callback, while the new one is not verified: %d", code)
		}
		g.accept(again, "864000")
		if code := g.push(ask, "late"); code != http.StatusGone {
			t.Errorf("the old callback: %d", code)
		}
		if code := g.push(again, "renewed"); code != 202 || g.titles()[0] != "renewed" {
			t.Errorf("the new callback: %d, %q", code, g.titles())
		}
		// Secrets and callbacks are in notes only.
		state, err := json.Marshal(g.state())
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{secret, again.Get("hub.secret"), callback[len(callback)-26:], again.Get("hub.callback")[len(callback)-26:]} {
			if strings.Contains(g.log.String(), secret) || bytes.Contains(state, []byte(secret)) {
				t.Errorf("%s is told", secret)
			}
		}
	})
}

// A hub that refuses, does not verify, denies or keeps something back is not relied upon, and is asked again later.
func TestHubsThatFail(t *testing.T) {
	hourly := func(t *testing.T, g *stage, reason string) {
		t.Helper()
		n := g.net.count("outlet.example")
		time.Sleep(10*time.Hour + 5*time.Minute)
		if n = g.net.count("outlet.example") - n; n < 9 || n > 10 {
			t.Errorf("%d polls in ten hours", n)
		}
		if d := g.due(); !strings.Contains(d.Reason, reason) {
			t.Errorf("reason %q, want %q", d.Reason, reason)
		}
	}
	t.Run("refuses", func(t *testing.T) {
		onStage(t, func(t *testing.T, g *stage) {
			g.subscribed()
			g.mu.Lock()
			g.status = 500
			g.mu.Unlock()
			time.Sleep(20 * time.Minute) // it has accepted first, and not verified
			if n := len(g.asked()); n < 1 || n > 4 {
				t.Errorf("%d requests in 20 minutes", n)
			}
			hourly(t, g, "; no push from hub.example: it said 500 Internal Server Error: because")
			if n := len(g.asked()); n < 3 || n > 6 {
				t.Errorf("%d requests in ten hours", n)
			}
			g.mu.Lock()
			g.status = 202
			g.mu.Unlock()
			time.Sleep(15 * time.Hour)
			asks := g.asked()
			if len(asks) == 0 {
				t.Fatal("given up")
			}
		})
	})
	t.Run("does not verify", func(t *testing.T) {
		onStage(t, func(t *testing.T, g *stage) {
			first := g.subscribed()
			hourly(t, g, "; no push from hub.example: it accepted the subscription and did not verify it within 10 min")
			if code, _ := g.verify(first.Get("hub.callback"), "subscribe", stageTopic, "1000"); code != 404 {
				t.Errorf("verified much too late: %d", code)
			}
			asks := g.asked()
			if len(asks) < 4 || len(asks) > 9 {
				t.Errorf("%d requests in ten hours", len(asks))
			}
		})
	})
	t.Run("denies", func(t *testing.T) {
		onStage(t, func(t *testing.T, g *stage) {
			ask := g.subscribed()
			g.accept(ask, "864000")
			if code, _ := g.verify(ask.Get("hub.callback"), "denied", "https://another.example/", ""); code != 404 {
				t.Errorf("denied for another topic: %d", code)
			}
			if code, body := g.verify(ask.Get("hub.callback"), "denied", stageTopic, ""); code != 200 || body != "" {
				t.Errorf("denied: %d %q", code, body)
			}
			if code := g.push(ask, "denied"); code != http.StatusGone {
				t.Errorf("a push after that: %d", code)
			}
			hourly(t, g, "; no push from hub.example: denied: no more")
			if asks := g.asked(); len(asks) != 0 {
				t.Errorf("asked again within hours: %v", asks)
			}
			g.accept(g.awaited(24*time.Hour), "864000")
		})
	})
	t.Run("keeps something back", func(t *testing.T) {
		onStage(t, func(t *testing.T, g *stage) {
			ask := g.subscribed()
			g.accept(ask, "864000")
			time.Sleep(2 * time.Hour)
			g.publish("two")
			time.Sleep(24 * time.Hour)
			if got := g.titles(); got[0] != "two" {
				t.Fatalf("the safety poll found %q", got)
			}
			hourly(t, g, "; hub.example did not push what the last poll found")
			g.publish("three")
			if code := g.push(ask, "three"); code != 202 {
				t.Error(code)
			}
			if d := g.due(); !strings.HasPrefix(d.Reason, "pushed by hub.example") {
				t.Errorf("pushed again: %q", d.Reason)
			}
		})
	})
	t.Run("lets the lease end", func(t *testing.T) {
		onStage(t, func(t *testing.T, g *stage) {
			g.accept(g.subscribed(), "7200")
			g.mu.Lock()
			g.status = 404
			g.mu.Unlock()
			time.Sleep(2*time.Hour + time.Minute)
			hourly(t, g, "; no push from hub.example: it said 404 Not Found")
			if c := g.sub.Counts(); c.Subscriptions != 0 {
				t.Errorf("counts %+v", c)
			}
		})
	})
	t.Run("is not the only one", func(t *testing.T) {
		onStage(t, func(t *testing.T, g *stage) {
			g.mu.Lock()
			g.hubs, g.status = "https://second.example/ "+stageHub, 500
			g.mu.Unlock()
			g.asked()
			time.Sleep(3 * time.Hour)
			at := map[string]bool{}
			for _, ask := range g.asked() {
				at[ask.Get("at")] = true
			}
			if len(at) != 2 {
				t.Errorf("asked %v", at)
			}
		})
	})
}

// 203, 204: a hub may send us to another one, by 307 and 308.
func TestHubRedirects(t *testing.T) {
	for status, follow := range map[int]bool{307: true, 308: true, 302: false, 301: false} {
		onStage(t, func(t *testing.T, g *stage) {
			g.stop()
			for n, err := range g.st.Notes(t.Context(), noteWebSub) {
				if err != nil {
					t.Fatal(err)
				}
				if err := g.st.SetNote(t.Context(), noteWebSub, n.Key, nil); err != nil {
					t.Fatal(err)
				}
			}
			g.asked()
			g.mu.Lock()
			g.status, g.where = status, "https://other.example/hub"
			g.mu.Unlock()
			g.begin()
			asks := g.asked()
			if got := len(asks) == 2; got != follow {
				t.Fatalf("%d: %v", status, asks)
			}
			if follow {
				if asks[1].Get("at") != "https://other.example/hub" || asks[0].Get("hub.callback") != asks[1].Get("hub.callback") {
					t.Errorf("%d: %v", status, asks)
				}
				g.accept(asks[1], "1000")
			}
		})
	}
}

// Subscriptions outlive the process; what was pushed in vain meanwhile is polled at the usual time.
func TestSubscriptionsSurvive(t *testing.T) {
	onStage(t, func(t *testing.T, g *stage) {
		ask := g.subscribed()
		g.accept(ask, "864000")
		g.push(ask, "two")
		g.stop()
		if err := g.st.Close(); err != nil {
			t.Fatal(err)
		}
		g.publish("three")
		time.Sleep(2 * time.Hour)
		g.st = openStore(t, g.path)
		g.begin()
		if asks := g.asked(); len(asks) != 0 {
			t.Errorf("subscribed again: %v", asks)
		}
		if n, got := g.net.count("outlet.example"), g.titles(); n != 2 || got[0] != "three" {
			t.Errorf("%d polls, %q", n, got)
		}
		if code := g.push(ask, "four"); code != 202 || g.titles()[0] != "four" {
			t.Errorf("%d, %q", code, g.titles())
		}

		// A feed that may not be pushed any more is unsubscribed.
		g.feed.WebSub = false
		if err := g.s.Reload(testSettings(), []Feed{g.feed}); err != nil {
			t.Fatal(err)
		}
		g.settle()
		leave := g.subscribed()
		if leave.Get("hub.mode") != "unsubscribe" || leave.Get("hub.callback") != ask.Get("hub.callback") || leave.Has("hub.secret") {
			t.Errorf("%v", leave)
		}
		if code := g.push(ask, "five"); code != http.StatusGone {
			t.Errorf("a push after that: %d", code)
		}
		g.accept(leave, "")
		if c := g.sub.Counts(); c.Subscriptions != 0 {
			t.Errorf("counts %+v", c)
		}
		for n := range g.st.Notes(t.Context(), noteWebSub) {
			t.Errorf("a note is left: %s", n.Value)
		}
		if d := g.due(); d.Reason != "schedule" {
			t.Errorf("reason %q", d.Reason)
		}
	})
}

// Another base URL moves the subscriptions there.
func TestSubscriberMoves(t *testing.T) {
	onStage(t, func(t *testing.T, g *stage) {
		ask := g.subscribed()
		g.accept(ask, "864000")
		g.sub.SetBase("https://moved.example/")
		g.settle()
		if got := g.subscribed().Get("hub.callback"); !strings.HasPrefix(got, "https://moved.example/websub/") {
			t.Errorf("callback %s", got)
		}
		if code := g.push(ask, "two"); code != 202 {
			t.Errorf("the old one, meanwhile: %d", code)
		}
	})
}

// What hubs send is bounded.
func TestPushBounds(t *testing.T) {
	onStage(t, func(t *testing.T, g *stage) {
		ask := g.subscribed()
		g.accept(ask, "864000")
		post := func(body string) int {
			code, _ := g.call(http.MethodPost, ask.Get("hub.callback"), sign("sha256", sha256.New, ask.Get("hub.secret"), body), body)
			return code
		}
		if code := post(strings.Repeat("x", maxPush+1)); code != http.StatusRequestEntityTooLarge {
			t.Errorf("too long: %d", code)
		}
		for _, body := range []string{"", "no feed", "<html><body>page</body></html>", `<feed xmlns="http://www.w3.org/2005/Atom">`, `<!DOCTYPE x [<!ENTITY a "b">]><feed>&a;`} {
			if code := post(body); code != 202 {
				t.Errorf("%q: %d", body, code)
			}
		}
		if got := g.titles(); len(got) != 1 {
			t.Errorf("items %q", got)
		}
		n := 0
		for ; post(g.document([]string{"again"})) == 202; n++ {
			if n > 2*pushBurst {
				t.Fatal("no bound")
			}
		}
		if n < pushBurst-8 {
			t.Errorf("after %d pushes: %d", n, post(""))
		}
		time.Sleep(4 * pushEvery)
		if code := post(g.document([]string{"later"})); code != 202 {
			t.Errorf("later: %d", code)
		}
		g.settle()
		if g.titles()[0] != "later" {
			t.Errorf("items %q", g.titles())
		}
	})
}

// A hub gets a secret if nobody on the way hears it.
func TestHubSecrets(t *testing.T) {
	h := held{feed: Feed{Address: "http://10.1.2.3/feed", AllowPrivate: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}}
	for hub, want := range map[string]bool{
		"https://hub.example/": true, "http://hub.example/": false, "http://10.1.2.3:8080/hub": true, "http://10.1.2.4/hub": false, "http://10.2.0.1/": false, "%": false,
	} {
		if got := h.signed(hub); got != want {
			t.Errorf("%s: %v", hub, got)
		}
	}
}

// Others may send us to public addresses only, and to few ports; an outlet in a private network to its own host.
func TestVisitsAreGuarded(t *testing.T) {
	met := record(t, func(http.ResponseWriter, *http.Request) {})
	c := NewClient(testSettings(), nil)
	defer c.Close()
	request := func(address string, allow []netip.Prefix) error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Visit(req, allow)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := request(met.URL, nil); err == nil || !strings.Contains(err.Error(), "not a public address") || len(met.asked()) != 0 {
		t.Errorf("a private address: %v", err)
	}
	if err := request(met.URL, loopback); err != nil || len(met.asked()) != 1 {
		t.Errorf("a permitted one: %v", err)
	}
	for port, want := range map[string]bool{"80": true, "443": true, "8080": true, "22": false, "6379": false, "8443": false} {
		p := policy{ports: " 80 443 8080 "}
		if err := p.control("tcp4", "8.8.8.8:"+port, nil); (err == nil) != want {
			t.Errorf("port %s: %v", port, err)
		}
	}
	f := Feed{Address: "http://outlet.example:81/feed", AllowPrivate: loopback}
	for hub, want := range map[string]bool{"http://outlet.example/hub": true, "http://OUTLET.example:9/": true, "http://hub.example/": false} {
		if u, err := url.Parse(hub); err != nil || (f.allowedFor(u) != nil) != want {
			t.Errorf("%s: %v", hub, err)
		}
	}
}
