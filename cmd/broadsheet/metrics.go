package main

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"broadsheet/publish"
	"broadsheet/store/bolt"
)

// meters are what Prometheus reads of a daemon: counters of what passes by, and what is looked up when it asks. What is told
// of feeds comes from the store, so that every process that shares it says the same. Labels are ids, addresses as /status shows
// them, and words from short lists.
type meters struct {
	daemon    *daemon
	registry  *prometheus.Registry
	responses *prometheus.CounterVec
	bytes     *prometheus.CounterVec
	reloaded  prometheus.Gauge
	loaded    prometheus.Gauge

	mu      sync.Mutex // guards servers
	servers map[string]*publish.Server
}

func newMeters(d *daemon) *meters {
	m := &meters{
		daemon: d, registry: prometheus.NewRegistry(), servers: map[string]*publish.Server{},
		responses: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "broadsheet_http_responses_total", Help: "Answers to readers, by what was asked for and status."}, []string{"kind", "code"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "broadsheet_http_response_bytes_total", Help: "Bytes of the bodies of these answers."}, []string{"kind"}),
		reloaded: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "broadsheet_config_last_reload_successful", Help: "Whether the last reload of the configuration, or the start, went well."}),
		loaded: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "broadsheet_config_last_reload_success_timestamp_seconds", Help: "When the configuration in force was loaded."}),
	}
	m.registry.MustRegister(m.responses, m.bytes, m.reloaded, m.loaded, m, collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.reload(true)
	return m
}

// reload notes how a reload went.
func (m *meters) reload(well bool) {
	if !well {
		m.reloaded.Set(0)
		return
	}
	m.reloaded.Set(1)
	m.loaded.SetToCurrentTime()
}

// handler answers Prometheus, one request at a time.
func (m *meters) handler(log *slog.Logger) http.Handler {
	return publish.ReadOnly(promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: 1, ErrorHandling: promhttp.ContinueOnError, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}))
}

// server makes the server of a listener, whose answers and connections are counted.
func (m *meters) server(listener string, h http.Handler, log *slog.Logger) *publish.Server {
	s := publish.NewServer(m.counting(h), log)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.servers[listener] = s
	return s
}

// counting counts the answers of h.
func (m *meters) counting(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := &watchedAnswer{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(answer, r)
		kind := kindOf(r.URL.Path)
		m.responses.WithLabelValues(kind, strconv.Itoa(answer.status)).Inc()
		m.bytes.WithLabelValues(kind).Add(float64(answer.bytes))
	})
}

// kindOf is what a path asks for, in one of few words.
func kindOf(path string) string {
	name := path[strings.LastIndexByte(path, '/')+1:]
	stem, ending, dotted := strings.Cut(name, ".")
	switch {
	case strings.Contains(path, "/archive/"):
		return "archive"
	case stem == "status", stem == "metrics", stem == "hub":
		return stem
	case stem == "healthz", stem == "readyz":
		return "health"
	case strings.Contains(path, "/websub/"):
		return "websub"
	}
	switch ending {
	case "rss", "atom", "json", "opml", "css":
		return ending
	case "html":
		return "page"
	}
	if dotted {
		return "other"
	}
	return "page"
}

// What is looked up when Prometheus asks.
var (
	feedLabels = []string{"outlet", "feed"}

	feedPoll     = describe("feed_last_poll_timestamp_seconds", "When the feed was polled last.", feedLabels...)
	feedSuccess  = describe("feed_last_success_timestamp_seconds", "When a poll of the feed last went well.", feedLabels...)
	feedNew      = describe("feed_last_new_item_timestamp_seconds", "When the feed last brought a new item.", feedLabels...)
	feedNext     = describe("feed_next_poll_timestamp_seconds", "When the feed is to be polled next; not there if never.", feedLabels...)
	feedFailures = describe("feed_consecutive_failures", "Polls of the feed that failed since the last that went well.", feedLabels...)
	feedSilent   = describe("feed_silent", "Whether the feed brings nothing for longer than its own rhythm explains.", feedLabels...)
	feedDamaged  = describe("feed_damaged", "Whether the last document of the feed was cut off or broken.", feedLabels...)
	feedItems    = describe("feed_items", "Stored items that the feed carried.", feedLabels...)
	feedBytes    = describe("feed_received_bytes_total", "Bytes of the documents that polls of the feed brought, as they came.", feedLabels...)
	feedTook     = describe("feed_poll_duration_seconds", "Polls of the feed that reached a server, and how long all polls took.", feedLabels...)

	pollsRunning = describe("polls_running", "Requests to outlets that are under way.")
	pollsWaiting = describe("polls_waiting", "Feeds that are due and wait for their turn at their host.")
	roundsTotal  = describe("poll_rounds_total", "Times that polling has come to rest: no poll under way, and none waiting.")
	roundTook    = describe("poll_last_round_duration_seconds", "How long the last round took.")
	offline      = describe("degraded", "Whether most outlets, or a shared store, cannot be reached.")

	storeSize     = describe("store_size_bytes", "What the store takes where it is kept.")
	storeRevision = describe("store_revision", "Commits so far that documents could show.")
	storeReading  = describe("store_read_transactions", "Transactions that read the store's file now.")
	storeOldest   = describe("store_oldest_read_transaction_seconds", "For how long the oldest of them has been open; the file may grow meanwhile.")
	storeCommits  = describe("store_commit_duration_seconds", "Transactions that changed the store's file, and how long they took.")
	storeFree     = describe("store_free_bytes", "What is free in the store's file, to be used before it grows.")
	renderTook    = describe("section_render_duration_seconds", "Sections that were rendered since the configuration was loaded, and how long that took.")

	connections = describe("http_connections", "Clients that are connected.", "listener")
	evicted     = describe("http_connections_evicted_total", "Connections that were closed to make room for others.", "listener")

	hubReceivers  = describe("hub_receivers", "Subscriptions at our hub, or topics that another hub is told of.")
	hubOwed       = describe("hub_receivers_waiting", "Of them, those that wait for another attempt.")
	hubDeliveries = describe("hub_deliveries_total", "Deliveries to them by result; dropped ones were given up.", "result")
	pushFeeds     = describe("websub_subscriptions", "Feeds that outlets' hubs push to us.")
	pushes        = describe("websub_pushes_total", "Pushes from outlets' hubs by result.", "result")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("broadsheet_"+name, help, labels, nil)
}

// Describe implements prometheus.Collector. What there is depends on the configuration, so nothing is promised.
func (m *meters) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (m *meters) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	p := m.daemon.parts()
	if rows, err := p.rows(ctx); err == nil {
		for i := range rows {
			collectFeed(&rows[i], gauge, counter, to)
		}
	} else {
		to <- prometheus.NewInvalidMetric(feedPoll, err)
	}
	if n, err := m.daemon.store.Size(ctx); err == nil {
		gauge(storeSize, float64(n))
	}
	if rev, err := m.daemon.store.Revision(ctx); err == nil {
		gauge(storeRevision, float64(rev))
	}
	if file, ok := m.daemon.store.(*bolt.Store); ok {
		st := file.Stats()
		gauge(storeReading, float64(st.Reading))
		gauge(storeOldest, st.Oldest.Seconds())
		to <- prometheus.MustNewConstSummary(storeCommits, st.Commits, st.Committing.Seconds(), nil)
		gauge(storeFree, float64(st.Free))
	}
	load := m.daemon.scheduler.Load()
	gauge(pollsRunning, float64(load.Running))
	gauge(pollsWaiting, float64(load.Waiting))
	counter(roundsTotal, float64(load.Rounds))
	gauge(roundTook, load.Round.Seconds())
	gauge(offline, truth(m.daemon.degraded() != nil))
	n, took := p.publisher.Renders()
	to <- prometheus.MustNewConstSummary(renderTook, n, took.Seconds(), nil)
	m.mu.Lock()
	for listener, s := range m.servers {
		now, gone := s.Connections()
		gauge(connections, float64(now), listener)
		counter(evicted, float64(gone), listener)
	}
	m.mu.Unlock()
	if p.announcer != nil {
		c := p.announcer.Counts()
		gauge(hubReceivers, float64(c.Receivers))
		gauge(hubOwed, float64(c.Owed))
		counter(hubDeliveries, float64(c.Told), "accepted")
		counter(hubDeliveries, float64(c.Failed), "failed")
		counter(hubDeliveries, float64(c.Dropped), "dropped")
	}
	if m.daemon.pushed != nil {
		c := m.daemon.pushed.Counts()
		gauge(pushFeeds, float64(c.Subscriptions))
		counter(pushes, float64(c.Pushes), "accepted")
		counter(pushes, float64(c.Refused), "refused")
	}
}

func collectFeed(r *publish.Row, gauge, counter func(*prometheus.Desc, float64, ...string), to chan<- prometheus.Metric) {
	moment := func(d *prometheus.Desc, t *time.Time) {
		if t != nil {
			gauge(d, float64(t.UnixMilli())/1000, r.Outlet, r.Feed)
		}
	}
	moment(feedPoll, r.LastPoll)
	moment(feedSuccess, r.LastSuccess)
	moment(feedNew, r.LastNewItem)
	moment(feedNext, r.NextPoll)
	gauge(feedFailures, float64(r.Failures), r.Outlet, r.Feed)
	gauge(feedSilent, truth(r.Silent != nil), r.Outlet, r.Feed)
	gauge(feedDamaged, truth(r.Damaged), r.Outlet, r.Feed)
	gauge(feedItems, float64(r.Items), r.Outlet, r.Feed)
	counter(feedBytes, float64(r.History.Bytes), r.Outlet, r.Feed)
	to <- prometheus.MustNewConstSummary(feedTook, uint64(r.History.Polls), r.History.Took.Seconds(), nil, r.Outlet, r.Feed)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
