package store

import (
	"math"
	"strings"
)

// Marks say what kind of piece an item is: a report of something that happened, or something else about it. The words
// are English; what an address says is often the same everywhere.
type marks uint32

const (
	question marks = 1 << iota
	explainer
	opinion
	live
	digest   // several stories in one: a briefing, a quiz, a list, pictures of the day
	future   // what may or will happen
	speech   // what somebody says of it
	reaction // and means by it
	shown    // a film, pictures, a list: often more than a report, and not always
	capitals // the title has them where a sentence has none, so that they show no names

	stages   // from here on: steps of an affair
	arrested = stages << (iota - 10)
	charged
	pleads
	sentenced
	dies
	denies
	bans
	approves
	proposes
	resigns
	reopens
	rises
	falls
)

const stageMarks = ^(stages - 1)

// The words of a title that mark it, by stem.
var titleMarks = markTable(map[marks]string{
	question:  "who what why how when where which is are can should could does do did will would",
	explainer: "explained explainer guide timeline factbox faq myth",
	opinion:   "opinion analysis editorial comment column columnist perspective review letter essay oped",
	live:      "live liveblog",
	digest:    "briefing newsletter podcast quiz roundup headlines horoscope crossword weather gallery recap lottery recipe",
	shown:     "photos pictures things watch video ways tips best",
	future:    "to will may might could plan expected set likely expect poised hope consider prepare ahead would mull seek aim vow want",
	speech:    "say said tell told warn urge call claim insist demand ask fear admit",
	reaction: "slam rip blast praise condemn criticise criticize criticism backlash outrage react reaction respond mourn tribute defend accuse welcome back reject " +
		"blame apologise apologize support oppose hail mock vow threaten",
	arrested:  "arrest arrested detained custody nabbed",
	charged:   "charge charged indicted accused sue sued lawsuit",
	pleads:    "plead pleaded guilty convicted acquitted cleared verdict trial court",
	sentenced: "sentence sentenced jailed prison jail freed released",
	dies:      "die dead death killed kill dy deaths obituary",
	denies:    "deny denies refuse dismiss",
	bans:      "ban block suspend halt close shut cancel postpone scrap",
	approves:  "approve pass sign authorise authorize agree clear",
	proposes:  "propose unveil announce introduce offer plan",
	resigns:   "resign quit fired sacked oust steps step",
	reopens:   "reopen resume restart ease lift open return",
	rises:     "rise jump surge soar climb rally gain record grow top exceed pass",
	falls:     "fall drop plunge slump decline tumble slide sink ease cut lose",
})

// The words of an address that mark its item.
var pathMarks = map[string]marks{
	"opinion": opinion, "opinions": opinion, "commentisfree": opinion, "analysis": opinion, "editorial": opinion, "editorials": opinion,
	"columnists": opinion, "columns": opinion, "blogs": opinion, "blog": opinion, "review": opinion, "reviews": opinion, "letters": opinion,
	"op-ed": opinion, "perspectives": opinion, "comment": opinion, "ideas": opinion,
	"live": live, "live-news": live, "liveblog": live, "live-updates": live,
	"video": shown, "videos": shown, "gallery": digest, "galleries": digest, "pictures": digest, "in-pictures": digest, "photos": digest,
	"podcast": digest, "podcasts": digest, "newsletter": digest, "newsletters": digest, "briefing": digest, "quiz": digest, "av": digest,
	"explainers": explainer, "interactive": explainer, "factcheck": explainer,
}

// Phrases of a title, in lower case.
var phraseMarks = []struct {
	phrase string
	mark   marks
}{
	{"what we know", explainer}, {"need to know", explainer}, {"what to know", explainer}, {"what you should", explainer}, {"here's ", explainer},
	{"fact check", explainer}, {"q&a", explainer}, {"everything you", explainer}, {"the story of", explainer}, {"inside ", explainer},
	{"as it happened", live}, {"live updates", live}, {"latest updates", live}, {"updates:", live}, {"live:", live},
	{"at a glance", digest}, {"in pictures", digest}, {"week in", digest}, {"this week", digest}, {"to watch", digest}, {"morning edition", digest},
	{"today's", digest}, {"day in", digest}, {"news brief", digest}, {"top stories", digest}, {"the latest", digest},
	{"hits back", reaction}, {"hit back", reaction}, {"calls for", reaction}, {"speaks out", reaction}, {"'s response", reaction},
	{"update as", digest}, {"evening update", digest}, {"morning update", digest}, {"tip sheet", digest}, {"the papers:", digest}, {"newspaper headlines", digest}, {"key findings", explainer}, {"obituary:", explainer},
	{"set to", future}, {"ahead of", future}, {"preview", future}, {"how to watch", digest},
}

func markTable(words map[marks]string) map[string]marks {
	table := map[string]marks{}
	for mark, list := range words {
		for w := range strings.FieldsSeq(list) {
			table[string(stemEnglish([]byte(w)))] |= mark
		}
	}
	return table
}

// marksOf reads the marks of an item. Only the first word of a title asks a question.
func marksOf(title, text, link string, english bool) (m marks) {
	if t := strings.TrimSpace(title); strings.HasSuffix(t, "?") || strings.HasSuffix(t, "？") || strings.HasSuffix(t, "؟") {
		m |= question
	}
	if _, rest, ok := strings.Cut(link, "://"); ok {
		path, _, _ := strings.Cut(rest, "?")
		for segment := range strings.SplitSeq(strings.ToLower(path), "/") {
			m |= pathMarks[segment]
		}
	}
	if !english {
		return m
	}
	if strings.Contains(text, "things you need to know") || strings.Contains(text, "tip sheet") {
		m |= digest
	}
	lower := strings.ToLower(title)
	for _, p := range phraseMarks {
		if strings.Contains(lower, p.phrase) {
			m |= p.mark
		}
	}
	first := true
	for w := range strings.FieldsFuncSeq(lower, func(r rune) bool { return r < 'a' || r > 'z' }) {
		found := titleMarks[string(stemEnglish([]byte(w)))]
		if !first {
			found &^= question
		} else if found&question != 0 && m&question == 0 {
			found = found&^question | explainer // how something came to be, why it matters
		}
		m |= found
		first = false
	}
	if strings.Contains(lower, " | ") {
		m |= digest
	}
	if strings.Contains(lower, ";") {
		m |= shown
	}
	return m
}

// smallWords hold sentences together and tell no two apart.
var smallWords = set("a an the and or but nor of in on at by for from to into onto with as is are was were be been being am it its it's this that these " +
	"those there here he she they we you his her their our your my him them us me i who whom whose which what when where why how has have had having do does " +
	"did done will would can could shall should may might must if then than so such too very just also about over after before between under out up down off " +
	"through during while because until since more most some any all both each other s t don't doesn't didn't can't won't isn't aren't i'm we're they're you're")

// commonEnglish are stems that any English outlet uses, whatever happens, and the share of the items that have them.
var commonEnglish = wordTable(commonWords)

func wordTable(classes map[int]string) map[string]float64 {
	table := map[string]float64{}
	for class, list := range classes {
		for w := range strings.FieldsSeq(list) {
			table[w] = math.Ldexp(1, class-10)
		}
	}
	return table
}

// priors are the same by the words' hashes.
var priors = priorTable()

func priorTable() map[word]float32 {
	table := map[word]float32{}
	for w, share := range commonEnglish {
		var one words
		one.add([]byte(w), 0)
		table[one.list[0].stem()] = float32(share)
	}
	return table
}

// numerals are the numbers that outlets write as words, one so and another so.
var numerals = map[string]string{"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8",
	"nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "dozen": "12", "hundred": "100"}

func set(list string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		m[strings.ReplaceAll(w, "'", "")] = true
	}
	return m
}

// looksEnglish reports whether a text without a stated language has as many of English's small words as English has.
func looksEnglish(text string) bool {
	if !ascii(strings.NewReplacer("’", "", "‘", "", "“", "", "”", "", "–", "", "—", "", "…", "", "\u00a0", "").Replace(text)) {
		return false
	}
	all, small := 0, 0
	for w := range strings.FieldsSeq(text) {
		all++
		if onlyEnglish[strings.ToLower(w)] {
			small++
		}
	}
	return small >= 2 && all <= 9*small
}

// onlyEnglish are small words that no other language of these letters has.
var onlyEnglish = set("the and of with from by for that this are was were has have had its his their they who which will would after over about " +
	"not been says said new more than into out when what how it is at but")
