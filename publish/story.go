package publish

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"broadsheet/store"
)

// firstHour is how long after a story's first item another may come to stand for it.
const firstHour = time.Hour

// stands picks, of a story's admitted items in order of arrival, the one that stands for it. All of
// them have the same link: if the outlet came whose site the link is on, it is that one, whenever it
// came, since no other outlet's claim displaces it.
func (c *chooser) stands(members []store.Item) store.Item {
	best := members[0]
	for _, m := range members {
		if ownSite(m.Link, c.roster.byID[m.Outlet].URL) {
			return m
		}
		if m.Arrived.Sub(members[0].Arrived) <= firstHour &&
			c.roster.byID[m.Outlet].Priority > c.roster.byID[best.Outlet].Priority {
			best = m
		}
	}
	return best
}

// ownSite reports whether a link leads to the site of a home page: the same registrable domain, or
// the same host where there is none.
func ownSite(link, home string) bool {
	a, b := registrable(link), registrable(home)
	return a != "" && a == b
}

func registrable(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if d, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return d
	}
	return host
}

// stories returns the stories of items.
func (c *chooser) stories(ctx context.Context, items []store.Item) (map[store.StoryID]store.Story, error) {
	out := map[store.StoryID]store.Story{}
	var want []store.StoryID
	for _, it := range items {
		if _, ok := out[it.Story]; !ok {
			out[it.Story] = store.Story{ID: it.Story, PublishedID: it.PublishedID, Items: []store.ItemID{it.ID}}
			want = append(want, it.Story)
		}
	}
	if len(want) == 0 {
		return out, nil
	}
	for s, err := range c.st.Stories(ctx, want...) {
		if err != nil {
			return nil, err
		}
		out[s.ID] = s
	}
	for _, it := range items {
		s := out[it.Story]
		if !slices.Contains(s.Items, it.ID) {
			s.Items = append(slices.Clone(s.Items), it.ID)
		}
		slices.Sort(s.Items)
		out[it.Story] = s
	}
	return out, nil
}

// coverage counts the outlets that carry the stories of items, those outside of the section included.
func (c *chooser) coverage(ctx context.Context, items []store.Item) (map[store.StoryID]int, error) {
	stories, err := c.stories(ctx, items)
	if err != nil {
		return nil, err
	}
	out := map[store.StoryID]int{}
	var members []store.ItemID
	for id, s := range stories {
		if out[id] = 1; len(s.Items) > 1 {
			members = append(members, s.Items...)
		}
	}
	if len(members) == 0 {
		return out, nil
	}
	outlets := map[store.StoryID]map[string]bool{}
	for it, err := range c.st.Items(ctx, store.Query{IDs: members}) {
		if err != nil {
			return nil, err
		}
		if outlets[it.Story] == nil {
			outlets[it.Story] = map[string]bool{}
		}
		if o, _ := c.roster.carriers(&it); o != nil {
			outlets[it.Story][it.Outlet] = true
		}
	}
	for id, o := range outlets {
		out[id] = len(o)
	}
	return out, nil
}
