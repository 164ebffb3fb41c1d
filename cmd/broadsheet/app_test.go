package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"broadsheet/publish"
	"broadsheet/store/bolt"
)

// No section can have the address of a page that there always is.
func TestPagesAreReserved(t *testing.T) {
	dir := t.TempDir()
	st, err := bolt.Open(filepath.Join(dir, "s.db"), bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	p, err := publish.New(publish.Publication{Title: "Empty", BaseURL: "https://news.example", Language: "en"}, st, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	e, err := p.Edition(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pages := 0
	for d := range e.Documents() {
		slug, page := strings.CutSuffix(d.Path, ".html")
		if !page {
			continue
		}
		pages++
		file := filepath.Join(dir, slug+".toml")
		if err := os.WriteFile(file, fmt.Appendf(nil, "contact = 'https://example.com/me'\n[[section]]\nslug = %q\n", slug), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := load(file); err == nil || !strings.Contains(err.Error(), "is reserved") {
			t.Errorf("a section may be called %s: %v", slug, err)
		}
	}
	if pages < 3 {
		t.Errorf("%d pages", pages)
	}
}

// Addresses that the configuration writes in letters beyond ASCII stand in documents as RFC 3986 wants them.
func TestAddressesBeyondASCII(t *testing.T) {
	for base, want := range map[string]string{
		"https://例え.テスト:8443/für/%C3%BC/":  "https://xn--r8jz45g.xn--zckzah:8443/f%C3%BCr/%C3%BC",
		"https://news.example/a%20b/~x//c": "https://news.example/a%20b/~x//c",
		"http://[2001:db8::1]:80":          "http://[2001:db8::1]:80",
	} {
		file := filepath.Join(t.TempDir(), "broadsheet.toml")
		text := fmt.Sprintf("contact = 'https://example.com/me'\nbase_url = %q\n[publish]\nhub = 'https://hüb.example/?für=alle'\n[[section]]\nslug = 'world'\n", base)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		pl, err := load(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range []string{pl.config.BaseURL, pl.publication.BaseURL} {
			if got != want {
				t.Errorf("%s is written as %s, not as %s", base, got, want)
			}
		}
		if got, want := pl.publication.Hub, "https://xn--hb-xka.example/?f%C3%BCr=alle"; got != want {
			t.Errorf("the hub is written as %s, not as %s", got, want)
		}
		if got := pl.addresses()[0]; got != want+"/" {
			t.Errorf("the front page is at %s", got)
		}
	}
}
