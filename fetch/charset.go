package fetch

import (
	"bytes"
	"cmp"
	"fmt"
	"mime"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gogs/chardet"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// toUTF8 returns body as valid UTF-8 without a byte order mark. What counts is, in this order, the byte
// order mark, the charset of the Content-Type header, the XML declaration (RFC 7303 §3.2), UTF-8. Two
// liars are seen through: what is valid UTF-8 beyond ASCII is UTF-8, whatever single-byte charset is
// claimed, and what cannot be read as claimed is tried as the next in the order and last as windows-1252.
// fault says so in this last case, which is a guess; else it is "".
func toUTF8(body []byte, contentType string) (text []byte, fault string) {
	if e, n := byteOrder(body); e != nil {
		if e == charmap.CodePage037 { // enough to read the declaration of nearly any EBCDIC
			head := body[:min(len(body), 1024)]
			_, params, _ := mime.ParseMediaType(contentType)
			for _, label := range []string{declaredCharset(textCharset(e)(head)), params["charset"]} {
				if c, _ := charsetByName(label); c != nil && bytes.HasPrefix(c(head), []byte("<?xml")) {
					return bytes.ReplaceAll(c(body), []byte("\u0085"), []byte("\n")), ""
				}
			}
		}
		return textCharset(e)(body[n:]), ""
	}
	if bytes.HasPrefix(body, utf8BOM) {
		text, _ = repairUTF8(body[len(utf8BOM):])
		return text, ""
	}
	valid := utf8.Valid(body)
	if valid && !isASCII(body) {
		return body, ""
	}
	var good, bad int
	if !valid {
		good, bad = countUTF8(body)
	}
	_, params, _ := mime.ParseMediaType(contentType)
	declared := declaredCharset(body)
	for _, label := range []string{params["charset"], declared} {
		c, sevenBit := charsetByName(label)
		if c == nil || valid && !sevenBit { // what looks like ASCII and need not be
			continue
		}
		if good > 20*bad {
			return readUTF8(body, c), ""
		}
		if out := c(body); !mostlyBroken(out, body) {
			return out, ""
		}
	}
	if valid {
		return body, ""
	}
	text, guess := mendUTF8(body, good, bad)
	if guess != "" {
		named := oneLine(clean(cmp.Or(params["charset"], declared, "utf-8")), 60)
		fault = fmt.Sprintf("wrong charset: the text is not in %s, as it should be; it was read as %s", named, guess)
	}
	return text, fault
}

var utf8BOM = []byte{0xef, 0xbb, 0xbf}

// byteOrder recognises UTF-16 and UTF-32 by their mark, which is n bytes long, or by how they spell "<"
// (XML 1.0, appendix F.1), and EBCDIC by how it spells "<?xm".
func byteOrder(body []byte) (e encoding.Encoding, n int) {
	for _, o := range []struct {
		prefix string
		mark   int
		e      encoding.Encoding
	}{
		{"\x00\x00\xfe\xff", 4, utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM)},
		{"\xff\xfe\x00\x00", 4, utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM)},
		{"\xfe\xff", 2, unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)},
		{"\xff\xfe", 2, unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)},
		{"\x00\x00\x00<", 0, utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM)},
		{"<\x00\x00\x00", 0, utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM)},
		{"\x00<", 0, unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)},
		{"<\x00", 0, unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)},
		{"\x00{", 0, unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)},
		{"{\x00", 0, unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)},
		{"\x4c\x6f\xa7\x94", 0, charmap.CodePage037},
	} {
		if bytes.HasPrefix(body, []byte(o.prefix)) {
			return o.e, o.mark
		}
	}
	return nil, 0
}

// declaredCharset is the encoding of the XML declaration; "" without one.
func declaredCharset(body []byte) string {
	head := body[:min(len(body), 1024)]
	i := bytes.Index(head, []byte("<?xml"))
	if i < 0 {
		return ""
	}
	head = head[i:]
	if end := bytes.Index(head, []byte("?>")); end >= 0 {
		head = head[:end]
	}
	_, rest, ok := bytes.Cut(head, []byte("encoding"))
	if !ok {
		return ""
	}
	rest = bytes.TrimLeft(rest, " \t\r\n=")
	if len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
		return ""
	}
	name, _, _ := bytes.Cut(rest[1:], rest[:1])
	return string(bytes.TrimSpace(name))
}

// mostlyBroken reports whether decoding gave so many replacement characters that the charset is a lie.
func mostlyBroken(out, body []byte) bool {
	broken := bytes.Count(out, []byte("\uFFFD"))
	if broken == 0 {
		return false
	}
	high := 0
	for _, c := range body {
		if c >= 0x80 {
			high++
		}
	}
	return broken*20 > high
}

// repairUTF8 reads what is neither declared otherwise nor valid UTF-8: as UTF-8 with some bytes amiss
// where that is what most of its bytes are, else in the charset that it looks like, whose name guess is.
func repairUTF8(body []byte) (text []byte, guess string) {
	good, bad := countUTF8(body)
	return mendUTF8(body, good, bad)
}

// mendUTF8 is repairUTF8 of what countUTF8 has counted.
func mendUTF8(body []byte, good, bad int) (text []byte, guess string) {
	switch {
	case bad == 0:
		return body, ""
	case good <= bad:
		return guessCharset(body)
	}
	return readUTF8(body, func(stray []byte) []byte {
		if stray[0] < 0xa0 { // quotes and dashes pasted from elsewhere
			return utf8.AppendRune(nil, charmap.Windows1252.DecodeByte(stray[0]))
		}
		return []byte("\uFFFD")
	}), ""
}

const (
	guessedBytes = 64 << 10 // that are looked at
	guessedLeast = 10       // of them beyond ASCII: fewer tell nothing
)

// guessCharset reads body in the charset that it looks like, which is windows-1252 where nothing speaks for another.
func guessCharset(body []byte) (text []byte, name string) {
	from := bytes.IndexFunc(body, func(r rune) bool { return r >= utf8.RuneSelf })
	name = likeliest(body[from:min(len(body), from+guessedBytes)])
	if c, sevenBit := charsetByName(name); c != nil && !sevenBit {
		if text = c(body); !mostlyBroken(text, body) {
			return text, name
		}
	}
	text, _ = charmap.Windows1252.NewDecoder().Bytes(body)
	return text, "windows-1252"
}

// likeliest names the charset whose letters, and pairs and triples of them, a text is most like; "" if it is none but that of
// western Europe, or the text tells too little.
func likeliest(sample []byte) string {
	if _, bad := countUTF8(sample); bad < guessedLeast {
		return ""
	}
	all, err := chardet.NewHtmlDetector().DetectAll(sample)
	if err != nil {
		return ""
	}
	best := slices.MinFunc(all, func(a, b chardet.Result) int { // of equals always the same, whose order is any
		return cmp.Or(cmp.Compare(b.Confidence, a.Confidence), cmp.Compare(a.Charset, b.Charset))
	})
	if best.Charset == "ISO-8859-1" || strings.HasPrefix(best.Charset, "UTF") {
		return ""
	}
	return best.Charset
}

// countUTF8 counts the characters of UTF-8 beyond ASCII, and the bytes that are part of none.
func countUTF8(body []byte) (good, bad int) {
	for i := 0; i < len(body); {
		if body[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRune(body[i:])
		if r == utf8.RuneError && n == 1 {
			bad++
		} else {
			good++
		}
		i += n
	}
	return good, bad
}

// readUTF8 reads body as UTF-8, and each byte that is part of no character as stray has it.
func readUTF8(body []byte, stray charset) []byte {
	out := make([]byte, 0, len(body)+16)
	for i := 0; i < len(body); {
		if body[i] < utf8.RuneSelf {
			out = append(out, body[i])
			i++
			continue
		}
		r, n := utf8.DecodeRune(body[i:])
		if r == utf8.RuneError && n == 1 {
			out = append(out, stray(body[i:i+1])...)
		} else {
			out = append(out, body[i:i+n]...)
		}
		i += n
	}
	return out
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
