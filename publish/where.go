package publish

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"broadsheet/store"
)

// facts is what an expression may ask of an item. PRODUCT.md lists the names.
type facts struct {
	Title      string      `expr:"title"`
	Summary    string      `expr:"summary"` // HTML
	Content    string      `expr:"content"` // HTML
	Text       string      `expr:"text"`    // title, summary and content as plain text
	Link       string      `expr:"link"`
	Host       string      `expr:"host"` // of the link, in lower case
	Outlet     string      `expr:"outlet"`
	Feed       string      `expr:"feed"`
	Tags       []string    `expr:"tags"`
	Categories []string    `expr:"categories"`
	Authors    []string    `expr:"authors"`
	Language   string      `expr:"language"`
	Published  time.Time   `expr:"published"`
	Words      int         `expr:"words"`
	Enclosures []enclosure `expr:"enclosures"`
	Coverage   int         `expr:"coverage"`
}

type enclosure struct {
	URL    string `expr:"url"`
	Type   string `expr:"type"`
	Length int64  `expr:"length"` // bytes; 0 if unknown
}

// memoryBudget bounds what one run may allocate, in the values that expr counts: enough to split a
// long text into words, too little for a program that builds lists of lists.
const memoryBudget = 1e6

// A condition is a compiled expression.
type condition struct {
	program *vm.Program
	bodies  bool // asks for summary, content or text
	stories bool // asks for coverage

	mu      sync.Mutex // guards machine: archives are rendered while sections are chosen
	machine vm.VM
}

// newCondition compiles an expression that must yield true or false.
func newCondition(source string) (*condition, error) {
	names := mentions{}
	program, err := expr.Compile(source,
		expr.Env(facts{}),
		expr.AsBool(), expr.WarnOnAny(),
		expr.DisableBuiltin("now"), // documents depend on what is stored, not on the time of day
		expr.Patch(names))
	if err != nil {
		return nil, explainError(source, err)
	}
	all := names["$env"]
	return &condition{
		program: program,
		machine: vm.VM{MemoryBudget: memoryBudget},
		bodies:  all || names["summary"] || names["content"] || names["text"],
		stories: all || names["coverage"],
	}, nil
}

// mentions collects the names in an expression.
type mentions map[string]bool

func (m mentions) Visit(node *ast.Node) {
	if n, ok := (*node).(*ast.IdentifierNode); ok {
		m[n.Value] = true
	}
}

// explainError says what is wrong with an expression on one line, and what there is to choose from.
func explainError(source string, err error) error {
	text, at := err.Error(), ""
	if fe := (*file.Error)(nil); errors.As(err, &fe) {
		text = fe.Message
		if strings.Contains(strings.TrimSpace(source), "\n") {
			at = fmt.Sprintf(" in line %d", fe.Line)
		}
		at += fmt.Sprintf(" at column %d", fe.Column+1)
	}
	text, _, _ = strings.Cut(text, "\n")
	if name, ok := strings.CutPrefix(text, "unknown name "); ok {
		text = fmt.Sprintf("unknown name %q%s", name, nearest(name))
	}
	return fmt.Errorf("%s%s; an expression over %s that yields true or false is wanted", text, at, strings.Join(factNames(), ", "))
}

func factNames() []string {
	t := reflect.TypeFor[facts]()
	names := make([]string, t.NumField())
	for i := range names {
		names[i] = t.Field(i).Tag.Get("expr")
	}
	return names
}

// nearest suggests the name that was meant.
func nearest(name string) string {
	best, least := "", 3
	for _, n := range factNames() {
		if d := distance(strings.ToLower(name), n); d < least {
			best, least = n, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

// distance is Levenshtein's: how many letters to add, drop or replace.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// holds runs the expression.
func (c *condition) holds(f *facts) (bool, error) {
	c.mu.Lock()
	out, err := c.machine.Run(c.program, *f)
	c.mu.Unlock()
	if err != nil {
		text, _, _ := strings.Cut(err.Error(), "\n")
		return false, errors.New(text)
	}
	yes, ok := out.(bool)
	if !ok {
		return false, fmt.Errorf("the expression yields %T", out)
	}
	return yes, nil
}

// facts gathers what an expression may ask. body may be nil where no expression asks for it.
func (f *filter) facts(it *store.Item, body *store.Body, coverage int) *facts {
	o, feed := f.carrier(it)
	out := &facts{
		Title: it.Title, Link: it.Link, Outlet: it.Outlet, Feed: feed.URL,
		Language: languageOf(it, o), Words: it.Words, Coverage: coverage,
		Published: it.Date.In(f.location), Tags: slices.Clone(o.Tags),
	}
	if u, err := url.Parse(it.Link); err == nil {
		out.Host = strings.ToLower(u.Hostname())
	}
	_, feeds := f.roster.carriers(it)
	for _, feed := range feeds {
		for _, t := range feed.Tags {
			if !slices.Contains(out.Tags, t) {
				out.Tags = append(out.Tags, t)
			}
		}
	}
	for _, c := range it.Categories {
		out.Categories = append(out.Categories, cmp.Or(c.Label, c.Term))
	}
	for _, a := range it.Authors {
		out.Authors = append(out.Authors, cmp.Or(a.Name, a.Email))
	}
	for _, e := range it.Enclosures {
		out.Enclosures = append(out.Enclosures, enclosure{e.URL, e.Type, e.Length})
	}
	if body != nil {
		out.Summary, out.Content = body.Summary, body.Content
		out.Text = strings.TrimSpace(it.Title + "\n" + plain(body.Summary) + "\n" + plain(body.Content))
	}
	return out
}
