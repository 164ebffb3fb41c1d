package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"broadsheet/fetch"
	"broadsheet/publish"
	"broadsheet/store"
)

func (p *program) fetchCommand() *cobra.Command {
	var once, strict bool
	var want fetch.Request
	c := &cobra.Command{
		Use:   "fetch",
		Short: "Poll on schedule without serving; --once: poll once what is due, for cron",
		Long: `Polls on schedule until it is stopped, without serving. With --once it polls what is due, writes the static files if publish.dir
is set, and ends: silently, unless something went wrong. Where a daemon holds the store, the daemon is asked to do it.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if once {
				return p.fetchOnce(c.Context(), want, strict)
			}
			return p.runDaemon(c.Context(), duties{fetch: true})
		},
		PreRunE: func(*cobra.Command, []string) error {
			if !once && (strict || want.Force || len(want.Outlets) > 0) {
				return errors.New("--outlet, --force and --strict go with --once")
			}
			return nil
		},
	}
	f := c.Flags()
	f.BoolVar(&once, "once", false, "poll once what is due, then end")
	f.StringArrayVar(&want.Outlets, "outlet", nil, "only the feeds of the outlet with this `ID`; may be repeated")
	f.BoolVar(&want.Force, "force", false, "also feeds that wait for their schedule, for hints or in back-off")
	f.BoolVar(&strict, "strict", false, "exit 3 if some outlets failed")
	return c
}

func (p *program) fetchOnce(ctx context.Context, want fetch.Request, strict bool) error {
	pl, err := p.plan()
	if err != nil {
		return err
	}
	for _, id := range want.Outlets {
		if err := pl.hasOutlet("--outlet", id); err != nil {
			return err
		}
	}
	if p.talks() {
		p.warn(pl)
	}
	log := p.log(slog.LevelWarn)
	st, r, sum, err := p.round(ctx, pl, want, log)
	defer func() {
		if st != nil {
			st.Close()
		}
	}()
	if err != nil {
		return err
	}
	written := 0
	if dir := pl.config.Publish.Dir; dir != "" {
		var e *publish.Edition
		st, r, err = pl.holding(ctx, log, st, r, func(st keeper, r *remote) (err error) {
			var n int
			n, e, err = pl.write(ctx, st, r, dir, log)
			written += n
			return err
		})
		if err == nil && r == nil {
			err = pl.ping(ctx, st, e, log)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case !p.talks():
	case p.logFormat == "json":
		p.log(slog.LevelInfo).Info("polled once", "feeds", sum.Feeds, "polled", sum.Polled, "new", sum.New, "changed", sum.Changed,
			"unchanged", sum.Unchanged, "failed", sum.Failed, "files", written)
	default:
		fmt.Fprintf(p.stderr, "%d of %s polled: %s, %d changed; %s unchanged, %d failed",
			sum.Polled, store.Count(sum.Feeds, "feed"), store.Count(sum.New, "new item"), sum.Changed, store.Count(sum.Unchanged, "feed"), sum.Failed)
		if pl.config.Publish.Dir != "" {
			fmt.Fprintf(p.stderr, "; %s written to %s", store.Count(written, "file"), pl.config.Publish.Dir)
		}
		fmt.Fprintln(p.stderr, ".")
	}
	switch {
	case sum.Unsaved != "":
		return fmt.Errorf("some polls could not be stored and will be repeated: %s", sum.Unsaved)
	case strict && len(sum.Failures) > 0:
		return errStrict
	}
	return nil
}

// round polls once what want asks for, with the store or with the daemon that holds it: the other one of the two is nil.
func (p *program) round(ctx context.Context, pl *plan, want fetch.Request, log *slog.Logger) (st keeper, r *remote, sum fetch.Summary, err error) {
	step, end := showProgress(p.stderr, p.quiet)
	defer end()
	st, r, err = pl.holding(ctx, log, nil, nil, func(st keeper, r *remote) (err error) {
		if r == nil {
			sum, err = pl.once(ctx, st, want, log, step)
		} else {
			sum, err = r.once(ctx, want, step)
		}
		return err
	})
	if r == nil {
		return st, nil, sum, err
	}
	for _, f := range sum.Failures { // the daemon's log has them, too, but cron's mail should
		log.Warn("poll failed", "outlet", f.Outlet, "feed", f.Feed, "err", f.Err)
	}
	return nil, r, sum, err
}

// daemonTries is how many daemons may stop, one after the other, while we wait for their answer.
const daemonTries = 3

// holding calls do with the store or with the daemon that holds it, whichever of st and r is there, and returns who had it last. When a
// daemon stops before it is done, or there is neither of the two yet, it is whoever has the store then.
func (pl *plan) holding(ctx context.Context, log *slog.Logger, st keeper, r *remote, do func(keeper, *remote) error) (keeper, *remote, error) {
	for n := 1; ; n++ {
		if st == nil && r == nil {
			var err error
			if st, r, err = pl.reach(ctx, log); err != nil {
				return nil, nil, err
			}
		}
		err := do(st, r)
		if !errors.Is(err, errStopped) || ctx.Err() != nil || n == daemonTries {
			return st, r, err
		}
		r = nil
	}
}

// once polls what is due in a process of its own, and prunes.
func (pl *plan) once(ctx context.Context, st keeper, want fetch.Request, log *slog.Logger, step func(fetch.Progress)) (fetch.Summary, error) {
	var sum fetch.Summary
	if err := publish.Remember(ctx, st, pl.publication); err != nil {
		return sum, err
	}
	err := pl.running(ctx, st, log, func(s *fetch.Scheduler) (err error) {
		sum, err = s.Once(ctx, want, step)
		return err
	})
	if err != nil {
		return sum, err
	}
	return sum, pl.prune(ctx, st, log)
}

// running does something with a scheduler that polls nothing by itself.
func (pl *plan) running(ctx context.Context, st store.Store, log *slog.Logger, do func(*fetch.Scheduler) error) error {
	s := fetch.New(fetch.Options{Store: st, Settings: pl.settings, Feeds: pl.feeds, Log: log})
	polling, stop := context.WithCancel(ctx)
	ran := make(chan error, 1)
	go func() { ran <- s.Run(polling) }()
	err := do(s)
	stop()
	if failed := <-ran; failed != nil {
		return failed
	}
	return err
}

// write writes the sections as static files where this process stands: from the store, or from what
// the daemon that holds it has rendered. It returns how many it wrote, and the documents that were rendered for that.
func (pl *plan) write(ctx context.Context, st keeper, r *remote, dir string, log *slog.Logger) (int, *publish.Edition, error) {
	if r != nil {
		e, err := r.edition(ctx)
		if err != nil {
			return 0, nil, err
		}
		n, err := e.Write(ctx, dir, r)
		if err != nil {
			return n, nil, err
		}
		archives, err := publish.WriteArchives(ctx, dir, r, r)
		return n + archives, e, err
	}
	if err := publish.Remember(ctx, st, pl.publication); err != nil {
		return 0, nil, err
	}
	publisher, err := publish.New(pl.publication, st, log)
	if err != nil {
		return 0, nil, err
	}
	n, err := publisher.Write(ctx, dir, st)
	if err != nil {
		return n, nil, err
	}
	archives, err := publish.WriteArchives(ctx, dir, st, publisher)
	return n + archives, publisher.Rendered(), err
}
