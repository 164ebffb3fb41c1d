package publish

import (
	"context"
	"slices"
	"time"

	"broadsheet/store"
)

// A desk is the work on one section between editions.
type desk struct {
	section  Section
	chooser  chooser
	ttl      time.Duration // the median interval of its feeds
	revision store.Revision
	view     view
	list     *list
	docs     []*Document
}

// update chooses again if one of the items that changed since the desk's revision concerns the
// section, and reports whether its documents have to be made anew. A desk without documents chooses
// from everything.
func (d *desk) update(ctx context.Context, changed []store.Item) (bool, error) {
	if d.docs != nil {
		concerned, err := d.concerned(ctx, changed)
		if err != nil || !concerned {
			return false, err
		}
	}
	v, err := d.chooser.choose(ctx)
	d.view = v
	return err == nil, err
}

// concerned reports whether the list may have to change: one of the changed items is admitted or
// belongs to a listed story, or a listed item is gone.
func (d *desk) concerned(ctx context.Context, changed []store.Item) (bool, error) {
	listed := map[store.StoryID]bool{}
	var members []store.ItemID
	for _, c := range d.view.choices {
		listed[c.Story] = true
		members = append(members, c.Members...)
	}
	if slices.ContainsFunc(changed, func(it store.Item) bool { return listed[it.Story] }) {
		return true, nil
	}
	admitted, err := d.chooser.admitted(ctx, changed)
	if err != nil || len(admitted) > 0 {
		return true, err
	}
	slices.Sort(members)
	members = slices.Compact(members)
	if len(members) == 0 {
		return false, nil
	}
	n := 0
	for _, err := range d.chooser.st.Items(ctx, store.Query{IDs: members}) {
		if err != nil {
			return false, err
		}
		n++
	}
	return n < len(members), nil
}
