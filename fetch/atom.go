package fetch

import (
	"html"
	"strings"

	"broadsheet/store"
)

// readAtom reads Atom as gofeed has it (the table is in parse.go).
func (f *rawFeed) readAtom(o *atomFeed) {
	x := o.Extensions
	f.title = firstOf(f.note.own[noteTitle], o.Title, first(x, "dc", "title"))
	f.subtitle, f.rights = firstOf(o.Subtitle, first(x, "dc", "description")), firstOf(o.Rights, first(x, "dc", "rights"))
	f.language = firstOf(first(x, "dc", "language"), o.Language, f.language)
	f.link, f.self = absoluteLink(f.base, atomLink(o.Links, "alternate")), atomLink(o.Links, "self")
	f.license = firstOf(atomLink(o.Links, "license"), licenseIn(x))
	for _, l := range o.Links {
		f.links.add(l.Rel, l.Href)
	}
	f.issued, f.updated = f.note.published.Time, f.note.updated.Time
	f.image = firstOf(o.Logo, o.Icon)
	if f.authors = persons(o.Authors); len(f.authors) == 0 {
		f.authors = authorsIn(x)
	}
	for _, c := range o.Categories {
		f.categories = append(f.categories, literal(c.Term, c.Scheme, c.Label))
	}
	f.categories = append(f.categories, categoriesIn(x)...)
	f.items = make([]rawItem, len(o.Entries))
	for i, e := range o.Entries {
		r := &f.items[i]
		r.note = f.notes[i]
		r.readAtom(e)
		if len(r.authors) == 0 { // RFC 4287 §4.2.1
			r.authors = f.authors
		}
		if len(r.authors) == 0 {
			r.authors = persons(e.Contributors)
		}
	}
}

func (r *rawItem) readAtom(o *atomEntry) {
	own := &r.note.own
	x := o.Extensions
	r.title = firstOf(own[noteTitle], o.Title, first(x, "dc", "title"), first(x, "media", "title"))
	r.summary = firstOf(own[noteSummary], o.Summary, first(x, "dc", "description"), first(x, "itunes", "summary"), first(x, "itunes", "subtitle"))
	r.content, r.rights = own[noteContent], firstOf(o.Rights, first(x, "dc", "rights"))
	r.links = []string{first(x, "feedburner", "origlink"), atomLink(o.Links, "alternate")}
	if o.Content != nil {
		r.content = firstOf(r.content, o.Content.Value)
		r.links = append(r.links, o.Content.Src)
	}
	r.content = firstOf(r.content, first(x, "content", "encoded"), first(x, "xhtml", "body"))
	r.links = append(r.links, permalink(r.note.id))
	for _, l := range o.Links {
		switch strings.ToLower(l.Rel) {
		case "enclosure":
			r.enclose(l.Href, l.Type, l.Length, l.Title, "")
		case "replies":
			if r.comments == "" || strings.Contains(l.Type, "html") {
				r.comments = l.Href
			}
		}
	}
	r.original = atomLink(o.Links, "canonical")
	r.license = firstOf(atomLink(o.Links, "license"), licenseIn(x))
	r.language = first(x, "dc", "language")
	r.published, r.updated = r.note.published.Time, r.note.updated.Time
	if o.Source != nil {
		r.origin.readAtom(o.Source)
	}
	if r.authors = persons(o.Authors); len(r.authors) == 0 {
		r.authors = r.origin.authors
	}
	if len(r.authors) == 0 {
		r.authors = authorsIn(x)
	}
	for _, c := range o.Categories {
		r.categories = append(r.categories, literal(c.Term, c.Scheme, c.Label))
	}
	r.readForeign(x)
}

func (o *rawOrigin) readAtom(s *atomSource) {
	o.id, o.title, o.subtitle, o.rights, o.image = s.ID, s.Title, s.Subtitle, s.Rights, firstOf(s.Logo, s.Icon)
	o.link, o.self = atomLink(s.Links, "alternate"), atomLink(s.Links, "self")
	o.updated, o.authors = firstTime(s.UpdatedParsed), persons(s.Authors)
	for _, c := range s.Categories {
		o.categories = append(o.categories, literal(c.Term, c.Scheme, c.Label))
	}
}

// literal is a category whose values are no HTML.
func literal(term, scheme, label string) store.Category {
	return store.Category{Term: html.EscapeString(term), Scheme: scheme, Label: html.EscapeString(label)}
}

// atomLink is the address of a link with this relation; of several, of a page (RFC 4287 §4.2.7.2).
func atomLink(links atomLinks, rel string) string {
	href := ""
	for _, l := range links {
		switch {
		case l.Href == "" || !strings.EqualFold(l.Rel, rel):
		case strings.Contains(l.Type, "html"):
			return l.Href
		case href == "":
			href = l.Href
		}
	}
	return href
}

func persons(all atomPersons) []store.Author {
	var authors []store.Author
	for _, p := range all {
		if p.Email == "" && p.URI == "" {
			authors = append(authors, personFromText(p.Name))
		} else {
			authors = append(authors, store.Author{Name: p.Name, Email: p.Email, URL: p.URI})
		}
	}
	return authors
}
