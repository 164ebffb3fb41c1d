package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"broadsheet/config"
	"broadsheet/fetch"
	"broadsheet/publish"
)

func (p *program) serveCommand() *cobra.Command {
	var noFetch bool
	c := &cobra.Command{
		Use:   "serve",
		Short: "Poll on schedule and serve the sections",
		Long: `Polls on schedule and serves the sections until it is stopped. SIGHUP reloads the configuration: all of it or, if anything in
it is wrong, none of it. SIGTERM stops within 10 s and loses nothing.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.runDaemon(c.Context(), duties{fetch: !noFetch, serve: true})
		},
	}
	c.Flags().BoolVar(&noFetch, "no-fetch", false, "only serve")
	return c
}

// duties are what a daemon does.
type duties struct{ fetch, serve bool }

// A daemon is the joined parts of a process that stays.
type daemon struct {
	duties
	log       *slog.Logger
	store     keeper
	scheduler *fetch.Scheduler
	pushed    *fetch.Subscriber // nil unless we poll and serve
	changed   chan struct{}     // holds one signal: something was stored, or the configuration changed
	written   chan struct{}     // holds one signal: sections were written as files, and archives may have to be
	metrics   *meters
	unreached atomic.Pointer[error] // that a shared store does not answer, if it does not

	unpublished atomic.Pointer[error]     // that the last edition could not be shown or written, if it could not
	felt        atomic.Pointer[time.Time] // when the scheduler took a turn last
	first       sync.Once                 // the first edition
	work        atomic.Pointer[parts]
}

// parts are what a reload replaces, all at once.
type parts struct {
	*plan
	store     keeper
	publisher *publish.Publisher
	documents *publish.Handler
	client    *fetch.Client // of announcer
	announcer announcer     // nil if nobody is to be told
	replaced  chan struct{} // closed when a reload has replaced them
	public    http.Handler
	admin     http.Handler
}

func (d *daemon) parts() *parts { return d.work.Load() }

func (p *parts) rows(ctx context.Context) ([]publish.Row, error) { return p.plan.rows(ctx, p.store) }

// newParts builds what depends on the configuration.
func (d *daemon) newParts(pl *plan) (*parts, error) {
	publisher, err := publish.New(pl.publication, d.store, d.log)
	if err != nil {
		return nil, err
	}
	p := &parts{plan: pl, store: d.store, publisher: publisher, documents: publish.NewHandler(pl.config.BaseURL), client: fetch.NewClient(pl.settings, nil), replaced: make(chan struct{})}
	status := publisher.Status(operatorsURL(pl.config), p.rows)
	ready := publish.Health(func(*http.Request) error { return d.condition() })
	alive := publish.Health(func(*http.Request) error { return d.alive() })
	public, admin := http.NewServeMux(), http.NewServeMux()
	operators := public
	if pl.config.Server.Admin != "" {
		operators = admin
		admin.Handle("/healthz", alive)
		for _, looks := range []string{"/style.css", "/feed.css", "/own.css", "/icon.png", "/favicon.png"} {
			admin.Handle(looks, p.documents)
		}
	}
	for _, path := range []string{"/status", "/status.json", "/status.atom"} {
		operators.Handle(path, status)
	}
	operators.Handle("/readyz", ready)
	operators.Handle("/metrics", d.metrics.handler(d.log))
	public.Handle("/healthz", alive)
	var hub http.Handler
	if p.announcer, hub = d.announcing(pl, p.client); hub != nil {
		public.Handle(publish.HubPath, hub)
	}
	if d.fetch && d.serve {
		public.HandleFunc(fetch.CallbackPath, func(w http.ResponseWriter, r *http.Request) { d.pushed.ServeHTTP(w, r) })
	}
	public.Handle("/", p.documents)
	p.public, p.admin = publish.Under(pl.config.BaseURL, public), admin
	return p, nil
}

// operatorsURL is the address of what server.admin takes away from the public.
func operatorsURL(cfg *config.Config) string {
	admin := cfg.Server.Admin
	switch {
	case admin == "":
		return cfg.BaseURL
	case strings.HasPrefix(admin, "unix:"):
		return "http://localhost" // whatever leads there
	case strings.HasPrefix(admin, ":"):
		return "http://localhost" + admin
	}
	return "http://" + admin
}

// runDaemon loads the configuration and runs it.
func (p *program) runDaemon(ctx context.Context, what duties) error {
	pl, err := p.plan()
	if err != nil {
		return err
	}
	log := p.log(slog.LevelInfo)
	for _, w := range pl.config.Warnings {
		log.Warn("configuration: " + w)
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	return runPlan(ctx, pl, what, log, func(ctx context.Context, d *daemon) {
		for {
			select {
			case <-hup:
				d.reload(ctx, p.plan)
			case <-ctx.Done():
				return
			}
		}
	}, nil)
}

// runPlan opens what a daemon needs and runs it until ctx ends. beside, if it is not nil, runs beside it and
// ends with its ctx; ready, if it is not nil, is called when all that can be refused has been had.
func runPlan(ctx context.Context, pl *plan, what duties, log *slog.Logger, beside func(context.Context, *daemon), ready func()) (err error) {
	st, err := openStore(ctx, pl.config, holdWait, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if err := pl.prepare(ctx, st, log); err != nil {
		return err
	}
	if err := publish.Remember(ctx, st, pl.publication); err != nil {
		return err
	}
	if !what.fetch || !what.serve {
		pl.unpushed()
	}
	d := &daemon{duties: what, log: log, store: st, changed: make(chan struct{}, 1), written: make(chan struct{}, 1)}
	d.felt.Store(new(time.Now()))
	d.metrics = newMeters(d)
	first, err := d.newParts(pl)
	if err != nil {
		return err
	}
	d.work.Store(first)
	d.scheduler = fetch.New(fetch.Options{Store: st, Settings: pl.settings, Feeds: pl.feeds, Automatic: what.fetch, Saved: d.wake, Log: log})
	if what.fetch && what.serve {
		d.pushed = fetch.NewSubscriber(d.scheduler, st, pl.config.BaseURL)
	}

	// Everything that can be refused is asked for before anything starts.
	var listeners []net.Listener
	defer func() {
		for _, l := range listeners {
			l.Close()
		}
	}()
	listen := func(address, key string) (net.Listener, error) {
		l, err := listenOn(address, key)
		if err == nil {
			listeners = append(listeners, l)
		}
		return l, err
	}
	path, err := socketPath(pl.config)
	if err != nil {
		return err
	}
	controls, err := listenControl(path, shared(pl.config))
	switch {
	case errors.Is(err, errControlled):
		log.Info("another process on this machine answers the command line", "socket", path)
	case err != nil:
		return err
	default:
		listeners = append(listeners, controls)
	}
	var admin net.Listener
	public := pl.public
	if what.serve && public == nil {
		if public, err = listen(pl.config.Server.Listen, "server.listen"); err != nil {
			return err
		}
	}
	if what.serve && pl.config.Server.Admin != "" {
		if admin, err = listen(pl.config.Server.Admin, "server.admin"); err != nil {
			return err
		}
	}

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		<-ctx.Done()
		d.tellStopping()
		return nil
	})
	g.Go(func() error { return d.scheduler.Run(ctx) })
	g.Go(func() error { return d.pulse(ctx) })
	g.Go(func() error { return d.publishing(ctx) })
	g.Go(func() error { return d.archiving(ctx) })
	g.Go(func() error { return d.announcements(ctx) })
	if d.pushed != nil {
		g.Go(func() error { return d.pushed.Run(ctx) })
	}
	if controls != nil {
		g.Go(func() error { return d.serveControl(ctx, controls) })
	}
	if shared(pl.config) {
		g.Go(func() error { return d.watch(ctx) })
	}
	if what.fetch {
		g.Go(func() error {
			return fetch.Repeat(ctx, "@hourly", log, func() {
				if err := d.parts().prune(ctx, st, log); err != nil && ctx.Err() == nil {
					log.Error("old items not deleted", "err", err)
				}
				d.wake()
			})
		})
	}
	d.wake() // there may be files to write, whatever is polled
	if what.serve {
		proxies := pl.config.Server.TrustedProxies
		g.Go(func() error {
			log.Info("serving", "address", public.Addr().String(), "base_url", pl.config.BaseURL, "sections", len(pl.config.Sections))
			now := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.parts().public.ServeHTTP(w, r) })
			return serveUntil(ctx, d.metrics.server("public", logRequests(now, log, proxies), log).Server, public)
		})
		if admin != nil {
			g.Go(func() error {
				now := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.parts().admin.ServeHTTP(w, r) })
				return serveUntil(ctx, d.metrics.server("admin", logRequests(now, log, proxies), log).Server, admin)
			})
		}
		if ready != nil {
			ready()
		}
	}
	if beside != nil {
		g.Go(func() error {
			beside(ctx, d)
			return nil
		})
	}
	err = g.Wait()
	if err == nil {
		log.Info("stopped")
	}
	return err
}

// listenOn listens on "host:port" or "unix:/path".
func listenOn(address, key string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
			c.Close()
			return nil, fmt.Errorf("%s = %q: another process listens there; stop it or choose another path", key, address)
		} else if errors.Is(err, syscall.ECONNREFUSED) { // left over from a process that died
			if err := removeSocket(path); err != nil {
				return nil, fmt.Errorf("%s = %q: %w", key, address, err)
			}
		}
		l, err := net.Listen("unix", path)
		if err != nil {
			return nil, fmt.Errorf("%s = %q: %w; its folder must be there, and writable for the user who runs broadsheet", key, address, err)
		}
		return l, nil
	}
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s = %q: the address is in use by another process; stop it or choose another address", key, address)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s = %q: not permitted; ports below 1024 need a privilege, choose a higher one", key, address)
	case err != nil:
		return nil, fmt.Errorf("%s = %q: %w; write an address of this machine, or \":PORT\" for all that it has", key, address, err)
	}
	return l, nil
}

// removeSocket removes a socket that nobody listens at, and nothing else that somebody may have named by mistake.
func removeSocket(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != os.ModeSocket:
		return fmt.Errorf("%s is there, and is no socket; remove it or choose another path", path)
	}
	return os.Remove(path)
}

// ready says why the daemon is not ready, if it is not.
func (d *daemon) ready() error {
	if d.serve && d.parts().documents.Shown() == nil {
		return errors.New("the first edition is not rendered yet")
	}
	return nil
}

// condition is what /readyz says: whether the daemon is ready, and whether it can store, publish and reach the outlets. If not
// it serves what it has.
func (d *daemon) condition() error {
	if err := d.ready(); err != nil {
		return err
	}
	if err := d.degraded(); err != nil {
		return publish.Degraded{Err: err}
	}
	return nil
}

// degraded says what is wrong around the daemon, if anything is.
func (d *daemon) degraded() error {
	for _, err := range []*error{d.unreached.Load(), d.unpublished.Load()} {
		if err != nil {
			return *err
		}
	}
	return d.scheduler.Degraded()
}
