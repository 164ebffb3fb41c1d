package store

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A Rename gives an outlet another id (both names are without an address), or a feed of an outlet another address.
type Rename struct{ From, To FeedName }

// An item's keys are hashes with its outlet's and its feed's name in them, and of a pruned item nothing but the keys is
// left. So keys are never made anew: a feed that was renamed goes on making keys with its first name (FeedState.Keys).
// Names is what a keeper remembers beside the states, so that a new feed of a renamed outlet makes the same keys as
// its sisters, and one that takes up a name which was given up makes keys of its own. The zero Names is that of a new store.
type Names struct {
	Given int               `json:"given,omitempty"` // how many names were made up
	Of    map[string]string `json:"of,omitempty"`    // by outlet, or outlet, 0, address: the name in the keys of newcomers
}

// Newcomer is the state of a feed that the store does not have yet.
func (n *Names) Newcomer(name FeedName) FeedState {
	return FeedState{Keys: FeedName{n.Of[name.Outlet], n.Of[name.Outlet+"\x00"+name.URL]}}
}

// Rename does renames to states, which are all those of the outlets that the renames name, and says which it did.
// The Items of states whose outlets they name must be counted again.
func (n *Names) Rename(states map[FeedName]FeedState, renames []Rename) (done []Rename) {
	n.Of = maps.Clone(n.Of)
	if n.Of == nil {
		n.Of = map[string]string{}
	}
	for _, r := range renames {
		if r.From == r.To {
			continue
		}
		known, moved := false, false
		for _, name := range slices.SortedFunc(maps.Keys(states), FeedName.compare) {
			known = known || r.To.URL == "" && name.Outlet == r.To.Outlet
			to := r.Name(name)
			if to == name {
				continue
			}
			f := states[name]
			delete(states, name)
			if there, ok := states[to]; ok { // it was polled under both names: the new one is up to date
				if f.LastNewItem.After(there.LastNewItem) {
					there.LastNewItem = f.LastNewItem
				}
				states[to] = there
			} else {
				states[to] = f.renamed(to)
			}
			moved = true
		}
		if moved {
			n.pass(r, known)
			done = append(done, r)
		}
	}
	return done
}

// pass hands the name in r's keys on, and makes up one for whoever is called r.From next. An outlet that was known
// already goes on with its own.
func (n *Names) pass(r Rename, known bool) {
	n.Given++
	from, first := r.From.Outlet, r.From.Outlet
	if r.From.URL != "" {
		from, first = r.From.Outlet+"\x00"+r.From.URL, r.From.URL
		delete(n.Of, r.To.Outlet+"\x00"+r.To.URL)
	} else {
		n.put(r.To.Outlet, r.To.Outlet, cmp.Or(n.Of[from], r.From.Outlet), known)
		for at, name := range maps.Clone(n.Of) {
			if address, ok := strings.CutPrefix(at, from+"\x00"); ok {
				delete(n.Of, at)
				n.put(r.To.Outlet+"\x00"+address, address, name, false)
			}
		}
	}
	n.Of[from] = fmt.Sprintf("%s %d", first, n.Given) // ids and addresses have no spaces
}

func (n *Names) put(at, own, name string, known bool) {
	switch {
	case known:
	case own == name:
		delete(n.Of, at)
	default:
		n.Of[at] = name
	}
}

// Name is what a feed is called after r.
func (r *Rename) Name(f FeedName) FeedName {
	switch {
	case r.From.URL == "" && f.Outlet == r.From.Outlet:
		return FeedName{r.To.Outlet, f.URL}
	case r.From.URL != "" && f == r.From:
		return r.To
	}
	return f
}

// Item does renames to an item and reports whether they changed it.
func (r *Rename) Item(it *Item) bool {
	if it.Outlet != r.From.Outlet || r.From.URL != "" && !slices.Contains(it.Feeds, r.From.URL) {
		return false
	}
	it.Outlet = r.To.Outlet
	if r.From.URL == "" {
		return true
	}
	feeds := make([]string, 0, len(it.Feeds))
	for _, url := range it.Feeds {
		if url = r.Name(FeedName{r.From.Outlet, url}).URL; !slices.Contains(feeds, url) {
			feeds = append(feeds, url)
		}
	}
	it.Feeds = feeds
	if it.Editor == r.From.URL {
		it.Editor = r.To.URL
	}
	if it.Editor == feeds[0] {
		it.Editor = ""
	}
	return true
}

// renamed is f under another name. With an outlet's id nothing else changes. Another address keeps when the feed was
// polled and may be polled again, holds included, and loses what the former address alone stood for: its failures, and that it
// ended. Validators say themselves for which address they hold. What a hub pushes goes to the former name, and ends.
func (f FeedState) renamed(to FeedName) FeedState {
	keys := f.keyName()
	moved := f.URL != to.URL
	f.Outlet, f.URL, f.Keys = to.Outlet, to.URL, keys
	f.Push = Push{}
	if keys.Outlet == to.Outlet {
		f.Keys.Outlet = ""
	}
	if keys.URL == to.URL {
		f.Keys.URL = ""
	}
	if moved {
		f.Gone, f.Missing, f.Failures, f.FailingSince, f.Err, f.Status, f.Damaged = false, false, 0, time.Time{}, "", 0, false
		f.Move, f.Unsound = Move{}, false
	}
	return f
}

func (n FeedName) compare(o FeedName) int {
	return cmp.Or(strings.Compare(n.Outlet, o.Outlet), strings.Compare(n.URL, o.URL))
}
