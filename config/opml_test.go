package config

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf16"
)

// noEnv is an environment without variables.
// Whatever a page says of itself, the block made of it loads, and asks for nothing of our environment.
func TestNewOutlet(t *testing.T) {
	for _, c := range []struct {
		title, home, language string
		feeds                 []string
		id, name              string
	}{
		{"The Daily Test – News", "https://daily.test/", "en-GB", []string{"https://daily.test/rss", "https://daily.test/atom"}, "the-daily-test-news", "The Daily Test – News"},
		{"", "https://www.daily.test/", "english please", []string{"https://daily.test/rss"}, "daily-test", "daily-test"},
		{"新聞", "", "ja", []string{"https://daily.test/rss", "ftp://daily.test/rss", "https://Daily.test:443/rss"}, "daily-test", "新聞"},
		{"${HOME} \"]\n[server]", "https://daily.test/${HOME}", "", []string{"https://daily.test/${HOME}"}, "home-server", "$ {HOME} \"] [server]"},
		{"$\x00\uFFFE{HOME}", "https://daily.test/", "", []string{"https://daily.test/rss"}, "home", "$ {HOME}"},
	} {
		o := NewOutlet(c.title, c.home, c.language, c.feeds...)
		if o.ID != c.id || o.Name != c.name {
			t.Errorf("%+v: id %q, name %q", c, o.ID, o.Name)
		}
		var b strings.Builder
		if err := WriteTOML(&b, []Outlet{o}); err != nil {
			t.Fatal(err)
		}
		cfg, err := loadText(t, t.TempDir(), contactLine+b.String(), nil)
		if err != nil {
			t.Errorf("%+v makes\n%s\n%v", c, &b, err)
		} else if got := cfg.Outlets[0]; len(got.Feeds) != len(o.Feeds) || got.Name != o.Name {
			t.Errorf("%+v makes\n%s", c, &b)
		}
	}
}

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
				want[requested(strings.ReplaceAll(unescape(m[1]), " ", "%20"))] = true
			}
			for _, o := range outlets {
				for _, f := range o.Feeds {
					delete(want, requested(f.URL))
				}
			}
			for url := range want {
				t.Errorf("%s is lost", url)
			}
		})
	}
}

// Each list of testdata/opml stands beside the blocks that are made of it.
func TestOPML(t *testing.T) {
	files, err := filepath.Glob("testdata/opml/*.opml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		outlets, err := ParseOPML(f)
		var skipped Skipped
		if err != nil && !errors.As(err, &skipped) {
			t.Fatal(err)
		}
		if file == "testdata/opml/folders.opml" {
			if want := `"Script": "|~/fetch.py" has no scheme; write it with https:// or http:// before it`; skipped.Error() != want {
				t.Errorf("skipped %q, want %q", skipped, want)
			}
		}
		want, err := os.ReadFile(strings.TrimSuffix(file, ".opml") + ".toml")
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := WriteTOML(&got, outlets); err != nil {
			t.Fatal(err)
		}
		if got.String() != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", file, got.String(), want)
		}
		loadsAgain(t, outlets)
	}
}

func TestOPMLEncodings(t *testing.T) {
	const doc = `<opml><outline text="Süddeutsche" xmlUrl="https://sz.test/rss"/></opml>`
	var latin1 []byte
	for _, r := range `<?xml version="1.0" encoding="ISO-8859-1"?>` + doc {
		latin1 = append(latin1, byte(r))
	}
	wide := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(doc)) {
		wide = binary.LittleEndian.AppendUint16(wide, u)
	}
	for name, data := range map[string][]byte{
		"UTF-8":              []byte(doc),
		"UTF-8 with a mark":  []byte("\uFEFF" + doc),
		"UTF-8 called Latin": []byte(`<?xml version="1.0" encoding="ISO-8859-1"?>` + doc),
		"Latin 1":            latin1,
		"UTF-16":             wide,
	} {
		outlets, err := ParseOPML(bytes.NewReader(data))
		if err != nil || len(outlets) != 1 || outlets[0].Name != "Süddeutsche" || outlets[0].ID != "suddeutsche" {
			t.Errorf("%s: %+v, %v", name, outlets, err)
		}
	}
	_, err := ParseOPML(strings.NewReader("<?xml version='1.0' encoding='EUC-KR'?><opml>\xbe\xc8</opml>"))
	if err == nil || !strings.Contains(err.Error(), "iconv -f EUC-KR") {
		t.Errorf("EUC-KR: %v", err)
	}
}

func TestOPMLRefused(t *testing.T) {
	for doc, want := range map[string]string{
		"":                             "no OPML document",
		"<html><body>Not found</body>": "no OPML document",
		"<opml><body/></opml>":         "no feed in it",
		`<opml><outline text="a`:       "does not end",
		`<opml><outline `:              "does not end",
		`<opml><outline xmlUrl="x"/>`:  `"": "x" has no scheme; write it with https:// or http:// before it`,
		`<opml>` + strings.Repeat(`<outline text="x">`, 100):   "more than 64 folders deep",
		`<opml>` + strings.Repeat(`<outline/>`, maxOutlines+1): "more than 100000 outlines",
		`<opml>` + strings.Repeat(" ", maxOPML):                "larger than 16 MiB",
	} {
		outlets, err := ParseOPML(strings.NewReader(doc))
		if err == nil || !strings.Contains(err.Error(), want) || len(outlets) > 0 {
			t.Errorf("%.30q: %d outlets, %v, want an error with %q", doc, len(outlets), err, want)
		}
	}
}

// Ids stay valid and unique, however many outlets share a name.
func TestOPMLIDs(t *testing.T) {
	var doc strings.Builder
	doc.WriteString("<opml>")
	for i := range 3000 {
		fmt.Fprintf(&doc, `<outline text="%s" xmlUrl="https://h.test/%d"/>`, strings.Repeat("Long name ", 9), i)
	}
	outlets, err := ParseOPML(strings.NewReader(doc.String()))
	if err != nil || len(outlets) != 3000 {
		t.Fatalf("%d outlets, %v", len(outlets), err)
	}
	loadsAgain(t, outlets)
}

// Whatever comes in, what comes out loads.
func FuzzParseOPML(f *testing.F) {
	files, _ := filepath.Glob("testdata/opml/*.opml")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`<opml><outline text="&#0;&#x85;&#xFFFE;" xmlUrl="http://a/&#10;"/><outline xmlUrl="feed:https://[::1]:99999/"/></opml>`))
	f.Add([]byte(`<opml><outline xmlUrl="http://%EF%BF%BE/"/><outline xmlUrl="http://gr%edy.test/"/><outline xmlUrl="http://%E2%80%8B.test/"/><outline xmlUrl="http://a/&#xFFFE;"/><outline text="a" htmlUrl="http://a/&#xFFFF;" xmlUrl="http://a/"/></opml>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		outlets, err := ParseOPML(bytes.NewReader(data))
		var skipped Skipped
		if err != nil && !errors.As(err, &skipped) && len(outlets) > 0 {
			t.Fatal("outlets beside an error")
		}
		if len(outlets) > 0 {
			loadsAgain(t, outlets)
		}
	})
}
