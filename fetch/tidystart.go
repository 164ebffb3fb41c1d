package fetch

import (
	"bytes"
	"fmt"
	"slices"
)

// start takes a start tag; false ends the document.
func (t *tidier) start(tok *token) bool {
	e := t.element(tok, t.open[len(t.open)-1])
	if e.role == roleItem { // what is open and holds no items was not closed: its predecessor, or something of the feed's
		if i := slices.IndexFunc(t.open, func(o tidyElement) bool { return o.name != "" }); i >= 0 {
			t.closeFrom(i)
		}
	}
	t.adopt(&e)
	t.resolve(&e)
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
		t.item, t.summary = len(t.out), false
		t.result.items = append(t.result.items, tidyNote{base: e.base, lang: e.lang, id: t.attribute("about")})
		t.emitStart(e.name, false)
	case e.name == "channel":
		e.name = ""
		t.result.feed.base, t.result.feed.lang = e.base, e.lang
	case e.name == "categories":
		e.name = ""
	case e.role == roleAuthor && !tok.empty:
		t.author(&e)
		if e.role != roleContainer {
			return true
		}
	case e.name == "source" && t.atom:
		e.role = roleContainer
		t.emitStart(e.name, false)
	case e.name == "image" && t.item >= 0:
		if !t.holdsElements() {
			t.readText(&e, tok)
			return true
		}
		e.name = "media:group" // whose children gofeed keeps
		t.emitStart(e.name, false)
	case e.role == roleContainer:
		t.emitStart(e.name, true)
	case t.atom && e.name == "link" && !tok.empty && t.holdsElements(): // media:content and the like, of the entry
		t.emitStart(e.name, true)
		t.emitEnd(e.name)
		return true
	case e.role == roleText, e.role == roleDate:
		if !t.atom && t.item >= 0 && t.noted(&e) == noteSummary {
			if t.summary { // of two that RSS may have, the first is one
				e.name = "content"
			}
			t.summary = true
		}
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

// adopt makes of an element of another format what this one has for it.
func (t *tidier) adopt(e *tidyElement) {
	switch {
	case t.atom && e.name == "guid":
		e.name = "id"
	case t.atom && e.name == "description" && t.item >= 0:
		e.name = "summary"
	case t.atom && e.name == "description":
		e.name = "subtitle"
	case t.atom && e.name == "enclosure":
		e.name = "link"
		t.rename("url", "href")
		t.attrs = append(t.attrs, attribute{[]byte("rel"), []byte("enclosure")})
	case e.name == "enclosure" && t.attribute("url") == "":
		t.rename("href", "url")
	case !t.atom && e.name == "link" && t.attribute("rel") != "" && t.attribute("href") != "":
		e.name = "atom:link"
	case !t.atom && e.name == "category" && t.attribute("term") != "":
		e.name = "atom:category"
	}
}

// rename gives an attribute of the start tag another name.
func (t *tidier) rename(from, to string) {
	for i, a := range t.attrs {
		if string(a.name) == from {
			t.attrs[i].name = []byte(to)
		}
	}
}

// resolve makes the addresses in an element's attributes absolute where it has an xml:base of its own, or nothing else
// to say, of which nobody would know later.
func (t *tidier) resolve(e *tidyElement) {
	own := e.base != t.noteOf().base // which the readers of the note know
	if e.base == nil || e.role != roleText && e.role != roleContainer {
		return
	}
	for i, a := range t.attrs {
		if !own && len(a.value) > 0 { // an empty reference is the base (RFC 3986 §5.2.2)
			continue
		}
		switch localName(string(a.name)) {
		case "href", "src", "url":
			if u, err := parseReference(e.base, string(appendText(nil, a.value, false))); err == nil {
				t.attrs[i].value = appendText(nil, []byte(u.String()), true)
			}
		}
	}
}

// author opens an author that is made of elements, and reads one that is only text.
func (t *tidier) author(e *tidyElement) {
	if t.holdsElements() {
		e.role = roleContainer
		if !t.atom {
			e.name = "atom:author"
		}
		t.emitStart(e.name, false)
		return
	}
	sawMarkup, closed := t.collect(e, false, false)
	if !closed {
		return
	}
	t.text = undouble(t.text)
	switch {
	case t.atom && e.name == "author":
		if !sawMarkup {
			t.escape()
		}
		t.out = append(t.out, "<author><name>"...)
		t.emitText()
		t.out = append(t.out, "</name></author>"...)
	default: // of several, gofeed keeps those with a prefix
		t.out = append(t.out, "<dc:author>"...)
		t.emitText()
		t.out = append(t.out, "</dc:author>"...)
	}
}

// holdsElements reports whether the next thing is an element.
func (t *tidier) holdsElements() bool {
	ahead := t.lexer
	ahead.attrs = nil
	for {
		tok := ahead.next()
		if tok.kind == lexText && len(bytes.TrimSpace(tok.text)) == 0 {
			continue
		}
		return tok.kind == lexStart
	}
}
