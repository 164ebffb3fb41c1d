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
	Title, Link, ID                        string
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
			if missing++; !slices.Contains(peerErrs, filepath.Base(f)+": "+lost) {
				t.Errorf("%s: %s", filepath.Base(f), lost)
			}
		}
	}
	t.Logf("%d documents, %d entries; of %d things that feedparser alone finds, all are its errors", len(files), entries, missing)
}

// peerErrs are what feedparser finds and is not there.
var peerErrs = []string{}

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
		miss("link", e.Link == "" || it.Link == absoluteLink(base, e.Link), e.Link)
		miss("id", e.ID == "" || one(it.GUID) == one(e.ID), e.ID)
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
