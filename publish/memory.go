package publish

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

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

// The kinds of notes that outlive a configuration: the canonical link of what was withdrawn by its entry, and what
// was published under a slug.
const (
	noteWithdrawn = "withdrawn"
	noteSection   = "section"
)

// memory is what is known from earlier configurations, or will be once the present one is remembered. It never changes.
type memory struct {
	Withdrawn map[string]string `json:"withdrawn"` // the canonical link by entry
	Slugs     map[string]slug   `json:"slugs"`
}

// slug is what is known of a slug under which a section was published.
type slug struct {
	ID      string `json:"id,omitempty"`      // what the ids of its feeds are made of; "" if a section of another slug has taken them over
	Private bool   `json:"private,omitempty"` // nobody is told that it ever was
}

// recall reads what is remembered.
func recall(ctx context.Context, notes store.Notes) (memory, error) {
	m := memory{map[string]string{}, map[string]slug{}}
	for n, err := range notes.Notes(ctx, noteWithdrawn) {
		if err != nil {
			return m, err
		}
		m.Withdrawn[n.Key] = string(n.Value)
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

// Remember notes what pub withdraws, which stays withdrawn when the configuration does not name it any more, and under
// which slugs it publishes, so that removed sections can be told from those that never were.
func Remember(ctx context.Context, notes store.Notes, pub Publication) error {
	before, err := recall(ctx, notes)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	after := before.with(pub)
	for entry := range before.Withdrawn {
		if _, ok := after.Withdrawn[entry]; !ok {
			err = notes.SetNote(ctx, noteWithdrawn, entry, nil)
		}
	}
	for entry, link := range after.Withdrawn {
		if _, ok := before.Withdrawn[entry]; !ok && err == nil {
			err = notes.SetNote(ctx, noteWithdrawn, entry, []byte(link))
		}
	}
	for name, s := range after.Slugs {
		if before.Slugs[name] == s || err != nil {
			continue
		}
		var note []byte
		if note, err = json.Marshal(s); err == nil {
			err = notes.SetNote(ctx, noteSection, name, note)
		}
	}
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// with is m once pub is remembered.
func (m memory) with(pub Publication) memory {
	out := memory{map[string]string{}, map[string]slug{}}
	maps.Copy(out.Withdrawn, m.Withdrawn)
	maps.Copy(out.Slugs, m.Slugs)
	for _, w := range pub.Withdraw {
		if w.Revoked {
			delete(out.Withdrawn, w.Entry)
		} else {
			out.Withdrawn[w.Entry] = w.Canonical
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

func (m memory) equal(n memory) bool {
	return maps.Equal(m.Withdrawn, n.Withdrawn) && maps.Equal(m.Slugs, n.Slugs)
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
	names map[string]bool // links, ids, outlets, as written
	links map[uint64]bool // canonical links
}

func (m memory) withdrawals() withdrawals {
	w := withdrawals{map[string]bool{}, map[uint64]bool{}}
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
		it.LinkHash != 0 && w.links[it.LinkHash])
}

// outlet reports whether an outlet is withdrawn, under this or a former id.
func (w withdrawals) outlet(o *Outlet) bool {
	return w.names[o.ID] || slices.ContainsFunc(o.Formerly, func(id string) bool { return w.names[id] })
}
