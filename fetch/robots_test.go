package fetch

import (
	"strings"
	"testing"
)

func TestRobots(t *testing.T) {
	for _, c := range []struct{ text, allowed, forbidden string }{
		{"", "/ /a", ""},
		{"User-agent: *\nDisallow: /", "/robots.txt", "/ /a"},
		{"User-agent: *\nDisallow:", "/ /a", ""},
		{"user-agent:*\r\ndisallow:/a # all of it\r\n", "/ /b", "/a /ab /a/b /a?x"},
		{"User-agent: *\nDisallow: /\n\nUser-agent: Broadsheet\nDisallow: /x", "/ /a", "/x"},
		{"User-agent: broadsheet/2.0\nDisallow: /x\n\nUser-agent: *\nDisallow: /", "/ /a", "/x"},
		{"User-agent: Broadsheet\nUser-agent: Other\nDisallow: /x\nUser-agent: Third\nDisallow: /y", "/y", "/x"},
		{"User-agent: Broadsheet\nDisallow: /x\n\nUser-agent: *\nDisallow: /z\n\nUser-agent: BROADSHEET\nDisallow: /y", "/z", "/x /y"},
		{"User-agent: Broadsheet\n\nUser-agent: Broad\nDisallow: /", "", "/ /a"},
		{"User-agent: Broad\nDisallow: /\nUser-agent: Broadsheets\nDisallow: /", "/ /a", ""},
		{"User-agent: *\nAllow: /p\nDisallow: /", "/p /pq", "/ /a"},
		{"User-agent: *\nDisallow: /a\nAllow: /a", "/a", ""},
		{"User-agent: *\nDisallow: /*.gif$\nAllow: /b.gif$", "/a.gifs /b.gif", "/a.gif /x/y.gif"},
		{"User-agent: *\nDisallow: /a*b*c", "/ab /acb", "/abc /axbxcx /ab/c"},
		{"User-agent: *\nDisallow: /a*a$", "/a /ab", "/aa /aba"},
		{"User-agent: *\nDisallow: *?session=", "/a", "/a?session=1"},
		{"User-agent: *\nDisallow: /ä\nDisallow: /%7eme\nDisallow: /%62%2f", "/b/", "/%C3%A4 /~me /b%2F"},
		{"User-agent: *\nDisallow: /100%/\nDisallow: /%3%32", "/2 /%32", "/100%25/ /100%/ /%253%32"},
		{"Disallow: /\nUser-agent: *\nnonsense\nSitemap: /s\nCrawl-delay: 5\nDisallow: /x\n", "/ /a", "/x"},
		{"\ufeffUser-agent: *\nDisallow: /x", "/", "/x"},
		{"<!doctype html><p>User-agent: *", "/ /a", ""},
	} {
		r := parseRobots([]byte(c.text), "Broadsheet")
		for _, path := range strings.Fields(c.allowed) {
			if !r.permit(path) {
				t.Errorf("%q forbids %s", c.text, path)
			}
		}
		for _, path := range strings.Fields(c.forbidden) {
			if r.permit(path) {
				t.Errorf("%q permits %s", c.text, path)
			}
		}
	}
}

func FuzzRobots(f *testing.F) {
	f.Add("User-agent: *\nDisallow: /a*b$\nAllow: /%7e", "/a%2")
	f.Add("User-agent: Broadsheet\nDisallow: ****$", "/")
	f.Add("", "%3%32")
	f.Fuzz(func(t *testing.T, text, path string) {
		r := parseRobots([]byte(text), "Broadsheet")
		if r.permit(path); sameEscapes(sameEscapes(path)) != sameEscapes(path) {
			t.Errorf("%q is written in two ways", path)
		}
		if !r.permit("/robots.txt") {
			t.Error("robots.txt itself is forbidden")
		}
	})
}
