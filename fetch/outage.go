package fetch

import (
	"fmt"
	"sync"
	"time"

	"broadsheet/store"
)

// When it is rather our own network that fails than the outlets (PROTOCOL F33).
const (
	outageWindow = time.Hour // attempts of so long are looked at together: a round of the usual schedule
	outageHosts  = 5         // fewer prove nothing
)

// An outageWatch finds out whether hosts fail because our own network does. Feeds are not charged with that.
type outageWatch struct {
	mu    sync.Mutex // guards what follows
	seen  map[string]sighting
	since time.Time // of the outage; zero without one

	// So that an attempt costs the same however many hosts there are.
	attempts    []attempt // of the window, oldest first
	all, failed int       // of seen: those that are not theirs, and of them those that are lost
}

// A sighting is the last attempt to reach a host.
type sighting struct {
	at     time.Time
	lost   bool // there was no connection
	spared bool // and an outage was blamed
	theirs bool // but nor was there one when others were reached again: not our fault, until it is reached
}

type attempt struct {
	host string
	at   time.Time
}

// note takes in an attempt, and reports whether there is an outage and whether it has just begun. A host that
// was failing already says nothing by failing again.
func (o *outageWatch) note(host string, at time.Time, lost, failing bool) (on, began bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.attempts) > 0 && at.Sub(o.attempts[0].at) > outageWindow {
		old := o.attempts[0]
		o.attempts = o.attempts[1:]
		if s, there := o.seen[old.host]; there && s.at.Equal(old.at) && !s.theirs {
			o.count(s, -1)
			delete(o.seen, old.host)
		}
	}
	last := o.seen[host]
	if !lost || !failing {
		o.set(host, sighting{at, lost, lost && last.spared, lost && last.theirs})
		o.attempts = append(o.attempts, attempt{host, at})
	}
	switch on = 2*o.failed >= o.all && (o.all >= outageHosts || !o.since.IsZero()) && o.failed > 0; {
	case !on:
		o.since = time.Time{}
	case o.since.IsZero():
		o.since, began = at, true
	case at.Sub(o.since) > outageWindow && 10*o.failed < 9*o.all:
		// Many were reached for so long: what fails is dead, and not our network.
		for h, s := range o.seen {
			s.theirs = s.lost
			o.set(h, s)
		}
		o.since, on = time.Time{}, false
	}
	if now, noted := o.seen[host]; noted && lost {
		now.theirs = now.theirs || now.spared && !on
		now.spared = on
		o.set(host, now)
	}
	return on && !o.seen[host].theirs, began
}

// set takes up a sighting.
func (o *outageWatch) set(host string, s sighting) {
	if before, there := o.seen[host]; there {
		o.count(before, -1)
	}
	o.seen[host] = s
	o.count(s, 1)
}

// count counts a sighting, or with -1 no longer.
func (o *outageWatch) count(s sighting, n int) {
	if s.theirs {
		return
	}
	o.all += n
	if s.lost {
		o.failed += n
	}
}

// spare notes that an outage is blamed for a host's last failure, if there is one and the host is not known to be
// dead.
func (o *outageWatch) spare(host string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.seen[host]
	if o.since.IsZero() || s.theirs || !s.lost {
		return false
	}
	s.spared = true
	o.seen[host] = s
	return true
}

// spare takes back what a lost attempt charges a feed with. before is its number of failures in front of it.
func spare(st *store.FeedState, before int) {
	st.Failures, st.Outage, st.Missing = before, true, false
	if before == 0 {
		st.FailingSince = time.Time{}
	}
}

// Degraded says why what is known of the outlets is out of date although polling goes on: the store takes nothing (a full disk),
// or it or most hosts cannot be reached. Nil if all is well.
func (s *Scheduler) Degraded() error {
	for _, t := range []*trouble{&s.unreached, &s.unsaved} {
		if err := t.get(); err != nil {
			return err
		}
	}
	s.outage.mu.Lock()
	defer s.outage.mu.Unlock()
	if s.outage.since.IsZero() {
		return nil
	}
	return fmt.Errorf("since %s most hosts cannot be reached: our own network or its name server may be down", s.outage.since.UTC().Format("2006-01-02 15:04 MST"))
}

// judge decides whether a poll that reached no server was the feed's fault.
func (s *Scheduler) judge(f *Feed, before *store.FeedState, p *store.Poll, lost bool, settings *Settings) (began bool) {
	if p.State.LastTry.Equal(p.State.LastPoll) {
		lost = false
	} else if !lost {
		return false // refused by our own guard: it tells nothing about the network
	}
	host, _ := settings.rule(f.Address)
	on, began := s.outage.note(host, p.At, lost, before.Failures > 0)
	if on && lost {
		spare(&p.State, before.Failures)
		due := Next(f, settings, &p.State)
		p.State.NextPoll, p.State.Reason = due.At, due.Reason
	}
	return began
}

// amnesty spares the feeds that were charged before the outage was seen.
func (s *Scheduler) amnesty(wall time.Time) {
	spared := 0
	for _, j := range s.jobs {
		if s.pardon(j, wall) {
			spared++
		}
	}
	s.o.Log.Warn("most hosts cannot be reached: our own network or its name server may be down; no feed is charged with that", "spared", spared)
}

// pardon spares a feed that was charged for the first time and should not have been. Its state is saved in front of
// whatever a later poll saves, unless another poller has the host by now.
func (s *Scheduler) pardon(j *job, wall time.Time) bool {
	st := j.state
	if s.jobs[j.feed.Name()] != j || j.running || j.epoch == 0 || st.Failures != 1 || !st.LastTry.After(st.LastPoll) || wall.Sub(st.LastTry) > outageWindow {
		return false
	}
	if host, _ := s.o.Settings.rule(j.feed.Address); !s.outage.spare(host) {
		return false
	}
	spare(&st, 0)
	due := Next(&j.feed, &s.o.Settings, &st)
	st.NextPoll, st.Reason = due.At, due.Reason
	j.state = st
	s.saver.in <- &saving{poll: store.Poll{At: st.LastTry, State: st, Host: j.host.name, Epoch: j.epoch}, done: make(chan struct{})}
	s.reckon(j)
	return true
}
