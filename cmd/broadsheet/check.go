package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"broadsheet/fetch"
	"broadsheet/store"
	"broadsheet/store/bolt"
)

func (p *program) checkCommand() *cobra.Command {
	var live bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration; --live also polls every feed once, without storing anything",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return p.check(c.Context(), live) },
	}
	c.Flags().BoolVar(&live, "live", false, "poll every enabled feed once, storing nothing, and tell what it holds")
	return c
}

func (p *program) check(ctx context.Context, live bool) error {
	plan, err := p.plan()
	if err != nil {
		return err
	}
	p.warn(plan)
	if live {
		return p.checkLive(ctx, plan)
	}
	if !p.quiet {
		fmt.Fprintf(p.stdout, "The configuration is right: %s, %s, %s.\n",
			store.Count(len(plan.config.Outlets), "outlet"), store.Count(len(plan.feeds), "feed"), store.Count(len(plan.config.Sections), "section"))
	}
	return nil
}

// checkLive polls every feed into a store that is thrown away, with all the manners of a real round.
func (p *program) checkLive(ctx context.Context, pl *plan) error {
	dir, err := os.MkdirTemp("", "broadsheet-check-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	st, err := bolt.Open(filepath.Join(dir, "check.db"), bolt.Options{Log: p.log(slog.LevelWarn), NoSync: true})
	if err != nil {
		return err
	}
	defer st.Close()
	step, end := showProgress(p.stderr, p.quiet)
	_, err = pl.once(ctx, st, fetch.Request{}, slog.New(slog.DiscardHandler), step)
	end()
	if err != nil {
		return err
	}
	states, err := pl.states(ctx, st)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for i, f := range pl.feeds {
		s := states[i]
		switch {
		case !f.Enabled:
			fmt.Fprintf(w, "-\t%s\t%s\tnot enabled\n", f.Outlet, f.URL)
		case s.Failures > 0:
			fmt.Fprintf(w, "FAIL\t%s\t%s\t%s\n", f.Outlet, f.URL, s.Err)
		case s.Damaged:
			fmt.Fprintf(w, "damaged\t%s\t%s\t%s kept; %s\n", f.Outlet, f.URL, store.Count(s.Items, "item"), s.Err)
		default:
			found := newest(ctx, st, f)
			if s.Err != "" { // a fault that cost nothing
				found += "; " + s.Err
			}
			fmt.Fprintf(w, "ok\t%s\t%s\t%q, %s%s\n", f.Outlet, f.URL, s.Title, store.Count(s.Items, "item"), found)
		}
	}
	return w.Flush()
}

// newest tells the date of a feed's newest item.
func newest(ctx context.Context, st store.Store, f fetch.Feed) string {
	for it, err := range st.Items(ctx, store.Query{Outlets: []string{f.Outlet}}) {
		if err != nil {
			break
		}
		if slices.Contains(it.Feeds, f.URL) {
			return ", the newest of " + it.Date.Format(time.DateTime)
		}
	}
	return ""
}
