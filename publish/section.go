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
	ID      string         `json:"id"`                // the permanent id that readers know it by
	At      store.ItemID   `json:"at"`                // the item that gives it its place: First or, with min_outlets, the one that made the number
	Place   time.Time      `json:"place"`             // At's date; with min_outlets, its arrival
	First   store.ItemID   `json:"first"`             // the first admitted item
	Stands  store.ItemID   `json:"stands"`            // the item that is shown
	Why     string         `json:"why"`               // it is the one
	Outlet  string         `json:"outlet"`            // whose item that is
	Story   store.StoryID  `json:"story"`             // what it belongs to
	Members []store.ItemID `json:"members"`           // all items of the story, in order of arrival
	Tied    string         `json:"tied,omitempty"`    // what ties those of other outlets to it, in words
	Related []store.ItemID `json:"related,omitempty"` // items of other stories, to see also
}

// counts reports whether the section asks how many outlets carry a story.
func (c *chooser) counts() bool { return c.section.MinOutlets > 1 }

// compare orders choices: newest place first, of one date the latest arrival first. Places that arrivals made are
// in the order of the arrivals, whatever their clocks said.
func (c *chooser) compare(a, b choice) int {
	if c.counts() {
		return cmp.Or(cmp.Compare(b.At, a.At), cmp.Compare(b.First, a.First))
	}
	return cmp.Or(b.Place.Compare(a.Place), cmp.Compare(b.At, a.At))
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
// inside: when one before it is pruned, they come up.
func (v *view) watch(hidden []choice) {
	listed := map[string]bool{}
	for _, c := range append(slices.Clone(v.Choices), v.Watched...) {
		listed[c.ID] = true
	}
	for _, c := range hidden {
		if len(c.Members) > 1 && !listed[c.ID] {
			listed[c.ID] = true
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
	q := store.Query{Outlets: c.filter.outlets}
	if c.counts() { // any outlet's item may make the number
		q = store.Query{ByArrival: true}
	}
	for chunk, err := range chunks(c.st.Items(ctx, q), size) {
		if err != nil {
			return v, err
		}
		last := false
		if i := slices.IndexFunc(chunk, func(it store.Item) bool { return c.beyond(&it, v.Arrived) }); i >= 0 {
			chunk, last = chunk[:i], true
		}
		here, elsewhere, err := c.places(ctx, chunk)
		if err != nil {
			return v, err
		}
		hidden = append(hidden, elsewhere...)
		for _, p := range here {
			switch {
			case c.tooOld(p.Place, v.Arrived):
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

// arrivalSlack is more than what passes between an answer's time and its save. Arrivals are numbered as they are saved.
const arrivalSlack = time.Hour

// beyond reports whether no place at this item or at one after it in the walk can be young enough.
func (c *chooser) beyond(it *store.Item, newest time.Time) bool {
	if c.counts() {
		return c.tooOld(it.Arrived.Add(arrivalSlack), newest)
	}
	return c.tooOld(it.Date, newest)
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
	if c.counts() { // a story's first item, which most are alone, never makes the number
		items = slices.DeleteFunc(slices.Clone(items), func(it store.Item) bool { return it.Story == store.StoryID(it.ID) })
	}
	admitted, err := c.admitted(ctx, items)
	if err != nil {
		return nil, nil, err
	}
	concerned := admitted
	if c.counts() {
		concerned = items
	}
	stories, err := c.stories(ctx, concerned)
	if err != nil {
		return nil, nil, err
	}
	known, in := map[store.ItemID]store.Item{}, map[store.ItemID]bool{}
	for _, it := range items {
		known[it.ID] = it
	}
	for _, it := range admitted {
		in[it.ID] = true
	}
	// The other items of the stories.
	if c.section.Stories != "keep" || c.counts() {
		var missing []store.ItemID
		asked := map[store.ItemID]bool{}
		for _, s := range stories {
			for _, id := range s.Items {
				if _, ok := known[id]; !ok && !asked[id] {
					asked[id] = true
					missing = append(missing, id)
				}
			}
		}
		if len(missing) > 0 {
			others, err := collect(c.st.Items(ctx, store.Query{IDs: missing}))
			if err != nil {
				return nil, nil, err
			}
			for _, it := range others {
				known[it.ID] = it
			}
			if others, err = c.admitted(ctx, others); err != nil {
				return nil, nil, err
			}
			for _, it := range others {
				in[it.ID] = true
			}
		}
	}
	found := map[store.StoryID][]choice{}
	for _, it := range concerned {
		all, ok := found[it.Story]
		if !ok {
			all = c.choices(stories[it.Story], known, in)
			found[it.Story] = all
		}
		for _, p := range all {
			if p.At == it.ID {
				here = append(here, p)
			} else {
				elsewhere = append(elsewhere, p)
			}
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
