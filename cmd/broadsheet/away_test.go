package main

import (
	"context"
	"fmt"
	"regexp"
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
		f.await(p.name+" is "+says, 40*time.Second, func() bool { return p.shows("/readyz", says) })
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
	f.caughtUp(30 * time.Second)
	f.alike(publishers...)
	reading, enough := context.WithCancel(t.Context())
	failed := f.readers(reading, publishers...)

	p.generation.Add(1)
	f.await("the load", 20*time.Second, func() bool { return p.count() > p.feeds+10 })
	cluster.Stop(syscall.SIGQUIT)
	f.ready("degraded", publishers...)
	p.generation.Add(1)
	cluster.Run(t)
	f.ready("ok", publishers...)
	f.caughtUp(fleetLease + 20*time.Second)

	p.generation.Add(1)
	for range 10 {
		cluster.Cut(t)
		time.Sleep(300 * time.Millisecond)
	}
	f.caughtUp(fleetLease + 20*time.Second)

	release := cluster.Occupy(t)
	p.generation.Add(1)
	f.ready("degraded", publishers...)
	release()
	f.ready("ok", publishers...)
	f.caughtUp(fleetLease + 20*time.Second)

	f.alike(publishers...)
	enough()
	answers, errors := failed()
	if errors > 0 || answers < 100 {
		t.Errorf("%d of %d answers to readers were no good", errors, answers)
	}
	p.polite(t, fleetGap, fleetEvery)
	f.oneStory()
	t.Logf("%d answers to readers, all good", answers)
	f.stop()
}

var shownTitle = regexp.MustCompile(`Item \d+ of outlet \d+`)

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
	f.caughtUp(30 * time.Second)
	reading, enough := context.WithCancel(t.Context())
	failed := f.readers(reading, publishers...)

	p.generation.Add(1)
	f.await("the load", 20*time.Second, func() bool { return p.count() > p.feeds+p.feeds/4 })
	shown := map[string]bool{} // to readers, so acknowledged
	for _, s := range publishers {
		body, _ := askFor(s.address + "/all.atom")
		for _, title := range shownTitle.FindAll(body, -1) {
			shown[string(title)] = true
		}
	}
	primary.Stop(syscall.SIGKILL)
	f.ready("degraded", publishers...)
	p.generation.Add(1)
	standby.Promote(t)
	began := time.Now()
	f.ready("ok", publishers...)
	back := time.Since(began)
	f.caughtUp(fleetLease + 30*time.Second)
	for it, err := range f.store.Items(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		delete(shown, it.Title)
	}
	if len(shown) > 0 {
		t.Errorf("shown once and gone: %v", shown)
	}
	f.alike(publishers...)
	enough()
	answers, errors := failed()
	if errors > 0 || answers < 100 {
		t.Errorf("%d of %d answers to readers were no good", errors, answers)
	}
	p.polite(t, fleetGap, fleetEvery)
	f.oneStory()
	t.Logf("publishers found the new primary %v after its promotion; %d answers to readers, all good", back.Round(time.Millisecond), answers)
	f.stop()
}
