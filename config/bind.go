package config

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"
)

// binder lays trees onto a Config and collects what does not fit.
type binder struct {
	cfg      *Config
	host     Host    // what a new [[host]] starts as
	outlet   Outlet  // what a new [[outlet]] starts as
	section  Section // what a new [[section]] starts as
	file     string  // the one being read
	problems Errors
	told     map[string]bool // the paths with a problem
	keys     map[reflect.Type]map[string]key
	env      func(string) (string, bool)
}

// problem tells what is wrong with a key, once: what else is found there follows
// from the first.
func (b *binder) problem(path, format string, args ...any) {
	if b.told[path] {
		return
	}
	b.told[path] = true
	b.problems = append(b.problems, b.cfg.Problem(path, fmt.Sprintf(format, args...)))
}

// place remembers where the key at path stands.
func (b *binder) place(path string, n *node) {
	b.cfg.places[path] = place{file: b.file, line: n.line, raw: n.text}
}

// table binds the fields of a table to those of a struct.
func (b *binder) table(path string, n *node, v reflect.Value) {
	known, ok := b.keys[v.Type()]
	if !ok { // there may be thousands of outlets
		known = keysOf(v.Type())
		b.keys[v.Type()] = known
	}
	for _, name := range n.names {
		c := n.fields[name]
		at := under(path, name)
		b.place(at, c)
		if key, ok := known[name]; ok {
			b.value(at, c, v.FieldByIndex(key.index), key.option)
			continue
		}
		b.problem(at, "%s", unknownKey(name, path, slices.Sorted(maps.Keys(known))))
	}
}

// value binds one value by the type of the field that it is for.
func (b *binder) value(path string, n *node, v reflect.Value, option string) {
	if n.kind == brokenKind {
		return
	}
	switch to := v.Addr().Interface().(type) {
	case *string:
		if s, ok := b.text(path, n, option == "lines"); ok {
			*to = s
		}
	case *bool:
		if b.wants(path, n, boolKind, "true or false, without quotes") {
			*to = n.text == "true"
		}
	case *int:
		zero := option == "zero" && n.kind == stringKind && (n.text == "0" || n.text == "0s" || n.text == "0d")
		switch {
		case zero:
			*to = 0
		case !b.wants(path, n, intKind, "a whole number, without quotes"):
		case int64(int32(n.number)) != n.number:
			b.problem(path, "%d is too large; write a number below 2^31", n.number)
		default:
			*to = int(n.number)
		}
	case *int64:
		b.size(path, n, to)
	case *time.Duration:
		b.duration(path, n, to)
	case *[]string:
		for at, c := range b.list(path, n) {
			if option == "raw" { // its "${NAME}" stays, also one that is not set any more
				if b.wants(at, c, stringKind, wantString(at, c)) {
					*to = append(*to, c.text)
				}
			} else if s, ok := b.text(at, c, false); ok {
				*to = append(*to, s)
			}
		}
	case *[]netip.Prefix:
		for at, c := range b.list(path, n) {
			b.network(at, c, to)
		}
	case *map[string]string:
		if !b.wants(path, n, tableKind, `a table: { Name = "value" }`) {
			return
		}
		for _, name := range n.names {
			at := under(path, name)
			b.place(at, n.fields[name])
			if s, ok := b.text(at, n.fields[name], false); ok {
				if *to == nil {
					*to = map[string]string{}
				}
				(*to)[name] = s
			}
		}
	case *[]Host:
		bindBlocks(b, path, n, to, b.host)
	case *[]Outlet:
		bindBlocks(b, path, n, to, b.outlet)
	case *[]Feed:
		bindBlocks(b, path, n, to, Feed{})
	case *[]Section:
		bindBlocks(b, path, n, to, b.section)
	default:
		if b.wants(path, n, tableKind, fmt.Sprintf("a block: [%s]", path)) {
			b.table(path, n, v)
		}
	}
}

// bindBlocks adds one T for each [[block]], so that the blocks of several files
// line up in one slice.
func bindBlocks[T any](b *binder, path string, n *node, to *[]T, fresh T) {
	block := index.ReplaceAllString(path, "")
	if n.kind == tableKind {
		b.problem(path, "there can be several of these; write [[%s]] with two brackets", block)
		n = &node{kind: arrayKind, items: []*node{n}}
	} else if !b.wants(path, n, arrayKind, fmt.Sprintf("blocks: [[%s]]", block)) {
		return
	}
	for _, c := range n.items {
		at := fmt.Sprintf("%s[%d]", path, len(*to))
		b.place(at, c)
		*to = append(*to, fresh)
		if b.wants(at, c, tableKind, fmt.Sprintf("a block: [[%s]]", block)) {
			b.table(at, c, reflect.ValueOf(&(*to)[len(*to)-1]).Elem())
		}
	}
}

// list yields the items of an array with their paths.
func (b *binder) list(path string, n *node) func(yield func(string, *node) bool) {
	return func(yield func(string, *node) bool) {
		want := "a list in brackets"
		if n.kind == stringKind {
			want = fmt.Sprintf("a list in brackets: [%s]", quote(n.text))
		}
		if !b.wants(path, n, arrayKind, want) {
			return
		}
		for i, c := range n.items {
			at := fmt.Sprintf("%s[%d]", path, i)
			b.place(at, c)
			if !yield(at, c) {
				return
			}
		}
	}
}

func (b *binder) wants(path string, n *node, k kind, want string) bool {
	if n.kind != k && n.kind != brokenKind {
		b.problem(path, "is %s; write %s", n.kind, want)
	}
	return n.kind == k
}

func under(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

type key struct {
	index  []int
	option string
}

// keysOf returns the keys that a block has.
func keysOf(t reflect.Type) map[string]key {
	keys := map[string]key{}
	for _, f := range reflect.VisibleFields(t) {
		if tag := f.Tag.Get("key"); tag != "" {
			name, option, _ := strings.Cut(tag, ",")
			keys[name] = key{f.Index, option}
		}
	}
	return keys
}

// unknownKey says what may have been meant: a key spelt nearly so, the same key
// of another block, else what there is.
func unknownKey(name, path string, known []string) string {
	if near := nearest(name, known); near != "" {
		return fmt.Sprintf("unknown key; did you mean %s?", near)
	}
	if homes := homesOf(name, reflect.TypeFor[Config](), ""); len(homes) > 0 {
		return fmt.Sprintf("unknown key here; it belongs to %s", strings.Join(homes, " or "))
	}
	if path == "" {
		return "unknown key; known are " + strings.Join(known, ", ")
	}
	return "unknown key; known here are " + strings.Join(known, ", ")
}

// homesOf returns the blocks that have a key of that name.
func homesOf(name string, t reflect.Type, block string) (homes []string) {
	for _, f := range reflect.VisibleFields(t) {
		tag, _, _ := strings.Cut(f.Tag.Get("key"), ",")
		ft, open, shut := f.Type, "[", "]"
		if ft.Kind() == reflect.Slice {
			ft, open, shut = ft.Elem(), "[[", "]]"
		}
		at := under(block, tag)
		isBlock := ft.Kind() == reflect.Struct && tag != "" && ft != reflect.TypeFor[netip.Prefix]()
		switch {
		case tag == name && isBlock:
			homes = append(homes, open+at+shut)
		case tag == name && block == "":
			homes = append(homes, "the top of the file, before the first block")
		case tag == name && (block == "host" || block == "outlet" || block == "section" || block == "outlet.feed"):
			homes = append(homes, "[["+block+"]]")
		case tag == name:
			homes = append(homes, "["+block+"]")
		}
		if isBlock {
			homes = append(homes, homesOf(name, ft, at)...)
		}
	}
	return homes
}

// nearest returns the candidate that was probably meant, or "".
func nearest(name string, candidates []string) string {
	plain := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }
	written := plain(name)
	best, bound := "", min(5, max(1, (len(name)+1)/3)+1)
	for _, c := range candidates {
		if d := distance(written, plain(c), bound); d < bound {
			best, bound = c, d
		}
	}
	return best
}

// distance counts the letters to change, add, drop or swap with their neighbour;
// from bound on it does not count on.
func distance(a, b string, bound int) int {
	if len(a)-len(b) >= bound || len(b)-len(a) >= bound {
		return bound
	}
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	before, row, next := rows[0], rows[1], rows[2]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			change := row[j]
			if a[i] != b[j] {
				change++
			}
			next[j+1] = min(change, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		if slices.Min(next) >= bound {
			return bound
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}

// oneOf joins quoted choices.
func oneOf(choices ...string) string {
	quoted := make([]string, len(choices))
	for i, c := range choices {
		quoted[i] = quote(c)
	}
	return strings.Join(quoted, " or ")
}
