package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"broadsheet/store"
	"broadsheet/store/postgres/pgtest"
)

var start = time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)

// poll is a poll of an outlet's feed with one item.
func poll(outlet string, n int, link string) store.Poll {
	at := start.Add(time.Duration(n) * time.Minute)
	return store.Poll{At: at, State: store.FeedState{Outlet: outlet, URL: "https://" + outlet + ".example/feed", LastPoll: at, LastSuccess: at},
		Arrivals: []store.Arrival{{Item: store.Item{GUID: fmt.Sprint(n), Link: link, Title: fmt.Sprint(outlet, n), Text: uint64(n) + 1}, Body: store.Body{Content: fmt.Sprint(n)}, Canonical: link}}}
}

func save(t *testing.T, s *Store, polls ...store.Poll) []store.Saved {
	t.Helper()
	saved, err := s.SavePolls(t.Context(), polls...)
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

func count(t *testing.T, s *Store) (n int) {
	t.Helper()
	for _, err := range s.Items(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// Of many processes that come to an empty database at once, one makes the store and all find it.
func TestOpenAtOnce(t *testing.T) {
	address := pgtest.New(t).Database(t)
	var wg sync.WaitGroup
	ids := make([]string, 8)
	for i := range ids {
		wg.Go(func() {
			s, err := Open(t.Context(), address, Options{})
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = s.ID()
			s.Close()
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Fatalf("ids %q", ids)
		}
	}
	s := openAt(t, address)
	if _, err := s.pool.Exec(t.Context(), "UPDATE migrations SET done = 99"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), address, Options{}); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("a schema of tomorrow: %v", err)
	}
	if _, err := Open(t.Context(), within(address, "search_path", "nobody"), Options{Exists: true}); err == nil || !strings.Contains(err.Error(), "no store") {
		t.Errorf("a store that must be there: %v", err)
	}
}

// Copies that several processes commit at once become one story, each item is stored once, and the numbers have no gap.
func TestSeveralProcesses(t *testing.T) {
	address := pgtest.New(t).Database(t)
	const processes, rounds = 4, 30
	stores := make([]*Store, processes)
	for i := range stores {
		stores[i] = openAt(t, address)
	}
	var wg sync.WaitGroup
	for i, s := range stores {
		wg.Go(func() {
			for n := range rounds {
				link := fmt.Sprintf("https://wire.example/%d", n)
				shared := poll("shared", n, fmt.Sprintf("https://shared.example/%d", n))
				if _, err := s.SavePolls(t.Context(), poll(fmt.Sprint("outlet", i), n, link), shared); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	stories, last := map[string]store.StoryID{}, store.ItemID(0)
	n := 0
	for it, err := range stores[0].Items(t.Context(), store.Query{ByArrival: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if known := stories[it.Link]; known != 0 && known != it.Story {
			t.Errorf("%s is of stories %d and %d", it.Link, known, it.Story)
		}
		stories[it.Link], last = it.Story, max(last, it.ID)
		n++
	}
	if n != (processes+1)*rounds || last != store.ItemID(n) {
		t.Errorf("%d items, the last has number %d; want %d", n, last, (processes+1)*rounds)
	}
	mustCheck(t, stores[0])
}

// A proxy stands between us and the server, counts round trips and cuts connections.
type proxy struct {
	net.Listener
	to    string
	trips atomic.Int64
	room  atomic.Int64 // after so many bytes of answers, all connections are cut; below 0: never
	mu    sync.Mutex   // guards conns
	conns []net.Conn
}

// between puts a proxy into an address.
func between(t *testing.T, address string) (*proxy, string) {
	host := address[strings.Index(address, "@")+1:]
	host = host[:strings.Index(host, "/")]
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l, to: host}
	p.room.Store(-1)
	go p.accept()
	t.Cleanup(func() { l.Close(); p.cut() })
	return p, strings.Replace(address, host, l.Addr().String(), 1)
}

func (p *proxy) accept() {
	for {
		client, err := p.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.to)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		var answered atomic.Bool
		answered.Store(true)
		pipe := func(from, to net.Conn, seen func(n int)) {
			defer from.Close()
			defer to.Close()
			b := make([]byte, 1<<16)
			for {
				n, err := from.Read(b)
				if err != nil {
					return
				}
				seen(n)
				if _, err := to.Write(b[:n]); err != nil {
					return
				}
			}
		}
		go pipe(client, server, func(int) {
			if answered.Swap(false) {
				p.trips.Add(1)
			}
		})
		go pipe(server, client, func(n int) {
			answered.Store(true)
			if room := p.room.Load(); room >= 0 && p.room.Add(-int64(n)) < 0 {
				p.room.Store(-1)
				p.cut()
			}
		})
	}
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

// A batch of polls without news is one round trip, whatever their number; one with news is a few.
func TestRoundTrips(t *testing.T) {
	p, address := between(t, pgtest.New(t).Database(t))
	s := openAt(t, within(address, "pool_max_conns", "1"))
	var polls []store.Poll
	for i := range 64 {
		polls = append(polls, poll(fmt.Sprint("outlet", i), i, ""))
	}
	trips := func(what string, most int64, polls ...store.Poll) []store.Saved {
		t.Helper()
		var saved []store.Saved
		for i := range 3 { // the first prepares its statements
			before := p.trips.Load()
			saved = save(t, s, polls...)
			if n := p.trips.Load() - before; i == 2 && n > most {
				t.Errorf("%s: %d round trips, want %d at most", what, n, most)
			}
			for i := range polls {
				polls[i].State.Saves = saved[i].State.Saves
			}
		}
		return saved
	}
	saved := trips("unchanged documents", 6, polls...)
	for i := range polls {
		polls[i].Arrivals, polls[i].State = nil, saved[i].State
	}
	trips("no documents", 1, polls...)
	trips("one without a document", 1, polls[0])
	before := p.trips.Load()
	for i := range polls {
		polls[i] = poll(fmt.Sprint("outlet", i), 1000+i, fmt.Sprint("https://new.example/", i))
	}
	save(t, s, polls...)
	if n := p.trips.Load() - before; n > 12 {
		t.Errorf("64 polls with news: %d round trips", n)
	}
	for range 3 {
		if _, err := s.Revision(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if before = p.trips.Load(); err(s.Revision(t.Context())) != nil || p.trips.Load() != before+1 {
		t.Errorf("a revision: %d round trips", p.trips.Load()-before)
	}
}

func err[T any](_ T, err error) error { return err }

// Connections are cut while a store is written and read: nothing that was acknowledged is lost, nothing comes twice, and
// nobody hears of it.
func TestConnectionsCut(t *testing.T) {
	p, address := between(t, pgtest.New(t).Database(t))
	s := openAt(t, address)
	done := make(chan struct{})
	var cutter sync.WaitGroup
	cutter.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(250 * time.Millisecond):
				p.cut()
			}
		}
	})
	for n := range 40 {
		save(t, s, poll("a", n, fmt.Sprint("https://a.example/", n)), poll("b", n, fmt.Sprint("https://a.example/", n)))
		if got := count(t, s); got != 2*(n+1) {
			t.Fatalf("after %d polls: %d items", n+1, got)
		}
	}
	close(done)
	cutter.Wait()
	mustCheck(t, s)
}

// A connection that is cut in the middle of an answer costs none of what is read, in whatever order.
func TestCutWithinAnAnswer(t *testing.T) {
	p, address := between(t, pgtest.New(t).Database(t))
	s := openAt(t, address)
	const n = 300
	polls := make([]store.Poll, n)
	for i := range polls {
		polls[i] = poll(fmt.Sprint("outlet", i%5), i, fmt.Sprintf("https://a.example/%d/%s", i, strings.Repeat("long", 100)))
	}
	for some := range slices.Chunk(polls, n/2) { // two revisions
		save(t, s, some...)
	}
	outlets := []string{"outlet0", "outlet1", "outlet2", "outlet3", "outlet4"}
	for name, q := range map[string]store.Query{"by date": {}, "by arrival": {ByArrival: true}, "by outlet": {Outlets: outlets}, "by change": {Since: 1}} {
		want := n
		if q.Since > 0 {
			want = n / 2 // the second half
		}
		cuts := 0
		for room := int64(100); room < 200_000; room += 17_000 {
			p.room.Store(room)
			seen := map[store.ItemID]bool{}
			for it, err := range s.Items(t.Context(), q) {
				if err != nil {
					t.Fatal(err)
				}
				seen[it.ID] = true
			}
			if p.room.Load() < 0 {
				cuts++
			}
			if len(seen) != want {
				t.Errorf("%s, cut after %d bytes: %d items of %d", name, room, len(seen), want)
			}
		}
		if cuts < 5 {
			t.Errorf("%s: cut %d times: this proves nothing", name, cuts)
		}
	}
}

// The server is restarted, crashes and comes back while polls are saved.
func TestRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers over and over: takes long")
	}
	cluster := pgtest.Start(t)
	s := openAt(t, cluster.Database(t, "paper"))
	acknowledged := 0
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := s.SavePolls(t.Context(), poll("a", n, "")); err != nil {
				t.Errorf("poll %d: %v", n, err)
				return
			}
			acknowledged++
		}
	})
	for _, sig := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGKILL, syscall.SIGINT} {
		time.Sleep(300 * time.Millisecond)
		cluster.Stop(sig)
		cluster.Run(t)
	}
	time.Sleep(300 * time.Millisecond)
	close(stop)
	wg.Wait()
	if n := count(t, s); n != acknowledged || n == 0 {
		t.Errorf("%d items, %d polls were acknowledged", n, acknowledged)
	}
	mustCheck(t, s)

	// While there is no server, calls fail, in time and with a reason, and an open one ends with its caller.
	cluster.Stop(syscall.SIGQUIT)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := s.Revision(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Revision without a server: %v", err)
	}
	began := time.Now()
	if _, err := s.Revision(t.Context()); !errors.Is(err, store.ErrAway) || !strings.Contains(err.Error(), "PostgreSQL at 127.0.0.1") || time.Since(began) > 3*patience {
		t.Errorf("Revision without a server, after %v: %v", time.Since(began), err)
	}
	cluster.Run(t)
	if _, err := s.Revision(t.Context()); err != nil {
		t.Errorf("the server is back: %v", err)
	}
}

// The primary dies and its standby takes its place: what was acknowledged is there.
func TestFailover(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers over and over: takes long")
	}
	primary := pgtest.Start(t)
	address := primary.Database(t, "paper")
	openAt(t, address).Close()
	standby := primary.Standby(t)
	s := openAt(t, within(strings.Replace(address, primary.Host(), primary.Host()+","+standby.Host(), 1), "target_session_attrs", "read-write"))
	n := 0
	for ; n < 20; n++ {
		save(t, s, poll("a", n, ""))
	}
	primary.Stop(syscall.SIGKILL)
	time.AfterFunc(500*time.Millisecond, func() { standby.Promote(t) })
	for ; n < 40; n++ {
		save(t, s, poll("a", n, ""))
	}
	if got := count(t, s); got != n {
		t.Errorf("%d items of %d", got, n)
	}
}

// Connections are few: who waits in vain hears why, and nobody waits for ever.
func TestPoolExhausted(t *testing.T) {
	s := openAt(t, within(pgtest.New(t).Database(t), "pool_max_conns", "2"))
	var held []*conn
	for range 2 {
		c, err := s.pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := s.Revision(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no connection is free: %v", err)
	}
	for _, c := range held {
		c.Release()
	}
	if _, err := s.Revision(t.Context()); err != nil {
		t.Error(err)
	}
}

// No error names a password, wherever it stands.
func TestPasswords(t *testing.T) {
	const secret = "s3cr%40t"
	for _, address := range []string{
		"postgres://me:" + secret + "@127.0.0.1:1/paper?connect_timeout=1",
		"postgres://me:" + secret + "@127.0.0.1:1/paper?sslmode=nonsense",
		"postgres://me:" + secret + "@127.0.0.1:port/paper",
		"postgres://me:" + secret + "@127.0.0.1:1/pa%zzper",
		"postgres://127.0.0.1:1/paper?user=me&password=" + secret,
		"postgres://me:" + secret + "@127.0.0.1:1,127.0.0.1:2/paper?target_session_attrs=read-write",
		"postgres://me:" + secret + "@127.0.0.1:1/paper?search_path=a,b",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		_, err := Open(ctx, address, Options{})
		cancel()
		if err == nil || strings.Contains(err.Error(), "s3cr") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
