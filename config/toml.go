package config

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

type kind int

const (
	tableKind kind = iota
	arrayKind
	stringKind
	intKind
	floatKind
	boolKind
	dateKind
	brokenKind // a mistake that has been told already
)

func (k kind) String() string {
	return [...]string{"a table", "a list", "a string", "a whole number", "a number with a fraction", "true or false", "a date", "broken"}[k]
}

// node is a value of the file. We keep a tree of our own beside what Unmarshal
// makes, since that one forgets the lines and stops at the first mistake.
type node struct {
	kind   kind
	line   int
	text   string // of a string: its value; of a number, a bool, a date: as written
	number int64
	fields map[string]*node // of a table
	names  []string         // the fields in their order
	items  []*node          // of an array
	closed bool             // a table that a header or an inline value has defined
	blocks bool             // an array made of [[blocks]]
}

func (n *node) child(name string) *node { return n.fields[name] }

func (n *node) set(name string, c *node) *node {
	if n.fields == nil {
		n.fields = map[string]*node{}
	}
	n.fields[name] = c
	n.names = append(n.names, name)
	return c
}

// tree reads one document. Mistakes go to report; ok is false if the document
// ends early for a mistake in its grammar, so that something may be missing.
func tree(data []byte, report func(line int, key, text string)) (root *node, ok bool) {
	var told []int
	say := func(line int, key, text string) {
		told = append(told, line)
		report(line, key, text)
	}
	g := grower{root: &node{line: 1, closed: true}, say: say, starts: lineStarts(data)}
	g.table = g.root
	g.p.Reset(data)
	for g.p.NextExpression() {
		g.expression(g.p.Expression())
	}

	// The library has the last word on what is TOML.
	var m map[string]any
	err := toml.Unmarshal(data, &m)
	var de *toml.DecodeError
	switch {
	case err == nil:
	case !errors.As(err, &de):
		say(0, "", strings.TrimPrefix(err.Error(), "toml: "))
	default:
		line, _ := de.Position()
		if !slices.Contains(told, line) {
			say(line, strings.Join(de.Key(), "."), grammar(de.Error(), sourceLine(data, line)))
		}
	}
	return g.root, g.p.Error() == nil
}

// grower makes the tree from the parser's expressions.
type grower struct {
	p      unstable.Parser
	root   *node
	table  *node    // that the next key belongs to
	path   []string // of table, for messages
	starts []int    // offset of each line
	say    func(line int, key, text string)
}

func (g *grower) expression(e *unstable.Node) {
	switch e.Kind {
	case unstable.KeyValue:
		g.keyValue(g.table, g.path, e)
	case unstable.Table, unstable.ArrayTable:
		names, line := g.names(e.Key())
		g.path = names
		g.table = g.header(names, line, e.Kind == unstable.ArrayTable)
	}
}

// header finds or makes the table that [a.b] or [[a.b]] opens.
func (g *grower) header(names []string, line int, list bool) *node {
	t := g.root
	for i, name := range names {
		last := i == len(names)-1
		key := strings.Join(names[:i+1], ".")
		c := t.child(name)
		switch {
		case c == nil && last && list:
			c = t.set(name, &node{kind: arrayKind, line: line, blocks: true})
			fallthrough
		case c != nil && last && list && c.blocks:
			c.items = append(c.items, &node{line: line, closed: true})
			t = c.items[len(c.items)-1]
		case c == nil:
			t = t.set(name, &node{line: line, closed: last})
		case c.blocks && !last:
			t = c.items[len(c.items)-1]
		case c.kind == tableKind && !(last && (c.closed || list)):
			c.closed = c.closed || last
			t = c
		default:
			// Reads on into a table that hangs nowhere, for what else is wrong.
			switch {
			case c.blocks:
				g.say(line, key, fmt.Sprintf("is a list of blocks since line %d; write [[%s]]", c.line, key))
				return c.items[len(c.items)-1]
			case c.kind == tableKind && !list:
				g.say(line, key, fmt.Sprintf("the block [%s] stands on line %d already; join the two", key, c.line))
				return c
			case c.kind == tableKind:
				g.say(line, key, fmt.Sprintf("is one block since line %d; write [%s] once, or [[%s]] everywhere", c.line, key, key))
			default:
				g.say(line, key, fmt.Sprintf("has a value on line %d already; keep one of the two", c.line))
			}
			return &node{line: line}
		}
	}
	return t
}

// keyValue puts "a.b = value" into the table.
func (g *grower) keyValue(t *node, path []string, e *unstable.Node) {
	names, line := g.names(e.Key())
	for i, name := range names[:len(names)-1] {
		c := t.child(name)
		switch {
		case c == nil:
			c = t.set(name, &node{line: line})
		case c.kind != tableKind:
			g.say(line, joined(path, names[:i+1]), fmt.Sprintf("has a value on line %d already; keep one of the two", c.line))
			return
		}
		t = c
	}
	name := names[len(names)-1]
	key := joined(path, names)
	if old := t.child(name); old != nil {
		g.say(line, key, fmt.Sprintf("is given on line %d already; keep one of the two", old.line))
		return
	}
	t.set(name, g.value(e.Value(), key, line))
}

func (g *grower) value(v *unstable.Node, key string, line int) *node {
	if v.Raw.Length > 0 {
		line = g.line(v.Raw)
	}
	n := &node{line: line, text: string(v.Data), closed: true}
	switch v.Kind {
	case unstable.String:
		n.kind = stringKind
	case unstable.Bool:
		n.kind = boolKind
	case unstable.Float:
		n.kind = floatKind
	case unstable.Integer:
		n.kind = intKind
		var err error
		if n.number, err = integer(n.text); err != nil {
			n.kind = brokenKind
			g.say(line, key, fmt.Sprintf("%s is no whole number; write it without leading zeros, below 2^63", n.text))
		}
	case unstable.Array:
		n.kind = arrayKind
		for it := v.Children(); it.Next(); {
			if c := it.Node(); c.Kind != unstable.Comment {
				n.items = append(n.items, g.value(c, key, line))
			}
		}
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			if c := it.Node(); c.Kind == unstable.KeyValue {
				g.keyValue(n, strings.Split(key, "."), c)
			}
		}
	default:
		n.kind = dateKind
	}
	return n
}

func (g *grower) names(it unstable.Iterator) (names []string, line int) {
	for it.Next() {
		if line == 0 {
			line = g.line(it.Node().Raw)
		}
		names = append(names, string(it.Node().Data))
	}
	return names, line
}

func (g *grower) line(r unstable.Range) int {
	i, exact := slices.BinarySearch(g.starts, int(r.Offset))
	if exact {
		i++
	}
	return i
}

func joined(path, names []string) string {
	return strings.Join(append(slices.Clone(path), names...), ".")
}

// lineStarts makes a line's number a look-up. The parser counts from the top of
// the document for each node, which is quadratic in a file of many outlets.
func lineStarts(data []byte) []int {
	starts := []int{0}
	for i, b := range data {
		if b == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

func sourceLine(data []byte, line int) string {
	lines := bytes.Split(data, []byte("\n"))
	if line < 1 || line > len(lines) {
		return ""
	}
	return string(lines[line-1])
}

func integer(s string) (int64, error) {
	digits := strings.TrimLeft(s, "+-")
	if len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9' {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 0, 64)
}

var bare = regexp.MustCompile(`^\s*[A-Za-z0-9_."-]+\s*=\s*[A-Za-z@/.]`)

// grammar adds the usual remedy to a message of the parser.
func grammar(text, source string) string {
	text = strings.TrimPrefix(text, "toml: ")
	switch {
	case strings.Contains(text, "at start of value") && bare.MatchString(source):
		return text + `; strings stand in quotes: key = "value"; true and false are in lower case`
	case strings.Contains(text, "array is incomplete"):
		return text + `; close the list with ]`
	case strings.Contains(text, "unterminated"), strings.Contains(text, "cannot have new lines"):
		return text + `; close it with the same quotes`
	case strings.Contains(text, "leading zeroes"):
		return text + `; write it without them`
	case strings.Contains(text, "invalid escape"):
		return text + `; write the string in single quotes, or double the backslash`
	case strings.Contains(text, " table name"):
		return text + `; a block opens with [name] or [[name]]`
	case strings.Contains(text, "expected '=' after key"):
		return text + `; write key = value`
	}
	return text
}
