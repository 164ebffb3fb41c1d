package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"broadsheet/store"
	"broadsheet/store/postgres/pgtest"
)

// A proxy stands between us and the server, counts round trips and cuts connections. It overlooks the pings of a pool that was idle
// for a second.
type proxy struct {
	net.Listener
	to    string
	trips atomic.Int64
	room  atomic.Int64 // after so many bytes of answers, all connections are cut; below 0: never
	mute  atomic.Bool  // nothing is passed on, and nothing cut
	last  atomic.Pointer[last]
	mu    sync.Mutex // guards conns
	conns []net.Conn
}

// last is the round trip that is not let through any more, nor any after it.
type last struct {
	trip  int64
	ended func() // is told of that, perhaps after the proxy has forgotten it
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
		var answered, pinged atomic.Bool
		answered.Store(true)
		pipe := func(from, to net.Conn, seen func(b []byte)) {
			defer from.Close()
			defer to.Close()
			b := make([]byte, 1<<16)
			for {
				n, err := from.Read(b)
				if err != nil {
					return
				}
				if p.mute.Load() {
					continue
				}
				seen(b[:n]) // which may cut, before anything is passed on
				if _, err := to.Write(b[:n]); err != nil {
					return
				}
			}
		}
		go pipe(client, server, func(b []byte) {
			if bytes.Contains(b, []byte("-- ping")) {
				pinged.Store(true)
				return
			}
			if answered.Swap(false) {
				p.trips.Add(1)
			}
			if last := p.last.Load(); last != nil && p.trips.Load() >= last.trip {
				p.cut()
				last.ended()
			}
		})
		go pipe(server, client, func(b []byte) {
			if pinged.Swap(false) {
				return
			}
			if bytes.HasSuffix(b[:len(b)-1], []byte("Z\x00\x00\x00\x05")) { // ReadyForQuery: the server may speak before it has heard all
				answered.Store(true)
			}
			if room := p.room.Load(); room >= 0 && p.room.Add(-int64(len(b))) < 0 {
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

// Connections are cut while a store is written and read, each time after some more bytes of answers: nothing that was acknowledged is
// lost, nothing comes twice, and nobody hears of it.
func TestConnectionsCut(t *testing.T) {
	p, address := between(t, pgtest.New(t).Database(t))
	s := openAt(t, address)
	cuts := 0
	for n := range 60 {
		p.room.Store(int64(50 * n))
		save(t, s, poll("a", n, fmt.Sprint("https://a.example/", n)), poll("b", n, fmt.Sprint("https://a.example/", n)))
		if got := count(t, s); got != 2*(n+1) {
			t.Fatalf("after %d polls: %d items", n+1, got)
		}
		if p.room.Load() < 0 {
			cuts++
		}
	}
	if cuts < 40 {
		t.Errorf("cut %d times: this proves little", cuts)
	}
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

// Whether a swap was done is not guessed: where the answer is lost, it is an error, and what was done stays.
func TestSwapWithoutAnAnswer(t *testing.T) {
	p, address := between(t, pgtest.New(t).Database(t))
	s := openAt(t, within(address, "pool_max_conns", "1"))
	swap := func(old, to string) ([]bool, error) {
		return s.SwapNotes(t.Context(), "kind", store.Swap{Key: "key", Old: []byte(old), New: []byte(to)})
	}
	if err := s.SetNote(t.Context(), "kind", "key", []byte("0")); err != nil {
		t.Fatal(err)
	}
	for n := range 3 { // the first prepares the statement
		old, to := fmt.Sprint(n), fmt.Sprint(n+1)
		if n < 2 {
			if done, err := swap(old, to); err != nil || !done[0] {
				t.Fatal(done, err)
			}
			continue
		}
		p.room.Store(0)
		if done, err := swap(old, to); !errors.Is(err, errUnknown) {
			t.Errorf("swapped without an answer: %v, %v", done, err)
		}
		if v, err := s.Note(t.Context(), "kind", "key"); string(v) != to || err != nil {
			t.Errorf("the note is %q after that: %v", v, err)
		}
	}
}

// A server that has fallen silent does not hold up a process that stops.
func TestCloseBesideASilentServer(t *testing.T) {
	p, address := between(t, pgtest.New(t).Database(t))
	s, err := Open(t.Context(), address, Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.mute.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := s.Revision(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("of a silent server: %v", err)
	}
	began := time.Now()
	s.Close()
	if took := time.Since(began); took > 13*time.Second {
		t.Errorf("closed after %v", took)
	}
}

// A poller that dies in whatever moment leaves a poll whole or not at all: no validators without the items that they vouch
// for, and no items that nothing leads to.
func TestEndBetweenRoundTrips(t *testing.T) {
	p, address := between(t, pgtest.New(t).Database(t))
	s := openAt(t, within(address, "pool_max_conns", "1"))
	whole, none := 0, 0
	for n := range 30 {
		link := fmt.Sprintf("https://wire.example/%d", n)
		one, two := poll("a", n, link), poll("b", n, link)
		for _, p := range []*store.Poll{&one, &two} {
			p.State.Validators.ETag = fmt.Append(nil, n)
			p.Recollection = fmt.Append(nil, n)
		}
		before, saves := count(t, s), states(t, s)["a"].Saves
		ctx, die := context.WithCancel(t.Context())
		p.last.Store(&last{trip: p.trips.Load() + int64(n) + 1, ended: die})
		s.SavePolls(ctx, one, two)
		p.last.Store(nil)
		die()
		after := states(t, s)
		switch tag := fmt.Sprint(n); count(t, s) - before {
		case 2:
			whole++
			for _, f := range after {
				memory, err := s.Recollection(t.Context(), f.Name())
				if string(f.Validators.ETag) != tag || string(memory) != tag || err != nil {
					t.Errorf("cut at round trip %d: both items, and %s has the validators of %q and remembers %q (%v)", n, f.Outlet, f.Validators.ETag, memory, err)
				}
			}
		case 0:
			none++
			for _, f := range after {
				if string(f.Validators.ETag) == tag {
					t.Errorf("cut at round trip %d: no item, and validators of %s", n, f.Outlet)
				}
			}
			if now := after["a"].Saves; now != saves {
				t.Errorf("cut at round trip %d: %d saves, before %d", n, now, saves)
			}
		default:
			t.Errorf("cut at round trip %d: %d of 2 items", n, count(t, s)-before)
		}
		mustCheck(t, s)
	}
	if none < 5 || whole < 5 {
		t.Errorf("cut before the commit %d times, behind it %d times: this proves nothing", none, whole)
	}
}

// states are all states, by outlet.
func states(t *testing.T, s *Store) map[string]store.FeedState {
	t.Helper()
	all := map[string]store.FeedState{}
	for f, err := range s.Feeds(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all[f.Outlet] = f
	}
	return all
}
