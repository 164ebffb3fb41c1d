package publish

import (
	"cmp"
	"encoding/xml"
	"slices"
)

// OPML 2.0: http://opml.org/spec2.opml
type (
	opmlDocument struct {
		XMLName xml.Name `xml:"opml"`
		Version string   `xml:"version,attr"`
		Head    opmlHead `xml:"head"`
		Body    opmlBody `xml:"body"`
	}
	opmlHead struct {
		Title string `xml:"title"`
	}
	opmlBody struct {
		Outlines []opmlOutline `xml:"outline"`
	}
	opmlOutline struct {
		Type        string `xml:"type,attr"`
		Text        string `xml:"text,attr"`
		Title       string `xml:"title,attr"`
		XMLURL      string `xml:"xmlUrl,attr"`
		HTMLURL     string `xml:"htmlUrl,attr,omitempty"`
		Language    string `xml:"language,attr,omitempty"`
		Description string `xml:"description,attr,omitempty"`
	}
)

// OPML lists the feeds of outlets as a list of subscriptions. Addresses stand as they are shown,
// without secrets; private feeds are left out.
func OPML(title string, outlets []Outlet) []byte {
	r := newRoster(outlets)
	var lines []opmlOutline
	for i := range r.outlets {
		lines = append(lines, outlines(&r.outlets[i])...)
	}
	return marshalOPML(title, lines)
}

func outlines(o *Outlet) (out []opmlOutline) {
	name := cmp.Or(label(o.Name), o.ID)
	for i := range o.Feeds {
		if a := address(o.Feeds[i].Shown); a != "" && !o.Feeds[i].Private {
			out = append(out, opmlOutline{Type: "rss", Text: name, Title: name, XMLURL: a,
				HTMLURL: address(o.URL), Language: languageTag(o.Language)})
		}
	}
	return out
}

func marshalOPML(title string, lines []opmlOutline) []byte {
	return marshalXML(opmlDocument{Version: "2.0", Head: opmlHead{plainLine(title)}, Body: opmlBody{lines}}, "")
}

// sectionOutlets lists what a section is made of.
func (p *Publisher) sectionOutlets(l *list) *Document {
	var lines []opmlOutline
	for _, o := range l.Outlets {
		lines = append(lines, outlines(o)...)
	}
	return newDocument(l.Slug+".opml", typeOPML, marshalOPML(l.Title, lines), p.st.Created(), l.MaxAge)
}

// allOutlets lists every outlet.
func (p *Publisher) allOutlets() *Document {
	shown := slices.DeleteFunc(slices.Clone(p.pub.Outlets), func(o Outlet) bool { return p.roster.withdrawn.outlet(&o) })
	return newDocument("outlets.opml", typeOPML, OPML(p.pub.Title, shown), p.st.Created(), listAge)
}

// allSections lists the feeds that we publish.
func (p *Publisher) allSections() *Document {
	var lines []opmlOutline
	for _, d := range p.public() {
		lines = append(lines, opmlOutline{Type: "rss", Text: label(d.list.Title), Title: label(d.list.Title),
			XMLURL: p.url(d.list.Slug + ".atom"), HTMLURL: p.url(d.list.Slug + ".html"), Description: label(d.list.Description)})
	}
	return newDocument("sections.opml", typeOPML, marshalOPML(p.pub.Title, lines), p.st.Created(), listAge)
}
