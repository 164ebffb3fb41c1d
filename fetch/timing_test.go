package fetch

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"broadsheet/store"
	"broadsheet/store/storetest"
)

var noon = time.Date(2026, time.November, 2, 12, 0, 0, 0, time.UTC)

func everyHour(t *testing.T) Schedule {
	t.Helper()
	s, err := ParseSchedule("@every 1h")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNext(t *testing.T) {
	settings := Settings{MinInterval: 15 * time.Minute, MaxInterval: 24 * time.Hour}
	feed := Feed{URL: "https://example.com/rss", Schedule: everyHour(t), Enabled: true}
	ok := store.FeedState{LastTry: noon, LastPoll: noon, LastSuccess: noon, Status: 200}
	with := func(change func(*store.FeedState)) store.FeedState {
		s := ok
		change(&s)
		return s
	}
	for _, c := range []struct {
		name          string
		state         store.FeedState
		after, before time.Duration // the daemon polls between these, from noon
		early, forced time.Duration
		is, reason    string
	}{
		{"schedule", ok, time.Hour, 63 * time.Minute, 54 * time.Minute, 15 * time.Minute, "ok", "schedule"},
		{"max-age", with(func(s *store.FeedState) { s.FreshUntil = noon.Add(2 * time.Hour) }), 2 * time.Hour, 2 * time.Hour, 2 * time.Hour, 15 * time.Minute, "ok", "max-age 2 h"},
		{"short max-age", with(func(s *store.FeedState) { s.FreshUntil = noon.Add(time.Minute) }), time.Hour, 63 * time.Minute, 54 * time.Minute, 15 * time.Minute, "ok", "schedule"},
		{"max-age of a week", with(func(s *store.FeedState) { s.FreshUntil = noon.Add(7 * 24 * time.Hour) }), 24 * time.Hour, 24 * time.Hour, 24 * time.Hour, 15 * time.Minute, "ok", "max-age 7 days, cut to max_interval"},
		{"ttl", with(func(s *store.FeedState) { s.TTL = 3 * time.Hour }), 3 * time.Hour, 3 * time.Hour, 3 * time.Hour, 15 * time.Minute, "ok", "ttl 3 h"},
		{"Retry-After goes beyond max_interval, and binds --force", with(func(s *store.FeedState) {
			s.Status, s.Failures, s.RetryAfter = 503, 1, noon.Add(48*time.Hour)
		}), 48 * time.Hour, 48 * time.Hour, 48 * time.Hour, 48 * time.Hour, "held", "Retry-After until 2026-11-04 12:00 UTC"},
		{"one failure", with(func(s *store.FeedState) { s.Failures, s.Status = 1, 500 }), time.Hour, 63 * time.Minute, time.Hour, 15 * time.Minute, "failing", "schedule"},
		{"three failures", with(func(s *store.FeedState) { s.Failures, s.Status = 3, 500 }), 190 * time.Minute, 290 * time.Minute, 0, 15 * time.Minute, "failing", "back-off after 3 failures"},
		{"a hundred failures", with(func(s *store.FeedState) { s.Failures, s.Status = 100, 500 }), 19 * time.Hour, 24 * time.Hour, 0, 15 * time.Minute, "failing", "back-off after 100 failures"},
		{"403", with(func(s *store.FeedState) { s.Failures, s.Status = 1, 403 }), 4 * time.Hour, 4 * time.Hour, 4 * time.Hour, 15 * time.Minute, "failing", "the outlet said 403: every 4 h"},
		{"Retry-After of the same day", with(func(s *store.FeedState) { s.Status, s.Failures, s.RetryAfter = 503, 1, noon.Add(125*time.Minute) }), 125 * time.Minute, 125 * time.Minute, 125 * time.Minute, 125 * time.Minute, "held", "Retry-After until 14:05 UTC"},
		{"quiet outlet", with(func(s *store.FeedState) { s.Pace = store.Pace{Gap: 12 * time.Hour, Newest: noon.Add(-time.Hour)} }), 6 * time.Hour, 6*time.Hour + maxSpread, 324 * time.Minute, 15 * time.Minute, "ok", "quiet outlet: every 6 h"},
		{"busy outlet", with(func(s *store.FeedState) { s.Pace = store.Pace{Gap: time.Minute, Newest: noon} }), time.Hour, 63 * time.Minute, 54 * time.Minute, 15 * time.Minute, "ok", "schedule"},
		{"silent outlet", with(func(s *store.FeedState) { s.Pace = store.Pace{Gap: time.Minute, Newest: noon.AddDate(0, 0, -45)} }), 24 * time.Hour, 24*time.Hour + maxSpread, 1296 * time.Minute, 15 * time.Minute, "ok", "silent for 45 days: every 24 h"},
		{"silent outlet without dates", with(func(s *store.FeedState) { s.LastNewItem = noon.AddDate(0, 0, -30) }), 24 * time.Hour, 24*time.Hour + maxSpread, 1296 * time.Minute, 15 * time.Minute, "ok", "silent for 30 days: every 24 h"},
		{"quiet outlet in allow_private", with(func(s *store.FeedState) { s.Private, s.Pace = true, store.Pace{Gap: 12 * time.Hour, Newest: noon} }), time.Hour, 63 * time.Minute, 54 * time.Minute, 15 * time.Minute, "ok", "schedule"},
		{"sy", with(func(s *store.FeedState) { s.Pace.Period = 24 * time.Hour }), 24 * time.Hour, 24 * time.Hour, 24 * time.Hour, 15 * time.Minute, "ok", "sy:updatePeriod 24 h"},
		{"skipHours", with(func(s *store.FeedState) { s.Pace.SkipHours = 1<<12 | 1<<13 | 1<<14 }), 3 * time.Hour, 183 * time.Minute, 3 * time.Hour, 15 * time.Minute, "ok", "skipHours"},
		{"skipDays", with(func(s *store.FeedState) { s.Pace.SkipDays = 1 << time.Monday }), 12 * time.Hour, 723 * time.Minute, 12 * time.Hour, 15 * time.Minute, "ok", "skipDays"},
		{"skipDays beyond the cap", with(func(s *store.FeedState) { s.Pace.SkipDays = 1<<time.Monday | 1<<time.Tuesday }), 24 * time.Hour, 24 * time.Hour, 24 * time.Hour, 15 * time.Minute, "ok", "skipDays, cut to max_interval"},
		{"404", with(func(s *store.FeedState) { s.Failures, s.Status, s.Missing, s.FailingSince = 2, 404, true, noon }), 96 * time.Minute, 144 * time.Minute, 0, 15 * time.Minute, "failing", "back-off after 2 failures"},
		{"404 for a fortnight", with(func(s *store.FeedState) {
			s.Failures, s.Status, s.Missing, s.FailingSince = 9, 404, true, noon.AddDate(0, 0, -14)
		}), 168 * time.Hour, 168 * time.Hour, 168 * time.Hour, 15 * time.Minute, "dead?", "dead? missing since 2026-10-19: every 7 days"},
		{"second 403", with(func(s *store.FeedState) { s.Failures, s.Status = 2, 403 }), 384 * time.Minute, 576 * time.Minute, 0, 15 * time.Minute, "failing", "back-off after 2 failures"},
		{"our own network", with(func(s *store.FeedState) { s.LastTry, s.Outage = noon.Add(time.Hour), true }), 65 * time.Minute, 65 * time.Minute, 65 * time.Minute, 15 * time.Minute, "ok", "no host can be reached, our own network may be down: again after 5 min"},
		{"unsound validators", with(func(s *store.FeedState) { s.Unsound = true }), 24 * time.Hour, 24 * time.Hour, 24 * time.Hour, 15 * time.Minute, "ok", "its 304 hid changes, so it is asked without validators: every 24 h"},
		{"moved", with(func(s *store.FeedState) { s.Move = store.Move{To: "https://new.example/", Holds: true} }), time.Hour, 63 * time.Minute, 54 * time.Minute, 15 * time.Minute, "ok", "schedule; moved to https://new.example/"},
		{"flood", with(func(s *store.FeedState) { s.Flood, s.FloodItems = noon, 240 }), time.Hour, 63 * time.Minute, 54 * time.Minute, 15 * time.Minute, "ok", "schedule; flood: 240 new items at once at 12:00 UTC"},
		{"429 without Retry-After", with(func(s *store.FeedState) { s.Failures, s.Status = 1, 429 }), 4 * time.Hour, 4 * time.Hour, 4 * time.Hour, 15 * time.Minute, "failing", "the outlet said 429: every 4 h"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Next(&feed, &settings, &c.state)
			if at := d.At.Sub(noon); at < c.after || at > c.before {
				t.Errorf("due after %v, want %v to %v", at, c.after, c.before)
			}
			if early := d.Early.Sub(noon); c.early > 0 && early != c.early {
				t.Errorf("a one-shot may after %v, want %v", early, c.early)
			}
			if forced := d.Forced.Sub(noon); forced != c.forced {
				t.Errorf("--force may after %v, want %v", forced, c.forced)
			}
			if d.State != c.is || d.Reason != c.reason {
				t.Errorf("is %q because of %q, want %q because of %q", d.State, d.Reason, c.is, c.reason)
			}
			if again := Next(&feed, &settings, &c.state); again != d {
				t.Error("the same state gives another due time: a restart would poll early")
			}
		})
	}
	gone := Next(&feed, &settings, &store.FeedState{LastTry: noon, Gone: true})
	if !gone.Never || gone.State != "gone" {
		t.Errorf("410: %+v", gone)
	}
	if fresh := Next(&feed, &settings, &store.FeedState{}); fresh.Never || !fresh.At.IsZero() || fresh.State != "new" {
		t.Errorf("a new feed: %+v", fresh)
	}
}

// A public address keeps its distance whatever the operator writes; one that allow_private permits is
// polled as written.
func TestPublicFloor(t *testing.T) {
	settings := Settings{MaxInterval: time.Hour}
	schedule, err := ParseSchedule("@every 2s")
	if err != nil {
		t.Fatal(err)
	}
	feed := Feed{URL: "https://example.com/rss", Schedule: schedule, Enabled: true}
	st := store.FeedState{LastTry: noon, LastPoll: noon}
	if d := Next(&feed, &settings, &st); d.At.Sub(noon) != publicInterval || d.Forced.Sub(noon) != publicInterval || d.Early.Sub(noon) != publicInterval {
		t.Errorf("public: %+v", d)
	}
	st.Private = true
	if d := Next(&feed, &settings, &st); d.At.Sub(noon) > 3*time.Second || d.Forced.After(noon) {
		t.Errorf("private: %+v", d)
	}
}

// Hourly cron polls hourly: what a one-shot at 12:00:10 polled is within its reach at 13:00:00.
func TestHourlyCronPollsHourly(t *testing.T) {
	settings := Settings{MinInterval: 15 * time.Minute, MaxInterval: 24 * time.Hour}
	for _, spec := range []string{"@every 1h", "0 * * * *", "@hourly"} {
		schedule, err := ParseSchedule(spec)
		if err != nil {
			t.Fatal(err)
		}
		feed := Feed{URL: "https://example.com/" + spec, Schedule: schedule, Enabled: true}
		polled := noon.Add(3 * time.Minute)
		d := Next(&feed, &settings, &store.FeedState{LastTry: polled, LastPoll: polled})
		if next := noon.Add(time.Hour); d.Early.After(next) {
			t.Errorf("%s: polled at 12:03, may again at %v", spec, d.Early)
		}
	}
}

func TestFreshUntil(t *testing.T) {
	for _, c := range []struct {
		header http.Header
		want   time.Duration
	}{
		{http.Header{"Cache-Control": {"max-age=7200"}}, 2 * time.Hour},
		{http.Header{"Cache-Control": {`Public, MAX-AGE="7200"`}, "Age": {"600"}}, 6600 * time.Second},
		{http.Header{"Cache-Control": {"s-maxage=7200"}}, 0},
		{http.Header{"Cache-Control": {"max-age=60", "max-age=120"}}, time.Minute},
		{http.Header{"Cache-Control": {"max-age=7200, no-store"}}, 0},
		{http.Header{"Cache-Control": {"max-age=-1"}}, 0},
		{http.Header{"Cache-Control": {"max-age=99999999999999999999"}}, 365 * 24 * time.Hour},
		{http.Header{"Expires": {"Mon, 02 Nov 2026 15:00:00 GMT"}, "Date": {"Mon, 02 Nov 2026 12:00:00 GMT"}}, 3 * time.Hour},
		{http.Header{"Expires": {"Monday, 02-Nov-26 13:00:00 GMT"}}, time.Hour},
		{http.Header{"Expires": {"0"}}, 0},
		{http.Header{"Expires": {"Mon, 02 Nov 2026 11:00:00 GMT"}}, 0},
		{http.Header{"Cache-Control": {"max-age=60"}, "Expires": {"Mon, 02 Nov 2026 15:00:00 GMT"}}, time.Minute},
		{http.Header{"Cache-Control": {"max-age=60"}, "Age": {"120"}}, 0},
		{nil, 0},
	} {
		got := time.Duration(0)
		if until := freshUntil(c.header, noon); !until.IsZero() {
			got = until.Sub(noon)
		}
		if got != c.want {
			t.Errorf("%v: fresh for %v, want %v", c.header, got, c.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for v, want := range map[string]time.Duration{
		"120":                            2 * time.Minute,
		"86400":                          24 * time.Hour,
		"Mon, 02 Nov 2026 14:05:00 GMT":  125 * time.Minute,
		"Monday, 02-Nov-26 13:00:00 GMT": time.Hour,
		"Mon Nov  2 13:00:00 2026":       time.Hour,
		"Mon, 02 Nov 2026 11:00:00 GMT":  0,
		"1000000000000":                  maxRetryAfter,
		"-5":                             0,
		"soon":                           0,
		"":                               0,
	} {
		got := time.Duration(0)
		if until := retryAfter(http.Header{"Retry-After": {v}}, noon); !until.IsZero() {
			got = until.Sub(noon)
		}
		if got != want {
			t.Errorf("Retry-After: %s holds for %v, want %v", v, got, want)
		}
	}
}

// A 304 makes fresh again: by its own header, and without one as the document was (RFC 9111 §4.3.4). What forbids
// caches to keep a document does not make us forget its validators (PROTOCOL F7).
func TestFreshAfter304(t *testing.T) {
	for _, c := range []struct {
		first, second http.Header
		want          time.Duration
	}{
		{http.Header{"Cache-Control": {"max-age=7200"}}, http.Header{"Cache-Control": {"max-age=10800"}}, 3 * time.Hour},
		{http.Header{"Cache-Control": {"max-age=7200"}}, http.Header{}, 2 * time.Hour},
		{http.Header{"Cache-Control": {"max-age=7200"}}, http.Header{"Cache-Control": {"no-cache"}}, 0},
		{http.Header{}, http.Header{"Cache-Control": {"max-age=7200"}, "Age": {"3600"}}, time.Hour},
		{http.Header{"Cache-Control": {"no-store, must-revalidate"}, "Expires": {"0"}}, http.Header{}, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			st := storetest.NewModel()
			net := &originNet{origins: map[string]origin{"a.example": func(n int, r *http.Request) (*http.Response, error) {
				status, h := 200, c.first.Clone()
				if n > 0 {
					status, h = 304, c.second.Clone()
					if r.Header.Get("If-None-Match") != `"1"` {
						t.Errorf("%v: the validators were not kept", c.first)
					}
				}
				h.Set("ETag", `"1"`)
				return response(status, dated(1), h), nil
			}}}
			fs := feeds(t, "https://a.example/feed")
			runFor(t, st, net, fs, 150*time.Minute)
			s := stateOf(t, st)
			got := time.Duration(0)
			if !s.FreshUntil.IsZero() {
				got = s.FreshUntil.Sub(s.LastPoll)
			}
			if s.Status != 304 || got != c.want {
				t.Errorf("%v, then %v: %d, fresh for %v; want %v", c.first, c.second, s.Status, got, c.want)
			}
		})
	}
}

func TestParseSchedule(t *testing.T) {
	for spec, want := range map[string]string{
		"@every 90m":                         "2026-11-02T13:30:00Z",
		"*/30 * * * *":                       "2026-11-02T12:30:00Z",
		"0 6 * * *":                          "2026-11-03T06:00:00Z",
		"CRON_TZ=America/New_York 0 9 * * *": "2026-11-02T14:00:00Z",
		"@daily":                             "2026-11-03T00:00:00Z",
	} {
		s, err := ParseSchedule(spec)
		if err != nil {
			t.Errorf("%s: %v", spec, err)
		} else if got := s.Next(noon).UTC().Format(time.RFC3339); got != want {
			t.Errorf("%s: next at %s, want %s", spec, got, want)
		}
	}
	for _, spec := range []string{"", "hourly", "61 * * * *", "@every", "@every soon", "0 0 30 2 *", "CRON_TZ=Nowhere/None 0 0 * * *"} {
		if _, err := ParseSchedule(spec); err == nil {
			t.Errorf("%q is taken", spec)
		}
	}
}

// A feed that our own outage has kept us from ever reaching is not "ok".
func TestNeverReachedIsNew(t *testing.T) {
	f, s := feeds(t, "https://a.example/1")[0], testSettings()
	st := store.FeedState{LastTry: time.Now(), Outage: true}
	if d := Next(&f, &s, &st); d.State != "new" {
		t.Errorf("%+v", d)
	}
	st.LastPoll = st.LastTry.Add(-time.Hour)
	if d := Next(&f, &s, &st); d.State != "ok" {
		t.Errorf("%+v", d)
	}
}
