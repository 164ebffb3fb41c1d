package fetch

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"broadsheet/store"
)

// Bounds of the rhythm (PROTOCOL F14).
const (
	paceItems = 20                  // the newest dates of a document that make its rhythm
	silence   = 30 * 24 * time.Hour // a feed without a new item for so long is asked every max_interval
)

// readPace reads what a document says of its rhythm: skipHours and skipDays of RSS 2.0, updatePeriod and
// updateFrequency of the syndication module of RSS 1.0. What skips every hour or every day, or is unreadable,
// says nothing; sy:updateBase is misused too often to be read.
func readPace(hours, days []string, period, frequency string) store.Pace {
	var p store.Pace
	for _, h := range hours {
		if n, err := strconv.Atoi(strings.TrimSpace(h)); err == nil && n >= 0 && n <= 24 {
			p.SkipHours |= 1 << (n % 24) // RSS 0.91 counts from 1 to 24
		}
	}
	if p.SkipHours == 1<<24-1 {
		p.SkipHours = 0
	}
	for _, d := range days {
		for n := range 7 {
			if strings.EqualFold(strings.TrimSpace(d), time.Weekday(n).String()) {
				p.SkipDays |= 1 << n
			}
		}
	}
	if p.SkipDays == 1<<7-1 {
		p.SkipDays = 0
	}
	if period != "" || frequency != "" {
		const day = 24 * time.Hour
		p.Period = map[string]time.Duration{"": day, "hourly": time.Hour, "daily": day, "weekly": 7 * day, "monthly": 30 * day, "yearly": 365 * day}[strings.ToLower(strings.TrimSpace(period))]
		if n, err := strconv.Atoi(strings.TrimSpace(frequency)); err == nil && n > 0 {
			p.Period /= time.Duration(n)
		}
	}
	return p
}

// measure finds the rhythm of a document's own dates: the mean gap between its newest ones, and the longest.
func measure(p *store.Pace, arrivals []store.Arrival, at time.Time) {
	var dates []time.Time
	for i := range arrivals {
		b := &arrivals[i].Body
		d := b.Published
		if d.IsZero() {
			d = b.Updated
		}
		if d.Year() >= 1990 && !d.After(at) {
			dates = append(dates, d.Truncate(time.Second))
		}
	}
	all := len(dates)
	slices.SortFunc(dates, func(a, b time.Time) int { return b.Compare(a) })
	dates = slices.CompactFunc(dates, time.Time.Equal)
	p.Gap, p.Longest, p.Newest = 0, 0, time.Time{}
	if len(dates) == 0 {
		return
	}
	p.Newest = dates[0]
	days := len(dates) < all && !slices.ContainsFunc(dates, func(d time.Time) bool { return dates[0].Sub(d)%(24*time.Hour) != 0 })
	dates = dates[:min(len(dates), paceItems)]
	n := len(dates)
	if n > 1 && !days { // days without a time of day do not tell how often there is something
		p.Gap = (dates[0].Sub(dates[n-1]) / time.Duration(n-1)).Truncate(time.Second)
	}
	for i := range max(n-2, 0) { // but for the gap before the last, which may stand there for ever
		p.Longest = max(p.Longest, dates[i].Sub(dates[i+1]))
	}
}

// skipped reports whether the feed asks not to be polled at t, and by which element.
func skipped(p *store.Pace, t time.Time) string {
	t = t.UTC()
	switch {
	case p.SkipHours>>t.Hour()&1 == 1:
		return "skipHours"
	case p.SkipDays>>t.Weekday()&1 == 1:
		return "skipDays"
	}
	return ""
}

// afterSkips is the first time from t on at which the feed may be polled, and what asked for it.
func afterSkips(p *store.Pace, t time.Time) (time.Time, string) {
	by := skipped(p, t)
	for range 8 * 24 { // a week has an hour that neither skips
		if skipped(p, t) == "" {
			break
		}
		t = t.Truncate(time.Hour).Add(time.Hour)
	}
	return t, by
}
