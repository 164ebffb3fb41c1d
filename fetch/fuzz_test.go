package fetch

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzDecode(f *testing.F) {
	plain := []byte(strings.Repeat("<item>Łódź</item>", 20))
	f.Add(plain, "")
	f.Add(plain, "gzip")
	for _, coding := range []string{"gzip", "deflate", "br", "zstd"} {
		f.Add(encode(f, coding, plain), coding)
		f.Add(encode(f, coding, encode(f, "gzip", plain)), "gzip, "+coding)
	}
	f.Add(encode(f, "raw", plain), "deflate")
	f.Fuzz(func(t *testing.T, wire []byte, header string) {
		const most = 1 << 18
		b, err := decodeBody(bytes.NewReader(wire), header, most, willing)
		if len(b) > most {
			t.Fatalf("%d bytes", len(b))
		}
		if err == nil && b == nil {
			t.Fatal("neither bytes nor an error")
		}
	})
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.*")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, name := range files {
		body, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body, "")
	}
	for _, attack := range attacks {
		f.Add([]byte("<rss><channel><item><title>"+attack+"</title><description><![CDATA["+attack+"]]></description></item></channel></rss>"), "text/xml; charset=utf-8")
	}
	f.Add([]byte("\xff\xfe<\x00r\x00s\x00s\x00>\x00"), "text/xml; charset=windows-1251")
	f.Add([]byte("<feed><entry><content type='application/octet-stream'>PHA+SGk8L3A+</content><author>a</author><link>x</link></entry></feed>"), "")
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		d, err := parseDocument(body, contentType, testAddress())
		if err != nil {
			if d != nil || err.Error() == "" || !utf8.ValidString(err.Error()) {
				t.Fatalf("%v, %q", d, err)
			}
			if strings.Contains(err.Error(), errUnreadable) { // whatever tidy lets through, gofeed reads
				t.Fatal(err)
			}
			return
		}
		checkDocument(t, "", d)
		if found := active(d); found != "" {
			t.Fatal(found)
		}
		again, err := parseDocument(body, contentType, testAddress())
		if err != nil || len(again.Arrivals) != len(d.Arrivals) {
			t.Fatal("not the same the second time", err)
		}
		for i := range d.Arrivals {
			if d.Arrivals[i].Item.Text != again.Arrivals[i].Item.Text || d.Arrivals[i].Item.Rest != again.Arrivals[i].Item.Rest {
				t.Fatal("other hashes the second time")
			}
		}
	})
}

func FuzzSanitise(f *testing.F) {
	for _, attack := range attacks {
		f.Add(attack)
	}
	for _, paragraph := range nineParagraphs {
		f.Add("<p>" + paragraph + "</p>")
	}
	f.Add(`<table><tr><td><ul><li>a<b>b</table><img src=/x width=2><iframe src=//www.youtube.com/embed/x>`)
	f.Fuzz(func(t *testing.T, s string) {
		s = clean(s) // as tidy leaves it
		once, _ := harmless(s)
		checkHarmless(t, s, once)
		if twice, _ := harmless(once); twice != once {
			third, _ := harmless(twice) // mended by then
			if third != twice {
				t.Fatalf("%q: %q, then %q, then %q", s, once, twice, third)
			}
		}
		if p := plain(s); !utf8.ValidString(p) {
			t.Fatalf("%q: %q", s, p)
		}
	})
}

func FuzzCanonicalLink(f *testing.F) {
	for _, s := range []string{"https://www.outlet.example:443/a/../b/?utm_source=x&amp;id=%7e#!/c", "http://[::1]/", "https://www.google.com/url?url=https://a.example/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c := CanonicalLink(s)
		if again := CanonicalLink(c); again != c {
			t.Fatalf("%q: %q, then %q", s, c, again)
		}
		if l := absoluteLink(testAddress(), s); l != "" && !linkForm.MatchString(l) {
			t.Fatalf("%q: %q", s, l)
		}
	})
}

func FuzzDate(f *testing.F) {
	for _, s := range []string{"Mon, 23 Nov 2026 07:00:00 GMT", "2026-11-23T07:00:00.5+01:00", "23.11.2026 7:05 pm EST", "20261123", "1795417200", "2004년 05월 28일 01:31:15"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d := parseDate(s); !d.IsZero() && (d.UTC().Year() < 0 || d.UTC().Year() > 10000) {
			t.Fatalf("%q: %v", s, d)
		}
	})
}
