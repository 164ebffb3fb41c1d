package publish

import (
	"html/template"
	"regexp"
	"slices"
	"strings"
)

// prose is what markup has cleaned, as a part of a page: its headings stand below the page's own, pictures come when they
// are scrolled to and their servers do not learn from where, or not at all, and nothing that says nothing is left: no link
// without a text, no heading without words, which a screen reader would stumble over, nor blocks in what may hold words only.
func prose(s string, images bool) template.HTML {
	var b strings.Builder
	var open []string // what those of wordy and phrasing that are open have become
	for s != "" {
		start := strings.IndexByte(s, '<')
		if start < 0 {
			break
		}
		b.WriteString(s[:start])
		s = s[start:]
		tag := s[:strings.IndexByte(s, '>')+1] // markup leaves no ">" in attributes
		s = s[len(tag):]
		name := tagName.FindString(tag)
		becomes := onPages(name, images)
		if slices.Contains(wordy, name) || slices.Contains(phrasing, name) {
			if last := len(open) - 1; strings.HasPrefix(tag, "</") {
				becomes, open = open[last], open[:last]
			} else {
				within := inside(s, name)
				switch {
				case slices.Contains(wordy, name) && !says(within, name, images):
					becomes = map[string]string{"th": "td"}[name]
				case slices.Contains(phrasing, name) && blocks.MatchString(within):
					becomes = ""
				}
				open = append(open, becomes)
			}
		}
		if becomes == "" {
			continue
		}
		tag = dates.ReplaceAllString(tag, "")
		if name == "img" {
			tag = `<img loading="lazy" decoding="async" referrerpolicy="no-referrer"` + strings.TrimPrefix(tag, "<img")
		} else if becomes != name {
			tag = strings.Replace(tag, name, becomes, 1)
		}
		b.WriteString(tag)
	}
	b.WriteString(s)
	return template.HTML(b.String())
}

var (
	tagName = regexp.MustCompile(`[a-z0-9]+`)
	dates   = regexp.MustCompile(` datetime="[^"]*"`) // as the outlet wrote them
	spoken  = regexp.MustCompile(`<img [^>]*alt="[^"]`)
	tags    = regexp.MustCompile(`<[^>]*>`)
)

// wordy are elements that mean nothing without words in them.
var wordy = []string{"a", "h2", "h3", "h4", "h5", "h6", "figure", "figcaption", "caption", "th"}

// phrasing are elements around which HTML wants blocks, not the other way round.
var phrasing = []string{"b", "strong", "i", "em", "u", "s", "small", "sub", "sup", "code", "abbr", "h2", "h3", "h4", "h5", "h6"}

var blocks = regexp.MustCompile(`<(p|h[2-6]|ul|ol|dl|blockquote|pre|figure|table|hr)[ >]`)

// onPages is what stands on a page in an element's place: below the title of an item is one level of headings.
func onPages(name string, images bool) string {
	switch {
	case name == "img" && !images, name == "time": // whose text is seldom what HTML takes for a time
		return ""
	case len(name) == 2 && name[0] == 'h' && name != "hr":
		return "h3"
	}
	return name
}

// inside is what s has up to the end of the element that is open.
func inside(s, name string) string {
	depth := 1
	for at := 0; ; {
		i := strings.IndexByte(s[at:], '<')
		if i < 0 {
			return s
		}
		at += i
		switch rest := s[at:]; {
		case strings.HasPrefix(rest, "</"+name+">"):
			if depth--; depth == 0 {
				return s[:at]
			}
		case strings.HasPrefix(rest, "<"+name+">"), strings.HasPrefix(rest, "<"+name+" "):
			depth++
		}
		at++
	}
}

// says reports whether there is something in s for readers: words, or a picture with words; in a figure, any picture.
func says(s, name string, images bool) bool {
	words := strings.TrimSpace(strings.ReplaceAll(tags.ReplaceAllString(s, ""), "\u00a0", " "))
	return words != "" || images && (spoken.MatchString(s) || name == "figure" && strings.Contains(s, "<img "))
}

// footer is the operator's line, in which [name](address) and bare addresses are links.
func footer(s string) template.HTML {
	var b strings.Builder
	at := 0
	for _, m := range footerLinks.FindAllStringSubmatchIndex(s, -1) {
		name, to := s[m[0]:m[1]], s[m[0]:m[1]]
		if m[2] >= 0 {
			name, to = s[m[2]:m[3]], s[m[4]:m[5]]
		}
		if mail, ok := strings.CutPrefix(to, "mailto:"); ok {
			to = "mailto:" + escape(mail)
		} else if to = Address(to); to == "" {
			continue
		}
		b.WriteString(escapeText.Replace(line(s[at:m[0]])))
		if at = m[1]; b.Len() > 0 || m[0] > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(`<a href="` + escapeText.Replace(to) + `">` + escapeText.Replace(line(name)) + `</a>`)
	}
	b.WriteString(escapeText.Replace(strings.TrimRight(clean(s[at:]), " ")))
	return template.HTML(b.String())
}

var footerLinks = regexp.MustCompile(`\[([^\[\]]+)\]\(([^()]*)\)|https?://[^\s<>()]+[^\s<>().,;:!?]`)
