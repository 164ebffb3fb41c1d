package fetch

import (
	"cmp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/RadhiFadlillah/whatlanggo"
	tags "golang.org/x/text/language"

	"broadsheet/store"
)

// What is written of an item's language is believed, unless the text is plainly in letters of another one: feeds whose
// template says "en" and whose items are in Cyrillic are common. Where nobody says anything, the text is asked.

const (
	languageText = 400 // bytes of title and lead that are looked at; more changes nothing
	fewLetters   = 40  // below which trigrams tell little
	fewSigns     = 10  // the same, where the script is that of one language
	surely       = 0.3 // of whatlanggo's confidence, from which on it is believed
	doubtFrom    = 20  // letters from which on a statement may be doubted
)

// settleLanguage sets what an item's language is held for. outlet is that of its outlet, "" if it is not configured.
func settleLanguage(it *store.Item, outlet string) {
	if it.Language == "" && outlet != "" {
		it.Detected = outlet
		return
	}
	text := it.Title + "\n" + it.Lead
	for len(text) > languageText {
		text = text[:languageText]
		for !utf8.ValidString(text[max(0, len(text)-utf8.UTFMax):]) {
			text = text[:len(text)-1]
		}
	}
	if it.Language != "" {
		if !contradicts(text, it.Language) {
			return
		}
		it.Language = ""
	}
	it.Detected = cmp.Or(outlet, detectLanguage(text))
}

// detectLanguage tells what language a text is in; "" if that is unclear.
func detectLanguage(text string) string {
	n := lettersOf(text)
	switch {
	case n.of[kana] > 0 && n.of[kana]+n.of[han] >= fewSigns && n.of[kana]*8 >= n.of[han]:
		return "ja" // whose texts may be mostly in the signs of Chinese
	case n.all < fewSigns, n.all < fewLetters && n.of[latin]+n.of[cyrillic]+n.of[arabic]+n.of[hebrew]+n.of[devanagari] > n.all/2:
		return ""
	}
	if n.of[cyrillic] > n.all/2 {
		if told := slavic(text); told != "" {
			return told
		}
	}
	found := whatlanggo.Detect(text)
	if found.Confidence < surely {
		return ""
	}
	return found.Lang.Iso6391()
}

// slavic tells Cyrillic languages by the letters that only some of them have, which trigrams hardly do; "" if there are none,
// or of several.
func slavic(text string) string {
	has := func(letters string) bool { return strings.ContainsAny(text, letters) }
	russian, ukrainian, southern := has("ыэёЫЭЁ"), has("іїєґІЇЄҐ"), has("јљњџЈЉЊЏ")
	switch {
	case has("әғқңөұүһӘҒҚҢӨҰҮҺ"): // not Slavic
	case has("ўЎ") && !southern:
		return "be"
	case russian && !ukrainian && !southern:
		return "ru"
	case ukrainian && !russian && !southern:
		return "uk"
	case southern && !russian && !ukrainian:
		if has("ѓќѕЃЌЅ") {
			return "mk"
		}
		return "sr"
	case has("ъЪ") && !russian && !ukrainian && !southern:
		return "bg"
	}
	return ""
}

// A script is a set of letters that a reader knows or does not.
type script int

const (
	latin script = iota
	cyrillic
	greek
	arabic
	hebrew
	devanagari
	han
	kana
	hangul
	thai
	others
	scripts
)

var tables = [others]*unicode.RangeTable{latin: unicode.Latin, cyrillic: unicode.Cyrillic, greek: unicode.Greek, arabic: unicode.Arabic,
	hebrew: unicode.Hebrew, devanagari: unicode.Devanagari, han: unicode.Han, kana: unicode.Hiragana, hangul: unicode.Hangul, thai: unicode.Thai}

// letters counts those of a text by script.
type letters struct {
	all int
	of  [scripts]int
}

func lettersOf(text string) (n letters) {
	for _, r := range text {
		switch {
		case 'a' <= r|0x20 && r|0x20 <= 'z':
			n.of[latin]++
		case r < utf8.RuneSelf || !unicode.IsLetter(r):
			continue
		default:
			n.of[scriptOf(r)]++
		}
		n.all++
	}
	return n
}

func scriptOf(r rune) script {
	if unicode.Is(unicode.Katakana, r) {
		return kana
	}
	for s, table := range tables {
		if unicode.Is(table, r) {
			return script(s)
		}
	}
	return others
}

// written are the scripts by their names in language tags. Languages of other scripts are never doubted.
var written = map[string][]script{"Latn": {latin}, "Cyrl": {cyrillic}, "Grek": {greek}, "Arab": {arabic}, "Hebr": {hebrew}, "Deva": {devanagari},
	"Hans": {han}, "Hant": {han}, "Hani": {han}, "Jpan": {han, kana}, "Kore": {hangul, han}, "Thai": {thai}}

// bothWays are languages that are written in more than one of the scripts.
const bothWays = " az bs ha kk ku ky mn ms pa ro sd sh sr tg tk tt ug uz "

// contradicts reports whether a text cannot be in a language: hardly one of its letters is of a script in which that is written.
func contradicts(text, language string) bool {
	base, _, _ := strings.Cut(language, "-")
	if strings.Contains(bothWays, " "+base+" ") {
		return false
	}
	n := lettersOf(text)
	if n.all < doubtFrom {
		return false
	}
	usual, _ := tags.Make(language).Script()
	own := written[usual.String()]
	if own == nil {
		return false
	}
	share := 0
	for _, s := range own {
		share += n.of[s]
	}
	return share*20 < n.all
}
