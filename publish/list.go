package publish

import (
	"cmp"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"html"
	"mime"
	"regexp"
	"slices"
	"strings"
	"time"

	"broadsheet/store"
)

// A list is a section as every format shows it: texts cleaned, addresses checked, nothing left to
// decide but how each format spells it.
type list struct {
	Slug, Title, Description string
	Path, Query              string    // of its addresses: what comes before and after the ending of a format
	ID                       string    // of the feeds (RFC 4287 §4.2.6)
	Updated                  time.Time // newest change of what is listed
	Modified                 time.Time // the same, joins of stories included
	TTL, MaxAge              time.Duration
	Items                    []listed
	Outlets                  []*Outlet // that the section draws on
	Itunes                   Itunes

	// What RFC 5005 §4 wants said.
	Month      time.Time   // of an archive; zero for the section itself
	Closed     bool        // it is an archive of which no entry will change
	Prev, Next string      // paths of archives, without endings; "" for none
	Archives   []time.Time // months that are over, oldest first
	Oldest     time.Time   // arrival of the oldest item that its stories have
}

// A listed is one place in a list.
type listed struct {
	ID        string // permanent; an absolute IRI
	GUID      string // the outlet's own id where that is another
	Title     string // plain text on one line, never empty
	Link      string // "" if the outlet gives none
	Summary   string // HTML; "" if there is none
	Content   string // HTML; "" if it is no more than the summary
	Language  string // BCP 47; "" if unknown
	Authors   []store.Author
	Tags      []store.Category
	Files     []store.Enclosure
	Image     string
	Pictures  []store.Picture // but for those among Files; Image first
	Podcast   store.Podcast
	Via       via
	Comments  string
	Rights    string
	License   string
	Published time.Time
	Updated   time.Time // with the fraction that makes it unique
	Outlet    *Outlet
	Feed      *Feed
	Source    source
	Also      []also
	Related   []related
	Why       string // the section shows it
}

// source is what Atom wants to know of the feed that an item came from (RFC 4287 §4.2.11).
type source struct {
	ID       string
	Subtitle string // the feed's own title where that is not the outlet's name
	Updated  time.Time
	Rights   string
	Logo     string
	Authors  []store.Author
}

// via is where an outlet says that it has an item from; the zero via is nowhere.
type via struct{ Title, Link string }

// also names another outlet that carries the story.
type also struct{ Outlet, Title, Link string }

// related names an item of another story that tells of the same, though not the same.
type related struct{ Outlet, Title, Link string }

// list is a section's list, without items.
func (p *Publisher) list(d *desk) *list {
	return &list{
		Slug: d.section.Slug, Title: cmp.Or(plainLine(d.section.Title), d.section.Slug), Description: plainLine(d.section.Description),
		Path: d.section.Slug, Query: d.section.query(), ID: feedID(p.st.ID(), d.id),
		TTL: d.ttl, MaxAge: cacheAge(d.ttl), Outlets: d.chooser.filter.drawnOn(), Itunes: d.section.Itunes,
	}
}

// dated gives a list that shows nothing the date since when that is so.
func (l *list) dated(created time.Time) {
	if l.Updated.IsZero() {
		l.Updated, l.Modified = created.UTC(), created.UTC()
	}
}

// fill adds what choices show to a list. An archive goes without those whose ids are of items that are pruned: they belong to
// a month that is gone.
func (p *Publisher) fill(ctx context.Context, l *list, d *desk, choices []choice, archive bool) error {
	var want, bodies []store.ItemID
	for _, c := range choices {
		want = append(append(append(want, c.Members...), c.Related...), c.Stands)
		bodies = append(bodies, c.Stands)
	}
	slices.Sort(want)
	want = slices.Compact(want)
	items := map[store.ItemID]*store.Item{}
	body := map[store.ItemID]*store.Body{}
	if len(want) > 0 {
		for it, err := range p.st.Items(ctx, store.Query{IDs: want}) {
			if err != nil {
				return err
			}
			items[it.ID] = &it
		}
		for b, err := range p.st.Bodies(ctx, bodies...) {
			if err != nil {
				return err
			}
			body[b.Item] = &b
		}
	}
	for i := range choices {
		c := &choices[i]
		// What has been pruned since it was chosen is gone from the story as well.
		c.Members = slices.DeleteFunc(slices.Clone(c.Members), func(id store.ItemID) bool { return items[id] == nil })
		it, b := items[c.Stands], body[c.Stands]
		if it == nil || archive && !slices.ContainsFunc(c.Members, func(id store.ItemID) bool { return items[id].PublishedID == c.ID }) {
			continue
		}
		if b == nil {
			b = &store.Body{}
		}
		o, feed := d.chooser.filter.carrier(it)
		if feed == nil {
			continue
		}
		moved, updated := d.chooser.moved(c, it, items[c.First])
		l.Updated = latest(l.Updated, moved)
		l.Modified = latest(l.Modified, l.Updated, it.Changed)
		entry := p.describe(c, it, b, o, feed, stricter(o.Content, d.section.Content))
		entry.Updated = fraction(updated, c.ID)
		for _, id := range c.Members {
			m := items[id]
			if l.Oldest.IsZero() || m.Arrived.Before(l.Oldest) {
				l.Oldest = m.Arrived
			}
			if m.Outlet == it.Outlet || slices.ContainsFunc(entry.Also, func(a also) bool { return a.Outlet == m.Outlet }) {
				continue
			}
			if o, feeds := d.chooser.roster.carriers(m); len(feeds) > 0 {
				entry.Also = append(entry.Also, also{o.ID, label(o.Name), cmp.Or(Address(m.Link), entry.Link)})
				l.Modified = latest(l.Modified, m.Changed)
			}
		}
		for _, id := range c.Related {
			m := items[id]
			if m == nil || archive { // it would change with items of other months
				continue
			}
			r := related{Title: plainLine(m.Title), Link: Address(m.Link)}
			if o, feeds := d.chooser.roster.carriers(m); len(feeds) > 0 && r.Title != "" && r.Link != "" {
				r.Outlet = label(o.Name)
				entry.Related = append(entry.Related, r)
				l.Modified = latest(l.Modified, m.Changed)
			}
		}
		entry.Why = d.chooser.why(c, it, len(entry.Also))
		l.Items = append(l.Items, entry)
	}
	return nil
}

// inFeeds is an entry as feeds have it. If that is wanted, its text ends with a line that names the other outlets, for readers
// that show nothing else.
func (p *Publisher) inFeeds(e *listed) *listed {
	if !p.pub.AlsoInText {
		return e
	}
	var names []string
	for _, a := range e.Also {
		name := escapeText.Replace(a.Title)
		if a.Link != "" {
			name = `<a href="` + html.EscapeString(a.Link) + `">` + name + "</a>"
		}
		names = append(names, name)
	}
	if names == nil {
		return e
	}
	also, c := "<p>Also in: "+strings.Join(names, ", ")+"</p>", *e
	c.Summary += also
	if c.Content != "" {
		c.Content += also
	}
	return &c
}

func latest(a time.Time, more ...time.Time) time.Time {
	for _, b := range more {
		if b.After(a) {
			a = b
		}
	}
	return a
}

// feedID names a section for ever: a UUID version 5 (RFC 9562 §5.5) of its slug under the store's.
func feedID(storeID, slug string) string {
	space, err := hex.DecodeString(strings.ReplaceAll(storeID, "-", ""))
	if err != nil || len(space) != 16 {
		sum := sha1.Sum([]byte(storeID))
		space = sum[:16]
	}
	u := sha1.Sum(append(space, slug...))
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:16])
}

// drawnOn returns the outlets that the section draws on, in the order of the configuration, each with
// those of its feeds that may be named.
func (f *filter) drawnOn() []*Outlet {
	var out []*Outlet
	for i := range f.roster.outlets {
		o := f.roster.outlets[i]
		o.Feeds = slices.DeleteFunc(slices.Clone(o.Feeds), func(feed Feed) bool {
			return feed.Private || f.roster.withdrawn.outlet(&o) || f.from != nil && !f.from[f.roster.outlets[i].feed(feed.URL)]
		})
		if len(o.Feeds) > 0 {
			out = append(out, &o)
		}
	}
	return out
}

// describe says what a list shows of an item, as far as its kind of content permits.
func (p *Publisher) describe(c *choice, it *store.Item, b *store.Body, o *Outlet, feed *Feed, content string) listed {
	// The text is that of the feed that the item's version comes from. Where that is a private feed, or was when the text
	// came, an item that also came by a public one is shown with its title and link alone.
	version := o.feed(it.Feeds[0])
	withheld := b.Secret && !o.Republish || version != nil && version.Private
	lead := line(it.Lead)
	if content == "title" || withheld {
		lead = "" // it stands for no title either
	}
	e := listed{
		ID: c.ID, Link: Address(it.Link), Language: languageTag(languageOf(it, o)),
		Published: it.Date.UTC(),
		Outlet:    o, Feed: feed,
	}
	if it.GUID != "" && it.GUID != c.ID {
		e.GUID = line(it.GUID)
	}
	e.Title = plainLine(it.Title)
	if e.Title == "" {
		e.Title = cmp.Or(plainLine(shorten(lead, 100)), e.Link, plainLine(o.Name))
	}
	if withheld {
		e.Authors = authors(nil, o)
		e.Source = sourceOf(&store.Body{}, it, o, feed)
		e.Rights = plainLine(o.Rights)
		return e
	}
	e.Summary, e.Content = markup(b.Summary), markup(b.Content)
	if e.Summary == "" {
		e.Summary, e.Content = e.Content, ""
	}
	if e.Content == e.Summary {
		e.Content = ""
	}
	e.Authors = authors(it.Authors, o)
	for _, t := range it.Categories {
		t = store.Category{Term: plainLine(t.Term), Scheme: named(Address(t.Scheme)), Label: label(t.Label)}
		t.Term = cmp.Or(t.Term, t.Label)
		if t.Term != "" && !slices.Contains(e.Tags, t) {
			e.Tags = append(e.Tags, t)
		}
	}
	for _, f := range it.Enclosures {
		if f.URL = Address(f.URL); f.URL == "" {
			continue
		}
		f.Type, f.Length, f.Title, f.Duration = mediaType(f), max(f.Length, 0), label(f.Title), max(f.Duration, 0)
		if !slices.ContainsFunc(e.Files, func(g store.Enclosure) bool { return g.URL == f.URL }) {
			e.Files = append(e.Files, f)
		}
	}
	e.Image, e.Comments = Address(it.Image), Address(b.Comments)
	e.Pictures, e.Podcast = cleanPictures(e.Image, b.Pictures, e.Files), cleanPodcast(b.Podcast)
	e.Via = via{label(b.Origin.Title), cmp.Or(Address(b.Origin.Link), Address(b.Origin.Feed))}
	e.License = Address(b.License)
	e.Rights = cmp.Or(plainLine(b.Rights), plainLine(b.Feed.Rights), plainLine(o.Rights), e.License)
	e.Source = sourceOf(b, it, o, feed)
	e.restrict(content)
	return e
}

func sourceOf(b *store.Body, it *store.Item, o *Outlet, feed *Feed) source {
	s := source{ID: cmp.Or(canonical(feed.Shown), canonical(o.URL), "urn:broadsheet:"+o.ID), Updated: it.Updated, Rights: cmp.Or(plainLine(b.Feed.Rights), plainLine(o.Rights))}
	if id := b.Feed.ID; store.Publishable(id) && (Address(id) == "" || canonical(id) == id) { // no address with a password
		s.ID = id
	}
	if t := plainLine(b.Feed.Title); t != plainLine(o.Name) {
		s.Subtitle = t
	}
	for _, at := range []time.Time{b.Feed.Issued, b.Feed.Updated} {
		if at.Year() >= 1990 && !at.After(latest(it.Arrived, it.Changed)) {
			s.Updated = at
		}
	}
	s.Logo = Address(b.Feed.Image)
	if len(b.Feed.Authors) > 0 {
		s.Authors = authors(b.Feed.Authors, o)
	}
	return s
}

// fraction replaces the fraction of a time's second by one made from an id, so that no two entries
// of a document share it.
func fraction(t time.Time, id string) time.Time {
	sum := sha256.Sum256([]byte(id))
	ns := binary.BigEndian.Uint64(sum[:])%999_999_999 + 1
	return t.UTC().Truncate(time.Second).Add(time.Duration(ns))
}

var mailForm = regexp.MustCompile(`^[A-Za-z0-9_+.'-]+@([A-Za-z0-9-]+\.)+[A-Za-z0-9-]+$`)

// authors returns who wrote an item; the outlet if nobody is named.
func authors(all []store.Author, o *Outlet) []store.Author {
	var out []store.Author
	for _, a := range all {
		a = store.Author{Name: plainLine(a.Name), Email: line(a.Email), URL: Address(a.URL)}
		if !mailForm.MatchString(a.Email) {
			a.Email = ""
		}
		if a.Name == "" {
			a.Name, _, _ = strings.Cut(a.Email, "@")
		}
		if a.Name != "" && !slices.ContainsFunc(out, func(b store.Author) bool { return b.Name == a.Name }) {
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		out = []store.Author{{Name: plainLine(o.Name), URL: Address(o.URL)}}
	}
	return out
}

// mediaType is an enclosure's type: as given, else by the ending of its name.
func mediaType(f store.Enclosure) string {
	if t, _, err := mime.ParseMediaType(f.Type); err == nil && mediaForm.MatchString(t) {
		return t
	}
	path, _, _ := strings.Cut(f.URL, "?")
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		return "application/octet-stream"
	}
	return cmp.Or(endings[strings.ToLower(path[i+1:])], "application/octet-stream")
}

var mediaForm = regexp.MustCompile(`^[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*$`)

// endings of names; our own, since the system's table is another on each machine.
var endings = map[string]string{
	"mp3": "audio/mpeg", "m4a": "audio/mp4", "ogg": "audio/ogg", "oga": "audio/ogg", "opus": "audio/ogg", "wav": "audio/wav", "flac": "audio/flac", "aac": "audio/aac",
	"mp4": "video/mp4", "m4v": "video/mp4", "webm": "video/webm", "mov": "video/quicktime", "ogv": "video/ogg",
	"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp", "avif": "image/avif", "svg": "image/svg+xml",
	"pdf": "application/pdf", "epub": "application/epub+zip", "zip": "application/zip", "torrent": "application/x-bittorrent",
}
