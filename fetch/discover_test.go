package fetch

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const pageWithFeeds = `<!DOCTYPE html><html lang="en-GB"><head><title>The Daily &amp; Sunday
 Test</title><base href="/news/">
<script>document.write('<link rel="alternate" type="application/rss+xml" href="/script.rss">')</script>
<link rel="stylesheet" type="text/css" href="style.css">
<LINK REL="Alternate feed" TYPE="application/rss+xml; charset=utf-8" TITLE="All &lt;news>" HREF="all.rss">
<link rel=alternate type=application/atom+xml href=//other.example/a.atom>
<link rel="alternate" type="application/feed+json" href="/feed.json#x">
<link rel="alternate" type="application/rss+xml" href="javascript:alert(1)">
<link rel="alternate" type="application/rss+xml" href="/news/all.rss">
<link rel="alternate" hreflang="fa" type="text/html" href="/fa">
</head><body><p>Hello</body></html>`

// discover looks at a page of a server on loopback.
func discover(t *testing.T, address string, allow ...netip.Prefix) (*Page, error) {
	t.Helper()
	s := testSettings()
	c := NewClient(s, nil)
	defer c.Close()
	return c.Discover(t.Context(), &s, discard, address, allow)
}

func paths(r *recorder) string {
	var all []string
	for _, a := range r.asked() {
		all = append(all, a.URL.RequestURI())
	}
	return strings.Join(all, " ")
}

func TestDiscover(t *testing.T) {
	r := record(t, func(w http.ResponseWriter, req *http.Request) {
		switch req.URL.Path {
		case "/robots.txt":
			http.NotFound(w, req)
		case "/":
			http.Redirect(w, req, "/home?x=1", http.StatusFound)
		case "/home":
			fmt.Fprint(w, pageWithFeeds)
		case "/feed":
			fmt.Fprint(w, smallFeed)
		case "/plain":
			fmt.Fprint(w, "<!doctype html><title>Nothing</title>")
		}
	})
	p, err := discover(t, r.URL+"#part", loopback...)
	if err != nil {
		t.Fatal(err)
	}
	want := []PageFeed{{r.URL + "/news/all.rss", "All <news>"}, {"http://other.example/a.atom", ""}, {r.URL + "/feed.json", ""}}
	if !slices.Equal(p.Feeds, want) || p.Title != "The Daily & Sunday Test" || p.Language != "en-GB" || p.Address != r.URL+"/home?x=1" {
		t.Errorf("%+v, want the feeds %+v", p, want)
	}
	if got := paths(r); got != "/robots.txt / /home?x=1" {
		t.Errorf("asked for %s; want robots.txt once, and first", got)
	}
	for _, a := range r.asked() {
		if ua := a.Header.Get("User-Agent"); ua != testSettings().UserAgent || a.Header.Get("Referer") != "" || a.Header.Get("Cookie") != "" {
			t.Errorf("%s: %v", a.URL, a.Header)
		}
	}

	p, err = discover(t, r.URL+"/feed", loopback...)
	if err != nil || len(p.Feeds) != 1 || p.Feeds[0] != (PageFeed{r.URL + "/feed", "Small"}) || p.Title != "Small" || p.Address != "http://example.com/" {
		t.Errorf("a feed: %+v, %v", p, err)
	}
	if p, err = discover(t, r.URL+"/plain", loopback...); err != nil || len(p.Feeds) != 0 || p.Title != "Nothing" {
		t.Errorf("a page without feeds: %+v, %v", p, err)
	}
	if _, err = discover(t, r.URL+"/plain"); err == nil || !strings.Contains(err.Error(), "refused to connect to 127.0.0.1") {
		t.Errorf("an address that is not public: %v", err)
	}
	for _, address := range []string{"", "example.org", "ftp://example.org/", "file:///etc/passwd", "http://me:secret@example.org/", "http://"} {
		if _, err = discover(t, address); err == nil {
			t.Errorf("%q is taken for an address", address)
		}
	}
}

// robots.txt is obeyed for pages, also for those that a page redirects to; one that cannot be read forbids all.
func TestDiscoverObeysRobots(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		page   string
		err    string
	}{
		{200, "User-agent: *\nDisallow: /", "/home", "robots.txt forbids /home"},
		{200, "User-agent: Broadsheet\nDisallow: /home?x", "/home?x=1", "forbids /home?x=1"},
		{200, "User-agent: Broadsheet\nDisallow: /home?x", "/home", ""},
		{200, "User-agent: Broadsheet\nAllow: /\n\nUser-agent: *\nDisallow: /", "/home", ""},
		{200, "User-agent: *\nDisallow: /home", "/moved", "forbids /home"},
		{404, "User-agent: *\nDisallow: /", "/home", ""},
		{403, "", "/home", ""},
		{500, "", "/home", "cannot be read"},
		{503, "", "/home", "cannot be read"},
		{429, "", "/home", "cannot be read"},
		{302, "", "/home", "robots.txt forbids /home"},
	} {
		r := record(t, func(w http.ResponseWriter, req *http.Request) {
			switch req.URL.Path {
			case "/robots.txt":
				if c.status == 302 {
					http.Redirect(w, req, "/robots2.txt", http.StatusFound)
					return
				}
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			case "/robots2.txt":
				fmt.Fprint(w, "User-agent: *\nDisallow: /")
			case "/moved":
				http.Redirect(w, req, "/home", http.StatusMovedPermanently)
			default:
				fmt.Fprint(w, pageWithFeeds)
			}
		})
		p, err := discover(t, r.URL+c.page, loopback...)
		switch {
		case c.err == "":
			if err != nil || len(p.Feeds) != 3 {
				t.Errorf("%+v: %v", c, err)
			}
		case err == nil || !strings.Contains(err.Error(), c.err):
			t.Errorf("%+v: %v", c, err)
		case strings.Contains(paths(r), "/home"):
			t.Errorf("%+v: asked for %s", c, paths(r))
		}
	}
}

// Neither a page nor a robots.txt leads into a private network.
func TestDiscoverIsGuarded(t *testing.T) {
	bell := newAlarm(t, "127.0.0.2:0")
	for _, path := range []string{"/robots.txt", "/home"} {
		r := record(t, func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path == path {
				http.Redirect(w, req, "http://127.0.0.2/", http.StatusFound)
			} else if req.URL.Path == "/robots.txt" {
				http.NotFound(w, req)
			}
		})
		if _, err := discover(t, r.URL+"/home", loopback...); err == nil || !strings.Contains(err.Error(), "refused to connect to 127.0.0.2") {
			t.Errorf("%s redirects to 127.0.0.2: %v", path, err)
		}
	}
	if bell.rung.Load() > 0 {
		t.Error("a connection came through")
	}
}

// Between two requests to a host lies its pause.
func TestDiscoverKeepsItsDistance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &fakeNet{answer: func(r *http.Request) *http.Response {
			switch r.URL.Path {
			case "/robots.txt":
				return response(404, "", nil)
			case "/":
				return response(301, "", http.Header{"Location": {"https://www.a.example/"}})
			}
			return nil
		}}
		s := testSettings()
		s.HostGap, s.Timeout = 2*time.Second, time.Minute
		c := NewClient(s, net)
		began := time.Now()
		c.Discover(t.Context(), &s, discard, "https://a.example/feed", nil)
		if took := time.Since(began); took != 2*time.Second || net.count("a.example") != 2 {
			t.Errorf("%d requests took %v", net.count("a.example"), took)
		}
	})
}
