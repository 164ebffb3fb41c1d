package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/text/encoding/charmap"
)

// newsFeed is an RSS document with these titles, each of an item of its own; more stands after the items.
func newsFeed(host, more string, titles ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>%s</title><link>https://%[1]s/</link><description>News</description>`+"\n", host)
	for _, title := range titles {
		fmt.Fprintf(&b, `<item><title>%s</title><link>https://%s/%x</link><guid isPermaLink="false">%[2]s %[3]x</guid><description>Text of %.30[1]s</description></item>`+"\n", title, host, title[:min(len(title), 20)])
	}
	return b.String() + more + "</channel></rss>\n"
}

func answer(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func zipped(encoding string, body []byte) http.HandlerFunc {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(body)
	z.Close()
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/rss+xml")
		if encoding != "" {
			w.Header().Set("Content-Encoding", encoding)
		}
		w.Write(b.Bytes())
	}
}

// TestBadInput has an outlet that was well once answer with something else, beside one that is well. What was
// stored stays published, what is wrong is said with the feed's address, and the exit code is 0, with
// --strict 3. Where shows is set, the document is no error but must come out so.
func TestBadInput(t *testing.T) {
	const rss, noAnswer = "application/rss+xml", "no complete answer within 9s: raise fetch.timeout"
	old := []string{"The first old story", "The second old story", "The third old story"}
	whole := newsFeed("bad.example", "", append([]string{"A complete new story", "Another new story"}, old...)...)
	cyrillic, err := charmap.Windows1251.NewEncoder().String(newsFeed("bad.example", "", "Переговоры продолжаются"))
	if err != nil {
		t.Fatal(err)
	}
	deep := func(name string) string {
		return strings.Repeat("<"+name+">", 200_000) + strings.Repeat("</"+name+">", 200_000)
	}
	inItem := func(markup string) string {
		return newsFeed("bad.example", "<item><title>Deep</title><guid>deep</guid>"+markup+"</item>", "A story before the deep one")
	}

	for _, test := range []struct {
		name  string
		serve http.HandlerFunc
		want  string   // what is said, beside the address of the feed; "" is nothing
		shows []string // titles of new items
		adds  int      // new items, where they are more
	}{
		{"a web page", answer(200, "text/html", "<!doctype html><html><head><title>Sorry</title></head><body>We are <b>back</b> soon.</body></html>"), "a web page, not a feed", nil, 0},
		{"a web page that claims to be a feed", answer(200, rss, "<html><body><p>Log in first<br></body></html>"), "a web page, not a feed", nil, 0},
		{"a web page in XML", answer(200, rss, `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>Sorry</title></head><body/></html>`), "a web page, not a feed", nil, 0},
		{"plain text", answer(200, "text/plain", "Service temporarily unavailable"), "not a feed: it begins with", nil, 0},
		{"nothing", answer(200, rss, ""), "empty body", nil, 0},
		{"blanks", answer(200, rss, " \r\n\t "), "the document is empty", nil, 0},
		{"nothing but a declaration", answer(200, rss, `<?xml version="1.0"?>`), "not a feed", nil, 0},
		{"JSON that is no feed", answer(200, "application/json", `{"error": "quota exceeded"}`), "not a feed", nil, 0},
		{"JSON that breaks off", answer(200, "application/feed+json", `{"version": "https://jsonfeed.org/version/1.1", "title": "T", "items": [{"id": "1", "title": "A complete new story", "content_text": "x"}, {"id": "2", "ti`), "damaged document", []string{"A complete new story"}, 0},
		{"a document that breaks off in an item", answer(200, rss, whole[:strings.Index(whole, "Another new story")+7]), "damaged document: the document is cut off", []string{"A complete new story"}, 0},
		{"a document that breaks off in a tag", answer(200, rss, whole[:strings.Index(whole, "</item>")+4]), "damaged document: the document is cut off", nil, 0},
		{"a document that breaks off before its first item", answer(200, rss, whole[:60]), "damaged document: the document is cut off", nil, 0},
		{"a connection that breaks off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
			io.WriteString(w, whole[:strings.Index(whole, "Another new story")])
		}, "damaged document", []string{"A complete new story"}, 0},
		{"gzip that breaks off", func(w http.ResponseWriter, r *http.Request) {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			io.WriteString(z, whole[:strings.Index(whole, "Another new story")])
			z.Flush() // and no end
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(b.Bytes())
		}, "damaged document", []string{"A complete new story"}, 0},
		{"gzip that is none", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			io.WriteString(w, "\x1f\x8b\x08 this is no gzip at all")
		}, "the document is not the gzip that its server says it is", nil, 0},
		{"UTF-8 declared, windows-1251 sent", answer(200, "text/xml; charset=windows-1251", cyrillic), "", []string{"Переговоры продолжаются"}, 0},
		{"windows-1251 declared and sent, a header that says UTF-8", answer(200, "text/xml; charset=utf-8", strings.Replace(cyrillic, `"utf-8"`, `"windows-1251"`, 1)), "", []string{"Переговоры продолжаются"}, 0},
		{"windows-1251 that says everywhere that it is UTF-8", answer(200, "text/xml; charset=utf-8", cyrillic), "wrong charset: the text is not in utf-8", nil, 1},
		{"a charset that does not exist", answer(200, "text/xml; charset=klingon-8", newsFeed("bad.example", "", "“Quotes” – and dashes")), "", []string{"“Quotes” – and dashes"}, 0},
		{"a header that lies", answer(200, "text/xml; charset=iso-8859-1", newsFeed("bad.example", "", "“Quotes” – and dashes")), "", []string{"“Quotes” – and dashes"}, 0},
		{"UTF-8 with windows-1252 in it", answer(200, "text/xml", newsFeed("bad.example", "", "Zoë’s “good” bytes and one bad: \x96")), "", []string{"Zoë’s “good” bytes and one bad: –"}, 0},
		{"characters that XML forbids", answer(200, rss, newsFeed("bad.example", "", "A\x00 bell\x07 and\x1b more &#x8; &#xFFFE;")), "", []string{"A bell and more"}, 0},
		{"a title of 10 MB", answer(200, rss, newsFeed("bad.example", "", strings.Repeat("long ", 2<<20), "A short title")), "", []string{"A short title"}, 2},
		{"a document of 20 MB", answer(200, rss, newsFeed("bad.example", "", strings.Repeat("long ", 4<<20))), "longer than 16777216 bytes: raise fetch.max_bytes", nil, 0},
		{"an outlet that says nothing", stall(""), noAnswer, nil, 0},
		{"an outlet that stalls in the middle", stall(whole[:500]), noAnswer, nil, 0},
		{"404", answer(404, "text/html", "<h1>Not here</h1>"), "404 Not Found", nil, 0},
		{"500", answer(500, rss, whole), "500 Internal Server Error", nil, 0},
		{"503", answer(503, rss, whole), "503 Service Unavailable", nil, 0},
		{"403", answer(403, rss, whole), "403 Forbidden", nil, 0},
		{"410", answer(410, rss, whole), "410 Gone", nil, 0},
		{"a redirect to itself", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, "redirects go round in a circle", nil, 0},
		{"a redirect to a file", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		}, "neither http nor https", nil, 0},
		{"a bomb of blanks", zipped("gzip", bytes.Repeat([]byte{' '}, 32<<20)), "decompresses to more than", nil, 0},
		{"a bomb that does not say that it is zipped", zipped("", bytes.Repeat([]byte{' '}, 32<<20)), "decompresses to more than", nil, 0},
		{"channels in channels", answer(200, rss, "<rss>"+deep("channel")+"</rss>"), "nests more than 100 elements", nil, 0},
		{"unknown elements in an item", answer(200, rss, inItem(deep("x"))), "", []string{"A story before the deep one", "Deep"}, 0},
		{"markup in a description", answer(200, rss, inItem("<description>"+deep("div")+"</description>")), "", []string{"A story before the deep one", "Deep"}, 0},
		{"escaped markup in a description", answer(200, rss, inItem("<description><![CDATA["+deep("blockquote")+"]]></description>")), "", []string{"A story before the deep one", "Deep"}, 0},
		{"a billion laughs", answer(200, rss, `<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "`+strings.Repeat("&a;", 1000)+`"><!ENTITY c "`+strings.Repeat("&b;", 1000)+`">]>`+
			`<rss><channel><item><guid>laughs</guid><title>Who laughs</title><description>`+strings.Repeat("&c;", 1000)+`</description></item></channel></rss>`), "", []string{"Who laughs"}, 0},
		{"brackets in arrays without end", answer(200, "application/feed+json", `{"version": "https://jsonfeed.org/version/1.1", "items": `+strings.Repeat("[", 200_000)), "nests more than 100 levels", nil, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			timeout := "10m"
			if test.want == noAnswer {
				t.Parallel()   // it takes seconds
				timeout = "9s" // less than a body may stall
			}
			var serve atomic.Pointer[http.HandlerFunc]
			well := answer(200, rss, newsFeed("bad.example", "", old...))
			serve.Store(&well)
			server := serveHandler(t, func(w http.ResponseWriter, r *http.Request) { (*serve.Load())(w, r) })
			var count atomic.Int32
			other := serveHandler(t, func(w http.ResponseWriter, r *http.Request) {
				answer(200, rss, newsFeed("good.example", "", "A story of the other", fmt.Sprintf("%d. story of the other", count.Add(1))))(w, r)
			})
			w := newWorld(t, "timeout = \""+timeout+"\"\n"+everything+outletBlock("bad", "Bad", server+"/feed")+outletBlock("good", "Good", other+"/feed"))
			w.must("fetch", "--once", "--force")

			serve.Store(&test.serve)
			peak := watchHeap(t)
			stderr := w.must("fetch", "--once", "--force")
			if heap := peak(); heap > 128<<20 {
				t.Errorf("the heap grew to %d MiB", heap>>20)
			}
			if test.want == "" && stderr != "" || !strings.Contains(stderr, test.want) || test.want != "" && !strings.Contains(stderr, server+"/feed") {
				t.Errorf("it says %.1000q, want the feed's address and %q", stderr, test.want)
			}
			if strings.Count(stderr, "\n") > 1 || len(stderr) > 1500 {
				t.Errorf("it says too much: %d bytes, %.2000s", len(stderr), stderr)
			}
			for _, file := range []string{"all.rss", "all.atom", "all.json"} {
				got := w.read(file)
				if want := len(old) + max(len(test.shows), test.adds) + 3; len(got) != want {
					t.Errorf("%s: %d items, want %d", file, len(got), want)
				}
				if i := slices.IndexFunc(got, func(it published) bool { return len(it.Title) > 2000 }); i >= 0 {
					t.Errorf("%s: a title of %d bytes", file, len(got[i].Title))
				}
				for _, title := range slices.Concat(old, test.shows, []string{"A story of the other", "1. story of the other", "2. story of the other"}) {
					if !slices.ContainsFunc(got, func(it published) bool { return it.Title == title }) {
						t.Errorf("%s: %q is missing", file, title)
					}
				}
			}
			if strings.HasPrefix(test.name, "410") {
				return // it is never asked again
			}
			strict := exitDone
			if test.want != "" && test.adds == 0 { // a fault of a whole document is said once: then it is unchanged
				strict = exitStrict
			}
			if code, _, stderr := w.run("fetch", "--once", "--force", "--strict"); code != strict {
				t.Errorf("--strict: exit code %d, want %d: %.1000s", code, strict, stderr)
			}
		})
	}
}

// stall sends the beginning of a body and then nothing more.
func stall(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if body != "" {
			io.WriteString(w, body)
			http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	}
}

// watchHeap watches how many bytes of objects there are, dead ones included; peak ends it and returns by how
// many they grew at most.
func watchHeap(t *testing.T) (peak func() uint64) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	before := sample[0].Value.Uint64()
	stop, most := make(chan struct{}), make(chan uint64)
	go func() {
		high := before
		for {
			select {
			case <-stop:
				most <- high - before
				return
			case <-time.After(2 * time.Millisecond):
				metrics.Read(sample)
				high = max(high, sample[0].Value.Uint64())
			}
		}
	}()
	return func() uint64 {
		close(stop)
		return <-most
	}
}

// TestFolderRefused writes where nothing can be written: the polls are kept, and it is said what to do.
func TestFolderRefused(t *testing.T) {
	t.Parallel()
	server := serveHandler(t, answer(200, "application/rss+xml", newsFeed("outlet.example", "", "The story")))
	locked := filepath.Join(t.TempDir(), "locked")
	if err := os.Mkdir(locked, 0o500); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("not a folder"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, dir, want string }{
		{"its parent is missing", filepath.Join(t.TempDir(), "missing", "public"), "its parent folder is missing; make"},
		{"it is a file", file, "not a directory"},
		{"its parent is a file", filepath.Join(file, "public"), "not a directory"},
		{"it may not be written to", locked, "the right to write there"},
		{"its parent may not be written to", filepath.Join(locked, "public"), "the right to write there"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if strings.Contains(test.dir, "locked") && os.Getuid() == 0 {
				t.Skip("needs a user who is not root: root may write anywhere")
			}
			w := newWorld(t, "")
			config := strings.Replace(string(readFile(t, w.config)), `dir = "public"`, "dir = "+tomlString(test.dir), 1)
			if err := os.WriteFile(w.config, []byte(config+everything+outletBlock("o", "Outlet", server+"/feed")), 0o600); err != nil {
				t.Fatal(err)
			}
			code, stdout, stderr := w.run("fetch", "--once")
			if code != exitFailed || stdout != "" || !strings.Contains(stderr, test.dir) || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d, %q; want %d, the folder, and %q", code, stderr, exitFailed, test.want)
			}
			if rows := w.rows(); rows[0].Items != 1 || rows[0].State != "ok" {
				t.Errorf("the poll is not kept: %+v", rows)
			}
			// Once there is a folder, what was polled is written.
			out := filepath.Join(t.TempDir(), "public")
			w.must("publish", "--out", out)
			if !bytes.Contains(readFile(t, filepath.Join(out, "all.atom")), []byte("The story")) {
				t.Error("what was polled is not published")
			}
		})
	}
}

// What is wrong with a document although nothing is lost stands in what check --live says.
func TestFaultsAreTold(t *testing.T) {
	t.Parallel()
	address := serveHandler(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/rss+xml; charset=utf-8")
		io.WriteString(w, newsFeed("odd.example", "", "Caf\xe9 fermé"))
	})
	w := newWorld(t, everything+outletBlock("odd", "Odd", address+"/rss"))
	code, stdout, stderr := w.run("check", "--live")
	if code != exitDone || !strings.HasPrefix(stdout, "ok") || !strings.Contains(stdout, "1 item, ") || !strings.Contains(stdout, "read as windows-1252") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
}
