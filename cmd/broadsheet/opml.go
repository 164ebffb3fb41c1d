package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"broadsheet/config"
	"broadsheet/publish"
)

func (p *program) importCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE.opml",
		Short: "Print the outlets of an OPML file as TOML to paste",
		Long: `Prints the outlets of an OPML file (- is standard input) as [[outlet]] blocks: paste them into the configuration, or
put them into a file of their own and name it in include_files.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			in := io.Reader(os.Stdin)
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return fmt.Errorf("%w; name a file that is there and that this user may read, or - for standard input", err)
				}
				defer f.Close()
				in = f
			}
			outlets, err := config.ParseOPML(in)
			var skipped config.Skipped
			switch {
			case errors.As(err, &skipped) && len(outlets) > 0:
				for _, s := range skipped {
					fmt.Fprintln(p.stderr, "left out:", s)
				}
			case err != nil:
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return config.WriteTOML(p.stdout, outlets)
		},
	}
}

func (p *program) exportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export",
		Short: "Print the configured outlets as OPML",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			plan, err := p.plan()
			if err != nil {
				return err
			}
			for _, o := range plan.publication.Outlets {
				for _, f := range o.Feeds {
					if f.Private {
						fmt.Fprintf(p.stderr, "left out: %q: %s is polled with a secret\n", o.Name, f.Shown)
					}
				}
			}
			_, err = p.stdout.Write(publish.OPML(plan.config.Title, plan.publication.Outlets))
			return err
		},
	}
}
