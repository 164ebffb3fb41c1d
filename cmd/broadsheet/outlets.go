package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"broadsheet/fetch"
	"broadsheet/publish"
	"broadsheet/store"
)

func (p *program) outletsCommand() *cobra.Command {
	var asJSON bool
	var revive string
	c := &cobra.Command{
		Use:   "outlets",
		Short: "One line per feed: state and the reason for its next poll, last success, failures, items",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("revive") {
				return p.revive(c.Context(), revive)
			}
			return p.outlets(c.Context(), asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as a JSON array")
	c.Flags().StringVar(&revive, "revive", "", "poll the feeds of the outlet with this `ID` again that had ended with 410 or 451")
	c.MarkFlagsMutuallyExclusive("json", "revive")
	return c
}

func (p *program) outlets(ctx context.Context, asJSON bool) error {
	plan, err := p.plan()
	if err != nil {
		return err
	}
	st, r, err := plan.reach(ctx, p.log(slog.LevelWarn))
	if err != nil {
		return err
	}
	var rows []publish.Row
	if r != nil {
		rows, err = r.rows(ctx)
	} else {
		defer st.Close()
		rows, err = plan.rows(ctx, st)
	}
	if err != nil {
		return err
	}
	if asJSON {
		b, err := publish.MarshalRows(rows)
		if err != nil {
			return err
		}
		_, err = p.stdout.Write(b)
		return err
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "OUTLET\tSTATE\tNEXT POLL\tREASON\tLAST SUCCESS\tFAILURES\tITEMS\tFEED\tERROR")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\n", r.Outlet, r.State, clock(r.NextPoll), r.Reason, clock(r.LastSuccess), r.Failures, r.Items, r.Feed, r.Error)
	}
	return w.Flush()
}

// revive lets the ended feeds of an outlet be polled again, when they are due.
func (p *program) revive(ctx context.Context, outlet string) error {
	pl, err := p.plan()
	if err != nil {
		return err
	}
	if err := pl.hasOutlet("--revive", outlet); err != nil {
		return err
	}
	log := p.log(slog.LevelWarn)
	st, r, err := pl.reach(ctx, log)
	if err != nil {
		return err
	}
	var feeds []string
	if r != nil {
		feeds, err = r.revive(ctx, outlet)
	} else {
		defer st.Close()
		err = pl.running(ctx, st, log, func(s *fetch.Scheduler) (err error) {
			feeds, err = s.Revive(outlet)
			return err
		})
	}
	switch {
	case err != nil:
		return err
	case len(feeds) == 0:
		return fmt.Errorf("no feed of %s has ended; `broadsheet outlets` shows their states", outlet)
	}
	for _, feed := range feeds {
		fmt.Fprintf(p.stdout, "%s is polled again when it is due\n", feed)
	}
	return nil
}

// hasOutlet refuses an id that a flag names and the configuration does not have.
func (pl *plan) hasOutlet(flag, id string) error {
	if slices.ContainsFunc(pl.feeds, func(f fetch.Feed) bool { return f.Outlet == id }) {
		return nil
	}
	return fmt.Errorf("%w: %s %s: the configuration has no such outlet; `broadsheet outlets` lists them", errUsage, flag, id)
}

// clock writes a time for people, in their own zone.
func clock(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04")
}

// states are what the store knows of the configured feeds, in their order.
func (pl *plan) states(ctx context.Context, st store.Store) ([]store.FeedState, error) {
	stored := map[store.FeedName]store.FeedState{}
	for s, err := range st.Feeds(ctx) {
		if err != nil {
			return nil, err
		}
		stored[s.Name()] = s
	}
	states := make([]store.FeedState, len(pl.feeds))
	for i := range pl.feeds {
		states[i] = stored[pl.feeds[i].Name()]
	}
	return states, nil
}

// rows tells the state of each configured feed, in the configuration's order.
func (pl *plan) rows(ctx context.Context, st store.Store) ([]publish.Row, error) {
	states, err := pl.states(ctx, st)
	if err != nil {
		return nil, err
	}
	now := st.Now()
	dues := fetch.Dues(pl.feeds, &pl.settings, states, now)
	names := map[string]string{}
	for _, o := range pl.publication.Outlets {
		names[o.ID] = o.Name
	}
	rows := make([]publish.Row, 0, len(pl.feeds))
	for i, f := range pl.feeds {
		s, due := states[i], dues[i]
		r := publish.Row{
			Outlet: f.Outlet, Feed: f.URL, State: due.State, Reason: due.Reason, Failures: s.Failures, Error: s.Err, Items: s.Items,
			Name: names[f.Outlet], Silent: known(s.SilentSince()), Damaged: s.Damaged, History: s.History,
			LastPoll: known(s.LastPoll), LastSuccess: known(s.LastSuccess), LastNewItem: known(s.LastNewItem),
		}
		if !due.Never {
			next := due.At.UTC().Truncate(time.Second)
			if next.Before(now) { // overdue: as soon as there is a poller
				next = now.Truncate(time.Second)
			}
			r.NextPoll = &next
		}
		if r.Silent != nil {
			r.Reason += "; silent since " + r.Silent.Format("2006-01-02") + ", longer than its rhythm explains"
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
