package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mmcdole/gofeed"
)

// A corpusFeed is a line of MANIFEST.tsv.
type corpusFeed struct {
	file, name string
	items      int
}

func corpus(t *testing.T) []corpusFeed {
	t.Helper()
	needShared(t, "feeds")
	manifest, err := os.Open(filepath.Join(sharedData, "MANIFEST.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer manifest.Close()
	var all []corpusFeed
	for lines := bufio.NewScanner(manifest); lines.Scan(); {
		f := strings.Split(lines.Text(), "\t")
		if !strings.HasPrefix(f[0], "feeds/") {
			continue
		}
		c := corpusFeed{file: f[0], name: f[2], items: -1}
		for note := range strings.SplitSeq(f[5], ";") {
			if n, ok := strings.CutPrefix(note, "items="); ok {
				if c.items, err = strconv.Atoi(n); err != nil {
					t.Fatal(f[0], err)
				}
			}
		}
		all = append(all, c)
	}
	return all
}

// TestCorpus takes documents of hundreds of outlets, well-formed or not, through one round into one section,
// and reads it with what others have written.
func TestCorpus(t *testing.T) {
	feeds := corpus(t)
	if testing.Short() {
		t.Skip("reads 13 MB of feeds")
	}
	t.Parallel()
	server := serveHandler(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream") // the document alone says what it is
		http.ServeFile(w, r, filepath.Join(sharedData, "feeds", filepath.Base(r.URL.Path)))
	})
	config := everything
	outlet := map[string]corpusFeed{}
	for i, f := range feeds {
		id := "o" + strconv.Itoa(i)
		outlet[id] = f
		config += outletBlock(id, f.name, server+"/"+f.file)
	}
	w := newWorld(t, config)
	stderr := w.must("fetch", "--once", "-v")
	if want := strconv.Itoa(len(feeds)) + " of " + strconv.Itoa(len(feeds)) + " feeds polled"; !strings.Contains(stderr, want) || !strings.Contains(stderr, " 0 failed") {
		t.Errorf("want %q and none failed, got %.5000s", want, stderr)
	}

	stored := 0
	doubted := map[string]int{} // by file: the items stored, where the manifest has another number
	for _, r := range w.rows() {
		f := outlet[r.Outlet]
		if stored += r.Items; r.Items != f.items {
			doubted[f.file] = r.Items
		}
	}
	t.Run("counts", func(t *testing.T) { checkCounts(t, doubted) })
	items := w.read("all.json")
	seen := map[string]bool{}
	for _, it := range items {
		f := outlet[it.OutletID]
		switch {
		case it.ID == "" || seen[it.ID]:
			t.Errorf("%s: id %q is empty or repeated", f.file, it.ID)
		case it.Feed != server+"/"+f.file || plainWords(it.Outlet) != plainWords(f.name):
			t.Errorf("%s: %s names the outlet %q and the feed %q", f.file, it.ID, it.Outlet, it.Feed)
		case it.Title == "" || it.Text == "":
			t.Errorf("%s: %s has no title or no text", f.file, it.ID)
		}
		seen[it.ID] = true
	}
	if len(items) != stored || stored == 0 {
		t.Errorf("%d items are stored, all.json has %d", stored, len(items))
	}
	for _, file := range []string{"all.rss", "all.atom"} {
		others := w.read(file)
		if !slices.Equal(ids(others), ids(items)) {
			t.Errorf("%s has other ids than all.json", file)
			continue
		}
		for i, o := range others {
			if o.Outlet != items[i].Outlet || o.Feed != items[i].Feed || o.Title != items[i].Title || o.Link != items[i].Link {
				t.Errorf("%s: %+.300v, in all.json %+.300v", file, o, items[i])
			}
		}
	}

	want := ids(items)
	for _, file := range []string{"all.rss", "all.atom", "all.json"} {
		t.Run("gofeed "+file, func(t *testing.T) {
			feed, err := gofeed.NewParser().Parse(bytes.NewReader(readFile(t, w.path(file))))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, it := range feed.Items {
				got = append(got, it.GUID)
			}
			sameIDs(t, got, want)
		})
	}
	for _, file := range []string{"all.rss", "all.atom"} {
		t.Run("feedparser "+file, func(t *testing.T) {
			t.Parallel() // it takes seconds
			out, err := exec.CommandContext(t.Context(), feedparser(t), "-c", readWithFeedparser, w.path(file)).Output()
			var read struct {
				Wrong string
				IDs   []string
			}
			if err = errors.Join(err, json.Unmarshal(out, &read)); err != nil || read.Wrong != "" {
				t.Fatal(err, read.Wrong)
			}
			sameIDs(t, read.IDs, want)
		})
	}
	t.Run("W3C validator", func(t *testing.T) {
		t.Parallel() // it takes a minute
		validate(t, w.path("all.rss"), w.path("all.atom"), w.path("all.opml"), w.path("outlets.opml"), w.path("sections.opml"))
	})
	t.Run("xmllint", func(t *testing.T) {
		if _, err := exec.LookPath("xmllint"); err != nil {
			t.Skip("needs xmllint: apt-get install libxml2-utils")
		}
		for _, file := range []string{"all.rss", "all.atom", "all.opml", "outlets.opml", "sections.opml"} {
			if out, err := exec.CommandContext(t.Context(), "xmllint", "--noout", "--huge", w.path(file)).CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%s: %v %.1000s", file, err, out)
			}
		}
	})
	t.Log(len(feeds), "feeds,", stored, "items")
}

// checkCounts judges the documents of which not as many items were stored as the manifest has. It counts what
// is written in them, and in JSON the addresses instead of the items; what must be stored are identities
// (PRODUCT.md): items that repeat another one's id, link and title (where there is neither id nor link: its text)
// are that item. They are counted as encoding/json and feedparser read them.
func checkCounts(t *testing.T, stored map[string]int) {
	if len(stored) > 25 {
		t.Errorf("%d documents have another number of items than the manifest says", len(stored))
	}
	var args []string
	for file, n := range stored {
		if filepath.Ext(file) != ".json" {
			args = append(args, filepath.Join(sharedData, file))
			continue
		}
		var doc struct {
			Items []struct {
				ID, Title, URL any
			}
		}
		if err := json.Unmarshal(bytes.TrimPrefix(readFile(t, filepath.Join(sharedData, file)), []byte("\ufeff")), &doc); err != nil {
			t.Fatal(file, err)
		}
		want := map[any]bool{}
		for _, it := range doc.Items {
			if it.URL == nil { // an id that is an address stands in for it
				it.URL = it.ID
			}
			want[it] = true
		}
		if n != len(want) {
			t.Errorf("%s: %d items, want %d", file, n, len(want))
		}
	}
	slices.Sort(args)
	out, err := exec.CommandContext(t.Context(), feedparser(t), append([]string{"-c", countWithFeedparser}, args...)...).Output()
	var want map[string]int
	if err = errors.Join(err, json.Unmarshal(out, &want)); err != nil {
		t.Fatal(err)
	}
	for _, path := range args {
		file := "feeds/" + filepath.Base(path)
		if n := stored[file]; n != want[path] {
			t.Errorf("%s: %d items, feedparser finds %d", file, n, want[path])
		}
	}
}

// countWithFeedparser counts the identities of documents.
const countWithFeedparser = `
import feedparser, json, sys
def key(e):
    k = (e.get("id"), e.get("link"), e.get("title"))
    return k if k[0] or k[1] else k + (e.get("summary"), json.dumps(e.get("content")))
print(json.dumps({f: len({key(e) for e in feedparser.parse(open(f, "rb").read()).entries}) for f in sys.argv[1:]}))
`

// validate lets the W3C feed validator judge documents: there must be no error and no warning.
func validate(t *testing.T, paths ...string) {
	t.Helper()
	checkout := os.Getenv("BROADSHEET_FEEDVALIDATOR")
	if checkout == "" {
		t.Skip("needs the W3C feed validator: README, \"What is published\", has how to get it")
	}
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", append([]string{"../../publish/testdata/w3c.py"}, paths...)...)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+filepath.Join(checkout, "src"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%.3000s", err, out)
	}
}

func sameIDs(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("reads %d items, or other ones; want %d", len(got), len(want))
	}
}

// readWithFeedparser tells what is wrong with a document and the ids of its entries.
const readWithFeedparser = `
import feedparser, json, sys
d = feedparser.parse(open(sys.argv[1], "rb").read(), sanitize_html=False, resolve_relative_uris=False)
print(json.dumps({"Wrong": str(d.get("bozo_exception", "")), "IDs": [e.id for e in d.entries]}))
`

// feedparser finds a Python that has feedparser: Debian's package is for the system's own only.
func feedparser(t *testing.T) string {
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), python, "-c", "import feedparser").Run() == nil {
			return python
		}
	}
	t.Skip("needs feedparser: apt-get install python3-feedparser")
	return ""
}
