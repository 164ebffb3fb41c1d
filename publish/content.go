package publish

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"broadsheet/store"
)

// The kinds of content that may be published of an outlet, the strictest last. Full is what its own feed carries;
// an excerpt is the beginning of its text, without markup, and its picture and files, which readers get from the
// outlet; of a title there is the link beside it and nothing to read, see or hear.
var contents = []string{"full", "excerpt", "title"}

// stricter returns the stricter one of two kinds of content; "" is full.
func stricter(a, b string) string {
	return contents[max(slices.Index(contents, a), slices.Index(contents, b), 0)]
}

// restrict leaves of e what its kind of content permits. Who wrote it, where it stands and who has the rights
// always stay, and so do its dates: a policy is no edit.
func (e *listed) restrict(content string) {
	switch content {
	case "excerpt":
		e.Summary, e.Content = excerpt(plain(e.Summary)), ""
		if e.Summary != "" {
			e.Summary = "<p>" + escapeText.Replace(e.Summary) + "</p>"
		}
	case "title":
		*e = listed{
			ID: e.ID, GUID: e.GUID, Title: e.Title, Link: e.Link, Language: e.Language, Authors: e.Authors, Tags: e.Tags, Comments: e.Comments,
			Rights: e.Rights, License: e.License, Published: e.Published, Updated: e.Updated, Outlet: e.Outlet, Feed: e.Feed, Source: e.Source, Via: e.Via,
		}
		e.Pictures, e.Podcast = nil, store.Podcast{}
	}
}

// excerptLength is how much of a text an excerpt has at most, in characters: some fifty words.
const excerptLength = 300

// excerpt cuts a plain text at the last end of a sentence that excerptLength leaves, between words if there is none.
func excerpt(s string) string {
	if utf8.RuneCountInString(s) <= excerptLength {
		return s
	}
	head, end := string([]rune(s)[:excerptLength]), 0
	for i, r := range head {
		if !strings.ContainsRune(sentenceEnds, r) {
			continue
		}
		after := strings.TrimLeftFunc(s[i+utf8.RuneLen(r):], closes) // what closes goes along
		if to := len(s) - len(after); to <= len(head) && endsSentence(s[:i], r, after) {
			end = to
		}
	}
	if end > 0 {
		return s[:end]
	}
	return shorten(s, excerptLength-1)
}

// closes reports whether a rune ends a quotation or a parenthesis.
func closes(r rune) bool { return unicode.In(r, unicode.Pe, unicode.Pf) || r == '"' || r == '\'' }

const sentenceEnds = ".!?…。！？｡؟۔।॥።"

// endsSentence reports whether a sentence ends with the mark between two parts of a text. A full stop may belong to
// a number, an initial or an abbreviation.
func endsSentence(before string, mark rune, after string) bool {
	if mark > 0x3000 || mark == '｡' { // of a script that puts no spaces between sentences
		return true
	}
	next, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(after, unicode.IsSpace))
	if after != "" && (!strings.HasPrefix(after, " ") || unicode.IsLower(next)) {
		return false
	}
	if mark != '.' {
		return true
	}
	word := before[strings.LastIndexByte(before, ' ')+1:]
	return utf8.RuneCountInString(strings.TrimLeftFunc(word, unicode.IsPunct)) > 1 && !strings.Contains(word, ".") &&
		!slices.Contains(abbreviations, strings.ToLower(word))
}

// abbreviations after which a name or number is expected rather than a new sentence.
var abbreviations = []string{"mr", "mrs", "ms", "dr", "prof", "gen", "sen", "rep", "gov", "lt", "col", "sgt", "st", "no", "nr", "vs", "approx", "jan", "feb", "aug", "sept", "oct", "nov", "dec"}
