package publish

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"broadsheet/store"
)

// A filter says which items a section admits, by what their heads tell. What its condition wants to
// know besides (bodies, stories) the chooser reads.
type filter struct {
	section  Section
	roster   *roster
	from     map[*Feed]bool // nil: every feed
	outlets  []string       // of the feeds in from; nil: all
	include  []pattern
	exclude  []pattern
	where    *condition // nil: true
	location *time.Location
}

// newFilter compiles what s says. With a nil roster only what s says by itself is checked.
func newFilter(s Section, r *roster) (*filter, []Problem) {
	f := &filter{section: s, roster: r}
	var problems []Problem
	compile := func(key string, words []string) (out []pattern) {
		for i, w := range words {
			p, err := newPattern(w)
			if err != nil {
				problems = append(problems, Problem{fmt.Sprintf("%s[%d]", key, i), err.Error()})
				continue
			}
			out = append(out, p)
		}
		return out
	}
	f.include = compile("include", s.Include)
	f.exclude = compile("exclude", s.Exclude)
	if strings.TrimSpace(s.Where) != "" {
		c, err := newCondition(s.Where)
		if err != nil {
			problems = append(problems, Problem{"where", err.Error()})
		}
		f.where = c
	}
	if r != nil && len(s.From) > 0 {
		f.from = map[*Feed]bool{}
		for i, name := range s.From {
			if !f.take(name) {
				problems = append(problems, Problem{fmt.Sprintf("from[%d]", i),
					fmt.Sprintf("no outlet, tag or feed is called %q; write an outlet's id, \"tag:\" and a tag, or a feed's address", name)})
			}
		}
		f.outlets = []string{}
		for _, o := range r.outlets {
			if slices.ContainsFunc(r.byID[o.ID].feeds(), func(x *Feed) bool { return f.from[x] }) {
				f.outlets = append(f.outlets, o.ID)
			}
		}
	}
	return f, problems
}

// take adds the feeds that an entry of from names, and reports whether it names any.
func (f *filter) take(entry string) bool {
	found := false
	for i := range f.roster.outlets {
		o := &f.roster.outlets[i]
		for _, feed := range o.feeds() {
			if names(entry, o, feed) {
				f.from[feed], found = true, true
			}
		}
		found = found || entry == o.ID // an outlet without feeds is known all the same
	}
	return found
}

func (o *Outlet) feeds() []*Feed {
	out := make([]*Feed, len(o.Feeds))
	for i := range o.Feeds {
		out[i] = &o.Feeds[i]
	}
	return out
}

// interval is the median pause between two polls of the feeds that the section is made of; an hour if
// that is not known.
func (f *filter) interval() time.Duration {
	var all []time.Duration
	for i := range f.roster.outlets {
		for _, feed := range f.roster.outlets[i].feeds() {
			if !feed.Private && feed.Interval > 0 && (f.from == nil || f.from[feed]) {
				all = append(all, feed.Interval)
			}
		}
	}
	if len(all) == 0 {
		return time.Hour
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// carrier returns the outlet of it and its first feed that the section draws on; nil if there is none.
func (f *filter) carrier(it *store.Item) (*Outlet, *Feed) {
	o, feeds := f.roster.carriers(it)
	for _, feed := range feeds {
		if f.from == nil || f.from[feed] {
			return o, feed
		}
	}
	return nil, nil
}

// A ruling is what a filter says of an item, and which key decided.
type ruling struct {
	in    bool
	key   string // "outlet", "feed", "republish" are the roster's; the others are keys of the section
	entry int    // of the key's list; -1 if it is none of them
}

// admits reports whether the section admits an item, but for its condition.
func (f *filter) admits(it *store.Item) bool { return f.rule(it).in }

// rule decides about an item, but for the condition.
func (f *filter) rule(it *store.Item) ruling {
	o, feed := f.carrier(it)
	if feed == nil {
		return f.refusal(it)
	}
	switch language := languageOf(it, o); {
	case f.speaks(language):
	case language == "":
		return ruling{false, "languages_unknown", -1}
	default:
		return ruling{false, "languages", -1}
	}
	if len(f.include) == 0 && len(f.exclude) == 0 {
		return ruling{true, "from", -1}
	}
	texts := [2]prepared{prepare(it.Title), prepare(it.Lead)}
	found := func(p pattern) bool { return p.in(texts[0]) || p.in(texts[1]) }
	included := -1
	if len(f.include) > 0 {
		if included = slices.IndexFunc(f.include, found); included < 0 {
			return ruling{false, "include", -1}
		}
	}
	if i := slices.IndexFunc(f.exclude, found); i >= 0 {
		return ruling{false, "exclude", i}
	}
	if included >= 0 {
		return ruling{true, "include", included}
	}
	return ruling{true, "from", -1}
}

// refusal says why none of an item's feeds is one that the section draws on.
func (f *filter) refusal(it *store.Item) ruling {
	o := f.roster.byID[it.Outlet]
	if o == nil {
		return ruling{false, "outlet", -1}
	}
	if f.roster.withdrawn.item(it, o) {
		return ruling{false, "withdraw", -1}
	}
	if _, public := f.roster.carriers(it); len(public) > 0 {
		return ruling{false, "from", -1}
	}
	if slices.ContainsFunc(it.Feeds, func(address string) bool { return o.feed(address) != nil }) {
		return ruling{false, "republish", -1}
	}
	return ruling{false, "feed", -1}
}

// entry is the first entry of from that names a feed of an outlet; -1 if the section draws on every outlet.
func (f *filter) entry(o *Outlet, feed *Feed) int {
	return slices.IndexFunc(f.section.From, func(name string) bool { return names(name, o, feed) })
}

// names reports whether an entry of from names a feed.
func names(entry string, o *Outlet, feed *Feed) bool {
	if tag, ok := strings.CutPrefix(entry, "tag:"); ok {
		return slices.Contains(o.Tags, tag) || slices.Contains(feed.Tags, tag)
	}
	return entry == o.ID || entry == feed.URL || entry == feed.Shown
}

// languageOf is what the item or its feed states, else its outlet, else what its text tells; "" if it is unknown.
func languageOf(it *store.Item, o *Outlet) string {
	return cmp.Or(it.Language, o.Language, it.Detected)
}

// speaks reports whether a language is in one of the section's ranges (RFC 4647 §3.3.1).
func (f *filter) speaks(language string) bool {
	switch {
	case language == "":
		return f.section.LanguagesUnknown != "drop"
	case len(f.section.Languages) == 0:
		return true
	}
	language = strings.ReplaceAll(language, "_", "-")
	return slices.ContainsFunc(f.section.Languages, func(r string) bool {
		return strings.EqualFold(language, r) ||
			len(language) > len(r) && language[len(r)] == '-' && strings.EqualFold(language[:len(r)], r)
	})
}

// A pattern is one entry of include or exclude: a word or phrase, or an expression.
type pattern struct {
	words      string         // folded; used when expression is nil
	expression *regexp.Regexp // over the text as it is, without regard to case
}

// newPattern reads "word", "several words" or "/RE2/".
func newPattern(s string) (pattern, error) {
	if len(s) > 1 && s[0] == '/' && s[len(s)-1] == '/' {
		re, err := regexp.Compile("(?i)" + s[1:len(s)-1])
		if err != nil {
			return pattern{}, fmt.Errorf("%q is no RE2 expression (%w); see https://github.com/google/re2/wiki/Syntax", s, err)
		}
		if re.MatchString("") {
			return pattern{}, fmt.Errorf("%q matches every text; write an expression that needs at least one character", s)
		}
		return pattern{expression: re}, nil
	}
	if expressionWithFlags.MatchString(s) {
		return pattern{}, fmt.Errorf(`%q has flags behind its expression; case never matters, other flags stand inside: "/(?s)…/"`, s)
	}
	words := fold(s)
	if words == "" {
		return pattern{}, fmt.Errorf("%q is no word; write a word, a phrase or an /expression/", s)
	}
	return pattern{words: words}, nil
}

// expressionWithFlags is how other programs write an expression. As a word it would never be found.
var expressionWithFlags = regexp.MustCompile(`^/.+/[gimsuxU]+$`)

// prepared is a text to look in.
type prepared struct{ text, folded string }

func prepare(s string) prepared { return prepared{s, fold(s)} }

// fold makes texts that a reader takes for the same equal: case, composed letters, curly apostrophes,
// kinds of space.
func fold(s string) string {
	s = norm.NFC.String(s)
	out := make([]byte, 0, len(s)+8)
	space := false
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf { // most are
			i++
			if c <= ' ' {
				space = len(out) > 0
				continue
			}
			if space {
				out = append(out, ' ')
				space = false
			}
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			out = append(out, c)
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		switch {
		case unicode.IsSpace(r):
			space = len(out) > 0
			continue
		case r == '’' || r == 'ʼ':
			r = '\''
		case r == 'ς':
			r = 'σ'
		case r == '\u200c' || r == '\u200d' || r == '\u00ad':
			continue // joiners and soft hyphens are not seen
		default:
			r = unicode.ToLower(r)
		}
		if space {
			out = append(out, ' ')
			space = false
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}

// in reports whether the pattern stands in a text; words as whole words.
func (p pattern) in(t prepared) bool {
	if p.expression != nil {
		return p.expression.MatchString(t.text)
	}
	for from := 0; ; {
		i := strings.Index(t.folded[from:], p.words)
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+len(p.words)
		if wordEdge(t.folded[:start], t.folded[start:]) && wordEdge(t.folded[:end], t.folded[end:]) {
			return true
		}
		_, size := utf8.DecodeRuneInString(t.folded[start:])
		from = start + size
	}
}

// wordEdge reports whether a word may end or begin between two parts of a text.
func wordEdge(before, after string) bool {
	if before == "" || after == "" {
		return true
	}
	b, _ := utf8.DecodeLastRuneInString(before)
	a, _ := utf8.DecodeRuneInString(after)
	return !inWord(b) || !inWord(a) || unspaced(b) || unspaced(a)
}

func inWord(r rune) bool { return unicode.In(r, unicode.L, unicode.M, unicode.N) }

// unspaced reports whether a rune is of a script that puts no spaces between words.
func unspaced(r rune) bool {
	return r > 0xe00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai,
		unicode.Lao, unicode.Khmer, unicode.Myanmar, unicode.Tibetan, unicode.Javanese, unicode.Balinese)
}
