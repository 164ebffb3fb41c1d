package fetch

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxTitle = 1000    // runes
	maxText  = 1 << 20 // bytes of one summary or content
)

// clean is s without what a text must not hold: what XML 1.0 does not have, controls, surrogates.
func clean(s string) string {
	for i := range len(s) {
		if unusual[0][s[i]] && s[i] != '&' || s[i] >= utf8.RuneSelf {
			return string(appendCDATA(nil, []byte(strings.ToValidUTF8(s, "\uFFFD")), false))
		}
	}
	return s
}

// oneLine is s with every run of white space as one space, at most n runes of it.
func oneLine(s string, n int) string {
	if len(s) > 8*n { // white space apart, no more than this counts
		s = strings.ToValidUTF8(s[:8*n], "")
	}
	if !strings.ContainsFunc(s, func(r rune) bool { return r != ' ' && unicode.IsSpace(r) }) && !strings.Contains(s, "  ") {
		s = strings.Trim(s, " ")
	} else {
		s = strings.Join(strings.Fields(s), " ")
	}
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n--; n < 0 {
			return strings.TrimSpace(s[:i])
		}
	}
	return s
}

// lead is the beginning of text on one line, at most n bytes, cut between words where there are some.
func lead(text []byte, n int) string {
	b := make([]byte, 0, min(len(text), n))
	space := false
	word := 0 // where the last word ended
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if unicode.IsSpace(r) {
			if space = len(b) > 0; space {
				word = len(b)
			}
			i += size
			continue
		}
		need := size
		if space {
			need++
		}
		if len(b)+need > n {
			if !space && word > n/2 {
				b = b[:word]
			}
			return string(b)
		}
		if space {
			b = append(b, ' ')
			space = false
		}
		b = append(b, text[i:i+size]...)
		i += size
	}
	return string(b)
}

// countWords counts the words of text. In scripts that write without spaces, two characters count as one.
func countWords(text []byte) int {
	words, dense, inWord := 0, 0, false
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			i++
			letter := isAlnum(c)
			if letter && !inWord {
				words++
			}
			inWord = letter || inWord && (c == '\'' || c == '-' || c == '.' || c == ',' || c == '_')
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		i += size
		switch {
		case isDense(r):
			dense++
			inWord = false
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			if !inWord {
				words++
			}
			inWord = true
		default:
			inWord = inWord && r == '’'
		}
	}
	return words + (dense+1)/2
}

// isDense: Han, kana, Thai, Lao, Khmer and Burmese put no spaces between words.
func isDense(r rune) bool {
	return r >= 0x0e00 && r < 0x0f00 || r >= 0x1000 && r < 0x10a0 || r >= 0x1780 && r < 0x1800 ||
		r >= 0x3040 && r < 0x3100 || r >= 0x3400 && r < 0xa000 || r >= 0xf900 && r < 0xfb00 || r >= 0x20000 && r < 0x32000
}

// A digest is a hash of several texts that is the same everywhere and always.
type digest struct{ buf []byte }

// words adds a text, white space aside.
func (d *digest) words(text []byte) {
	from := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if c <= ' ' {
				d.buf = append(d.buf, text[from:i]...)
				from = i + 1
			}
			i++
			continue
		}
		n := 2 // for most; a wrong guess finds no space
		if c >= 0xe0 {
			n = 3
		}
		if c == 0xc2 || c >= 0xe1 && c <= 0xe3 { // where Unicode has its spaces
			if r, size := utf8.DecodeRune(text[i:]); unicode.IsSpace(r) || r == '\u200b' {
				d.buf = append(d.buf, text[from:i]...)
				from = i + size
				n = size
			}
		}
		i += n
	}
	if from < len(text) {
		d.buf = append(d.buf, text[from:]...)
	}
	d.buf = append(d.buf, 0)
}

// add adds a value as it is.
func (d *digest) add(value string) { d.buf = append(append(d.buf, value...), 0) }

// sum is the hash of all that was added, and forgets it.
func (d *digest) sum() uint64 {
	sum := sha256.Sum256(d.buf)
	d.buf = d.buf[:0]
	return binary.BigEndian.Uint64(sum[:])
}

func isBlank(b []byte) bool {
	for _, c := range b {
		if !isSpace(c) {
			return false
		}
	}
	return true
}
