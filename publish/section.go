package publish

import (
	"cmp"
	"context"
	"iter"
	"log/slog"
	"slices"
	"time"

	"broadsheet/store"
)

// A chooser decides what a section shows. PRODUCT.md, "Stories" and "Time", are its rules.
type chooser struct {
	st      store.Store
	roster  *roster
	section Section
	filter  *filter
	log     *slog.Logger
	failed  bool // the condition has failed on some item, and that was logged
}

// choice is one place in a section's list: an item, or a story with what stands for it.
type choice struct {
	ID      string         `json:"id"`      // the permanent id that readers know it by
	First   store.ItemID   `json:"first"`   // the first admitted item; with its date, the place in the list
	Place   time.Time      `json:"place"`   // its date
	Stands  store.ItemID   `json:"stands"`  // the item that is shown
	Outlet  string         `json:"outlet"`  // whose item that is
	Story   store.StoryID  `json:"story"`   // what it belongs to
	Members []store.ItemID `json:"members"` // all items of the story, in order of arrival
}

// compare orders choices: newest place first, of one date the latest arrival first.
func (c choice) compare(d choice) int {
	return cmp.Or(d.Place.Compare(c.Place), cmp.Compare(d.First, c.First))
}

// A view is a section's whole list.
type view struct {
	Choices []choice     `json:"choices"`
	More    bool         `json:"more"`              // the limit cut the list
	Newest  store.ItemID `json:"newest,omitempty"`  // the newest admitted item, where max_age counts from it
	Arrived time.Time    `json:"arrived,omitzero"`  // when that came
	Watched []choice     `json:"watched,omitempty"` // see watch
}

// watch remembers stories that have their place outside of the list, while a later item of theirs lies
// inside: when their first item is pruned, they come up.
func (v *view) watch(hidden []choice) {
	listed := map[store.StoryID]bool{}
	for _, c := range append(slices.Clone(v.Choices), v.Watched...) {
		listed[c.Story] = true
	}
	for _, c := range hidden {
		if len(c.Members) > 1 && !listed[c.Story] {
			listed[c.Story] = true
			v.Watched = append(v.Watched, c)
		}
	}
}

// choose walks the store, newest first, until the section is full.
func (c *chooser) choose(ctx context.Context) (view, error) {
	var v view
	if c.section.MaxAge > 0 {
		newest, err := c.newest(ctx)
		if err != nil || newest.ID == 0 {
			return v, err
		}
		v.Newest, v.Arrived = newest.ID, newest.Arrived
	}
	perOutlet := map[string]int{}
	size := 128
	if c.section.Limit > 0 {
		size = min(max(c.section.Limit+c.section.Limit/4, 16), 256)
	}
	var hidden []choice
	for chunk, err := range chunks(c.st.Items(ctx, store.Query{Outlets: c.filter.outlets}), size) {
		if err != nil {
			return v, err
		}
		last := false
		if i := slices.IndexFunc(chunk, func(it store.Item) bool { return c.tooOld(it.Date, v.Arrived) }); i >= 0 {
			chunk, last = chunk[:i], true
		}
		here, elsewhere, err := c.places(ctx, chunk)
		if err != nil {
			return v, err
		}
		hidden = append(hidden, elsewhere...)
		for _, p := range here {
			switch {
			case c.section.Limit > 0 && len(v.Choices) == c.section.Limit:
				v.More, last = true, true
			case c.section.MaxPerOutlet > 0 && perOutlet[p.Outlet] >= c.section.MaxPerOutlet:
			default:
				perOutlet[p.Outlet]++
				v.Choices = append(v.Choices, p)
				continue
			}
			hidden = append(hidden, p)
		}
		if last {
			break
		}
	}
	v.watch(hidden)
	return v, nil
}

// tooOld reports whether a place lies before what max_age leaves.
func (c *chooser) tooOld(place, newest time.Time) bool {
	return c.section.MaxAge > 0 && place.Before(newest.Add(-c.section.MaxAge))
}

// newest finds the item that arrived last of those that the section admits; the zero item if it admits none.
func (c *chooser) newest(ctx context.Context) (store.Item, error) {
	q := store.Query{Outlets: c.filter.outlets, ByArrival: true}
	for chunk, err := range chunks(c.st.Items(ctx, q), 16) {
		if err != nil {
			return store.Item{}, err
		}
		admitted, err := c.admitted(ctx, chunk)
		if err != nil {
			return store.Item{}, err
		}
		if len(admitted) > 0 {
			return admitted[0], nil
		}
	}
	return store.Item{}, nil
}

// places finds the choices that have their place at one of items, in the order of items, and those that
// have it elsewhere although one of items belongs to them.
func (c *chooser) places(ctx context.Context, items []store.Item) (here, elsewhere []choice, err error) {
	admitted, err := c.admitted(ctx, items)
	if err != nil {
		return nil, nil, err
	}
	stories, err := c.stories(ctx, admitted)
	if err != nil {
		return nil, nil, err
	}
	known := map[store.ItemID]store.Item{}
	for _, it := range admitted {
		known[it.ID] = it
	}
	// The other items of the stories, as far as the section admits them.
	var missing []store.ItemID
	if c.section.Stories != "keep" {
		seen := map[store.ItemID]bool{}
		for _, it := range items {
			seen[it.ID] = true
		}
		for _, it := range admitted {
			for _, id := range stories[it.Story].Items {
				if !seen[id] {
					seen[id] = true
					missing = append(missing, id)
				}
			}
		}
	}
	if len(missing) > 0 {
		others, err := collect(c.st.Items(ctx, store.Query{IDs: missing}))
		if err != nil {
			return nil, nil, err
		}
		if others, err = c.admitted(ctx, others); err != nil {
			return nil, nil, err
		}
		for _, it := range others {
			known[it.ID] = it
		}
	}
	for _, it := range admitted {
		s := stories[it.Story]
		if c.section.Stories == "keep" {
			here = append(here, choice{it.PublishedID, it.ID, it.Date, it.ID, it.Outlet, it.Story, s.Items})
			continue
		}
		var members []store.Item
		for _, id := range s.Items {
			if m, ok := known[id]; ok {
				members = append(members, m)
			}
		}
		first, stands := members[0], c.stands(members)
		found := choice{s.PublishedID, first.ID, first.Date, stands.ID, stands.Outlet, it.Story, s.Items}
		if first.ID == it.ID {
			here = append(here, found)
		} else {
			elsewhere = append(elsewhere, found)
		}
	}
	return here, elsewhere, nil
}

// admitted returns those of items that the section admits, in their order.
func (c *chooser) admitted(ctx context.Context, items []store.Item) ([]store.Item, error) {
	var out []store.Item
	for i := range items {
		if c.filter.admits(&items[i]) {
			out = append(out, items[i])
		}
	}
	w := c.filter.where
	if w == nil || len(out) == 0 {
		return out, nil
	}
	bodies := map[store.ItemID]*store.Body{}
	if w.bodies {
		for b, err := range c.st.Bodies(ctx, ids(out)...) {
			if err != nil {
				return nil, err
			}
			bodies[b.Item] = &b
		}
	}
	coverage := map[store.StoryID]int{}
	if w.stories {
		var err error
		if coverage, err = c.coverage(ctx, out); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(out, func(it store.Item) bool {
		yes, err := w.holds(c.filter.facts(&it, bodies[it.ID], coverage[it.Story]))
		if err != nil && !c.failed {
			c.failed = true
			c.log.Warn("where failed on an item; the section does without such items",
				"section", c.section.Slug, "item", it.PublishedID, "err", err)
		}
		return !yes
	}), nil
}

func ids(items []store.Item) []store.ItemID {
	out := make([]store.ItemID, len(items))
	for i := range items {
		out[i] = items[i].ID
	}
	return out
}

// collect takes all of a sequence, or its first error.
func collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var out []T
	for v, err := range seq {
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// chunks takes a sequence n at a time, so that what belongs to several items is asked for at once.
func chunks[T any](seq iter.Seq2[T, error], n int) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		var chunk []T
		for v, err := range seq {
			if err != nil {
				yield(nil, err)
				return
			}
			if chunk = append(chunk, v); len(chunk) == n {
				if !yield(chunk, nil) {
					return
				}
				chunk = nil
			}
		}
		if len(chunk) > 0 {
			yield(chunk, nil)
		}
	}
}
