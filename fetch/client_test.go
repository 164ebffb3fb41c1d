package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"broadsheet/store"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

const smallFeed = `<?xml version="1.0"?><rss version="2.0"><channel><title>Small</title><link>http://example.com/</link>
<item><guid isPermaLink="false">1</guid><title>One</title><link>http://example.com/one</link></item></channel></rss>`

func testSettings() Settings {
	return Settings{UserAgent: "Broadsheet/test (+https://example.org/me)", Concurrency: 16, PerHost: 16, MaxInterval: 24 * time.Hour, Timeout: 30 * time.Second, MaxBytes: 1 << 20}
}

// forgetful is a recaller that remembers nothing.
type forgetful struct{}

func (forgetful) Recollection(context.Context, store.FeedName) ([]byte, error) { return nil, nil }

func (forgetful) Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// unhindered is a guide that keeps nobody waiting.
type unhindered struct{}

func (unhindered) visit(context.Context, string) error { return nil }
func (unhindered) long(context.Context) error          { return nil }
func (unhindered) whole(context.Context) error         { return nil }

// visiting is a getter that waits for no turn.
func visiting(c *Client) getter { return c.once(make([]turn, 1), unhindered{}) }

// visit polls address once.
func visit(t *testing.T, address string, st store.FeedState, change func(*Feed, *Settings)) store.Poll {
	t.Helper()
	s := testSettings()
	f := Feed{Outlet: "o", URL: address, Address: address, Schedule: everyHour(t), Enabled: true, AllowPrivate: loopback}
	if change != nil {
		change(&f, &s)
	}
	c := NewClient(s, nil)
	t.Cleanup(c.Close)
	p, _, err := poll(context.Background(), visiting(c), forgetful{}, &f, &s, st, discard)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A recorder answers with a handler and keeps the headers of what it was asked.
type recorder struct {
	*httptest.Server
	mu   sync.Mutex // guards asked
	asks []*http.Request
}

func record(t *testing.T, h http.HandlerFunc) *recorder {
	r := &recorder{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.asks = append(r.asks, req.Clone(context.Background()))
		r.mu.Unlock()
		h(w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *recorder) asked() []*http.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.asks)
}

func TestValidatorsComeBackByteForByte(t *testing.T) {
	for _, v := range [][2]string{
		{`W/"a b"`, "Sat, 16 Nov 2041 10:00:00 GMT"},
		{`abc`, "Mon, 2 Nov 2026 1:02:03 +0000"},
		{`""`, ""},
		{`"` + strings.Repeat("x", 300) + `"`, "yesterday"},
		{"\"\xc3\xa9\"", "Mon, 02 Nov 2026 10:00:00 GMT"},
		{"", "Mon, 02 Nov 2026 10:00:00 GMT"},
	} {
		r := record(t, func(w http.ResponseWriter, req *http.Request) {
			if v[0] != "" {
				w.Header().Set("ETag", v[0])
			}
			if v[1] != "" {
				w.Header().Set("Last-Modified", v[1])
			}
			if req.Header.Get("If-None-Match")+req.Header.Get("If-Modified-Since") != "" {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			fmt.Fprint(w, smallFeed)
		})
		first := visit(t, r.URL, store.FeedState{}, nil)
		second := visit(t, r.URL, first.State, nil)
		asked := r.asked()
		if got := asked[1].Header.Get("If-None-Match"); got != v[0] {
			t.Errorf("ETag %q came back as %q", v[0], got)
		}
		if got := asked[1].Header.Get("If-Modified-Since"); got != v[1] {
			t.Errorf("Last-Modified %q came back as %q", v[1], got)
		}
		if second.State.Status != 304 || second.State.Failures != 0 || len(second.Arrivals) != 0 {
			t.Errorf("304: %+v", second.State)
		}
	}
}

// 200 replaces both validators, also by nothing; 304 only brings them up to date (PROTOCOL F2).
func TestValidatorsAreReplaced(t *testing.T) {
	step := 0
	r := record(t, func(w http.ResponseWriter, _ *http.Request) {
		switch step++; step {
		case 1:
			w.Header().Set("ETag", `"A"`)
			w.Header().Set("Last-Modified", "one")
			fmt.Fprint(w, smallFeed)
		case 2:
			w.Header().Set("Last-Modified", "two")
			w.WriteHeader(http.StatusNotModified)
		case 3:
			fmt.Fprint(w, smallFeed+"<!-- changed -->")
		default:
			fmt.Fprint(w, smallFeed)
		}
	})
	var st store.FeedState
	for range 4 {
		st = visit(t, r.URL, st, nil).State
	}
	var got []string
	for _, a := range r.asked() {
		got = append(got, a.Header.Get("If-None-Match")+" "+a.Header.Get("If-Modified-Since"))
	}
	if want := []string{" ", `"A" one`, `"A" two`, " "}; !slices.Equal(got, want) {
		t.Errorf("asked with %q, want %q", got, want)
	}
}

func TestManners(t *testing.T) {
	var b *recorder
	a := record(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("ETag", `"a"`)
		http.Redirect(w, &http.Request{Method: "GET"}, strings.Replace(b.URL, "127.0.0.1", "localhost", 1)+"/b", http.StatusFound)
	})
	b = record(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, smallFeed) })
	_, port, _ := net.SplitHostPort(b.Listener.Addr().String())
	p := visit(t, a.URL+"/feed?token=canary", store.FeedState{}, nil)
	if p.State.Err == "" || !strings.Contains(p.State.Err, port) {
		t.Errorf("a redirect to port %s of another host: %q", port, p.State.Err)
	}

	// Within one server: no credentials, validators or referrer reach another address.
	c := record(t, func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/feed" {
			w.Header().Set("Set-Cookie", "a=b")
			http.Redirect(w, req, "/moved#part", http.StatusMovedPermanently)
			return
		}
		w.Header().Set("ETag", `"moved"`)
		fmt.Fprint(w, smallFeed)
	})
	st := visit(t, c.URL+"/feed?token=canary", store.FeedState{}, nil).State
	visit(t, c.URL+"/feed?token=canary", st, nil)
	for i, req := range c.asked() {
		h := req.Header
		for _, name := range []string{"Referer", "Cookie", "Authorization"} {
			if h.Get(name) != "" {
				t.Errorf("request %d has %s: %s", i, name, h.Get(name))
			}
		}
		if ua := h.Get("User-Agent"); !strings.HasPrefix(ua, "Broadsheet/test (+https://example.org/me; feed-id=") {
			t.Errorf("User-Agent: %s", ua)
		}
		if h.Get("Accept-Encoding") != acceptEncoding || h.Get("Accept") != accept || req.Method != "GET" {
			t.Errorf("request %d: %s %v", i, req.Method, h)
		}
		want := ""
		if i == 3 { // the second visit's second hop: the address that gave the tag
			want = `"moved"`
		}
		if got := h.Get("If-None-Match"); got != want {
			t.Errorf("request %d asks with %q, want %q", i, got, want)
		}
	}
}

func TestCredentials(t *testing.T) {
	r := record(t, func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/feed" {
			http.Redirect(w, req, "http://localhost.localdomain:"+strings.Split(req.Host, ":")[1]+"/x", http.StatusFound)
		}
	})
	p := visit(t, r.URL+"/feed", store.FeedState{}, func(f *Feed, _ *Settings) {
		f.Username, f.Password, f.Headers = "me", "hunter22", map[string]string{"X-Key": "canary-key"}
	})
	h := r.asked()[0].Header
	if user, password, _ := r.asked()[0].BasicAuth(); user != "me" || password != "hunter22" || h.Get("X-Key") != "canary-key" {
		t.Errorf("the configured origin did not get the credentials: %v", h)
	}
	if len(r.asked()) > 1 || p.State.Failures != 1 {
		t.Errorf("another host in the own network was asked: %+v", p.State)
	}
	if strings.Contains(p.State.Err, "hunter22") || strings.Contains(p.State.Err, "canary-key") {
		t.Errorf("secrets in %q", p.State.Err)
	}
}

func TestGuardRefuses(t *testing.T) {
	r := record(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, smallFeed) })
	_, port, _ := net.SplitHostPort(r.Listener.Addr().String())
	for _, address := range []string{
		r.URL, "http://localhost:" + port, "http://localhost.:" + port, "http://[::ffff:127.0.0.1]:" + port, "http://2130706433:" + port,
		"http://0x7f000001:" + port, "http://0177.0.0.1:" + port, "http://127.1:" + port, "http://0:" + port, "http://[::1]:" + port,
	} {
		p := visit(t, address, store.FeedState{}, func(f *Feed, _ *Settings) { f.AllowPrivate = nil })
		if p.State.Failures != 1 || !p.State.LastPoll.IsZero() {
			t.Errorf("%s: %+v", address, p.State)
		}
	}
	if n := len(r.asked()); n > 0 {
		t.Errorf("%d requests came through", n)
	}
	p := visit(t, r.URL, store.FeedState{}, func(f *Feed, _ *Settings) { f.AllowPrivate = nil })
	if !strings.Contains(p.State.Err, `add the network to its allow_private: ["127.0.0.1/32"]`) {
		t.Errorf("no remedy in %q", p.State.Err)
	}
}

func TestRedirects(t *testing.T) {
	r := record(t, func(w http.ResponseWriter, req *http.Request) {
		to := map[string]string{
			"/loop": "/loop2", "/loop2": "/loop", "/1": "/2", "/2": "/3", "/3": "/4", "/4": "/5", "/5": "/6", "/0": "/1",
			"/file": "file:///etc/passwd", "/none": "", "/relative": "6", "/metadata": "http://169.254.169.254/latest", "/double": "//127.0.0.1:" + strings.Split(req.Host, ":")[1] + "/6",
			"/long": "http://" + strings.Repeat("a", 254) + "/",
		}[req.URL.Path]
		if req.URL.Path == "/6" {
			fmt.Fprint(w, smallFeed)
			return
		}
		if to != "" {
			w.Header().Set("Location", to)
		}
		w.WriteHeader(http.StatusFound)
	})
	for path, want := range map[string]string{
		"/loop": "circle", "/0": "more than 5 redirects", "/file": "neither http nor https", "/none": "302 Found without a Location",
		"/metadata": "169.254.169.254", "/long": "no address", "/1": "", "/relative": "", "/double": "",
	} {
		p := visit(t, r.URL+path, store.FeedState{}, nil)
		if want == "" && (p.State.Err != "" || len(p.Arrivals) != 1) || !strings.Contains(p.State.Err, want) {
			t.Errorf("%s: %q, %d items; want %q", path, p.State.Err, len(p.Arrivals), want)
		}
	}
}

func TestAnswers(t *testing.T) {
	previous := store.FeedState{Validators: store.Validators{ETag: []byte(`"kept"`)}}
	for name, c := range map[string]struct {
		answer  http.HandlerFunc
		err     string
		items   int
		damaged bool
	}{
		"html": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "<!doctype html><title>x</title><body>hello")
		}, "web page", 0, false},
		"empty": {func(http.ResponseWriter, *http.Request) {}, "empty body", 0, false},
		"404":   {http.NotFound, "404 Not Found", 0, false},
		"500":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "500 Internal Server Error", 0, false},
		"226":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(226) }, "226", 0, false},
		"204":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, "204", 0, false},
		"401":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, "credentials", 0, false},
		"410":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(410) }, "until outlets --revive", 0, false},
		"451":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(451) }, `until outlets --revive; what it brought stays published unless publish.withdraw names it, or all of the outlet's: withdraw = ["o"]`, 0, false},
		"truncated": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, smallFeed[:len(smallFeed)-30]+"<item><title>Tw")
		}, "damaged", 1, true},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10000")
			fmt.Fprint(w, smallFeed)
		}, "damaged", 1, true},
		"cut off before its first element": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10000")
			fmt.Fprint(w, `<?xml version="1.0"?><rss vers`)
		}, "cut off before", 0, false},
		"too large": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, smallFeed[:40])
			w.Write(bytes.Repeat([]byte(" "), 2<<20))
		}, "fetch.max_bytes", 0, false},
		"stalls": {func(w http.ResponseWriter, req *http.Request) {
			w.Write([]byte(smallFeed[:100]))
			w.(http.Flusher).Flush()
			<-req.Context().Done()
		}, "fetch.timeout", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := record(t, c.answer)
			p := visit(t, r.URL, previous, func(_ *Feed, s *Settings) {
				if name == "stalls" {
					s.Timeout = stallTimeout - time.Second // within which it has begun to answer
				}
			})
			if !strings.Contains(p.State.Err, c.err) || len(p.Arrivals) != c.items || p.State.Damaged != c.damaged {
				t.Errorf("%q, %d items, damaged %v; want %q, %d, %v", p.State.Err, len(p.Arrivals), p.State.Damaged, c.err, c.items, c.damaged)
			}
			if failed := c.items == 0; failed != (p.State.Failures == 1) || failed != (string(p.State.Validators.ETag) == `"kept"`) {
				t.Errorf("failures %d, validators %q", p.State.Failures, p.State.Validators.ETag)
			}
			if p.State.LastPoll.IsZero() {
				t.Error("a server was reached, and yet it counts as no poll")
			}
		})
	}
}

// nobody is where nobody listens.
const nobody = "127.0.0.1:1"

// An attempt that reached no server is no poll, and a refused connection is a failure.
func TestUnreached(t *testing.T) {
	p := visit(t, "http://"+nobody, store.FeedState{}, nil)
	if !p.State.LastPoll.IsZero() || p.State.LastTry.IsZero() || p.State.Failures != 1 {
		t.Errorf("%+v", p.State)
	}
}

func TestSameDocumentIsUnchanged(t *testing.T) {
	r := record(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, smallFeed) })
	first := visit(t, r.URL, store.FeedState{}, nil)
	second := visit(t, r.URL, first.State, nil)
	if len(first.Arrivals) != 1 || second.Arrivals != nil || second.State.Failures != 0 {
		t.Errorf("%d items, then %v", len(first.Arrivals), second.Arrivals)
	}
}

// Foreign addresses are asked through one constructor of transports; this finds any other.
func TestOneConstructor(t *testing.T) {
	allowed := map[string]bool{"fetch/client.go": true, "cmd/broadsheet/dial.go": true} // dial.go: our own unix socket
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		name := filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator)))
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || allowed[name] {
			return err
		}
		file, err := parser.ParseFile(gotoken.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "http" {
					switch s.Sel.Name {
					case "Get", "Post", "PostForm", "Head", "DefaultClient", "DefaultTransport", "Client", "Transport":
						t.Errorf("%s uses http.%s: foreign addresses are asked by fetch.Client alone", name, s.Sel.Name)
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}
