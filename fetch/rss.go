package fetch

import (
	"strconv"
	"strings"
	"time"

	"broadsheet/store"
)

// readRSS reads RSS as gofeed has it (the table is in parse.go).
func (f *rawFeed) readRSS(o *rssFeed) {
	x := o.Extensions
	f.title = firstOf(f.note.own[noteTitle], o.Title, first(x, "dc", "title"), first(x, "media", "title"))
	f.subtitle = firstOf(o.Description, first(x, "dc", "description"), first(x, "itunes", "summary"), first(x, "itunes", "subtitle"), first(x, "atom", "subtitle"), first(x, "media", "description"))
	f.rights = firstOf(o.Copyright, first(x, "dc", "rights"), first(x, "atom", "rights"))
	f.language = firstOf(o.Language, first(x, "dc", "language"), f.language)
	for _, l := range o.Links {
		if f.link == "" {
			f.link = absoluteLink(f.base, l)
		}
	}
	for _, l := range x["atom"]["link"] {
		f.links.add(l.Attrs["rel"], l.Attrs["href"])
		switch l.Attrs["rel"] {
		case "self":
			f.self = firstOf(f.self, l.Attrs["href"])
		case "", "alternate":
			f.link = firstOf(f.link, absoluteLink(f.base, l.Attrs["href"]))
		}
	}
	f.id, f.license = first(x, "atom", "id"), licenseIn(x)
	f.issued, f.updated = f.note.published.Time, f.note.updated.Time
	if minutes, err := strconv.Atoi(strings.TrimSpace(o.TTL)); err == nil && minutes > 0 {
		f.ttl = time.Duration(min(minutes, 60*24*365)) * time.Minute
	}
	f.pace = readPace(o.SkipHours, o.SkipDays, first(x, "sy", "updateperiod"), first(x, "sy", "updatefrequency"))
	if f.authors = authorsIn(x); o.ManagingEditor != "" {
		f.authors = append(f.authors, personFromText(o.ManagingEditor))
	}
	for _, c := range o.Categories {
		f.categories = append(f.categories, store.Category{Term: c.Value, Scheme: c.Domain})
	}
	f.categories = append(f.categories, categoriesIn(x)...)
	if o.Image != nil {
		f.image = o.Image.URL
	}
	for _, e := range x["itunes"]["image"] {
		f.image = firstOf(f.image, e.Attrs["href"], e.Attrs["url"], e.Value)
	}
	f.items = make([]rawItem, len(o.Items))
	for i, it := range o.Items {
		f.items[i].note = f.notes[i]
		f.items[i].readRSS(it)
	}
}

func (r *rawItem) readRSS(o *rssItem) {
	x := o.Extensions
	own := &r.note.own
	r.title = firstOf(own[noteTitle], o.Title, first(x, "dc", "title"), first(x, "atom", "title"), first(x, "media", "title"))
	r.summary = firstOf(own[noteSummary], o.Description, first(x, "dc", "description"), first(x, "atom", "summary"), first(x, "itunes", "summary"), first(x, "itunes", "subtitle"), o.Custom["summary"])
	r.content = firstOf(own[noteContent], o.Content, first(x, "xhtml", "body"), o.Custom["body"], o.Custom["fullitem"], o.Custom["content"], first(x, "atom", "content"))
	r.links = append(r.links, first(x, "feedburner", "origlink"))
	r.links = append(r.links, o.Links...)
	for _, l := range x["atom"]["link"] {
		switch rel := l.Attrs["rel"]; rel {
		case "", "alternate":
			r.links = append(r.links, l.Attrs["href"])
		case "enclosure":
			r.enclose(l.Attrs["href"], l.Attrs["type"], l.Attrs["length"], l.Attrs["title"], "")
		case "replies":
			r.comments = l.Attrs["href"]
		case "canonical":
			r.original = l.Attrs["href"]
		}
	}
	if o.GUID != nil {
		r.guid = o.GUID.Value
		switch strings.ToLower(o.GUID.IsPermalink) {
		case "true":
			if strings.Contains(r.guid, "/") { // else it is a number, whatever is said
				r.links = append(r.links, r.guid)
			}
		case "false":
		default:
			r.links = append(r.links, permalink(r.guid))
		}
	}
	r.guid = firstOf(r.guid, first(x, "atom", "id"), o.Custom["id"])
	r.comments = firstOf(o.Comments, r.comments)
	r.language = firstOf(first(x, "dc", "language"), o.Custom["language"])
	r.rights = firstOf(first(x, "dc", "rights"), first(x, "atom", "rights"), o.Custom["copyright"], o.Custom["rights"])

	r.license = licenseIn(x)
	r.published, r.updated = r.note.published.Time, r.note.updated.Time
	r.authors = authorsIn(x)
	r.categories = listed(nil, o.Custom["tags"])
	for _, c := range o.Categories {
		r.categories = append(r.categories, store.Category{Term: c.Value, Scheme: c.Domain})
	}
	for _, e := range o.Enclosures {
		r.enclose(e.URL, e.Type, e.Length, "", "")
	}
	if o.Source != nil {
		r.origin.title, r.origin.self = o.Source.Title, o.Source.URL
	}
	for _, e := range x["atom"]["source"] {
		r.origin.readSource(e)
	}
	for _, e := range x["dc"]["source"] { // an address, or a name
		if link := permalink(e.Value); link != "" {
			r.origin.link = firstOf(r.origin.link, link)
		} else {
			r.origin.title = firstOf(r.origin.title, e.Value)
		}
	}
	r.readForeign(x)
	r.picture(o.Custom["image"], "", "")
}

// readSource reads an atom:source inside of RSS.
func (o *rawOrigin) readSource(e element) {
	o.id, o.title, o.rights = firstOf(child(e, "id"), o.id), firstOf(child(e, "title"), o.title), firstOf(child(e, "rights"), o.rights)
	o.updated = parseDate(child(e, "updated"))
	for _, l := range e.Children["link"] {
		switch l.Attrs["rel"] {
		case "", "alternate":
			o.link = l.Attrs["href"]
		case "self":
			o.self = l.Attrs["href"]
		}
	}
}
