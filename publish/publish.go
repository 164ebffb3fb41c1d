// Package publish turns what is stored into the documents that people and feed readers get.
//
// What comes in: a Publication (publication.go), the part of the configuration that documents show, and a store.Store.
// What goes out: an Edition, an immutable set of Documents by path, which a Handler serves from memory
// or Write keeps in a folder as static files. Start with Publisher.
//
// The way of an item: store → choose (section.go, story.go, filter.go, where.go: which items, in which
// order, what stands for a story; desk.go: the same again after a change, without looking at everything) →
// list (list.go, with text.go and markup.go: what every format says of them, cleaned of what it cannot hold)
// → render (rendering.go: entry by entry, in rss.go, atom.go, json.go; opml.go; page.go, front.go and archive.go
// with prose.go and words.go) → serve (server.go) or write (static.go, folder.go).
//
// A Hub delivers what is new to subscribers, Pings tell another hub of it (hub.go, hubform.go, ping.go; courier.go and notice.go:
// what is owed to whom, kept until it is told).
//
// Everything up to the bytes depends on what is stored and on the Publication alone, never on the time
// of day, so that two processes that share a store publish the same bytes.
package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"broadsheet/store"
)

// A Publisher makes Editions of a Publication.
type Publisher struct {
	pub Publication
	st  Keeper
	log *slog.Logger

	archives archiveCache

	renders atomic.Uint64 // of sections
	spent   atomic.Int64  // nanoseconds that they took

	mu       sync.Mutex // guards what follows: one edition is made at a time
	memory   memory     // by which what follows was made
	roster   *roster    // does not change, nor what it has
	desks    []*desk
	revision store.Revision // of the last update
	shelf    *shelf
	current  *Edition // nil if a desk has moved since
}

// New checks pub and prepares its sections; it reads nothing from st yet.
func New(pub Publication, st Keeper, log *slog.Logger) (*Publisher, error) {
	if pub.Location == nil {
		pub.Location = time.UTC
	}
	pub.BaseURL = strings.TrimRight(pub.BaseURL, "/")
	p := &Publisher{pub: pub, st: st, log: log, archives: archiveCache{turn: make(chan struct{}, 1)}}
	return p, p.prepare(memory{}.with(pub))
}

// prepare makes roster and desks anew, by what is remembered.
func (p *Publisher) prepare(m memory) error {
	p.memory, p.roster = m, newRoster(p.pub.Outlets)
	p.roster.withdrawn = m.withdrawals()
	p.desks, p.shelf, p.current = nil, nil, nil
	var errs []error
	for _, s := range p.pub.Sections {
		f, problems := newFilter(s, p.roster)
		for _, e := range problems {
			errs = append(errs, fmt.Errorf("section %q: %s: %s", s.Slug, e.Key, e.Text))
		}
		if len(problems) == 0 {
			f.location = p.pub.Location
			c := chooser{st: p.st, roster: p.roster, section: s, filter: f, log: p.log}
			p.desks = append(p.desks, &desk{section: s, id: m.Slugs[s.Slug].ID, chooser: c, archivist: c, ttl: f.interval()})
		}
	}
	return errors.Join(errs...)
}

// Edition returns the documents as the store has them now. Sections that nothing new concerns keep
// their documents; when nothing was stored since the last call, so does the whole.
func (p *Publisher) Edition(ctx context.Context) (*Edition, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.update(ctx, true); err != nil {
		return nil, err
	}
	for _, d := range p.desks {
		if d.docs == nil { // kept by Write so far
			if err := p.render(ctx, d); err != nil {
				return nil, err
			}
			p.current = nil
		}
	}
	if p.current == nil {
		docs, err := p.documents(ctx)
		if err != nil {
			return nil, err
		}
		p.current = p.edition(docs)
	} else if p.current.Revision != p.revision {
		e := *p.current
		e.Revision, e.shelf = p.revision, p.shelf
		p.current = &e
	}
	return p.current, nil
}

// update brings the desks up to the store's revision, those of private sections only if that is wanted.
func (p *Publisher) update(ctx context.Context, private bool) error {
	if err := p.recall(ctx); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	rev, err := p.st.Revision(ctx)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	changes := changes{p.st, map[store.Revision][]store.Item{}}
	if err := p.turn(ctx, rev, changes); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	for _, d := range p.desks {
		if d.section.Key != "" && !private {
			continue
		}
		var changed []store.Item
		if d.known() {
			if d.revision == rev {
				continue
			}
			if changed, err = changes.since(ctx, d.revision); err != nil {
				return fmt.Errorf("publish: %w", err)
			}
		}
		stale, err := d.update(ctx, changed)
		if err != nil {
			return fmt.Errorf("publish: section %s: %w", d.section.Slug, err)
		}
		if stale || !d.calendar.says(p.shelf.calendar) {
			if err := p.render(ctx, d); err != nil {
				d.revision = 0 // its view is ahead of its documents: it chooses anew
				return err
			}
			d.moved = rev
			p.current = nil
		}
		d.revision = rev
	}
	p.revision = rev
	return nil
}

// recall begins anew if another process has withdrawn something, or given a section another name.
func (p *Publisher) recall(ctx context.Context) error {
	m, err := recall(ctx, p.st)
	if err != nil {
		return err
	}
	if m = m.with(p.pub); m.equal(p.memory) {
		return nil
	}
	return p.prepare(m)
}

// changes are the items that changed since some revisions, each read once.
type changes struct {
	st   store.Store
	read map[store.Revision][]store.Item
}

func (c changes) since(ctx context.Context, rev store.Revision) (items []store.Item, err error) {
	items, ok := c.read[rev]
	if !ok {
		if items, err = collect(c.st.Items(ctx, store.Query{Since: rev})); err == nil {
			c.read[rev] = items
		}
	}
	return items, err
}

// turn makes the shelf of a revision.
func (p *Publisher) turn(ctx context.Context, rev store.Revision, changes changes) error {
	m, err := p.st.Months(ctx)
	if err != nil {
		return err
	}
	s := &shelf{p: p, calendar: newCalendar(m), revision: rev, pruned: m.Pruned, touched: map[time.Time]store.Revision{}, desks: map[string]*desk{}}
	for _, d := range p.desks {
		s.desks[d.section.Slug] = d
	}
	if p.shelf != nil {
		maps.Copy(s.touched, p.shelf.touched)
		if before := p.shelf.revision; before > 0 && before != rev {
			changed, err := changes.since(ctx, before)
			if err != nil {
				return err
			}
			months, err := p.months(ctx, s.calendar, changed)
			if err != nil {
				return err
			}
			for month := range months {
				s.touched[month] = rev
			}
			s.touched[s.calendar.open] = rev // also of what is gone from it
		}
	}
	p.shelf = s
	return nil
}

// digest names all that documents depend on beside what is stored.
func (p *Publisher) digest() string { return p.pub.Digest + " " + p.memory.digest() }

// edition makes an edition of the documents of public sections, and of all that is kept for who knows of it.
func (p *Publisher) edition(docs []*Document) *Edition {
	e := NewEdition(p.revision, p.digest(), docs)
	e.shelf, e.private, e.locks, e.slugs, e.moved = p.shelf, map[string]*Document{}, map[string]lock{}, p.memory.Slugs, map[string]string{}
	for _, d := range p.desks {
		for _, former := range d.section.Formerly {
			e.moved[former] = d.section.Slug
		}
		if d.section.Key == "" {
			continue
		}
		e.locks[d.section.Slug] = newLock(d.section.Key)
		for _, doc := range d.docs {
			e.private[doc.Path] = doc
		}
	}
	return e
}

// present reads what a section shows now.
func (p *Publisher) present(ctx context.Context, d *desk) error {
	l := p.list(d)
	if err := p.fill(ctx, l, d, d.view.Choices, false); err != nil {
		return fmt.Errorf("publish: section %s: %w", d.section.Slug, err)
	}
	l.dated(p.st.Created())
	d.list, d.calendar = l, p.shelf.calendar
	l.Prev, l.Archives = archivePath(l.Slug, d.calendar.newest()), d.calendar.closed
	return nil
}

// render makes the documents of a section.
func (p *Publisher) render(ctx context.Context, d *desk) error {
	began := time.Now()
	defer func() {
		p.renders.Add(1)
		p.spent.Add(int64(time.Since(began)))
	}()
	if err := p.present(ctx, d); err != nil {
		return err
	}
	l := d.list
	d.docs = []*Document{p.page(l), p.feed(l, ".rss"), p.feed(l, ".atom"), p.feed(l, ".json"), p.sectionOutlets(l)}
	for _, doc := range d.docs {
		doc.Private = l.Query != ""
	}
	return nil
}

// Renders says how often a section was rendered so far, and how long that took in all.
func (p *Publisher) Renders() (n uint64, took time.Duration) {
	return p.renders.Load(), time.Duration(p.spent.Load())
}

// Rendered returns those documents of public sections that were rendered so far: after a Write, what changed at least.
func (p *Publisher) Rendered() *Edition {
	p.mu.Lock()
	defer p.mu.Unlock()
	var docs []*Document
	for _, d := range p.public() {
		docs = append(docs, d.docs...)
	}
	return p.edition(docs)
}

// documents returns all public documents, but for those of sections that have none.
func (p *Publisher) documents(ctx context.Context) ([]*Document, error) {
	var docs []*Document
	for _, d := range p.public() {
		docs = append(docs, d.docs...)
		if d.list == nil { // the front page wants to show it
			if err := p.present(ctx, d); err != nil {
				return nil, err
			}
		}
	}
	docs = append(docs, p.frontPage(), p.allOutlets(), p.allSections())
	return slices.Concat(docs, p.regrets(), p.dress()), nil
}

// public returns the desks of the sections that everybody may see.
func (p *Publisher) public() []*desk {
	return slices.DeleteFunc(slices.Clone(p.desks), func(d *desk) bool { return d.section.Key != "" })
}

// commonPaths are the documents that belong to no section, sectionPaths those of one.
func (p *Publisher) commonPaths() []string {
	paths := []string{"index.html", missingPage, gonePage, "outlets.opml", "sections.opml", "style.css", "feed.css", "icon.png", "favicon.png"}
	if p.pub.Sheet != nil {
		paths = append(paths, "own.css")
	}
	return paths
}

func sectionPaths(slug string) []string {
	return []string{slug + ".html", slug + ".rss", slug + ".atom", slug + ".json", slug + ".opml"}
}
