package fetch

import (
	"strings"

	"golang.org/x/net/html"
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
	for _, a := range []atom.Atom{atom.Script, atom.Style, atom.Template, atom.Applet, atom.Svg, atom.Math, atom.Canvas,
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

// image writes a picture, unless it is there to count its readers.
func (m *markup) image(z *html.Tokenizer) {
	var src, lazy, alt, title, width, height, style string
	for more := true; more; {
		var key, value []byte
		key, value, more = z.TagAttr()
		switch string(key) {
		case "src":
			src = string(value)
		case "data-src", "data-original", "data-lazy-src":
			lazy = string(value)
		case "srcset", "data-srcset":
			if first := strings.Fields(string(value)); len(first) > 0 && lazy == "" {
				lazy = strings.TrimSuffix(first[0], ",")
			}
		case "alt":
			alt = string(value)
		case "title":
			title = string(value)
		case "width":
			width = strings.TrimSuffix(string(value), "px")
		case "height":
			height = strings.TrimSuffix(string(value), "px")
		case "style":
			style = strings.ToLower(strings.ReplaceAll(string(value), " ", ""))
		}
	}
	link := absoluteLink(m.base, src)
	if link == "" || lazy != "" && strings.HasPrefix(src, "data:") {
		link = absoluteLink(m.base, lazy)
	}
	if link == "" || link == m.lastImg || isDot(width) || isDot(height) || isPixel(link) ||
		strings.Contains(style, "display:none") || strings.Contains(style, "width:1px") || strings.Contains(style, "height:1px") {
		return
	}
	m.lastImg = link
	m.pictures = append(m.pictures, link)
	m.breakLine()
	m.inline = true
	m.tags = append(m.tags, "<img"...)
	m.attribute("src", link)
	m.attribute("alt", alt)
	m.attribute("title", title)
	m.attribute("width", width)
	m.attribute("height", height)
	m.endTag()
}

func isDot(size string) bool { return size == "1" || size == "0" }

// pixels are where pictures of one transparent dot come from, that are there to count readers.
var pixels = []string{
	"feeds.feedburner.com/~", "feedproxy.google.com/~", "rss.feedsportal.com/", "feedsportal.com/c/", "res.feedsportal.com/",
	"pixel.wp.com/", "stats.wordpress.com/", "feeds.wordpress.com/1.0/", "pixel.quantserve.com/", "b.scorecardresearch.com/",
	"sb.scorecardresearch.com/", "www.google-analytics.com/", "google-analytics.com/", "ad.doubleclick.net/",
	"www.facebook.com/tr?", "www.facebook.com/tr/", "in.getclicky.com/", "counter.yadro.ru/", "mc.yandex.ru/", "top.mail.ru/",
	"counter.rambler.ru/", "pi.feedsportal.com/", "da.feedsportal.com/", "ads.pheedo.com/", "www.pheedo.com/", "feedads.g.doubleclick.net/",
	"analytics.twitter.com/", "t.co/i/", "bat.bing.com/", "secure-uk.imrworldwide.com/", "secure-us.imrworldwide.com/",
	"pixel.newscred.com/", "tracking.feedpress.it/", "tracking.feedpress.com/", "trc.taboola.com/", "blogger.googleusercontent.com/tracker/",
}

func isPixel(link string) bool {
	_, rest, _ := strings.Cut(link, "://")
	for _, p := range pixels {
		if strings.HasPrefix(rest, p) {
			return true
		}
	}
	return strings.Contains(rest, ".scorecardresearch.com/") || strings.Contains(rest, ".blogger.com/tracker/")
}

// video writes a link to what a page would play in place.
func (m *markup) video(z *html.Tokenizer) {
	var src, title string
	for more := true; more; {
		var key, value []byte
		key, value, more = z.TagAttr()
		switch string(key) {
		case "src", "data-src", "data":
			if v := string(value); src == "" && !strings.HasPrefix(v, "about:") {
				src = v
			}
		case "title":
			title = string(value)
		}
	}
	link := videoLink(absoluteLink(m.base, src))
	if link == "" {
		return
	}
	if title == "" {
		_, title, _ = strings.Cut(link, "://")
	}
	m.closeIn(atom.A)
	m.tags = append(m.tags, "<a"...)
	m.attribute("href", link)
	m.attribute("rel", linkRel)
	m.breakLine()
	m.open = append(m.open, openTag{atom.A, m.endTag()})
	m.writeText([]byte(title))
	m.closeTo(len(m.open) - 1)
	m.endLine()
}

// players are the addresses under which sites play a video elsewhere, and that of the video itself.
var players = []struct{ player, page string }{
	{"youtube.com/embed/", "https://www.youtube.com/watch?v="}, {"youtube-nocookie.com/embed/", "https://www.youtube.com/watch?v="},
	{"youtube.com/v/", "https://www.youtube.com/watch?v="}, {"youtube-nocookie.com/v/", "https://www.youtube.com/watch?v="},
	{"player.vimeo.com/video/", "https://vimeo.com/"}, {"dailymotion.com/embed/video/", "https://www.dailymotion.com/video/"},
	{"rutube.ru/play/embed/", "https://rutube.ru/video/"}, {"ok.ru/videoembed/", "https://ok.ru/video/"},
}

// videoLink is where what link plays can be seen; "" if it does not look as if it played anything.
func videoLink(link string) string {
	_, rest, _ := strings.Cut(link, "://")
	rest = strings.TrimPrefix(rest, "www.")
	for _, p := range players {
		if id, ok := strings.CutPrefix(rest, p.player); ok {
			if i := strings.IndexAny(id, "?&/#"); i >= 0 {
				id = id[:i]
			}
			if id == "" || id == "videoseries" {
				return link
			}
			return p.page + id
		}
	}
	lower := strings.ToLower(rest)
	for _, word := range []string{"video", "player", "/embed", ".mp4", ".webm", ".m3u8", ".mp3", ".ogg", "youtu.be/", "podcast", "audio"} {
		if strings.Contains(lower, word) {
			return link
		}
	}
	return ""
}

func isVoid(name string) bool {
	switch atom.Lookup([]byte(strings.ToLower(name))) {
	case atom.Br, atom.Hr, atom.Img, atom.Input, atom.Meta, atom.Link, atom.Area, atom.Base, atom.Col, atom.Embed, atom.Param, atom.Source, atom.Track, atom.Wbr:
		return true
	}
	return false
}
