package store

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A word is a token of an item's title or text as evidence keeps it: the upper 28 bits are a hash of its stem, the others
// say what it is.
type word uint32

const (
	inTitle  word = 1 << iota // it stands in the title
	isNumber                  // it counts something
	isName                    // it begins with a capital and is no common word
	isRare                    // it is one of the item's rarest, by which others find it
	wordBits = 4
)

// stem is the word without what it is in its item.
func (w word) stem() word { return w >> wordBits }

// A script is the way in which most of a text is written, as far as it matters here.
type script uint8

const (
	latin  script = iota
	spaced        // another that puts spaces between words
	solid         // one that does not: Chinese, Japanese, Thai and its neighbours
)

// unspaced are the scripts whose words are not set apart; two letters that stand together are a token there.
var unspaced = []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao,
	unicode.Khmer, unicode.Myanmar, unicode.Tibetan, unicode.Hangul}

// maxWords bounds the words of an item. A title and the 300 characters after it have some 45.
const maxWords = 120

// A reader of words collects the words of one item.
type words struct {
	list    []word
	english bool
	scripts [3]int // letters of each script
	buf     []byte
}

// read adds the words of a text.
func (w *words) read(text string, in word) {
	if !ascii(text) {
		text = norm.NFKC.String(text)
	}
	for i := 0; i < len(text) && len(w.list) < maxWords; {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case r < utf8.RuneSelf && '0' <= r && r <= '9':
			end := number(text, i)
			// What hangs on a word with a hyphen is a part of its name: Covid-19, F-35.
			named := i >= 2 && text[i-1] == '-' && letterBefore(text, i-1)
			w.addNumber(text[i:end], in, named)
			i = end
		case r >= utf8.RuneSelf && unicode.In(r, unspaced...):
			i = w.readSolid(text, i, in)
		case unicode.IsLetter(r):
			i = w.readWord(text, i, in)
		default:
			i += n
		}
	}
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func letterBefore(s string, i int) bool {
	r, _ := utf8.DecodeLastRuneInString(s[:i])
	return unicode.IsLetter(r)
}

// number finds the end of the number that begins at i; separators belong to it where digits follow.
func number(s string, i int) int {
	for i < len(s) {
		digit := '0' <= s[i] && s[i] <= '9'
		if !digit && !((s[i] == ',' || s[i] == '.') && i+1 < len(s) && '0' <= s[i+1] && s[i+1] <= '9') {
			break
		}
		i++
	}
	return i
}

// addNumber adds a number. A year, or a part of a name, tells things apart no better than a word does.
func (w *words) addNumber(s string, in word, named bool) {
	s = strings.ReplaceAll(s, ",", "")
	kind := isNumber
	if named || len(s) == 4 && (s[:2] == "19" || s[:2] == "20") {
		kind = 0
	}
	w.add([]byte(s), in|kind)
}

// readWord adds the word that begins at i and returns its end.
func (w *words) readWord(s string, i int, in word) int {
	b, kind := w.buf[:0], word(0)
	first, _ := utf8.DecodeRuneInString(s[i:])
	if unicode.IsUpper(first) {
		kind = isName
	}
	letters := 0
	for i < len(s) {
		if c := s[i]; c < utf8.RuneSelf {
			switch {
			case 'A' <= c && c <= 'Z':
				b = append(b, c|0x20)
			case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
				b = append(b, c)
			case c == '.' && letters == 1 && i+1 < len(s) && 'A' <= s[i+1] && s[i+1] <= 'Z': // U.S. is US
				letters = 0
			case c == '\'' && i+1 < len(s) && letters > 0 && 'a' <= s[i+1]|0x20 && s[i+1]|0x20 <= 'z': // don't, Biden's
			default:
				goto end
			}
			if c != '.' && c != '\'' {
				letters++
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '’' || r == 'ʼ':
			if next, _ := utf8.DecodeRuneInString(s[i+n:]); !unicode.IsLetter(next) {
				goto end
			}
		case unicode.Is(unicode.Mn, r) && unicode.In(r, unicode.Arabic, unicode.Hebrew, unicode.Inherited), r == 'ـ':
			// Vowel points and lengthened lines: one writes them, another does not.
		case unicode.IsLetter(r) && !unicode.In(r, unspaced...), unicode.IsMark(r):
			b = utf8.AppendRune(b, plainLetter(unicode.ToLower(r)))
			letters++
		default:
			goto end
		}
		i += n
	}
end:
	w.buf = b
	if first < unicode.MaxLatin1 || unicode.Is(unicode.Latin, first) {
		w.scripts[latin] += letters
	} else {
		w.scripts[spaced] += letters
	}
	if letters > 1 {
		w.addWord(b, in|kind)
	}
	return i
}

// plainLetter takes the accents off the letters of Latin: outlets differ in them.
func plainLetter(r rune) rune {
	if r < 0xC0 || r > 0x24F {
		return r
	}
	var room [8]byte
	d := norm.NFD.AppendString(room[:0], string(r))
	base, _ := utf8.DecodeRune(d)
	return base
}

// addWord adds a word's stem. Numbers up to twelve are numbers.
func (w *words) addWord(b []byte, kind word) {
	if n, ok := numerals[string(b)]; ok && w.english {
		w.add([]byte(n), kind&^isName|isNumber)
		return
	}
	if w.english {
		if smallWords[string(b)] {
			return
		}
		b = stemEnglish(b)
		if _, ok := commonEnglish[string(b)]; ok {
			kind &^= isName
		}
		w.add(b, kind)
		return
	}
	// Endings and the smallest words carry the grammar elsewhere; the beginning of a long word carries its sense.
	const most = 6
	if kind&isName == 0 && utf8.RuneCount(b) <= 2 {
		return
	}
	for i, n := 0, 0; i < len(b); n++ {
		_, size := utf8.DecodeRune(b[i:])
		if n == most {
			b = b[:i]
			break
		}
		i += size
	}
	w.add(b, kind)
}

// readSolid adds the tokens of a run of letters without spaces and returns its end.
func (w *words) readSolid(s string, i int, in word) int {
	var last rune
	last, single := 0, true
	for i < len(s) {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r < utf8.RuneSelf || !unicode.In(r, unspaced...) && !unicode.IsMark(r) {
			break
		}
		w.scripts[solid]++
		if last != 0 {
			w.add(utf8.AppendRune(utf8.AppendRune(w.buf[:0], last), r), in)
			single = false
		}
		last = r
		i += n
	}
	if single && last != 0 {
		w.add(utf8.AppendRune(w.buf[:0], last), in)
	}
	return i
}

// add hashes a token (FNV-1a).
func (w *words) add(b []byte, kind word) {
	if len(w.list) >= maxWords {
		return
	}
	h := uint32(2166136261)
	for _, c := range b {
		h = (h ^ uint32(c)) * 16777619
	}
	h ^= h >> 15 // the lowest bits make room for what the word is
	w.list = append(w.list, word(h)<<wordBits|kind)
}

// finish sorts the words; one that stands in several places is there once, and is what it is in any of them.
func (w *words) finish() []word {
	slices.Sort(w.list)
	out := w.list[:0]
	for _, x := range w.list {
		if n := len(out); n > 0 && out[n-1].stem() == x.stem() {
			out[n-1] |= x & (1<<wordBits - 1)
		} else {
			out = append(out, x)
		}
	}
	return slices.Clone(out)
}

// stemEnglish takes plural and tense off a word, as far as that needs no dictionary: both items are treated alike, so
// it need not be a word that is left.
func stemEnglish(b []byte) []byte {
	s := string(b)
	switch n := len(s); {
	case n > 4 && strings.HasSuffix(s, "ies"):
		return append(b[:n-3], 'y')
	case n > 4 && (strings.HasSuffix(s, "sses") || strings.HasSuffix(s, "shes") || strings.HasSuffix(s, "ches") || strings.HasSuffix(s, "xes")):
		return b[:n-2]
	case n > 3 && s[n-1] == 's' && s[n-2] != 's' && s[n-2] != 'u' && s[n-2] != 'i':
		b, s = b[:n-1], s[:n-1]
		if len(s) > 4 && s[len(s)-1] == 'e' {
			return b[:len(b)-1]
		}
		return b
	case n > 5 && strings.HasSuffix(s, "ied"):
		return append(b[:n-3], 'y')
	case n > 5 && strings.HasSuffix(s, "ing"):
		b = b[:n-3]
	case n > 4 && strings.HasSuffix(s, "ed"):
		b = b[:n-2]
	case n > 4 && s[n-1] == 'e':
		return b[:n-1]
	default:
		return b
	}
	// stopped, running
	if n := len(b); n > 3 && b[n-1] == b[n-2] && !strings.ContainsRune("aeiouls", rune(b[n-1])) {
		b = b[:n-1]
	}
	return b
}
