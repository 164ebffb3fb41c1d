package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"broadsheet/publish"
)

// sharedData holds recordings and feeds of real outlets, beside the repository.
const sharedData = "../../../shared/data"

// needShared skips a test where a folder of them is missing.
func needShared(t *testing.T, dir string) string {
	t.Helper()
	dir = filepath.Join(sharedData, dir)
	if _, err := os.Stat(dir); err != nil {
		t.Skip("needs the recorded outlets of the project: put its folder shared beside this repository, so that ../shared/data is there")
	}
	return dir
}

// A world is a configuration with its store and static files, in a folder of its own.
type world struct {
	t      *testing.T
	dir    string
	config string
}

// newWorld writes a configuration: what lets loopback be polled at any time, and more, which begins with
// keys of [fetch].
func newWorld(t *testing.T, more string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	w.config = filepath.Join(w.dir, "broadsheet.toml")
	w.configure(more)
	return w
}

func (w *world) configure(more string) {
	w.t.Helper()
	const head = `title = "Test"
contact = "https://example.com/me"
base_url = "https://news.example"
[server]
listen = "127.0.0.1:0"
[store]
url = "bolt:broadsheet.db"
retention = "0"
[publish]
dir = "public"
[fetch]
min_interval = "0s"
host_gap = "0s"
per_host = 16
allow_private = ["127.0.0.0/8"]
`
	if err := os.WriteFile(w.config, []byte(head+more), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// outletBlock is an outlet with one feed.
func outletBlock(id, name, feed string) string {
	return fmt.Sprintf("[[outlet]]\nid = %q\nname = %s\n  [[outlet.feed]]\n  url = %q\n", id, tomlString(name), feed)
}

// everything is a section that shows each stored item.
const everything = "[[section]]\nslug = \"all\"\ntitle = \"All\"\nlimit = 0\nmax_age = \"0\"\nstories = \"keep\"\n"

// tomlString quotes s; JSON's escapes are TOML's, too.
func tomlString(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // it is a string
	}
	return string(b)
}

// run runs the program and returns its exit code, stdout and stderr.
func (w *world) run(args ...string) (int, string, string) {
	w.t.Helper()
	var stdout, stderr buffer
	code := run(w.t.Context(), append([]string{"-c", w.config}, args...), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// must runs the program, which must end well, and returns what it said on stderr.
func (w *world) must(args ...string) string {
	w.t.Helper()
	code, _, stderr := w.run(args...)
	if code != exitDone {
		w.t.Fatalf("%s: exit code %d: %s", args, code, stderr)
	}
	return stderr
}

// process is the program as a process of its own.
func (w *world) process(args ...string) *exec.Cmd {
	c := exec.CommandContext(w.t.Context(), "broadsheet", append([]string{"-c", w.config}, args...)...) // TestMain puts it into the path
	c.Dir = w.dir
	return c
}

func (w *world) rows() []publish.Row {
	w.t.Helper()
	code, stdout, stderr := w.run("outlets", "--json")
	if code != exitDone {
		w.t.Fatalf("outlets: exit code %d: %s", code, stderr)
	}
	var rows []publish.Row
	if err := json.Unmarshal([]byte(stdout), &rows); err != nil {
		w.t.Fatal(err)
	}
	return rows
}

func (w *world) path(file string) string { return filepath.Join(w.dir, "public", file) }

func (w *world) file(file string) []byte {
	w.t.Helper()
	return readFile(w.t, w.path(file))
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// files remembers the static files: a file that is written anew has another inode.
func (w *world) files() map[string]os.FileInfo {
	w.t.Helper()
	entries, err := os.ReadDir(w.path(""))
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]os.FileInfo{}
	for _, e := range entries {
		if out[e.Name()], err = os.Stat(w.path(e.Name())); err != nil { // Info would not know the inode until it is asked
			w.t.Fatal(err)
		}
	}
	return out
}

// sameFiles asserts that no file was written since before.
func (w *world) sameFiles(when string, before map[string]os.FileInfo) {
	w.t.Helper()
	after := w.files()
	if len(after) != len(before) {
		w.t.Errorf("%s: %d files, there were %d", when, len(after), len(before))
	}
	for name, a := range after {
		if b := before[name]; b == nil || !os.SameFile(a, b) || !a.ModTime().Equal(b.ModTime()) {
			w.t.Errorf("%s: %s was written anew", when, name)
		}
	}
}

// A published item is what a feed reader takes from a document.
type published struct {
	ID, Title, Link string
	Outlet          string // its name, from the format's element for that
	OutletID        string // JSON Feed only
	Feed            string // address of the feed that it came by
	GUID            string // the outlet's own id; JSON Feed only
	Text            string // HTML, the longest that there is
}

// read reads a document as encoding/xml and encoding/json do by themselves, in strict mode.
func read(t *testing.T, name string, body []byte) []published {
	t.Helper()
	var out []published
	var err error
	switch filepath.Ext(name) {
	case ".rss":
		var doc struct {
			Items []struct {
				GUID  string `xml:"guid"`
				Title string `xml:"title"`
				Links []struct {
					XMLName xml.Name
					Text    string `xml:",chardata"`
				} `xml:"link"` // atom:link is among them
				Source struct {
					URL  string `xml:"url,attr"`
					Name string `xml:",chardata"`
				} `xml:"source"`
				Description string `xml:"description"`
				Content     string `xml:"http://purl.org/rss/1.0/modules/content/ encoded"`
			} `xml:"channel>item"`
		}
		err = xml.Unmarshal(body, &doc)
		for _, i := range doc.Items {
			link := ""
			for _, l := range i.Links {
				if l.XMLName.Space == "" {
					link = l.Text
				}
			}
			out = append(out, published{ID: i.GUID, Title: i.Title, Link: link, Outlet: i.Source.Name, Feed: i.Source.URL, Text: longer(i.Content, i.Description)})
		}
	case ".atom":
		type link struct {
			Rel  string `xml:"rel,attr"`
			Href string `xml:"href,attr"`
		}
		href := func(links []link, rel string) string {
			for _, l := range links {
				if l.Rel == rel {
					return l.Href
				}
			}
			return ""
		}
		var doc struct {
			XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
			Entries []struct {
				ID     string `xml:"id"`
				Title  string `xml:"title"`
				Links  []link `xml:"link"`
				Source struct {
					Title string `xml:"title"`
					Links []link `xml:"link"`
				} `xml:"source"`
				Summary string `xml:"summary"`
				Content string `xml:"content"`
			} `xml:"entry"`
		}
		err = xml.Unmarshal(body, &doc)
		for _, e := range doc.Entries {
			out = append(out, published{ID: e.ID, Title: e.Title, Link: href(e.Links, "alternate"), Outlet: e.Source.Title, Feed: href(e.Source.Links, "self"), Text: longer(e.Content, e.Summary)})
		}
	case ".json":
		var doc struct {
			Items []struct {
				ID     string `json:"id"`
				Title  string `json:"title"`
				URL    string `json:"url"`
				HTML   string `json:"content_html"`
				Text   string `json:"content_text"`
				Source struct {
					Outlet  string `json:"outlet"`
					Title   string `json:"title"`
					FeedURL string `json:"feed_url"`
					ID      string `json:"id"`
				} `json:"_source"`
			} `json:"items"`
		}
		err = json.Unmarshal(body, &doc)
		for _, i := range doc.Items {
			out = append(out, published{ID: i.ID, Title: i.Title, Link: i.URL, Outlet: i.Source.Title, OutletID: i.Source.Outlet, Feed: i.Source.FeedURL, GUID: i.Source.ID, Text: longer(i.HTML, i.Text)})
		}
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out
}

func longer(a, b string) string {
	if len(b) > len(a) {
		return b
	}
	return a
}

func (w *world) read(file string) []published {
	w.t.Helper()
	return read(w.t, file, w.file(file))
}

func ids(items []published) []string {
	out := make([]string, len(items))
	for i, it := range items {
		out[i] = it.ID
	}
	return out
}

// plainWords is a text by its words, for comparing what went through different escapes.
func plainWords(s string) string { return strings.Join(strings.Fields(s), " ") }

// serveHandler serves on loopback until the test ends.
func serveHandler(t *testing.T, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// A buffer may be written to by one goroutine while another reads it.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

var _ io.Writer = (*buffer)(nil)

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
