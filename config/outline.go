package config

import (
	"encoding/binary"
	"errors"
	"fmt"
	"html"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Bounds of an OPML document.
const (
	maxOPML     = 16 << 20
	maxDepth    = 64
	maxOutlines = 100_000
)

// outline is one element of an OPML document; its attributes' names are in lower
// case.
type outline struct {
	attributes map[string]string
	depth      int // 0 is right in the body
}

// outlines reads the outlines of a document in order.
//
// This is no XML parser, because much of the OPML in the world is no XML: a third
// of the lists that we know have a bare & or <, or quotes within quotes, in an
// attribute. What is wanted is only the tags of one element.
func outlines(doc string) ([]outline, error) {
	var all []outline
	depth, seen := 0, false
	for {
		i := strings.IndexByte(doc, '<')
		if i < 0 {
			break
		}
		doc = doc[i:]
		var rest string
		switch m := tagStart.FindString(doc); strings.ToLower(m) {
		case "<!--":
			_, rest, _ = strings.Cut(doc[4:], "-->")
		case "<![cdata[":
			_, rest, _ = strings.Cut(doc[9:], "]]>")
		case "<opml":
			seen, rest = true, doc[len(m):]
		case "</outline":
			depth, rest = max(0, depth-1), doc[len(m):]
		case "<outline":
			attributes, after, open, err := readTag(doc[len(m):])
			switch {
			case err != nil:
				return nil, fmt.Errorf("outline %d: %w", len(all)+1, err)
			case depth >= maxDepth:
				return nil, fmt.Errorf("outline %d: lies more than %d folders deep", len(all)+1, maxDepth)
			case len(all) == maxOutlines:
				return nil, fmt.Errorf("holds more than %d outlines", maxOutlines)
			}
			all = append(all, outline{attributes, depth})
			if open {
				depth++
			}
			rest = after
		default:
			rest = doc[1:]
		}
		doc = rest
	}
	if !seen {
		return nil, errors.New("is no OPML document: it has no <opml> element")
	}
	return all, nil
}

var (
	tagStart  = regexp.MustCompile(`(?i)^<(?:!--|!\[CDATA\[|(?:opml|/?outline)\b)`)
	attribute = regexp.MustCompile(`^\s*([A-Za-z_:][A-Za-z0-9_:.-]*)\s*=\s*(["'])`)
	nextOne   = regexp.MustCompile(`^\s+[A-Za-z_:][A-Za-z0-9_:.-]*\s*=\s*["']`)
	tagEnd    = regexp.MustCompile(`^\s*/?\s*>`)
	nextTag   = regexp.MustCompile(`(?i)^\s*(?:<(?:/?outline\b|/body\b|/opml\b|!--)|$)`)
)

// readTag reads the attributes up to the end of the tag; open is false for "/>".
func readTag(s string) (attributes map[string]string, rest string, open bool, err error) {
	attributes = map[string]string{}
	bareTag := false // a value had a < in it
	for {
		if n := endOfTag(s, bareTag); n > 0 {
			return attributes, s[n:], !strings.Contains(s[:n], "/"), nil
		}
		m := attribute.FindStringSubmatch(s)
		if m == nil {
			// Something odd: a bare word, a stray quote. The next one may be good.
			i := strings.IndexAny(s, " \t\r\n/>")
			if i < 0 {
				return nil, "", false, errors.New("the tag does not end")
			}
			if s = s[i:]; endOfTag(s, bareTag) == 0 {
				s = strings.TrimLeft(s[1:], " \t\r\n")
			}
			continue
		}
		s = s[len(m[0]):]
		end := closingQuote(s, m[2][0], &bareTag)
		if end < 0 {
			return nil, "", false, fmt.Errorf("the attribute %s does not end", m[1])
		}
		if name := strings.ToLower(m[1]); attributes[name] == "" {
			attributes[name] = unescape(s[:end])
		}
		s = s[end+1:]
	}
}

// endOfTag is the length of what ends the tag at the front of s, or 0. Where a
// value had a bare <, so that it may carry whole tags of its own, the tag of the
// outline ends only where another follows.
func endOfTag(s string, bareTag bool) int {
	n := len(tagEnd.FindString(s))
	if bareTag && !nextTag.MatchString(s[n:]) {
		return 0
	}
	return n
}

// closingQuote finds the quote that ends a value: the one before another
// attribute or the end of the tag.
func closingQuote(s string, quote byte, bareTag *bool) int {
	for i := range len(s) {
		switch s[i] {
		case '<':
			*bareTag = true
		case quote:
			if after := s[i+1:]; nextOne.MatchString(after) || endOfTag(after, *bareTag) > 0 {
				return i
			}
		}
	}
	return -1
}

// unescape replaces references that end in a semicolon; "&lang=en" in an address
// is none.
func unescape(s string) string {
	return reference.ReplaceAllStringFunc(s, html.UnescapeString)
}

var reference = regexp.MustCompile(`&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});`)

// utf8Text makes UTF-8 of a document in one of the encodings that programs export.
func utf8Text(data []byte) (string, error) {
	switch {
	case len(data) >= 2 && data[0] == 0xff && data[1] == 0xfe:
		return fromUTF16(data[2:], binary.LittleEndian), nil
	case len(data) >= 2 && data[0] == 0xfe && data[1] == 0xff:
		return fromUTF16(data[2:], binary.BigEndian), nil
	}
	s := strings.TrimPrefix(string(data), "\uFEFF")
	if utf8.ValidString(s) {
		return s, nil
	}
	declared := "UTF-8"
	if m := encoding.FindStringSubmatch(s[:min(len(s), 200)]); m != nil {
		declared = m[1]
	}
	switch strings.ToLower(declared) {
	case "utf-8", "utf8": // a damaged byte in a title should not cost the list
		return strings.ToValidUTF8(s, "\uFFFD"), nil
	case "iso-8859-1", "latin1", "windows-1252", "us-ascii":
		var b strings.Builder
		for _, c := range data {
			if c >= 0x80 && c < 0xa0 {
				b.WriteRune(windows1252[c-0x80])
			} else {
				b.WriteRune(rune(c))
			}
		}
		return b.String(), nil
	}
	return "", fmt.Errorf("is written in %s; convert it first: iconv -f %s -t UTF-8", declared, declared)
}

var encoding = regexp.MustCompile(`^\s*<\?xml[^>]*encoding\s*=\s*["']([A-Za-z0-9._-]+)["']`)

// windows1252 is what that encoding has where ISO 8859-1 has controls.
var windows1252 = []rune("€\uFFFD‚ƒ„…†‡ˆ‰Š‹Œ\uFFFDŽ\uFFFD\uFFFD‘’“”•–—˜™š›œ\uFFFDžŸ")

func fromUTF16(data []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return string(utf16.Decode(units))
}
