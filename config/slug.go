package config

import (
	"net/url"
	"strings"
)

// idFrom makes an id of a name, else of the host of an address; "" if neither has
// the letters or digits for one.
func idFrom(name, address string) string {
	if id := slugFrom(name); id != "" {
		return id
	}
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return slugFrom(strings.TrimPrefix(u.Hostname(), "www."))
}

// slugFrom keeps a name's letters and digits, hyphens for what stands between
// them, at most 48 bytes so that a number still fits behind. Accents fall away; a
// name that is mostly in another alphabet has no slug.
func slugFrom(name string) string {
	var b strings.Builder
	lost, gap := 0, false
	for _, r := range accents.Replace(strings.ToLower(name)) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			if gap && b.Len() > 0 {
				b.WriteByte('-')
			}
			gap = false
			b.WriteRune(r)
		case r == '\'' || r == '’': // "world's" stays one word
		default:
			gap = true
			if r > 0x7f {
				lost++
			}
		}
	}
	s := b.String()
	if lost > len(s) {
		return ""
	}
	return strings.TrimRight(s[:min(len(s), 48)], "-")
}

var accents = strings.NewReplacer(
	"à", "a", "á", "a", "â", "a", "ã", "a", "ä", "a", "å", "a", "ą", "a", "ă", "a", "æ", "ae",
	"ç", "c", "ć", "c", "č", "c", "ď", "d", "đ", "d",
	"è", "e", "é", "e", "ê", "e", "ë", "e", "ę", "e", "ě", "e",
	"ğ", "g", "ì", "i", "í", "i", "î", "i", "ï", "i", "ı", "i", "ł", "l",
	"ñ", "n", "ń", "n", "ň", "n",
	"ò", "o", "ó", "o", "ô", "o", "õ", "o", "ö", "o", "ø", "o", "ő", "o", "œ", "oe",
	"ř", "r", "ś", "s", "š", "s", "ş", "s", "ș", "s", "ß", "ss", "ť", "t", "ț", "t",
	"ù", "u", "ú", "u", "û", "u", "ü", "u", "ů", "u", "ű", "u",
	"ý", "y", "ÿ", "y", "ź", "z", "ż", "z", "ž", "z",
)
