package main

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// nineParagraphs have what is lost first when texts are handled carelessly: curly quotes, dashes, letters of
// other scripts, joiners that shape them, characters beyond the first plane, ampersands.
var nineParagraphs = []string{
	"TEHRAN – “The talks will go on,” the spokesman said on Monday, “but not for ever.”",
	"It’s the third round since autumn – the first in Geneva’s old town hall – and nobody’s counting on a fourth.",
	"به گزارش خبرگزاری مهر، سخنگوی وزارت امور خارجه گفت: «گفت\u200cوگوها ادامه می\u200cیابد.»",
	"新华社北京电——外交部发言人说：“我们欢迎一切有助于对话的努力。”",
	"“I was told ‘wait’,” recalled Zoë Łukasiewicz, 34, whose café faces the hall; “so I waited … and sold coffee.”",
	"Prices rose 3–5 % in the week, to €1,200–€1,250 a tonne; AT&T’s and R&D firms’ shares didn’t move (<1 %).",
	"وی افزود: نرخ ۱۲٫۵ درصدی در سال ۱۴۰۵ «واقع\u200cبینانه» نیست.",
	"谈判将于11月30日继续进行，地点是“老市政厅”——𠮷野先生说。",
	"Mehr’s correspondent adds: naïve hopes aside, “peace – 😀 or not – is made by people who stay in the room.”",
}

const articleFeed = `<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>
<title>Mehr News Agency</title><link>https://en.mehrnews.example</link><description>News</description><language>en</language>
<item><title>“We’ll stay in the room” – talks go on</title><link>https://en.mehrnews.example/news/1/talks</link>
<guid isPermaLink="false">mehr-1</guid>
<description>The talks will go on – for now.</description>
<content:encoded><![CDATA[PARAGRAPHS]]></content:encoded></item>
</channel></rss>`

// articleWorld is the outlet with that article, in a section.
func articleWorld(t *testing.T) *world {
	t.Helper()
	var markup strings.Builder
	for _, p := range nineParagraphs {
		markup.WriteString("<p>" + strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(p) + "</p>\n")
	}
	document := strings.Replace(articleFeed, "PARAGRAPHS", markup.String(), 1)
	server := serveHandler(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/rss+xml")
		io.WriteString(w, document)
	})
	return newWorld(t, "[[section]]\nslug = \"world-news\"\ntitle = \"World News\"\n"+outletBlock("mehr", "Mehr News Agency", server+"/rss"))
}

var (
	paragraph = regexp.MustCompile(`(?s)<p[^>]*>(.*?)</p>`)
	tag       = regexp.MustCompile(`<[^>]*>`)
)

// paragraphs are the texts of the paragraphs of s.
func paragraphs(s string) []string {
	var out []string
	for _, m := range paragraph.FindAllStringSubmatch(s, -1) {
		out = append(out, html.UnescapeString(tag.ReplaceAllString(m[1], "")))
	}
	return out
}

func TestArticle(t *testing.T) {
	t.Parallel()
	w := articleWorld(t)
	if stderr := w.must("fetch", "--once"); stderr != "" {
		t.Error(stderr)
	}
	const title = "“We’ll stay in the room” – talks go on"
	for _, file := range []string{"world-news.rss", "world-news.atom", "world-news.json"} {
		items := w.read(file)
		if len(items) != 1 {
			t.Fatalf("%s: %d items", file, len(items))
		}
		it := items[0]
		if it.Title != title || it.Outlet != "Mehr News Agency" || it.Link != "https://en.mehrnews.example/news/1/talks" {
			t.Errorf("%s: %q by %q at %s", file, it.Title, it.Outlet, it.Link)
		}
		if got := paragraphs(it.Text); !slices.Equal(got, nineParagraphs) {
			t.Errorf("%s: paragraphs\n%s\nwant\n%s", file, strings.Join(got, "\n"), strings.Join(nineParagraphs, "\n"))
		}
	}
	page := string(w.file("world-news.html"))
	at := 0
	for _, p := range paragraphs(page) {
		if at < len(nineParagraphs) && p == nineParagraphs[at] {
			at++
		}
	}
	if at != len(nineParagraphs) {
		t.Errorf("the page has the first %d of %d paragraphs in order:\n%s", at, len(nineParagraphs), page)
	}
	for _, name := range []string{"world-news.html", "index.html"} {
		if text := html.UnescapeString(string(w.file(name))); !strings.Contains(text, title) || !strings.Contains(text, "Mehr News Agency") || !strings.Contains(text, "World News") {
			t.Errorf("%s does not name title, outlet and section", name)
		}
	}
}

// TestBytesArePure publishes one store several times: what comes out depends on what is stored and on nothing
// else.
func TestBytesArePure(t *testing.T) {
	t.Parallel()
	w := articleWorld(t)
	w.must("fetch", "--once")
	first := map[string]string{}
	for name := range w.files() {
		first[name] = string(w.file(name))
	}
	same := func(when, dir string) {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != len(first) {
			t.Fatalf("%s: %d files, want %d (%v)", when, len(entries), len(first), err)
		}
		for name, want := range first {
			if got := string(readFile(t, filepath.Join(dir, name))); got != want {
				t.Errorf("%s: %s differs:\n%s\nbefore:\n%s", when, name, got, want)
			}
			a, errA := os.Stat(filepath.Join(dir, name))
			b, errB := os.Stat(w.path(name))
			if errA != nil || errB != nil || !a.ModTime().Equal(b.ModTime()) {
				t.Errorf("%s: %s has another time of modification (%v, %v)", when, name, errA, errB)
			}
		}
	}
	reopened := filepath.Join(t.TempDir(), "out")
	w.must("publish", "--out", reopened)
	same("the store reopened", reopened)

	// A copy of the store, elsewhere, by another process and a second later.
	other := newWorld(t, "")
	if err := os.WriteFile(other.config, readFile(t, w.config), 0o600); err != nil {
		t.Fatal(err)
	}
	w.must("backup", filepath.Join(other.dir, "broadsheet.db"))
	for end := time.Now().Truncate(time.Second).Add(time.Second); time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if out, err := other.process("publish", "--out", "public").CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatal(err, string(out))
	}
	same("a copy, by another process", other.path(""))

	// Both served: the same bytes under the same validators, twice by the same store.
	tags := serveAll(t, w, first)
	for i, again := range []map[string]http.Header{serveAll(t, w, first), serveAll(t, other, first)} {
		for name, h := range tags {
			for _, key := range []string{"ETag", "Last-Modified", "Cache-Control", "Content-Type"} {
				if h.Get(key) == "" || h.Get(key) != again[name].Get(key) {
					t.Errorf("%d: %s: %s was %q and is %q", i, name, key, h.Get(key), again[name].Get(key))
				}
			}
		}
	}
}

// serving runs a daemon that only serves, until stop is called, and returns where.
func serving(t *testing.T, w *world) (address string, stop func()) {
	t.Helper()
	daemon := w.process("--log-format", "json", "serve", "--no-fetch")
	var log buffer
	daemon.Stderr = &log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		if err := daemon.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if err := daemon.Wait(); err != nil {
			t.Error(err, log.String())
		}
	}
	wait(t, func() bool {
		for line := range strings.Lines(log.String()) {
			var serving struct{ Msg, Address string }
			if json.Unmarshal([]byte(line), &serving) == nil && serving.Msg == "serving" {
				address = "http://" + serving.Address
			}
		}
		return address != "" && get1(address+"/readyz").status == http.StatusOK
	}, &log)
	return address, stop
}

// serveAll runs a daemon that only serves, asserts that it serves these documents, and returns their headers.
func serveAll(t *testing.T, w *world, want map[string]string) map[string]http.Header {
	t.Helper()
	address, stop := serving(t, w)
	defer stop()
	headers := map[string]http.Header{}
	for name, body := range want {
		a := get1(address + "/" + name)
		if a.status != http.StatusOK || a.body != body {
			t.Errorf("%s: status %d, %d bytes, want those of the file, %d", name, a.status, len(a.body), len(body))
		}
		headers[name] = a.header
	}
	return headers
}
