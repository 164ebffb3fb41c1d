package publish

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"broadsheet/store"
)

// A Verdict is what a section makes of an item.
type Verdict struct {
	Section string `json:"section"`
	Shown   bool   `json:"shown"`        // by itself, or with its story
	ID      string `json:"id,omitempty"` // under which the section shows it, or would
	Rules   []Rule `json:"rules"`        // in the order in which they were asked; the last one decided
}

// A Rule is one thing that a verdict hangs on.
type Rule struct {
	Key   string `json:"key"`             // "include[0]" of the section; "outlet", "outlet.republish" of the item's outlet; "publish.withdraw"
	Text  string `json:"text"`            // what it said
	Place string `json:"place,omitempty"` // file and line of the key, for whoever knows the file
}

func (r Rule) String() string { return r.Key + ": " + r.Text }

// Explain says what each section makes of an item, in their order.
func (p *Publisher) Explain(ctx context.Context, it store.Item) ([]Verdict, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.recall(ctx); err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	var out []Verdict
	for _, d := range p.desks {
		v, err := d.now(ctx, p.st)
		if err != nil {
			return nil, fmt.Errorf("publish: section %s: %w", d.section.Slug, err)
		}
		verdict, err := d.chooser.verdict(ctx, &it, &v)
		if err != nil {
			return nil, fmt.Errorf("publish: section %s: %w", d.section.Slug, err)
		}
		out = append(out, verdict)
	}
	return out, nil
}

// now is the desk's view of the store as it is, whatever documents were made of the one before.
func (d *desk) now(ctx context.Context, st store.Store) (view, error) {
	rev, err := st.Revision(ctx)
	if err != nil {
		return view{}, err
	}
	if d.known() && d.revision == rev {
		return d.view, nil
	}
	return d.chooser.choose(ctx)
}

// verdict says what the section makes of an item, when v is what it shows.
func (c *chooser) verdict(ctx context.Context, it *store.Item, v *view) (Verdict, error) {
	out := Verdict{Section: c.section.Slug}
	say := func(key, format string, args ...any) {
		out.Rules = append(out.Rules, Rule{Key: key, Text: fmt.Sprintf(format, args...)})
	}
	out.Rules = c.filter.rules(it)
	if !c.filter.admits(it) {
		return out, nil
	}
	if c.filter.where != nil {
		admitted, err := c.admitted(ctx, []store.Item{*it})
		if err != nil {
			return out, err
		}
		if len(admitted) == 0 {
			say("where", "does not hold: %s", line(c.section.Where))
			return out, nil
		}
		say("where", "holds: %s", line(c.section.Where))
	}
	places, err := c.resolve(ctx, map[store.StoryID]bool{it.Story: true})
	if err != nil {
		return out, err
	}
	stories, err := c.stories(ctx, []store.Item{*it})
	if err != nil {
		return out, err
	}
	story := stories[it.Story]
	id := c.name(&story, it)
	i := slices.IndexFunc(places, func(p choice) bool { return p.ID == id })
	if i < 0 {
		n, err := c.coverage(ctx, []store.Item{*it})
		if n[it.Story] < c.section.MinOutlets {
			say("min_outlets", "carried by %s, and %d are wanted", store.Count(n[it.Story], "outlet"), c.section.MinOutlets)
		} else {
			say("publish.withdraw", "%s, the id that it would have here, is withdrawn, now or earlier; \"!\" before that takes it back", id)
		}
		return out, err
	}
	p := places[i]
	out.ID = p.ID
	if c.counts() {
		say("min_outlets", "carried by %d outlets or more", c.section.MinOutlets)
	}
	if p.Stands != it.ID {
		for stands, err := range c.st.Items(ctx, store.Query{IDs: []store.ItemID{p.Stands}}) {
			if err != nil {
				return out, err
			}
			role := "only named"
			if stands.Outlet == it.Outlet { // as it may be since two outlets became one
				role = "left out"
			}
			say("stories", "%s: %s's %q stands for the story, because %s", role, stands.Outlet, stands.Title, p.Why)
		}
	} else if len(p.Members) > 1 && c.section.Stories != "keep" {
		say("stories", "stands for its story, because %s", p.Why)
	}
	if at := slices.IndexFunc(v.Choices, func(s choice) bool { return s.ID == p.ID }); at >= 0 {
		out.Shown = true
		say("limit", "place %d of %d", at+1, len(v.Choices))
		return out, nil
	}
	out.Rules = append(out.Rules, c.bound(&p, v))
	return out, nil
}

// bound says which bound keeps a choice out of a list that does not have it.
func (c *chooser) bound(p *choice, v *view) Rule {
	if c.tooOld(p.Place, v.Arrived) {
		return Rule{Key: "max_age", Text: fmt.Sprintf("of %s, and the section goes back to %s, counted from its newest arrival",
			atomTime(p.Place), atomTime(v.Arrived.Add(-c.section.MaxAge)))}
	}
	of := 0
	for _, s := range v.Choices {
		if s.Outlet == p.Outlet && c.compare(s, *p) < 0 {
			of++
		}
	}
	if c.section.MaxPerOutlet > 0 && of >= c.section.MaxPerOutlet {
		return Rule{Key: "max_per_outlet", Text: "it stands behind " + store.Count(of, "newer one") + " of " + p.Outlet}
	}
	return Rule{Key: "limit", Text: "the section is full with " + store.Count(len(v.Choices), "newer place")}
}

// rules says what the filter asked of an item, but for its condition, and what came of it.
func (f *filter) rules(it *store.Item) (out []Rule) {
	decided := f.rule(it)
	say := func(key, format string, args ...any) {
		out = append(out, Rule{Key: key, Text: fmt.Sprintf(format, args...)})
	}
	switch decided.key {
	case "outlet":
		say("outlet", "the configuration has no outlet %s (any more)", it.Outlet)
		return out
	case "withdraw":
		say("publish.withdraw", "it is withdrawn, by its id, its link or its outlet, now or earlier; \"!\" before what names it takes that back")
		return out
	case "republish":
		say("outlet.republish", "it came by feeds only that are polled with a secret, and republish is false")
		return out
	}
	o, feed := f.carrier(it)
	switch {
	case decided.key == "feed":
		say("outlet.feed", "outlet %s has none of the feeds (any more) that carried it", it.Outlet)
		return out
	case feed == nil:
		say("from", "names neither its outlet %s nor a feed or tag that it came by", it.Outlet)
		return out
	case f.from == nil:
		say("from", "is empty: every outlet")
	default:
		entry := f.entry(o, feed)
		shown := f.section.From[entry]
		if shown == feed.URL {
			shown = feed.Shown
		}
		say(fmt.Sprintf("from[%d]", entry), "%q", shown)
	}
	language := languageOf(it, o)
	switch {
	case decided.key == "languages_unknown":
		say(decided.key, "nobody states its language, its text does not tell it, and such items are dropped")
		return out
	case decided.key == "languages":
		say(decided.key, "its language is %s (%s)", language, stated(it, o))
		return out
	case language == "" && len(f.section.Languages) > 0:
		say("languages_unknown", "its language is unknown, and such items are kept")
	case len(f.section.Languages) > 0:
		say("languages", "%s (%s)", language, stated(it, o))
	}
	switch {
	case decided.key == "include" && !decided.in:
		say("include", "none of its words is in the title or the beginning of the text")
		return out
	case decided.key == "include":
		say(fmt.Sprintf("include[%d]", decided.entry), "%q is in the title or the beginning of the text", f.section.Include[decided.entry])
	case decided.key == "exclude":
		say(fmt.Sprintf("exclude[%d]", decided.entry), "%q is in the title or the beginning of the text", f.section.Exclude[decided.entry])
	}
	return out
}

// stated says who says what an item's language is.
func stated(it *store.Item, o *Outlet) string {
	switch {
	case it.Language != "":
		return "as the item or its feed states"
	case o.Language != "":
		return "as the outlet is configured"
	}
	return "as the text tells"
}

// why is what a page tells about an item of its list: the rules that let it in, and who else carries the story.
func (c *chooser) why(p *choice, it *store.Item, also int) string {
	var parts []string
	for _, r := range c.filter.rules(it) {
		parts = append(parts, r.String())
	}
	if c.filter.where != nil {
		parts = append(parts, "where: "+line(c.section.Where))
	}
	if c.counts() {
		parts = append(parts, fmt.Sprintf("min_outlets: %d", c.section.MinOutlets))
	}
	if also > 0 && c.section.Stories != "keep" {
		parts = append(parts, fmt.Sprintf("stories: carried by %s; this item stands for it, because %s", store.Count(also+1, "outlet"), cmp.Or(p.Why, "it came first")))
		if p.Tied != "" {
			parts = append(parts, "tied: "+p.Tied)
		}
	}
	return strings.Join(parts, " · ")
}
