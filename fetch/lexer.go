package fetch

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// lexer splits a document into tags and texts. It takes anything for XML, as browsers do with HTML, and never
// goes back. Comments, processing instructions and declarations are passed over.
type lexer struct {
	src   []byte
	pos   int
	attrs []attribute // of the start tag that was read last

	declared bool    // there was a DOCTYPE, or an element, before which it stands
	endless  [2]bool // a comment, a CDATA section began that does not end, and so none does any more
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
				n = m + 1
				l.pos = at + n
			} else {
				l.pos = at + n + 1
			}
			name := rest[2:max(2, n)]
			return token{kind: lexEndTag, at: at, name: name[:nameLen(name)]}
		case bytes.HasPrefix(rest, []byte("<![CDATA[")):
			if text, ok := l.enclosed(rest, "<![CDATA[", "]]>", &l.endless[1]); ok {
				return token{kind: lexCDATA, at: at, text: text}
			}
		case bytes.HasPrefix(rest, []byte("<!--")):
			l.enclosed(rest, "<!--", "-->", &l.endless[0])
		case rest[1] == '?':
			if n := bytes.IndexAny(rest[2:], "<>"); n >= 0 && rest[2+n] == '<' { // its end is missing
				l.pos += 2 + n
			} else {
				l.passOver(rest, 2, ">")
			}
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

// enclosed is what stands between a mark and its end. If it does not end it hides nothing: only its mark is passed over.
func (l *lexer) enclosed(rest []byte, mark, end string, endless *bool) (text []byte, ok bool) {
	l.pos += len(mark)
	if *endless {
		return nil, false
	}
	n := bytes.Index(rest[len(mark):], []byte(end))
	if *endless = n < 0; *endless {
		return nil, false
	}
	l.pos += n + len(end)
	return rest[len(mark) : len(mark)+n], true
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
	l.declared = true
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
		end := len(s)
		if n := bytes.IndexByte(s[i:], q); n >= 0 {
			end = i + n
		}
		if m := bytes.IndexByte(s[i:end], '<'); m >= 0 { // no value holds a tag: its quote is missing
			if g := bytes.IndexByte(s[i:i+m], '>'); g >= 0 {
				a.value = s[i : i+g]
				return i + g
			}
		}
		a.value = s[i:end]
		return min(end+1, len(s))
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
