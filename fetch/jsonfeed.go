package fetch

import (
	"html"
	"time"

	"broadsheet/store"
)

// readJSONFeed reads JSON Feed as gofeed has it (the table is in parse.go). Its texts are no HTML, but for content_html.
func (f *rawFeed) readJSONFeed(o *jsonFeed) {
	f.title, f.subtitle = html.EscapeString(clean(o.Title)), html.EscapeString(clean(o.Description))
	f.language, f.id, f.self = clean(o.Language), clean(o.FeedURL), o.FeedURL
	f.link = absoluteLink(f.base, o.HomePageURL)
	f.image = firstOf(o.Icon, o.Favicon)
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
}

func (r *rawItem) readJSON(o *jsonItem) {
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
			r.enclosures = append(r.enclosures, store.Enclosure{URL: a.URL, Type: clean(a.MimeType), Length: a.SizeInBytes,
				Title: html.EscapeString(clean(a.Title)), Duration: time.Duration(min(max(a.DurationInSeconds, 0), 7*24*3600)) * time.Second})
		}
	}
	r.picture(o.Image, "", "")
	r.picture(o.BannerImage, "", "")
}

func jsonPersons(persons []*jsonAuthor, only *jsonAuthor) []store.Author {
	if len(persons) == 0 && only != nil { // JSON Feed 1.0
		persons = []*jsonAuthor{only}
	}
	var authors []store.Author
	for _, p := range persons {
		if p != nil {
			authors = append(authors, store.Author{Name: html.EscapeString(clean(p.Name)), URL: p.URL})
		}
	}
	return authors
}
