package publish

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"broadsheet/store"
)

// An archive is the history of a section by month of arrival (RFC 5005 §4): all that the section admits, whatever its
// limit, max_per_outlet and max_age leave of it in the feed. Which entries it has, under which ids and dates, never
// changes once its month is over; their texts are those that are stored, so that an edit shows, and what is withdrawn
// is gone. Sections never wait for archives: those are rendered when somebody asks for them, one at a time.

// archiveEndings are the formats of an archive.
var archiveEndings = []string{".html", ".rss", ".atom", ".json"}

// A shelf is what an edition knows of archives. It never changes.
type shelf struct {
	p        *Publisher
	calendar calendar
	revision store.Revision
	pruned   time.Time
	touched  map[time.Time]store.Revision // when a month last changed, if that is known
	desks    map[string]*desk             // by slug; of a desk, only what never changes is read
}

// document returns the archive of a month that the calendar has, in a format; from the cache if it still holds.
func (s *shelf) document(ctx context.Context, d *desk, month time.Time, ending string) (*Document, error) {
	want := cached{desk: d, month: month, ending: ending, revision: s.revision, pruned: s.pruned, state: s.calendar.state(month)}
	want.prev, want.next = s.calendar.around(month)
	c := &s.p.archives
	if doc := c.find(want, s.touched[month]); doc != nil {
		return doc, nil
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if doc := c.find(want, s.touched[month]); doc != nil { // whoever had the turn wanted the same
		return doc, nil
	}
	l, docs, err := s.render(ctx, d, month, ending)
	if err != nil {
		return nil, err
	}
	want.oldest, want.doc = l.Oldest, docs[0]
	c.keep(want)
	return want.doc, nil
}

// archivePart is how many entries of a month are in memory at a time, beside the documents that are made of them.
const archivePart = 200

// render renders a month of a section in some formats, and says what there is to say of the whole.
func (s *shelf) render(ctx context.Context, d *desk, month time.Time, endings ...string) (*list, []*Document, error) {
	choices, err := s.choose(ctx, d.archivist, month)
	if err != nil {
		return nil, nil, err
	}
	l := s.list(d, month)
	renderings := make([]rendering, len(endings))
	for i, ending := range endings {
		renderings[i] = s.p.rendering(l, ending)
	}
	for part := range slices.Chunk(choices, archivePart) {
		l.Items = l.Items[:0]
		if err := s.p.fill(ctx, l, d, part, true); err != nil {
			return nil, nil, err
		}
		for i := range l.Items {
			for _, r := range renderings {
				r.add(&l.Items[i])
			}
		}
	}
	l.Items = nil
	l.dated(s.p.st.Created())
	if w := d.archivist.filter.where; w != nil && w.stories { // what it counts may be pruned anywhere
		l.Oldest = time.Time{}
	}
	docs := make([]*Document, len(endings))
	for i, r := range renderings {
		docs[i], renderings[i] = r.document(), nil
		docs[i].Private = l.Query != ""
	}
	return l, docs, nil
}

// choose finds what stands in a month of a section.
func (s *shelf) choose(ctx context.Context, c chooser, month time.Time) ([]choice, error) {
	var all []choice
	q := store.Query{Outlets: c.filter.outlets, ByArrival: true, From: month, Until: month.AddDate(0, 1, 0)}
	if c.counts() { // the item that made the number may be another outlet's
		q.Outlets = nil
	}
	for chunk, err := range chunks(c.st.Items(ctx, q), 256) {
		if err != nil {
			return nil, err
		}
		here, _, err := c.places(ctx, chunk)
		if err != nil {
			return nil, err
		}
		all = append(all, here...)
	}
	slices.SortFunc(all, c.compare)
	return all, nil
}

// list is the list of a month, without items.
func (s *shelf) list(d *desk, month time.Time) *list {
	slug, l := d.section.Slug, s.p.list(d)
	l.Path, l.Month = archivePath(slug, month), month
	l.Prev = archivePath(slug, s.calendar.newest())
	if s.calendar.state(month) == over {
		prev, next := s.calendar.around(month)
		l.Closed, l.Prev, l.Next = true, archivePath(slug, prev), archivePath(slug, next)
		l.MaxAge = listAge
	}
	return l
}

// linked reports whether a list is an archive that leads to another one. The only one that there is does not call itself an
// archive: of those the W3C validator wants such a link.
func (l *list) linked() bool { return l.Closed && l.Prev+l.Next != "" }

// historySpace is the namespace of RFC 5005.
const historySpace = "http://purl.org/syndication/history/1.0"

// A chainLink leads from a document to another one of the same history.
type chainLink struct{ rel, href string }

// chain is where a list stands in its history (RFC 5005 §4).
func (p *Publisher) chain(l *list, ending string) (links []chainLink) {
	if !l.Month.IsZero() {
		links = append(links, chainLink{"current", p.address(l, l.Slug, ending)})
	}
	if l.Prev != "" {
		links = append(links, chainLink{"prev-archive", p.address(l, l.Prev, ending)})
	}
	if l.Next != "" {
		links = append(links, chainLink{"next-archive", p.address(l, l.Next, ending)})
	}
	return links
}

// root leads from a list's documents to the folder of the front page.
func (l *list) root() string { return strings.Repeat("../", strings.Count(l.Path, "/")) }

// address is where one of a section's documents is. That of a private section carries its key, or nobody could follow it.
func (p *Publisher) address(l *list, path, ending string) string { return p.url(path+ending) + l.Query }

// months tells in which months something changed with the changed items: theirs, and those of their stories.
func (p *Publisher) months(ctx context.Context, cal calendar, changed []store.Item) (map[time.Time]bool, error) {
	out := map[time.Time]bool{}
	var tied []store.Item
	for _, it := range changed {
		month := store.Month(it.Arrived)
		out[month] = true
		// What came after a first item of the open month came in that month as well.
		if it.Story != store.StoryID(it.ID) || !month.Equal(cal.open) {
			tied = append(tied, it)
		}
	}
	if len(cal.closed) == 0 || len(tied) == 0 {
		return out, nil
	}
	var stories []store.StoryID
	for _, it := range tied {
		stories = append(stories, it.Story)
	}
	slices.Sort(stories)
	var members []store.ItemID
	for s, err := range p.st.Stories(ctx, slices.Compact(stories)...) {
		if err != nil {
			return nil, err
		}
		members = append(members, s.Items...)
	}
	if len(members) == 0 {
		return out, nil
	}
	for it, err := range p.st.Items(ctx, store.Query{IDs: members}) {
		if err != nil {
			return nil, err
		}
		out[store.Month(it.Arrived)] = true
	}
	return out, nil
}

// cacheBytes bounds what rendered archives are kept in memory, codings included.
const cacheBytes = 64 << 20

// archiveCache keeps rendered archives, those that were asked for last.
type archiveCache struct {
	turn chan struct{} // holds whoever renders

	mu    sync.Mutex // guards kept
	kept  []cached   // the one that was asked for last at the end
	bytes int
}

// cached is an archive and what it depends on.
type cached struct {
	desk       *desk // of one configuration
	month      time.Time
	ending     string
	state      monthState
	prev, next time.Time
	revision   store.Revision // from which on it was rendered
	pruned     time.Time      // how far items were pruned then
	oldest     time.Time      // arrival of the oldest item that its stories have
	doc        *Document
}

// holds reports whether c is still what is wanted, whose month last changed at the revision touched.
func (c *cached) holds(want *cached, touched store.Revision) bool {
	return c.state == want.state && c.prev.Equal(want.prev) && c.next.Equal(want.next) && c.revision >= touched &&
		(c.pruned.Equal(want.pruned) || want.pruned.Before(c.oldest))
}

func (c *archiveCache) find(want cached, touched store.Revision) *Document {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.kept, func(k cached) bool {
		return k.desk == want.desk && k.month.Equal(want.month) && k.ending == want.ending
	})
	if i < 0 {
		return nil
	}
	found := c.kept[i]
	c.kept = slices.Delete(c.kept, i, i+1)
	if !found.holds(&want, touched) {
		c.bytes -= found.size()
		return nil
	}
	c.kept = append(c.kept, found)
	return found.doc
}

// keep takes up an archive; what was not asked for longest goes.
func (c *archiveCache) keep(k cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = append(c.kept, k)
	c.bytes += k.size()
	for c.bytes > cacheBytes && len(c.kept) > 1 {
		c.bytes -= c.kept[0].size()
		c.kept = slices.Delete(c.kept, 0, 1)
	}
}

// size is what an archive takes in memory, with codings of it, roughly.
func (c *cached) size() int { return 2 * len(c.doc.Body) }

// archivePage is a month for people: what there was, in short.
type archivePage struct {
	l     *list
	p     *Publisher
	items text
	day   string // of the last item
	page
	Name, Section  string // title and address of the section
	Any            bool   // there is an item
	Feeds          []feedAddress
	Earlier, Later *pageMonth // the months around this one; nil for none
}

func (p *Publisher) archivePage(l *list) *archivePage {
	r := &archivePage{l: l, p: p, page: p.pageOf(l.Title, l.Slug, 2), Name: l.Title}
	r.Section, r.Feeds = r.Root+l.Slug+".html"+l.Query, p.addresses(l, r.Root)
	r.Earlier, r.Later = r.month(l.Prev), r.month(l.Next)
	r.Title += ", " + r.Words.month(l.Month)
	return r
}

// month is where the archive of another month is, from this one; nil if there is none at this path.
func (r *archivePage) month(path string) *pageMonth {
	at, err := time.Parse(monthForm, path[strings.LastIndexByte(path, '/')+1:])
	if err != nil {
		return nil
	}
	return &pageMonth{r.Words.month(at), r.Root + path + ".html" + r.l.Query}
}

func (r *archivePage) add(e *listed) {
	short := *e
	short.Summary, short.Content = escapeText.Replace(shorten(plain(e.Summary), 280)), "" // no more of it is shown
	it, at := r.p.pageItem(&short, &r.Words), e.Published.In(r.p.pub.Location)
	if day := r.Words.day(at); day != r.day {
		r.day, it.Day = day, day
	}
	it.Date = at.Format("15:04") // the day stands above
	r.Any = true
	r.items.Write(renderPage("archived", &it))
	r.items.grown()
}

func (r *archivePage) document() *Document {
	return newDocument(r.l.Path+".html", typeHTML, r.items.between(renderPage("archive.html", r), renderPage("archive-end", r)), r.l.Modified, r.l.MaxAge)
}
