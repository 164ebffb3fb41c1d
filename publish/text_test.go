package publish

import "testing"

func TestAddress(t *testing.T) {
	for in, want := range map[string]string{
		"https://user:pw@a.example/ü?x=ä b#ö":  "https://a.example/%C3%BC?x=%C3%A4%20b#%C3%B6",
		"http://例え.テスト:8080":                   "http://xn--r8jz45g.xn--zckzah:8080",
		"https://a_b.example.:443/":            "https://a_b.example.:443/",
		"http://[2001:db8::1]:65535/":          "http://[2001:db8::1]:65535/",
		"https://a.example:/p":                 "https://a.example:/p",
		"https://a.example:65536/":             "",
		"https://a.example:99999999999999999/": "",
		"https://a..example/":                  "",
		"https://.example/":                    "",
		"https://./":                           "",
		"https:///a.example/":                  "",
		"ftp://a.example/":                     "",
		"//a.example/":                         "",
	} {
		if got := Address(in); got != want {
			t.Errorf("%s is %q, not %q", in, got, want)
		}
	}
}
