package fetch

import (
	"bytes"
	"html"
	"slices"
	"strings"

	"golang.org/x/net/html/atom"
)

// htmlScanner splits HTML into texts and tags where the tokenizer of golang.org/x/net/html does, which FuzzHTMLScanner
// holds it against, but for what isDeclaration says. It copies nothing and reads attributes only for those who ask: of a text's tags most go, and
// what that tokenizer does for each attribute of them cost as much as all the rest. It knows no element whose text is
// not HTML; passOver is for those.
type htmlScanner struct {
	src []byte
	pos int    // behind the token
	raw []byte // the token, as written; at the end what hides the rest and does not end

	unread  []byte      // of a tag, from the attribute on that is next
	names   [][]byte    // of its attributes so far
	chars   []byte      // what text and attribute decoded last
	endless []atom.Atom // elements that do not end any more
}

type htmlKind uint8

const (
	htmlEnd htmlKind = iota // of all, perhaps inside of a tag
	htmlText
	htmlStartTag
	htmlEndTag
)

// reset begins with s.
func (z *htmlScanner) reset(s string) {
	z.src, z.pos, z.endless = append(z.src[:0], s...), 0, z.endless[:0]
}

// next finds the next token; comments and the like are passed over.
func (z *htmlScanner) next() htmlKind {
	for z.pos < len(z.src) {
		rest := z.src[z.pos:]
		n, kind := textLen(rest), htmlText
		if n == 0 {
			n, kind = markupLen(rest)
		}
		if n < 0 {
			z.raw, z.pos = rest, len(z.src)
			return htmlEnd
		}
		z.raw = rest[:n]
		if z.pos += n; kind != htmlEnd {
			z.unread, z.names = nil, z.names[:0]
			if kind == htmlStartTag {
				z.unread = z.raw[tagNameLen(z.raw):]
			}
			return kind
		}
	}
	z.raw = nil
	return htmlEnd
}

// textLen is how much of s is text: it ends at a "<" that begins something.
func textLen(s []byte) int {
	for i := 0; ; i++ {
		n := bytes.IndexByte(s[i:], '<')
		if n < 0 {
			return len(s)
		}
		switch i += n; {
		case i+1 == len(s):
			return len(s)
		case isLetter(s[i+1]), s[i+1] == '!' && isDeclaration(s[i+2:]), s[i+1] == '?', s[i+1] == '/' && (i > 0 || i+2 < len(s)):
			return i
		}
	}
}

// isDeclaration reports whether a comment or a declaration goes on so behind "<!". HTML takes anything for one, and hides it.
func isDeclaration(rest []byte) bool {
	return len(rest) == 0 || isLetter(rest[0]) || strings.IndexByte("->[", rest[0]) >= 0
}

// markupLen is how long the markup is that s begins with, and what it is: a tag, or nothing that counts. -1 if
// it does not end and hides the rest.
func markupLen(s []byte) (int, htmlKind) {
	switch {
	case isLetter(s[1]):
		return tagLen(s), htmlStartTag
	case s[1] == '/' && isLetter(s[2]):
		return tagLen(s), htmlEndTag
	case bytes.HasPrefix(s, []byte("<!--")):
		return commentLen(s), htmlEnd
	}
	if n := bytes.IndexByte(s, '>'); n >= 0 {
		return n + 1, htmlEnd
	}
	if len(s) >= 9 && strings.EqualFold(string(s[:9]), "<!doctype") { // the text is about one
		return len(s), htmlText
	}
	return -1, htmlEnd
}

// commentLen is how long a comment is (HTML, 13.2.5.43 to 52).
func commentLen(s []byte) int {
	rest := s[len("<!--"):]
	switch {
	case bytes.HasPrefix(rest, []byte(">")):
		return len("<!-->")
	case bytes.HasPrefix(rest, []byte("->")):
		return len("<!--->")
	}
	for i := len("<!--"); ; i++ {
		n := bytes.Index(s[i:], []byte("--"))
		if n < 0 {
			return -1
		}
		i += n
		for _, end := range [...]string{"-->", "--!>"} {
			if bytes.HasPrefix(s[i:], []byte(end)) {
				return i + len(end)
			}
		}
	}
}

func tagLen(s []byte) int {
	for i := tagNameLen(s); ; {
		if i = spaceEnd(s, i); i == len(s) {
			return -1
		}
		if s[i] == '>' {
			return i + 1
		}
		_, _, i = readAttribute(s, i)
	}
}

// tagNameLen is where in a tag its name ends.
func tagNameLen(s []byte) int {
	i := 2
	for i < len(s) && !isSpace(s[i]) && s[i] != '/' && s[i] != '>' {
		i++
	}
	return i
}

// readAttribute reads the attribute at i, as written, and says where it ends. A stray slash is one without a name.
func readAttribute(s []byte, i int) (name, value []byte, end int) {
	from := i
	for i < len(s) && !isSpace(s[i]) && s[i] != '/' && s[i] != '>' && (s[i] != '=' || i == from) {
		i++
	}
	name = s[from:i]
	i = spaceEnd(s, i)
	switch {
	case i == len(s):
		return name, nil, i
	case s[i] == '/':
		return name, nil, i + 1
	case s[i] != '=':
		return name, nil, i
	}
	if i = spaceEnd(s, i+1); i == len(s) || s[i] == '>' {
		return name, nil, i
	}
	if quote := s[i]; quote == '"' || quote == '\'' {
		n := bytes.IndexByte(s[i+1:], quote)
		if n < 0 {
			return name, s[i+1:], len(s)
		}
		return name, s[i+1 : i+1+n], i + n + 2
	}
	from = i
	for i < len(s) && !isSpace(s[i]) && s[i] != '>' {
		i++
	}
	return name, s[from:i], i
}

func spaceEnd(s []byte, i int) int {
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	return i
}

// text is the text that was found, its references decoded; it stands until something else is asked for.
func (z *htmlScanner) text() []byte {
	if bytes.IndexByte(z.raw, '&') < 0 {
		return z.raw
	}
	z.chars = appendText(z.chars[:0], z.raw, false)
	if bytes.IndexByte(z.chars, '&') >= 0 { // perhaps of references without their semicolon, which HTML has, too
		return []byte(html.UnescapeString(string(z.raw)))
	}
	return z.chars
}

// attribute is the next attribute of the start tag that was found: its name in lower case, nil if there is no other, and
// its decoded value, which stands until something else is asked for. Of several of one name the first counts.
func (z *htmlScanner) attribute() (name, value []byte) {
	for len(z.names) < maxAttributes {
		i := spaceEnd(z.unread, 0)
		if i == len(z.unread) || z.unread[i] == '>' {
			break
		}
		name, value, i = readAttribute(z.unread, i)
		z.unread, name = z.unread[i:], lowerASCII(name)
		if len(name) == 0 || slices.ContainsFunc(z.names, func(n []byte) bool { return bytes.Equal(n, name) }) {
			continue
		}
		z.names = append(z.names, name)
		if bytes.IndexByte(value, '&') >= 0 {
			z.chars = appendText(z.chars[:0], value, false)
			value = z.chars
		}
		return name, value
	}
	return nil, nil
}

// lowerASCII is b in lower case, as HTML compares names; b itself if it is.
func lowerASCII(b []byte) []byte {
	if !slices.ContainsFunc(b, isUpper) {
		return b
	}
	b = bytes.Clone(b)
	for i, c := range b {
		if isUpper(c) {
			b[i] = c | 0x20
		}
	}
	return b
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }

// passOver passes over all up to the end of the element a, and reports whether it ends at all.
func (z *htmlScanner) passOver(a atom.Atom) bool {
	_, end := z.inside(a)
	if end < 0 {
		return false
	}
	z.pos = end
	return true
}

// inside is what the element a holds whose start tag was found, and where its end tag ends; -1 if it does not end at all.
func (z *htmlScanner) inside(a atom.Atom) (held []byte, end int) {
	if slices.Contains(z.endless, a) {
		return nil, -1
	}
	for i := z.pos; ; {
		n := bytes.Index(z.src[i:], []byte("</"))
		if n < 0 {
			z.endless = append(z.endless, a)
			return nil, -1
		}
		if i += n; tagAtom(z.src[i:]) == a {
			if n = bytes.IndexByte(z.src[i:], '>'); n < 0 {
				n = len(z.src) - i - 1
			}
			return z.src[z.pos:i], i + n + 1
		}
		i += len("</")
	}
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
