package publish

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/language"
)

// clean drops what XML 1.0 §2.2 cannot hold and what the W3C validator objects to in text: control
// characters of both kinds, noncharacters, invalid UTF-8. The store should hold none of it; a
// document is checked here once more because one such byte makes the whole of it unreadable.
func clean(s string) string {
	if strings.IndexFunc(s, unfit) < 0 && utf8.ValidString(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError:
			return '?' // a character that was lost on the way
		case r == '\u0085':
			return ' '
		case unfit(r):
			return -1
		}
		return r
	}, s)
}

func unfit(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r >= 0x7f && r <= 0x9f || r == utf8.RuneError ||
		r >= 0xfdd0 && r <= 0xfdef || r&0xfffe == 0xfffe || r >= 0xd800 && r <= 0xdfff
}

// line is a text on one line.
func line(s string) string { return strings.Join(strings.Fields(clean(s)), " ") }

// tagLike is what readers, and the W3C validator, take for markup in a plain text.
var tagLike = regexp.MustCompile(`<(/?[A-Za-z][^<>]*)>`)

// plainLine is a text on one line for elements that hold plain text: half of all readers take it for
// HTML and drop what looks like a tag, so tags are spelt with other brackets.
func plainLine(s string) string { return tagLike.ReplaceAllString(line(s), "‹$1›") }

// address returns an absolute http or https URL in the form that the W3C validator accepts (RFC 3986;
// non-ASCII escaped, the host in its ASCII form), "" if s is none. A user name and password are
// dropped.
func address(s string) string {
	s = strings.TrimSpace(s)
	u, err := url.Parse(s)
	if err != nil || u.Opaque != "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	host := u.Host
	if strings.IndexFunc(host, func(r rune) bool { return r > unicode.MaxASCII }) >= 0 {
		if host, err = idna.Lookup.ToASCII(u.Hostname()); err != nil {
			return ""
		}
		if p := u.Port(); p != "" {
			host += ":" + p
		}
	}
	if !hostForm.MatchString(host) {
		return ""
	}
	rest := u.EscapedPath()
	if u.RawQuery != "" {
		rest += "?" + u.RawQuery
	}
	if u.Fragment != "" {
		rest += "#" + u.EscapedFragment()
	}
	return u.Scheme + "://" + host + escape(rest)
}

var hostForm = regexp.MustCompile(`^([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?$`)

// escape writes what RFC 3986 does not allow in an address as percent escapes.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	fragment := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		ok := c > ' ' && c < 0x7f && !strings.ContainsRune("\"<>\\^`{|}[]", rune(c))
		if c == '%' {
			ok = i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2])
		}
		if c == '#' {
			ok, fragment = !fragment, true
		}
		if ok {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }

// languageTag is s as BCP 47 writes it, "" if it is no tag of a known language.
func languageTag(s string) string {
	if s == "" {
		return ""
	}
	t, err := language.Parse(strings.ReplaceAll(s, "_", "-"))
	if err != nil || t == language.Und {
		return ""
	}
	return t.String()
}

// shorten cuts a text after at most n runes, between words where it has any.
func shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)[:n]
	for i := len(r) - 1; i > n*2/3; i-- {
		if unicode.IsSpace(r[i]) {
			r = r[:i]
			break
		}
	}
	return strings.TrimRight(string(r), " ,;:.–—-") + "…"
}
