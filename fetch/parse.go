package fetch

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/mmcdole/gofeed"
	"github.com/mmcdole/gofeed/atom"
	ext "github.com/mmcdole/gofeed/extensions"
	feedjson "github.com/mmcdole/gofeed/json"
	"github.com/mmcdole/gofeed/rss"
)

// What an item is made of. What stands first in a cell counts first; of lists all are kept. Elements without a prefix
// are the format's own, in RSS of any version, with the other format's elements as a second choice for each.
//
//	            RSS 0.9x, 1.0, 2.0                    Atom 0.3, 1.0                     JSON Feed
//	id          guid, rdf:about, id                   id                                id
//	link        feedburner:origLink, link, guid       feedburner:origLink,              url, external_url
//	                                                  link rel=alternate, content src
//	original    atom:link rel=canonical               link rel=canonical
//	title       title, dc:title, media:title          title, and the same               title
//	summary     description, dc:description,          summary, and the same             summary
//	            itunes:summary, itunes:subtitle
//	content     content:encoded, xhtml:body,          content, content:encoded,         content_html,
//	            body, fullitem                        xhtml:body                        content_text
//	            in place of both: media:description   media:description
//	published   pubDate, and the same                 published, issued,                date_published
//	                                                  dcterms:issued, created,
//	                                                  dcterms:created, :available, dc:date
//	updated     the same, lastBuildDate               updated, modified,                date_modified
//	                                                  dcterms:modified, dc:date
//	authors     author, dc:creator, dc:author,        author, source's author,          authors, author, the feed's
//	            itunes:author, dc:contributor         the feed's, contributor
//	categories  tags, category, dc:subject, media:category, category, and the same            tags
//	            itunes:keywords, media:keywords
//	enclosures  enclosure, media:content of           link rel=enclosure, and the same  attachments
//	            sound and film
//	pictures    media:content of pictures,            the same                          image, banner_image
//	            media:thumbnail, itunes:image, image
//	comments    comments                              link rel=replies
//	rights      dc:rights, copyright, rights          rights, copyright
//	license     cc:license, creativeCommons:license, link rel=license
//	language    dc:language, xml:lang, language       xml:lang, dc:language             language
//	origin      source, dc:source, atom:source        source
//	podcast     itunes:duration, episode, season, episodeType, explicit, title,         duration_in_seconds
//	            block, image; podcast:episode, season, chapters, transcript, person     of an attachment
//
// That a text is plain, or HTML, or base64, is told by its type and mode in Atom and by the member in JSON; in RSS it
// is HTML. gofeed knows neither that nor xml:base and xml:lang of single elements: tidy does (tidytext.go).

// The parts of a document as gofeed has them.
type (
	rssFeed     = rss.Feed
	rssItem     = rss.Item
	atomFeed    = atom.Feed
	atomEntry   = atom.Entry
	atomLinks   = []*atom.Link
	atomPersons = []*atom.Person
	atomSource  = atom.Source
	jsonFeed    = feedjson.Feed
	jsonItem    = feedjson.Item
	jsonAuthor  = feedjson.Author
	foreign     = ext.Extensions // elements of other vocabularies by prefix and name
	element     = ext.Extension
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
	f.damaged, f.note, f.notes, f.language = t.damaged, t.feed, t.items, t.feed.lang
	if t.feed.base != nil {
		f.base = t.feed.base
	}
	switch original := parsed.OriginalFeed().(type) {
	case *rssFeed:
		f.readRSS(original)
	case *atomFeed:
		f.readAtom(original)
	}
	f.title, f.subtitle, f.rights = t.full(f.title), t.full(f.subtitle), t.full(f.rights)
	if f.id == "" {
		f.id = t.feed.id
	}
	for i := range f.items {
		it := &f.items[i]
		for _, s := range []*string{&it.title, &it.summary, &it.content, &it.mediaText, &it.rights,
			&it.podcast.Title, &it.origin.title, &it.origin.subtitle, &it.origin.rights} {
			*s = t.full(*s)
		}
		for j := range it.pictures {
			it.pictures[j].Caption = t.full(it.pictures[j].Caption)
		}
		for j := range it.enclosures {
			it.enclosures[j].Title = t.full(it.enclosures[j].Title)
		}
		if it.guid == "" {
			it.guid = it.note.id
		}
	}
	return nil
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
	o, ok := parsed.OriginalFeed().(*jsonFeed)
	if !ok || o.Items == nil && o.Version == "" {
		return errors.New("not a feed: JSON without the members of a JSON Feed (https://jsonfeed.org/version/1.1)")
	}
	f.damaged = damaged
	f.readJSONFeed(o)
	f.links = jsonLinks(src, o.FeedURL)
	return nil
}
