package fetch

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"broadsheet/store"
)

func TestIsPublic(t *testing.T) {
	for address, want := range map[string]bool{
		"8.8.8.8": true, "93.184.216.34": true, "2606:2800:220:1::1": true, "2a00:1450:4001::200e": true,
		"64:ff9b::8.8.8.8": true, "2002:808:808::1": true, "::ffff:8.8.8.8": true,

		"127.0.0.1": false, "10.1.2.3": false, "172.31.0.1": false, "192.168.1.1": false, "169.254.169.254": false,
		"0.1.2.3": false, "100.64.0.1": false, "100.100.100.200": false, "192.0.0.8": false, "192.0.2.1": false,
		"198.18.0.1": false, "198.51.100.1": false, "203.0.113.1": false, "224.0.0.1": false, "240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "fe80::1%eth0": false, "fc00::1": false, "fec0::1": false, "ff02::1": false,
		"::ffff:127.0.0.1": false, "::127.0.0.1": false, "64:ff9b::7f00:1": false, "64:ff9b:1::a00:1": false,
		"2002:7f00:1::": false, "2001::1": false, "2001:db8::1": false, "3fff::1": false, "100::1": false, "5f00::1": false,
	} {
		if got := isPublic(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: public is %v, want %v", address, got, want)
		}
	}
}

// An alarm is a listener that nobody may connect to.
type alarm struct {
	port string
	rung atomic.Int32
}

// newAlarm listens at an address; ":0" is all of this machine's, of both families.
func newAlarm(t *testing.T, address string) *alarm {
	t.Helper()
	a := &alarm{}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skip("this machine has no such address: ", err)
	}
	t.Cleanup(func() { l.Close() })
	_, a.port, _ = net.SplitHostPort(l.Addr().String())
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			a.rung.Add(1)
			c.Close()
		}
	}()
	return a
}

// forbidden are addresses that lead to this machine, into a private network or nowhere, in all the ways to write them.
var forbidden = []string{
	"127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "100.100.100.200", "169.254.169.254", "172.16.0.1",
	"192.0.0.8", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
	"::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "100::1", "2001::1", "2001:db8::1", "3fff::1", "5f00::1",
	"::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:a9fe:a9fe::",
}

func bracketed(ip string) string {
	if strings.Contains(ip, ":") {
		return "[" + ip + "]"
	}
	return ip
}

// Nothing connects: to literals, to other ways to write them, to names that lead there, or by a redirect.
func TestGuardMatrix(t *testing.T) {
	bell := newAlarm(t, ":0")
	hosts := []string{
		"localhost", "localhost.", "LOCALHOST", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.0.0.1.", "0",
		"[::1%25lo]", "[fe80::1%25lo]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "①②⑦.0.0.1", "127。0。0。1",
	}
	names := zone{
		"mixed4.test": {{"127.0.0.1", "169.254.169.254"}},
		"mixed6.test": {{"127.0.0.1", "::1", "64:ff9b::7f00:1"}},
	}
	for i, ip := range forbidden {
		name := fmt.Sprintf("to%d.test", i)
		names[name] = [][]string{{ip}}
		hosts = append(hosts, bracketed(ip), name)
	}
	hosts = append(hosts, "mixed4.test", "mixed6.test")

	s := testSettings()
	c := NewClient(s, nil)
	defer c.Close()
	c.resolver = names.resolver(t)
	for _, host := range hosts {
		address := "http://" + host + ":" + bell.port + "/"
		f := Feed{Outlet: "o", URL: address, Address: address, Schedule: everyHour(t), Enabled: true}
		p, err := pollOnce(t, c, &f, &s)
		if err != nil {
			t.Fatal(err)
		}
		if p.State.Failures != 1 || !p.State.LastPoll.IsZero() || p.State.Err == "" {
			t.Errorf("%s: %+v", host, p.State)
		}
		if literal := net.ParseIP(strings.Trim(host, "[]")) != nil || strings.HasSuffix(host, ".test"); literal && !strings.Contains(p.State.Err, "refused to connect to") {
			t.Errorf("%s: %q does not say that it was refused", host, p.State.Err)
		}
	}

	// The same as the target of a redirect, from a host that allow_private permits.
	at := "/"
	r := record(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", at)
		w.WriteHeader(http.StatusFound)
	})
	for _, host := range hosts {
		if host == "127.0.0.1" {
			continue // the host itself
		}
		at = "http://" + host + "/"
		before := len(r.asked())
		f := Feed{Outlet: "o", URL: r.URL, Address: r.URL, Schedule: everyHour(t), Enabled: true, AllowPrivate: loopback}
		p, err := pollOnce(t, c, &f, &s)
		if err != nil {
			t.Fatal(err)
		}
		if p.State.Failures != 1 || len(r.asked()) != before+1 {
			t.Errorf("redirect to %s: %d requests, %+v", host, len(r.asked())-before, p.State)
		}
	}
	if n := bell.rung.Load(); n > 0 {
		t.Errorf("%d connections came through", n)
	}
}

// pollOnce polls with a client that is kept.
func pollOnce(t *testing.T, c *Client, f *Feed, s *Settings) (store.Poll, error) {
	t.Helper()
	p, _, err := poll(t.Context(), visiting(c), forgetful{}, f, s, store.FeedState{}, discard)
	return p, err
}

// The address is judged when it is connected to, so that a name may lead to a permitted address first and to
// another one later, or to both at once, and only the permitted one is ever reached.
func TestRebinding(t *testing.T) {
	bell := newAlarm(t, "127.0.0.1:0")
	bell6 := newAlarm(t, "[::1]:"+bell.port)
	l, err := net.Listen("tcp", "127.1.0.1:"+bell.port)
	if err != nil {
		t.Skip("no further address of 127.0.0.0/8 can be listened at: ", err)
	}
	asked := 0
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("Connection", "close") // so that each poll connects anew
		fmt.Fprint(w, smallFeed)
	})}}
	server.Start()
	defer server.Close()
	names := zone{
		"rebound.test": {{"127.1.0.1"}, {"127.0.0.1"}, {"169.254.169.254"}, {"::1"}, {"127.1.0.1"}},
		"mixed.test":   {{"127.0.0.1", "::1", "10.1.2.3", "127.1.0.1"}},
	}
	s := testSettings()
	c := NewClient(s, nil)
	defer c.Close()
	c.resolver = names.resolver(t)
	for _, poll := range []struct {
		host string
		good bool
	}{{"rebound.test", true}, {"rebound.test", false}, {"rebound.test", false}, {"rebound.test", false}, {"rebound.test", true}, {"mixed.test", true}, {"mixed.test", true}} {
		address := "http://" + poll.host + ":" + bell.port + "/"
		f := Feed{Outlet: "o", URL: address, Address: address, Schedule: everyHour(t), Enabled: true, AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.1.0.0/16")}}
		before := asked
		p, err := pollOnce(t, c, &f, &s)
		if err != nil || poll.good != (p.State.Failures == 0) || poll.good != (asked == before+1) {
			t.Errorf("%s: %v, %d requests, %q", poll.host, err, asked-before, p.State.Err)
		}
	}
	if n := bell.rung.Load() + bell6.rung.Load(); n > 0 {
		t.Errorf("%d connections came through", n)
	}
}

// A connection that one feed may have, and that is kept alive, serves no redirect of another feed.
func TestKeptConnectionsAreNotLent(t *testing.T) {
	inner := record(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, smallFeed) })
	_, port, _ := net.SplitHostPort(inner.Listener.Addr().String())
	l, err := net.Listen("tcp", "127.1.0.1:"+port)
	if err != nil {
		t.Skip("no further address of 127.0.0.0/8 can be listened at: ", err)
	}
	outer := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, inner.URL+"/secret", http.StatusFound)
	})}}
	outer.Start()
	defer outer.Close()

	s := testSettings()
	c := NewClient(s, nil)
	defer c.Close()
	ours := Feed{Outlet: "ours", URL: inner.URL, Address: inner.URL, Schedule: everyHour(t), Enabled: true, AllowPrivate: loopback}
	if p, err := pollOnce(t, c, &ours, &s); err != nil || p.State.Failures > 0 {
		t.Fatal(err, p.State.Err)
	}
	for _, allow := range [][]netip.Prefix{{netip.MustParsePrefix("127.1.0.0/16")}, loopback} {
		theirs := Feed{Outlet: "theirs", URL: outer.URL, Address: outer.URL, Schedule: everyHour(t), Enabled: true, AllowPrivate: allow}
		p, err := pollOnce(t, c, &theirs, &s)
		if err != nil || p.State.Failures != 1 || !strings.Contains(p.State.Err, "refused to connect to 127.0.0.1") {
			t.Errorf("%v: %v, %q", allow, err, p.State.Err)
		}
	}
	if n := len(inner.asked()); n != 1 {
		t.Errorf("the inner server was asked %d times, want once, by the feed that may", n)
	}
}

// The configured port is the operator's; of redirects only 80, 443 and that one are followed.
func TestPorts(t *testing.T) {
	to := ""
	other := record(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, smallFeed) })
	r := record(t, func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/same" {
			fmt.Fprint(w, smallFeed)
			return
		}
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	})
	_, port, _ := net.SplitHostPort(r.Listener.Addr().String())
	for location, want := range map[string]string{
		other.URL:                            "a redirect to port",
		"http://127.0.0.1:22/":               "a redirect to port 22",
		"http://127.0.0.1:6379/":             "a redirect to port 6379",
		"http://127.0.0.1:" + port + "/same": "",
		"/same":                              "",
		"http://127.0.0.1:80/":               "dial tcp 127.0.0.1:80",
		"http://127.0.0.1/":                  "dial tcp 127.0.0.1:80",
		"https://127.0.0.1:443/":             "dial tcp 127.0.0.1:443",
		"gopher://127.0.0.1/":                "neither http nor https",
		"http://127.0.0.1:" + port + "@127.0.0.2:" + port + "/": "refused to connect to 127.0.0.2",
	} {
		to = location
		p := visit(t, r.URL, store.FeedState{}, func(f *Feed, _ *Settings) {
			if strings.Contains(location, "127.0.0.2") {
				f.AllowPrivate = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
			}
		})
		if want == "" && p.State.Err != "" || !strings.Contains(p.State.Err, want) {
			t.Errorf("%s: %q, want %q", location, p.State.Err, want)
		}
	}
	if n := len(other.asked()); n > 0 {
		t.Errorf("another port was asked %d times", n)
	}
}
