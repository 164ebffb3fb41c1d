package fetch

import (
	"net/url"
	"strings"
	"testing"
)

func TestPlain(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"AT&T", "AT&T"}, {"Tom &amp; Jerry", "Tom & Jerry"}, {"a &lt;b&gt; c", "a <b> c"}, {"&amp;amp;", "&amp;"},
		{"a <b>bold</b> <i class=x>word</i>", "a bold word"}, {"1 < 2 > 0", "1 < 2 > 0"}, {"the <unknown> host", "the <unknown> host"},
		{"a<br>b<p>c", "a b c"}, {"a<script>alert(1)</script>b", "ab"}, {"<![CDATA[a & b]]>", "a & b"}, {"&#128;&#150;&nbsp;", "€–\u00a0"}, {"plain", "plain"},
		{"if a<b", "if a<b"}, {"a <a href=\"https://b.ex", "a "}, {"a <!-- b", "a "}, {"if a<b &amp; c", "if a<b & c"},
	} {
		if got := plain(test.in); got != test.want {
			t.Errorf("plain(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestOneLine(t *testing.T) {
	for _, test := range []struct {
		in   string
		n    int
		want string
	}{
		{"  a\r\n\tb  c ", 10, "a b c"}, {"a\u00a0b", 10, "a b"}, {"abc", 2, "ab"}, {"äöü", 2, "äö"}, {"ab cd", 3, "ab"}, {"", 5, ""},
		{strings.Repeat("é", 100), 10, strings.Repeat("é", 10)},
	} {
		if got := oneLine(test.in, test.n); got != test.want {
			t.Errorf("oneLine(%q, %d) = %q, want %q", test.in, test.n, got, test.want)
		}
	}
}

func TestLead(t *testing.T) {
	for _, test := range []struct {
		in   string
		n    int
		want string
	}{
		{"one two three", 100, "one two three"}, {"one two three", 9, "one two"}, {" one \n\n two ", 100, "one two"}, {"one two", 7, "one two"},
		{"東京の新しい橋", 8, "東京"}, {"a " + strings.Repeat("x", 50), 20, "a " + strings.Repeat("x", 18)}, {"", 5, ""},
	} {
		if got := lead([]byte(test.in), test.n); got != test.want {
			t.Errorf("lead(%q, %d) = %q, want %q", test.in, test.n, got, test.want)
		}
	}
}

func TestCountWords(t *testing.T) {
	for _, test := range []struct {
		in   string
		want int
	}{
		{"", 0}, {"one two, three.", 3}, {"don't re-open 3.14", 3}, {"Łódź naïve — café", 3}, {"東京の新しい橋", 4}, {"5월부터 아이돌보미", 2}, {"สวัสดี", 3}, {"– … !", 0},
	} {
		if got := countWords([]byte(test.in)); got != test.want {
			t.Errorf("countWords(%q) = %d, want %d", test.in, got, test.want)
		}
	}
}

func TestAbsoluteLink(t *testing.T) {
	base, _ := url.Parse("https://outlet.example/news/feed?x=1")
	for _, test := range []struct{ in, want string }{
		{"https://outlet.example/a?b=1&c=2#d", "https://outlet.example/a?b=1&c=2#d"}, {" /a ", "https://outlet.example/a"}, {"a/b", "https://outlet.example/news/a/b"},
		{"../a", "https://outlet.example/a"}, {"//cdn.example/a", "https://cdn.example/a"}, {"?p=2", "https://outlet.example/news/feed?p=2"}, {"http://outlet.example:8080/", "http://outlet.example:8080/"},
		{"https://outlet.example/ä b?ü=|#ö", "https://outlet.example/%C3%A4%20b?%C3%BC=%7C#%C3%B6"}, {"https://bücher.example/", "https://xn--bcher-kva.example/"},
		{"https://outlet.example/a\n  b", "https://outlet.example/a%20%20b"}, {"HTTPS://outlet.example/A", "https://outlet.example/A"}, {"http://[2001:db8::1]/a", "http://[2001:db8::1]/a"},
		{"", ""}, {"javascript:alert(1)", ""}, {"java\tscript:alert(1)", ""}, {"data:text/html,x", ""}, {"mailto:a@outlet.example", ""}, {"ftp://outlet.example/a", ""}, {"file:///etc/passwd", ""},
		{"http:///a", ""}, {"http://", ""}, {`http:\\h\a`, ""}, {`https://a.example\@b.example/`, ""}, {"https://u:p@outlet.example/", ""}, {"https://out let.example/", ""}, {`https://"/`, ""}, {"http://%zz/", ""},
		{"https://outlet.example/" + strings.Repeat("x", maxLink), ""},
	} {
		if got := absoluteLink(base, test.in); got != test.want {
			t.Errorf("absoluteLink(%q) = %q, want %q", test.in, got, test.want)
		}
	}
	if got := absoluteLink(nil, "/a"); got != "" {
		t.Errorf("without a base: %q", got)
	}
}

func TestLanguage(t *testing.T) {
	for in, want := range map[string]string{
		"en": "en", "EN-us": "en-US", "zh_hant_tw": "zh-Hant-TW", " pt-br ": "pt-BR", "es-419": "es-419", "sr-latn": "sr-Latn",
		"": "", "english": "", "und": "", "en us": "", "x": "", "e1": "", "en-": "",
	} {
		if got := language(in); got != want {
			t.Errorf("language(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestPersonFromText(t *testing.T) {
	for in, want := range map[string][2]string{
		"Amara Berg": {"Amara Berg", ""}, "a@b.example (Amara Berg)": {"Amara Berg", "a@b.example"}, "Amara Berg (a@b.example)": {"Amara Berg", "a@b.example"},
		"Amara Berg <a@b.example>": {"Amara Berg", "a@b.example"}, "Amara &lt;a@b.example&gt;": {"Amara", "a@b.example"}, "a@b.example": {"", "a@b.example"}, "@amara": {"@amara", ""},
		"Amara (mailto:a@b.example)": {"Amara", "a@b.example"}, "a@b.example(Amara)": {"Amara", "a@b.example"}, "a@b.example<a@b.example>": {"a@b.example", "a@b.example"},
	} {
		if got := personFromText(in); got.Name != want[0] || got.Email != want[1] {
			t.Errorf("personFromText(%q) = %+v, want %q", in, got, want)
		}
	}
}

func TestUndouble(t *testing.T) {
	for in, want := range map[string]string{
		"EspaÃ±ol": "Español", "itâ€™s â€œsoâ€\u009d": "it’s “so”", "Ð¡Ð°Ð²": "Сав", "Español": "Español", "naïve": "naïve", "Ã± and ñ": "Ã± and ñ", "plain": "plain", "Â": "Â", "東京": "東京", "Â‰ Ã±": "‰ ñ",
	} {
		in := string(appendText(nil, []byte(in), false))
		if got := string(undouble([]byte(in))); got != want {
			t.Errorf("undouble(%q) = %q, want %q", in, got, want)
		}
	}
}
