package publish

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"broadsheet/store"
)

// A Listing is what a section shows, as a person would tell it.
type Listing struct {
	Section string  `json:"section"`
	Items   []Shown `json:"items"`
}

// A Shown is one place in a Listing.
type Shown struct {
	ID     string       `json:"id"`
	Item   store.ItemID `json:"item"` // that stands there
	Outlet string       `json:"outlet"`
	Title  string       `json:"title"` // "" if it is not stored any more
	Link   string       `json:"link,omitempty"`
	Place  time.Time    `json:"place"`
	Also   []string     `json:"also,omitempty"` // other outlets of the story
}

// A Preview compares what a section would show with what is published.
type Preview struct {
	Section string `json:"section"`
	Against string `json:"against"` // what it is compared with
	Lines   []Line `json:"lines"`   // in the order of the section, with what is not shown any more where it stood
}

// A Line is one place of a Preview.
type Line struct {
	Mark string `json:"mark"` // "+" comes in, "-" goes out, "~" is shown otherwise, " " stays
	Shown
	Why    []string `json:"why,omitempty"`    // it comes or goes, by key
	Before *Shown   `json:"before,omitempty"` // of "~"
}

// Listing tells what a section shows now; ok is false if there is no such section.
func (p *Publisher) Listing(ctx context.Context, slug string) (_ Listing, ok bool, err error) {
	l := Listing{Section: slug}
	n, err := p.now(ctx, slug)
	if err != nil || n == nil {
		return l, false, err
	}
	l, err = p.tell(ctx, slug, &n.view)
	return l, true, err
}

// present is a section as it is at one moment.
type present struct {
	p    *Publisher
	desk *desk
	view view
}

// now looks at a section; nil if there is none of that name.
func (p *Publisher) now(ctx context.Context, slug string) (*present, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.recall(ctx); err != nil {
		return nil, fmt.Errorf("publish: section %s: %w", slug, err)
	}
	i := slices.IndexFunc(p.desks, func(d *desk) bool { return d.section.Slug == slug })
	if i < 0 {
		return nil, nil
	}
	v, err := p.desks[i].now(ctx, p.st)
	if err != nil {
		return nil, fmt.Errorf("publish: section %s: %w", slug, err)
	}
	return &present{p, p.desks[i], v}, nil
}

// Written tells what a section showed when it was last written to a folder; ok is false if it never was.
func (p *Publisher) Written(ctx context.Context, notes store.Notes, dir, slug string) (_ Listing, ok bool, err error) {
	v, ok := readWritten(ctx, notes, dir).Sections[slug]
	if !ok {
		return Listing{Section: slug}, false, nil
	}
	l, err := p.tell(ctx, slug, &v)
	return l, true, err
}

// tell reads what a view names.
func (p *Publisher) tell(ctx context.Context, slug string, v *view) (Listing, error) {
	l := Listing{Section: slug}
	var want []store.ItemID
	for _, c := range v.Choices {
		want = append(append(want, c.Stands), c.Members...)
	}
	items := map[store.ItemID]store.Item{}
	if len(want) > 0 {
		for it, err := range p.st.Items(ctx, store.Query{IDs: want}) {
			if err != nil {
				return l, fmt.Errorf("publish: section %s: %w", slug, err)
			}
			items[it.ID] = it
		}
	}
	p.mu.Lock()
	roster := p.roster
	p.mu.Unlock()
	for _, c := range v.Choices {
		it := items[c.Stands]
		s := Shown{ID: c.ID, Item: c.Stands, Outlet: c.Outlet, Title: plainLine(it.Title), Link: it.Link, Place: c.Place}
		for _, id := range c.Members {
			m := items[id]
			if o, _ := roster.carriers(&m); o != nil && o.ID != c.Outlet && !slices.Contains(s.Also, o.ID) {
				s.Also = append(s.Also, o.ID)
			}
		}
		l.Items = append(l.Items, s)
	}
	return l, nil
}

// Preview compares what p's section would show with what is published, which may have another slug. old published that; nil if it is not
// known.
func (p *Publisher) Preview(ctx context.Context, slug string, before Listing, old *Publisher) (Preview, error) {
	out := Preview{Section: slug, Lines: []Line{}}
	now, err := p.now(ctx, slug)
	if err != nil || now == nil {
		return out, err
	}
	after, err := p.tell(ctx, slug, &now.view)
	if err != nil {
		return out, err
	}
	var until *present
	if old != nil {
		if until, err = old.now(ctx, before.Section); err != nil {
			return out, err
		}
	}
	stays := map[string]bool{}
	for _, s := range after.Items {
		stays[s.ID] = true
	}
	was := map[string]*Shown{}
	gone := map[string][]Line{} // by what stood before them and stays
	last := ""
	for i := range before.Items {
		s := &before.Items[i]
		if was[s.ID] = s; stays[s.ID] {
			last = s.ID
			continue
		}
		why, err := now.reason(ctx, s)
		if err != nil {
			return out, err
		}
		gone[last] = append(gone[last], Line{Mark: "-", Shown: *s, Why: []string{cmp.Or(why, "retention: it is not stored any more")}})
	}
	out.Lines = append(out.Lines, gone[""]...)
	for _, s := range after.Items {
		l := Line{Mark: " ", Shown: s}
		switch b := was[s.ID]; {
		case b == nil:
			l.Mark = "+"
			v, err := now.verdict(ctx, s.Item)
			if err != nil {
				return out, err
			}
			for _, r := range v.Rules {
				l.Why = append(l.Why, r.String())
			}
			not, err := until.reason(ctx, &s)
			if err != nil {
				return out, err
			}
			if not != "" {
				l.Why = append(l.Why, "until now "+not)
			}
		case b.Item != s.Item || b.Outlet != s.Outlet || b.Title != s.Title || !slices.Equal(b.Also, s.Also) || !b.Place.Equal(s.Place):
			l.Mark, l.Before = "~", b
		}
		out.Lines = append(append(out.Lines, l), gone[s.ID]...)
	}
	return out, nil
}

// reason is why a section does not show an item under the id that it has elsewhere, with its key; "" if there is no such section
// or item, or it does.
func (n *present) reason(ctx context.Context, s *Shown) (string, error) {
	v, err := n.verdict(ctx, s.Item)
	if err != nil || len(v.Rules) == 0 || v.Shown && v.ID == s.ID {
		return "", err
	}
	if !v.Shown {
		return v.Rules[len(v.Rules)-1].String(), nil
	}
	why := "stories: it is there under the id " + v.ID
	for _, r := range v.Rules {
		if r.Key == "stories" {
			why += ", " + r.Text
		}
	}
	return why, nil
}

// verdict is what a section makes of an item; without rules if there is no such section or item.
func (n *present) verdict(ctx context.Context, id store.ItemID) (v Verdict, err error) {
	if n == nil {
		return v, nil
	}
	n.p.mu.Lock()
	defer n.p.mu.Unlock()
	for it, err := range n.p.st.Items(ctx, store.Query{IDs: []store.ItemID{id}}) {
		if err != nil {
			return v, err
		}
		if v, err = n.desk.chooser.verdict(ctx, &it, &n.view); err != nil {
			return v, err
		}
	}
	return v, nil
}
