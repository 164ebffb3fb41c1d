package main

import (
	"net/http"
	"net/netip"
	"testing"
)

// X-Forwarded-For is what anybody may write: it counts as far as those wrote it who are trusted (PROTOCOL S14).
func TestClientAddress(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for _, c := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:1000", nil, "192.0.2.1"},
		{"192.0.2.1:1000", []string{"127.0.0.1"}, "192.0.2.1"},
		{"10.0.0.1:1000", []string{"198.51.100.7"}, "198.51.100.7"},
		{"10.0.0.1:1000", []string{"127.0.0.1, 198.51.100.7"}, "198.51.100.7"},
		{"10.0.0.1:1000", []string{"127.0.0.1", "198.51.100.7, 10.0.0.2"}, "198.51.100.7"},
		{"[::ffff:10.0.0.1]:1000", []string{"198.51.100.7"}, "198.51.100.7"},
		{"[::1]:1000", []string{"2001:db8::7"}, "2001:db8::7"},
		{"10.0.0.1:1000", nil, "10.0.0.1"},
		{"@", []string{"198.51.100.7"}, "@"}, // a unix socket's
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.forwarded}}
		if got := clientAddress(r, trusted); got != c.want {
			t.Errorf("%s, forwarded for %q: %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}
