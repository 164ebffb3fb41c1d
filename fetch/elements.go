package fetch

import (
	"bytes"
	"strings"

	"golang.org/x/net/html/atom"
)

type markKind uint8

const (
	markNone   markKind = iota // the tags go, what is between them stays
	markDrop                   // all of it goes
	markVideo                  // becomes a link
	markVoid                   // has no end
	markInline                 // stands in a line
	markBlock                  // begins and ends a line
)

// A mark says what becomes of an element of HTML.
type mark struct {
	kind   markKind
	as     atom.Atom   // what is written for it; 0 is a line break, where one is needed
	closes []atom.Atom // elements that end where this one begins
}

// elements are those that do not simply vanish. What is written is PROTOCOL's S9.
var elements = func() map[atom.Atom]mark {
	t := map[atom.Atom]mark{}
	for _, a := range []atom.Atom{atom.Script, atom.Style, atom.Template, atom.Applet, atom.Svg, atom.Canvas,
		atom.Select, atom.Textarea, atom.Button, atom.Title, atom.Noembed, atom.Noframes} {
		t[a] = mark{kind: markDrop}
	}
	for _, a := range []atom.Atom{atom.Iframe, atom.Embed, atom.Object, atom.Video, atom.Audio} {
		t[a] = mark{kind: markVideo}
	}
	for _, a := range []atom.Atom{atom.Br, atom.Hr, atom.Img, atom.Image} {
		t[a] = mark{kind: markVoid}
	}
	for _, a := range []atom.Atom{atom.A, atom.Em, atom.Strong, atom.B, atom.I, atom.U, atom.S, atom.Sub, atom.Sup,
		atom.Small, atom.Code, atom.Abbr, atom.Time, atom.Del, atom.Ins} {
		t[a] = mark{kind: markInline, as: a}
	}
	for a, as := range map[atom.Atom]atom.Atom{atom.Strike: atom.S, atom.Tt: atom.Code, atom.Kbd: atom.Code,
		atom.Samp: atom.Code, atom.Acronym: atom.Abbr, atom.Cite: atom.I, atom.Var: atom.I, atom.Dfn: atom.I} {
		t[a] = mark{kind: markInline, as: as}
	}
	for _, a := range []atom.Atom{atom.P, atom.Ul, atom.Ol, atom.Dl, atom.Blockquote, atom.Pre, atom.Figure,
		atom.Figcaption, atom.Table, atom.Caption} {
		t[a] = mark{kind: markBlock, as: a}
	}
	headings := []atom.Atom{atom.H2, atom.H3, atom.H4, atom.H5, atom.H6}
	for _, a := range headings {
		t[a] = mark{markBlock, a, headings}
	}
	t[atom.H1] = mark{markBlock, atom.H2, headings}
	t[atom.Dir], t[atom.Menu] = mark{kind: markBlock, as: atom.Ul}, mark{kind: markBlock, as: atom.Ul}
	t[atom.Xmp], t[atom.Listing] = mark{kind: markBlock, as: atom.Pre}, mark{kind: markBlock, as: atom.Pre}
	for _, same := range [][]atom.Atom{{atom.Li}, {atom.Dt, atom.Dd}, {atom.Td, atom.Th}, {atom.Tr}, {atom.Thead, atom.Tbody, atom.Tfoot}} {
		for _, a := range same {
			t[a] = mark{markBlock, a, same}
		}
	}
	for _, a := range []atom.Atom{atom.Div, atom.Section, atom.Article, atom.Header, atom.Footer, atom.Main, atom.Aside,
		atom.Nav, atom.Center, atom.Address, atom.Details, atom.Summary, atom.Fieldset, atom.Legend, atom.Form,
		atom.Hgroup, atom.Option, atom.Dialog, atom.Search} {
		t[a] = mark{kind: markBlock}
	}
	return t
}()

func isVoid(name string) bool {
	switch atom.Lookup([]byte(strings.ToLower(name))) {
	case atom.Br, atom.Hr, atom.Img, atom.Input, atom.Meta, atom.Link, atom.Area, atom.Base, atom.Col, atom.Embed, atom.Param, atom.Source, atom.Track, atom.Wbr:
		return true
	}
	return false
}

// plain is the text of s without its tags, its entities decoded. What looks like a tag and is none of HTML's
// is text: titles speak of "<unknown>" hosts.
func plain(s string) string {
	if !strings.ContainsAny(s, "<&") {
		return s
	}
	var text []byte
	var z htmlScanner
	z.reset(withoutCDATA(s))
	for {
		kind := z.next()
		if kind == htmlEnd {
			if len(z.raw) > 1 && isLetter(z.raw[1]) && bytes.IndexByte(z.raw, '=') < 0 { // "if a<b", and no tag that was cut off in an attribute
				text = appendCDATA(text, z.text(), false)
			}
			return string(text)
		}
		if kind == htmlText {
			text = appendCDATA(text, z.text(), false)
			continue
		}
		switch a := tagAtom(z.raw); {
		case a == 0:
			text = appendCDATA(text, z.raw, false)
		case (a == atom.Script || a == atom.Style) && kind == htmlStartTag:
			if !z.passOver(a) {
				return string(text)
			}
		case elements[a].kind == markBlock || a == atom.Br:
			text = append(text, ' ')
		}
	}
}

// withoutCDATA takes the marks of a CDATA section out of a text that was put into one twice. To HTML they are a
// comment, and the text in it would be lost.
func withoutCDATA(s string) string {
	if !strings.Contains(s, "<![CDATA[") {
		return s
	}
	return strings.NewReplacer("<![CDATA[", "", "]]>", "").Replace(s)
}

// tagAtom is the name of a tag, which the tokenizer would copy.
func tagAtom(raw []byte) atom.Atom {
	raw = bytes.TrimPrefix(bytes.TrimPrefix(raw, []byte("<")), []byte("/"))
	var name [16]byte // the longest that matters is "blockquote"
	for i, c := range raw {
		switch {
		case isSpace(c) || c == '/' || c == '>':
			return atom.Lookup(name[:i])
		case i == len(name):
			return 0
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		name[i] = c
	}
	return 0
}
