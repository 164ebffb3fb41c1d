package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"broadsheet/config"
	"broadsheet/fetch"
)

func (p *program) discoverCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "discover URL",
		Short: "Print the feeds that a page advertises as TOML to paste",
		Long: `Asks a page, as robots.txt permits, which feeds it advertises, and prints them as an [[outlet]] block to paste into the
configuration. Take out what you do not want: many pages advertise the feed of their comments, too.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return p.discover(c.Context(), args[0]) },
	}
}

func (p *program) discover(ctx context.Context, address string) error {
	plan, err := p.plan() // says who asks, through which proxy, and which networks may be asked
	if err != nil {
		return err
	}
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	client := fetch.NewClient(plan.settings, nil)
	defer client.Close()
	page, err := client.Discover(ctx, &plan.settings, p.log(slog.LevelWarn), address, plan.config.Fetch.AllowPrivate)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", address, err)
	case len(page.Feeds) == 0:
		return fmt.Errorf("%s: %w", page.Address, errNoFeeds)
	}
	return writeFound(p.stdout, page)
}

var errNoFeeds = errors.New("the page advertises no feed; look for a link called RSS, Atom or Feed on it, and try the page of a section")

// writeFound prints a page's feeds as one outlet, with what the page calls each of them in a comment.
func writeFound(w io.Writer, page *fetch.Page) error {
	feeds := make([]string, len(page.Feeds))
	for i, f := range page.Feeds {
		feeds[i] = f.URL
		title := strings.Map(func(r rune) rune {
			if unicode.IsControl(r) { // TOML has none in comments
				return -1
			}
			return r
		}, f.Title)
		if title != "" {
			fmt.Fprintf(w, "# %s: %s\n", f.URL, title)
		}
	}
	return config.WriteTOML(w, []config.Outlet{config.NewOutlet(page.Title, page.Address, page.Language, feeds...)})
}
