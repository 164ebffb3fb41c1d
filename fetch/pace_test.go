package fetch

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
)

func TestPaceOfADocument(t *testing.T) {
	const rss = `<?xml version="1.0"?><rss version="2.0" xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"><channel><title>x</title>
<link>https://example.com/</link>%s<item><guid isPermaLink="false">1</guid><title>One</title></item></channel></rss>`
	const every = "<hour>0</hour><hour>1</hour><hour>2</hour><hour>3</hour><hour>4</hour><hour>5</hour><hour>6</hour><hour>7</hour><hour>8</hour><hour>9</hour><hour>10</hour><hour>11</hour>" +
		"<hour>12</hour><hour>13</hour><hour>14</hour><hour>15</hour><hour>16</hour><hour>17</hour><hour>18</hour><hour>19</hour><hour>20</hour><hour>21</hour><hour>22</hour><hour>23</hour>"
	for head, want := range map[string]store.Pace{
		"": {},
		"<skipHours><hour>0</hour><hour> 3 </hour><hour>25</hour><hour>x</hour></skipHours>":           {SkipHours: 1<<0 | 1<<3},
		"<skipHours><hour>24</hour></skipHours>":                                                       {SkipHours: 1},
		"<skipHours>" + every + "</skipHours>":                                                         {},
		"<skipDays><day>Saturday</day><day>sunday</day><day>Yesterday</day></skipDays>":                {SkipDays: 1<<6 | 1<<0},
		"<sy:updatePeriod>hourly</sy:updatePeriod><sy:updateFrequency>2</sy:updateFrequency>":          {Period: 30 * time.Minute},
		"<sy:updatePeriod>\n\tWeekly</sy:updatePeriod><sy:updateBase>2000-01-01T12:00</sy:updateBase>": {Period: 7 * 24 * time.Hour},
		"<sy:updateFrequency>4</sy:updateFrequency>":                                                   {Period: 6 * time.Hour},
		"<sy:updatePeriod>often</sy:updatePeriod>":                                                     {},
	} {
		doc, err := parseDocument(fmt.Appendf(nil, rss, head), "", &url.URL{Scheme: "https", Host: "example.com"})
		if err != nil {
			t.Fatalf("%s: %v", head, err)
		}
		if doc.Pace != want {
			t.Errorf("%s: %+v, want %+v", head, doc.Pace, want)
		}
	}
}

func TestMeasure(t *testing.T) {
	hours := func(ages ...float64) (as []store.Arrival) {
		for _, h := range ages {
			as = append(as, store.Arrival{Body: store.Body{Published: noon.Add(-time.Duration(h * float64(time.Hour)))}})
		}
		return as
	}
	var long []float64
	for i := range 50 {
		long = append(long, float64(i))
	}
	for _, c := range []struct {
		arrivals []store.Arrival
		gap      time.Duration
		newest   float64 // hours ago; -1: none
	}{
		{nil, 0, -1},
		{hours(3), 0, 3},
		{hours(1, 3, 5), 2 * time.Hour, 1},
		{hours(5, 1, 3, 3, 3), 2 * time.Hour, 1},
		{hours(-50, 1, 2), time.Hour, 1},                   // the future tells nothing
		{hours(append(long, 1000)...), time.Hour, 0},       // nor does what is older than twenty others
		{hours(0, 0, 24, 24, 24, 48), 0, 0},                // days without a time of day
		{hours(0, 24, 48), 24 * time.Hour, 0},              // one a day
		{hours(0, 0, 0, 24, 25), 12*time.Hour + 1800e9, 0}, // a date twice, but times
	} {
		var p store.Pace
		measure(&p, c.arrivals, noon)
		newest := -1.
		if !p.Newest.IsZero() {
			newest = noon.Sub(p.Newest).Hours()
		}
		if p.Gap != c.gap || newest != c.newest {
			t.Errorf("%d items: gap %v, newest %g h ago; want %v, %g", len(c.arrivals), p.Gap, newest, c.gap, c.newest)
		}
	}
	for _, c := range []struct {
		arrivals []store.Arrival
		longest  time.Duration
	}{{nil, 0}, {hours(1, 3), 0}, {hours(1, 3, 8, 800), 5 * time.Hour}, {hours(0, 24, 96, 120), 72 * time.Hour}} {
		var p store.Pace
		if measure(&p, c.arrivals, noon); p.Longest != c.longest {
			t.Errorf("%d items: longest gap %v, want %v", len(c.arrivals), p.Longest, c.longest)
		}
	}
	updated := []store.Arrival{{Body: store.Body{Updated: noon.Add(-time.Hour)}}, {Body: store.Body{Updated: noon.Add(-4 * time.Hour)}}}
	var p store.Pace
	if measure(&p, updated, noon); p.Gap != 3*time.Hour {
		t.Errorf("feeds that date by updated alone: %v", p.Gap)
	}
}

// follow polls an outlet that publishes at these times, for as long as they last, and says how often it asked
// and how late it saw the items on average. The feed shows the last 20.
func follow(t *testing.T, dates []time.Time, schedule string, s *Settings, adaptive bool) (requests int, lag time.Duration) {
	t.Helper()
	every, err := ParseSchedule(schedule)
	if err != nil {
		t.Fatal(err)
	}
	f := &Feed{URL: "https://example.com/rss", Schedule: every, Enabled: true}
	st := store.FeedState{}
	at, seen := dates[0], 0
	for end := dates[len(dates)-1]; at.Before(end); requests++ {
		from := seen
		for seen < len(dates) && !dates[seen].After(at) {
			lag += at.Sub(dates[seen])
			seen++
		}
		st.LastTry, st.LastPoll, st.LastSuccess = at, at, at
		if adaptive && seen > from {
			var shown []store.Arrival
			for _, d := range dates[max(0, seen-20):seen] {
				shown = append(shown, store.Arrival{Body: store.Body{Published: d}})
			}
			measure(&st.Pace, shown, at)
		}
		at = Next(f, s, &st).At
	}
	return requests, lag / time.Duration(len(dates))
}

// The rhythm never asks more often than the schedule, and where it asks less often, outlets with much to say
// are seen no later for it: over quiet and busy outlets together it has a smaller lag than the fixed schedule
// that makes as many requests.
func TestRhythmSavesRequests(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	publish := func(mean time.Duration, burst int) (dates []time.Time) {
		for at := noon; at.Before(noon.Add(60 * 24 * time.Hour)); at = at.Add(time.Duration(r.ExpFloat64() * float64(mean))) {
			for i := range burst {
				dates = append(dates, at.Add(time.Duration(i)*time.Minute))
			}
		}
		return dates
	}
	s := &Settings{MinInterval: 15 * time.Minute, MaxInterval: 24 * time.Hour}
	var outlets [][]time.Time
	for range 5 {
		outlets = append(outlets, publish(40*time.Minute, 1), publish(24*time.Hour, 1), publish(72*time.Hour, 1), publish(8*time.Hour, 4))
	}
	total, fixed, items, lags := 0, 0, 0, time.Duration(0)
	for i, dates := range outlets {
		n, lag := follow(t, dates, "@every 1h", s, true)
		all, _ := follow(t, dates, "@every 1h", s, false)
		if n > all {
			t.Errorf("outlet %d: %d requests, the schedule makes %d", i, n, all)
		}
		total, fixed, items, lags = total+n, fixed+all, items+len(dates), lags+lag*time.Duration(len(dates))
	}
	if total > fixed*7/10 {
		t.Errorf("%d requests; the schedule makes %d", total, fixed)
	}
	even := fmt.Sprintf("@every %dm", 60*fixed/total)
	var plain time.Duration
	for _, dates := range outlets {
		_, lag := follow(t, dates, even, s, false)
		plain += lag * time.Duration(len(dates))
	}
	if lags >= plain {
		t.Errorf("mean lag %v; a fixed schedule with as many requests has %v", lags/time.Duration(items), plain/time.Duration(items))
	}
}

// Whatever an outlet says or shows, the next poll lies behind each of its wishes, and none reaches further than
// max_interval and a spread behind it.
func TestNextKeepsAllBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	hours := func(n int) time.Duration { return time.Duration(r.IntN(n*60)) * time.Minute }
	s := &Settings{MinInterval: 15 * time.Minute, MaxInterval: 24 * time.Hour}
	for range 5000 {
		every := time.Duration(1+r.IntN(600)) * time.Minute
		schedule, err := ParseSchedule("@every " + every.String())
		if err != nil {
			t.Fatal(err)
		}
		f := &Feed{URL: fmt.Sprintf("https://example.com/%d", r.Int()), Schedule: schedule, Enabled: true}
		st := store.FeedState{LastTry: noon, LastPoll: noon, LastSuccess: noon, FreshUntil: noon.Add(hours(40)), TTL: hours(40)}
		st.Pace = store.Pace{Gap: hours(100), Newest: noon.Add(-hours(1000)), Period: hours(40), SkipHours: r.Uint32() & r.Uint32() & (1<<24 - 1), SkipDays: uint8(1) << r.IntN(7)}
		d := Next(f, s, &st)
		most := max(s.MaxInterval, every) + maxSpread
		for what, bound := range map[string]time.Duration{"schedule": every, "min_interval": s.MinInterval, "public": publicInterval,
			"max-age": st.FreshUntil.Sub(noon), "ttl": st.TTL, "sy": st.Pace.Period, "rhythm": st.Pace.Gap / 2} {
			if d.At.Sub(noon) < min(bound, s.MaxInterval) {
				t.Fatalf("due after %v, before its %s of %v", d.At.Sub(noon), what, bound)
			}
		}
		if d.At.Sub(noon) > most {
			t.Fatalf("due after %v (%s), beyond the cap", d.At.Sub(noon), d.Reason)
		}
		if by := skipped(&st.Pace, d.At); by != "" && d.At.Sub(noon) < s.MaxInterval {
			t.Fatalf("due at %v although it asks for %s", d.At, by)
		}
		if d.Early.After(d.At) || d.Forced.After(d.Early) && !strings.Contains(d.Reason, "min_interval") {
			t.Fatalf("%+v", d)
		}
	}
}
