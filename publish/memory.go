package publish

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"broadsheet/store"
)

// A Keeper is a store that also remembers what outlives a configuration.
type Keeper interface {
	store.Store
	store.Notes
}

// A Withdrawal names items that must not be shown any more, or an outlet of which none must be.
type Withdrawal struct {
	Entry     string // a link, an item's published id or guid, an outlet's id
	Canonical string // the canonical link; "" if Entry is no link
	Revoked   bool   // it may be shown again
}

// The kinds of notes that outlive a configuration: the canonical link of what was withdrawn by its entry, the one that an
// item had by the item's published id, and what was published under a slug.
const (
	noteWithdrawn = "withdrawn"
	noteItem      = "withdrawn item"
	noteSection   = "section"
)

// memory is what is known from earlier configurations, or will be once the present one is remembered. It never changes.
type memory struct {
	Withdrawn map[string]string `json:"withdrawn"`       // the canonical link by entry
	Items     map[string]string `json:"items,omitempty"` // the withdrawn link that an item had, by its published id: outlets edit links
	Slugs     map[string]slug   `json:"slugs"`
}

// slug is what is known of a slug under which a section was published.
type slug struct {
	ID      string `json:"id,omitempty"`      // what the ids of its feeds are made of; "" if a section of another slug has taken them over
	Private bool   `json:"private,omitempty"` // nobody is told that it ever was
}

// recall reads what is remembered.
func recall(ctx context.Context, notes store.Notes) (memory, error) {
	m := memory{}.copied()
	for kind, values := range m.texts() {
		for n, err := range notes.Notes(ctx, kind) {
			if err != nil {
				return m, err
			}
			values[n.Key] = string(n.Value)
		}
	}
	for n, err := range notes.Notes(ctx, noteSection) {
		if err != nil {
			return m, err
		}
		var s slug
		if err := json.Unmarshal(n.Value, &s); err != nil {
			return m, fmt.Errorf("what is remembered of section %s: %w", n.Key, err)
		}
		m.Slugs[n.Key] = s
	}
	return m, nil
}

// copied is a copy of m that can be changed.
func (m memory) copied() memory {
	out := memory{map[string]string{}, map[string]string{}, map[string]slug{}}
	maps.Copy(out.Withdrawn, m.Withdrawn)
	maps.Copy(out.Items, m.Items)
	maps.Copy(out.Slugs, m.Slugs)
	return out
}

// texts yields what notes hold as it is, by their kind. What was withdrawn comes last: if we were to crash before it is
// noted, it would be new the next time, and its items looked for again.
func (m memory) texts() iter.Seq2[string, map[string]string] {
	return func(yield func(string, map[string]string) bool) {
		if yield(noteItem, m.Items) {
			yield(noteWithdrawn, m.Withdrawn)
		}
	}
}

// Remember notes what pub withdraws, which stays withdrawn when the configuration does not name it any more, and under
// which slugs it publishes, so that removed sections can be told from those that never were.
func Remember(ctx context.Context, st Keeper, pub Publication) error {
	before, err := recall(ctx, st)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	after := before.with(pub)
	if err := after.hold(ctx, st, before); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	was := maps.Collect(before.texts())
	for kind, values := range after.texts() {
		for key := range was[kind] {
			if _, ok := values[key]; !ok && err == nil {
				err = st.SetNote(ctx, kind, key, nil)
			}
		}
		for key, value := range values {
			if _, ok := was[kind][key]; !ok && err == nil {
				err = st.SetNote(ctx, kind, key, []byte(value))
			}
		}
	}
	for name, s := range after.Slugs {
		if before.Slugs[name] == s || err != nil {
			continue
		}
		var note []byte
		if note, err = json.Marshal(s); err == nil {
			err = st.SetNote(ctx, noteSection, name, note)
		}
	}
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// hold takes up which stored items have the links that are withdrawn now and were not before.
func (m memory) hold(ctx context.Context, st store.Store, before memory) error {
	links := map[uint64]string{}
	for entry, link := range m.Withdrawn {
		if _, ok := before.Withdrawn[entry]; !ok && link != "" {
			links[store.LinkHash(link)] = link
		}
	}
	if len(links) == 0 {
		return nil
	}
	for it, err := range st.Items(ctx, store.Query{}) {
		if err != nil {
			return err
		}
		if link, ok := links[it.LinkHash]; ok {
			m.Items[strings.Clone(it.PublishedID)] = link // the store has read it with other strings
		}
	}
	return nil
}

// with is m once pub is remembered, but for what hold takes up.
func (m memory) with(pub Publication) memory {
	out := m.copied()
	for _, w := range pub.Withdraw {
		if w.Revoked {
			out.revoke(w, pub.Outlets)
		}
	}
	for _, w := range pub.Withdraw {
		if !w.Revoked {
			out.Withdrawn[w.Entry] = w.Canonical
		}
	}
	// An outlet stays withdrawn when its former ids are named no more.
	for _, o := range pub.Outlets {
		if slices.ContainsFunc(o.Formerly, func(id string) bool { _, ok := out.Withdrawn[id]; return ok }) {
			out.Withdrawn[o.ID] = ""
		}
	}
	for _, s := range pub.Sections {
		now := out.Slugs[s.Slug]
		if now.ID == "" { // new, or new again after another section has taken it over
			for _, former := range s.Formerly {
				if f := out.Slugs[former]; f.ID != "" {
					now.ID = f.ID
					out.Slugs[former] = slug{Private: f.Private}
					break
				}
			}
		}
		for n := 1; now.ID == ""; n++ {
			id := s.Slug
			if n > 1 {
				id = fmt.Sprint(s.Slug, " ", n)
			}
			if !slices.ContainsFunc(slices.Collect(maps.Values(out.Slugs)), func(s slug) bool { return s.ID == id }) {
				now.ID = id
			}
		}
		now.Private = s.Key != ""
		out.Slugs[s.Slug] = now
	}
	return out
}

// revoke forgets what w names: an entry, all that lead to the same link, all ids of the same outlet.
func (m memory) revoke(w Withdrawal, outlets []Outlet) {
	same := func(entry, link string) bool { return entry == w.Entry || link != "" && link == w.Canonical }
	maps.DeleteFunc(m.Withdrawn, same)
	maps.DeleteFunc(m.Items, same)
	for _, o := range outlets {
		if o.ID == w.Entry || slices.Contains(o.Formerly, w.Entry) {
			maps.DeleteFunc(m.Withdrawn, func(entry, _ string) bool { return entry == o.ID || slices.Contains(o.Formerly, entry) })
		}
	}
}

func (m memory) equal(n memory) bool {
	return maps.Equal(m.Withdrawn, n.Withdrawn) && maps.Equal(m.Items, n.Items) && maps.Equal(m.Slugs, n.Slugs)
}

// digest names what m says.
func (m memory) digest() string {
	b, err := json.Marshal(m)
	if err != nil {
		panic("publish: " + err.Error()) // strings always can be written
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))[:16]
}

// withdrawals tells what must not be shown.
type withdrawals struct {
	names map[string]bool   // links, ids, outlets, as written
	links map[uint64]bool   // canonical links
	items map[string]string // such a link by the published id of an item that had it; a story of that id has other items
}

func (m memory) withdrawals() withdrawals {
	w := withdrawals{map[string]bool{}, map[uint64]bool{}, m.Items}
	for entry, link := range m.Withdrawn {
		w.names[entry] = true
		if link != "" {
			w.links[store.LinkHash(link)] = true
		}
	}
	return w
}

// item reports whether an item is withdrawn, by itself or with its outlet.
func (w withdrawals) item(it *store.Item, o *Outlet) bool {
	return len(w.names) > 0 && (w.outlet(o) || w.names[it.PublishedID] || it.GUID != "" && w.names[it.GUID] || it.Link != "" && w.names[it.Link] ||
		it.LinkHash != 0 && w.links[it.LinkHash] || w.items[it.PublishedID] != "")
}

// outlet reports whether an outlet is withdrawn, under this or a former id.
func (w withdrawals) outlet(o *Outlet) bool {
	return w.names[o.ID] || slices.ContainsFunc(o.Formerly, func(id string) bool { return w.names[id] })
}
