package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"broadsheet/store"
	"broadsheet/store/bolt"
)

func (p *program) repairCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "repair",
		Short: "Check the store, rebuild its indexes and compact its file; no daemon may run",
		Long: `Checks the file that store.url names, and writes it anew from what of it can be read: with every index made from the items, and
without the pages that are free. If anything was wrong with it, the file as it was is kept beside it. It needs as much room on the disk
as the store has, and nobody else can have the store open meanwhile. Ids stay; what was lost comes back with the outlets' next
documents, as far as these list it still.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return p.repair(c.Context()) },
	}
}

func (p *program) repair(ctx context.Context) error {
	pl, err := p.plan()
	if err != nil {
		return err
	}
	if shared(pl.config) {
		return errors.New("repair is for a store that is a file; a database has its own means (REINDEX, VACUUM)")
	}
	path := pl.config.Store.Path
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is no store at %s yet; `broadsheet fetch --once` makes one", path)
	}
	if r, err := dial(ctx, pl.config); r != nil || err != nil {
		return errors.Join(err, fmt.Errorf("%s: %w; stop the daemon first", path, store.ErrHeld))
	}
	if onTerminal(p.stderr) && !p.quiet {
		fmt.Fprintf(p.stderr, "%s is checked and written anew; this may take a while\n", path)
	}
	r, err := bolt.Repair(ctx, path, bolt.Options{Wait: holdWait, Log: p.log(slog.LevelWarn)})
	if err != nil {
		return err
	}
	if r.Faults == nil {
		fmt.Fprintf(p.stdout, "%s was sound\n", path)
	} else {
		fmt.Fprintf(p.stdout, "%s had faults; it is kept as %s\n%v\n", path, r.Kept, r.Faults)
	}
	fmt.Fprint(p.stdout, store.Count(r.Items, "item"))
	if r.Textless+r.Lost > 0 {
		fmt.Fprintf(p.stdout, ", %d of them without their text; %d could not be read: the next polls bring back what outlets still list", r.Textless, r.Lost)
	}
	fmt.Fprintf(p.stdout, "; %.2f MB, before %.2f MB\n", float64(r.After)/1e6, float64(r.Before)/1e6)
	return nil
}
