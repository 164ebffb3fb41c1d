package fetch

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// readText rewrites an element that holds a text or nothing.
func (t *tidier) readText(e *tidyElement, tok *token) {
	plain, markup, encoded, escaped := true, false, false, false
	if t.atom && !strings.Contains(e.name, ":") {
		plain, markup, encoded = t.textType(e)
		escaped = strings.EqualFold(t.attribute("type"), "html")
	} else if e.role == roleText {
		plain, escaped = false, true
	}
	from := len(t.out)
	t.emitStart(e.name, true)
	t.text = t.text[:0]
	if !tok.empty {
		sawMarkup, closed := t.collect(e, markup, escaped)
		if !closed {
			t.out = t.out[:from]
			return
		}
		plain = plain && !sawMarkup && (t.attribute("type") != "" || e.name == "name" || e.name == "title" || !looksLikeHTML(t.text))
		if t.atom && !sawMarkup && len(t.text) > 0 { // as RSS has it
			inAttribute := map[string]string{"link": "href", "category": "term"}[e.name]
			if inAttribute != "" && t.attribute(inAttribute) == "" {
				t.attrs = append(t.attrs, attribute{[]byte(inAttribute), appendText(nil, bytes.TrimSpace(t.text), true)})
				t.out, t.text = t.out[:from], t.text[:0]
				t.resolve(e)
				t.emitStart(e.name, true)
			}
		}
	}
	if encoded {
		decoded, err := base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Fields(t.text), nil)))
		switch {
		case err != nil: // it is none, whatever is said
		case utf8.Valid(decoded):
			t.text = appendCDATA(t.text[:0], decoded, false)
		default:
			t.text = t.text[:0]
		}
	}
	switch e.name {
	case "id", "guid", "atom:id": // kept as the outlet wrote them
	case "link", "url", "uri", "href", "homepage", "comments", "icon", "logo", "atom:uri":
		if e.base != t.noteOf().base && len(t.text) > 0 {
			if u, err := parseReference(e.base, string(t.text)); err == nil {
				t.text = append(t.text[:0], u.String()...)
			}
		}
	default:
		t.text = undouble(t.text)
	}
	if e.name == "tags" && t.atom {
		t.tags()
		t.out = append(t.out[:from], t.text...)
		return
	}
	which := t.noted(e)
	if which < 0 && plain && (mayBeLong(e.name) || e.name == "name" || e.name == "rights" || e.name == "copyright") {
		t.escape() // nobody would know it later
	}
	if e.role == roleDate {
		when := parseDate(string(t.text))
		if n := t.above(); n != nil {
			n.date(e.name, when)
			t.out = t.out[:from]
			return
		}
		if t.text = t.text[:0]; !when.IsZero() {
			t.text = when.UTC().AppendFormat(t.text, time.RFC3339Nano)
		}
	}
	text := bytes.TrimSpace(t.text)
	if which == noteID && t.atom && t.item >= 0 { // gofeed would resolve it
		t.out = t.out[:from]
		t.note(e, which, plain)
		return
	}
	if t.isOwn(e) && !bytes.HasPrefix(text, []byte(longMark)) {
		if n := t.noteOf(); n.own[which] == "" { // of two the first
			n.own[which] = string(text)
			t.note(e, which, plain)
		}
		t.out = t.out[:from]
		return
	}
	if mayBeLong(e.name) && (len(text) > longText || bytes.HasPrefix(text, []byte(longMark))) {
		t.result.texts = append(t.result.texts, string(text))
		t.text = strconv.AppendInt(append(t.text[:0], longMark...), int64(len(t.result.texts)-1), 10)
		t.emitText()
		t.text = t.text[:0]
	} else {
		t.emitText()
	}
	t.emitEnd(e.name)
	t.note(e, which, plain)
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
	case strings.Contains(kind, "/"): // RFC 4287 §4.1.3.3
		encoded = true
	}
	plain = kind == "" && !encoded || kind == "text" || kind == "text/plain"
	return plain, markup, encoded
}

// collect reads what e holds, up to its end tag, into t.text. From its first tag on, or at once if it is
// markup, its text is kept as HTML writes it; a <div> in text that is said to be escaped does not count. An element that does not end before its item does ended where
// the first of its siblings begins; one that the document ends in is not closed.
func (t *tidier) collect(e *tidyElement, markup, escaped bool) (sawMarkup, closed bool) {
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
		if !markup && escaped && strings.EqualFold(localName(string(tok.name)), "div") {
			continue // TypePad's, around text that is escaped all the same
		}
		if tok.kind == lexStart {
			t.count(&tok)
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

// tags makes categories of a list in one element, which is no Atom's.
func (t *tidier) tags() {
	list := string(t.text)
	t.text = t.text[:0]
	for word := range strings.SplitSeq(list, ",") {
		t.text = append(appendValue(append(t.text, `<category term="`...), strings.TrimSpace(word)), `"></category>`...)
	}
}

// escape makes HTML of a text that is none.
func (t *tidier) escape() {
	if bytes.ContainsAny(t.text, "<>&") {
		t.text = append(t.text[:0], escaper.Replace(string(t.text))...)
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

func (t *tidier) emitStart(name string, withAttrs bool) {
	if name == "" {
		return
	}
	t.out = append(append(t.out, '<'), name...)
	if withAttrs {
		for _, a := range t.attrs {
			local, known := attributeNames[strings.ToLower(localName(string(a.name)))]
			if !known || bytes.HasPrefix(a.name, []byte("xml")) || local == "type" && t.atom && !mayHaveType(name) {
				continue
			}
			t.out = append(append(append(t.out, ' '), local...), '=', '"')
			t.out = appendAttribute(t.out, a.value)
			t.out = append(t.out, '"')
		}
	}
	t.out = append(t.out, '>')
}

// attributeNames are those of the attributes that items and feeds are read from, as gofeed's structs and their readers spell them.
var attributeNames = func() map[string]string {
	spelt := map[string]string{}
	for _, name := range strings.Fields(`href src url rel type length title term label scheme domain isPermaLink text
		medium width height fileSize duration role group img display name language resource`) {
		spelt[strings.ToLower(name)] = name
	}
	return spelt
}()

func (t *tidier) emitEnd(name string) {
	if name != "" {
		t.out = append(append(append(t.out, "</"...), name...), '>')
	}
}
