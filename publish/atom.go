package publish

import (
	"strconv"
	"time"
)

// What Atom 1.0 (RFC 4287) needs beside gorilla/feeds' structs.
type (
	atomFeed struct {
		atomFeedBase
		Media     string     `xml:"xmlns:media,attr,omitempty"`
		Podcast   string     `xml:"xmlns:podcast,attr,omitempty"`
		Lang      string     `xml:"xml:lang,attr,omitempty"`
		History   string     `xml:"xmlns:fh,attr,omitempty"`
		Archive   *struct{}  `xml:"fh:archive"`
		Title     charData   `xml:"title"`
		Subtitle  *charData  `xml:"subtitle"`
		Author    atomPerson `xml:"author"`
		Links     []atomLink `xml:"link"`
		Generator string     `xml:"generator"`
	}
	atomEntry struct {
		atomEntryBase
		Lang       string         `xml:"xml:lang,attr,omitempty"`
		Title      charData       `xml:"title"`
		Rights     *charData      `xml:"rights"`
		Links      []atomLink     `xml:"link"`
		Authors    []atomPerson   `xml:"author"`
		Categories []atomCategory `xml:"category"`
		Source     *atomSource    `xml:"source"` // nil of an entry of our own
		Media      []mediaContent `xml:"media:content"`
		episode
	}
	atomPerson struct {
		Name  charData `xml:"name"`
		URL   string   `xml:"uri,omitempty"`
		Email string   `xml:"email,omitempty"`
	}
	atomLink struct {
		Rel    string `xml:"rel,attr"`
		Type   string `xml:"type,attr,omitempty"`
		Title  string `xml:"title,attr,omitempty"`
		Href   string `xml:"href,attr"`
		Length string `xml:"length,attr,omitempty"`
	}
	atomCategory struct {
		Term   string `xml:"term,attr"`
		Scheme string `xml:"scheme,attr,omitempty"`
		Label  string `xml:"label,attr,omitempty"`
	}
	atomSource struct {
		ID       string       `xml:"id"`
		Title    charData     `xml:"title"`
		Subtitle *charData    `xml:"subtitle"`
		Updated  string       `xml:"updated"`
		Authors  []atomPerson `xml:"author"`
		Links    []atomLink   `xml:"link"`
		Logo     string       `xml:"logo,omitempty"`
		Rights   *charData    `xml:"rights"`
	}
)

// closeAtom is what comes after the entries.
const closeAtom = "\n</feed>\n"

// atomTime is RFC 3339 in whole seconds.
func atomTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// An atomRendering renders a list as Atom 1.0.
type atomRendering struct {
	p              *Publisher
	l              *list
	entries        *xmlEntries
	media, podcast string // namespaces that entries use
}

func (r *atomRendering) add(e *listed) {
	entry := atomEntryOf(r.p.inFeeds(e))
	if entry.Media != nil {
		r.media = spaceMedia
	}
	if !entry.episode.empty() {
		r.podcast = spacePodcast
	}
	r.entries.add(entry)
}

func (r *atomRendering) document() *Document {
	p, l := r.p, r.l
	feed := atomFeed{
		Lang: languageTag(p.pub.Language),
		Links: []atomLink{
			{Rel: "self", Type: "application/atom+xml", Href: p.address(l, l.Path, ".atom")},
			{Rel: "alternate", Type: "text/html", Href: p.address(l, l.Path, ".html")},
		},
		Generator: generator,
	}
	for _, c := range p.chain(l, ".atom") {
		feed.Links = append(feed.Links, atomLink{Rel: c.rel, Type: "application/atom+xml", Href: c.href})
	}
	if l.linked() {
		feed.History, feed.Archive = historySpace, &struct{}{}
	}
	if hub := p.hub(l); hub != "" {
		feed.Links = append(feed.Links, atomLink{Rel: "hub", Href: hub})
	}
	feed.Xmlns = "http://www.w3.org/2005/Atom"
	feed.Id = l.ID
	feed.Title = plainText(l.Title)
	feed.Subtitle = optional(l.Description)
	feed.Updated = atomTime(l.Updated)
	feed.Author = atomPerson{Name: plainText(plainLine(p.pub.Title)), URL: p.url("")}
	feed.Icon = p.url("icon.png")
	feed.Media, feed.Podcast = r.media, r.podcast
	return p.feedDocument(l, "atom", typeAtom, r.entries.in(marshalXML(feed, l.root()+"feed.css"), closeAtom))
}

func atomEntryOf(e *listed) atomEntry {
	out := atomEntry{Lang: e.Language, Source: atomSourceOf(e)}
	out.Id = e.ID
	out.Title = plainText(e.Title)
	out.Published = atomTime(e.Published)
	out.Updated = e.Updated.UTC().Format("2006-01-02T15:04:05.000000000Z")
	out.Rights = optional(e.Rights)
	if e.Link != "" {
		out.Links = append(out.Links, atomLink{Rel: "alternate", Type: "text/html", Href: e.Link})
	}
	for _, f := range e.Files {
		link := atomLink{Rel: "enclosure", Type: f.Type, Title: f.Title, Href: f.URL}
		if f.Length > 0 {
			link.Length = strconv.FormatInt(f.Length, 10)
		}
		out.Links = append(out.Links, link)
	}
	for _, a := range e.Also {
		if a.Link != "" {
			out.Links = append(out.Links, atomLink{Rel: "related", Title: a.Title, Href: a.Link})
		}
	}
	if e.Comments != "" {
		out.Links = append(out.Links, atomLink{Rel: "replies", Type: "text/html", Href: e.Comments})
	}
	if e.License != "" {
		out.Links = append(out.Links, atomLink{Rel: "license", Href: e.License})
	}
	if v := e.Via; v.Link != "" {
		out.Links = append(out.Links, atomLink{Rel: "via", Title: v.Title, Href: v.Link})
	}
	out.Media, out.episode = mediaPictures(e), episodeOf(&e.Podcast)
	for _, a := range e.Authors {
		out.Authors = append(out.Authors, atomPerson{plainText(a.Name), a.URL, a.Email})
	}
	for _, t := range e.Tags {
		out.Categories = append(out.Categories, atomCategory(t))
	}
	switch {
	case e.Content != "":
		out.Content = &atomContent{Type: "html", Content: e.Content}
		if e.Summary != "" {
			out.Summary = &atomSummary{Type: "html", Content: e.Summary}
		}
	case e.Summary != "" && e.Link != "":
		out.Summary = &atomSummary{Type: "html", Content: e.Summary}
	case e.Summary != "": // an entry needs an alternate link or a content (RFC 4287 §4.1.2)
		out.Content = &atomContent{Type: "html", Content: e.Summary}
	case e.Link != "": // one of both is wanted, or feed readers and validators complain
		out.Summary = &atomSummary{Type: "html", Content: escapeText.Replace(e.Title)}
	default:
		out.Content = &atomContent{Type: "html", Content: escapeText.Replace(e.Title)}
	}
	return out
}

func atomSourceOf(e *listed) *atomSource {
	s := &atomSource{
		ID: e.Source.ID, Title: plainText(plainLine(e.Outlet.Name)), Subtitle: optional(e.Source.Subtitle),
		Updated: atomTime(e.Source.Updated), Logo: e.Source.Logo, Rights: optional(e.Source.Rights),
	}
	for _, a := range e.Source.Authors {
		s.Authors = append(s.Authors, atomPerson{plainText(a.Name), a.URL, a.Email})
	}
	if self := Address(e.Feed.Shown); self != "" {
		s.Links = append(s.Links, atomLink{Rel: "self", Href: self})
	}
	if home := Address(e.Outlet.URL); home != "" {
		s.Links = append(s.Links, atomLink{Rel: "alternate", Type: "text/html", Href: home})
	}
	return s
}
