package publish

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// listen serves h on a real listener and returns its address.
func listen(t *testing.T, w *world, h http.Handler) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(h, w.log)
	s.ErrorLog = nil // what clients do wrong here is meant
	done := make(chan error)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

// ask sends a request with these headers, "name: value" each, as it is: nothing is unpacked or followed.
func ask(t *testing.T, method, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	c := http.Client{
		Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestServer(t *testing.T) {
	w := newWorld(t)
	w.poll(in("0s"), "a", feedOf("a"), news("one", "https://a.example/1", strings.Repeat("<p>text</p>", 200)))
	polled := outlet("a", func(o *Outlet) { o.Feeds[0].Interval = 20 * time.Minute })
	p := w.publisher(publication([]Outlet{polled}, Section{Slug: "all"}))
	h := NewHandler("https://paper.example/news")
	base := listen(t, w, h)
	if resp, _ := ask(t, "GET", base+"/all.atom"); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("before the first edition: %d", resp.StatusCode)
	}
	e := w.edition(p)
	h.Show(e)

	types := map[string]string{
		"/": "text/html; charset=utf-8", "/index.html": "text/html; charset=utf-8", "/all": "text/html; charset=utf-8", "/all.html": "text/html; charset=utf-8",
		"/all.rss": "application/rss+xml; charset=utf-8", "/all.atom": "application/atom+xml; charset=utf-8", "/all.json": "application/feed+json", "/all.opml": "text/x-opml; charset=utf-8",
		"/outlets.opml": "text/x-opml; charset=utf-8", "/sections.opml": "text/x-opml; charset=utf-8", "/style.css": "text/css; charset=utf-8", "/feed.css": "text/css; charset=utf-8", "/icon.png": "image/png", "/favicon.png": "image/png", "/404.html": "text/html; charset=utf-8",
	}
	for path, want := range types {
		for _, prefix := range []string{"", "/news"} {
			resp, body := ask(t, "GET", base+prefix+path+"?utm_source=x")
			d := e.at(path, nil).document
			if resp.StatusCode != 200 || body != string(d.Body) || resp.Header.Get("Content-Type") != want {
				t.Errorf("%s: %d %s", prefix+path, resp.StatusCode, resp.Header.Get("Content-Type"))
			}
			for name, value := range map[string]string{
				"ETag": d.ETag, "Last-Modified": d.Modified.Format(http.TimeFormat), "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff",
				"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "ETag, Last-Modified",
			} {
				if got := resp.Header.Get(name); got != value {
					t.Errorf("%s: %s: %q, want %q", path, name, got, value)
				}
			}
			policy := "default-src 'none'; img-src http: https:; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
			if !strings.HasPrefix(want, "text/html") && !strings.HasPrefix(want, "text/css") {
				policy = "default-src 'none'; style-src 'self'; sandbox"
			}
			if resp.ContentLength != int64(len(d.Body)) || resp.Header.Get("Content-Security-Policy") != policy {
				t.Errorf("%s: %v", path, resp.Header)
			}
			age := resp.Header.Get("Cache-Control")
			if path != "/all" && !strings.HasPrefix(path, "/all.") {
				age = strings.Replace(age, "900", "300", 2) // of what no poll changes
			}
			if age != "public, max-age=300, stale-while-revalidate=300, stale-if-error=86400" {
				t.Errorf("%s: %s", path, age)
			}
		}
	}
	for _, path := range []string{"/none", "/all.xml", "/all/", "/index", "/../etc/passwd", "/%2e%2e/x", "/style", "//all", "/all.html.html", "/ALL", "/<script>alert(1)</script>", "/x.<script>"} {
		resp, body := ask(t, "GET", base+path)
		want := "text/plain; charset=utf-8"
		if !strings.Contains(path, ".") || strings.HasSuffix(path, "passwd") || strings.HasSuffix(path, ".html") {
			want = typeHTML
		}
		if resp.StatusCode != 404 || resp.Header.Get("Content-Type") != want || strings.Contains(body, `"`+path+`"`) || strings.Contains(body, "script") ||
			resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %s %q", path, resp.StatusCode, resp.Header.Get("Content-Type"), body)
		}
		if resp, body := ask(t, "HEAD", base+path); resp.StatusCode != 404 || body != "" {
			t.Errorf("HEAD %s: %d %q", path, resp.StatusCode, body)
		}
	}
	if resp, _ := ask(t, "GET", base+"/news?x=1"); resp.StatusCode != 308 || resp.Header.Get("Location") != "/news/?x=1" {
		t.Errorf("/news: %d %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	for _, path := range []string{"/news/news", "/news/news.html", "/news.html"} { // a section of that name
		named := NewHandler("https://paper.example/news")
		named.Show(w.edition(w.publisher(publication([]Outlet{outlet("a")}, Section{Slug: "news"}))))
		if resp, body := ask(t, "GET", listen(t, w, Under("https://paper.example/news", named))+path); resp.StatusCode != 200 || !strings.Contains(body, "Section news") {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	// A window of a browser is told that a feed is XML, so that it shows it; nobody else is.
	for path, want := range map[string]string{"/all.rss": typeXML, "/all.atom": typeXML, "/all.json": typeJSON, "/all": typeHTML} {
		for _, window := range []string{"Sec-Fetch-Dest: document", "Upgrade-Insecure-Requests: 1"} { // what a browser says over https, and over http
			resp, body := ask(t, "GET", base+path, window, "Accept: text/html,*/*;q=0.1")
			if resp.Header.Get("Content-Type") != want || body != string(e.at(path, nil).document.Body) || want == typeXML != strings.HasPrefix(resp.Header.Get("Cache-Control"), "private") {
				t.Errorf("%s in a window: %v", path, resp.Header)
			}
		}
		for _, dest := range []string{"Sec-Fetch-Dest: empty", "Accept: text/html"} {
			if resp, _ := ask(t, "GET", base+path, dest, "Upgrade-Insecure-Requests: "+map[bool]string{true: "1"}[strings.HasPrefix(dest, "Sec")]); resp.Header.Get("Content-Type") != types[path] {
				t.Errorf("%s, %s: %s", path, dest, resp.Header.Get("Content-Type"))
			}
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
		if resp, _ := ask(t, method, base+"/all.rss"); resp.StatusCode != 405 || resp.Header.Get("Allow") != allowed {
			t.Errorf("%s: %d", method, resp.StatusCode)
		}
	}
	if resp, _ := ask(t, "OPTIONS", base+"/all.rss"); resp.StatusCode != 204 || resp.Header.Get("Allow") != allowed || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("OPTIONS: %d", resp.StatusCode)
	}
}

func TestConditional(t *testing.T) {
	w := newWorld(t)
	w.poll(in("0s"), "a", feedOf("a"), news("one", "https://a.example/1", strings.Repeat("<p>text</p>", 200)))
	e := w.edition(w.publisher(publication([]Outlet{outlet("a")}, Section{Slug: "all"})))
	h := NewHandler("https://paper.example")
	h.Show(e)
	url := listen(t, w, h) + "/all.atom"
	d := e.Document("all.atom")
	tag := strings.Trim(d.ETag, `"`)
	date := d.Modified.Format(http.TimeFormat)
	e.Pack()
	for _, test := range []struct {
		status  int
		headers []string
	}{
		{304, []string{`If-None-Match: "` + tag + `"`}},
		{304, []string{`If-None-Match: W/"` + tag + `"`}},
		{304, []string{`If-None-Match: "` + tag + `-gz"`}},
		{304, []string{`If-None-Match: W/"` + tag + `-gzip"`}},
		{304, []string{`If-None-Match: "` + tag + `;gzip"`}},
		{304, []string{`If-None-Match: ` + tag}},
		{304, []string{`If-None-Match: *`}},
		{304, []string{`If-None-Match: "other", "` + tag + `"`}},
		{304, []string{`If-None-Match: "other"`, `If-None-Match: "` + tag + `"`}},
		{200, []string{`If-None-Match: "other"`}},
		{200, []string{`If-None-Match: ""`}},
		{200, []string{`If-None-Match: "` + tag[1:] + `"`}},
		{304, []string{"If-Modified-Since: " + date}},
		{304, []string{"If-Modified-Since: " + d.Modified.Format("Monday, 02-Jan-06 15:04:05 GMT")}},
		{200, []string{"If-Modified-Since: " + d.Modified.Add(time.Second).Format(http.TimeFormat)}},
		{200, []string{"If-Modified-Since: " + d.Modified.Add(-time.Second).Format(http.TimeFormat)}},
		{200, []string{"If-Modified-Since: nonsense"}},
		{200, []string{`If-None-Match: "other"`, "If-Modified-Since: " + date}},
		{304, []string{`If-None-Match: "` + tag + `"`, "If-Modified-Since: nonsense"}},
		{200, []string{"Range: bytes=0-9"}},
		{200, nil},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			for n, coding := range append([]coding{{}}, codings[:]...) {
				headers := test.headers
				if coding.name != "" {
					headers = append([]string{"Accept-Encoding: " + coding.name}, headers...)
				}
				resp, body := ask(t, method, url, headers...)
				if resp.StatusCode != test.status {
					t.Errorf("%s %v: %d, want %d", method, headers, resp.StatusCode, test.status)
					continue
				}
				wantTag, size := d.ETag, len(d.Body)
				if coding.name != "" {
					wantTag, size = `"`+tag+coding.suffix+`"`, len(d.packed[n-1]())
				}
				for name, value := range map[string]string{"ETag": wantTag, "Last-Modified": date, "Vary": "Accept-Encoding", "Cache-Control": d.cacheControl(),
					"Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff"} {
					if got := resp.Header.Get(name); got != value {
						t.Errorf("%s %v: %s: %q, want %q", method, headers, name, got, value)
					}
				}
				if test.status == 200 && resp.ContentLength != int64(size) {
					t.Errorf("%s %v: length %d, want %d", method, headers, resp.ContentLength, size)
				}
				if want := test.status == 200 && method == "GET"; (len(body) > 0) != want || want && len(body) != size {
					t.Errorf("%s %v: %d bytes", method, headers, len(body))
				}
			}
		}
	}
}

func TestHealth(t *testing.T) {
	w := newWorld(t)
	var trouble error
	mux := http.NewServeMux()
	mux.Handle("/healthz", Health(func(*http.Request) error { return nil }))
	mux.Handle("/readyz", Health(func(*http.Request) error { return trouble }))
	base := listen(t, w, Under("https://paper.example/news", mux))
	// What a ServeMux would clean stays under the path.
	for path, want := range map[string]string{"/news//readyz": "/news/readyz", "/news/x/../readyz?a=b": "/news/readyz?a=b"} {
		if resp, _ := ask(t, "GET", base+path); resp.StatusCode != 308 || resp.Header.Get("Location") != want {
			t.Errorf("%s: %d to %q, want %q", path, resp.StatusCode, resp.Header.Get("Location"), want)
		}
	}
	for path, want := range map[string]int{"/healthz": 200, "/news/readyz": 200} {
		if resp, _ := ask(t, "GET", base+path); resp.StatusCode != want {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	if resp, _ := ask(t, "POST", base+"/healthz"); resp.StatusCode != 405 {
		t.Errorf("POST: %d", resp.StatusCode)
	}
	trouble = Degraded{context.DeadlineExceeded}
	if resp, body := ask(t, "GET", base+"/readyz"); resp.StatusCode != 200 || !strings.HasPrefix(body, "degraded: ") {
		t.Errorf("degraded: %d %s", resp.StatusCode, body)
	}
	trouble = context.DeadlineExceeded
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503} {
		if resp, _ := ask(t, "GET", base+path); resp.StatusCode != want {
			t.Errorf("%s in trouble: %d", path, resp.StatusCode)
		}
	}
}
