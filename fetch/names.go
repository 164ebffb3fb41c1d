package fetch

import "strings"

// A role says what an element is in a feed, and so what tidy does with it.
type role uint8

const (
	roleNone      role = iota // of no use here: left out with all that it holds
	roleContainer             // holds elements
	roleItem                  // one item
	roleText                  // holds text or markup
	roleDate                  // holds a date
	roleAuthor                // holds text in RSS, elements in Atom
)

// roles are the elements that items and feeds are read from, by their prefix as below and local name in
// lower case. Those of RSS 0.9x, 1.0 and 2.0 and of an Atom feed itself have no prefix.
var roles = map[string]role{
	"channel": roleContainer, "image": roleContainer, "item": roleItem, "entry": roleItem,
	"title": roleText, "link": roleText, "guid": roleText, "id": roleText, "language": roleText,
	"description": roleText, "summary": roleText, "content": roleText, "subtitle": roleText, "tagline": roleText,
	"body": roleText, "fullitem": roleText, "rights": roleText, "copyright": roleText, "ttl": roleText,
	"category": roleText, "comments": roleText, "enclosure": roleText, "source": roleText,
	"name": roleText, "email": roleText, "uri": roleText, "url": roleText, "homepage": roleText,
	"author": roleAuthor, "logo": roleText, "icon": roleText, "href": roleText,
	"managingeditor": roleText, "webmaster": roleText,
	"pubdate": roleDate, "published": roleDate, "issued": roleDate, "created": roleDate,
	"updated": roleDate, "modified": roleDate, "lastbuilddate": roleDate,

	"content:encoded": roleText, "xhtml:body": roleText, "feedburner:origlink": roleText,
	"atom:link": roleText, "atom:id": roleText, "atom:title": roleText, "atom:summary": roleText, "atom:content": roleText,
	"atom:author": roleAuthor, "atom:category": roleText, "atom:rights": roleText, "atom:updated": roleDate, "atom:published": roleDate,
	"atom:name": roleText, "atom:email": roleText, "atom:uri": roleText, "atom:subtitle": roleText,
	"dc:creator": roleText, "dc:author": roleText, "dc:title": roleText, "dc:description": roleText, "dc:subject": roleText,
	"dc:language": roleText, "dc:rights": roleText, "dc:identifier": roleText, "dc:source": roleText, "dc:date": roleDate,
	"dcterms:created": roleDate, "dcterms:issued": roleDate, "dcterms:modified": roleDate, "dcterms:available": roleDate,
	"itunes:author": roleText, "itunes:summary": roleText, "itunes:subtitle": roleText, "itunes:image": roleText,
	"itunes:keywords": roleText, "itunes:category": roleText,
	"media:group": roleContainer, "media:content": roleContainer, "media:thumbnail": roleText, "media:category": roleText,
	"media:keywords": roleText, "media:description": roleText, "media:title": roleText, "media:credit": roleText,
}

// namespaces are the names of the namespaces that roles speaks of. A namespace is known by the part of its
// address that all its misspellings share.
var namespaces = []struct{ part, prefix string }{
	{"w3.org/2005/atom", "atom"}, {"purl.org/atom/ns", "atom"}, {"w3.org/1999/xhtml", "xhtml"},
	{"purl.org/rss/1.0/modules/content", "content"}, {"purl.org/dc/elements", "dc"}, {"purl.org/dc/terms", "dcterms"},
	{"search.yahoo.com/mrss", "media"}, {"/podcast-1.0.dtd", "itunes"}, {"feedburner/ext/1.0", "feedburner"},
	{"w3.org/1999/02/22-rdf-syntax-ns", "rdf"}, {"w3.org/xml/1998/namespace", "xml"},
	{"purl.org/rss/1.0/modules/", "other"}, {"purl.org/rss/1.0", ""}, {"my.netscape.com/rdf/simple", ""},
	{"channel.netscape.com/rdf/simple", ""}, {"backend.userland.com/rss", ""}, {"purl.org/net/rss1.1", ""},
}

// prefixOf is the prefix by which roles knows a namespace; "other" for those that it does not know.
func prefixOf(namespace string) string {
	lower := strings.ToLower(namespace)
	for _, p := range namespaces {
		if strings.Contains(lower, p.part) {
			return p.prefix
		}
	}
	return "other"
}

// literalPrefixes are the prefixes of documents that forget to declare them, or declare them wrongly.
var literalPrefixes = map[string]string{
	"rss": "rss", "atom": "atom", "atom10": "atom", "a10": "atom", "content": "content", "dc": "dc", "dcterms": "dcterms",
	"media": "media", "itunes": "itunes", "feedburner": "feedburner", "xhtml": "xhtml", "rdf": "rdf",
}
