package fetch

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// harmless sanitises one text as a document's only one.
func harmless(s string) (string, string) {
	base, _ := url.Parse("https://outlet.example/news/1.html")
	var m markup
	u := m.sanitise(s, base)
	return m.finish()(u), string(m.text)
}

const rel = ` rel="nofollow noopener noreferrer"`

func TestSanitise(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"text", "plain text – “quoted”", "plain text – “quoted”"},
		{"paragraphs", "<p>one</p>\n<p>two</p>", "<p>one</p>\n<p>two</p>"},
		{"no declaration", "<!' <b>x</b>", "&lt;!' <b>x</b>"},
		{"title of no link", `<a title="x">l</a>`, "l"},
		{"attributes twice", `<a href="https://a.example/" HREF="https://b.example/" title=1 title=2>x</a>`, `<a href="https://a.example/"` + rel + ` title="1">x</a>`},
		{"no semicolon", `Tom &amp Jerry &nbsp; <script/>a<b>b</b>`, "Tom &amp; Jerry \u00a0 a<b>b</b>"},
		{"quotes stay", `<p>it's "so"</p>`, `<p>it's "so"</p>`},
		{"entities", "<p>a &lt; b &amp;&amp; c &mdash; d&nbsp;e &#8220;f&#8221;</p>", "<p>a &lt; b &amp;&amp; c — d\u00a0e “f”</p>"},
		{"less-than", "1 < 2 & 3 > 2", "1 &lt; 2 &amp; 3 &gt; 2"},
		{"class, id, style and handlers go", `<p id="x" class="y" style="color:red" onclick="z()">t</p>`, "<p>t</p>"},
		{"direction and language stay", `<p dir="rtl" lang="fa">متن</p>`, `<p dir="rtl" lang="fa">متن</p>`},
		{"link", `<a href="/a?x=1&amp;y=2" target="_blank" title="T">l</a>`, `<a href="https://outlet.example/a?x=1&amp;y=2"` + rel + ` title="T">l</a>`},
		{"link without scheme", `<a href="//cdn.example/a">l</a>`, `<a href="https://cdn.example/a"` + rel + `>l</a>`},
		{"mail", `<a href="mailto:a@outlet.example">l</a>`, `<a href="mailto:a@outlet.example"` + rel + `>l</a>`},
		{"anchor", `<a name="x">l</a>`, "l"},
		{"empty link", `a<a href="https://outlet.example/"><img src="https://t.example/p.gif" width="1" height="1"></a>b`, "ab"},
		{"picture", `<img src="a.jpg" alt="A &quot;b&quot;" width="640" height="480" srcset="b.jpg 2x" loading="lazy">`,
			`<img src="https://outlet.example/news/a.jpg" alt="A &#34;b&#34;" width="640" height="480">`},
		{"lazy picture", `<img src="data:image/gif;base64,R0lGOD" data-src="/a.jpg">`, `<img src="https://outlet.example/a.jpg" alt="">`},
		{"picture in noscript", `<img data-x="1"><noscript><img src="/a.jpg" alt="a"></noscript>`, `<img src="https://outlet.example/a.jpg" alt="a">`},
		{"the same picture in noscript", `<img src="/a.jpg" alt="a"><noscript><img src="/a.jpg" alt="a"></noscript>`, `<img src="https://outlet.example/a.jpg" alt="a">`},
		{"pixel by size", `a<img src="https://t.example/p.gif" width="1" height="1">b`, "ab"},
		{"pixel by style", `a<img src="https://t.example/p.gif" style="display: none">b`, "ab"},
		{"pixel by the size of its style", `a<img src="https://t.example/p.gif" style="border:0; width: 1px">b`, "ab"},
		{"picture with a thin border", `<img src="/a.jpg" style="border-width: 1px; line-height: 1px">`, `<img src="https://outlet.example/a.jpg" alt="">`},
		{"pixel by host", `a<img src="https://pixel.wp.com/b.gif?x">b`, "ab"},
		{"video", `<iframe width="560" src="https://www.youtube.com/embed/abc?rel=0" allowfullscreen></iframe>`,
			`<a href="https://www.youtube.com/watch?v=abc"` + rel + `>www.youtube.com/watch?v=abc</a>`},
		{"video of several files", `<video controls title="Tide"><source src="/v.webm" type="video/webm"><source src="/v.mp4"><a href="/v.mp4">v</a></video>.`, `<a href="https://outlet.example/v.webm"` + rel + `>Tide</a><br>.`},
		{"sound", `<audio controls><source type="audio/mp4" src="/s.m4a?_=1"></audio>`, `<a href="https://outlet.example/s.m4a?_=1"` + rel + `>outlet.example/s.m4a?_=1</a>`},
		{"film of old", `<object><param name="movie" value="x"><embed src="http://www.youtube.com/v/abc&amp;hl=en"></object>`, `<a href="https://www.youtube.com/watch?v=abc"` + rel + `>www.youtube.com/watch?v=abc</a>`},
		{"video file", `<video controls src="/v.mp4">Your browser is old.</video>`, `<a href="https://outlet.example/v.mp4"` + rel + `>outlet.example/v.mp4</a>`},
		{"advertisement in a frame", `a<iframe src="https://ads.example/banner?x=1"></iframe>b`, "ab"},
		{"script", `a<script>alert("<p>")</script>b`, "ab"},
		{"script that never ends", `a<script>alert(1)`, "a"},
		{"style", `<style>p { color: red }</style>a`, "a"},
		{"form", `<form action="/x">Name <input name="n"><button>Go</button><select><option>1</select></form>`, "Name"},
		{"comment", "a<!-- b -->c", "ac"},
		{"heading", "<h1>a</h1><h7>b</h7>", "<h2>a</h2>b"},
		{"table", `<table border="1"><tr><td colspan="2">a<td>b<tr><th>c</table>`, `<table><tr><td colspan="2">a</td><td>b</td></tr><tr><th>c</th></tr></table>`},
		{"cell without table", "<tr><td>a</td><td>b</td></tr>", "a<br>b"},
		{"list", "<ul><li>a<li>b<ul><li>c</ul></ul>", "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>"},
		{"paragraphs that do not end", "<p>a<p>b<div>c</div>", "<p>a</p><p>b</p>c"},
		{"tags that cross", "<b>a<i>b</b>c</i>", "<b>a<i>b</i></b>c"},
		{"tags that never end", "<blockquote><p><em>a", "<blockquote><p><em>a</em></p></blockquote>"},
		{"tags that never began", "a</p></div></td></b>b", "a<br>b"},
		{"divs are lines", "<div>a</div><div>b</div><div><p>c</p></div>d", "a<br>b<p>c</p>d"},
		{"one div", "<div>a <b>c</b></div>", "a <b>c</b>"},
		{"blank lines", "a<br/>b<br></br>c", "a<br>b<br>c"},
		{"unknown", "<o:p>a</o:p><custom-x>b</custom-x>", "ab"},
		{"quotation", "<q>a</q>", "“a”"},
		{"time", `<time datetime="2026-01-02">d</time>`, `<time datetime="2026-01-02">d</time>`},
		{"preformatted", "<pre>a\n  b</pre>", "<pre>a\n  b</pre>"},
		{"mathematics", "<math><mi>a</mi><mo>+</mo><mi>b</mi></math>", "a+b"},
	} {
		if got, _ := harmless(test.in); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}

// The ways in which scripts were hidden from filters: OWASP's and cure53's collections, and the holes that the
// libraries had.
var attacks = []string{
	`<script>alert(1)</script>`, `<SCRIPT SRC=//x.example/x.js></SCRIPT>`, `<scr<script>ipt>alert(1)</script>`, `<script/xss src="//x.example">`,
	`<<script>alert(1)//<</script>`, `<script>alert(1)`, `</script><script>alert(1)</script>`, "<script\x00>alert(1)</script>",
	`<img src=x onerror=alert(1)>`, `<img src="x"onerror="alert(1)">`, `<img/onerror="alert(1)"src=x>`, "<img src=`x` onerror=alert(1)>",
	`<img """><script>alert(1)</script>">`, `<img src=javascript:alert(1)>`, `<img src="jav&#x09;ascript:alert(1)">`, `<img src=" &#14; javascript:alert(1)">`,
	`<a href="javascript:alert(1)">x</a>`, `<a href="JaVaScRiPt:alert(1)">x</a>`, `<a href="java&#10;script:alert(1)">x</a>`, "<a href=\"java\tscript:alert(1)\">x</a>",
	`<a href="&#106;&#97;&#118;&#97;&#115;&#99;&#114;&#105;&#112;&#116;&#58;alert(1)">x</a>`, `<a href="javascript&colon;alert(1)">x</a>`, "<a href=\"\x01javascript:alert(1)\">x</a>",
	`<a href="vbscript:msgbox(1)">x</a>`, `<a href="data:text/html;base64,PHNjcmlwdD4=">x</a>`, `<a href="//x.example\@outlet.example">x</a>`, `<a href="http:\\x.example">x</a>`,
	`<a href="https://user:pass@x.example/">x</a>`, `<a href="file:///etc/passwd">x</a>`, `<a href="blob:https://x.example/1">x</a>`, `<a onmouseover="alert(1)" href="#">x</a>`,
	`<body onload=alert(1)>`, `<svg onload=alert(1)>`, `<svg><script>alert(1)</script></svg>`, `<svg><style><img src=x onerror=alert(1)></style></svg>`,
	`<svg><p><style><img src="</style><img src=x onerror=alert(1)//">`, `<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">`,
	`<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>`, `<noscript><p title="</noscript><img src=x onerror=alert(1)>">`,
	`<template><img src=x onerror=alert(1)></template>`, `<xmp><p title="</xmp><img src=x onerror=alert(1)>">`, `<title><img src=x onerror=alert(1)></title>`,
	`<textarea></textarea><img src=x onerror=alert(1)>`, `<iframe src="javascript:alert(1)"></iframe>`, `<iframe srcdoc="<script>alert(1)</script>"></iframe>`,
	`<object data="javascript:alert(1)"></object>`, `<embed src="javascript:alert(1)">`, `<video src="javascript:alert(1)"></video>`, `<video><source onerror="alert(1)"></video>`, `<video><source src="javascript:alert(1)"></video>`, `<object><embed src="javascript:alert('youtu.be/')"></object>`,
	`<meta http-equiv="refresh" content="0;url=javascript:alert(1)">`, `<base href="javascript:alert(1)//">`, `<link rel=stylesheet href="javascript:alert(1)">`,
	`<div style="background:url(javascript:alert(1))">x</div>`, `<p style="behavior:url(x.htc)">x</p>`, `<style>@import 'javascript:alert(1)'</style>`,
	`<form action="javascript:alert(1)"><input type=submit></form>`, `<button formaction="javascript:alert(1)">x</button>`, `<isindex action="javascript:alert(1)">`,
	`<table background="javascript:alert(1)"><td>x</table>`, `<img dynsrc="javascript:alert(1)">`, `<bgsound src="javascript:alert(1)">`, `<marquee onstart=alert(1)>x</marquee>`,
	`<details open ontoggle=alert(1)>x</details>`, `<x onclick=alert(1)>x</x>`, `<ſcript>alert(1)</ſcript>`, "<a href=\"ja\u0432ascript:alert(1)\">x</a>", "<img s\u212a=1 src=x onerror=alert(1)>",
	`<p><![CDATA[<script>alert(1)</script>]]></p>`, `<![CDATA[<![CDATA[<script>alert(1)</script>]]>]]>`, `<!--><script>alert(1)</script>-->`, `<!--<img src="--><img src=x onerror=alert(1)//">`,
	`<? foo="><script>alert(1)</script>">`, `<! foo="><script>alert(1)</script>">`, `<a title="</a><script>alert(1)</script>">x</a>`, `<a id="attributes" name="parentNode">x</a>`,
	`<img alt="<script>alert(1)</script>" src="https://outlet.example/a.jpg">`, "<p title=\"a\nb\" lang=\"en\n<script>\">x</p>", `<p dir="rtl onclick=alert(1)">x</p>`, `&lt;script&gt;alert(1)&lt;/script&gt;`,
}

func TestSanitiseAttacks(t *testing.T) {
	for _, attack := range attacks {
		for _, s := range []string{attack, "<p>before</p>" + attack + "<p>after</p>", `<a href="` + attack + `">x</a>`, `<p title='` + attack + `'>x</p>`} {
			got, _ := harmless(s)
			checkHarmless(t, s, got)
		}
	}
}

var attributesOf = map[string]string{
	"a": " href rel title lang dir ", "img": " src alt title width height ", "td": " colspan rowspan title lang dir ", "th": " colspan rowspan title lang dir ",
	"time": " datetime title lang dir ", "del": " datetime title lang dir ", "ins": " datetime title lang dir ",
}

var addressIn = regexp.MustCompile(`^(https?://[^/?#\s@\\]+([/?#][^\s\\]*)?|mailto:[^\s]*)$`)

// checkHarmless reads what was written as a browser does, and finds nothing but what PROTOCOL S9 lists.
func checkHarmless(t testing.TB, in, out string) {
	t.Helper()
	if !utf8.ValidString(out) || strings.ContainsFunc(out, func(r rune) bool { return !isText(r) }) {
		t.Fatalf("%q: %q is no text", in, out)
	}
	var stack []string
	z := html.NewTokenizer(strings.NewReader(out))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		tok := z.Token()
		switch kind {
		case html.CommentToken, html.DoctypeToken, html.SelfClosingTagToken:
			t.Fatalf("%q: %v in %q", in, tok, out)
		case html.StartTagToken:
			if e := elements[tok.DataAtom]; tok.DataAtom == 0 || e.as != tok.DataAtom && e.kind != markVoid {
				t.Fatalf("%q: <%s> in %q", in, tok.Data, out)
			}
			allowed := attributesOf[tok.Data]
			if allowed == "" {
				allowed = " title lang dir "
			}
			for _, a := range tok.Attr {
				if !strings.Contains(allowed, " "+a.Key+" ") || (a.Key == "href" || a.Key == "src") && !addressIn.MatchString(a.Val) {
					t.Fatalf("%q: %s=%q in %q", in, a.Key, a.Val, out)
				}
			}
			if elements[tok.DataAtom].kind != markVoid {
				stack = append(stack, tok.Data)
			}
		case html.EndTagToken:
			if len(stack) == 0 || stack[len(stack)-1] != tok.Data {
				t.Fatalf("%q: </%s> closes nothing in %q", in, tok.Data, out)
			}
			stack = stack[:len(stack)-1]
		}
	}
	if len(stack) > 0 {
		t.Fatalf("%q: %v stay open in %q", in, stack, out)
	}
}

// Nine paragraphs stay nine paragraphs, byte for byte, in any script.
func TestSanitiseKeepsParagraphs(t *testing.T) {
	var in strings.Builder
	for _, text := range nineParagraphs {
		in.WriteString("<p>" + text + "</p>\n")
	}
	got, text := harmless(in.String())
	if got != strings.TrimSpace(in.String()) {
		t.Errorf("got %s", got)
	}
	if want := strings.Join(nineParagraphs, "\n\n"); strings.Join(strings.Fields(text), " ") != strings.Join(strings.Fields(want), " ") {
		t.Errorf("text %q", text)
	}
}

var nineParagraphs = []string{
	"TEHRAN, Nov. 23 (MNA) – The minister said the talks were “serious and constructive”.",
	"“We don’t expect miracles,” he added – and then, after a pause: ‘None at all’.",
	"وزیر امور خارجه گفت: «گفت\u200cوگوها ادامه دارد» و افزود که «هیچ\u200cکس عجله ندارد».",
	"Переговоры продолжались девять часов — дольше, чем ожидалось.",
	"双方将于下周继续会谈。",
	"L’accord — « provisoire », selon l’agence — sera publié à 18 h 30.",
	"Die Gespräche dauerten 9 Stunden; über die Einzelheiten schwiegen alle.",
	"संवाद अगले सप्ताह फिर शुरू होगा।",
	"Prices: 5 € – 10 £, ±3 %, 20 °C … 🙂",
}

// However long or deep a text is, it takes time that grows with its length.
func TestSanitiseHostile(t *testing.T) {
	for name, s := range map[string]string{
		"deep":                strings.Repeat("<div>", 200000),
		"deep lists":          strings.Repeat("<ul><li>", 50000),
		"unclosed":            strings.Repeat("<b>", 200000),
		"unclosed svg":        strings.Repeat("<svg>", 100000),
		"many attributes":     "<p " + strings.Repeat(`a="b" `, 100000) + ">",
		"many tags":           strings.Repeat(`<a href="/a">x</a>`, 20000),
		"end tags":            strings.Repeat("</p>", 200000),
		"ends of nothing":     "<script>" + strings.Repeat("</", 250000),
		"names of attributes": "<p" + attributes(100000) + ">",
		"less-than signs":     strings.Repeat("<", 500000),
		"ampersands":          strings.Repeat("&", 500000),
		"comments":            strings.Repeat("<!--", 200000),
		"tables":              strings.Repeat("<table><tr><td>", 50000),
		"paragraphs in bold":  strings.Repeat("<b><p>", 100000),
	} {
		got, _ := harmless(s)
		checkHarmless(t, name, got)
	}
}
