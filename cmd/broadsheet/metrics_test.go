package main

import (
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestMetrics polls two feeds, one of which fails, serves, and reads what Prometheus would.
func TestMetrics(t *testing.T) {
	address := serveHandler(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/good" {
			http.Error(rw, "no", http.StatusServiceUnavailable)
			return
		}
		rw.Write([]byte(`<rss version="2.0"><channel><title>Good</title><item><title>One</title><guid>1</guid></item></channel></rss>`))
	})
	w := newWorld(t, outletBlock("good", "Good", address+"/good")+outletBlock("bad", "Bad", address+"/bad?token=${BROADSHEET_TEST_TOKEN}")+`
[[section]]
slug = "world"
`)
	t.Setenv("BROADSHEET_TEST_TOKEN", "canary-of-a-token")
	w.run("fetch", "--once", "-q")
	base, stop := serving(t, w)
	defer stop()
	for _, path := range []string{"/", "/world.atom", "/world.atom", "/nothing-here"} {
		get1(base + path)
	}
	var a reply
	wait(t, func() bool { // an answer is counted after it has been given
		a = get1(base + "/metrics")
		return strings.Contains(a.body, `broadsheet_http_responses_total{code="404",kind="page"} 1`) && strings.Contains(a.body, `broadsheet_http_responses_total{code="200",kind="page"} 1`) &&
			strings.Contains(a.body, `broadsheet_http_responses_total{code="200",kind="atom"} 2`)
	}, stringer(func() string { return a.body }))
	if a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
		t.Fatalf("/metrics: %d %s", a.status, a.header.Get("Content-Type"))
	}
	value := func(series string) float64 {
		t.Helper()
		for line := range strings.Lines(a.body) {
			if rest, ok := strings.CutPrefix(line, series+" "); ok {
				v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
				if err != nil {
					t.Errorf("%s: %v", series, err)
				}
				return v
			}
		}
		t.Errorf("no %s", series)
		return 0
	}
	good, bad := `{feed="`+address+`/good",outlet="good"}`, `{feed="`+address+`/bad?token=${BROADSHEET_TEST_TOKEN}",outlet="bad"}`
	for series, want := range map[string]float64{
		"broadsheet_feed_consecutive_failures" + good: 0, "broadsheet_feed_consecutive_failures" + bad: 1,
		"broadsheet_feed_items" + good: 1, "broadsheet_feed_silent" + good: 0, "broadsheet_feed_damaged" + good: 0,
		"broadsheet_feed_poll_duration_seconds_count" + good: 1, "broadsheet_feed_poll_duration_seconds_count" + bad: 1,
		"broadsheet_store_revision": 1, "broadsheet_polls_running": 0, "broadsheet_polls_waiting": 0, "broadsheet_config_last_reload_successful": 1,
		`broadsheet_http_connections_evicted_total{listener="public"}`: 0,
	} {
		if got := value(series); got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
	for _, series := range []string{
		"broadsheet_feed_received_bytes_total" + good, "broadsheet_feed_poll_duration_seconds_sum" + good, "broadsheet_feed_last_success_timestamp_seconds" + good,
		"broadsheet_feed_last_new_item_timestamp_seconds" + good, "broadsheet_feed_next_poll_timestamp_seconds" + bad, "broadsheet_store_size_bytes", "broadsheet_store_free_bytes",
		"broadsheet_section_render_duration_seconds_count", "broadsheet_config_last_reload_success_timestamp_seconds", "process_resident_memory_bytes",
	} {
		if value(series) <= 0 {
			t.Errorf("%s is not above 0", series)
		}
	}
	for _, series := range []string{"broadsheet_store_read_transactions", "broadsheet_store_oldest_read_transaction_seconds", "broadsheet_store_commit_duration_seconds_sum"} {
		value(series) // is there
	}
	if strings.Contains(a.body, "canary") || strings.Contains(a.body, "broadsheet_feed_last_success_timestamp_seconds"+bad) {
		t.Error("a secret, or a success that never was")
	}
	if resp, err := http.Post(base+"/metrics", "text/plain", nil); err != nil || resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST /metrics: %v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool judges the names: apt-get install prometheus")
	}
	check := exec.Command(promtool, "check", "metrics")
	check.Stdin = strings.NewReader(a.body)
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

// stringer tells what is so at the moment.
type stringer func() string

func (s stringer) String() string { return s() }

func TestKinds(t *testing.T) {
	for path, want := range map[string]string{
		"/": "page", "/world": "page", "/world.html": "page", "/world.atom": "atom", "/news/world.rss": "rss", "/world.json": "json", "/world/archive/2026-03.atom": "archive",
		"/status.json": "status", "/status": "status", "/metrics": "metrics", "/hub": "hub", "/healthz": "health", "/websub/xyz": "websub", "/style.css": "css",
		"/world.opml": "opml", "/wp-login.php": "other", "/.env": "other", "/" + strings.Repeat("x", 5000): "page", "/a.b.c": "other",
	} {
		if got := kindOf(path); got != want || !regexp.MustCompile(`^[a-z]+$`).MatchString(got) {
			t.Errorf("%.40s: %q, want %q", path, got, want)
		}
	}
}
