package main

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"broadsheet/config"
)

//go:embed demo/outlets.json
var demoOutlets []byte

// The rhythm of the sample outlets.
const (
	demoEvery = 5 * time.Second // between two items of one outlet
	demoItems = 12              // in an outlet's feed
	demoPoll  = "@every 2s"
)

func (p *program) demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show the whole pipeline at work, without configuration and network",
		Long: `Starts sample outlets on loopback that keep publishing, polls them into a temporary store, serves sections made of them on a
free port, and prints the addresses to open. Stops with Ctrl-C and leaves nothing behind.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return p.demo(c.Context()) },
	}
}

func (p *program) demo(ctx context.Context) error {
	var outlets []demoOutlet
	if err := json.Unmarshal(demoOutlets, &outlets); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "broadsheet-demo-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	origin, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer origin.Close()
	public, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer public.Close()
	pl, problems := assemble(demoConfig(dir, public.Addr().String(), "http://"+origin.Addr().String(), outlets))
	if len(problems) > 0 {
		return errors.New(problems.Error())
	}
	pl.public = public
	log := p.log(slog.LevelWarn)
	began := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		s := &http.Server{Handler: demoHandler(outlets, began, "http://"+origin.Addr().String()), ReadHeaderTimeout: 5 * time.Second}
		return serveUntil(ctx, s, origin)
	})
	g.Go(func() error {
		return runPlan(ctx, pl, duties{fetch: true, serve: true}, log, nil, func() {
			for _, address := range pl.addresses() {
				fmt.Fprintln(p.stdout, address)
			}
			if !p.quiet {
				fmt.Fprintln(p.stderr, "Open the first address in a browser, subscribe to the others in a feed reader. Ctrl-C ends the demo.")
			}
		})
	})
	return g.Wait()
}

// demoConfig is the configuration of the demo.
func demoConfig(dir, listen, origin string, outlets []demoOutlet) *config.Config {
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	cfg := &config.Config{
		Title: "The Demo Broadsheet", BaseURL: "http://" + listen, Contact: "https://example.org/demo", Language: "en", Timezone: "UTC",
		Server:  config.Server{Listen: listen},
		Store:   config.Store{URL: "bolt:demo.db", Path: filepath.Join(dir, "demo.db")},
		Fetch:   config.Fetch{Schedule: demoPoll, MaxInterval: time.Minute, Concurrency: 8, PerHost: 8, Timeout: 10 * time.Second, MaxBytes: 1 << 20},
		Publish: config.Publish{Images: "link"},
		Digest:  "demo",
		Sections: []config.Section{
			{Slug: "world-news", Title: "World News", Description: "All outlets", Limit: 50},
			{Slug: "in-english", Title: "In English", Languages: []string{"en"}, Limit: 50},
			{Slug: "harbours", Title: "Harbours and ferries", Description: "A section made by words", Include: []string{"harbour", "ferry", "fleet", "Fähre", "Deich", "/light(house|ship)/"}, Limit: 50},
			{Slug: "long-reads", Title: "Longer items", Description: "A section made by an expression", Where: `words > 60 and language != "fa"`, Limit: 50},
		},
	}
	for _, o := range outlets {
		cfg.Outlets = append(cfg.Outlets, config.Outlet{
			ID: o.ID, Name: o.Name, URL: origin + "/" + o.ID + "/", Language: o.Language, Enabled: true, Tags: []string{o.Topic},
			Feeds: []config.Feed{{URL: origin + "/" + o.ID + "/feed", Shown: origin + "/" + o.ID + "/feed", Schedule: demoPoll, AllowPrivate: loopback}},
		})
	}
	return cfg
}

// A demoOutlet is a sample outlet: what it writes about, and in what format.
type demoOutlet struct {
	ID, Name, Language, Format, Topic string
	Wire                              bool // every fourth of its items is a wire story that others carry, too
	Places, Headlines, Paragraphs     []string
}

// demoItem is the n-th item of an outlet. Item n appears n × demoEvery after the beginning; those
// before 0 were there already.
type demoItem struct {
	title, link, guid, html string
	date                    time.Time
}

func (o *demoOutlet) item(n int, began time.Time, origin string) demoItem {
	k := n + 1000
	it := demoItem{
		title: fmt.Sprintf(o.Headlines[k%len(o.Headlines)], o.Places[k/len(o.Headlines)%len(o.Places)]),
		link:  fmt.Sprintf("%s/%s/%d", origin, o.ID, k),
		guid:  fmt.Sprintf("tag:%s.example,2026:%d", o.ID, k),
		date:  began.Add(time.Duration(n) * demoEvery),
	}
	if n < 0 {
		it.date = began.Add(time.Duration(n) * 17 * time.Minute)
	}
	if o.Wire && k%4 == 0 {
		it.title = fmt.Sprintf("Wire story %d: the islands agree on a common time zone", k)
		it.link = fmt.Sprintf("%s/islands/%d?utm_source=%s", origin, k, o.ID)
	}
	var b strings.Builder
	for i := range min(2+k%3, len(o.Paragraphs)) {
		fmt.Fprintf(&b, "<p>%s</p>", html.EscapeString(o.Paragraphs[(k+i)%len(o.Paragraphs)]))
	}
	it.html = b.String()
	return it
}

// demoHandler serves the feeds as they stand, and a page for each item.
func demoHandler(outlets []demoOutlet, began time.Time, origin string) http.Handler {
	mux := http.NewServeMux()
	for _, o := range outlets {
		mux.HandleFunc("GET /"+o.ID+"/feed", func(w http.ResponseWriter, r *http.Request) {
			newest := int(time.Since(began) / demoEvery)
			tag := fmt.Sprintf(`"%s-%d"`, o.ID, newest)
			w.Header().Set("ETag", tag)
			if r.Header.Get("If-None-Match") == tag {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			items := make([]demoItem, demoItems)
			for i := range items {
				items[i] = o.item(newest-i, began, origin)
			}
			o.write(w, items, origin)
		})
	}
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "<!doctype html><meta charset=utf-8><title>A sample outlet</title><p>This is where an outlet's own page would be: %s", html.EscapeString(r.URL.Path))
	})
	return mux
}

// write writes a feed in the outlet's format. Broadsheet's own renderers are not used: the demo is to
// show that feeds of others come through.
func (o *demoOutlet) write(w http.ResponseWriter, items []demoItem, origin string) {
	home := origin + "/" + o.ID + "/"
	switch o.Format {
	case "json":
		w.Header().Set("Content-Type", "application/feed+json")
		list := []map[string]string{}
		for _, it := range items {
			list = append(list, map[string]string{"id": it.guid, "url": it.link, "title": it.title, "content_html": it.html, "date_published": it.date.Format(time.RFC3339)})
		}
		json.NewEncoder(w).Encode(map[string]any{"version": "https://jsonfeed.org/version/1.1", "title": o.Name, "language": o.Language, "home_page_url": home, "items": list})
	case "atom":
		w.Header().Set("Content-Type", "application/atom+xml; charset=utf-8")
		fmt.Fprintf(w, `<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang=%q><id>tag:%s.example,2026:feed</id><title>%s</title><updated>%s</updated><link href=%q/>`,
			o.Language, o.ID, escape(o.Name), items[0].date.Format(time.RFC3339), home)
		for _, it := range items {
			fmt.Fprintf(w, `<entry><id>%s</id><title>%s</title><link href="%s"/><published>%[4]s</published><updated>%[4]s</updated><author><name>%s</name></author><content type="html">%s</content></entry>`,
				it.guid, escape(it.title), escape(it.link), it.date.Format(time.RFC3339), escape(o.Name), escape(it.html))
		}
		fmt.Fprint(w, `</feed>`)
	default:
		w.Header().Set("Content-Type", "application/rss+xml; charset=utf-8")
		fmt.Fprintf(w, `<?xml version="1.0" encoding="utf-8"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><title>%s</title><link>%s</link><description>%[1]s</description><language>%s</language>`,
			escape(o.Name), home, o.Language)
		for _, it := range items {
			first, _, _ := strings.Cut(it.html, "</p>")
			fmt.Fprintf(w, `<item><guid isPermaLink="false">%s</guid><title>%s</title><link>%s</link><pubDate>%s</pubDate><description>%s</description><content:encoded>%s</content:encoded></item>`,
				it.guid, escape(it.title), escape(it.link), it.date.Format(time.RFC1123Z), escape(cmp.Or(first, it.html)+"</p>"), escape(it.html))
		}
		fmt.Fprint(w, `</channel></rss>`)
	}
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a strings.Builder takes everything
	return b.String()
}
