package fetch

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// peerEntry is an entry as feedparser has it.
type peerEntry struct {
	Title, Link, Original, ID              string
	Published, Updated                     []int
	Authors, Categories, Enclosures, Media []string
}

// TestFeedparser reads the documents of hundreds of real outlets beside feedparser, and finds what it finds: every item,
// its link, id, dates, authors, categories and files.
func TestFeedparser(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(sharedData, "feeds/*.xml"))
	if err != nil || len(files) == 0 {
		t.Skip("needs the project's data in ../shared/data")
	}
	if testing.Short() {
		t.Skip("takes a minute")
	}
	python := feedparser(t)
	const address = "https://outlet.example/feed"
	var names bytes.Buffer
	for _, f := range files {
		fmt.Fprintf(&names, "%s\t%s\n", f, address)
	}
	cmd := exec.CommandContext(t.Context(), python, "testdata/peer.py")
	cmd.Stdin, cmd.Stderr = &names, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	base, _ := url.Parse(address)
	answers := json.NewDecoder(bytes.NewReader(out))
	entries, missing := 0, 0
	for _, f := range files {
		var peer struct{ Entries []peerEntry }
		if err := answers.Decode(&peer); err != nil {
			t.Fatal(err)
		}
		body, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		d, err := parseDocument(body, "", base)
		if err != nil {
			t.Errorf("%s: %v", f, err)
			continue
		}
		entries += len(peer.Entries)
		for _, lost := range missed(d, peer.Entries, base) {
			missing++
			n := slices.IndexFunc(peerErrs, func(e peerErr) bool {
				return strings.HasPrefix(filepath.Base(f), e.document) && strings.Contains(lost, ": "+e.what+" ")
			})
			if n < 0 {
				t.Errorf("%s: %s", filepath.Base(f), lost)
				continue
			}
			logVerbose(t, "%s: %s: %s", filepath.Base(f), lost, peerErrs[n].why)
		}
	}
	t.Logf("%d documents, %d entries; %d things that feedparser alone finds, each for a reason in peerErrs", len(files), entries, missing)
}

// A peerErr is what feedparser finds in documents whose names begin so, and why it is not there.
type peerErr struct{ document, what, why string }

var peerErrs = []peerErr{
	{"www-dw-com--eabf1d78", "id", "it reads rdf:about, UTF-8 like the rest, as Latin-1"},
	{"www-skysports-com--", "date", "it reads BST, British Summer Time, as UTC"},
	{"www-kc0011-net--9669f11e", "date", "it reads 2020/1/10 as the 1st of November"},
	{"www-nbcnewyork-com--9c7d6be3", "date", "it passes over PM"},
	{"us-rd-yahoo-com--ee6a8f92", "date", "it passes over pm and CEST"},
	{"www-youtube-com--", "file", "Flash: it acts, and nothing plays it any more; the page and the picture are kept"},
	{"www-dday-it--34d9b725", "link", "it takes a link rel=enclosure with a text for the entry's page"},
	{"en-wikipedia-org--66b267c5", "link", "it takes a UUID for a page's address"},
	{"www-howstuffworks-com--7fdb9d0d", "link", "the same"},
}

// missed tells what feedparser finds in a document and we do not.
func missed(d *document, peer []peerEntry, base *url.URL) (lost []string) {
	taken := make([]bool, len(d.Arrivals))
	for i, e := range peer {
		at := i
		if len(d.Arrivals) != len(peer) || i >= len(d.Arrivals) {
			at = -1
			for j, a := range d.Arrivals {
				if !taken[j] && (e.ID != "" && one(a.Item.GUID) == one(e.ID) || e.Link != "" && a.Item.Link == absoluteLink(base, e.Link)) {
					at = j
					break
				}
			}
		}
		if at < 0 {
			lost = append(lost, fmt.Sprintf("item %d: %.60q", i, cmp.Or(e.ID, e.Link, e.Title)))
			continue
		}
		taken[at] = true
		it, b := &d.Arrivals[at].Item, &d.Arrivals[at].Body
		miss := func(what string, have bool, value any) {
			if !have {
				lost = append(lost, fmt.Sprintf("item %d: %s %.200q", i, what, fmt.Sprint(value)))
			}
		}
		miss("link", e.Link == "" || it.Link == absoluteLink(base, cmp.Or(e.Original, e.Link)), e.Link)
		resolved, err := base.Parse(it.GUID) // as feedparser has ids
		miss("id", e.ID == "" || one(it.GUID) == one(e.ID) || err == nil && resolved.String() == e.ID, e.ID)
		have := []time.Time{b.Published, b.Updated}
		for _, when := range [][]int{e.Published, e.Updated} {
			if when != nil {
				at := time.Date(when[0], time.Month(when[1]), when[2], when[3], when[4], when[5], 0, time.UTC)
				miss("date", slices.ContainsFunc(have, func(h time.Time) bool { return h.Truncate(time.Second).Equal(at) }), at)
			}
		}
		for _, a := range e.Authors {
			name := one(plain(a))
			found := name == ""
			for _, h := range it.Authors {
				found = found || h.Name == name || h.Email == a || strings.Contains(name, h.Name)
			}
			miss("author", found, a)
		}
		for _, c := range e.Categories {
			term := oneLine(plain(c), 200)
			found := term == ""
			for _, h := range it.Categories {
				found = found || h.Term == term || h.Label == term || h.Term == oneLine(c, 200)
			}
			miss("category", found, c)
		}
		for _, u := range slices.Concat(e.Enclosures, e.Media) {
			link := absoluteLink(base, u)
			found := link == ""
			for _, h := range it.Enclosures {
				found = found || h.URL == link
			}
			for _, h := range b.Pictures {
				found = found || h.URL == link
			}
			miss("file", found, u)
		}
	}
	return lost
}

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
