package fetch

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What of the feedparser project's suite we hold; the figures may only rise. They are of the half that is in
// ../shared/data; another folder has others.
const (
	floorParsed = 1063 // of 1063
	floorFields = 407  // of 413
)

// A conformanceCase is a line of cases.jsonl: a document, how it was sent, and what must come out (DATA.md).
type conformanceCase struct {
	File, Category string
	ContentType    string `json:"content_type"`
	Base           string
	Checks         []conformanceCheck
}

type conformanceCheck struct {
	Path  []any
	Op    string
	Value any
}

func (c *conformanceCheck) String() string {
	path := make([]string, len(c.Path))
	for i, p := range c.Path {
		path[i] = fmt.Sprint(p)
	}
	return fmt.Sprintf("%s %s %q", strings.Join(path, "."), c.Op, fmt.Sprint(c.Value))
}

// TestConformance reads a folder of documents with what a liberal parser reads in them, and counts how many of these
// documents are read, how many of the fields that an aggregator needs are as they must be, and how many documents get
// something active through. The folder is BROADSHEET_CONFORMANCE, else the feedparser project's suite in ../shared.
func TestConformance(t *testing.T) {
	dir := cmp.Or(os.Getenv("BROADSHEET_CONFORMANCE"), filepath.Join(sharedData, "conformance/feedparser"))
	file, err := os.Open(filepath.Join(dir, "cases.jsonl"))
	if err != nil {
		t.Skip("needs a folder of conformance cases: ../shared/data, or set BROADSHEET_CONFORMANCE")
	}
	defer file.Close()
	parsed, fields, strictly, others, items, unsafe := tally{}, tally{}, tally{}, tally{}, tally{}, tally{}
	rules := map[string]int{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c conformanceCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		body, err := os.ReadFile(filepath.Join(dir, c.File))
		if err != nil {
			t.Fatal(err)
		}
		base, _ := url.Parse("http://127.0.0.1:8097/" + c.File)
		if strings.HasPrefix(c.Base, "http") { // nothing comes from anywhere else
			if base, err = url.Parse(c.Base); err != nil {
				t.Fatal(err)
			}
		}
		d, err := parseDocument(body, c.ContentType, base)
		if parsed.count(c.Category, err == nil); err != nil {
			logVerbose(t, "%s: not parsed: %v", c.File, err)
			d = &document{}
		}
		checkDocument(t, c.File, d)
		if c.Category == "illformed" {
			whole := countItems(body)
			if items.count(c.Category, len(d.Arrivals) >= whole); len(d.Arrivals) < whole {
				logVerbose(t, "%s: %d items of %d", c.File, len(d.Arrivals), whole)
			}
		}
		if c.Category == "sanitize" {
			found := active(d)
			if unsafe.count(c.Category, found != ""); found != "" {
				t.Errorf("%s: %s", c.File, found)
			}
			continue
		}
		for _, check := range c.Checks {
			got, kind := lookUp(d, check.Path)
			if kind == "" {
				continue
			}
			rule := holds(&check, got, kind, base)
			rules[rule]++
			held := rule != ""
			if needed(&check) {
				fields.count(c.Category, held)
				strictly.count(c.Category, held && !slices.Contains([]string{byRel, byText, byMoment, byLanguage, byURI, byID}, rule))
			} else {
				others.count(c.Category, held)
			}
			if !held {
				logVerbose(t, "%s: %s: got %q", c.File, &check, got)
			}
		}
	}
	logVerbose(t, "%-16s %9s %11s %9s", "category", "parsed", "fields", "others")
	for _, c := range slices.Sorted(maps.Keys(parsed)) {
		logVerbose(t, "%-16s %9s %11s %9s", c, parsed.of(c), fields.of(c), others.of(c))
	}
	logVerbose(t, "held by: %v", rules)
	for _, kind := range []struct{ name, category string }{{"relative links", "base"}, {"encodings", "encoding"}, {"odd dates", "date"}} {
		t.Logf("%s: parsed %s, aggregator fields %s", kind.name, parsed.of(kind.category), fields.of(kind.category))
	}
	t.Logf("by DATA.md's rules alone, without what our contract makes differ: aggregator fields %s", strictly.of(""))
	t.Logf("ill-formed: parsed %s, every complete item kept in %s", parsed.of("illformed"), items.of("illformed"))
	t.Logf("conformance: parsed %s, aggregator fields %s, unsafe %s", parsed.of(""), fields.of(""), unsafe.of(""))
	if os.Getenv("BROADSHEET_CONFORMANCE") == "" && (parsed[""].held < floorParsed || fields[""].held < floorFields) {
		t.Errorf("fewer than before: %d documents, %d fields", floorParsed, floorFields)
	}
}

// logVerbose is for what only who looks for it wants to see.
func logVerbose(t *testing.T, format string, args ...any) {
	t.Helper()
	if testing.Verbose() {
		t.Logf(format, args...)
	}
}

// A tally counts by category; "" is all of them.
type tally map[string]*struct{ held, all int }

func (t tally) count(category string, held bool) {
	for _, c := range []string{category, ""} {
		if t[c] == nil {
			t[c] = &struct{ held, all int }{}
		}
		t[c].all++
		if held {
			t[c].held++
		}
	}
}

func (t tally) of(category string) string {
	if t[category] == nil {
		return "0/0"
	}
	return fmt.Sprintf("%d/%d", t[category].held, t[category].all)
}

// needed reports whether a check is of a field that DATA.md counts among those of an aggregator: titles, links, ids,
// dates, summaries, contents, authors, tags, enclosures, languages, titles of sources.
func needed(c *conformanceCheck) bool {
	field := c.Path[1]
	if c.Path[0] == "entries" {
		field = c.Path[2]
	}
	switch field {
	case "rights", "image", "comments", "source_href":
		return false
	}
	return true
}
