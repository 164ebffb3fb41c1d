package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A player serves recorded outlets as they stood when its clock's time was real.
type player struct {
	steps []time.Time

	mu          sync.Mutex
	recordings  map[string][]recording // by outlet, in order of time
	now         time.Time
	cut         string         // the outlet whose documents break off in the middle
	answers     map[int]int    // by status
	conditional map[string]int // by outlet
}

type recording struct {
	at   time.Time
	body []byte
}

func newPlayer(t *testing.T, dir string) *player {
	p := &player{recordings: map[string][]recording{}, answers: map[int]int{}, conditional: map[string]int{}}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.xml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no recordings in", dir, err)
	}
	slices.Sort(files)
	for _, f := range files {
		parts := strings.Split(filepath.Base(f), ".")
		at, err := time.Parse("20060102T150405Z", parts[len(parts)-2])
		if err != nil {
			t.Fatal(err)
		}
		outlet := filepath.Base(filepath.Dir(f))
		p.recordings[outlet] = append(p.recordings[outlet], recording{at, readFile(t, f)})
		p.steps = append(p.steps, at)
	}
	slices.SortFunc(p.steps, time.Time.Compare)
	p.steps = slices.CompactFunc(p.steps, time.Time.Equal)
	p.now = p.steps[0]
	return p
}

// current is the outlet's newest recording, and its document as far as it is served.
func (p *player) current(outlet string) (r recording, body []byte) {
	for _, next := range p.recordings[outlet] {
		if !next.at.After(p.now) {
			r = next
		}
	}
	if body = r.body; outlet == p.cut {
		body = body[:len(body)/2]
	}
	return r, body
}

func (p *player) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	outlet := strings.TrimPrefix(req.URL.Path, "/")
	r, body := p.current(outlet)
	status := http.StatusOK
	tag, modified := fmt.Sprintf(`"%.8x"`, sha256.Sum256(body)), r.at.Format(http.TimeFormat)
	w.Header().Set("ETag", tag)
	w.Header().Set("Last-Modified", modified)
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	inm, ims := req.Header.Get("If-None-Match"), req.Header.Get("If-Modified-Since")
	if inm != "" || ims != "" {
		p.conditional[outlet]++
	}
	switch {
	case body == nil:
		status, body = http.StatusNotFound, nil
	case inm == tag || inm == "" && ims == modified:
		status, body = http.StatusNotModified, nil
	}
	p.answers[status]++
	w.WriteHeader(status)
	w.Write(body)
}

// answered returns how it answered since it was last asked that, and forgets what it counted.
func (p *player) answered() map[int]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := maps.Clone(p.answers)
	clear(p.answers)
	clear(p.conditional)
	return a
}

// recorded are the items of a document by what identifies them within their outlet (DATA.md): the guid, else
// the link without tracking. It is read without any of the program's code, as far as it is whole.
func recorded(body []byte) map[string]recordedItem {
	out := map[string]recordedItem{}
	d := xml.NewDecoder(bytes.NewReader(body))
	d.Strict, d.Entity = false, xml.HTMLEntity
	for {
		tok, err := d.Token()
		if err != nil {
			return out
		}
		start, ok := tok.(xml.StartElement)
		if !ok || start.Name.Local != "item" && start.Name.Local != "entry" {
			continue
		}
		end := d.InputOffset()
		var it recordedItem
		if d.DecodeElement(&it, &start) != nil || !bytes.HasSuffix(body[end:d.InputOffset()], []byte("</"+start.Name.Local+">")) {
			return out
		}
		key := plainWords(it.GUID + it.ID)
		if key == "" {
			key = untracked(strings.TrimSpace(it.Link))
		}
		out[key] = it
	}
}

type recordedItem struct {
	GUID  string `xml:"guid"`
	ID    string `xml:"id"`
	Title string `xml:"title"`
	Link  string `xml:"link"`
}

// untracked is a link without what tells where the reader came from.
func untracked(link string) string {
	u, err := url.Parse(html.UnescapeString(link))
	if err != nil {
		return link
	}
	q := u.Query()
	maps.DeleteFunc(q, func(name string, _ []string) bool { return tracks.MatchString(name) })
	return strings.TrimPrefix(u.Host, "www.") + strings.TrimRight(u.Path, "/") + "?" + q.Encode()
}

var tracks = regexp.MustCompile(`^(amp;)*(ref|ito|utm_.*|at_.*|ns_.*)$`)

// TestPlay plays what eight outlets published in two days of April 2020, one poll a step, each in a process
// of its own as far as the store can tell: it is opened and closed at each step.
func TestPlay(t *testing.T) {
	dir := needShared(t, "recorded-plain")
	t.Parallel()
	p := newPlayer(t, dir)
	if testing.Short() {
		p.steps = p.steps[:2] // enough for the race detector, which takes ten times as long
	}
	server := serveHandler(t, p.ServeHTTP)
	config := everything + "[[section]]\nslug = \"latest\"\nmax_age = \"0\"\n"
	outlets := slices.Sorted(maps.Keys(p.recordings))
	for _, o := range outlets {
		config += outletBlock(o, o, server+"/"+o)
	}
	w := newWorld(t, config)

	identities := map[string]map[string]recordedItem{} // by outlet: all so far, as they stood last
	for _, o := range outlets {
		identities[o] = map[string]recordedItem{}
	}
	known := map[string]string{} // outlet and identity → the id that is published
	edits, damaged := 0, 0

	// check compares what is published with all that was served so far.
	check := func(when string) {
		t.Helper()
		items := w.read("all.json")
		seen := map[string]bool{}
		for _, it := range items {
			key := it.GUID
			if key == "" {
				key = it.ID
			}
			if _, ok := identities[it.OutletID][key]; !ok {
				key = untracked(it.Link)
			}
			want, ok := identities[it.OutletID][key]
			name := it.OutletID + " " + key
			switch {
			case !ok:
				t.Errorf("%s: %s: %s (%s) is no outlet's", when, it.OutletID, it.ID, it.Link)
			case seen[name]:
				t.Errorf("%s: %s is published twice", when, name)
			case known[name] != "" && known[name] != it.ID:
				t.Errorf("%s: %s was %s and is %s", when, name, known[name], it.ID)
			case plainWords(it.Title) != plainWords(html.UnescapeString(want.Title)):
				t.Errorf("%s: %s is %q, the outlet has %q", when, name, it.Title, want.Title)
			}
			seen[name], known[name] = true, it.ID
		}
		all := 0
		for o, keys := range identities {
			all += len(keys)
			for key := range keys {
				if !seen[o+" "+key] {
					t.Errorf("%s: %s %s is lost", when, o, key)
				}
			}
		}
		if len(items) != all {
			t.Errorf("%s: %d items, want %d", when, len(items), all)
		}
		for _, file := range []string{"all.rss", "all.atom"} {
			if got := ids(w.read(file)); !slices.Equal(got, ids(items)) {
				t.Errorf("%s: %s has other ids than all.json", when, file)
			}
		}
	}

	for i, at := range p.steps {
		when := at.Format("step 02T1504")
		p.mu.Lock()
		p.now = at
		p.mu.Unlock()
		// An outlet whose download breaks off: what is whole comes in, the rest stays as it was.
		if i == 2 || i == 9 {
			p.mu.Lock()
			p.cut = "fox"
			for key, it := range recorded(second(p.current("fox"))) {
				identities["fox"][key] = it
			}
			p.mu.Unlock()
			for again := range 2 { // the second time, it is asked as if it had never answered
				p.answered()
				stderr := w.must("fetch", "--once", "--force", "--outlet", "fox")
				p.mu.Lock()
				if again == 1 && p.conditional["fox"] != 0 {
					t.Errorf("%s: validators of a damaged document were kept", when)
				}
				p.mu.Unlock()
				if !strings.Contains(stderr, server+"/fox") || !strings.Contains(stderr, "damaged document: the document is cut off") {
					t.Errorf("%s: a document that breaks off: %q", when, stderr)
				}
			}
			check(when + ", cut off")
			p.mu.Lock()
			p.cut = ""
			p.mu.Unlock()
			p.answered()
		}
		for _, o := range outlets {
			_, body := p.current(o)
			items := recorded(body)
			if len(items) == 0 {
				t.Fatal(o, "has no items")
			}
			for key, it := range items {
				if old, ok := identities[o][key]; ok && old.Title != it.Title {
					edits++
				}
				identities[o][key] = it
			}
		}
		// The recordings have a document of their own that breaks off.
		var broken []string
		for _, o := range outlets {
			if _, body := p.current(o); !bytes.Contains(body[max(0, len(body)-100):], []byte("</rss>")) && !bytes.Contains(body[max(0, len(body)-100):], []byte("</feed>")) {
				broken = append(broken, o)
			}
		}
		stderr := w.must("fetch", "--once", "--force")
		if strings.Count(stderr, "\n") != len(broken) {
			t.Errorf("%s: %v break off, and this is said: %q", when, broken, stderr)
		}
		for _, o := range broken {
			if !strings.Contains(stderr, server+"/"+o+" ") || !strings.Contains(stderr, "damaged document") {
				t.Errorf("%s: %s breaks off, and this is said: %q", when, o, stderr)
			}
			damaged++
		}
		if got := p.answered(); got[200]+got[304] != len(outlets) {
			t.Errorf("%s: answers %v", when, got)
		}
		check(when)

		before := w.files()
		stderr = w.must("fetch", "--once", "--force", "-v")
		if want := fmt.Sprintf("%d of %[1]d feeds polled: 0 new items, 0 changed; %[1]d feeds unchanged, 0 failed; 0 files written", len(outlets)); !strings.Contains(stderr, want) {
			t.Errorf("%s: polled again: %s", when, stderr)
		}
		if got := p.answered(); got[304] != len(outlets)-len(broken) || got[200] != len(broken) {
			t.Errorf("%s: polled again: answers %v, want 304 but from %v", when, got, broken)
		}
		w.sameFiles(when+", polled again", before)
	}
	if !testing.Short() && (edits == 0 || damaged == 0) {
		t.Error("no outlet edited anything, or no document is damaged: the play shows less than it should")
	}

	// The rows count what the section shows, and a new folder gets the same bytes.
	stored := 0
	for _, r := range w.rows() {
		stored += r.Items
		if r.Items != len(identities[r.Outlet]) || r.State != "ok" {
			t.Errorf("outlets: %s: %s, %d items, want %d", r.Outlet, r.State, r.Items, len(identities[r.Outlet]))
		}
	}
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	w.must("publish", "--out", elsewhere)
	for name := range w.files() {
		b, err := os.ReadFile(filepath.Join(elsewhere, name))
		if err != nil || !bytes.Equal(b, w.file(name)) {
			t.Errorf("publish --out: %s is not what fetch --once wrote (%v)", name, err)
		}
	}
	t.Log(len(p.steps), "steps,", stored, "items,", edits, "edits,", damaged, "damaged documents")
}

func second(_ recording, body []byte) []byte { return body }
