package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// noEnv is an environment without variables.
func noEnv(string) (string, bool) { return "", false }

// loadsAgain checks that what WriteTOML prints is what Load reads.
func loadsAgain(t *testing.T, outlets []Outlet) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("contact = \"https://reader.test/about\"\n")
	if err := WriteTOML(&b, outlets); err != nil {
		t.Fatal(err)
	}
	cfg, err := load("pasted.toml", b.Bytes(), noEnv)
	if err != nil {
		t.Fatalf("what WriteTOML printed does not load:\n%v\n%s", err, b.String())
	}
	if len(cfg.Outlets) != len(outlets) {
		t.Fatalf("%d outlets printed, %d loaded", len(outlets), len(cfg.Outlets))
	}
	for i, o := range outlets {
		got := cfg.Outlets[i]
		if got.ID != o.ID || got.Name != o.Name || got.URL != o.URL || got.Language != o.Language {
			t.Errorf("outlet %d: loaded %+v, want %+v", i, got, o)
		}
		for j, f := range o.Feeds {
			g := got.Feeds[j]
			if g.URL != f.URL || g.Username != f.Username || g.Password != f.Password || fmt.Sprint(g.Tags) != fmt.Sprint(f.Tags) {
				t.Errorf("outlet %d feed %d: loaded %+v, want %+v", i, j, g, f)
			}
		}
	}
}

var address = regexp.MustCompile(`(?i)\sxmlurl="(https?://[^"]*)"`)

func TestSharedOPML(t *testing.T) {
	files, _ := filepath.Glob("../../shared/data/opml/*")
	if len(files) == 0 {
		t.Skip("no ../../shared/data/opml: put the shared data beside the repository")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			outlets, err := ParseOPML(bytes.NewReader(data))
			var skipped Skipped
			if err != nil && !errors.As(err, &skipped) {
				if strings.Contains(strings.ToLower(string(data)), "xmlurl=\"http") {
					t.Fatal(err)
				}
				return
			}
			if len(skipped) > 0 {
				t.Logf("%d skipped: %s", len(skipped), skipped[0])
			}
			loadsAgain(t, outlets)

			// None is lost: a plain look at the text finds no more addresses.
			want := map[string]bool{}
			for _, m := range address.FindAllStringSubmatch(string(data), -1) {
				want[strings.ReplaceAll(unescape(m[1]), " ", "%20")] = true
			}
			for _, o := range outlets {
				for _, f := range o.Feeds {
					delete(want, f.URL)
				}
			}
			for url := range want {
				t.Errorf("%s is lost", url)
			}
		})
	}
}
