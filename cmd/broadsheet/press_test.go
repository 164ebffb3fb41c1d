package main

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A press plays many outlets on loopback addresses that are hosts of their own, and writes down who asks for what and when. Its
// feeds move on together: in generation g a document holds the items g to g+items-1. Every fifth item is a wire story,
// which all feeds have with one link. ../shared/origin does the same (origin_test.go).
type press struct {
	feeds, hosts, items int
	net, port           string // the first three numbers of the addresses
	latency             time.Duration
	since               time.Time
	generation          atomic.Int64
	origin              *origin // that plays for us; nil if we do

	mu    sync.Mutex // guards asked
	asked []asking
}

const pressItems = 20

// An asking is one request for a feed.
type asking struct {
	feed       int
	host       string
	begun, end time.Time
	tag        string // the validator that came with it
}

func startPress(t testing.TB, feeds, hosts int, latency time.Duration) *press {
	t.Helper()
	p := &press{feeds: feeds, hosts: hosts, items: pressItems, net: "127.0.7", latency: latency, since: time.Now().UTC().Add(-time.Hour)}
	first, err := net.Listen("tcp", "127.0.7.1:0")
	if err != nil {
		t.Skip("outlets need hosts of their own, and this machine has one loopback address: ", err)
	}
	_, p.port, _ = net.SplitHostPort(first.Addr().String())
	server := &http.Server{Handler: http.HandlerFunc(p.serve)}
	t.Cleanup(func() { server.Close() })
	go server.Serve(first)
	for h := 2; h <= hosts; h++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.7.%d:%s", h, p.port))
		if err != nil {
			t.Fatal(err)
		}
		go server.Serve(l)
	}
	return p
}

func (p *press) address(feed int) string {
	return fmt.Sprintf("http://%s:%s/feed/%d", p.host(feed), p.port, feed)
}

func (p *press) host(feed int) string { return fmt.Sprintf("%s.%d", p.net, 1+feed%p.hosts) }

// move lets all feeds move on by an item.
func (p *press) move(t testing.TB) {
	t.Helper()
	if p.origin != nil {
		p.origin.move(t)
	}
	p.generation.Add(1)
}

// tag is the validator of a feed's document of a generation.
func (p *press) tag(feed int, generation int64) string {
	if p.origin != nil {
		return p.origin.tag(feed, generation)
	}
	return fmt.Sprintf(`"g%d"`, generation)
}

func (p *press) serve(w http.ResponseWriter, r *http.Request) {
	a := asking{host: r.Host, begun: time.Now(), tag: r.Header.Get("If-None-Match")}
	a.feed, _ = strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/feed/"))
	defer func() {
		a.end = time.Now()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.asked = append(p.asked, a)
	}()
	time.Sleep(p.latency)
	g := p.generation.Load()
	tag := p.tag(a.feed, g)
	w.Header().Set("ETag", tag)
	w.Header().Set("Content-Type", "application/rss+xml")
	if a.tag == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	fmt.Fprintf(w, `<?xml version="1.0"?><rss version="2.0"><channel><title>Outlet %d</title><link>http://outlet%d.example/</link><description>d</description>`, a.feed, a.feed)
	for k := g + pressItems - 1; k >= g; k-- {
		link := fmt.Sprintf("http://outlet%d.example/%d", a.feed, k)
		if k%5 == 0 {
			link = fmt.Sprintf("http://wire.example/%d", k)
		}
		fmt.Fprintf(w, "<item><title>Item %d of outlet %d</title><link>%s</link><guid isPermaLink=\"false\">%s</guid><pubDate>%s</pubDate><description>%s</description></item>",
			k, a.feed, link, pressGUID(a.feed, k), p.since.Add(time.Duration(k)*time.Second).Format(time.RFC1123Z), strings.Repeat("Words of the item. ", 20))
	}
	fmt.Fprint(w, "</channel></rss>")
}

func pressGUID(feed int, k int64) string { return fmt.Sprintf("item-%d-%d", feed, k) }

// mark is a part of each link that is published of it.
func (p *press) mark() string {
	if p.origin != nil {
		return ":" + p.port + "/"
	}
	return ".example/"
}

// log is who asked since the last reset.
func (p *press) log(t testing.TB) []asking {
	t.Helper()
	if p.origin != nil {
		return p.origin.log(t, p.latency)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// reset forgets who asked.
func (p *press) reset(t testing.TB) {
	t.Helper()
	if p.origin != nil {
		p.origin.ask(t, "/reset").Close()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = nil
}

// count is how often feeds were asked for.
func (p *press) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.asked)
}

// polite checks the log: at no host two requests at once, nor nearer to each other than gap; no feed more often than
// every interval. Each poll of a feed that came to nothing excuses one.
func (p *press) polite(t testing.TB, gap, interval time.Duration, excused map[int]int) {
	t.Helper()
	asked := p.log(t)
	const clocks = 20 * time.Millisecond // between a client that sets out and a server that is loaded
	hosts, feeds := map[string][]asking{}, map[int][]asking{}
	for _, a := range asked {
		hosts[a.host] = append(hosts[a.host], a)
		feeds[a.feed] = append(feeds[a.feed], a)
	}
	excuses := map[string]int{} // by host
	for feed, n := range excused {
		excuses[p.host(feed)] += n
	}
	byTime := func(a, b asking) int { return a.begun.Compare(b.begun) }
	wrong := 0
	for host, list := range hosts {
		slices.SortFunc(list, byTime)
		for i := 1; i < len(list); i++ {
			if rest := list[i].begun.Sub(list[i-1].begun); rest < gap-clocks || list[i].begun.Before(list[i-1].end) {
				if excuses[p.hostIn(host)]--; excuses[p.hostIn(host)] >= 0 {
					continue
				}
				if wrong++; wrong < 5 {
					t.Errorf("%s was asked again after %v, the answer before took %v", host, rest, list[i-1].end.Sub(list[i-1].begun))
				}
			}
		}
	}
	for feed, list := range feeds {
		slices.SortFunc(list, byTime)
		excuses := excused[feed]
		for i := 1; i < len(list); i++ {
			if pause := list[i].begun.Sub(list[i-1].begun); pause < interval-p.latency-clocks {
				if excuses--; excuses >= 0 {
					continue
				}
				if wrong++; wrong < 10 {
					t.Errorf("feed %d was asked for again after %v, at %v", feed, pause, list[i].begun.UTC().Format(time.RFC3339Nano))
				}
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d requests were impolite", wrong, len(asked))
	}
}

// hostIn is a host without the port.
func (p *press) hostIn(host string) string { return strings.TrimSuffix(host, ":"+p.port) }
