package publish

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// Stored HTML was sanitised when it came. It is taken for hostile once more here (PROTOCOL L5), and put
// into the form that a strict parser accepts without complaint: known elements only, each closed, none
// where HTML does not allow it. Text is never lost.

// What an element may stand in.
const (
	inline = iota
	block  // closes an open paragraph
	void
	part // belongs into the element that partOf names
)

var elements = map[string]int{
	"a": inline, "abbr": inline, "b": inline, "code": inline, "del": inline, "em": inline, "i": inline,
	"ins": inline, "s": inline, "small": inline, "strong": inline, "sub": inline, "sup": inline, "time": inline, "u": inline,
	"p": block, "h1": block, "h2": block, "h3": block, "h4": block, "h5": block, "h6": block, "ul": block, "ol": block, "dl": block,
	"blockquote": block, "pre": block, "figure": block, "table": block,
	"br": void, "hr": void, "img": void,
	"li": part, "dt": part, "dd": part, "figcaption": part, "caption": part,
	"thead": part, "tbody": part, "tfoot": part, "tr": part, "td": part, "th": part,
}

// partOf says inside of which of these an element may stand.
var partOf = map[string][]string{
	"li": {"ul", "ol"}, "dt": {"dl"}, "dd": {"dl"}, "figcaption": {"figure"}, "caption": {"table"},
	"thead": {"table"}, "tbody": {"table"}, "tfoot": {"table"}, "tr": {"thead", "tbody", "tfoot", "table"},
	"td": {"tr"}, "th": {"tr"},
}

// textless are elements that hold other elements only.
var textless = []string{"ul", "ol", "dl", "table", "thead", "tbody", "tfoot", "tr"}

// unseen are elements whose text is not for readers.
var unseen = []string{"script", "style", "template", "noscript", "iframe", "object", "select", "textarea", "title", "svg", "math"}

// breaks are unknown elements that end a line of text.
var breaks = []string{"div", "section", "article", "aside", "header", "footer", "main", "address", "center", "form", "fieldset", "figure"}

var attributes = map[string][]string{
	"a": {"href", "title"}, "img": {"src", "alt", "title", "width", "height"},
	"abbr": {"title"}, "time": {"datetime"}, "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan"},
	"blockquote": {"cite"}, "del": {"datetime"}, "ins": {"datetime"}, "ol": {"start"},
}

// markup returns s as clean HTML.
func markup(s string) string {
	if !strings.ContainsAny(s, "<&") {
		return escapeText.Replace(strings.TrimSpace(clean(s)))
	}
	w := htmlWriter{}
	z := html.NewTokenizer(strings.NewReader(clean(s)))
	hidden := ""
	for {
		switch z.Next() {
		case html.ErrorToken:
			w.closeTo(0)
			return strings.TrimSpace(w.out.String())
		case html.TextToken:
			if hidden == "" {
				w.text(clean(string(z.Text())))
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			switch {
			case hidden != "":
			case slices.Contains(unseen, t.Data):
				if t.Type == html.StartTagToken {
					hidden = t.Data
				}
			default:
				w.start(t)
			}
		case html.EndTagToken:
			t := z.Token()
			if hidden != "" {
				if t.Data == hidden {
					hidden = ""
				}
				continue
			}
			w.end(t.Data)
		}
	}
}

var escapeText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

// An htmlWriter keeps what it has written well-formed.
type htmlWriter struct {
	out  strings.Builder
	open []string
}

func (w *htmlWriter) top() string {
	if len(w.open) == 0 {
		return ""
	}
	return w.open[len(w.open)-1]
}

// closeTo closes elements until n are open.
func (w *htmlWriter) closeTo(n int) {
	for len(w.open) > n {
		w.out.WriteString("</" + w.top() + ">")
		w.open = w.open[:len(w.open)-1]
	}
}

// last is the place of the innermost open element of these names, -1 if none is open.
func (w *htmlWriter) last(names ...string) int {
	for i := len(w.open) - 1; i >= 0; i-- {
		if slices.Contains(names, w.open[i]) {
			return i
		}
	}
	return -1
}

func (w *htmlWriter) text(s string) {
	if slices.Contains(textless, w.top()) {
		if strings.TrimSpace(s) == "" {
			return
		}
		w.home()
	}
	w.out.WriteString(escapeText.Replace(s))
}

// home opens what text and inline elements need inside of elements that cannot hold them.
func (w *htmlWriter) home() {
	switch w.top() {
	case "ul", "ol":
		w.push("li", "")
	case "dl":
		w.push("dd", "")
	case "table":
		w.push("tbody", "")
		w.home()
	case "thead", "tbody", "tfoot":
		w.push("tr", "")
		w.home()
	case "tr":
		w.push("td", "")
	}
}

func (w *htmlWriter) push(name, attrs string) {
	w.out.WriteString("<" + name + attrs + ">")
	w.open = append(w.open, name)
}

const maxDepth = 50

func (w *htmlWriter) start(t html.Token) {
	kind, known := elements[t.Data]
	if !known {
		if slices.Contains(breaks, t.Data) {
			w.separate()
		}
		return
	}
	attrs, ok := writeAttributes(t)
	if !ok {
		return
	}
	name := t.Data
	if name == "h1" {
		name = "h2" // the page has its own
	}
	switch kind {
	case part:
		if !w.enter(name) {
			w.separate()
			return
		}
	case block:
		w.endParagraph()
		if name[0] == 'h' {
			if i := w.last("h2", "h3", "h4", "h5", "h6"); i >= 0 && i == len(w.open)-1 {
				w.closeTo(i)
			}
		}
	case void:
		if name == "hr" {
			w.endParagraph()
		}
	case inline:
		if name == "a" {
			if i := w.last("a"); i >= 0 {
				if w.last(textless...) > i || w.last("p", "li", "td", "th", "dd", "dt", "blockquote", "figure") > i {
					return // a link around blocks stays; links do not nest
				}
				w.closeTo(i)
			}
		}
	}
	if kind != part && slices.Contains(textless, w.top()) {
		w.home()
	}
	if kind == void {
		w.out.WriteString("<" + name + attrs + ">")
		return
	}
	if len(w.open) < maxDepth {
		w.push(name, attrs)
	}
}

// enter makes room for an element that belongs into another, and reports whether there is one.
func (w *htmlWriter) enter(name string) bool {
	host := w.last(partOf[name]...)
	if host < 0 || w.last("table") > host {
		return false
	}
	if name == "caption" && !strings.HasSuffix(w.out.String(), "<table>") {
		return false
	}
	w.closeTo(host + 1)
	if name == "tr" && w.top() == "table" {
		w.push("tbody", "")
	}
	return true
}

// endParagraph closes an open paragraph, with what is open inside of it, before a block.
func (w *htmlWriter) endParagraph() {
	p := w.last("p")
	if p > w.last("td", "th", "caption") {
		w.closeTo(p)
	}
}

// separate keeps apart the words of two blocks whose elements are dropped.
func (w *htmlWriter) separate() {
	if i := w.last("p"); i >= 0 && i > w.last("td", "th", "li", "dd", "dt", "figure", "blockquote") {
		w.closeTo(i)
		return
	}
	if s := w.out.String(); s != "" && !strings.HasSuffix(s, ">") && !slices.Contains(textless, w.top()) {
		w.out.WriteString("<br>")
	}
}

func (w *htmlWriter) end(name string) {
	if name == "h1" {
		name = "h2"
	}
	kind, known := elements[name]
	if !known {
		if slices.Contains(breaks, name) {
			w.separate()
		}
		return
	}
	i := w.last(name)
	if i < 0 || kind == void {
		return
	}
	// An end tag inside of a cell or list item does not close what is around it.
	if wall := w.last("td", "th", "table", "li", "dd", "dt"); kind == inline && wall > i || name != "table" && w.last("table") > i {
		return
	}
	w.closeTo(i)
}

// writeAttributes returns the allowed attributes of an element, and whether it may stand at all.
func writeAttributes(t html.Token) (string, bool) {
	var b strings.Builder
	allowed := attributes[t.Data]
	seen := map[string]bool{}
	for _, a := range t.Attr {
		if a.Namespace != "" || seen[a.Key] || !slices.Contains(allowed, a.Key) && a.Key != "lang" && a.Key != "dir" {
			continue
		}
		v := strings.TrimSpace(clean(a.Val))
		switch a.Key {
		case "href":
			if mail, ok := strings.CutPrefix(v, "mailto:"); ok {
				v = "mailto:" + escape(mail)
			} else {
				v = Address(v)
			}
		case "src", "cite":
			v = Address(v)
		case "width", "height", "colspan", "rowspan", "start":
			if v == "" || len(v) > 4 || strings.Trim(v, "0123456789") != "" {
				v = ""
			}
		case "lang":
			v = languageTag(v)
		case "dir":
			if v = strings.ToLower(v); v != "ltr" && v != "rtl" && v != "auto" {
				v = ""
			}
		}
		if v == "" && a.Key != "alt" {
			continue
		}
		seen[a.Key] = true
		v = escapeText.Replace(v)
		if t.Data == "img" && a.Key != "src" { // the W3C validator takes the last "src=" for the address
			v = strings.ReplaceAll(v, "=", "&#61;")
		}
		b.WriteString(" " + a.Key + `="` + v + `"`)
	}
	if t.Data == "a" && seen["href"] {
		b.WriteString(` rel="nofollow noopener noreferrer"`)
	}
	if t.Data == "img" {
		if !seen["src"] {
			return "", false
		}
		if !seen["alt"] {
			b.WriteString(` alt=""`)
		}
	}
	return b.String(), true
}

// plain returns the text of HTML, blocks apart.
func plain(s string) string {
	if !strings.ContainsAny(s, "<&") {
		return line(s)
	}
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(s))
	hidden := ""
	for {
		switch z.Next() {
		case html.ErrorToken:
			return line(b.String())
		case html.TextToken:
			if hidden == "" {
				b.Write(z.Text())
			}
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			kind := z.Token()
			switch {
			case hidden == "" && kind.Type == html.StartTagToken && slices.Contains(unseen, kind.Data):
				hidden = kind.Data
			case kind.Type == html.EndTagToken && kind.Data == hidden:
				hidden = ""
			}
			if k, known := elements[kind.Data]; !known || k != inline {
				b.WriteByte(' ')
			}
		}
	}
}
