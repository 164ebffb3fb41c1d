package main

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"broadsheet/store"
	"broadsheet/store/postgres/pgtest"
)

// ready waits until /readyz of publishers says so, which it must with a 200.
func (f *fleet) ready(says string, publishers ...*ship) {
	f.t.Helper()
	for _, p := range publishers {
		f.await(p.name+" is "+says, fleetPatience, func() bool { return p.shows("/readyz", says) })
	}
}

// PostgreSQL is restarted in immediate mode under load, connections are cut, and there are none to be had: the processes stay up,
// serve what they have, say so, and go on by themselves.
func TestDatabaseGoesAway(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	cluster := pgtest.Start(t, "max_connections=30")
	p := startPress(t, 100, 25, 20*time.Millisecond)
	f := newFleet(t, p, cluster.Database(t, "news")+"&pool_max_conns=4")
	publishers := []*ship{f.launch("serve1", "serve"), f.launch("serve2", "serve", "--no-fetch")}
	f.launch("fetch1", "fetch")
	f.caughtUp(fleetPatience)
	f.alike(publishers...)
	reading, enough := context.WithCancel(t.Context())
	failed := f.readers(reading, publishers...)

	p.move(t)
	f.await("the load", fleetPatience, func() bool { return p.count() > p.feeds+10 })
	cluster.Stop(syscall.SIGQUIT)
	f.ready("degraded: the store cannot be reached; the log says why", publishers...) // not which server, nor as whom
	p.move(t)
	cluster.Run(t)
	f.ready("ok", publishers...)
	f.caughtUp(fleetLease + fleetPatience)

	p.move(t)
	for range 10 {
		cluster.Cut(t)
		time.Sleep(300 * time.Millisecond)
	}
	f.caughtUp(fleetLease + fleetPatience)

	release := cluster.Occupy(t)
	p.move(t)
	f.ready("degraded", publishers...)
	release()
	f.ready("ok", publishers...)
	f.caughtUp(fleetLease + fleetPatience)

	f.alike(publishers...)
	enough()
	answers, errors := failed()
	if errors > 0 || answers < 100 {
		t.Errorf("%d of %d answers to readers were no good", errors, answers)
	}
	f.polite(f.dropped())
	f.oneStory()
	t.Logf("%d answers to readers, all good", answers)
	f.stop()
}

// items are all that are stored, by the ids under which they are published, and when they arrived.
func (f *fleet) items() map[string]time.Time {
	f.t.Helper()
	all := map[string]time.Time{}
	for it, err := range f.store.Items(context.Background(), store.Query{}) {
		if err != nil {
			f.t.Fatal(err)
		}
		all[it.PublishedID] = it.Arrived
	}
	return all
}

// A primary with a synchronous standby is killed under load and the standby promoted: every item that was acknowledged is
// there, and readers notice nothing.
func TestFailover(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	primary := pgtest.Start(t)
	primary.Database(t, "news")
	standby := primary.Standby(t)
	p := startPress(t, 100, 25, 20*time.Millisecond)
	f := newFleet(t, p, fmt.Sprintf("postgres://postgres@%s,%s/news?sslmode=disable&target_session_attrs=read-write&connect_timeout=2",
		primary.Host(), standby.Host()))
	publishers := []*ship{f.launch("serve1", "serve", "--no-fetch"), f.launch("serve2", "serve", "--no-fetch")}
	f.launch("fetch1", "fetch")
	f.launch("fetch2", "fetch")
	f.caughtUp(fleetPatience)
	reading, enough := context.WithCancel(t.Context())
	failed := f.readers(reading, publishers...)

	p.move(t)
	var acknowledged map[string]time.Time // by the primary, which shows what its standby has
	f.await("the load", fleetPatience, func() bool {
		acknowledged = f.items()
		return len(acknowledged) > p.feeds*p.items+p.feeds/10
	})
	primary.Stop(syscall.SIGKILL)
	f.ready("degraded", publishers...)
	p.move(t)
	standby.Promote(t)
	began := time.Now()
	f.ready("ok", publishers...)
	back := time.Since(began)
	now := f.items()
	for id, arrived := range acknowledged { // an item that was lost and polled again has arrived later
		if !now[id].Equal(arrived) {
			t.Errorf("acknowledged, arrived at %v, and gone or come again: %s (%v)", arrived, id, now[id])
		}
	}
	f.caughtUp(fleetLease + fleetPatience)
	f.alike(publishers...)
	enough()
	answers, errors := failed()
	if errors > 0 || answers < 100 {
		t.Errorf("%d of %d answers to readers were no good", errors, answers)
	}
	f.polite(f.dropped())
	f.oneStory()
	t.Logf("publishers found the new primary %v after its promotion; %d answers to readers, all good", back.Round(time.Millisecond), answers)
	f.stop()
}
