package fetch

import (
	"bufio"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const sharedData = "../../shared/data"

// TestRealFeeds reads the documents of hundreds of real outlets: each gives its items or says what is wrong.
func TestRealFeeds(t *testing.T) {
	manifest, err := os.Open(filepath.Join(sharedData, "MANIFEST.tsv"))
	if err != nil {
		t.Skip("needs the project's data in ../shared/data")
	}
	defer manifest.Close()
	lines := bufio.NewScanner(manifest)
	documents, items := 0, 0
	for lines.Scan() {
		f := strings.Split(lines.Text(), "\t")
		if !strings.HasPrefix(f[0], "feeds/") {
			continue
		}
		note, host := map[string]string{}, "outlet.example"
		for n := range strings.SplitSeq(f[5], ";") {
			k, v, _ := strings.Cut(n, "=")
			note[k] = v
		}
		if note["host"] != "" {
			host = note["host"]
		}
		body, err := os.ReadFile(filepath.Join(sharedData, f[0]))
		if err != nil {
			t.Fatal(err)
		}
		documents++
		d, err := parseDocument(body, "", &url.URL{Scheme: "https", Host: host, Path: "/feed"})
		if err != nil {
			t.Errorf("%s: %v", f[0], err)
			continue
		}
		items += len(d.Arrivals)
		if want, err := strconv.Atoi(note["items"]); err == nil && want != len(d.Arrivals) {
			t.Errorf("%s: %d items, want %d (%v)", f[0], len(d.Arrivals), want, d.Damaged)
		}
		if d.Damaged != nil {
			t.Logf("%s: %v", f[0], d.Damaged)
		}
		checkDocument(t, f[0], d)
	}
	t.Log(documents, "documents,", items, "items")
}

func checkDocument(t *testing.T, name string, d *document) {
	t.Helper()
	if errors.Is(d.Damaged, os.ErrNotExist) {
		t.Fatal()
	}
}
