package store

import (
	"strings"
	"testing"
	"time"
)

// The rules are those of the W3C feed validator: validators.py (rfc2396, canonicaluri) and uri.py.
func TestPublishable(t *testing.T) {
	for id, want := range map[string]bool{
		"https://e.com/?p=1":                   true,
		"http://e.com/":                        true,
		"http://e.com/a/b;c=d,e?f=g&h=i:j@k#l": true,
		"http://e.com:8080/":                   true,
		"http://user:pass@e.com/":              true,
		"http://192.0.2.1/a":                   true,
		"https://e_x.com/":                     true,
		"https://e.com/a//b":                   true,
		"https://e.com/...":                    true,
		"https://e.com/?a=../b":                true,
		"https://e.com/?":                      true,
		"https://e.com/#":                      true,
		"https://e.com/~a":                     true,
		"http://e.com:443/":                    true,
		"https://e.com:80/":                    true,

		"":                        false,
		"1":                       false,
		"http":                    false,
		"/a":                      false,
		"//e.com/a":               false,
		"e.com/a":                 false,
		"http://Example.com/":     false, // upper case host
		"HTTP://e.com/":           false,
		"Https://e.com/":          false,
		"http://example.com":      false, // no path
		"http://e.com?a":          false,
		"http://e.com#a":          false,
		"http:///a":               false,
		"http:/a":                 false,
		"http:a":                  false,
		"http://e.com:/":          false,
		"http://e.com:080/":       false,
		"http://e.com:80/":        false, // the default
		"https://e.com:443/":      false,
		"http://e.com./":          false,
		"http://@e.com/":          false,
		"http://:@e.com/":         false,
		"http://[::1]/":           false,
		"https://e.com/a/../b":    false,
		"https://e.com/a/./b":     false,
		"https://e.com/..":        false,
		"https://e.com/.":         false,
		"https://e.com/a b":       false,
		"https://e.com/a ":        false,
		" https://e.com/a":        false,
		"https://e.com/a\n":       false,
		"https://e.com/\u00e9":    false, // an IRI that is no URI
		"https://\u00e9.com/":     false,
		"https://e.com/[a]":       false,
		"https://e.com/<a>":       false,
		"https://e.com/\"":        false,
		"https://e.com/a#b#c":     false,
		"https://e.com/%C3%A9":    true,
		"https://e.com/%20":       true,
		"https://e.com/%2F":       true,
		"https://e.com/?a=%26":    true,
		"https://e.com/%25":       true,
		"https://e.com/%c3%a9":    false, // lower case escapes
		"https://e.com/%2f":       false,
		"https://e.com/%7Ea":      false, // needless escapes
		"https://e.com/%41":       false,
		"https://e.com/%":         false,
		"https://e.com/%4":        false,
		"https://e.com/%zz":       false,
		"https://e.com/%C3":       false, // no UTF-8
		"https://e.com/%ED%A0%80": false,
		"https://e.com/e%CC%81":   false, // not in normal form C
		"https://e.com/%2541":     false, // the validator unescapes twice
		"https://e.com/" + strings.Repeat("a", 2000): false,

		"tag:e.com,2020:a":           true,
		"tag:e.com,2020-01-02:a/b?c": true,
		"tag:a.b@e.com,2020:a#b":     true,
		"tag:e.com,2020:":            true,
		"tag:e.com:a":                false,
		"tag:e.com,20:a":             false,
		"tag:e.com,2020-1:a":         false,
		"tag:E.com,2020:a":           false,
		"tag:,2020:a":                false,
		"tag:e.com,2020:a b":         false,
		"tag:e.com,2020:a#b#c":       false,
		"tag:e.com,2020:%7E":         false,
		"TAG:e.com,2020:a":           false,

		"urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6a":   true,
		"urn:uuid:1225C695-CFB8-4EBB-AAAA-80DA344EFA6A":   true,
		"urn:isbn:0451450523":                             true,
		"urn:x-y:a%20b":                                   true,
		"urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6":    false,
		"urn:uuid:1225c695cfb84ebbaaaa80da344efa6a":       false,
		"urn:uuid:{1225c695-cfb8-4ebb-aaaa-80da344efa6a}": false,
		"urn:UUID:1":     false,
		"urn:isbn:":      false,
		"urn:a:b":        false,
		"urn:ab:c/d":     false,
		"URN:isbn:1":     false,
		"yt:video:abc":   false, // not registered
		"cocoa-dom:objc": false,
		"post:7":         false,
		"mailto:a@b.com": false, // registered, but it names no item
	} {
		if got := Publishable(id); got != want {
			t.Errorf("%q: %t, want %t", id, got, want)
		}
	}
}

func TestTagHost(t *testing.T) {
	for _, c := range []struct{ want, link, feed string }{
		{"e.com", "https://E.com./a", "https://f.com/"},
		{"e.com", "https://user@e.com:8080/a", "https://f.com/"},
		{"f.com", "", "https://f.com/"},
		{"f.com", "/relative", "https://f.com/"},
		{"f.com", "https://[2001:db8::1]/", "https://f.com/"},
		{"f.com", "https://\u00e9.com/", "https://f.com/"},
		{"f.com", "https://a_b.com/", "https://f.com/"},
		{"f.com", "://", "https://f.com/"},
		{"192.0.2.1", "http://192.0.2.1/", "https://f.com/"},
		{"xn--9ca.com", "https://xn--9ca.com/", ""},
		{"localhost", "https://[::1]/", "http://[::1]:80/"},
		{"localhost", "", ""},
	} {
		if got := tagHost(c.link, c.feed); got != c.want {
			t.Errorf("%q, %q: %q, want %q", c.link, c.feed, got, c.want)
		}
		if id := "tag:" + tagHost(c.link, c.feed) + ",2025:00ff"; !Publishable(id) {
			t.Errorf("%s cannot be published", id)
		}
	}
}

// What belongs together begins alike, so that it stands together in an ordered store.
func TestKeysLieTogether(t *testing.T) {
	together := func(a, b Key) bool { return string(a[:6]) == string(b[:6]) }
	f := &FeedState{Outlet: "a", URL: "https://a.example/feed"}
	one := &Arrival{Item: Item{GUID: "1"}, Canonical: "https://a.example/1"}
	two := &Arrival{Canonical: "https://b.example/2"}
	if !together(one.key(f, 0), two.key(f, 2)) || together(one.key(f, 0), one.key(&FeedState{Outlet: "b"}, 0)) {
		t.Error("keys of an outlet")
	}
	if !together(LinkKey("https://a.example/1"), LinkKey("http://a.example/2?x")) || together(LinkKey("https://a.example/1"), LinkKey("https://b.example/1")) {
		t.Error("links of a host")
	}
	if !together(IDKey("https://a.example/1"), IDKey("https://a.example/2?x,y")) || !together(IDKey("tag:a.example,2025:1"), IDKey("tag:a.example,2025:2")) {
		t.Error("ids of an authority")
	}
	if one.key(f, 0) == one.key(f, 1) || one.key(f, 1) == one.key(f, 2) || LinkKey("https://a.example/1") == IDKey("https://a.example/1") {
		t.Error("keys of different kinds are equal")
	}
}

func FuzzPublishable(f *testing.F) {
	for _, id := range []string{"https://e.com/?p=1", "tag:e.com,2020:a", "urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6a",
		"http://e.com:80/%C3%A9/../%2541#", "12:30", "\xff://", "%", "tp://" + strings.Repeat("v", 1000)} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		a := Arrival{Item: Item{GUID: id, Link: id, Title: id}, Canonical: id}
		s := Settle(&Poll{At: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), State: FeedState{Outlet: "a", URL: id}, Arrivals: []Arrival{a}}, Known{Next: 1})
		if len(s.Inserts) != 1 {
			t.Fatalf("%d items", len(s.Inserts))
		}
		got := s.Inserts[0].Item.PublishedID
		if !Publishable(got) {
			t.Errorf("%q is published as %q", id, got)
		}
		if Publishable(id) && (got != id || !isIRI(id)) {
			t.Errorf("%q could be published, and is published as %q", id, got)
		}
	})
}
