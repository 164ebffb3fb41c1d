package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"broadsheet/config"
	"broadsheet/fetch"
	"broadsheet/publish"
	"broadsheet/store"
)

func (p *program) explainCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "explain ITEM",
		Short: "Where an item came from, its story, and what let it into each section or kept it out",
		Long: `Tells of an item, named by its link or id (the one that is published, or the outlet's own): each feed that carried it, what
was edited, its story and why it was tied to it, and for each section the rule that let it in or kept it out, with
the place of its key in the configuration. Where a daemon holds the store, the daemon is asked.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return p.explain(c.Context(), args[0], asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as a JSON array, an object for each item that the name means")
	return c
}

// An explained is all that is known of an item.
type explained struct {
	ID       string            `json:"id"`
	GUID     string            `json:"guid,omitempty"` // the outlet's own id
	Outlet   string            `json:"outlet"`
	Title    string            `json:"title"`
	Link     string            `json:"link,omitempty"`
	Language string            `json:"language,omitempty"`
	Says     string            `json:"language_by,omitempty"` // who says so: "item" (or its feed), "outlet", "text"
	Date     time.Time         `json:"date"`
	Arrived  time.Time         `json:"arrived"`
	Updated  time.Time         `json:"updated"`
	Feeds    []carrier         `json:"feeds"`
	Changes  []store.Change    `json:"changes"`
	Story    explainedStory    `json:"story"`
	Related  []named           `json:"related"`
	Sections []publish.Verdict `json:"sections"`
}

// A carrier is a feed that carried an item, and when it first did.
type carrier struct {
	Feed  string    `json:"feed"`
	Since time.Time `json:"since"`
}

// A named is another item, by what one knows it by.
type named struct {
	ID      string    `json:"id"`
	Outlet  string    `json:"outlet"`
	Title   string    `json:"title"`
	Link    string    `json:"link,omitempty"`
	Arrived time.Time `json:"arrived"`
}

type explainedStory struct {
	ID    string   `json:"id"`
	Items []member `json:"items"` // in order of arrival
}

// A member is an item of a story, with what tied it to the others.
type member struct {
	named
	Tie *tie `json:"tie,omitempty"` // nil for the first
}

type tie struct {
	Layer   store.Layer `json:"layer"`
	Partner string      `json:"partner,omitempty"` // the id of the item that drew it in; "" if that is not stored any more
	Score   float64     `json:"score,omitempty"`
	Why     string      `json:"why"`
}

func (p *program) explain(ctx context.Context, name string, asJSON bool) error {
	pl, err := p.plan()
	if err != nil {
		return err
	}
	log := p.log(slog.LevelWarn)
	st, r, err := pl.reach(ctx, log)
	if err != nil {
		return err
	}
	var all []explained
	if r != nil {
		all, err = r.explain(ctx, name)
	} else {
		defer st.Close()
		var publisher *publish.Publisher
		if publisher, err = publish.New(pl.publication, st, log); err == nil {
			all, err = explain(ctx, st, publisher, name)
		}
	}
	switch {
	case err != nil:
		return err
	case len(all) == 0:
		return fmt.Errorf("no item that is stored has the link or id %s; write it as a section or the outlet's feed has it", name)
	}
	for i := range all {
		pl.locate(&all[i])
	}
	if asJSON {
		out := json.NewEncoder(p.stdout)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		return out.Encode(all)
	}
	for i := range all {
		if i > 0 {
			fmt.Fprintln(p.stdout)
		}
		all[i].print(p.stdout)
	}
	return nil
}

// explain finds the items that are called name and tells of them.
func explain(ctx context.Context, st store.Store, publisher *publish.Publisher, name string) ([]explained, error) {
	var found []store.Item
	for _, name := range slices.Compact([]string{name, fetch.CanonicalLink(name)}) {
		for it, err := range st.Find(ctx, name) {
			if err != nil {
				return nil, err
			}
			if !slices.ContainsFunc(found, func(o store.Item) bool { return o.ID == it.ID }) {
				found = append(found, it)
			}
		}
	}
	if len(found) == 0 {
		var err error
		if found, err = carrying(ctx, st, name); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(found, func(a, b store.Item) int { return cmp.Compare(a.ID, b.ID) })
	all := []explained{}
	for _, it := range found {
		e, err := explainItem(ctx, st, publisher, it)
		if err != nil {
			return nil, fmt.Errorf("explain: %w", err)
		}
		all = append(all, e)
	}
	return all, nil
}

// carrying finds what is shown under an id whose own item is not stored any more: copies of that article, items of that story.
func carrying(ctx context.Context, st store.Store, id string) (found []store.Item, err error) {
	var copies []store.ItemID
	var stories []store.StoryID
	for it, err := range st.Items(ctx, store.Query{}) {
		switch {
		case err != nil:
			return nil, err
		case it.CopyOf == id:
			copies = append(copies, it.ID)
		case it.Story != store.StoryID(it.ID):
			stories = append(stories, it.Story)
		}
	}
	slices.Sort(stories)
	for s, err := range st.Stories(ctx, slices.Compact(stories)...) {
		if err != nil {
			return nil, err
		}
		if s.PublishedID == id {
			copies = append(copies, s.Items...)
		}
	}
	if len(copies) == 0 {
		return nil, nil
	}
	slices.Sort(copies)
	for it, err := range st.Items(ctx, store.Query{IDs: slices.Compact(copies)}) {
		if err != nil {
			return nil, err
		}
		found = append(found, it)
	}
	return found, nil
}

func explainItem(ctx context.Context, st store.Store, publisher *publish.Publisher, it store.Item) (explained, error) {
	e := explained{ID: it.PublishedID, GUID: it.GUID, Outlet: it.Outlet, Title: it.Title, Link: it.Link, Language: it.Language,
		Date: it.Date, Arrived: it.Arrived, Updated: it.Updated, Changes: []store.Change{}, Related: []named{}}
	for c, err := range st.Changes(ctx, it.ID) {
		if err != nil {
			return e, err
		}
		e.Changes = append(e.Changes, c)
	}
	for _, feed := range it.Feeds {
		since := it.Arrived
		if i := slices.IndexFunc(e.Changes, func(c store.Change) bool { return c.Carried && c.Feed == feed }); i >= 0 {
			since = e.Changes[i].At
		}
		e.Feeds = append(e.Feeds, carrier{feed, since})
	}
	others := map[store.ItemID]named{}
	switch {
	case it.Language != "":
		e.Says = "item"
	case it.Detected != "":
		e.Language, e.Says = it.Detected, "text" // unless its outlet says it: locate
	}
	var story store.Story
	for s, err := range st.Stories(ctx, it.Story) {
		if err != nil {
			return e, err
		}
		story = s
	}
	for o, err := range st.Items(ctx, store.Query{IDs: slices.Concat(story.Items, it.Related)}) {
		if err != nil {
			return e, err
		}
		others[o.ID] = named{o.PublishedID, o.Outlet, o.Title, o.Link, o.Arrived}
	}
	e.Story.ID = story.PublishedID
	for _, id := range story.Items {
		m := member{named: others[id]}
		if i := slices.IndexFunc(story.Ties, func(t store.Tie) bool { return t.Item == id }); i >= 0 {
			t := story.Ties[i]
			m.Tie = &tie{t.Layer, others[t.Partner].ID, t.Score, t.Why}
		}
		e.Story.Items = append(e.Story.Items, m)
	}
	for _, id := range it.Related {
		if o, ok := others[id]; ok {
			e.Related = append(e.Related, o)
		}
	}
	var err error
	e.Sections, err = publisher.Explain(ctx, it)
	return e, err
}

// locate adds what the configuration says: an outlet's language, and where the keys of the rules stand.
func (pl *plan) locate(e *explained) {
	outlet := slices.IndexFunc(pl.config.Outlets, func(o config.Outlet) bool { return o.ID == e.Outlet })
	if outlet >= 0 && e.Says != "item" && pl.config.Outlets[outlet].Language != "" {
		e.Language, e.Says = pl.config.Outlets[outlet].Language, "outlet"
	}
	for _, v := range e.Sections {
		section := slices.IndexFunc(pl.config.Sections, func(s config.Section) bool { return s.Slug == v.Section })
		for i := range v.Rules {
			r := &v.Rules[i]
			path := fmt.Sprintf("section[%d].%s", section, r.Key)
			if strings.HasPrefix(r.Key, "publish.") {
				path = r.Key
			} else if key, ok := strings.CutPrefix(r.Key, "outlet"); ok {
				if outlet < 0 {
					continue // it is nowhere
				}
				path = fmt.Sprintf("outlet[%d]%s", outlet, key)
			}
			at := pl.config.Problem(path, "")
			r.Place = fmt.Sprintf("%s:%d", at.File, at.Line)
		}
	}
}

// print tells it to a person.
func (e *explained) print(w io.Writer) {
	line := func(label, format string, args ...any) {
		fmt.Fprintf(w, "  %-9s "+format+"\n", append([]any{label}, args...)...)
	}
	fmt.Fprintf(w, "%s\n", cmp.Or(e.Title, "(without a title)"))
	line("id", "%s", e.ID)
	if e.GUID != "" && e.GUID != e.ID {
		line("its own id", "%s", e.GUID)
	}
	line("outlet", "%s", e.Outlet)
	if e.Link != "" {
		line("link", "%s", e.Link)
	}
	if e.Language == "" {
		line("language", "unknown")
	} else {
		line("language", "%s, as %s", e.Language, map[string]string{"item": "the item or its feed states", "outlet": "the outlet is configured", "text": "the text tells"}[e.Says])
	}
	line("dated", "%s; arrived %s; updated %s", when(e.Date), when(e.Arrived), when(e.Updated))
	fmt.Fprintln(w, "carried by")
	for _, f := range e.Feeds {
		fmt.Fprintf(w, "  %s since %s\n", f.Feed, when(f.Since))
	}
	var edits []string
	for _, c := range e.Changes {
		if c.Editor {
			edits = append(edits, fmt.Sprintf("%s  from now on edited by %s", when(c.At), c.Feed))
		}
		if c.Edited != nil {
			edits = append(edits, fmt.Sprintf("%s  %s by %s; it was %q %s", when(c.At), strings.Join(c.Edited, ", "), c.Feed, c.Title, c.Link))
		}
	}
	list(w, "edits", edits)
	var members []string
	for _, m := range e.Story.Items {
		s := fmt.Sprintf("%s  %s %q %s", when(m.Arrived), m.Outlet, m.Title, m.Link)
		if m.Tie != nil {
			s += fmt.Sprintf("\n    by %s, with %s", m.Tie.Layer, cmp.Or(m.Tie.Partner, "an item that is not stored any more"))
			if m.Tie.Score != 0 {
				s += fmt.Sprintf(", score %.2f", m.Tie.Score)
			}
			s += ": " + m.Tie.Why
		}
		members = append(members, s)
	}
	list(w, "story "+e.Story.ID, members)
	var related []string
	for _, o := range e.Related {
		related = append(related, fmt.Sprintf("%s  %s %q %s", when(o.Arrived), o.Outlet, o.Title, o.Link))
	}
	list(w, "related, but of other stories", related)
	fmt.Fprintln(w, "sections")
	for _, v := range e.Sections {
		shown := "not shown"
		if v.Shown {
			shown = "shown as " + v.ID
		}
		fmt.Fprintf(w, "  %s: %s\n", v.Section, shown)
		for _, r := range v.Rules {
			fmt.Fprintf(w, "    %s: %s: %s\n", cmp.Or(r.Place, "-"), r.Key, r.Text)
		}
	}
}

// list prints a heading with lines, if there are any.
func list(w io.Writer, heading string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintln(w, heading)
	for _, l := range lines {
		fmt.Fprintf(w, "  %s\n", l)
	}
}

// when writes a time for people, to the second, in their own zone.
func when(t time.Time) string { return t.Local().Format(time.DateTime) }
