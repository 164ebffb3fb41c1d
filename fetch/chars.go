package fetch

import (
	"bytes"
	"html"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

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
	if r, n := utf8.DecodeRuneInString(chars); n == len(chars) && (!isText(r) || r == utf8.RuneError) {
		chars = "" // of no character
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
		case c == '\'':
			dst = append(dst, "&#39;"...)
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

// undouble reads text as it was meant where somebody took its UTF-8 for windows-1252 and encoded it again: where
// all of its characters beyond ASCII, as bytes of that charset, are UTF-8.
func undouble(text []byte) []byte {
	first := bytes.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf })
	if first < 0 {
		return text
	}
	lead, n := utf8.DecodeRune(text[first:])
	if next, _ := utf8.DecodeRune(text[first+n:]); lead < 0xc2 || lead > 0xf4 || next < utf8.RuneSelf {
		return text // as in all but a few documents
	}
	out := append(make([]byte, 0, len(text)), text[:first]...)
	for i := first; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		b, ok := byte(r), r < 0x100
		if !ok {
			at := slices.Index(windows1252[:], string(r))
			b, ok = byte(0x80+at), at >= 0
		}
		if !ok {
			return text
		}
		out = append(out, b)
		i += n
		if bytes.HasSuffix(out, []byte("\xe2\x80")) { // of a right quotation mark the last byte is no character
			if next, _ := utf8.DecodeRune(text[i:]); (next < 0xa0 || next > 0xbf) && !slices.Contains(windows1252[:], string(next)) {
				out = append(out, 0x9d)
			}
		}
	}
	if !utf8.Valid(out) {
		return text
	}
	return appendCDATA(nil, out, false) // there may be controls among them
}

// looksLikeHTML reports whether text whose kind its outlet does not tell has tags or entities in it.
func looksLikeHTML(text []byte) bool {
	return likelyHTML.Match(text)
}

var likelyHTML = regexp.MustCompile(`(?i)</(p|a|b|i|em|strong|div|span|ul|ol|li|h[1-6]|blockquote|td|font)>|<(br|p|img [^>]+) ?/?>|&(#[0-9]+|#x[0-9a-f]+|[a-z]+[0-9]*);`)
