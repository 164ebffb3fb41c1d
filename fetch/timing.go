package fetch

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"
	"time"

	"broadsheet/store"
)

// Bounds of asking (PROTOCOL 1.2 and 1.4). The operator's own are in Settings.
const (
	publicInterval = 5 * time.Minute    // a public address is never asked more often, whatever is configured
	maxRetryAfter  = 7 * 24 * time.Hour // a server may say a week, not a year
	maxBackOff     = 24 * time.Hour
	refusedPause   = 4 * time.Hour // after 403, or 429 without Retry-After
	maxTTL         = 10080         // minutes, a week; a larger ttl is a mistake
	spreadShare    = 0.05          // of the interval: the stable offset by which feeds are spread
	maxSpread      = 10 * time.Minute
	earlyShare     = 0.10 // of the interval: how much earlier a one-shot may come than the schedule says
)

// A Due says when a feed may be asked again, and why then.
type Due struct {
	At     time.Time // when a daemon polls; zero: at once
	Early  time.Time // when a one-shot may; the same unless only the schedule is waited for
	Forced time.Time // when --force may
	Never  bool      // answered 410, or disabled
	State  string    // new, ok, failing, held, gone, disabled
	Reason string    // of At, in words
}

// Next is when f may be asked again. It is pure: a restart, a reload and another process come to the
// same result.
func Next(f *Feed, s *Settings, st *store.FeedState) Due {
	switch {
	case !f.Enabled:
		return Due{Never: true, State: "disabled", Reason: "enabled = false"}
	case st.Gone:
		return Due{Never: true, State: "gone", Reason: "the outlet said 410 Gone"}
	case st.LastTry.IsZero():
		return Due{State: "new", Reason: "never polled"}
	}
	least := s.MinInterval
	if !st.Private {
		least = max(least, publicInterval)
	}
	scheduled := f.Schedule.Next(st.LastTry)
	interval := scheduled.Sub(st.LastTry)
	d := Due{State: "ok", Reason: "schedule"}
	d.At = scheduled.Add(min(time.Duration(spreadShare*share(f.URL)*float64(interval)), maxSpread))
	d.Early = scheduled.Add(-time.Duration(earlyShare * float64(interval)))
	d.Forced = st.LastPoll.Add(least)
	wait := func(until time.Time, hard bool, reason string) {
		if until.After(d.At) {
			d.At, d.Reason = until, reason
		}
		if until.After(d.Early) {
			d.Early = until
		}
		if hard && until.After(d.Forced) {
			d.Forced = until
		}
	}
	wait(st.LastPoll.Add(least), true, "min_interval: every "+words(least))
	if st.Failures > 0 {
		d.State = "failing"
		pause := backOff(interval, st.Failures, share(f.URL))
		reason := fmt.Sprintf("back-off after %d %s", st.Failures, plural(st.Failures, "failure"))
		refused := st.Status == http.StatusForbidden || st.Status == http.StatusTooManyRequests && st.RetryAfter.IsZero()
		if refused && pause < refusedPause {
			pause, reason = refusedPause, fmt.Sprintf("the outlet said %d: every %s", st.Status, words(refusedPause))
		}
		wait(st.LastTry.Add(pause), false, reason)
	}
	hint := func(until time.Time, reason string) {
		if last := st.LastPoll.Add(s.MaxInterval); until.After(last) {
			until, reason = last, reason+", cut to max_interval"
		}
		wait(until, false, reason)
	}
	hint(st.FreshUntil, "max-age "+words(st.FreshUntil.Sub(st.LastPoll)))
	hint(st.LastPoll.Add(st.TTL), "ttl "+words(st.TTL))
	if st.RetryAfter.After(d.At) {
		d.State = "held"
	}
	wait(st.RetryAfter, true, "Retry-After until "+st.RetryAfter.UTC().Format("2006-01-02 15:04 MST"))
	return d
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

// freshUntil is how long a response says that it stays fresh (RFC 9111 §4.2): max-age, else
// Expires less Date, less Age; zero if it says nothing.
func freshUntil(h http.Header, at time.Time) time.Time {
	fresh := time.Duration(-1)
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "no-cache", "no-store":
			return time.Time{}
		case "max-age":
			if n, ok := seconds(strings.Trim(strings.TrimSpace(value), `"`)); ok && fresh < 0 {
				fresh = n
			}
		}
	}
	if fresh < 0 {
		expires, err := http.ParseTime(h.Get("Expires"))
		if err != nil {
			return time.Time{}
		}
		date, err := http.ParseTime(h.Get("Date"))
		if err != nil {
			date = at
		}
		fresh = expires.Sub(date)
	}
	if age, ok := seconds(h.Get("Age")); ok {
		fresh -= age
	}
	if fresh <= 0 {
		return time.Time{}
	}
	return at.Add(min(fresh, 365*24*time.Hour))
}

// retryAfter reads Retry-After in both forms (RFC 9110 §10.2.3); zero if there is none that means
// anything.
func retryAfter(h http.Header, at time.Time) time.Time {
	v := strings.TrimSpace(h.Get("Retry-After"))
	until, err := http.ParseTime(v)
	if n, ok := seconds(v); ok {
		until = at.Add(n)
	} else if err != nil {
		return time.Time{}
	}
	if !until.After(at) {
		return time.Time{}
	}
	if last := at.Add(maxRetryAfter); until.After(last) {
		return last
	}
	return until
}

// seconds reads a delta-seconds (RFC 9111 §1.2.2); what overflows means "very long".
func seconds(v string) (time.Duration, bool) {
	if v == "" || strings.Trim(v, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if most := int64(10 * 365 * 24 * 3600); err != nil || n > most {
		n = most
	}
	return time.Duration(n) * time.Second, true
}

// words writes a duration for people: "2 h", "1 h 30 min", "45 s".
func words(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d.Round(time.Minute)/time.Minute)
	case d < 48*time.Hour:
		d = d.Round(time.Minute)
		if m := d % time.Hour / time.Minute; m > 0 {
			return fmt.Sprintf("%d h %d min", d/time.Hour, m)
		}
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d.Round(24*time.Hour)/(24*time.Hour))
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
