package fetch

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

// A charset decodes a document; what it cannot read becomes U+FFFD.
type charset func([]byte) []byte

// charsetByName looks a charset up as browsers do, then as IANA does, then among those that only old machines and
// Python's codecs know; nil if nobody knows it, or if it is UTF-8. sevenBit says that it looks like ASCII.
func charsetByName(name string) (c charset, sevenBit bool) {
	name = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(name), "_", "-"))
	if name == "" {
		return nil, false
	}
	if i := strings.LastIndexAny(name, ":-"); strings.HasPrefix(name, "iso-8859-") && len(name)-i == len("-1987") {
		name = name[:i] // the year of the standard
	}
	bare := withoutSigns.Replace(name)
	if other := charsetAliases()[bare]; other != "" {
		name = other
	} else if strings.Trim(bare, "0123456789") == "" { // of a code page
		name = "cp" + bare
	}
	switch {
	case strings.HasPrefix(strings.TrimPrefix(bare, "cs"), "iso2022"):
		return decodeISO2022, true
	case bare == "utf7" || bare == "u7" || bare == "unicode11utf7":
		return decodeUTF7, true
	case bare == "hz" || bare == "hzgb" || bare == "hzgb2312":
		return textCharset(simplifiedchinese.HZGB2312), true
	}
	if c := singleByte()[name]; c != nil {
		return c, false
	}
	e, err := htmlindex.Get(name)
	if err != nil || e == encoding.Replacement {
		if e, err = ianaindex.IANA.Encoding(name); err != nil {
			return nil, false
		}
	}
	if e == nil || e == unicode.UTF8 {
		return nil, false
	}
	return textCharset(e), false
}

// withoutSigns leaves what the spellings of a charset's name have in common.
var withoutSigns = strings.NewReplacer("-", "", ".", "", ":", "", " ", "")

// charsetAliases are names of charsets by which neither browsers nor IANA know them, Python's and Microsoft's, by what is left
// of them without signs. Those that extend another charset are read as that one.
var charsetAliases = sync.OnceValue(func() map[string]string {
	aliases := map[string]string{}
	for name, others := range map[string]string{
		"shift_jis": "shiftjis sjis mskanji cp932 ms932 windows932 932 shiftjis2004 shiftjisx0213 sjis2004 sjisx0213 xmacjapanese",
		"euc-jp":    "eucjp ujis eucjis2004 eucjisx0213 jisx0213",
		"euc-kr":    "euckr ksc5601 ksc56011987 ksx1001 cp949 ms949 949 uhc xmackorean",
		"gbk":       "euccn eucgb2312cn gb2312 gb231280 gb23121980 cp936 ms936 936 xmacsimpchinese",
		"gb18030":   "gb180302000",
		"big5":      "big5tw cp950 ms950 950 xmactradchinese", "big5-hkscs": "big5hkscs hkscs",
		"iso-8859-1": "8859 latin latin1 iso8859", "iso-8859-13": "l7 latin7", "iso-8859-15": "latin9", "iso-8859-7": "elot928", "iso-8859-16": "iso885916",
		"tis-620": "tis620 thai isoir166 tis6200 tis62025290 tis62025291", "windows-874": "cp874 874", "macintosh": "macroman", "x-mac-cyrillic": "maccyrillic",
		"ibm00858": "cp858 858 ibm858 csibm858", "hp-roman8": "cp1051 1051 ibm1051", "ibm01140": "cp1140 1140 ibm1140",
		"utf-8": "cp65001 u8 utf8 iso106461", "utf-16": "u16 utf16 csunicode iso10646ucs2",
		"utf-16be": "utf16be unicodebigunmarked", "utf-16le": "utf16le unicodelittleunmarked",
	} {
		for _, other := range strings.Fields(others) {
			aliases[other] = name
		}
	}
	return aliases
})

// textCharset is one of golang.org/x/text.
func textCharset(e encoding.Encoding) charset {
	return func(body []byte) []byte {
		out, err := e.NewDecoder().Bytes(body)
		if err != nil {
			out, _ = repairUTF8(body)
		}
		return bytes.TrimPrefix(out, utf8BOM)
	}
}

//go:embed charsets.txt
var charsetTables string

// singleByte are the charsets of charsets.txt by their names.
var singleByte = sync.OnceValue(func() map[string]charset {
	all := map[string]charset{}
	for line := range strings.Lines(charsetTables) {
		names, table, ok := strings.Cut(line, "\t")
		if !ok || line[0] == '#' {
			continue
		}
		chars, err := strconv.Unquote(strings.TrimSpace(table))
		if err != nil {
			panic(err) // the file is ours
		}
		upper := []rune(chars)
		decode := func(body []byte) []byte {
			out := make([]byte, 0, len(body)+len(body)/2)
			for _, b := range body {
				r := rune(b)
				if at := int(b) - 256 + len(upper); at >= 0 {
					r = upper[at]
				}
				if r == 0x85 { // EBCDIC's end of a line
					r = '\n'
				}
				out = utf8.AppendRune(out, r)
			}
			return out
		}
		for name := range strings.FieldsSeq(names) {
			all[name] = decode
		}
	}
	return all
})

// The sets that ISO 2022's escapes switch to, by what they are in an encoding with the high bits set.
var iso2022Sets = []struct {
	escape string
	e      encoding.Encoding // nil is ASCII
	prefix byte
	shifts bool // it is used between SO and SI
}{
	{"\x1b(B", nil, 0, false}, {"\x1b(J", nil, 0, false}, {"\x1b(H", nil, 0, false},
	{"\x1b$@", japanese.EUCJP, 0, false}, {"\x1b$B", japanese.EUCJP, 0, false}, {"\x1b$(D", japanese.EUCJP, 0x8f, false},
	{"\x1b$(O", japanese.EUCJP, 0, false}, {"\x1b$(Q", japanese.EUCJP, 0, false}, {"\x1b(I", japanese.ShiftJIS, 0, false},
	{"\x1b$A", simplifiedchinese.GBK, 0, false}, {"\x1b$(C", korean.EUCKR, 0, false},
	{"\x1b$)C", korean.EUCKR, 0, true}, {"\x1b$)A", simplifiedchinese.GBK, 0, true},
}

// decodeISO2022 reads ISO-2022-JP and its extensions, ISO-2022-KR, and what ISO-2022-CN has of GB 2312.
func decodeISO2022(body []byte) []byte {
	var out, run []byte
	var e, shifted encoding.Encoding
	var prefix byte
	flush := func() {
		if len(run) > 0 {
			text, _ := e.NewDecoder().Bytes(run) // of what it cannot read it makes U+FFFD
			out, run = append(out, text...), run[:0]
		}
	}
	for i := 0; i < len(body); {
		c := body[i]
		if c == 0x1b || c == 0x0e || c == 0x0f || c == '\n' {
			flush()
			n := 1
			switch c {
			case 0x0e:
				e, prefix = shifted, 0
			case 0x0f, '\n':
				e = nil
			default:
				for _, s := range iso2022Sets {
					if !bytes.HasPrefix(body[i:], []byte(s.escape)) {
						continue
					}
					if n = len(s.escape); s.shifts {
						shifted = s.e
					} else {
						e, prefix = s.e, s.prefix
					}
				}
			}
			if c == '\n' {
				out = append(out, c)
			}
			i += n
			continue
		}
		switch {
		case e == nil || c <= ' ':
			flush()
			out = append(out, c)
			i++
		case e == japanese.ShiftJIS: // half-width katakana, of one byte
			run = append(run, c|0x80)
			i++
		default:
			if prefix != 0 {
				run = append(run, prefix)
			}
			run = append(run, c|0x80)
			if i++; i < len(body) && body[i] > ' ' {
				run = append(run, body[i]|0x80)
				i++
			}
		}
	}
	flush()
	return bytes.ToValidUTF8(out, []byte("\uFFFD")) // bytes of eight bits are no part of it
}

// decodeUTF7 reads UTF-7 (RFC 2152).
func decodeUTF7(body []byte) []byte {
	var out []byte
	for i := 0; i < len(body); {
		if body[i] != '+' {
			out = append(out, body[i])
			i++
			continue
		}
		from := i + 1
		for i = from; i < len(body) && (isAlnum(body[i]) || body[i] == '+' || body[i] == '/'); i++ {
		}
		if i == from { // "+-" is a plus sign
			out = append(out, '+')
		} else if raw, err := base64.RawStdEncoding.DecodeString(string(body[from:i])); err == nil || len(raw) > 1 {
			units := make([]uint16, len(raw)/2)
			for j := range units {
				units[j] = binary.BigEndian.Uint16(raw[2*j:])
			}
			out = append(out, string(utf16.Decode(units))...)
		}
		if i < len(body) && body[i] == '-' {
			i++
		}
	}
	return bytes.ToValidUTF8(out, []byte("\uFFFD")) // bytes of eight bits are no part of it
}
