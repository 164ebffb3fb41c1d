package publish

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"broadsheet/store"
)

// A desk is the work on one section between editions.
type desk struct {
	section   Section
	id        string         // what the ids of its feeds are made of
	chooser   chooser        // for view
	archivist chooser        // for archives, which are rendered meanwhile
	ttl       time.Duration  // the median interval of its feeds
	revision  store.Revision // up to which view is right
	moved     store.Revision // that made docs anew last
	resumed   bool           // view was made by another process, which has written the documents
	view      view
	list      *list
	docs      []*Document
	calendar  calendar // what docs say of archives
}

// known reports whether view was ever made. A view of an empty store is made again with the first items.
func (d *desk) known() bool { return d.revision > 0 && (d.docs != nil || d.resumed) }

// update brings the view up to date with the items that changed since the desk's revision, and reports
// whether the documents have to be made anew. A desk that knows nothing yet chooses from everything.
func (d *desk) update(ctx context.Context, changed []store.Item) (bool, error) {
	if !d.known() {
		v, err := d.chooser.choose(ctx)
		d.view = v
		return err == nil, err
	}
	touched, again, err := d.touched(ctx, changed)
	if err != nil || len(touched) == 0 && !again {
		return false, err
	}
	v, whole := view{}, false
	if !again {
		v, whole, err = d.merge(ctx, touched)
	}
	if err == nil && !whole {
		v, err = d.chooser.choose(ctx)
	}
	if err != nil {
		return false, err
	}
	// What came may have its place below the end of the list.
	same := func(a, b choice) bool { return a.ID == b.ID && a.Stands == b.Stands && !touched[a.Story] }
	stale := !slices.EqualFunc(d.view.Choices, v.Choices, same)
	d.view = v
	return stale, nil
}

// touched returns the stories that may have to be listed, unlisted or shown otherwise: those with a changed
// item that the section admits, and the listed or watched ones of which an item changed or was pruned. It notes the
// newest item on the way. again says that all has to be chosen again.
func (d *desk) touched(ctx context.Context, changed []store.Item) (touched map[store.StoryID]bool, again bool, err error) {
	// What an expression over coverage admits may change with each item, and each one that is pruned.
	if w := d.chooser.filter.where; w != nil && w.stories {
		return d.listed(), true, nil
	}
	touched = map[store.StoryID]bool{}
	admitted, err := d.chooser.admitted(ctx, changed)
	if err != nil {
		return nil, false, err
	}
	in := map[store.ItemID]bool{}
	for _, it := range admitted {
		in[it.ID] = true
		touched[it.Story] = true
		if d.section.MaxAge > 0 && it.ID > d.view.Newest {
			d.view.Newest, d.view.Arrived = it.ID, it.Arrived
		}
	}
	listed, related := d.listed(), d.related()
	for _, it := range changed {
		for _, story := range related[it.ID] {
			touched[story] = true
		}
		if listed[it.Story] || d.chooser.counts() { // what it joins may have reached the number
			touched[it.Story] = true
		}
		again = again || it.ID == d.view.Newest && !in[it.ID]
	}
	there := map[store.ItemID]store.StoryID{} // until it turns out that they are not
	for _, c := range d.view.Choices {
		for _, id := range c.Members {
			there[id] = c.Story
		}
	}
	for _, c := range d.view.Watched {
		for _, id := range c.Members {
			there[id] = c.Story
		}
	}
	if d.view.Newest > 0 {
		there[d.view.Newest] = 0
	}
	gone := maps.Clone(related)
	if len(there)+len(gone) == 0 {
		return touched, again, nil
	}
	for it, err := range d.chooser.st.Items(ctx, store.Query{IDs: slices.AppendSeq(slices.Collect(maps.Keys(there)), maps.Keys(gone))}) {
		if err != nil {
			return nil, false, err
		}
		delete(there, it.ID)
		delete(gone, it.ID)
	}
	for _, stories := range gone {
		for _, story := range stories {
			touched[story] = true
		}
	}
	for id, story := range there { // what is left was pruned
		touched[story] = true
		again = again || id == d.view.Newest
	}
	return touched, again, nil
}

// listed returns the stories in the list, and those that are watched.
func (d *desk) listed() map[store.StoryID]bool {
	out := map[store.StoryID]bool{}
	for _, c := range d.view.Choices {
		out[c.Story] = true
	}
	for _, c := range d.view.Watched {
		out[c.Story] = true
	}
	return out
}

// related returns the items that the listed stories name as related, each with these stories.
func (d *desk) related() map[store.ItemID][]store.StoryID {
	out := map[store.ItemID][]store.StoryID{}
	for _, c := range d.view.Choices {
		for _, id := range c.Related {
			out[id] = append(out[id], c.Story)
		}
	}
	return out
}

// merge puts the touched stories where they belong now, and reports whether that is the whole list: a list
// that the limit cut knows nothing of what comes after it, nor one with a bound for each outlet of what that
// kept out.
func (d *desk) merge(ctx context.Context, touched map[store.StoryID]bool) (view, bool, error) {
	s, old := d.section, d.view
	if s.MaxPerOutlet > 0 || len(touched) > 2*max(len(old.Choices), 100) {
		return view{}, false, nil
	}
	v := view{More: old.More, Newest: old.Newest, Arrived: old.Arrived}
	untouched := func(all []choice) []choice {
		return slices.DeleteFunc(slices.Clone(all), func(c choice) bool { return touched[c.Story] })
	}
	v.Choices, v.Watched = untouched(old.Choices), untouched(old.Watched)
	found, err := d.chooser.resolve(ctx, touched)
	if err != nil {
		return view{}, false, err
	}
	for _, c := range found {
		if !old.More || d.chooser.compare(c, old.Choices[len(old.Choices)-1]) <= 0 {
			v.Choices = append(v.Choices, c)
		}
	}
	v.Choices = slices.DeleteFunc(v.Choices, func(c choice) bool { return d.chooser.tooOld(c.Place, v.Arrived) })
	slices.SortFunc(v.Choices, d.chooser.compare)
	if s.Limit > 0 && len(v.Choices) > s.Limit {
		v.Choices, v.More = v.Choices[:s.Limit], true
	}
	v.watch(append(found, old.Choices...))
	whole := !v.More || len(v.Choices) == s.Limit
	return v, whole, nil
}

// resolve finds where stories have their places, as far as the section admits their items.
func (c *chooser) resolve(ctx context.Context, stories map[store.StoryID]bool) ([]choice, error) {
	want := make([]store.StoryID, 0, len(stories))
	for id := range stories {
		want = append(want, id)
	}
	var members []store.ItemID
	for s, err := range c.st.Stories(ctx, want...) {
		if err != nil {
			return nil, err
		}
		members = append(members, s.Items...)
	}
	if len(members) == 0 {
		return nil, nil
	}
	items, err := collect(c.st.Items(ctx, store.Query{IDs: members}))
	if err != nil {
		return nil, err
	}
	slices.SortFunc(items, func(a, b store.Item) int { return cmp.Or(b.Date.Compare(a.Date), cmp.Compare(b.ID, a.ID)) })
	here, _, err := c.places(ctx, items)
	return here, err
}
