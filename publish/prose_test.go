package publish

import "testing"

func TestProse(t *testing.T) {
	const img = `<img loading="lazy" decoding="async" referrerpolicy="no-referrer" src="https://a.example/i.png"`
	for _, c := range []struct{ in, linked, none string }{
		{"text", "text", "text"},
		{`<p>a <b>b</b> &lt;c&gt;</p>`, `<p>a <b>b</b> &lt;c&gt;</p>`, `<p>a <b>b</b> &lt;c&gt;</p>`},
		{`<h2>One</h2><h5>Two</h5><h4> &nbsp; </h4><hr>`, "<h3>One</h3><h3>Two</h3> \u00a0 <hr>", "<h3>One</h3><h3>Two</h3> \u00a0 <hr>"},
		{`a<img src="https://a.example/i.png">b`, `a` + img + ` alt="">b`, `ab`},
		{`<a href="https://a.example/"><img src="https://a.example/i.png"></a>`, img + ` alt="">`, ``},
		{`<a href="https://a.example/"><img src="https://a.example/i.png" alt="A dog"></a>`,
			`<a href="https://a.example/" rel="nofollow noopener noreferrer">` + img + ` alt="A dog"></a>`, ``},
		{`<a href="https://a.example/"></a><a href="https://a.example/"><b>x</b></a>`,
			`<a href="https://a.example/" rel="nofollow noopener noreferrer"><b>x</b></a>`, `<a href="https://a.example/" rel="nofollow noopener noreferrer"><b>x</b></a>`},
		{`<figure><img src="https://a.example/i.png"></figure><figure><img src="https://a.example/i.png"><figcaption>A</figcaption></figure>`,
			`<figure>` + img + ` alt=""></figure><figure>` + img + ` alt=""><figcaption>A</figcaption></figure>`, `<figure><figcaption>A</figcaption></figure>`},
		{`<figure><figure></figure></figure><p></p>`, `<p></p>`, `<p></p>`},
		{`<table><tr><th></th><th>A</th></tr><tr><th><b>B</b></th><td></td></tr></table>`,
			`<table><tbody><tr><td></td><th>A</th></tr><tr><th><b>B</b></th><td></td></tr></tbody></table>`,
			`<table><tbody><tr><td></td><th>A</th></tr><tr><th><b>B</b></th><td></td></tr></tbody></table>`},
		{`<b>a<table><tr><td><i>x</i></td></tr></table></b><h2>b<blockquote>c</blockquote></h2>`,
			`a<table><tbody><tr><td><i>x</i></td></tr></tbody></table>b<blockquote>c</blockquote>`, `a<table><tbody><tr><td><i>x</i></td></tr></tbody></table>b<blockquote>c</blockquote>`},
		{`<time datetime="yesterday">then</time> <del datetime="2026-01-01">x</del>`, `then <del>x</del>`, `then <del>x</del>`},
		{`<abbr title="a > b">x</abbr>`, `<abbr title="a &gt; b">x</abbr>`, `<abbr title="a &gt; b">x</abbr>`},
	} {
		s := markup(c.in)
		if got := string(prose(s, true)); got != c.linked {
			t.Errorf("%s:\n got %s\nwant %s", c.in, got, c.linked)
		}
		if got := string(prose(s, false)); got != c.none {
			t.Errorf("%s without pictures:\n got %s\nwant %s", c.in, got, c.none)
		}
	}
}

func TestFooter(t *testing.T) {
	for in, want := range map[string]string{
		"":                           "",
		"© 2026 <b>us</b> & co":      "© 2026 &lt;b&gt;us&lt;/b&gt; &amp; co",
		"https://a.example/terms?x.": `<a href="https://a.example/terms?x">https://a.example/terms?x</a>.`,
		"[Imprint](https://a.example/imprint), [mail](mailto:me@a.example)": `<a href="https://a.example/imprint">Imprint</a>, <a href="mailto:me@a.example">mail</a>`,
		`Terms: [x"<y](https://a.example/"><script>) end`:                   `Terms: <a href="https://a.example/%22%3E%3Cscript%3E">x&quot;&lt;y</a> end`,
		"[run](javascript:1) it":                                            "[run](javascript:1) it",
	} {
		if got := string(footer(in)); got != want {
			t.Errorf("%s:\n got %s\nwant %s", in, got, want)
		}
	}
}
