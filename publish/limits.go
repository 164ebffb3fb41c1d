package publish

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// maxConnections is how many clients a server serves at a time, as far as the process may have so many files open.
const maxConnections = 4096

// Server is an http.Server with limits that net/http does not set by itself: a client that dawdles holds nothing for
// long, and many of them do not keep others out (PROTOCOL S13).
type Server struct {
	*http.Server
	crowd crowd
}

// NewServer returns a server of h.
func NewServer(h http.Handler, log *slog.Logger) *Server {
	s := &Server{crowd: crowd{room: roomFor(maxConnections), guests: map[net.Conn]*guest{}, from: map[netip.Addr]int{}}}
	s.Server = &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ConnState:         s.crowd.moved,
	}
	return s
}

// roomFor is n, or half of the files that the process may have open: the other half is for the store and for polls.
func roomFor(n int) int {
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) == nil && uint64(files.Cur)/2 < uint64(n) {
		return max(int(files.Cur/2), 16)
	}
	return n
}

// Connections are how many clients are connected, and how many had to make room for others so far.
func (s *Server) Connections() (now, evicted int) {
	s.crowd.mu.Lock()
	defer s.crowd.mu.Unlock()
	return len(s.crowd.guests), s.crowd.evicted
}

// A crowd are the connections of a server. When there is no room for one more, somebody else goes: whoever waits rather than being
// served, first of all from the address that has most connections. So thousands of connections that do nothing, or send
// their request byte by byte, cost those who made them, and a reader who comes gets in. There is no limit for one address alone: behind a
// proxy all readers have one.
type crowd struct {
	room int

	mu      sync.Mutex // guards what follows
	guests  map[net.Conn]*guest
	from    map[netip.Addr]int // how many guests have this address
	evicted int
}

type guest struct {
	address netip.Addr // the zero Addr on a unix socket
	served  bool       // its request is complete and not answered yet
	since   time.Time  // when that began, or when it began to wait
}

// moved is told what becomes of a connection. StateActive comes when a request's header is complete, so that whoever
// dawdles with it still is new, or idle.
func (c *crowd) moved(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		if len(c.guests) >= c.room {
			c.makeRoom()
		}
		g := &guest{since: time.Now()}
		if a, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil {
			g.address = a.Addr().Unmap()
		}
		c.guests[conn] = g
		c.from[g.address]++
	case http.StateActive, http.StateIdle:
		if g := c.guests[conn]; g != nil {
			g.served, g.since = state == http.StateActive, time.Now()
		}
	case http.StateClosed, http.StateHijacked:
		c.forget(conn)
	}
}

// makeRoom closes one connection. It looks at some of them only, in the order of the map, which is another one each
// time: of a crowd that does nothing it meets enough, and a look at all would cost more than what made it necessary.
func (c *crowd) makeRoom() {
	var out net.Conn
	var worst *guest
	seen := 0
	for conn, g := range c.guests {
		if worst == nil || c.worse(g, worst) {
			out, worst = conn, g
		}
		if seen++; seen == 64 {
			break
		}
	}
	c.forget(out)
	c.evicted++
	out.Close()
}

// worse reports whether a goes rather than b.
func (c *crowd) worse(a, b *guest) bool {
	switch {
	case a.served != b.served:
		return !a.served
	case c.from[a.address] != c.from[b.address]:
		return c.from[a.address] > c.from[b.address]
	}
	return a.since.Before(b.since)
}

func (c *crowd) forget(conn net.Conn) {
	g := c.guests[conn]
	if g == nil {
		return
	}
	delete(c.guests, conn)
	if c.from[g.address]--; c.from[g.address] == 0 {
		delete(c.from, g.address)
	}
}
