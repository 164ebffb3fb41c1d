package fetch

import (
	"bytes"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html/atom"
)

const maxTagsOpen = 100 // of one text; tags deeper inside are left out

// markup reads HTML as outlets write it, and writes what is left of it when nothing can do harm: a few
// elements, balanced, with few attributes and absolute addresses. It serves one document: its texts are read one
// after the other and finished together, so that the policy is asked once.
type markup struct {
	html  []byte // of all texts so far, without the tags that have attributes
	tags  []byte // the tags with attributes, one a line
	holes []hole
	lines int // in tags

	text    []byte   // of the item, as plain text, blocks on lines of their own
	targets []string // addresses of the pictures and links in it

	base    *url.URL
	open    []openTag
	inline  bool // something stands on the current line
	broken  bool // a line ends here, unless a block begins or ends
	lastImg string
	scanner htmlScanner
}

type openTag struct {
	a   atom.Atom
	tag int // its line in tags; -1 if it has no attributes
}

// A hole is where in html the tag on that line goes, or the end tag that belongs to it.
type hole struct {
	at, tag int
	end     atom.Atom // of the end tag; 0 for the tag on the line
}

// An unfinished text is a part of html with its holes, or plain text as it is.
type unfinished struct {
	plain          string
	from, to       int
	hole, holesEnd int
}

// sanitise reads a text whose addresses are relative to base.
func (m *markup) sanitise(s string, base *url.URL) unfinished {
	m.base, m.inline, m.broken, m.lastImg = base, false, false, ""
	if m.newline(); !strings.ContainsAny(s, "<&>") {
		m.text = append(m.text, s...)
		return unfinished{plain: s}
	}
	u := unfinished{from: len(m.html), hole: len(m.holes)}
	m.read(withoutCDATA(s))
	m.closeTo(0)
	u.to, u.holesEnd = len(m.html), len(m.holes)
	return u
}

// finish returns the function that turns texts into harmless HTML, after all have been read.
func (m *markup) finish() func(unfinished) string {
	tags := approve(m.tags)
	return func(u unfinished) string {
		if u.plain != "" {
			return u.plain
		}
		size := u.to - u.from
		for _, h := range m.holes[u.hole:u.holesEnd] {
			size += len(tags[h.tag])
		}
		var b strings.Builder
		b.Grow(size)
		from := u.from
		for _, h := range m.holes[u.hole:u.holesEnd] {
			b.Write(m.html[from:h.at])
			from = h.at
			if h.end == 0 {
				b.Write(tags[h.tag])
			} else if len(tags[h.tag]) > 0 {
				b.WriteString("</")
				b.WriteString(h.end.String())
				b.WriteByte('>')
			}
		}
		b.Write(m.html[from:u.to])
		return strings.TrimSpace(b.String())
	}
}

func (m *markup) read(s string) {
	z := &m.scanner
	z.reset(s)
	for {
		switch kind := z.next(); kind {
		case htmlEnd:
			return
		case htmlText:
			m.writeText(z.text())
		case htmlStartTag:
			a := tagAtom(z.raw)
			drop := m.start(a)
			if !drop || bytes.HasSuffix(z.raw, []byte("/>")) {
				continue
			}
			if !z.passOver(a) && (a == atom.Script || a == atom.Style) { // of the others, one that does not end hides nothing
				return
			}
		case htmlEndTag:
			m.end(tagAtom(z.raw))
		}
	}
}

// writeText writes characters, on a line of their own where one has ended.
func (m *markup) writeText(text []byte) {
	if !isBlank(text) {
		m.breakLine()
		m.inline = true
	}
	m.html = appendCDATA(m.html, text, true)
	m.text = appendCDATA(m.text, text, false)
}

// newline ends a line of the plain text.
func (m *markup) newline() {
	if n := len(m.text); n > 0 && m.text[n-1] != '\n' {
		m.text = append(m.text, '\n')
	}
}

// endLine ends a line as a div does.
func (m *markup) endLine() {
	m.newline()
	m.broken = m.broken || m.inline
	m.inline = false
}

func (m *markup) breakLine() {
	if m.broken {
		m.html = append(m.html, "<br>"...)
		m.broken = false
	}
}

// block begins or ends a block, which stands on lines of its own.
func (m *markup) block() {
	m.newline()
	m.inline, m.broken = false, false
}

// start takes a start tag, and reports whether its element must be left out with all that it holds.
func (m *markup) start(a atom.Atom) (drop bool) {
	e := elements[a]
	switch e.kind {
	case markDrop:
		return true
	case markVideo:
		m.video(a)
		return a != atom.Embed
	case markNone:
		if a == atom.Q {
			m.writeText([]byte("“"))
		}
		return false
	case markVoid:
		m.void(a)
		return false
	case markInline:
		if e.as == atom.A {
			m.closeIn(atom.A)
		}
		m.breakLine()
	case markBlock:
		if m.closeIn(atom.P) {
			m.block()
		}
		if !m.fits(e.as) {
			m.endLine()
			return false
		}
		for _, same := range e.closes {
			m.closeIn(same)
		}
		m.block()
	}
	if len(m.open) < maxTagsOpen {
		m.push(e.as)
	}
	return false
}

// fits reports whether a block stands where it may: cells in tables, entries in lists. A div stands nowhere.
func (m *markup) fits(a atom.Atom) bool {
	var in, or atom.Atom
	switch a {
	case 0:
		return false
	case atom.Li:
		in, or = atom.Ul, atom.Ol
	case atom.Dt, atom.Dd:
		in = atom.Dl
	case atom.Tr, atom.Td, atom.Th, atom.Thead, atom.Tbody, atom.Tfoot, atom.Caption:
		in = atom.Table
	case atom.Figcaption:
		in = atom.Figure
	default:
		return true
	}
	return slices.ContainsFunc(m.open, func(o openTag) bool { return o.a == in || o.a == or && or != 0 })
}

// end takes an end tag. Where it matches none that is open in the same cell or list it is passed over.
func (m *markup) end(a atom.Atom) {
	switch e := elements[a]; e.kind {
	case markBlock:
		closed := m.closeIn(atom.P)
		if closed {
			m.block()
		}
		if e.as != atom.P {
			closed = e.as != 0 && m.closeIn(e.as)
		}
		if closed {
			m.block()
		} else {
			m.endLine()
		}
	case markInline:
		m.closeIn(e.as)
	case markNone:
		if a == atom.Q {
			m.writeText([]byte("”"))
		}
	}
}

// closeIn closes the innermost open a, unless something that a cannot reach out of stands between.
func (m *markup) closeIn(a atom.Atom) bool {
	for i := len(m.open) - 1; i >= 0; i-- {
		switch o := m.open[i].a; {
		case o == a:
			m.closeTo(i)
			return true
		case rank(o) > rank(a):
			return false
		}
	}
	return false
}

// rank orders elements by what may be inside of what: an end tag closes nothing of a higher rank.
func rank(a atom.Atom) int {
	switch a {
	case atom.Li, atom.Dt, atom.Dd, atom.Figcaption:
		return 1
	case atom.Ul, atom.Ol, atom.Dl, atom.Blockquote, atom.Figure:
		return 2
	case atom.Td, atom.Th, atom.Caption:
		return 3
	case atom.Tr, atom.Thead, atom.Tbody, atom.Tfoot:
		return 4
	case atom.Table:
		return 5
	}
	return 0
}

func (m *markup) closeTo(n int) {
	for i := len(m.open) - 1; i >= n; i-- {
		o := m.open[i]
		if last := len(m.holes) - 1; o.a == atom.A && o.tag >= 0 && m.holes[last] == (hole{at: len(m.html), tag: o.tag}) {
			m.holes = m.holes[:last] // nothing to click on
			continue
		}
		if o.tag >= 0 {
			m.holes = append(m.holes, hole{len(m.html), o.tag, o.a})
		} else {
			m.html = append(append(append(m.html, "</"...), o.a.String()...), '>')
		}
	}
	m.open = m.open[:n]
}

// push writes a start tag with the attributes that it may have.
func (m *markup) push(a atom.Atom) {
	from := len(m.tags)
	m.tags = append(append(m.tags, '<'), a.String()...)
	bare := len(m.tags)
	for key, value := m.scanner.attribute(); key != nil; key, value = m.scanner.attribute() {
		switch k := atom.Lookup(key); {
		case k == atom.Href && a == atom.A:
			if link := contentLink(m.base, string(value)); link != "" {
				m.targets = append(m.targets, link)
				m.attribute("href", link)
				m.attribute("rel", linkRel)
			}
		case k == atom.Title, k == atom.Lang, k == atom.Dir,
			k == atom.Datetime && (a == atom.Time || a == atom.Del || a == atom.Ins),
			(k == atom.Colspan || k == atom.Rowspan) && (a == atom.Td || a == atom.Th):
			m.attribute(k.String(), string(value))
		}
	}
	switch {
	case a == atom.A && !bytes.Contains(m.tags[from:], []byte(` href="`)): // leads nowhere
		m.tags = m.tags[:from]
	case len(m.tags) == bare:
		m.html = append(append(m.html, m.tags[from:]...), '>')
		m.tags = m.tags[:from]
		m.open = append(m.open, openTag{a, -1})
	default:
		m.open = append(m.open, openTag{a, m.endTag()})
	}
}

// attribute adds an attribute to the tag that is being written.
func (m *markup) attribute(name, value string) {
	if value == "" && name != "alt" {
		return
	}
	m.tags = append(append(append(m.tags, ' '), name...), '=', '"')
	m.tags = append(appendValue(m.tags, value), '"')
}

// endTag ends the tag that is being written, leaves a hole for it, and returns its number.
func (m *markup) endTag() int {
	m.tags = append(m.tags, '>', '\n')
	m.holes = append(m.holes, hole{at: len(m.html), tag: m.lines})
	m.lines++
	return m.lines - 1
}
