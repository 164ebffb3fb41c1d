package fetch

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	maxRetryAfter = 7 * 24 * time.Hour // a server may say a week, not a year
	maxTTL        = 10080              // minutes, a week; a larger ttl is a mistake
)

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

// clockTime writes a time for people, by the hour if it is near another one.
func clockTime(t, near time.Time) string {
	if d := t.Sub(near).Abs(); d < 20*time.Hour {
		return t.UTC().Format("15:04 MST")
	}
	return t.UTC().Format("2006-01-02 15:04 MST")
}
