// Package publish turns what is stored into the documents that people and feed readers get.
//
// What comes in: a Publication, the part of the configuration that documents show, and a store.Store.
// What goes out: an Edition, an immutable set of Documents by path, which a Handler serves from memory
// or Write keeps in a folder as static files. Start with Publisher.
//
// The way of an item: store → choose (section.go, story.go, filter.go, where.go: which items, in which
// order, what stands for a story; desk.go: the same again after a change, without looking at everything) →
// list (list.go, with text.go and markup.go: what every format says of them, cleaned of what it cannot hold)
// → render (rss.go, atom.go, json.go, opml.go; page.go and front.go
// with prose.go and words.go) → serve (server.go) or write (static.go, folder.go).
//
// Everything up to the bytes depends on what is stored and on the Publication alone, never on the time
// of day, so that two processes that share a store publish the same bytes.
package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"broadsheet/store"
)

// A Publication is what the configuration says of the documents.
type Publication struct {
	Title    string
	BaseURL  string         // absolute; may have a path; without a trailing slash
	Hub      string         // address of a WebSub hub that is told of changes; "" if there is none
	Language string         // BCP 47, of the pages
	Location *time.Location `json:"-"` // of the dates on pages; nil is UTC
	Images   bool           // pages show pictures, from the outlets' servers
	Sheet    []byte         // the operator's own style sheet, after ours; nil if there is none
	Footer   string         // a line on every page, in which "[name](address)" is a link
	Outlets  []Outlet
	Sections []Section

	AlsoInText bool // feeds name the other outlets of a story in its text as well

	// Digest names this configuration and the program that reads it. Static files that were
	// written under another digest are looked at anew.
	Digest string
}

// An Outlet is a publication whose items may be shown. Items of outlets that are not listed never are.
type Outlet struct {
	ID, Name string
	URL      string // home page; "" if there is none
	Language string // BCP 47, of items that do not say; "" if unknown
	Rights   string // plain text, of items that do not say
	Tags     []string
	Priority int    // whose version of a story stands for it; higher wins
	Content  string // "full", "excerpt" or "title": what may be published of its items; "" is "full"
	Feeds    []Feed
}

// A Feed is an address that is polled for an outlet.
type Feed struct {
	URL      string // as items and feed states name it
	Shown    string // as documents name it, without secrets; "" means URL
	Tags     []string
	Private  bool          // polled with secrets and not to be republished
	Interval time.Duration // between two polls by its schedule; 0 if it is not known
}

// A Section is a feed that is published. The zero value of a bound means that there is none.
type Section struct {
	Slug, Title, Description string
	From                     []string // outlet ids, "tag:x", feed addresses; none is every outlet
	Include, Exclude         []string // words, phrases, "/expressions/"
	Languages                []string // BCP 47 ranges; none is all
	Where                    string   // an expression over the item; "" is true
	LanguagesUnknown         string   // "keep" or "drop"; "" is "keep"
	Stories                  string   // "merge", "link" or "keep"; "" is "merge"
	MinOutlets               int      // how many outlets must carry a story; 0 is 1
	MaxPerOutlet             int
	MaxAge                   time.Duration // from the section's newest arrival back to an item's date
	Limit                    int
	Content                  string // at most this; "" is what the outlets permit
	Itunes                   Itunes // of a section that is a podcast
}

// A Problem is something wrong in a Section.
type Problem struct {
	Key  string // as in "where", "include[0]"
	Text string // what is wrong, and what would be right
}

// CheckSection says what is wrong with the words and expressions of s, all of it.
func CheckSection(s Section) []Problem {
	_, problems := newFilter(s, nil)
	return problems
}

// A Publisher makes Editions of a Publication.
type Publisher struct {
	pub    Publication
	st     store.Store
	log    *slog.Logger
	roster roster

	mu       sync.Mutex // guards what follows: one edition is made at a time
	desks    []*desk
	revision store.Revision // of the last update
	current  *Edition       // nil if a desk has moved since
}

// New checks pub and prepares its sections; it reads nothing from st yet.
func New(pub Publication, st store.Store, log *slog.Logger) (*Publisher, error) {
	if pub.Location == nil {
		pub.Location = time.UTC
	}
	pub.BaseURL = strings.TrimRight(pub.BaseURL, "/")
	p := &Publisher{pub: pub, st: st, log: log}
	p.roster = newRoster(pub.Outlets)
	var errs []error
	for _, s := range pub.Sections {
		f, problems := newFilter(s, &p.roster)
		for _, e := range problems {
			errs = append(errs, fmt.Errorf("section %q: %s: %s", s.Slug, e.Key, e.Text))
		}
		if len(problems) == 0 {
			f.location = pub.Location
			p.desks = append(p.desks, &desk{
				section: s,
				chooser: chooser{st: st, roster: &p.roster, section: s, filter: f, log: log},
				ttl:     f.interval(),
			})
		}
	}
	return p, errors.Join(errs...)
}

// Edition returns the documents as the store has them now. Sections that nothing new concerns keep
// their documents; when nothing was stored since the last call, so does the whole.
func (p *Publisher) Edition(ctx context.Context) (*Edition, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.update(ctx); err != nil {
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
		p.current = NewEdition(p.revision, docs)
	} else if p.current.Revision != p.revision {
		e := *p.current
		e.Revision = p.revision
		p.current = &e
	}
	return p.current, nil
}

// update brings every desk up to the store's revision, and reports whether any list changed.
func (p *Publisher) update(ctx context.Context) (moved bool, err error) {
	rev, err := p.st.Revision(ctx)
	if err != nil {
		return false, fmt.Errorf("publish: %w", err)
	}
	changes := map[store.Revision][]store.Item{} // since a desk's revision
	for _, d := range p.desks {
		if d.known() {
			if d.revision == rev {
				continue
			}
			if _, ok := changes[d.revision]; !ok {
				if changes[d.revision], err = collect(p.st.Items(ctx, store.Query{Since: d.revision})); err != nil {
					return false, fmt.Errorf("publish: %w", err)
				}
			}
		}
		stale, err := d.update(ctx, changes[d.revision])
		if err != nil {
			return false, fmt.Errorf("publish: section %s: %w", d.section.Slug, err)
		}
		if stale {
			if err := p.render(ctx, d); err != nil {
				return false, err
			}
			moved = true
			p.current = nil
		}
		d.revision = rev
	}
	p.revision = rev
	return moved, nil
}

// render makes the documents of a section.
func (p *Publisher) render(ctx context.Context, d *desk) error {
	l, err := p.list(ctx, d)
	if err != nil {
		return fmt.Errorf("publish: section %s: %w", d.section.Slug, err)
	}
	d.list = l
	feeds := l
	if p.pub.AlsoInText {
		feeds = l.withAlsoText()
	}
	d.docs = []*Document{p.page(l), p.rss(feeds), p.atom(feeds), p.json(feeds), p.sectionOutlets(l)}
	return nil
}

// Rendered returns those documents of sections that were rendered so far: after a Write, what changed at least.
func (p *Publisher) Rendered() *Edition {
	p.mu.Lock()
	defer p.mu.Unlock()
	var docs []*Document
	for _, d := range p.desks {
		docs = append(docs, d.docs...)
	}
	return NewEdition(p.revision, docs)
}

// documents returns all documents, but for those of sections that have none.
func (p *Publisher) documents(ctx context.Context) ([]*Document, error) {
	var docs []*Document
	for _, d := range p.desks {
		docs = append(docs, d.docs...)
		if d.list == nil { // the front page wants to show it
			l, err := p.list(ctx, d)
			if err != nil {
				return nil, fmt.Errorf("publish: section %s: %w", d.section.Slug, err)
			}
			d.list = l
		}
	}
	docs = append(docs, p.frontPage(), p.missingPage(), p.allOutlets(), p.allSections())
	return append(docs, p.sheets()...), nil
}

// commonPaths are the documents that belong to no section, sectionPaths those of one.
func (p *Publisher) commonPaths() []string {
	paths := []string{"index.html", "404.html", "outlets.opml", "sections.opml", "style.css", "feed.css"}
	if p.pub.Sheet != nil {
		paths = append(paths, "own.css")
	}
	return paths
}

func sectionPaths(slug string) []string {
	return []string{slug + ".html", slug + ".rss", slug + ".atom", slug + ".json", slug + ".opml"}
}

// roster knows the configured outlets and feeds.
type roster struct {
	outlets []Outlet
	byID    map[string]*Outlet
}

func newRoster(outlets []Outlet) roster {
	r := roster{outlets: slices.Clone(outlets), byID: map[string]*Outlet{}}
	for i := range r.outlets {
		o := &r.outlets[i]
		o.Feeds = slices.Clone(o.Feeds)
		for j := range o.Feeds {
			if o.Feeds[j].Shown == "" {
				o.Feeds[j].Shown = o.Feeds[j].URL
			}
		}
		if o.Name == "" {
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
	if o == nil {
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
