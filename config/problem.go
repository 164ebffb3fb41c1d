package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Problem is one thing that is wrong, with its place and its remedy.
type Problem struct {
	File string
	Line int    // 1 is the first; 0 when it is about the file as a whole
	Key  string // as in "fetch.timeout", "outlet.feed.url"; "" for the file
	Text string // what is wrong, and what would be right
}

func (p Problem) String() string {
	s := p.File
	if p.Line > 0 {
		s = fmt.Sprintf("%s:%d", s, p.Line)
	}
	if p.Key != "" {
		s += ": " + p.Key
	}
	return s + ": " + p.Text
}

// Errors is all that is wrong with a configuration.
type Errors []Problem

// Error has one line for each problem.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, p := range e {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Sorted returns the problems by file and line, each once.
func (e Errors) Sorted() Errors {
	e = slices.Clone(e)
	slices.SortStableFunc(e, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
	return slices.Compact(e)
}

// place is where a key stands.
type place struct {
	file string
	line int
	key  string // as shown to people, without indexes, where it differs from the path
	raw  string // of a string: as written, before "${NAME}" is replaced
}

// Problem makes a problem of the key at path: "fetch.schedule",
// "outlet[0].feed[1].schedule", "section[2].where", "section[2].include[0]", with
// the indexes of Outlets, Feeds, Sections. A key that is not written is placed
// where its value comes from, else at the block that could have it.
func (c *Config) Problem(path, text string) Problem {
	shown := index.ReplaceAllString(path, "")
	for at := path; ; {
		if p, ok := c.places[at]; ok {
			if at == path && p.key != "" {
				shown = p.key
			}
			return Problem{File: p.file, Line: max(p.line, 1), Key: shown, Text: text}
		}
		if at == "" {
			return Problem{Key: shown, Text: text}
		}
		at = at[:max(0, strings.LastIndexAny(at, ".["))]
	}
}

var index = regexp.MustCompile(`\[\d+\]`)
