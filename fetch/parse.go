package fetch

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"strconv"
	"strings"
	"time"

	"broadsheet/store"

	"github.com/mmcdole/gofeed"
	"github.com/mmcdole/gofeed/atom"
	ext "github.com/mmcdole/gofeed/extensions"
	feedjson "github.com/mmcdole/gofeed/json"
	"github.com/mmcdole/gofeed/rss"
)

// errUnreadable begins the error of a document that tidy took for a feed and gofeed did not.
const errUnreadable = "the feed cannot be read"

func newGofeed() *gofeed.Parser {
	p := gofeed.NewParser()
	p.KeepOriginalFeed = true
	p.RSSTranslator, p.AtomTranslator, p.JSONTranslator = untranslated{}, untranslated{}, untranslated{}
	return p
}

// untranslated makes nothing of the original documents: they are what is read.
type untranslated struct{}

func (untranslated) Translate(any) (*gofeed.Feed, error) { return new(gofeed.Feed), nil }

func (f *rawFeed) readXML(src []byte) error {
	t, err := tidy(src, f.base)
	if err != nil {
		return err
	}
	parsed, err := newGofeed().Parse(bytes.NewReader(t.xml))
	if err != nil {
		return fmt.Errorf("%s: %w", errUnreadable, err)
	}
	f.damaged = t.damaged
	f.language = t.feed.lang
	if t.feed.base != nil {
		f.base = t.feed.base
	}
	switch original := parsed.OriginalFeed().(type) {
	case *rss.Feed:
		f.readRSS(original)
	case *atom.Feed:
		f.readAtom(original)
	}
	f.title, f.rights = t.full(f.title), t.full(f.rights)
	if f.id == "" {
		f.id = t.feed.id
	}
	for i := range f.items {
		if i < len(t.items) {
			f.items[i].note = t.items[i]
		}
		it := &f.items[i]
		it.title, it.summary, it.content, it.mediaText = t.full(it.title), t.full(it.summary), t.full(it.content), t.full(it.mediaText)
		if it.guid == "" {
			it.guid = it.note.id
		}
	}
	return nil
}

func (f *rawFeed) readRSS(o *rss.Feed) {
	f.title, f.rights = o.Title, o.Copyright
	if f.title == "" {
		f.title = first(o.Extensions, "dc", "title")
	}
	if f.rights == "" {
		f.rights = first(o.Extensions, "dc", "rights")
	}
	f.language = firstOf(o.Language, first(o.Extensions, "dc", "language"), f.language)
	for _, l := range o.Links {
		if f.link == "" {
			f.link = absoluteLink(f.base, l)
		}
	}
	f.id = first(o.Extensions, "atom", "id")
	f.updated = firstTime(o.LastBuildDateParsed, o.PubDateParsed)
	if f.updated.IsZero() {
		f.updated = firstDate(o.Extensions, "atom:updated", "dcterms:modified", "dc:date")
	}
	if minutes, err := strconv.Atoi(strings.TrimSpace(o.TTL)); err == nil && minutes > 0 {
		f.ttl = time.Duration(min(minutes, 60*24*365)) * time.Minute
	}
	f.pace = readPace(o.SkipHours, o.SkipDays, first(o.Extensions, "sy", "updateperiod"), first(o.Extensions, "sy", "updatefrequency"))
	f.items = make([]rawItem, len(o.Items))
	for i, it := range o.Items {
		f.items[i].readRSS(it)
	}
}

func (r *rawItem) readRSS(o *rss.Item) {
	x := o.Extensions
	r.title = firstOf(o.Title, first(x, "dc", "title"), first(x, "atom", "title"), first(x, "media", "title"))
	r.summary = firstOf(o.Description, first(x, "dc", "description"), first(x, "atom", "summary"), first(x, "itunes", "summary"), first(x, "itunes", "subtitle"))
	r.content = firstOf(o.Content, first(x, "xhtml", "body"), o.Custom["body"], o.Custom["fullitem"], o.Custom["content"], first(x, "atom", "content"))
	if r.summary == "" {
		r.summary = o.Custom["summary"]
	}
	r.links = append(r.links, first(x, "feedburner", "origlink"))
	r.links = append(r.links, o.Links...)
	for _, l := range x["atom"]["link"] {
		switch rel := l.Attrs["rel"]; rel {
		case "", "alternate":
			r.links = append(r.links, l.Attrs["href"])
		case "enclosure":
			r.enclose(l.Attrs["href"], l.Attrs["type"], l.Attrs["length"])
		case "replies":
			r.comments = l.Attrs["href"]
		}
	}
	if o.GUID != nil {
		r.guid = o.GUID.Value
		if !strings.EqualFold(o.GUID.IsPermalink, "false") {
			r.links = append(r.links, permalink(r.guid))
		}
	}
	if r.guid == "" {
		r.guid = firstOf(first(x, "atom", "id"), o.Custom["id"])
	}
	r.comments = firstOf(o.Comments, r.comments)
	r.language = firstOf(first(x, "dc", "language"), o.Custom["language"])
	r.rights = firstOf(first(x, "dc", "rights"), first(x, "atom", "rights"), o.Custom["copyright"], o.Custom["rights"])

	r.updated = firstDate(x, "atom:updated", "dcterms:modified", "dc:date")
	if o.PubDateParsed != nil {
		r.published = *o.PubDateParsed
	} else if r.published = firstDate(x, "dc:date", "dcterms:issued", "dcterms:created", "dcterms:available", "atom:published"); r.published.IsZero() {
		r.published = parseDate(firstOf(o.Custom["published"], o.Custom["created"], o.Custom["issued"]))
	}
	if r.updated.IsZero() {
		r.updated = parseDate(firstOf(o.Custom["updated"], o.Custom["modified"], o.Custom["lastbuilddate"]))
	}

	for _, key := range []struct{ space, name string }{{"dc", "author"}, {"dc", "creator"}, {"itunes", "author"}} {
		for _, e := range x[key.space][key.name] {
			if key.space != "itunes" || len(r.authors) == 0 {
				r.authors = append(r.authors, personFromText(e.Value))
			}
		}
	}
	for _, a := range x["atom"]["author"] {
		r.authors = append(r.authors, store.Author{Name: child(a, "name"), Email: child(a, "email"), URL: firstOf(child(a, "uri"), child(a, "url"))})
	}
	for _, c := range o.Categories {
		r.categories = append(r.categories, store.Category{Term: c.Value, Scheme: c.Domain})
	}
	for _, e := range o.Enclosures {
		r.enclose(e.URL, e.Type, e.Length)
	}
	r.readExtensions(x)
	r.images = append(r.images, o.Custom["image"])
}

// readExtensions reads what RSS and Atom items carry in the same foreign elements.
func (r *rawItem) readExtensions(x ext.Extensions) {
	for _, e := range x["dc"]["subject"] {
		r.categories = append(r.categories, store.Category{Term: e.Value})
	}
	for _, e := range x["atom"]["category"] {
		r.categories = append(r.categories, store.Category{Term: e.Attrs["term"], Scheme: e.Attrs["scheme"], Label: e.Attrs["label"]})
	}
	for _, e := range x["media"]["category"] {
		r.categories = append(r.categories, store.Category{Term: e.Value, Scheme: e.Attrs["scheme"], Label: e.Attrs["label"]})
	}
	for _, e := range x["itunes"]["keywords"] {
		for k := range strings.SplitSeq(e.Value, ",") {
			r.categories = append(r.categories, store.Category{Term: k})
		}
	}
	for _, e := range x["itunes"]["category"] {
		r.categories = append(r.categories, store.Category{Term: e.Attrs["text"]})
	}
	r.readMedia(x["media"])
	for _, e := range x["itunes"]["image"] {
		r.images = append(r.images, e.Attrs["href"], e.Attrs["url"], e.Value)
	}
}

// readMedia reads Media RSS: pictures, the widest first, and files.
func (r *rawItem) readMedia(m map[string][]ext.Extension) {
	widest := -1
	for _, c := range m["content"] {
		kind := firstOf(c.Attrs["medium"], c.Attrs["type"], typeByName(c.Attrs["url"]))
		switch {
		case strings.HasPrefix(kind, "image"):
			if width, _ := strconv.Atoi(c.Attrs["width"]); width > widest {
				widest = width
				r.images = append([]string{c.Attrs["url"]}, r.images...)
			}
		case strings.HasPrefix(kind, "audio"), strings.HasPrefix(kind, "video"):
			r.enclose(c.Attrs["url"], c.Attrs["type"], c.Attrs["fileSize"])
		}
		r.readMedia(c.Children)
	}
	for _, g := range m["group"] {
		r.readMedia(g.Children)
		for _, d := range g.Children["description"] {
			r.mediaText = d.Value
		}
	}
	for _, d := range m["description"] {
		r.mediaText = firstOf(r.mediaText, d.Value)
	}
	for _, e := range m["thumbnail"] {
		r.images = append(r.images, e.Attrs["url"])
	}
	for _, e := range m["url"] {
		r.images = append(r.images, e.Value)
	}
}

func (f *rawFeed) readAtom(o *atom.Feed) {
	f.title, f.rights, f.language = o.Title, o.Rights, firstOf(o.Language, f.language)
	f.link = absoluteLink(f.base, atomLink(o.Links))
	f.updated = firstTime(o.UpdatedParsed)
	f.authors = atomPersons(o.Authors)
	f.items = make([]rawItem, len(o.Entries))
	for i, e := range o.Entries {
		f.items[i].readAtom(e)
		if len(f.items[i].authors) == 0 { // RFC 4287 §4.2.1
			f.items[i].authors = f.authors
		}
	}
}

func (r *rawItem) readAtom(o *atom.Entry) {
	r.title, r.summary, r.rights = o.Title, o.Summary, o.Rights
	r.links = []string{first(o.Extensions, "feedburner", "origlink"), atomLink(o.Links)}
	if o.Content != nil {
		r.content = o.Content.Value
		r.links = append(r.links, o.Content.Src)
	}
	r.links = append(r.links, permalink(o.ID))
	for _, l := range o.Links {
		switch strings.ToLower(l.Rel) {
		case "enclosure":
			r.enclose(l.Href, l.Type, l.Length)
		case "replies":
			if r.comments == "" || strings.Contains(l.Type, "html") {
				r.comments = l.Href
			}
		}
	}
	r.language = first(o.Extensions, "dc", "language")
	r.published, r.updated = firstTime(o.PublishedParsed), firstTime(o.UpdatedParsed)
	if r.published.IsZero() {
		r.published = firstDate(o.Extensions, "dcterms:issued", "dc:date")
	}
	r.authors = atomPersons(o.Authors)
	if len(r.authors) == 0 && o.Source != nil {
		r.authors = atomPersons(o.Source.Authors)
	}
	if len(r.authors) == 0 {
		for _, e := range o.Extensions["dc"]["creator"] {
			r.authors = append(r.authors, personFromText(e.Value))
		}
	}
	for _, c := range o.Categories {
		r.categories = append(r.categories, store.Category{Term: c.Term, Scheme: c.Scheme, Label: c.Label})
	}
	r.readExtensions(o.Extensions)
}

// atomLink is the address of the page that an entry or feed is about (RFC 4287 §4.2.7.2).
func atomLink(links []*atom.Link) string {
	href := ""
	for _, l := range links {
		switch {
		case l.Href == "" || !strings.EqualFold(l.Rel, "alternate"):
		case strings.Contains(l.Type, "html"):
			return l.Href
		case href == "":
			href = l.Href
		}
	}
	return href
}

func atomPersons(persons []*atom.Person) []store.Author {
	var authors []store.Author
	for _, p := range persons {
		if p.Email == "" && p.URI == "" {
			authors = append(authors, personFromText(p.Name))
		} else {
			authors = append(authors, store.Author{Name: p.Name, Email: p.Email, URL: p.URI})
		}
	}
	return authors
}

func (f *rawFeed) readJSON(src []byte) error {
	src, damaged, err := trimJSON(src)
	if err != nil {
		return err
	}
	parsed, err := newGofeed().Parse(bytes.NewReader(src))
	if err != nil { // it stops at the first member of a wrong type
		if src, err = coerceJSON(src); err == nil {
			parsed, err = newGofeed().Parse(bytes.NewReader(src))
		}
	}
	if err != nil {
		return fmt.Errorf("the JSON cannot be read: %w", err)
	}
	o, ok := parsed.OriginalFeed().(*feedjson.Feed)
	if !ok || o.Items == nil && o.Version == "" {
		return errors.New("not a feed: JSON without the members of a JSON Feed (https://jsonfeed.org/version/1.1)")
	}
	f.damaged = damaged
	f.title, f.language = html.EscapeString(clean(o.Title)), clean(o.Language)
	f.id = clean(o.FeedURL)
	f.link = absoluteLink(f.base, o.HomePageURL)
	f.authors = jsonPersons(o.Authors, o.Author)
	for _, it := range o.Items {
		if it == nil || it.ID == "" { // JSON Feed 1.1: it must be discarded
			continue
		}
		f.items = append(f.items, rawItem{})
		r := &f.items[len(f.items)-1]
		r.readJSON(it)
		if len(r.authors) == 0 {
			r.authors = f.authors
		}
	}
	return nil
}

func (r *rawItem) readJSON(o *feedjson.Item) {
	r.guid, r.title, r.language = clean(o.ID), clean(o.Title), clean(o.Language)
	r.note.texts[noteTitle].plain, r.note.texts[noteSummary].plain = true, true
	r.links = []string{o.URL, o.ExternalURL, permalink(o.ID)}
	r.summary, r.content = clean(o.Summary), clean(o.ContentHTML)
	if r.content == "" {
		r.content, r.note.texts[noteContent].plain = clean(o.ContentText), true
	}
	r.published, r.updated = parseDate(o.DatePublished), parseDate(o.DateModified)
	r.authors = jsonPersons(o.Authors, o.Author)
	for _, t := range o.Tags {
		r.categories = append(r.categories, store.Category{Term: html.EscapeString(clean(t))})
	}
	if o.Attachments != nil {
		for _, a := range *o.Attachments {
			r.enclosures = append(r.enclosures, store.Enclosure{URL: a.URL, Type: clean(a.MimeType), Length: a.SizeInBytes})
		}
	}
	r.images = []string{o.Image, o.BannerImage}
}

func jsonPersons(persons []*feedjson.Author, only *feedjson.Author) []store.Author {
	if len(persons) == 0 && only != nil { // JSON Feed 1.0
		persons = []*feedjson.Author{only}
	}
	var authors []store.Author
	for _, p := range persons {
		if p != nil {
			authors = append(authors, store.Author{Name: html.EscapeString(clean(p.Name)), URL: p.URL})
		}
	}
	return authors
}

// first is the text of the first such element that has one.
func first(x ext.Extensions, space, name string) string {
	for _, e := range x[space][name] {
		if e.Value != "" {
			return e.Value
		}
	}
	return ""
}

func child(e ext.Extension, name string) string {
	for _, c := range e.Children[name] {
		return c.Value
	}
	return ""
}

// firstDate is the date of the first of these elements that has one.
func firstDate(x ext.Extensions, names ...string) time.Time {
	for _, n := range names {
		space, name, _ := strings.Cut(n, ":")
		if t := parseDate(first(x, space, name)); !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}
