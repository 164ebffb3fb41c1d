package fetch

import (
	"bufio"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

type conformanceCase struct {
	File, Category, Description string
	ContentType                 string `json:"content_type"`
	Base                        string
	Checks                      []struct {
		Path  []any
		Op    string
		Value any
	}
}

// TestConformance holds our reading of the feedparser project's documents against what feedparser reads in
// them, for the fields that an aggregator needs.
func TestConformance(t *testing.T) {
	dir := filepath.Join(sharedData, "conformance/feedparser")
	file, err := os.Open(filepath.Join(dir, "cases.jsonl"))
	if err != nil {
		t.Skip("needs the project's data in ../shared/data")
	}
	defer file.Close()
	type tally struct{ held, all int }
	counts := map[string]*tally{}
	count := func(category string, held bool) {
		for _, c := range []string{category, "all"} {
			if counts[c] == nil {
				counts[c] = new(tally)
			}
			counts[c].all++
			if held {
				counts[c].held++
			}
		}
	}
	parsed, documents := 0, 0
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
		if c.Base != "" {
			base, _ = url.Parse(c.Base)
		}
		d, err := parseDocument(body, c.ContentType, base)
		documents++
		if err == nil {
			parsed++
		} else if testing.Verbose() {
			t.Logf("%s: %v", c.File, err)
		}
		if d == nil {
			d = &document{}
		}
		checkDocument(t, c.File, d)
		if c.Category == "sanitize" {
			continue
		}
		for _, check := range c.Checks {
			got, ok := lookUp(d, check.Path)
			if !ok {
				continue
			}
			held := slices.ContainsFunc(got, func(g string) bool { return sameField(g, check.Value, base) })
			count(c.Category, held)
			if !held && testing.Verbose() {
				t.Logf("%s %v: %q, want %v", c.File, check.Path, got, check.Value)
			}
		}
	}
	for _, c := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%-16s %4d of %4d", c, counts[c].held, counts[c].all)
	}
	t.Logf("parsed %d of %d", parsed, documents)
	if all := counts["all"]; 100*all.held < 95*all.all || 1000*parsed < 996*documents {
		t.Error("fewer than 95 % of the checks hold, or fewer documents are read than feedparser reads")
	}
}

// lookUp returns what we have for a path of a check; false for fields that an aggregator does not need.
func lookUp(d *document, path []any) ([]string, bool) {
	if path[0] == "feed" && len(path) > 1 {
		switch path[1] {
		case "title":
			return []string{d.Title}, len(path) == 2
		case "link":
			return []string{d.Link}, true
		case "id":
			return []string{d.ID}, true
		case "language":
			return []string{d.Language}, true
		case "updated_parsed":
			return []string{clock(d.Updated)}, true
		}
		return nil, false
	}
	if path[0] != "entries" || len(path) < 3 {
		return nil, false
	}
	n := int(path[1].(float64))
	var a struct {
		d   *document
		ok  bool
		all []string
	}
	if n >= len(d.Arrivals) {
		return nil, true
	}
	it, body := &d.Arrivals[n].Item, &d.Arrivals[n].Body
	rest := fmt.Sprint(path[3:]...)
	switch path[2] {
	case "title":
		a.all = []string{it.Title}
	case "link", "anylink":
		a.all = []string{it.Link}
	case "id":
		a.all = []string{it.GUID}
	case "summary":
		a.all = []string{body.Summary, body.Content}
	case "content":
		if !strings.HasSuffix(rest, "value") {
			return nil, false
		}
		a.all = []string{body.Content, body.Summary}
	case "published_parsed":
		a.all = []string{clock(body.Published)}
	case "updated_parsed":
		a.all = []string{clock(body.Updated), clock(body.Published)}
	case "author", "authors":
		for _, p := range it.Authors {
			a.all = append(a.all, p.Name, p.Email, p.URL, strings.TrimSpace(p.Name+" ("+p.Email+")"))
		}
	case "tags":
		for _, c := range it.Categories {
			a.all = append(a.all, c.Term, c.Scheme, c.Label)
		}
	case "enclosures":
		for _, e := range it.Enclosures {
			a.all = append(a.all, e.URL, e.Type, fmt.Sprint(e.Length))
		}
	case "language":
		a.all = []string{it.Language}
	case "comments":
		a.all = []string{body.Comments}
	case "image":
		a.all = []string{it.Image}
	default:
		return nil, false
	}
	return a.all, true
}

func clock(t time.Time) string {
	if t.IsZero() {
		return "<nil>"
	}
	t = t.UTC()
	return fmt.Sprint([]any{t.Year(), int(t.Month()), t.Day(), t.Hour(), t.Minute(), t.Second()})
}

var (
	spaces   = regexp.MustCompile(`\s+`)
	outerDiv = regexp.MustCompile(`^<div[^>]*>(.*)</div>$`)
	relAttr  = regexp.MustCompile(` rel="[^"]*"`)
)

func sameField(got string, want any, base *url.URL) bool {
	if want == nil {
		return got == "<nil>" || got == ""
	}
	w := fmt.Sprint(want)
	if got == w {
		return true
	}
	norm := func(s string) string {
		s = strings.TrimSpace(spaces.ReplaceAllString(s, " "))
		if m := outerDiv.FindStringSubmatch(s); m != nil {
			s = strings.TrimSpace(m[1])
		}
		s = relAttr.ReplaceAllString(s, "")
		return strings.TrimSuffix(html.UnescapeString(s), "/")
	}
	return norm(got) == norm(w) || norm(got) == norm(oneLine(plain(w), 10000))
}
