package fetch

import (
	"strings"

	"golang.org/x/net/html/atom"
)

// image writes a picture, unless it is there to count its readers.
func (m *markup) image() {
	var src, lazy, alt, title, width, height, style string
	for key, value := m.scanner.attribute(); key != nil; key, value = m.scanner.attribute() {
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
			style = ";" + strings.ToLower(strings.ReplaceAll(string(value), " ", ""))
		}
	}
	link := absoluteLink(m.base, src)
	if link == "" || lazy != "" && strings.HasPrefix(src, "data:") {
		link = absoluteLink(m.base, lazy)
	}
	if link == "" || link == m.lastImg || isDot(width) || isDot(height) || isPixel(link) ||
		strings.Contains(style, ";display:none") || strings.Contains(style, ";width:1px") || strings.Contains(style, ";height:1px") {
		return
	}
	m.lastImg = link
	m.targets = append(m.targets, link)
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

// video writes a link to what a page would play in place of the element a.
func (m *markup) video(a atom.Atom) {
	var src, title string
	for key, value := m.scanner.attribute(); key != nil; key, value = m.scanner.attribute() {
		switch string(key) {
		case "src", "data-src", "data":
			if v := string(value); src == "" && !strings.HasPrefix(v, "about:") {
				src = v
			}
		case "title":
			title = string(value)
		}
	}
	if src == "" && (a == atom.Video || a == atom.Audio || a == atom.Object) {
		held, _ := m.scanner.inside(a)
		src = playedIn(held)
	}
	link := absoluteLink(m.base, src)
	if a != atom.Video && a != atom.Audio {
		link = videoLink(link)
	}
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

// playedIn is the address of the first file that the inside of an element names to be played.
func playedIn(held []byte) string {
	z := htmlScanner{src: held}
	for kind := z.next(); kind != htmlEnd; kind = z.next() {
		if a := tagAtom(z.raw); kind != htmlStartTag || a != atom.Source && a != atom.Embed {
			continue
		}
		for key, value := z.attribute(); key != nil; key, value = z.attribute() {
			if string(key) == "src" && len(value) > 0 {
				return string(value)
			}
		}
	}
	return ""
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

func (m *markup) void(a atom.Atom) {
	switch a {
	case atom.Br:
		m.breakLine()
		m.html = append(m.html, "<br>"...)
		m.newline()
		m.inline = false
	case atom.Hr:
		m.closeIn(atom.P)
		m.block()
		m.html = append(m.html, "<hr>"...)
	default:
		m.image()
	}
}
