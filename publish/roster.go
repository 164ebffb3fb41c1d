package publish

import (
	"slices"

	"broadsheet/store"
)

// roster knows the configured outlets and feeds.
type roster struct {
	outlets   []Outlet
	byID      map[string]*Outlet
	withdrawn withdrawals
}

func newRoster(outlets []Outlet) *roster {
	r := &roster{outlets: slices.Clone(outlets), byID: map[string]*Outlet{}}
	for i := range r.outlets {
		o := &r.outlets[i]
		o.Feeds = slices.Clone(o.Feeds)
		for j := range o.Feeds {
			if o.Feeds[j].Shown == "" {
				o.Feeds[j].Shown = o.Feeds[j].URL
			}
		}
		if plainLine(o.Name) == "" {
			o.Name = o.ID
		}
		r.byID[o.ID] = o
	}
	return r
}

// carriers returns the outlet of it and those of its feeds that may be named; none if it must not be
// shown: its outlet is gone from the configuration, or it came only by feeds that are private or gone.
func (r *roster) carriers(it *store.Item) (*Outlet, []*Feed) {
	o := r.byID[it.Outlet]
	if o == nil || r.withdrawn.item(it, o) {
		return nil, nil
	}
	var feeds []*Feed
	for _, address := range it.Feeds {
		if f := o.feed(address); f != nil && !f.Private {
			feeds = append(feeds, f)
		}
	}
	if len(feeds) == 0 {
		return nil, nil
	}
	return o, feeds
}

func (o *Outlet) feed(address string) *Feed {
	for i := range o.Feeds {
		if o.Feeds[i].URL == address {
			return &o.Feeds[i]
		}
	}
	return nil
}
