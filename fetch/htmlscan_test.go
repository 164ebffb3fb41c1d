package fetch

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// FuzzHTMLScanner holds htmlScanner against the tokenizer of golang.org/x/net/html: the same tags and texts, the same
// attributes.
func FuzzHTMLScanner(f *testing.F) {
	for _, attack := range attacks {
		f.Add(attack)
	}
	for _, s := range []string{`a < b </> </ x> <!> <!-> <!--> <!---> <!----> <!-- a --!> <!-- <b>`, `<A HREF = x/y TITLE='a>b'/><br/><p a b=c =d e= /f "g>h`,
		`<!DOCTYPE a> <!doctype`, `</`, `x</`, `<?php a > b`, `<a b="`, `<a b=c B=d e b>`, `<a/=/`, `<a =>`, "<a\fb\r=\n'c'd>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsAny(s, "&\x00\r") || oddDeclaration.MatchString(s) { // which the two read in their own ways
			return
		}
		var want, got []string
		for z := html.NewTokenizer(strings.NewReader(s)); ; z.NextIsNotRawText() {
			kind := z.Next()
			if kind == html.ErrorToken {
				break
			}
			raw := string(z.Raw())
			switch kind {
			case html.TextToken:
				want = append(want, "text", raw)
			case html.EndTagToken:
				want = append(want, "end", raw)
			case html.StartTagToken, html.SelfClosingTagToken:
				want = append(want, "start", raw)
				n := 0
				for more := true; more; {
					var key, value []byte
					if key, value, more = z.TagAttr(); len(key) > 0 && n < maxAttributes {
						want = append(want, string(key), string(value))
						n++
					}
				}
			case html.DoctypeToken:
				if !strings.HasSuffix(raw, ">") {
					want = append(want, "text", raw)
				}
			}
		}
		var z htmlScanner
		z.reset(s)
		for kind := z.next(); kind != htmlEnd; kind = z.next() {
			got = append(got, map[htmlKind]string{htmlText: "text", htmlStartTag: "start", htmlEndTag: "end"}[kind], string(z.raw))
			for key, value := z.attribute(); key != nil; key, value = z.attribute() {
				got = append(got, string(key), string(value))
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q:\n got %q\nwant %q", s, got, want)
		}
	})
}

var oddDeclaration = regexp.MustCompile(`<![^A-Za-z>\[-]`)

func TestPassOver(t *testing.T) {
	for _, test := range []struct {
		s    string
		rest string
		ends bool
	}{
		{`var a = "<b>";</script>c`, "c", true},
		{`a</scripts></SCRIPT x>c`, "c", true},
		{`a</script`, `a</script`, false},
		{`a</script x`, ``, true},
		{`a`, `a`, false},
		{`a</<script>b</script>c`, "c", true},
	} {
		var z htmlScanner
		z.reset("<script>" + test.s)
		z.next()
		ends := z.passOver(atom.Script)
		if rest := z.src[z.pos:]; ends != test.ends || !bytes.Equal(rest, []byte(test.rest)) {
			t.Errorf("%q: %v, rest %q", test.s, ends, rest)
		}
	}
}
