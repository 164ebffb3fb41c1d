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
	ttl      time.Duration  // the median interval of its feeds
	revision store.Revision // up to which view is right
	resumed  bool           // view was made by another process, which has written the documents
	view     view
	list     *list
	docs     []*Document
}

// known reports whether view was ever made. A view of an empty store is made again with the first items.
func (d *desk) known() bool { return d.revision > 0 && (d.docs != nil || d.resumed) }

// update chooses again if one of the items that changed since the desk's revision concerns the
// section, and reports whether its documents have to be made anew. A desk that knows nothing yet chooses
// from everything.
func (d *desk) update(ctx context.Context, changed []store.Item) (bool, error) {
	if d.known() {
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
	for _, c := range d.view.Choices {
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
