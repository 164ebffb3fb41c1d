package publish

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// startServer serves h on loopback with room for so many connections.
func startServer(t *testing.T, w *world, h http.Handler, room int) (*Server, string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(h, w.log)
	s.ErrorLog = nil
	s.crowd.room = room
	done := make(chan error)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		<-done
	})
	return s, l.Addr().String()
}

// TestCrowd lets thousands of clients do what slow and hostile ones do while another one reads the paper
// (PROTOCOL S13).
func TestCrowd(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of connections; go test -run Crowd ./publish")
	}
	each := 1500 // clients of each kind
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) == nil {
		each = min(each, int(files.Cur)/10) // both ends are ours
	}
	w := newWorld(t)
	var items []string
	for i := range 200 {
		items = append(items, fmt.Sprintf("<p>%d %s</p>", i, strings.Repeat("text ", 1000)))
	}
	w.poll(in("0s"), "a", feedOf("a"), news("one", "https://a.example/1", strings.Join(items, "")))
	e := w.edition(w.publisher(publication([]Outlet{outlet("a")}, Section{Slug: "all"})))
	e.Pack()
	h := NewHandler("https://paper.example")
	h.Show(e)
	s, address := startServer(t, w, h, 2*each) // there is no room for all of them
	size := len(e.Document("all.atom").Body)

	// The reader has the latency of 300 requests, half of them over new connections.
	measure := func() (p99 time.Duration) {
		t.Helper()
		kept := &http.Client{Timeout: time.Minute}
		defer kept.CloseIdleConnections()
		fresh := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
		var took []time.Duration
		for i := range 300 {
			c := []*http.Client{kept, fresh}[i%2]
			began := time.Now()
			resp, err := c.Get("http://" + address + "/all.atom")
			if err != nil {
				t.Fatalf("request %d: %v", i, err)
			}
			n, err := io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != 200 || n == 0 {
				t.Fatalf("request %d: %d, %d bytes: %v", i, resp.StatusCode, n, err)
			}
			took = append(took, time.Since(began))
			time.Sleep(time.Millisecond)
		}
		slices.Sort(took)
		return took[len(took)*99/100]
	}
	alone := measure()

	var mu sync.Mutex
	var conns []net.Conn
	var answered, cut atomic.Int64
	var clients sync.WaitGroup
	from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: time.Minute}
	join := func(n int, act func(net.Conn)) {
		for range n {
			c, err := from.Dial("tcp", address)
			if errors.Is(err, syscall.EADDRNOTAVAIL) {
				t.Skip("the crowd needs an address of its own, and this machine has one loopback address: ", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			clients.Go(func() {
				act(c)
				cut.Add(1)
			})
		}
	}
	wait := func(c net.Conn) { io.Copy(io.Discard, c) } // ends when the server closes
	idle := func(c net.Conn) {
		fmt.Fprintf(c, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
		if _, err := bufio.NewReader(c).ReadByte(); err == nil {
			answered.Add(1)
		}
		wait(c)
	}
	loris := func(c net.Conn) {
		for {
			if _, err := c.Write([]byte("G")); err != nil {
				return
			}
			time.Sleep(500 * time.Millisecond)
		}
	}
	slow := func(c net.Conn) { // asks for a megabyte, and takes nothing of it
		c.(*net.TCPConn).SetReadBuffer(4 << 10)
		fmt.Fprintf(c, "GET /all.atom HTTP/1.1\r\nHost: x\r\n\r\n")
		one := make([]byte, 1)
		for {
			if _, err := c.Read(one); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	}
	defer func() {
		for _, c := range conns {
			c.Close()
		}
		clients.Wait()
	}()
	join(each, idle)
	join(each, loris)
	join(each/3, slow)
	among := measure()
	now, evicted := s.Connections()
	t.Logf("p99 of a reader: %v alone, %v among %d idle, %d dawdling and %d slow clients; %d connections, %d had to go, a document of %d bytes",
		alone, among, each, each, each/3, now, evicted, size)
	if now > 2*each {
		t.Errorf("%d connections, and there is room for %d", now, 2*each)
	}
	if evicted == 0 || answered.Load() == 0 {
		t.Errorf("%d had to go, %d idle ones were answered: that was no crowd", evicted, answered.Load())
	}
	if most := 30 * time.Second; among > most { // how slow it may be, only a machine that does nothing else can tell
		t.Errorf("p99 of %v among slow clients, %v alone; want %v at most", among, alone, most)
	}
	// Who dawdles with a header is cut off after five seconds.
	for end := time.Now().Add(2 * time.Minute); cut.Load() < int64(each); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections of those who dawdle are cut off, of %d", cut.Load(), each)
		}
	}
}

// What a client keeps a server waiting for ends in time, each by a limit of its own (PROTOCOL S13).
func TestDawdlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pipes{make(chan net.Conn), make(chan struct{})}
		s := NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Write(make([]byte, 1<<20))
		}), slog.New(slog.DiscardHandler))
		var serving sync.WaitGroup
		serving.Go(func() { s.Serve(l) })
		for _, c := range []struct {
			name, says string
			takes      int64 // bytes of the answer
			bound      time.Duration
		}{
			{"nothing", "", 4 << 20, 5 * time.Second},
			{"half a header", "GET / HTTP/1.1\r\nHo", 4 << 20, 5 * time.Second},
			{"half a body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf", 4 << 20, 10 * time.Second},
			{"an answer that is not taken", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 1, 60 * time.Second},
			{"a second request", "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", 4 << 20, 60 * time.Second},
		} {
			ours, theirs := net.Pipe()
			l.conns <- theirs
			began := time.Now()
			io.WriteString(ours, c.says)
			var reading sync.WaitGroup
			reading.Go(func() { io.CopyN(io.Discard, ours, c.takes) })
			for now := 1; now > 0 && time.Since(began) < time.Hour; now, _ = s.Connections() {
				time.Sleep(100 * time.Millisecond)
			}
			if took := time.Since(began); took < c.bound || took > c.bound+time.Second {
				t.Errorf("it waits for %s: %v, want %v", c.name, took, c.bound)
			}
			ours.Close()
			reading.Wait()
		}
		s.Close()
		serving.Wait()
	})
}

// pipes is a listener to whom connections are handed.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error   { close(p.closed); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

func TestEviction(t *testing.T) {
	c := crowd{room: 3, guests: map[net.Conn]*guest{}, from: map[netip.Addr]int{}}
	var came []net.Conn
	come := func(from string) net.Conn {
		conn := &fakeConn{address: from}
		c.moved(conn, http.StateNew)
		came = append(came, conn)
		return conn
	}
	gone := func() (n int) {
		for i, conn := range came {
			if conn.(*fakeConn).closed {
				n = 10*n + i
			}
		}
		return n
	}
	come("10.0.0.1:1")                            // 0
	c.moved(come("10.0.0.2:1"), http.StateActive) // 1
	c.moved(come("10.0.0.2:2"), http.StateActive) // 2
	come("10.0.0.3:1")                            // 3: 0 waits, and goes
	if got := gone(); got != 0 || c.evicted != 1 {
		t.Errorf("gone: %d", got)
	}
	come("10.0.0.3:2") // 4: 3 waits
	if got := gone(); got != 3 {
		t.Errorf("gone: %d", got)
	}
	c.moved(came[4], http.StateActive)
	come("@") // 5: all are served; 10.0.0.2 has two, and 1 is the older one
	if got := gone(); got != 13 {
		t.Errorf("gone: %d", got)
	}
	for _, conn := range came {
		c.moved(conn, http.StateClosed)
	}
	if len(c.guests) != 0 || len(c.from) != 0 {
		t.Errorf("left: %v %v", c.guests, c.from)
	}
}

// fakeConn is a connection of which only the address and the end matter.
type fakeConn struct {
	net.Conn
	address string
	closed  bool
}

func (c *fakeConn) RemoteAddr() net.Addr { return c }
func (c *fakeConn) Network() string      { return "tcp" }
func (c *fakeConn) String() string       { return c.address }
func (c *fakeConn) Close() error {
	c.closed = true
	return nil
}

func TestRequestLimits(t *testing.T) {
	w := newWorld(t)
	h := NewHandler("https://paper.example")
	h.Show(w.edition(w.publisher(publication([]Outlet{outlet("a")}, Section{Slug: "all"}))))
	_, address := startServer(t, w, h, 100)
	for _, c := range []struct{ request, want string }{
		{"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("x", 24<<10) + "\r\n\r\n", "HTTP/1.1 431 "},
		{"GET /" + strings.Repeat("x", 24<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 431 "},
		{"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("x", 8<<10) + "\r\n\r\n", "HTTP/1.1 200 "},
		{"GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: " + strings.Repeat(`"a", `, 2000) + "\r\n\r\n", "HTTP/1.1 200 "},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n" + strings.Repeat("x", 64<<10), "HTTP/1.1 405 "},
		{"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", "HTTP/1.1 "},
		{"GET http://elsewhere.example/all.atom?key=<script> HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 "},
		{"GET /%00%0d%0aSet-Cookie:x=1 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 "},
		{"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405 "},
		{"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 40"},
		{"nonsense\r\n\r\n", "HTTP/1.1 400 "},
	} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(time.Minute))
		io.WriteString(conn, c.request)
		line, err := bufio.NewReader(conn).ReadString('\n')
		if !strings.HasPrefix(line, c.want) {
			t.Errorf("%.60q: %q %v, want %s", c.request, line, err, c.want)
		}
		conn.Close()
	}
}
