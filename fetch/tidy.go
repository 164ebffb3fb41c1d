package fetch

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
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
		prefix: map[string]string{"xml": "xml"}, names: map[string]map[string]knownName{},
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

	atom     bool                            // an Atom feed: its elements have no prefix
	prefix   map[string]string               // as the document declares it → as roles has it
	names    map[string]map[string]knownName // by the default namespace, and how they are written
	open     []tidyElement
	text     []byte // of the element that was read last
	elements int
	counted  int  // where the last element that elements counts begins
	again    int  // bytes that were read a second time
	item     int  // where in out the open item begins; -1 outside of items
	summary  bool // it has one already
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
			return notFeed(t.src, "", t.address)
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
			return notFeed(t.src, local, t.address)
		}
		if local == "channel" { // items may come behind it, where RSS 1.0 has them
			t.open = append(t.open, tidyElement{base: e.base, lang: e.lang})
		}
		e.name, e.space = "", ""
		if prefix, _, ok := strings.Cut(e.raw, ":"); ok && strings.HasPrefix(t.known([]byte(e.raw), "").name, "other:") {
			t.prefix[prefix] = "" // whatever its namespace is called, it is the feed's own
			clear(t.names)
		}
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
			if t.count(&tok); t.elements > maxElements {
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
			if last := t.open[len(t.open)-1]; last.raw != "" {
				t.cutOff()
			}
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
			t.count(&tok)
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

// count counts an element, once.
func (t *tidier) count(tok *token) {
	if tok.at > t.counted {
		t.elements++
		t.counted = tok.at
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
