package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func (p *program) healthcheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck",
		Short: "Exit 0 if the daemon is well, else 1",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			plan, err := p.plan()
			if err != nil {
				return err
			}
			r, err := dial(c.Context(), plan.config)
			if err != nil {
				return err
			}
			if r == nil {
				return errors.New("no daemon answers; start it with `broadsheet serve`")
			}
			body, err := r.do(c.Context(), "GET", "/ready", nil)
			if err != nil {
				return err
			}
			return body.Close()
		},
	}
}
