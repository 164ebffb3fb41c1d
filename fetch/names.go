package fetch

import (
	"bytes"
	"strings"
)

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
	"skiphours": roleContainer, "hour": roleText, "skipdays": roleContainer, "day": roleText,
	"categories": roleContainer, "category": roleText, "tags": roleText, "comments": roleText, "enclosure": roleText, "source": roleText,
	"name": roleText, "email": roleText, "uri": roleText, "url": roleText, "homepage": roleText,
	"author": roleAuthor, "logo": roleText, "icon": roleText, "href": roleText,
	"managingeditor": roleText, "webmaster": roleText,
	"pubdate": roleDate, "published": roleDate, "issued": roleDate, "created": roleDate,
	"updated": roleDate, "modified": roleDate, "lastbuilddate": roleDate,

	"content:encoded": roleText, "xhtml:body": roleText, "feedburner:origlink": roleText,
	"atom:link": roleText, "atom:id": roleText, "atom:title": roleText, "atom:summary": roleText, "atom:content": roleText,
	"atom:author": roleAuthor, "atom:category": roleText, "atom:rights": roleText, "atom:updated": roleDate, "atom:published": roleDate,
	"atom:source": roleContainer, "atom:name": roleText, "atom:email": roleText, "atom:uri": roleText, "atom:subtitle": roleText,
	"dc:creator": roleText, "dc:author": roleText, "dc:title": roleText, "dc:description": roleText, "dc:subject": roleText,
	"dc:contributor": roleText, "dc:language": roleText, "dc:rights": roleText, "dc:identifier": roleText, "dc:source": roleText, "dc:date": roleDate,
	"dcterms:created": roleDate, "dcterms:issued": roleDate, "dcterms:modified": roleDate, "dcterms:available": roleDate,
	"creativecommons:license": roleText, "cc:license": roleText,
	"sy:updateperiod": roleText, "sy:updatefrequency": roleText,
	"itunes:author": roleText, "itunes:summary": roleText, "itunes:subtitle": roleText, "itunes:image": roleText,
	"itunes:keywords": roleText, "itunes:category": roleContainer,
	"itunes:title": roleText, "itunes:duration": roleText, "itunes:episode": roleText, "itunes:season": roleText,
	"itunes:episodetype": roleText, "itunes:explicit": roleText, "itunes:block": roleText,
	"podcast:episode": roleText, "podcast:season": roleText, "podcast:chapters": roleText, "podcast:transcript": roleText,
	"podcast:person": roleText,
	"media:group":    roleContainer, "media:content": roleContainer, "media:thumbnail": roleText, "media:category": roleText,
	"media:keywords": roleText, "media:description": roleText, "media:title": roleText, "media:credit": roleText,
}

// namespaces are the names of the namespaces that roles speaks of. A namespace is known by the part of its
// address that all its misspellings share.
var namespaces = []struct{ part, prefix string }{
	{"w3.org/2005/atom", "atom"}, {"purl.org/atom/ns", "atom"}, {"w3.org/1999/xhtml", "xhtml"},
	{"purl.org/rss/1.0/modules/content", "content"}, {"purl.org/rss/1.0/modules/syndication", "sy"}, {"purl.org/dc/elements", "dc"}, {"purl.org/dc/terms", "dcterms"},
	{"creativecommonsrssmodule", "creativecommons"}, {"web.resource.org/cc", "cc"}, {"creativecommons.org/ns", "cc"},
	{"search.yahoo.com/mrss", "media"}, {"/podcast-1.0.dtd", "itunes"}, {"podcastindex.org/namespace", "podcast"}, {"podcastindex-org/podcast-namespace", "podcast"}, {"feedburner/ext/1.0", "feedburner"},
	{"w3.org/1999/02/22-rdf-syntax-ns", "rdf"}, {"w3.org/xml/1998/namespace", "xml"},
	{"purl.org/rss/1.0/modules/rss091", ""}, {"purl.org/rss/1.0/modules/", "other"}, {"purl.org/rss/1.0", ""}, {"my.netscape.com/rdf/simple", ""},
	{"channel.netscape.com/rdf/simple", ""}, {"backend.userland.com/rss", ""}, {"blogs.law.harvard.edu/tech/rss", ""}, {"cyber.law.harvard.edu/rss", ""}, {"purl.org/net/rss1.1", ""},
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
	"media": "media", "itunes": "itunes", "podcast": "podcast", "cc": "cc", "creativeCommons": "creativecommons", "feedburner": "feedburner", "xhtml": "xhtml", "rdf": "rdf",
}

// declare notes the prefixes that a start tag declares. They hold for the whole document, as they do in all
// feeds but those made to confuse.
func (t *tidier) declare() {
	for _, a := range t.attrs {
		rest, ok := bytes.CutPrefix(a.name, []byte("xmlns:"))
		if !ok {
			continue
		}
		prefix := string(rest)
		means := prefixOf(string(a.value))
		if means == "other" && literalPrefixes[prefix] != "" {
			means = literalPrefixes[prefix]
		}
		if old, ok := t.prefix[prefix]; !ok || old != means {
			t.prefix[prefix] = means
			clear(t.names)
		}
	}
}

// element reads what a start tag says of its element.
func (t *tidier) element(tok *token, parent tidyElement) tidyElement {
	e := tidyElement{space: parent.space, base: parent.base, lang: parent.lang}
	for _, a := range t.attrs {
		switch string(a.name) {
		case "xmlns":
			if e.space = prefixOf(string(a.value)); len(a.value) == 0 {
				e.space = ""
			}
		case "xml:base":
			from := e.base
			if from == nil {
				from = t.address
			}
			u, err := parseReference(from, string(appendText(nil, a.value, false)))
			if err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" { // from any other no address follows
				e.base = u
			}
		case "xml:lang":
			e.lang = strings.TrimSpace(string(a.value))
		}
	}
	known := t.known(tok.name, e.space)
	e.raw, e.name, e.role = known.raw, known.name, known.role
	return e
}

// known looks a name up as it stands where space is the prefix of names without one.
func (t *tidier) known(raw []byte, space string) knownName {
	if k, ok := t.names[space][string(raw)]; ok {
		return k
	}
	written := string(raw)
	prefix, local, ok := strings.Cut(written, ":")
	if !ok {
		prefix, local = space, prefix
	} else if means, declared := t.prefix[prefix]; declared {
		prefix = means
	} else if prefix = literalPrefixes[prefix]; prefix == "" {
		prefix = "other"
	}
	name := strings.ToLower(local)
	if prefix == "rss" || prefix == "atom" && t.atom {
		prefix = ""
	}
	if prefix != "" {
		name = prefix + ":" + name
	}
	k := knownName{written, name, roles[name]}
	if t.names[space] == nil && len(t.names) < 10 {
		t.names[space] = map[string]knownName{}
	}
	if names := t.names[space]; names != nil && len(names) < 1000 {
		names[written] = k
	}
	return k
}

// A knownName is what is known of an element by how it is written, where a namespace is the default.
type knownName struct {
	raw  string // as it is written
	name string // as in roles
	role role
}
