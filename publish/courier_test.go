package publish

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Leases are bounded, whatever is wished, and end.
func TestHubLeases(t *testing.T) {
	for wish, want := range map[string]time.Duration{
		"": defaultLease, "0": defaultLease, "1": minLease, "86400": 24 * time.Hour, "99999999": maxLease, strings.Repeat("9", 50): maxLease,
	} {
		if got, no := leaseOf(wish); got != want || no != nil {
			t.Errorf("%q: %v, %v, want %v", wish, got, no, want)
		}
	}
	p := newPress(t)
	r := newReader(t, p.world)
	p.subscribe(t, r, r.address)
	p.stop()
	p.change(func(n *notice) { n.Lease = time.Now().Add(-time.Second) })
	p.start()
	p.poll(in("1m"), "a", feedOf("a"), news("two", "https://a.example/2", "<p>two</p>"))
	p.print()
	p.await(t, func() bool { return len(p.notices()) == 0 }) // of a lease that ended
	quiet(t, r.came)
}

// What a subscriber does not take is tried again, the newest only; a restart forgets nothing, and 410 ends it.
func TestHubRetries(t *testing.T) {
	p := newPress(t)
	r := newReader(t, p.world)
	p.subscribe(t, r, r.address)
	r.set(echo, 503)
	p.poll(in("1m"), "a", feedOf("a"), news("two", "https://a.example/2", "<p>two</p>"))
	began := time.Now()
	p.print()
	next(t, r.came)
	p.await(t, func() bool {
		n := p.notices()[0]
		return n.Failures == 1 && n.Owed.After(began.Add(3*time.Second)) || n.Failures > 1 // when that much has passed
	})
	p.await(t, func() bool { c := p.hub.Counts(); return c.Failed > 0 && c.Owed == 1 }) // counted after it is noted
	p.stop()
	later(r.came) // what came while the machine stood still
	p.change(func(n *notice) { n.Owed = time.Now().Add(time.Hour) })
	p.start()
	p.poll(in("2m"), "a", feedOf("a"), news("three", "https://a.example/3", "<p>three</p>"))
	p.print()
	quiet(t, r.came) // not yet

	p.stop()
	p.change(func(n *notice) { n.Owed = time.Now() })
	r.set(echo, 200)
	p.start()
	p.print()
	if d := next(t, r.came); d.body != string(p.handler.Shown().Document("all.atom").Body) {
		t.Error("it is not the newest that is delivered")
	}
	quiet(t, r.came)
	p.await(t, func() bool { n := p.notices()[0]; return n.Failures == 0 && n.Owed.IsZero() })

	// What is new while the hub is away comes when it is back.
	p.stop()
	p.poll(in("3m"), "a", feedOf("a"), news("four", "https://a.example/4", "<p>four</p>"))
	p.start()
	p.print()
	next(t, r.came)

	// News that nobody takes for a day are given up; the subscription stays, and the next news are tried.
	p.await(t, func() bool { return p.notices()[0].Owed.IsZero() })
	r.set(echo, 500)
	p.poll(in("4m"), "a", feedOf("a"), news("five", "https://a.example/5", "<p>five</p>"))
	p.print()
	next(t, r.came)
	p.await(t, func() bool { return p.notices()[0].Failures > 0 })
	p.stop()
	later(r.came)
	p.change(func(n *notice) { n.Failures, n.Owed, n.Since = 1, time.Now(), time.Now().Add(-25*time.Hour) })
	p.start()
	p.print()
	next(t, r.came)
	p.await(t, func() bool { n := p.notices()[0]; return n.Failures == 2 && n.Owed.IsZero() })
	if c := p.hub.Counts(); c.Dropped != 1 {
		t.Errorf("counts %+v", c)
	}
	r.set(echo, 410)
	p.poll(in("5m"), "a", feedOf("a"), news("six", "https://a.example/6", "<p>six</p>"))
	p.print()
	next(t, r.came)
	p.await(t, func() bool { return len(p.notices()) == 0 })
}

// later takes what has come in addition.
func later[T any](from chan T) {
	for range len(from) {
		<-from
	}
}

// Two publishers on one store tell each change once, and an older edition never follows a newer one.
func TestHubShared(t *testing.T) {
	p := newPress(t)
	r := newReader(t, p.world)
	p.subscribe(t, r, r.address)
	other := NewHub(hubOptions(p.world, p.base))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- other.Run(ctx) }()
	old := p.handler.Shown()
	for i := range 20 {
		p.poll(in("1m"), "a", feedOf("a"), news(fmt.Sprint(i), fmt.Sprint("https://a.example/n", i), "<p>x</p>"))
		e := p.edition(p.pub)
		p.hub.Announce(e)
		other.Announce(e)
		if d := next(t, r.came); d.body != string(e.Document("all.atom").Body) {
			t.Fatal("not this edition")
		}
		p.await(t, func() bool { return p.notices()[0].Owed.IsZero() })
	}
	other.Announce(old)
	quiet(t, r.came)
	if a, b := p.hub.Counts().Told, other.Counts().Told; a+b != 20 {
		t.Errorf("told %d and %d times", a, b)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// What another process is telling is left to it, however far behind its clock is, and taken over when it does not come to an end.
func TestHubSharedByOtherClocks(t *testing.T) {
	p := newPress(t)
	r := newReader(t, p.world)
	p.subscribe(t, r, r.address)
	p.stop()
	p.poll(in("1m"), "a", feedOf("a"), news("two", "https://a.example/2", "<p>two</p>"))
	e := p.edition(p.pub)
	p.change(func(n *notice) {
		n.Told, n.Revision = e.Document("all.atom").News, e.Revision
		n.Owed, n.Teller = time.Now().Add(claimTime-5*time.Minute), "another"
	})
	p.start()
	p.print()
	quiet(t, r.came)

	now := time.Now()
	n := told{seen: now, notice: notice{Owed: now.Add(-time.Hour), Teller: "another"}}
	if at := n.free("me"); !at.Equal(now.Add(claimTime)) {
		t.Errorf("free at %v, seen at %v", at, now)
	}
	if at := n.free("another"); !at.Equal(n.Owed) {
		t.Errorf("what the same one tells is free at %v", at)
	}
}

// A hub takes no more subscriptions than it can serve.
func TestHubFull(t *testing.T) {
	p := newPress(t)
	r := newReader(t, p.world)
	p.stop()
	for i := range hostShare {
		n := notice{Topic: p.topic(), Callback: fmt.Sprint(r.address, "/", i), Lease: time.Now().Add(time.Hour), Told: p.handler.Shown().Document("all.atom").News}
		if err := p.st.SetNote(t.Context(), "hub", fmt.Sprint(i), encodeNotice(&n)); err != nil {
			t.Fatal(err)
		}
	}
	p.start()
	p.print()
	p.await(t, func() bool { return p.hub.Counts().Receivers == hostShare })
	if status, _ := p.request("hub.mode", "subscribe", "hub.topic", p.topic(), "hub.callback", r.address+"/more"); status != http.StatusServiceUnavailable {
		t.Errorf("one more of this host: %d", status)
	}
	if status, _ := p.request("hub.mode", "subscribe", "hub.topic", p.topic(), "hub.callback", "http://127.0.0.1:1/"); status != http.StatusAccepted {
		t.Errorf("one of another host: %d", status)
	}
}
