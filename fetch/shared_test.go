package fetch

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"broadsheet/store"
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
			// The list was made by looking for tags, which misses and doubles some: the document itself decides.
			if itself := countItems(body); itself != len(d.Arrivals) {
				t.Errorf("%s: %d items, want %d, or %d as listed (%v)", f[0], len(d.Arrivals), itself, want, d.Damaged)
			}
		}
		if d.Damaged != nil {
			t.Logf("%s: %v", f[0], d.Damaged)
		}
		checkDocument(t, f[0], d)
	}
	t.Log(documents, "documents,", items, "items")
}

// countItems counts the items of a document by means that have nothing to do with ours.
func countItems(body []byte) int {
	var feed struct{ Items []json.RawMessage }
	if json.Unmarshal(bytes.TrimPrefix(body, utf8BOM), &feed) == nil {
		return len(feed.Items)
	}
	return len(itemEnd.FindAll(body, -1))
}

var itemEnd = regexp.MustCompile(`</(\w+:)?(item|entry)>|<(item|entry)[^>]*/>`)

// checkDocument checks what holds for every document, whatever the outlet sent.
func checkDocument(t testing.TB, name string, d *document) {
	t.Helper()
	for i := range d.Arrivals {
		it, body := &d.Arrivals[i].Item, &d.Arrivals[i].Body
		for _, s := range append(stringsIn(reflect.ValueOf(*it)), stringsIn(reflect.ValueOf(*body))...) {
			if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !isText(r) }) {
				t.Fatalf("%s: item %d: %.100q is no text", name, i, s)
			}
		}
		for _, e := range it.Enclosures {
			if e.URL == "" || e.Length < 0 {
				t.Fatalf("%s: item %d: enclosure %+v", name, i, e)
			}
		}
		for _, a := range it.Authors {
			if a.Name == "" {
				t.Fatalf("%s: item %d: author %+v", name, i, a)
			}
		}
		for _, l := range append(linksIn(reflect.ValueOf(*it)), linksIn(reflect.ValueOf(*body))...) {
			if !linkForm.MatchString(l) {
				t.Fatalf("%s: item %d: link %q", name, i, l)
			}
		}
		for _, c := range it.Categories {
			if c.Term == "" {
				t.Fatalf("%s: item %d: category %+v", name, i, c)
			}
		}
		if utf8.RuneCountInString(it.Title) > maxTitle || len(it.Lead) > store.LeadBytes || strings.ContainsAny(it.Title, "\n\r\t") {
			t.Fatalf("%s: item %d: title %.50q, lead %.50q", name, i, it.Title, it.Lead)
		}
		if again := CanonicalLink(d.Arrivals[i].Canonical); again != d.Arrivals[i].Canonical {
			t.Fatalf("%s: item %d: %q and %q", name, i, d.Arrivals[i].Canonical, again)
		}
		checkHarmless(t, name, body.Feed.Subtitle)
		checkHarmless(t, name, body.Origin.Subtitle)
		checkHarmless(t, name, body.Summary)
		checkHarmless(t, name, body.Content)
	}
}

// stringsIn are all texts of a value.
func stringsIn(v reflect.Value) (all []string) {
	switch v.Kind() {
	case reflect.String:
		return []string{v.String()}
	case reflect.Struct:
		for i := range v.NumField() {
			all = append(all, stringsIn(v.Field(i))...)
		}
	case reflect.Slice:
		for i := range v.Len() {
			all = append(all, stringsIn(v.Index(i))...)
		}
	}
	return all
}

// linksIn are all addresses of a value, wherever they are kept.
func linksIn(v reflect.Value) (links []string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			switch f := v.Field(i); v.Type().Field(i).Name {
			case "URL", "Link", "Image", "Comments", "Feed", "License":
				if f.Kind() == reflect.String {
					if f.String() != "" {
						links = append(links, f.String())
					}
					continue
				}
				fallthrough
			default:
				links = append(links, linksIn(f)...)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			links = append(links, linksIn(v.Index(i))...)
		}
	}
	return links
}

// linkForm is what RFC 3986 lets an http address be made of.
var linkForm = regexp.MustCompile(`^https?://[A-Za-z0-9.:_~!$&'()*+,;=%\[\]-]+([/?#][A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]*)?$`)
