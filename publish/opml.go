package publish

import (
	"cmp"
	"encoding/xml"
	"regexp"
	"slices"
	"strings"
	"time"
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
		Type        string `xml:"type,attr,omitempty"`
		Text        string `xml:"text,attr"`
		Title       string `xml:"title,attr,omitempty"`
		XMLURL      string `xml:"xmlUrl,attr,omitempty"`
		HTMLURL     string `xml:"htmlUrl,attr,omitempty"`
		Language    string `xml:"language,attr,omitempty"`
		Category    string `xml:"category,attr,omitempty"`
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
	return marshalOPML(label(title), lines)
}

func outlines(o *Outlet) (out []opmlOutline) {
	name := cmp.Or(label(o.Name), o.ID)
	for i := range o.Feeds {
		if a := Address(o.Feeds[i].Shown); a != "" && !o.Feeds[i].Private {
			out = append(out, opmlOutline{Type: "rss", Text: name, Title: name, XMLURL: a,
				HTMLURL: named(Address(o.URL)), Language: languageTag(o.Language), Category: categories(o.Tags, o.Feeds[i].Tags)})
		}
	}
	return out
}

// categories lists tags as OPML does, with commas between them, which is why a tag that holds one cannot be told.
func categories(lists ...[]string) string {
	var out []string
	for _, tag := range slices.Concat(lists...) {
		if tag = label(tag); tag != "" && !strings.Contains(tag, ",") && !slices.Contains(out, tag) {
			out = append(out, tag)
		}
	}
	return strings.Join(out, ",")
}

func marshalOPML(title string, lines []opmlOutline) []byte {
	return marshalXML(opmlDocument{Version: "2.0", Head: opmlHead{title}, Body: opmlBody{lines}}, "")
}

// opml makes a document of a list.
func (p *Publisher) opml(path, title string, lines []opmlOutline, age time.Duration) *Document {
	title = unmarked(label(title))
	for i := range lines {
		l := &lines[i]
		l.Text, l.Title, l.Description = unmarked(l.Text), unmarked(l.Title), unmarked(l.Description)
	}
	if len(lines) == 0 { // a body has one outline at least
		lines = []opmlOutline{{Text: title}}
	}
	return newDocument(path, typeOPML, marshalOPML(title, lines), p.st.Created(), age)
}

// unmarked is a text that is the same whether it is read as HTML, which the specification permits and the W3C validator does,
// or as it stands, as most readers do.
func unmarked(s string) string {
	return strings.ReplaceAll(ampersand.ReplaceAllString(s, "＆$1"), "<", "‹")
}

var ampersand = regexp.MustCompile(`&([^ &])`)

// sectionOutlets lists what a section is made of.
func (p *Publisher) sectionOutlets(l *list) *Document {
	var lines []opmlOutline
	for _, o := range l.Outlets {
		lines = append(lines, outlines(o)...)
	}
	return p.opml(l.Slug+".opml", l.Title, lines, l.MaxAge)
}

// allOutlets lists every outlet.
func (p *Publisher) allOutlets() *Document {
	var lines []opmlOutline
	for i := range p.roster.outlets {
		if o := &p.roster.outlets[i]; !p.roster.withdrawn.outlet(o) {
			lines = append(lines, outlines(o)...)
		}
	}
	return p.opml("outlets.opml", p.pub.Title, lines, listAge)
}

// allSections lists the feeds that we publish.
func (p *Publisher) allSections() *Document {
	var lines []opmlOutline
	for _, d := range p.public() {
		lines = append(lines, opmlOutline{Type: "rss", Text: label(d.list.Title), Title: label(d.list.Title),
			XMLURL: p.url(d.list.Slug + ".atom"), HTMLURL: p.url(d.list.Slug + ".html"), Description: label(d.list.Description)})
	}
	return p.opml("sections.opml", p.pub.Title, lines, listAge)
}
