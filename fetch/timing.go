package fetch

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"time"

	"broadsheet/store"
)

// Bounds of asking (PROTOCOL 1.2 and 1.4). The operator's own are in Settings.
const (
	publicInterval = 5 * time.Minute // a public address is never asked more often, whatever is configured
	maxBackOff     = 24 * time.Hour
	refusedPause   = 4 * time.Hour       // at least, after 403, or 429 without Retry-After
	missingPause   = time.Hour           // at least, after 404 and its like, at a public address
	deadAfter      = 14 * 24 * time.Hour // of nothing but failures, the last of them 404 or its like
	deadPause      = 7 * 24 * time.Hour
	unsoundPause   = 24 * time.Hour // between requests to a feed whose validators cannot be sent
	outagePause    = 5 * time.Minute
	safetyPause    = 24 * time.Hour // between polls of a feed whose hub pushes (PROTOCOL F17)
	spreadShare    = 0.05           // of the interval: the stable offset by which feeds are spread
	maxSpread      = 10 * time.Minute
	earlyShare     = 0.10           // of the interval: how much earlier a one-shot may come than the schedule says
	floodShown     = 24 * time.Hour // for so long a flood is told with the feed's state
)

// A Due says when a feed may be asked again, and why then.
type Due struct {
	At     time.Time // when a daemon polls; zero: at once
	Early  time.Time // when a one-shot may; the same unless only an interval of ours is waited for
	Forced time.Time // when --force may
	Never  bool      // answered 410 or 451, or disabled
	State  string    // new, ok, failing, dead?, held, gone, disabled
	Reason string    // of At, in words
}

// Next is when f may be asked again. It is pure: a restart, a reload and another process come to the
// same result. What it knows are lower bounds: of the schedule and all that an outlet says or shows, the one
// that leaves it alone for longest counts. Hints of the outlet and our guess at its rhythm reach as far as
// max_interval.
func Next(f *Feed, s *Settings, st *store.FeedState) Due {
	switch {
	case !f.Enabled:
		return Due{Never: true, State: "disabled", Reason: "enabled = false"}
	case st.Gone && st.Status == http.StatusUnavailableForLegalReasons:
		return Due{Never: true, State: "gone", Reason: "the outlet said 451 Unavailable For Legal Reasons"}
	case st.Gone:
		return Due{Never: true, State: "gone", Reason: "the outlet said 410 Gone"}
	case st.LastTry.IsZero():
		return Due{State: "new", Reason: "never polled"}
	}
	interval := f.Schedule.Next(st.LastTry).Sub(st.LastTry)
	from := st.LastTry
	if st.Outage { // an attempt that failed by our own fault moves nothing
		from = st.LastPoll
	}
	d := Due{State: "ok", Reason: "schedule", Early: st.LastTry, At: st.LastTry}
	if !from.IsZero() {
		scheduled := f.Schedule.Next(from)
		d.At = scheduled.Add(spread(f.URL, interval))
		d.Early = scheduled.Add(-early(interval))
	}
	least := s.least(st)
	d.Forced = st.LastPoll.Add(least)
	d.wait(st.LastPoll.Add(least), "min_interval: every "+words(least))
	if st.Outage {
		d.wait(st.LastTry.Add(outagePause), "no host can be reached, our own network may be down: again after "+words(outagePause))
	}
	if st.Failures > 0 {
		d.failed(f, st, interval)
	}
	d.hints(f, s, st, interval)
	if f.WebSub {
		d.pushed(&st.Push, st)
	}
	if st.Unsound {
		d.wait(st.LastPoll.Add(unsoundPause), "its 304 hid changes, so it is asked without validators: every "+words(unsoundPause))
	}
	if st.RetryAfter.After(d.At) {
		d.State = "held"
	}
	d.wait(st.RetryAfter, "Retry-After until "+clockTime(st.RetryAfter, st.LastPoll))
	d.Forced = later(d.Forced, st.RetryAfter)
	if st.Outage && st.LastPoll.IsZero() {
		d.State = "new" // it was never reached
	}
	if st.Move.Holds {
		d.Reason += "; moved to " + st.Move.To
	}
	if !st.Flood.IsZero() && st.LastTry.Sub(st.Flood) < floodShown {
		d.Reason += fmt.Sprintf("; flood: %d new items at once at %s", st.FloodItems, clockTime(st.Flood, st.LastTry))
	}
	return d
}

// Dues are when feeds may be asked again, with what a host owes to one of its feeds' answers: if that asked to be
// left alone, it is, for all of them; and with what feeds of one address owe each other. states are those of feeds, in
// their order.
func Dues(feeds []Feed, s *Settings, states []store.FeedState, now time.Time) []Due {
	holds, hosts, shared := map[string]time.Time{}, make([]string, len(feeds)), map[string][]int{}
	for i := range feeds {
		hosts[i], _ = s.rule(askAt(&feeds[i], &states[i], now))
		if states[i].HostHold {
			holds[hosts[i]] = later(holds[hosts[i]], states[i].RetryAfter)
		}
		if feeds[i].Enabled {
			key := feeds[i].shareKey()
			shared[key] = append(shared[key], i)
		}
	}
	dues := make([]Due, len(feeds))
	for i := range feeds {
		dues[i] = Next(&feeds[i], s, &states[i])
		dues[i].held(holds[hosts[i]], now)
	}
	for _, same := range shared {
		for _, i := range same {
			for _, o := range same {
				if o != i && hosts[o] == hosts[i] {
					dues[i].share(&feeds[o], s, &states[o], now, false)
				}
			}
		}
	}
	return dues
}

// held puts d off until the host's Retry-After is over, --force as well.
func (d *Due) held(until, now time.Time) {
	if d.Never || !until.After(now) {
		return
	}
	if until.After(d.At) {
		d.At, d.State, d.Reason = until, "held", "Retry-After of the host until "+clockTime(until, now)
	}
	d.Early, d.Forced = later(d.Early, until), later(d.Forced, until)
}

// wait puts d off until then, if it is sooner.
func (d *Due) wait(until time.Time, reason string) {
	d.spaced(until, until, reason)
}

// spaced puts d off until at, and one-shots until early.
func (d *Due) spaced(at, early time.Time, reason string) {
	if at.After(d.At) {
		d.At, d.Reason = at, reason
	}
	d.Early = later(d.Early, early)
}

// failed puts d off by the back-off that the last failures ask for.
func (d *Due) failed(f *Feed, st *store.FeedState, interval time.Duration) {
	d.State = "failing"
	least, because := time.Duration(0), ""
	switch {
	case st.Status == http.StatusForbidden, st.Status == http.StatusTooManyRequests && st.RetryAfter.IsZero():
		least, because = refusedPause, fmt.Sprintf("the outlet said %d: every %s", st.Status, words(refusedPause))
	case st.Missing && !st.Private:
		least, because = missingPause, "the feed is missing: every "+words(missingPause)
	}
	pause := backOff(max(interval, least), st.Failures, share(f.URL))
	reason := because
	if least < interval || st.Failures > 1 {
		reason = "back-off after " + store.Count(st.Failures, "failure")
	}
	if st.Missing && st.LastTry.Sub(st.FailingSince) >= deadAfter {
		d.State = "dead?"
		pause, reason = deadPause, "dead? missing since "+st.FailingSince.UTC().Format("2006-01-02")+": every "+words(deadPause)
	}
	d.wait(st.LastTry.Add(pause), reason)
}

// hints puts d off as the outlet asks with its answers and documents, and as its own rhythm shows.
func (d *Due) hints(f *Feed, s *Settings, st *store.FeedState, interval time.Duration) {
	last := st.LastPoll.Add(s.MaxInterval)
	cut := func(until time.Time, reason string) (time.Time, string) {
		if until.After(last) {
			return last, reason + ", cut to max_interval"
		}
		return until, reason
	}
	if rhythm, reason := rhythm(s, st); rhythm > interval {
		d.spaced(st.LastPoll.Add(rhythm+spread(f.URL, rhythm)), st.LastPoll.Add(rhythm-early(rhythm)), reason)
	}
	d.wait(cut(st.FreshUntil, "max-age "+words(st.FreshUntil.Sub(st.LastPoll))))
	d.wait(cut(st.LastPoll.Add(st.TTL), "ttl "+words(st.TTL)))
	d.wait(cut(st.LastPoll.Add(st.Pace.Period), "sy:updatePeriod "+words(st.Pace.Period)))
	at, by := afterSkips(&st.Pace, d.At)
	oneShot, _ := afterSkips(&st.Pace, d.Early)
	if by == "" {
		at = d.At
	} else {
		at, by = cut(at.Add(spread(f.URL, interval)), by)
	}
	oneShot, _ = cut(oneShot, "")
	d.spaced(at, oneShot, by)
}

// least is the shortest pause between two polls of a feed.
func (s *Settings) least(st *store.FeedState) time.Duration {
	if st.Private {
		return s.MinInterval
	}
	return max(s.MinInterval, publicInterval)
}

// pushed puts d off as long as the feed's hub pushes: then a poll only makes sure of it. It comes with the end of the lease
// at the latest, and a hub that kept something back, or a feed that fails, is not relied upon.
func (d *Due) pushed(p *store.Push, st *store.FeedState) {
	hub := nameIn(p.Hub)
	switch {
	case p.Hub == "":
	case !p.Until.After(st.LastPoll):
		if p.Err != "" {
			d.Reason += fmt.Sprintf("; no push from %s: %s", hub, p.Err)
		}
	case p.Missed:
		d.Reason += fmt.Sprintf("; %s did not push what the last poll found", hub)
	case st.Failures == 0:
		at := st.LastPoll.Add(safetyPause)
		if p.Until.Before(at) {
			at = p.Until
		}
		d.spaced(at, at.Add(-early(safetyPause)), fmt.Sprintf("pushed by %s until %s; safety poll every %s", hub, clockTime(p.Until, st.LastPoll), words(safetyPause)))
	}
}

// rhythm is how often an outlet of this rhythm is asked, as far as that is less often than its schedule. An
// address in allow_private is asked as written.
func rhythm(s *Settings, st *store.FeedState) (time.Duration, string) {
	newest := st.Pace.Newest
	if newest.IsZero() {
		newest = st.LastNewItem
	}
	switch {
	case st.Private || newest.IsZero():
		return 0, ""
	case st.LastPoll.Sub(newest) >= silence:
		return s.MaxInterval, fmt.Sprintf("silent for %s: every %s", words(st.LastPoll.Sub(newest)), words(s.MaxInterval))
	}
	pause := min(st.Pace.Gap/2, s.MaxInterval)
	return pause, "quiet outlet: every " + words(pause)
}

// backOff doubles the interval with each failure after the first, up to a day, a fifth more or less so
// that feeds that failed together do not come back together (PROTOCOL F32).
func backOff(interval time.Duration, failures int, share float64) time.Duration {
	pause := interval
	for range failures - 1 {
		if pause *= 2; pause >= maxBackOff {
			break
		}
	}
	if failures > 1 {
		pause += time.Duration((share - 0.5) * 0.4 * float64(pause))
	}
	return min(pause, max(maxBackOff, interval))
}

// spread is the stable offset by which an address lies behind its interval.
func spread(address string, interval time.Duration) time.Duration {
	return min(time.Duration(spreadShare*share(address)*float64(interval)), maxSpread)
}

func early(interval time.Duration) time.Duration {
	return time.Duration(earlyShare * float64(interval))
}

// share is a stable number in [0, 1) for an address.
func share(address string) float64 {
	h := fnv.New32a()
	h.Write([]byte(address))
	x := h.Sum32() // FNV's high bits hardly move between addresses that differ at their end
	x ^= x >> 16
	x *= 0x45d9f3b
	x ^= x >> 16
	return float64(x) / (1 << 32)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
