package fetch

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"

	"broadsheet/store"
)

// A tunnel is a proxy on loopback: CONNECT and plain requests, or SOCKS5. It leads everything to one server,
// whatever the name, and writes down what it was asked for.
type tunnel struct {
	url *url.URL
	to  string

	mu    sync.Mutex // guards asked
	asked []string
}

func (p *tunnel) note(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, what)
}

func (p *tunnel) seen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.asked, " ")
}

func httpTunnel(t *testing.T, to string) *tunnel {
	p := &tunnel{to: to}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.note(r.Method + " " + r.Host + " " + r.Header.Get("Proxy-Authorization"))
		if r.Method != http.MethodConnect {
			r.RequestURI = ""
			r.URL.Host = to
			r.Header.Del("Proxy-Authorization")
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			defer resp.Body.Close()
			for name, values := range resp.Header {
				w.Header()[name] = values
			}
			w.WriteHeader(resp.StatusCode)
			io.Copy(w, resp.Body)
			return
		}
		if strings.HasPrefix(r.Host, "refused.") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		up, err := net.Dial("tcp", to)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		down, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		fmt.Fprint(down, "HTTP/1.1 200 OK\r\n\r\n")
		both(up, down, rw.Reader)
	}))
	t.Cleanup(s.Close)
	p.url, _ = url.Parse(s.URL)
	return p
}

func both(up, down net.Conn, from io.Reader) {
	go func() {
		defer up.Close()
		io.Copy(up, from)
	}()
	defer down.Close()
	io.Copy(down, up)
}

// socksTunnel speaks as much of RFC 1928 as a client needs that asks for names without a password.
func socksTunnel(t *testing.T, to string) *tunnel {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &tunnel{to: to, url: &url.URL{Scheme: "socks5", Host: l.Addr().String()}}
	go func() {
		for {
			down, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				r := bufio.NewReader(down)
				head := make([]byte, 2)
				io.ReadFull(r, head)
				r.Discard(int(head[1]))
				down.Write([]byte{5, 0})
				ask := make([]byte, 5)
				io.ReadFull(r, ask)
				name := make([]byte, ask[4]+2)
				io.ReadFull(r, name)
				p.note(fmt.Sprintf("%s:%d", name[:ask[4]], binary.BigEndian.Uint16(name[ask[4]:])))
				up, err := net.Dial("tcp", to)
				if err != nil {
					down.Close()
					return
				}
				down.Write([]byte{5, 0, 0, 1, 127, 0, 0, 1, 0, 0})
				both(up, down, r)
			}()
		}
	}()
	return p
}

// through polls address once through a proxy, with names from a table.
func through(t *testing.T, p *url.URL, names zone, address string, change func(*Feed, *Settings)) store.Poll {
	t.Helper()
	s := testSettings()
	s.Proxy = p
	f := Feed{Outlet: "o", URL: address, Address: address, Schedule: everyHour(t), Enabled: true}
	if change != nil {
		change(&f, &s)
	}
	c := NewClient(s, nil)
	c.resolver = names.resolver(t)
	t.Cleanup(c.Close)
	poll, _, err := poll(context.Background(), visiting(c), forgetful{}, &f, &s, store.FeedState{}, discard)
	if err != nil {
		t.Fatal(err)
	}
	return poll
}

// Feeds are asked for through the proxy, by name; what is public is decided here, and before it is asked.
func TestProxy(t *testing.T) {
	names := zone{
		"public.test":  {{"93.184.216.34"}},
		"private.test": {{"10.1.2.3"}},
		"refused.test": {{"93.184.216.34"}},
		"mixed.test":   {{"93.184.216.34", "::1"}},
		"rebound.test": {{"93.184.216.34"}, {"169.254.169.254"}},
	}
	plain := record(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/to-private":
			http.Redirect(w, r, "http://private.test/", http.StatusFound)
		case "/to-literal":
			http.Redirect(w, r, "http://127.0.0.1/", http.StatusFound)
		case "/to-rebound":
			http.Redirect(w, r, "http://rebound.test/", http.StatusFound)
		default:
			fmt.Fprint(w, smallFeed)
		}
	})
	secure := httptest.NewUnstartedServer(plain.Config.Handler)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	t.Setenv("HTTP_PROXY", "http://192.0.2.1:1") // never looked at
	t.Setenv("HTTPS_PROXY", "http://192.0.2.1:1")

	for kind, make := range map[string]func(*testing.T, string) *tunnel{"http": httpTunnel, "socks5": socksTunnel} {
		t.Run(kind, func(t *testing.T) {
			for address, want := range map[string]string{
				"http://public.test/feed":       "",
				"http://public.test/to-private": "refused to connect to 10.1.2.3",
				"http://public.test/to-literal": "refused to connect to 127.0.0.1",
				"http://private.test/feed":      "refused to connect to 10.1.2.3",
				"http://mixed.test/feed":        "refused to connect to ::1",
				"http://127.0.0.1/feed":         "refused to connect to 127.0.0.1",
				"http://[64:ff9b::7f00:1]/":     "refused to connect to 64:ff9b::7f00:1",
				"http://0x7f000001/":            "0x7f000001",
				"http://unknown.test/":          "unknown.test",
			} {
				p := make(t, plain.Listener.Addr().String())
				got := through(t, p.url, names, address, nil)
				if want == "" && len(got.Arrivals) != 1 || !strings.Contains(got.State.Err, want) {
					t.Errorf("%s: %q, %d items; want %q", address, got.State.Err, len(got.Arrivals), want)
				}
				asked := p.seen()
				if public := strings.Contains(asked, "public.test"); public != strings.Contains(address, "public.test") {
					t.Errorf("%s: the proxy was asked for %q", address, asked)
				}
				for _, forbidden := range []string{"private.test", "127.0.0.1", "mixed", "0x7f", "unknown", "64:ff9b"} {
					if strings.Contains(asked, forbidden) {
						t.Errorf("%s: the proxy was asked for %s", address, asked)
					}
				}
				if first := !strings.Contains(address, "public.test"); got.State.LastPoll.IsZero() != first {
					t.Errorf("%s: last poll %v; an attempt that reached no server is none", address, got.State.LastPoll)
				}
			}

			p := make(t, secure.Listener.Addr().String())
			tls := func(f *Feed, _ *Settings) { f.InsecureTLS = true }
			if got := through(t, p.url, names, "https://public.test/feed", tls); len(got.Arrivals) != 1 || got.State.Private {
				t.Errorf("https: %q, %+v", p.seen(), got.State)
			}
			if got := through(t, p.url, names, "https://public.test/feed", nil); !strings.Contains(got.State.Err, "certificate") {
				t.Errorf("https without a good certificate: %q", got.State.Err)
			}
			allowed := func(f *Feed, _ *Settings) { f.AllowPrivate = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} }
			if got := through(t, make(t, plain.Listener.Addr().String()).url, names, "http://private.test/feed", allowed); len(got.Arrivals) != 1 || !got.State.Private {
				t.Errorf("allow_private: %+v", got.State)
			}

			// A name that turns private between two requests.
			s := testSettings()
			p = make(t, plain.Listener.Addr().String())
			s.Proxy = p.url
			c := NewClient(s, nil)
			defer c.Close()
			c.resolver = names.resolver(t)
			f := Feed{URL: "http://rebound.test/", Address: "http://rebound.test/", Schedule: everyHour(t), Enabled: true}
			first, _, _ := poll(t.Context(), visiting(c), forgetful{}, &f, &s, store.FeedState{}, discard)
			second, _, _ := poll(t.Context(), visiting(c), forgetful{}, &f, &s, first.State, discard)
			if first.State.Err != "" || !strings.Contains(second.State.Err, "169.254.169.254") {
				t.Errorf("rebinding: %q, then %q", first.State.Err, second.State.Err)
			}
		})
	}
}

// The proxy's password goes to the proxy and nowhere else; what the proxy refuses is no poll.
func TestProxyPassword(t *testing.T) {
	names := zone{"public.test": {{"93.184.216.34"}}, "refused.test": {{"93.184.216.34"}}}
	r := record(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, smallFeed) })
	p := httpTunnel(t, r.Listener.Addr().String())
	p.url.User = url.UserPassword("me", "proxycanary")
	if got := through(t, p.url, names, "http://public.test/feed", nil); got.State.Err != "" {
		t.Fatal(got.State.Err)
	}
	if asked := p.seen(); !strings.Contains(asked, "Basic bWU6cHJveHljYW5hcnk=") {
		t.Errorf("asked %q", asked)
	}
	if h := r.asked()[0].Header; h.Get("Proxy-Authorization") != "" || h.Get("Authorization") != "" {
		t.Errorf("the outlet got %v", h)
	}
	got := through(t, p.url, names, "https://refused.test/feed", nil)
	if got.State.Err == "" || !got.State.LastPoll.IsZero() || strings.Contains(got.State.Err, "canary") {
		t.Errorf("refused: %+v", got.State)
	}
	dead, _ := url.Parse("http://me:proxycanary@" + nobody)
	got = through(t, dead, names, "http://public.test/feed", nil)
	if got.State.Err == "" || !got.State.LastPoll.IsZero() || strings.Contains(got.State.Err, "canary") {
		t.Errorf("no proxy there: %+v", got.State)
	}
}
