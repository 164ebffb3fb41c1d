package fetch

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxItems    = 2000      // items of one document; the rest is cut
	maxElements = 2_000_000 // elements of one document
	maxDepth    = 100       // elements, or arrays and objects, inside each other
)

// tidied is an XML feed as tidy leaves it.
type tidied struct {
	xml     []byte
	texts   []string // long texts, which stand in xml as longMark and their number
	feed    tidyNote
	items   []tidyNote // one for each item, in the order of the document
	damaged error      // what was lost; nil if nothing was
}

// A tidyNote is what gofeed's structs do not tell of a feed or an item.
type tidyNote struct {
	base  *url.URL // xml:base in scope; nil without one
	lang  string   // xml:lang in scope
	id    string   // Atom's id or RDF's about, as written
	texts [3]textNote
}

// A textNote says how one of an item's texts is written.
type textNote struct {
	plain bool     // "<" is a less-than sign, not markup
	base  *url.URL // xml:base in scope
	lang  string   // xml:lang in scope
}

// longMark begins a text of xml that is a number of texts, and no other. What encoding/xml and gofeed do with a
// text is slow, and needless for one that they need not look into.
const (
	longMark = "\ue000"
	longText = 200 // bytes
)

// full is a text of xml as it stood in the document.
func (t *tidied) full(s string) string {
	number, ok := strings.CutPrefix(s, longMark)
	if !ok {
		return s
	}
	i, err := strconv.Atoi(number)
	if err != nil || i < 0 || i >= len(t.texts) {
		return ""
	}
	return t.texts[i]
}

const noteTitle, noteSummary, noteContent = 0, 1, 2

// tidy rewrites an XML feed, which is valid UTF-8, into the one dialect that gofeed reads best: a channel or
// feed that holds its items, the elements that roles names and no others, fixed prefixes instead of
// namespaces, each text as one text whether it had markup or not, RFC 3339 dates. What is not well-formed is
// put right on the way: a bare "<" or "&", entities of HTML, characters that XML forbids, attributes without
// quotes, tags that do not match. Declarations, DOCTYPE, comments and processing instructions are left out.
// Where the document is cut off, so is the item that it was cut off in.
//
// It is also the guard before gofeed: what tidy does grows with the length of the document only, and so does
// what it lets through (PROTOCOL L4, S3).
func tidy(src []byte, address *url.URL) (*tidied, error) {
	t := &tidier{
		lexer: lexer{src: src}, address: address,
		out: make([]byte, 0, len(src)/4+512), item: -1,
		prefix: map[string]string{"xml": "xml"}, names: map[string]knownName{},
	}
	if err := t.root(); err != nil {
		return nil, err
	}
	if err := t.body(); err != nil {
		return nil, err
	}
	for i := len(t.open) - 1; i >= 0; i-- {
		t.emitEnd(t.open[i].name)
	}
	t.result.xml = append(t.out, t.ending...)
	return &t.result, nil
}

type tidier struct {
	lexer
	address *url.URL
	out     []byte
	ending  string // what closes out
	result  tidied

	atom     bool              // an Atom feed: its elements have no prefix
	prefix   map[string]string // as the document declares it → as roles has it
	names    map[string]knownName
	open     []tidyElement
	text     []byte // of the element that was read last
	elements int
	again    int // bytes that were read a second time
	item     int // where in out the open item begins; -1 outside of items
}

type knownName struct {
	name string
	role role
}

// A tidyElement is open: its end tag is still to come.
type tidyElement struct {
	raw   string // as the document writes it
	name  string // as it stands in out; "" if it does not
	role  role
	space string // the prefix of elements without one; "" is the feed's own vocabulary
	base  *url.URL
	lang  string
}

// root finds the element that makes the document a feed.
func (t *tidier) root() error {
	for {
		tok := t.next()
		if tok.kind == lexEnd {
			return notFeed(t.src, "")
		}
		if tok.kind != lexStart {
			continue
		}
		t.declare()
		e := t.element(&tok, tidyElement{})
		local := strings.ToLower(localName(e.raw))
		switch local {
		case "feed":
			t.atom = true
			t.out, t.ending = append(t.out, "<feed>"...), "</feed>"
		case "rss", "rdf", "channel":
			t.out, t.ending = append(t.out, `<rss version="2.0"><channel>`...), "</channel></rss>"
		default:
			if at := feedAhead(t.src, t.pos); at > 0 && local != "html" {
				t.pos = at
				continue
			}
			return notFeed(t.src, local)
		}
		e.name, e.space = "", ""
		t.result.feed.base, t.result.feed.lang = e.base, e.lang
		if !tok.empty {
			t.open = append(t.open, e)
		}
		return nil
	}
}

// feedAhead finds the beginning of a feed behind something else, say a server's warning; 0 if there is none
// within 64 KiB.
func feedAhead(src []byte, from int) int {
	head := src[from:min(len(src), from+64<<10)]
	for _, mark := range []string{"<?xml", "<rss", "<feed", "<rdf:RDF"} {
		if i := bytes.Index(head, []byte(mark)); i >= 0 {
			return from + i
		}
	}
	return 0
}

// body rewrites what is inside of the root.
func (t *tidier) body() error {
	for len(t.open) > 0 {
		tok := t.next()
		switch tok.kind {
		case lexStart:
			if t.elements++; t.elements > maxElements {
				return fmt.Errorf("the document has more than %d elements: that is no feed", maxElements)
			}
			if len(t.open) >= maxDepth {
				return fmt.Errorf("the document nests more than %d elements: that is no feed", maxDepth)
			}
			t.declare()
			if !t.start(&tok) {
				return nil
			}
		case lexEndTag:
			t.end(tok.name)
		case lexEnd:
			t.cutOff()
			return nil
		}
	}
	return nil
}

// cutOff drops the item that the document ends in.
func (t *tidier) cutOff() {
	t.result.damaged = errors.New("the document is cut off after its last complete item")
	if t.item < 0 {
		return
	}
	t.out, t.item = t.out[:t.item], -1
	t.result.items = t.result.items[:len(t.result.items)-1]
	i := slices.IndexFunc(t.open, func(e tidyElement) bool { return e.role == roleItem })
	t.open = t.open[:i]
}

// start takes a start tag; false ends the document.
func (t *tidier) start(tok *token) bool {
	e := t.element(tok, t.open[len(t.open)-1])
	if e.role == roleItem && t.item >= 0 { // its predecessor was not closed
		t.closeFrom(slices.IndexFunc(t.open, func(o tidyElement) bool { return o.role == roleItem }))
	}
	switch {
	case e.role == roleItem:
		if len(t.result.items) == maxItems {
			t.result.damaged = fmt.Errorf("the document has more than %d items, the rest is not read", maxItems)
			return false
		}
		e.name = "item"
		if t.atom {
			e.name = "entry"
		}
		t.item = len(t.out)
		t.result.items = append(t.result.items, tidyNote{base: e.base, lang: e.lang, id: t.attribute("about")})
		t.emitStart(e.name, false)
	case e.name == "channel":
		e.name = ""
		t.result.feed.base, t.result.feed.lang = e.base, e.lang
	case e.role == roleAuthor && !tok.empty:
		t.author(&e)
		if e.role != roleContainer {
			return true
		}
	case e.name == "source" && t.atom, e.name == "atom:source":
		t.emitStart(e.name, false)
	case e.name == "image" && t.item >= 0:
		if !t.holdsElements("url") {
			t.readText(&e, tok)
			return true
		}
		e.name = "media:group" // whose children gofeed keeps
		t.emitStart(e.name, false)
	case e.role == roleContainer:
		t.emitStart(e.name, true)
	case e.role == roleText, e.role == roleDate:
		t.readText(&e, tok)
		return true
	default:
		if !tok.empty {
			t.skip(&e)
		}
		return true
	}
	if tok.empty {
		t.emitEnd(e.name)
		if e.role == roleItem {
			t.item = -1
		}
		return true
	}
	t.open = append(t.open, e)
	return true
}

// author opens an author that is made of elements, and reads one that is only text.
func (t *tidier) author(e *tidyElement) {
	if t.holdsElements("name", "email", "uri", "url") {
		e.role = roleContainer
		if !t.atom {
			e.name = "atom:author"
		}
		t.emitStart(e.name, false)
		return
	}
	if _, closed := t.collect(e, false); !closed {
		return
	}
	switch {
	case t.atom && e.name == "author":
		t.out = append(t.out, "<author><name>"...)
		t.emitText()
		t.out = append(t.out, "</name></author>"...)
	default: // of several, gofeed keeps those with a prefix
		t.out = append(t.out, "<dc:author>"...)
		t.emitText()
		t.out = append(t.out, "</dc:author>"...)
	}
}

// holdsElements reports whether the next thing is one of these elements.
func (t *tidier) holdsElements(locals ...string) bool {
	ahead := t.lexer
	ahead.attrs = nil
	for {
		tok := ahead.next()
		if tok.kind == lexText && len(bytes.TrimSpace(tok.text)) == 0 {
			continue
		}
		return tok.kind == lexStart && slices.Contains(locals, strings.ToLower(localName(string(tok.name))))
	}
}

// end takes an end tag: it closes the innermost element of its name, and all that is open inside. One that
// closes nothing is passed over.
func (t *tidier) end(raw []byte) {
	for i := len(t.open) - 1; i >= 0; i-- {
		if t.open[i].raw == string(raw) || strings.EqualFold(t.open[i].raw, string(raw)) {
			t.closeFrom(i)
			return
		}
	}
}

func (t *tidier) closeFrom(i int) {
	for j := len(t.open) - 1; j >= i; j-- {
		t.emitEnd(t.open[j].name)
		if t.open[j].role == roleItem {
			t.item = -1
		}
	}
	t.open = t.open[:i]
}

// skip passes over an element of no use here. If it does not end before the item does, it was no more than
// its tag.
func (t *tidier) skip(e *tidyElement) {
	back, depth := t.pos, 1
	for depth > 0 {
		tok := t.next()
		switch tok.kind {
		case lexStart:
			t.elements++
			if string(tok.name) == e.raw && !tok.empty {
				depth++
			} else if t.boundary(tok.name) {
				t.goBack(back, tok.at)
				return
			}
		case lexEndTag:
			if string(tok.name) == e.raw {
				depth--
			} else if t.boundary(tok.name) {
				t.goBack(back, tok.at)
				return
			}
		case lexEnd:
			t.goBack(back, len(t.src))
			return
		}
	}
}

// goBack goes on at back, where something turned out not to hold what follows, instead of at. No document
// is read more than three times on the whole.
func (t *tidier) goBack(back, at int) {
	if t.again += at - back; t.again > 2*len(t.src) {
		back = at
	}
	t.pos = back
}

// boundary reports whether a tag of this name can only stand around what belongs to an item.
func (t *tidier) boundary(raw []byte) bool {
	if known := t.known(raw, ""); known.role == roleItem || known.name == "channel" {
		return true
	}
	return string(raw) == t.open[0].raw
}

// readText rewrites an element that holds a text or nothing.
func (t *tidier) readText(e *tidyElement, tok *token) {
	plain, markup, encoded := true, false, false
	if t.atom && !strings.Contains(e.name, ":") {
		plain, markup, encoded = t.textType(e)
	} else if e.role == roleText {
		plain = false
	}
	from := len(t.out)
	t.emitStart(e.name, true)
	t.text = t.text[:0]
	if !tok.empty {
		sawMarkup, closed := t.collect(e, markup)
		if !closed {
			t.out = t.out[:from]
			return
		}
		plain = plain && !sawMarkup
	}
	if encoded {
		decoded, err := base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Fields(t.text), nil)))
		if t.text = append(t.text[:0], decoded...); err != nil || !utf8.Valid(t.text) {
			t.text = t.text[:0]
		}
	}
	if e.role == roleDate {
		when := parseDate(string(t.text))
		if t.text = t.text[:0]; !when.IsZero() {
			t.text = when.UTC().AppendFormat(t.text, time.RFC3339Nano)
		}
	}
	if text := bytes.TrimSpace(t.text); mayBeLong(e.name) && (len(text) > longText || bytes.HasPrefix(text, []byte(longMark))) {
		t.result.texts = append(t.result.texts, string(text))
		t.text = strconv.AppendInt(append(t.text[:0], longMark...), int64(len(t.result.texts)-1), 10)
		t.emitText()
		t.text = t.text[:0]
	} else {
		t.emitText()
	}
	t.emitEnd(e.name)
	t.note(e, plain)
}

// collect reads what e holds, up to its end tag, into t.text. From its first tag on, or at once if it is
// markup, its text is kept as HTML writes it. An element that does not end before its item does ended where
// the first of its siblings begins; one that the document ends in is not closed.
func (t *tidier) collect(e *tidyElement, markup bool) (sawMarkup, closed bool) {
	t.text = t.text[:0]
	sibling, textLen := -1, 0
	for depth := 1; ; {
		tok := t.next()
		switch tok.kind {
		case lexText:
			t.text = appendText(t.text, tok.text, markup)
			continue
		case lexCDATA:
			t.text = appendCDATA(t.text, tok.text, markup)
			continue
		case lexEnd:
			return markup, false
		}
		if string(tok.name) == e.raw {
			switch {
			case tok.kind == lexEndTag:
				depth--
			case !tok.empty:
				depth++
			}
			if depth == 0 {
				return markup, true
			}
		} else if t.boundary(tok.name) {
			if sibling < 0 {
				t.pos = tok.at
			} else if t.goBack(sibling, tok.at); t.pos == sibling {
				t.text = t.text[:textLen]
			}
			return markup, true
		}
		if tok.kind == lexStart {
			t.elements++
			if sibling < 0 && t.known(tok.name, e.space).role != roleNone {
				sibling, textLen = tok.at, len(t.text)
			}
		}
		markup = true
		t.text = t.appendTag(t.text, &tok)
	}
}

// appendTag appends a tag of markup as HTML writes it: without prefixes and namespaces.
func (t *tidier) appendTag(dst []byte, tok *token) []byte {
	name := tok.name[bytes.LastIndexByte(tok.name, ':')+1:]
	if tok.kind == lexEndTag {
		return append(append(append(dst, "</"...), name...), '>')
	}
	dst = append(append(dst, '<'), name...)
	for _, a := range t.attrs {
		if bytes.HasPrefix(a.name, []byte("xml")) && !bytes.Equal(a.name, []byte("xml:lang")) {
			continue
		}
		dst = append(append(dst, ' '), a.name[bytes.LastIndexByte(a.name, ':')+1:]...)
		dst = append(appendAttribute(append(dst, '=', '"'), a.value), '"')
	}
	dst = append(dst, '>')
	if tok.empty && !isVoid(string(name)) {
		dst = append(append(append(dst, "</"...), name...), '>')
	}
	return dst
}

// textType reads the type of an Atom text (RFC 4287 §3.1, and Atom 0.3's mode).
func (t *tidier) textType(e *tidyElement) (plain, markup, encoded bool) {
	kind, mode := strings.ToLower(t.attribute("type")), strings.ToLower(t.attribute("mode"))
	kind, _, _ = strings.Cut(kind, ";")
	switch {
	case mode == "base64":
		encoded = true
	case kind == "", kind == "text", kind == "text/plain", kind == "html", strings.HasPrefix(kind, "text/"):
	case strings.Contains(kind, "xml"):
		markup = mode != "escaped"
	case e.name == "content" && strings.Contains(kind, "/"): // RFC 4287 §4.1.3.3
		encoded = true
	}
	plain = kind == "" || kind == "text" || kind == "text/plain"
	return plain, markup, encoded
}

// note keeps what gofeed does not tell of a text that was just read.
func (t *tidier) note(e *tidyElement, plain bool) {
	n := &t.result.feed
	if t.item >= 0 {
		n = &t.result.items[len(t.result.items)-1]
	}
	if parent := t.open[len(t.open)-1]; parent.role == roleContainer && parent.name != "" {
		return
	}
	which := -1
	switch e.name {
	case "title":
		which = noteTitle
	case "summary", "description", "subtitle", "tagline":
		which = noteSummary
	case "content", "content:encoded", "xhtml:body", "body", "fullitem":
		which = noteContent
	case "id":
		n.id = strings.TrimSpace(string(t.text))
	}
	if which >= 0 {
		n.texts[which] = textNote{plain, e.base, e.lang}
	}
}

func (t *tidier) emitStart(name string, withAttrs bool) {
	if name == "" {
		return
	}
	t.out = append(append(t.out, '<'), name...)
	if withAttrs {
		for _, a := range t.attrs {
			local := localName(string(a.name))
			if bytes.HasPrefix(a.name, []byte("xml")) || local == "type" && t.atom && !mayHaveType(name) || local == "mode" {
				continue
			}
			t.out = append(append(append(t.out, ' '), local...), '=', '"')
			t.out = appendAttribute(t.out, a.value)
			t.out = append(t.out, '"')
		}
	}
	t.out = append(t.out, '>')
}

// mayBeLong reports whether readers of xml ask full for this text.
func mayBeLong(name string) bool {
	switch name[strings.IndexByte(name, ':')+1:] {
	case "title", "summary", "description", "subtitle", "content", "encoded", "body", "fullitem":
		return true
	}
	return false
}

// mayHaveType: a text without a type is taken as it is by gofeed.
func mayHaveType(name string) bool { return name == "link" || strings.HasPrefix(name, "media:") }

func (t *tidier) emitEnd(name string) {
	if name != "" {
		t.out = append(append(append(t.out, "</"...), name...), '>')
	}
}

// emitText writes the text as one that needs no decoding.
func (t *tidier) emitText() {
	text := bytes.TrimSpace(t.text)
	if bytes.IndexByte(text, '<') < 0 && bytes.IndexByte(text, '&') < 0 && !bytes.Contains(text, []byte("]]>")) {
		t.out = append(t.out, text...)
		return
	}
	t.out = append(t.out, "<![CDATA["...)
	for {
		i := bytes.Index(text, []byte("]]>"))
		if i < 0 {
			break
		}
		t.out = append(append(t.out, text[:i+2]...), "]]><![CDATA["...)
		text = text[i+2:]
	}
	t.out = append(append(t.out, text...), "]]>"...)
}

// declare notes the prefixes that a start tag declares. They hold for the whole document, as they do in all
// feeds but those made to confuse.
func (t *tidier) declare() {
	for _, a := range t.attrs {
		prefix, ok := strings.CutPrefix(string(a.name), "xmlns:")
		if !ok {
			continue
		}
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
	e := tidyElement{raw: string(tok.name), space: parent.space, base: parent.base, lang: parent.lang}
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
			if u, err := parseReference(from, string(appendText(nil, a.value, false))); err == nil {
				e.base = u
			}
		case "xml:lang":
			e.lang = strings.TrimSpace(string(a.value))
		}
	}
	known := t.known(tok.name, e.space)
	e.name, e.role = known.name, known.role
	return e
}

// known looks a name up as it stands where space is the prefix of names without one.
func (t *tidier) known(raw []byte, space string) knownName {
	if space == "" {
		if k, ok := t.names[string(raw)]; ok {
			return k
		}
	}
	prefix, local, ok := strings.Cut(string(raw), ":")
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
	k := knownName{name, roles[name]}
	if space == "" && len(t.names) < 1000 {
		t.names[string(raw)] = k
	}
	return k
}
