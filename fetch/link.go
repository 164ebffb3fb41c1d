package fetch

import (
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/net/idna"
)

const maxLink = 2048 // bytes of an address

// parseReference resolves a reference as documents write it: with white space around and line ends inside.
// base may be nil.
func parseReference(base *url.URL, ref string) (*url.URL, error) {
	ref = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || r == '\t' {
			return -1
		}
		return r
	}, strings.TrimSpace(ref))
	u, err := url.Parse(ref)
	if err != nil {
		return nil, err
	}
	if base != nil {
		u = base.ResolveReference(u)
	}
	return u, nil
}

// absoluteLink resolves ref and returns it as a URI (RFC 3986): scheme http or https, a host, no user, no
// characters that a URI does not have. "" if that cannot be.
func absoluteLink(base *url.URL, ref string) string {
	ref = strings.TrimSpace(ref)
	if ref == "" || len(ref) > maxLink {
		return ""
	}
	ref = strings.ReplaceAll(ref, "&amp;", "&") // in CDATA, or escaped once too often
	if plainLink(ref) {
		return ref
	}
	u, err := parseReference(base, ref)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Contains(ref, `\`) {
		return ""
	}
	if !isASCII([]byte(u.Host)) {
		host, err := hostToASCII(u.Hostname())
		if err != nil {
			return ""
		}
		if port := u.Port(); port != "" {
			host += ":" + port
		}
		u.Host = host
	}
	if !hostForm.MatchString(u.Host) {
		return ""
	}
	u.RawQuery, u.RawFragment = escapeLink(u.RawQuery), ""
	s := u.String()
	if len(s) > maxLink {
		return ""
	}
	return s
}

var hostForm = regexp.MustCompile(`^([A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)

// plainLink reports whether ref is an absolute address without anything unusual: most are.
func plainLink(ref string) bool {
	rest, ok := strings.CutPrefix(ref, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(ref, "http://"); !ok {
			return false
		}
	}
	host := 0
	for host < len(rest) && (rest[host] == '.' || rest[host] == '-' || isAlnum(rest[host])) {
		host++
	}
	if host == 0 || host < len(rest) && rest[host] != '/' {
		return false
	}
	for i := host; i < len(rest); i++ {
		if !usualInLink[rest[i]] {
			return false
		}
	}
	return true
}

var usualInLink = func() (t [256]bool) {
	for c := range 256 {
		t[c] = isAlnum(byte(c)) || strings.IndexByte("-._~/?&=+,;:@!$*()", byte(c)) >= 0
	}
	return t
}()

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// escapeLink percent-encodes what a URI's query must not hold.
func escapeLink(s string) string {
	if !strings.ContainsFunc(s, badInQuery) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c >= 0x80 || badInQuery(rune(c)) {
			writeEscape(&b, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// writeEscape writes an octet as RFC 3986 §2.1 prefers it.
func writeEscape(b *strings.Builder, c byte) {
	const upperHex = "0123456789ABCDEF"
	b.WriteByte('%')
	b.WriteByte(upperHex[c>>4])
	b.WriteByte(upperHex[c&15])
}

func badInQuery(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"<>\\^`{|}[]#", r)
}

// hostToASCII spells an international host as the DNS has it (RFC 5891).
func hostToASCII(host string) (string, error) { return idna.Lookup.ToASCII(host) }

// contentLink is absoluteLink for what stands in a text, where mailto: is allowed too.
func contentLink(base *url.URL, ref string) string {
	if ref = strings.TrimSpace(ref); len(ref) > 7 && strings.EqualFold(ref[:7], "mailto:") {
		if rest := escapeLink(ref[7:]); len(rest) <= maxLink {
			return "mailto:" + rest
		}
	}
	return absoluteLink(base, ref)
}
