package publish

import (
	"cmp"
	"encoding/xml"
	"regexp"
	"strconv"
	"time"
)

// What RSS 2.0 needs beside gorilla/feeds' structs: see the RSS Advisory Board's specification and profile.
type (
	rssDocument struct {
		XMLName xml.Name `xml:"rss"`
		Version string   `xml:"version,attr"`
		Content string   `xml:"xmlns:content,attr"`
		Atom    string   `xml:"xmlns:atom,attr"`
		DC      string   `xml:"xmlns:dc,attr"`
		Media   string   `xml:"xmlns:media,attr"`
		History string   `xml:"xmlns:fh,attr,omitempty"`
		Podcast string   `xml:"xmlns:podcast,attr,omitempty"`
		Itunes  string   `xml:"xmlns:itunes,attr,omitempty"`
		Channel rssChannel
	}
	rssChannel struct {
		rssChannelBase
		Title       charData `xml:"title"`
		Description charData `xml:"description"`
		Picture     rssPicture
		Links       []rssLink `xml:"atom:link"`
		Archive     *struct{} `xml:"fh:archive"`
		itunesChannel
	}
	rssPicture struct { // at most 144 by 400 pixels
		XMLName xml.Name `xml:"image"`
		URL     string   `xml:"url"`
		Title   charData `xml:"title"`
		Link    string   `xml:"link"`
		Width   int      `xml:"width"`
		Height  int      `xml:"height"`
	}
	rssItem struct {
		rssItemBase
		Title       charData       `xml:"title"`
		Link        string         `xml:"link,omitempty"`
		Description string         `xml:"description,omitempty"`
		Content     *rssContent    // after description, or the validator warns
		Creators    []charData     `xml:"dc:creator"`
		Categories  []rssCategory  `xml:"category"`
		Media       []mediaContent `xml:"media:content"`
		Rights      *charData      `xml:"dc:rights"`
		Language    string         `xml:"dc:language,omitempty"`
		Source      rssSource      `xml:"source"`
		Links       []rssLink      `xml:"atom:link"`
		episode
		itunesItem
	}
	rssCategory struct {
		Domain string `xml:"domain,attr,omitempty"`
		Term   string `xml:",innerxml"`
	}
	rssLink struct {
		Rel   string `xml:"rel,attr"`
		Type  string `xml:"type,attr,omitempty"`
		Title string `xml:"title,attr,omitempty"`
		Href  string `xml:"href,attr"`
	}
	rssSource struct {
		URL  string `xml:"url,attr"`
		Name string `xml:",innerxml"`
	}
)

// rssTime is RFC 822's date with a year of four digits and a numeric zone.
func rssTime(t time.Time) string { return t.UTC().Format(time.RFC1123Z) }

// generator is what made the documents; without a version, which is nobody's business.
const generator = "Broadsheet"

// An rssRendering renders a list as RSS 2.0.
type rssRendering struct {
	p       *Publisher
	l       *list
	items   *xmlEntries
	podcast string // the namespace, if items use it
}

func (r *rssRendering) add(e *listed) {
	it := rssItemOf(r.p.inFeeds(e))
	if r.l.podcast() {
		it.itunesItem = itunesOf(e)
	}
	if !it.episode.empty() {
		r.podcast = spacePodcast
	}
	r.items.add(it)
}

func (r *rssRendering) document() *Document {
	p, l := r.p, r.l
	ch := rssChannel{
		Title:       plainText(l.Title),
		Description: plainText(l.about()),
		Links:       []rssLink{{Rel: "self", Type: "application/rss+xml", Href: p.address(l, l.Path, ".rss")}},
	}
	if hub := p.hub(l); hub != "" {
		ch.Links = append(ch.Links, rssLink{Rel: "hub", Href: hub})
	}
	ch.Link = p.address(l, l.Path, ".html")
	ch.Language = languageTag(p.pub.Language)
	ch.LastBuildDate = rssTime(l.Updated)
	ch.Generator = generator
	ch.Docs = "https://www.rssboard.org/rss-specification"
	ch.Ttl = l.minutes()
	ch.Picture = rssPicture{URL: p.url("favicon.png"), Title: ch.Title, Link: ch.Link, Width: 128, Height: 128}
	for _, c := range p.chain(l, ".rss") {
		ch.Links = append(ch.Links, rssLink{Rel: c.rel, Type: "application/rss+xml", Href: c.href})
	}
	ch.itunesChannel = l.Itunes.channel()
	doc := rssDocument{
		Version: "2.0",
		Content: "http://purl.org/rss/1.0/modules/content/",
		Atom:    "http://www.w3.org/2005/Atom",
		DC:      "http://purl.org/dc/elements/1.1/",
		Media:   spaceMedia,
		Podcast: r.podcast,
	}
	if l.linked() {
		doc.History, ch.Archive = historySpace, &struct{}{}
	}
	if l.podcast() {
		doc.Itunes = spaceItunes
	}
	doc.Channel = ch
	return p.feedDocument(l, "rss", typeRSS, r.items.in(marshalXML(doc, l.root()+"feed.css"), "\n </channel>\n</rss>\n"))
}

// podcast reports whether the list is one.
func (l *list) podcast() bool { return l.Itunes != Itunes{} }

// minutes is the ttl: how long a reader may wait, at least as long as caches do.
func (l *list) minutes() int { return max(int((l.TTL+time.Minute-1)/time.Minute), 1) }

// about describes the section, by its title if by nothing else.
func (l *list) about() string {
	if l.Description != "" {
		return l.Description
	}
	return l.Title
}

// enclosureForm is an address with a domain, which the specifications of enclosures and of iTunes' pictures want; mailName a name that can stand
// in parentheses after an e-mail address.
var (
	enclosureForm = regexp.MustCompile(`^https?://([0-9A-Za-z-]+\.)+[0-9A-Za-z-]+(:[0-9]+)?(/|$)`)
	mailName      = regexp.MustCompile(`^[^()<>@,;:\\"]+$`)
)

func rssItemOf(e *listed) rssItem {
	it := rssItem{
		Title:       plainText(e.Title),
		Link:        named(e.Link),
		Description: e.Summary,
		Language:    e.Language,
		Rights:      optional(e.Rights),
		Source:      rssSource{URL: cmp.Or(named(Address(e.Feed.Shown)), e.Source.ID), Name: hexEscape.Replace(plainLine(e.Outlet.Name))},
	}
	if e.Content != "" {
		it.Content = &rssContent{Content: e.Content}
	}
	it.Guid = &rssGUID{Id: e.ID, IsPermaLink: "false"}
	it.PubDate = rssTime(e.Published)
	it.Comments = named(e.Comments)
	// RSS wants an e-mail address for an author, and not both an author and dc:creator.
	if a := e.Authors[0]; len(e.Authors) == 1 && a.Email != "" && mailName.MatchString(a.Name) {
		it.Author = a.Email + " (" + a.Name + ")"
	} else {
		for _, a := range e.Authors {
			it.Creators = append(it.Creators, plainText(a.Name))
		}
	}
	for _, t := range e.Tags {
		it.Categories = append(it.Categories, rssCategory{t.Scheme, hexEscape.Replace(t.Term)})
	}
	for i := range e.Files {
		f := &e.Files[i]
		if it.Enclosure == nil && enclosureForm.MatchString(f.URL) { // RSS has room for one
			it.Enclosure = &rssEnclosure{Url: f.URL, Type: f.Type, Length: strconv.FormatInt(f.Length, 10)}
		}
		if named(f.URL) != "" {
			it.Media = append(it.Media, mediaFile(f))
		}
	}
	it.Media = append(it.Media, mediaPictures(e)...)
	if it.Link != e.Link {
		it.Links = append(it.Links, rssLink{Rel: "alternate", Type: "text/html", Href: e.Link})
	}
	for _, a := range e.Also {
		if a.Link != "" {
			it.Links = append(it.Links, rssLink{Rel: "related", Title: a.Title, Href: a.Link})
		}
	}
	if v := e.Via; v.Link != "" {
		it.Links = append(it.Links, rssLink{Rel: "via", Title: v.Title, Href: v.Link})
	}
	it.episode = episodeOf(&e.Podcast)
	return it
}
