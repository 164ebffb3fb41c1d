package publish

import (
	"html"
	"iter"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"broadsheet/store"
)

// clean drops what XML 1.0 §2.2 cannot hold and what the W3C validator objects to in text: control
// characters of both kinds, noncharacters, invalid UTF-8. The store should hold none of it; a
// document is checked here once more because one such byte makes the whole of it unreadable.
func clean(s string) string {
	if strings.IndexFunc(s, unfit) >= 0 || !utf8.ValidString(s) {
		s = fit(s)
	}
	if strings.Contains(s, "\r") {
		s = lineEnds.Replace(s)
	}
	return mend(s)
}

// lineEnds makes line ends what every XML parser makes them (XML 1.0 §2.11).
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

func fit(s string) string {
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

// mend undoes a double encoding ("FÃ³rmula", UTF-8 that was taken for Latin-1) where a piece of text, all of it, can be read in no other way; the W3C
// validator warns of it. It may see a part only of a longer piece: there the letter that leads it astray is spelt with a combining accent, which
// Unicode holds for the same.
func mend(s string) string {
	if !strings.Contains(s, "Ã") && !strings.Contains(s, "Â") {
		return s
	}
	var b strings.Builder
	for piece := range pieces(s) {
		for range 3 {
			once, ok := latin1(piece)
			if !ok {
				break
			}
			piece = once
		}
		b.WriteString(apart.ReplaceAllStringFunc(piece, norm.NFD.String))
	}
	return b.String()
}

// apart is what may be taken for two bytes of one character.
var apart = regexp.MustCompile(`[ÂÃ][\x{80}-\x{bf}]`)

// pieces cuts a text at what can part two outlets' words in one document: markup, quotes, lines.
func pieces(s string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for s != "" {
			i := strings.IndexAny(s, "<>&\"'\t\r\n")
			switch i {
			case -1:
				i = len(s)
			case 0:
				i = 1
			}
			if !yield(s[:i]) {
				return
			}
			s = s[i:]
		}
	}
}

// latin1 takes the characters of s for bytes, and reports whether these are UTF-8 with something in it.
func latin1(s string) (string, bool) {
	out, wide := make([]byte, 0, len(s)), false
	for _, r := range s {
		if r > 0xff {
			return s, false
		}
		wide = wide || r > 0x7f
		out = append(out, byte(r))
	}
	if !wide || !utf8.Valid(out) || strings.IndexFunc(string(out), unfit) >= 0 {
		return s, false
	}
	return string(out), true
}

// line is a text on one line.
func line(s string) string {
	s = clean(s)
	if isLine(s) { // as most are
		return s
	}
	return strings.Join(strings.Fields(s), " ")
}

func isLine(s string) bool {
	return !strings.HasPrefix(s, " ") && !strings.HasSuffix(s, " ") && !strings.Contains(s, "  ") &&
		strings.IndexFunc(s, func(r rune) bool { return r != ' ' && unicode.IsSpace(r) }) < 0
}

// tagLike is what readers, and the W3C validator, take for markup in a plain text; tagStart the same
// without an end.
var (
	tagLike  = regexp.MustCompile(`<(/?[A-Za-z][^<>]*)>`)
	tagStart = regexp.MustCompile(`<([/A-Za-z])`)
)

// plainLine is a text on one line for elements that hold plain text: half of all readers take it for
// HTML and drop what looks like a tag, so tags are spelt with other brackets.
func plainLine(s string) string {
	s = line(s)
	if !strings.Contains(s, "<") {
		return s
	}
	return tagStart.ReplaceAllString(tagLike.ReplaceAllString(s, "‹$1›"), "‹$1")
}

// label is a text on one line for an attribute. Attributes, unlike elements, have no spelling of "&" that
// keeps readers and validators from taking what follows for a character reference; so references are taken
// out, and what still looks like one is spelt with another character.
func label(s string) string {
	for range 3 {
		s = html.UnescapeString(s)
	}
	return reference.ReplaceAllStringFunc(plainLine(s), func(m string) string {
		if name := m[1:]; isWord(name) && html.UnescapeString(m+";") == m+";" {
			return m // as in AT&T
		}
		return "＆" + m[1:]
	})
}

var reference = regexp.MustCompile(`&(#?[\pL\pN_]+)`)

func isWord(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsLetter(r) }) < 0
}

// Address returns an absolute http or https URL as documents write it, in the form that the W3C validator accepts (RFC 3986;
// non-ASCII escaped, the host in its ASCII form), "" if s is none. A user name and password are
// dropped.
func Address(s string) string {
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
	if port := u.Port(); port != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return ""
		}
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

// hostForm is what HTML accepts as a host: no part of a name is empty.
var hostForm = regexp.MustCompile(`^([A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?$`)

// named is an address whose host has a name or is an IPv4 address, "" if it is none of them: where the W3C validator wants an
// address to be whole it takes no IPv6 address.
func named(address string) string {
	if strings.Contains(address, "://[") {
		return ""
	}
	return address
}

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

// canonical is an address in the spelling that RFC 3986 §6.2 normalises to, as an id has to be; "" if it cannot be one.
func canonical(s string) string {
	u, err := url.Parse(Address(s))
	if err != nil || u.Host == "" {
		return ""
	}
	host := strings.TrimSuffix(strings.ToLower(u.Host), map[string]string{"http": ":80", "https": ":443"}[u.Scheme])
	path := needless.ReplaceAllStringFunc(u.EscapedPath(), unescape)
	if path = dots(path); path == "" {
		path = "/"
	}
	out := u.Scheme + "://" + strings.TrimSuffix(host, ":") + path
	if u.RawQuery != "" {
		out += "?" + needless.ReplaceAllStringFunc(u.RawQuery, unescape)
	}
	if u.Fragment != "" {
		out += "#" + needless.ReplaceAllStringFunc(u.EscapedFragment(), unescape)
	}
	if !store.Publishable(out) {
		return ""
	}
	return out
}

var needless = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// unescape takes away a percent escape that is not needed, and writes the others in upper case.
func unescape(e string) string {
	if c, err := url.PathUnescape(e); err == nil && len(c) == 1 && (isAlphanumeric(c[0]) || strings.Contains("-._~", c)) {
		return c
	}
	return strings.ToUpper(e)
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// dots removes "." and ".." from a path (RFC 3986 §5.2.4).
func dots(path string) string {
	if !strings.Contains(path, "/.") {
		return path
	}
	var out []string
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, part := range parts {
		switch {
		case part == "..":
			out = out[:max(len(out)-1, 0)]
		case part != ".":
			out = append(out, part)
		}
		if i == len(parts)-1 && (part == "." || part == "..") {
			out = append(out, "")
		}
	}
	return "/" + strings.Join(out, "/")
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }

// languageTag is s as BCP 47 writes it, "" if it is no language that validators know: those of ISO 639-1,
// and of ISO 639-2 the living ones that have no shorter code.
func languageTag(s string) string {
	if s == "" {
		return ""
	}
	t, err := language.Parse(strings.ReplaceAll(s, "_", "-"))
	if err != nil {
		return ""
	}
	base, rest, _ := strings.Cut(t.String(), "-")
	if wide := macroLanguages[base]; wide != "" {
		base = wide
	}
	if len(base) != 2 && !strings.Contains(threeLetters, " "+base+" ") {
		return ""
	}
	if rest != "" {
		base += "-" + rest
	}
	return base
}

// macroLanguages are the languages under which validators know some that have codes of their own.
var macroLanguages = map[string]string{"ckb": "ku", "kmr": "ku", "prs": "fa", "pes": "fa", "cmn": "zh", "yue": "zh", "arb": "ar", "arz": "ar",
	"ary": "ar", "azb": "az", "azj": "az", "swh": "sw", "uzn": "uz", "khk": "mn", "npi": "ne", "pbu": "ps", "ekk": "et", "lvs": "lv"}

const threeLetters = " ady ast bal ban bem bho bin bua ceb chm chr crh csb dar din doi dsb efi fat fil fon frr fur gaa gil gsw haw hil hsb iba " +
	"ilo inh kab kac kbd kha kok krc krl lez loz lus mad mag mai mak mdf men min mni mos mus myv nap nds new nia niu nso pam pap pau raj rap rar " +
	"rom sah sas sat scn sco shn sma smj smn sms snk srn srr suk syr tem tet tig tiv tkl tmh tpi tum tvl tyv udm umb vai war wal yao zza "

// direction is that of a language's usual script.
func direction(tag string) string {
	script, _ := language.Make(tag).Script()
	switch script.String() {
	case "Arab", "Hebr", "Syrc", "Thaa", "Nkoo", "Adlm", "Rohg":
		return "rtl"
	}
	return "ltr"
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
