package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"broadsheet/config"
	"broadsheet/publish"
	"broadsheet/store"
)

func (p *program) previewCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "preview SECTION",
		Short: "What a section would show under the configuration given with -c, against what is published now",
		Long: `Shows the section as it would be now under the configuration given with -c, as a diff against what is published: "+" comes in,
"-" goes out, "~" is shown otherwise, each with its reason. Nothing is written.

What is published now is what the daemon that holds the store shows; without one, what was last written to publish.dir; without
that, what the usual configuration ($BROADSHEET_CONFIG, else ./broadsheet.toml) makes of the store.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return p.preview(c.Context(), args[0], asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as a JSON object")
	return c
}

func (p *program) preview(ctx context.Context, slug string, asJSON bool) error {
	pl, err := p.plan()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(pl.config.Sections, func(s config.Section) bool { return s.Slug == slug }) {
		return fmt.Errorf("%w: %s: the configuration has no such section; name the slug of one that it has", errUsage, slug)
	}
	if _, err := os.Stat(pl.config.Store.Path); !shared(pl.config) && errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is no store at %s yet; `broadsheet fetch --once` makes one", pl.config.Store.Path)
	}
	log := p.log(slog.LevelWarn)
	st, r, err := reach(ctx, pl.config, log) // renames nothing
	if err != nil {
		return err
	}
	var out publish.Preview
	if r != nil {
		out, err = r.preview(ctx, previewing{Section: slug, Publication: pl.publication, Timezone: pl.config.Timezone, Renames: pl.renames})
	} else {
		defer st.Close()
		out, err = p.previewAlone(ctx, pl, st, slug, log)
	}
	if err != nil {
		return err
	}
	if asJSON {
		e := json.NewEncoder(p.stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(out)
	}
	printPreview(p.stdout, out)
	return nil
}

// previewAlone compares with the static files or with another configuration, since no daemon publishes.
func (p *program) previewAlone(ctx context.Context, pl *plan, st keeper, slug string, log *slog.Logger) (out publish.Preview, err error) {
	next, err := publish.New(pl.publication, renamed{st, pl.renames}, log)
	if err != nil {
		return out, err
	}
	names, old := called(&pl.publication, slug), (*publish.Publisher)(nil)
	before, against, written := publish.Listing{}, "nothing: the section is not published yet", false
	usual, err := p.usualPlan(pl)
	if err != nil {
		return out, err
	}
	if usual != nil {
		if old, err = publish.New(usual.publication, renamed{st, usual.renames}, log); err != nil {
			return out, err
		}
	}
	for _, from := range []*plan{pl, usual} {
		if from == nil || written || from.config.Publish.Dir == "" {
			continue
		}
		before, written, err = publishedAs(names, func(name string) (publish.Listing, bool, error) {
			return next.Written(ctx, st, from.config.Publish.Dir, name)
		})
		if err != nil {
			return out, err
		}
		if written {
			against = "the files in " + from.config.Publish.Dir
		}
	}
	if !written && old != nil {
		shown := false
		before, shown, err = publishedAs(names, func(name string) (publish.Listing, bool, error) { return old.Listing(ctx, name) })
		if err != nil {
			return out, err
		}
		if shown {
			against = usual.path
		}
	}
	if out, err = next.Preview(ctx, slug, before, old); err != nil {
		return out, err
	}
	out.Against = against + formerly(slug, before)
	return out, nil
}

// called is what a section is called and was called, as far as its configuration tells.
func called(pub *publish.Publication, slug string) []string {
	for i := range pub.Sections {
		if s := &pub.Sections[i]; s.Slug == slug {
			return append([]string{slug}, s.Formerly...)
		}
	}
	return []string{slug}
}

// publishedAs is what is published under the first name that anything is published under.
func publishedAs(names []string, look func(string) (publish.Listing, bool, error)) (publish.Listing, bool, error) {
	for _, name := range names {
		if l, ok, err := look(name); ok || err != nil {
			return l, ok, err
		}
	}
	return publish.Listing{}, false, nil
}

// formerly tells that a section is published under another name.
func formerly(slug string, before publish.Listing) string {
	if before.Section == "" || before.Section == slug {
		return ""
	}
	return fmt.Sprintf(", where it is %q", before.Section)
}

// usualPlan is the configuration that holds without -c, if pl is of another file; nil if there is none, or if it
// keeps its items in another store.
func (p *program) usualPlan(pl *plan) (*plan, error) {
	path := cmp.Or(os.Getenv("BROADSHEET_CONFIG"), "broadsheet.toml")
	a, err := os.Stat(path)
	if err != nil {
		return nil, nil
	}
	if b, err := os.Stat(pl.path); err == nil && os.SameFile(a, b) {
		return nil, nil
	}
	usual, err := load(path)
	if err != nil {
		return nil, fmt.Errorf("the configuration to compare with: %w", err)
	}
	if !sameStore(usual.config, pl.config) {
		return nil, nil
	}
	return usual, nil
}

// A previewing asks a daemon what a section would show under another configuration than its own.
type previewing struct {
	Section     string
	Publication publish.Publication
	Timezone    string // of Publication
	Renames     []store.Rename
}

// preview compares with what the daemon publishes.
func (d *daemon) preview(ctx context.Context, want previewing) (out publish.Preview, err error) {
	if want.Publication.Location, err = time.LoadLocation(want.Timezone); err != nil {
		return out, err
	}
	next, err := publish.New(want.Publication, renamed{d.store, want.Renames}, d.log)
	if err != nil {
		return out, err
	}
	old := d.parts().publisher
	before, shown, err := publishedAs(called(&want.Publication, want.Section), func(name string) (publish.Listing, bool, error) { return old.Listing(ctx, name) })
	if err != nil {
		return out, err
	}
	if out, err = next.Preview(ctx, want.Section, before, old); err != nil {
		return out, err
	}
	out.Against = "the running daemon" + formerly(want.Section, before)
	if !shown {
		out.Against = "nothing: the running daemon has no such section"
	}
	return out, nil
}

// renamed is a store as it would be after renames, which are not done.
type renamed struct {
	publish.Keeper
	renames []store.Rename
}

// Items implements store.Store.
func (s renamed) Items(ctx context.Context, q store.Query) iter.Seq2[store.Item, error] {
	wanted := q.Outlets
	if wanted != nil {
		for _, r := range slices.Backward(s.renames) {
			if slices.Contains(q.Outlets, r.To.Outlet) {
				q.Outlets = append(slices.Clip(q.Outlets), r.From.Outlet)
			}
		}
	}
	return func(yield func(store.Item, error) bool) {
		for it, err := range s.Keeper.Items(ctx, q) {
			for i := range s.renames {
				s.renames[i].Item(&it)
			}
			if err == nil && q.IDs == nil && wanted != nil && !slices.Contains(wanted, it.Outlet) {
				continue
			}
			if !yield(it, err) {
				return
			}
		}
	}
}

func printPreview(w io.Writer, p publish.Preview) {
	count := map[string]int{}
	for _, l := range p.Lines {
		count[l.Mark]++
	}
	fmt.Fprintf(w, "%s, against %s: %d in, %d out, %d changed, %d as they are\n", p.Section, p.Against, count["+"], count["-"], count["~"], count[" "])
	for _, l := range p.Lines {
		fmt.Fprintf(w, "%s %s\n", l.Mark, told(&l.Shown))
		for _, why := range l.Why {
			fmt.Fprintf(w, "      %s\n", why)
		}
		if l.Before != nil {
			for _, was := range changed(l.Before, &l.Shown) {
				fmt.Fprintf(w, "      was %s\n", was)
			}
		}
	}
}

// changed tells what was otherwise with a place of a section.
func changed(before, now *publish.Shown) (was []string) {
	switch {
	case before.Item != now.Item || before.Outlet != now.Outlet:
		was = append(was, fmt.Sprintf("%s's %q", before.Outlet, cmp.Or(before.Title, before.ID)))
	case before.Title != now.Title:
		was = append(was, fmt.Sprintf("%q", before.Title))
	}
	if a, b := before.Place, now.Place; !a.Equal(b) {
		layout := time.DateTime
		if when(a) == when(b) {
			layout += ".000000"
		}
		was = append(was, fmt.Sprintf("placed at %s and is at %s", a.Local().Format(layout), b.Local().Format(layout)))
	}
	if !slices.Equal(before.Also, now.Also) {
		was = append(was, "also in "+cmp.Or(strings.Join(before.Also, ", "), "none"))
	}
	return was
}

// told is a place of a section on one line.
func told(s *publish.Shown) string {
	line := fmt.Sprintf("%s  %s  %s", when(s.Place), s.Outlet, cmp.Or(s.Title, s.ID))
	if len(s.Also) > 0 {
		line += "  (also in " + strings.Join(s.Also, ", ") + ")"
	}
	return line
}
