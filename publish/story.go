package publish

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"broadsheet/store"
)

// firstHour is how long after a story's first item another may come to stand for it.
const firstHour = time.Hour

// choices makes of a story what the section shows of it: with "merge" the story, with "link" the copies of each of its
// articles, with "keep" each item. known are its items as far as they are stored, in says which of them the section
// admits. Of one place the latest arrival comes first.
func (c *chooser) choices(s store.Story, known map[store.ItemID]store.Item, in map[store.ItemID]bool) []choice {
	var members []store.Item
	for _, id := range s.Items {
		if m, ok := known[id]; ok {
			members = append(members, m)
		}
	}
	var number store.Item // what made the number of outlets
	if c.counts() {
		var ok bool
		if number, ok = c.reaches(members); !ok {
			return nil
		}
	}
	var out []choice
	groups := map[string][]store.Item{}
	for _, m := range members {
		if !in[m.ID] {
			continue
		}
		id := c.name(&s, &m)
		if c.roster.withdrawn.names[id] {
			continue
		}
		if groups[id] == nil {
			at, place := m, m.Date
			if c.counts() {
				if number.ID > m.ID {
					at = number
				}
				place = at.Arrived
			}
			out = append(out, choice{ID: id, At: at.ID, Place: place, First: m.ID, Story: s.ID, Members: s.Items})
		}
		groups[id] = append(groups[id], m)
	}
	tied := ""
	if c.section.Stories != "keep" { // whose choices know their own items only
		tied = c.tied(&s, known)
	}
	for i := range out {
		stands, why := c.stands(groups[out[i].ID], s.Ties)
		// A choice is kept, and may be one of many: it must not hold what the store has read with its strings.
		out[i].ID, out[i].Outlet = strings.Clone(out[i].ID), c.roster.byID[stands.Outlet].ID
		out[i].Stands, out[i].Why, out[i].Tied, out[i].Related = stands.ID, why, tied, slices.Clone(stands.Related)
	}
	slices.Reverse(out)
	return out
}

// name is the id under which the section shows an item of a story.
func (c *chooser) name(s *store.Story, it *store.Item) string {
	switch c.section.Stories {
	case "keep":
		return it.PublishedID
	case "link":
		return article(it)
	}
	return s.PublishedID
}

// tied says by what evidence the items of a story that may be named are tied to it.
func (c *chooser) tied(s *store.Story, known map[store.ItemID]store.Item) string {
	var parts []string
	for _, t := range s.Ties {
		m, ok := known[t.Item]
		if o, _ := c.roster.carriers(&m); !ok || o == nil {
			continue
		}
		part := m.Outlet + " by " + string(t.Layer)
		if t.Score != 0 {
			part += fmt.Sprintf(" (%.2f)", t.Score)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// article is the id that all copies of an article share: that of the first of them. It is settled when an item arrives,
// so that neither an edited link nor a pruned item gives an article another id.
func article(it *store.Item) string { return cmp.Or(it.CopyOf, it.PublishedID) }

// reaches finds the item with which as many outlets carried a story as the section wants. Those that it does
// not draw on count as well.
func (c *chooser) reaches(members []store.Item) (store.Item, bool) {
	outlets := map[string]bool{}
	for _, m := range members {
		if o, _ := c.roster.carriers(&m); o != nil {
			outlets[m.Outlet] = true
		}
		if len(outlets) >= c.section.MinOutlets {
			return m, true
		}
	}
	return store.Item{}, false
}

// stands picks, of a story's admitted items in order of arrival, the one that stands for it, and says why: that of
// highest priority in the first hour. If an exact copy of it came from the outlet whose site the link is on, it
// is that one, whenever it came, since no other outlet's claim displaces it. The link is that which ties the two: an item with an
// address of its own, which names that link as its original's, is at home elsewhere.
func (c *chooser) stands(members []store.Item, ties []store.Tie) (_ store.Item, why string) {
	best, why := members[0], "it came first"
	for _, m := range members[1:] {
		if m.Arrived.Sub(members[0].Arrived) <= firstHour && c.roster.byID[m.Outlet].Priority > c.roster.byID[best.Outlet].Priority {
			best, why = m, "its outlet has the highest priority of those that came within an hour"
		}
	}
	atHome := func(it *store.Item) bool {
		return slices.ContainsFunc(ties, func(t store.Tie) bool {
			return (t.Item == it.ID || t.Item == best.ID) && t.Layer == store.ByLink && ownSite(t.Why, c.roster.byID[it.Outlet].URL)
		})
	}
	if atHome(&best) {
		return best, why
	}
	for _, m := range members {
		if article(&m) == article(&best) && atHome(&m) {
			return m, "the link is on its outlet's own site"
		}
	}
	return best, why
}

// moved tells when a choice last changed for its readers, and what they are told as its time of update. An item that comes to
// stand for the story of first changes neither; its edits do, and so does what brings the story into the section.
func (c *chooser) moved(p *choice, it, first *store.Item) (at, updated time.Time) {
	if first == nil { // pruned just now
		first = it
	}
	at, updated = first.Arrived, first.Updated
	if edited := it.Moved.After(it.Arrived); edited || it.ID == first.ID {
		at, updated = latest(at, it.Moved), latest(updated, it.Updated)
	}
	if c.counts() {
		at, updated = latest(at, p.Place), latest(updated, p.Place)
	}
	return at, updated
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
