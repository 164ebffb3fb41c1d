package fetch

import (
	"bytes"
	"html"
	"strings"
	"unicode/utf8"
)

// lexer splits a document into tags and texts. It takes anything for XML, as browsers do with HTML, and never
// goes back. Comments, processing instructions and declarations are passed over.
type lexer struct {
	src   []byte
	pos   int
	attrs []attribute // of the start tag that was read last

	declared bool // there was a DOCTYPE
}

const maxAttributes = 256 // of one element; the rest is ignored

type attribute struct{ name, value []byte }

type tokenKind uint8

const (
	lexEnd tokenKind = iota // the document ends, perhaps inside of a tag
	lexText
	lexCDATA
	lexStart
	lexEndTag
)

type token struct {
	kind  tokenKind
	at    int    // where it begins
	name  []byte // of a tag, as written
	text  []byte // of a text, as written
	empty bool   // a start tag that ends its element, too
}

func (l *lexer) next() token {
	for l.pos < len(l.src) {
		at := l.pos
		rest := l.src[at:]
		if rest[0] != '<' {
			n := bytes.IndexByte(rest, '<')
			if n < 0 {
				n = len(rest)
			}
			l.pos += n
			return token{kind: lexText, at: at, text: rest[:n]}
		}
		switch {
		case len(rest) < 2:
			l.pos = len(l.src)
		case isNameStart(rest[1]):
			return l.startTag()
		case rest[1] == '/' && len(rest) > 2 && isNameStart(rest[2]):
			n := bytes.IndexByte(rest, '>')
			if n < 0 {
				l.pos = len(l.src)
				continue
			}
			if m := bytes.IndexByte(rest[1:n], '<'); m >= 0 { // its ">" is missing
				n = m
				l.pos = at + 1 + m
			} else {
				l.pos = at + n + 1
			}
			name := rest[2:max(2, n)]
			return token{kind: lexEndTag, at: at, name: name[:nameLen(name)]}
		case bytes.HasPrefix(rest, []byte("<![CDATA[")):
			n := bytes.Index(rest, []byte("]]>"))
			if n < 0 {
				l.pos = len(l.src)
				continue
			}
			l.pos += n + 3
			return token{kind: lexCDATA, at: at, text: rest[9:n]}
		case bytes.HasPrefix(rest, []byte("<!--")):
			l.passOver(rest, 4, "-->")
		case rest[1] == '?':
			l.passOver(rest, 2, ">")
		case rest[1] == '!' && len(rest) > 2 && isNameStart(rest[2]):
			l.declaration(rest)
		default: // a less-than sign
			n := bytes.IndexByte(rest[1:], '<') + 1
			if n == 0 {
				n = len(rest)
			}
			l.pos += n
			return token{kind: lexText, at: at, text: rest[:n]}
		}
	}
	return token{kind: lexEnd, at: len(l.src)}
}

func (l *lexer) passOver(rest []byte, from int, end string) {
	n := bytes.Index(rest[from:], []byte(end))
	if n < 0 {
		l.pos = len(l.src)
		return
	}
	l.pos += from + n + len(end)
}

// declaration passes over a DOCTYPE with its internal subset, so that no entity of it is ever declared. Of
// what else begins with "<!" only the tag is passed over, for a document has but one DOCTYPE.
func (l *lexer) declaration(rest []byte) {
	if l.declared {
		l.passOver(rest, 2, ">")
		return
	}
	l.declared = true
	subset, inside, quote := false, false, byte(0)
	for i := 2; i < len(rest); i++ {
		switch c := rest[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case (c == '"' || c == '\'') && (inside || !subset):
			quote = c
		case bytes.HasPrefix(rest[i:], []byte("<!--")):
			n := bytes.Index(rest[i:], []byte("-->"))
			if n < 0 {
				i = len(rest)
				break
			}
			i += n + 2
		case c == '[' && !subset:
			subset = true
		case c == ']' && !inside:
			subset = false
		case c == '<':
			inside = true
		case c == '>' && subset:
			inside = false
		case c == '>':
			l.pos += i + 1
			return
		}
	}
	l.passOver(rest, 2, ">") // its quotes or brackets do not match
}

// startTag reads a tag whose "<" and first letter are there. A tag that another one begins in ends there.
func (l *lexer) startTag() token {
	at := l.pos
	s := l.src
	i := at + 1
	i += nameLen(s[i:])
	tok := token{kind: lexStart, at: at, name: s[at+1 : i]}
	l.attrs = l.attrs[:0]
	for i < len(s) {
		switch c := s[i]; {
		case c == '>':
			l.pos = i + 1
			return tok
		case c == '<':
			l.pos = i
			return tok
		case c == '/':
			tok.empty = i+1 < len(s) && s[i+1] == '>'
			i++
		case isSpace(c) || !isNameStart(c):
			i++
		default:
			n := nameLen(s[i:])
			a := attribute{name: s[i : i+n]}
			i += n
			j := i
			for j < len(s) && isSpace(s[j]) {
				j++
			}
			if j < len(s) && s[j] == '=' {
				i = l.value(&a, j+1)
			}
			if len(l.attrs) < maxAttributes {
				l.attrs = append(l.attrs, a)
			}
		}
	}
	l.pos = len(s)
	return token{kind: lexEnd, at: at}
}

// value reads an attribute's value at i and returns where it ends.
func (l *lexer) value(a *attribute, i int) int {
	s := l.src
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	if i == len(s) {
		return i
	}
	if q := s[i]; q == '"' || q == '\'' {
		i++
		n := bytes.IndexByte(s[i:], q)
		if n < 0 {
			return len(s)
		}
		if m := bytes.IndexByte(s[i:i+n], '<'); m >= 0 { // no value holds a tag: its quote is missing
			if g := bytes.IndexByte(s[i:i+m], '>'); g >= 0 {
				a.value = s[i : i+g]
				return i + g
			}
		}
		a.value = s[i : i+n]
		return i + n + 1
	}
	j := i
	for j < len(s) && !isSpace(s[j]) && s[j] != '>' && s[j] != '<' && !(s[j] == '/' && j+1 < len(s) && s[j+1] == '>') {
		j++
	}
	a.value = s[i:j]
	return j
}

// attribute is the decoded value of the attribute with this local name of the last start tag; "" without it.
func (l *lexer) attribute(local string) string {
	for _, a := range l.attrs {
		if localName(string(a.name)) == local && !bytes.HasPrefix(a.name, []byte("xmlns")) {
			return string(appendText(nil, a.value, false))
		}
	}
	return ""
}

func localName(name string) string { return name[strings.LastIndexByte(name, ':')+1:] }

func isNameStart(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c >= utf8.RuneSelf
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' }

func nameLen(b []byte) int {
	for i, c := range b {
		if !isNameStart(c) && c != ':' && c != '-' && c != '.' && !('0' <= c && c <= '9') {
			return i
		}
	}
	return len(b)
}

// unusual are the bytes that appendCooked must look at, with and without escape.
var unusual = func() (t [2][256]bool) {
	for c := range 0x20 {
		t[0][c] = c != '\t' && c != '\n'
	}
	for _, c := range []byte{'&', 0x7f, 0xc2, 0xef} {
		t[0][c] = true
	}
	t[1] = t[0]
	t[1]['<'], t[1]['>'] = true, true
	return t
}()

// appendText appends what raw, a text of a document, stands for: references replaced by their characters
// (XML's, HTML's, and none of a DOCTYPE), line ends by "\n", and characters that XML 1.0 does not have or
// that are controls left out. With escape, "&", "<" and ">" become references again.
func appendText(dst, raw []byte, escape bool) []byte { return appendCooked(dst, raw, escape, true) }

// appendCDATA is appendText for what stands in a CDATA section, where "&" is an ampersand.
func appendCDATA(dst, raw []byte, escape bool) []byte { return appendCooked(dst, raw, escape, false) }

func appendCooked(dst, raw []byte, escape, references bool) []byte {
	look := &unusual[0]
	if escape {
		look = &unusual[1]
	}
	from := 0
	for i := 0; i < len(raw); {
		c := raw[i]
		if !look[c] {
			i++
			continue
		}
		dst = append(dst, raw[from:i]...)
		n := 1
		switch c {
		case '&':
			chars, m := "&", 1
			if references {
				chars, m = reference(raw[i:])
			}
			n = m
			if escape {
				chars = escaper.Replace(chars)
			}
			dst = append(dst, chars...)
		case '<':
			dst = append(dst, "&lt;"...)
		case '>':
			dst = append(dst, "&gt;"...)
		case '\r':
			if i+1 == len(raw) || raw[i+1] != '\n' {
				dst = append(dst, '\n')
			}
		case 0xc2, 0xef:
			var r rune
			if r, n = utf8.DecodeRune(raw[i:]); isText(r) {
				dst = append(dst, raw[i:i+n]...)
			} else if r >= 0x80 && r <= 0x9f {
				dst = append(dst, windows1252[r-0x80]...)
			}
		}
		i += n
		from = i
	}
	return append(dst, raw[from:]...)
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// reference decodes the reference at the beginning of raw, and says how long it is. What is none is an
// ampersand. Only with a semicolon is it a reference: addresses are full of "&copy=".
func reference(raw []byte) (string, int) {
	end := bytes.IndexByte(raw[:min(len(raw), 40)], ';')
	if end < 2 {
		return "&", 1
	}
	name := raw[1:end]
	switch string(name) {
	case "amp":
		return "&", end + 1
	case "lt":
		return "<", end + 1
	case "gt":
		return ">", end + 1
	case "quot":
		return `"`, end + 1
	case "apos":
		return "'", end + 1
	}
	for i, c := range name {
		if !(isNameStart(c) && c < utf8.RuneSelf || '0' <= c && c <= '9' || i == 0 && c == '#') {
			return "&", 1
		}
	}
	whole := string(raw[:end+1])
	chars := html.UnescapeString(whole)
	if strings.HasSuffix(chars, ";") { // not a name, or one with a letter too many
		return "&", 1
	}
	if r, n := utf8.DecodeRuneInString(chars); n == len(chars) && !isText(r) {
		chars = ""
	}
	return chars, end + 1
}

// isText reports whether a character may stand in a text: XML 1.0 has it, and it is no control.
func isText(r rune) bool {
	switch {
	case r < 0x20:
		return r == '\t' || r == '\n' || r == '\r'
	case r < 0x7f:
		return true
	case r < 0xa0:
		return false
	}
	return r < 0xd800 || r > 0xdfff && r != 0xfffe && r != 0xffff
}

// windows1252 is what is meant by the controls from U+0080 to U+009F: bytes of that charset, which somebody
// took for Latin-1.
var windows1252 = [32]string{
	"€", "", "‚", "ƒ", "„", "…", "†", "‡", "ˆ", "‰", "Š", "‹", "Œ", "", "Ž", "",
	"", "‘", "’", "“", "”", "•", "–", "—", "˜", "™", "š", "›", "œ", "", "ž", "Ÿ",
}

// appendAttribute appends the value of an attribute so that it can stand between double quotes.
func appendAttribute(dst, raw []byte) []byte {
	from := len(dst)
	dst = appendText(dst, raw, true)
	if bytes.IndexByte(dst[from:], '"') >= 0 {
		dst = append(dst[:from], bytes.ReplaceAll(dst[from:], []byte(`"`), []byte("&#34;"))...)
	}
	return dst
}

// appendValue does the same with a value that holds no references, on one line.
func appendValue(dst []byte, value string) []byte {
	for i := 0; i < len(value); {
		c := value[i]
		n := 1
		switch {
		case c == '&':
			dst = append(dst, "&amp;"...)
		case c == '"':
			dst = append(dst, "&#34;"...)
		case c == '<':
			dst = append(dst, "&lt;"...)
		case c == '>':
			dst = append(dst, "&gt;"...)
		case isSpace(c):
			dst = append(dst, ' ')
		case c >= ' ' && c < 0x7f:
			dst = append(dst, c)
		case c >= utf8.RuneSelf:
			var r rune
			if r, n = utf8.DecodeRuneInString(value[i:]); isText(r) {
				dst = utf8.AppendRune(dst, r)
			}
		}
		i += n
	}
	return dst
}
