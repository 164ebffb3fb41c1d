package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"broadsheet/store"
)

func (p *program) publishCommand() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "publish --out DIR",
		Short: "Write all sections as static files from the store",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return p.publish(c.Context(), out) },
	}
	c.Flags().StringVar(&out, "out", "", "`folder` to write to; made if its parent exists")
	c.MarkFlagRequired("out")
	return c
}

func (p *program) publish(ctx context.Context, dir string) error {
	pl, err := p.plan()
	if err != nil {
		return err
	}
	log := p.log(slog.LevelWarn)
	st, r, err := pl.reach(ctx, log)
	if err != nil {
		return err
	}
	if st != nil {
		defer st.Close()
	}
	written, _, err := pl.write(ctx, st, r, dir, log)
	if err == nil && p.talks() {
		fmt.Fprintf(p.stderr, "%s written to %s.\n", store.Count(written, "file"), dir)
	}
	return err
}
