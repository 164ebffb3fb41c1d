package main

import (
	"context"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"broadsheet/store"
)

// Three pollers and two publishers on one database: each feed is polled once when it is due, every item is stored once, copies
// that two pollers save at once are one story, and the publishers' bytes are equal.
func TestPollersAndPublishersShare(t *testing.T) {
	database := needsDatabase(t)
	p := startOrigin(t, 600, 60, 20*time.Millisecond)
	f := newFleet(t, p, database)
	publishers := []*ship{f.launch("serve1", "serve", "--no-fetch"), f.launch("serve2", "serve", "--no-fetch")}
	pollers := []*ship{f.launch("fetch1", "fetch"), f.launch("fetch2", "fetch"), f.launch("fetch3", "fetch")}
	f.caughtUp(fleetPatience)
	for range 2 {
		time.Sleep(5 * time.Second)
		p.move(t)
	}
	f.caughtUp(fleetPatience)
	f.oneStory()
	f.alike(publishers...)
	f.onceEach(fleetEvery)
	f.polite(f.dropped())
	p.reset(t)

	// All of them poll: none is idle because another is quicker.
	for _, s := range pollers {
		f.await(s.name+" polls, too", fleetPatience, func() bool { return f.polled(s) > p.feeds/10 })
	}
	t.Logf("polled %d, %d and %d times", f.polled(pollers[0]), f.polled(pollers[1]), f.polled(pollers[2]))

	// What is committed is shown within two seconds, and not when a publisher looks for it without need; but the machine may be
	// busy with other things.
	took := f.delay(publishers)
	if took > 30*time.Second {
		t.Errorf("a new item is shown %v after its commit", took)
	}
	t.Logf("a new item is shown by both publishers %v after its commit", took.Round(time.Millisecond))

	// A one-shot beside the daemons takes nothing away and polls nothing twice.
	if out, err := f.run("fetch", "--once"); err != nil {
		t.Errorf("fetch --once: %v\n%s", err, out)
	}
	f.stop()
	f.polite(f.dropped())
	if p.origin != nil {
		if n := p.origin.overlap(t); n > 1 && len(f.dropped()) == 0 {
			t.Errorf("a host was asked for %d documents at once", n)
		}
	}
}

// delay moves the press on and measures how long after the commit of a new item all publishers show it.
func (f *fleet) delay(publishers []*ship) time.Duration {
	f.t.Helper()
	before, err := f.store.Revision(context.Background())
	if err != nil {
		f.t.Fatal(err)
	}
	f.press.move(f.t)
	var guid string
	f.await("a new item", fleetPatience, func() bool {
		for it, err := range f.store.Items(context.Background(), store.Query{Outlets: []string{"outlet-0"}, Since: max(before, 1)}) {
			if err == nil {
				guid = it.Title
			}
		}
		return guid != ""
	})
	committed := time.Now()
	for _, p := range publishers {
		f.await("the new item is shown", fleetPatience, func() bool { return p.shows("/first.atom", guid) })
	}
	return time.Since(committed)
}

// Pollers are killed every few seconds, and one stands still for longer than its lease: nothing is lost, nothing comes twice,
// no validator is newer than its items, and no outlet notices.
func TestPollersAreKilled(t *testing.T) {
	database := needsDatabase(t)
	p := startPress(t, 300, 50, 20*time.Millisecond)
	f := newFleet(t, p, database)
	still := f.launch("still", "fetch")
	names := []string{"fetch1", "fetch2", "fetch3"}
	pollers := map[string]*ship{}
	for _, name := range names {
		pollers[name] = f.launch(name, "fetch")
	}
	f.await("the first polls", fleetPatience, func() bool { return p.count() > p.feeds/3 })
	still.Process.Signal(syscall.SIGSTOP)
	stopped, kills := time.Now(), 0
	for end := stopped.Add(time.Minute); time.Now().Before(end); {
		time.Sleep(2*time.Second + rand.N(2*time.Second))
		if f.upTo(pressItems/2) == p.feeds { // nothing that was never seen can be lost
			p.move(t)
		}
		// Killed while there is something to save: answers come, and what came is committed.
		for busy, end := p.count()+5, time.Now().Add(2*time.Second); p.count() < busy && time.Now().Before(end); time.Sleep(time.Millisecond) {
		}
		name := names[rand.IntN(len(names))]
		f.kill(pollers[name])
		kills++
		f.alive()
		pollers[name] = f.launch(name, "fetch")
		if !stopped.IsZero() && time.Since(stopped) > fleetLease+5*time.Second {
			still.Process.Signal(syscall.SIGCONT)
			stopped = time.Time{}
		}
	}
	f.alive()
	f.caughtUp(fleetLease + fleetPatience)
	f.polite(f.inVain())
	f.oneStory()
	t.Logf("%d kills, %d requests", kills, p.count())
	f.stop()
}
