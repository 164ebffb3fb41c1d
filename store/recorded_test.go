package store

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// A heard item is one of a recorded outlet's, when its feed first had it.
type heard struct {
	outlet string
	at     time.Time
	Item
}

// recorded reads what real outlets published, in the order in which it came. It is read without fetch's parser, which cannot
// be imported here: all that matters of it is the text.
func recorded(t *testing.T) (stream []heard) {
	t.Helper()
	if testing.Short() {
		t.Skip("the recordings are played in the long tests")
	}
	shared := cmp.Or(os.Getenv("BROADSHEET_SHARED"), filepath.Join("..", "..", "shared"))
	archives, _ := filepath.Glob(filepath.Join(shared, "data", "recorded", "*.tar.xz"))
	if len(archives) == 0 {
		t.Skipf("no recordings in %s: set BROADSHEET_SHARED to the folder with data/recorded", shared)
	}
	dir := t.TempDir()
	if out, err := exec.Command(filepath.Join(shared, "replay", "unpack.sh"), filepath.Join(shared, "data", "recorded"), dir).CombinedOutput(); err != nil {
		t.Skipf("the recordings cannot be unpacked, which needs tar and xz (Debian: xz-utils): %v: %s", err, out)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*.xml"))
	stamp := func(f string) string {
		parts := strings.Split(filepath.Base(f), ".")
		return parts[len(parts)-2]
	}
	slices.SortFunc(files, func(a, b string) int { return cmp.Or(cmp.Compare(stamp(a), stamp(b)), cmp.Compare(a, b)) })
	known := map[string]bool{}
	for _, f := range files {
		at, err := time.Parse("20060102T150405Z", stamp(f))
		if err != nil {
			t.Fatal(err)
		}
		body, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		outlet := filepath.Base(filepath.Dir(f))
		for _, it := range slices.Backward(readRecording(body)) {
			key := outlet + cmp.Or(it.GUID, it.Link)
			if known[key] || it.Title == "" {
				continue
			}
			known[key] = true
			it.Outlet, it.Arrived = outlet, at
			it.Date = ItemDate(it.Date, at)
			it.ID = ItemID(len(stream) + 1)
			it.Story = StoryID(it.ID)
			stream = append(stream, heard{outlet, at, it})
		}
	}
	return stream
}

// readRecording reads the items of an RSS or Atom document as far as it is whole.
func readRecording(body []byte) (items []Item) {
	d := xml.NewDecoder(bytes.NewReader(body))
	d.Strict, d.Entity = false, xml.HTMLEntity
	language := ""
	for {
		token, err := d.Token()
		if err != nil {
			return items
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name.Local {
		case "language":
			d.DecodeElement(&language, &start)
		case "item", "entry":
			var r struct {
				GUID  string `xml:"guid"`
				ID    string `xml:"id"`
				Title string `xml:"title"`
				Texts []struct {
					XMLName xml.Name
					Text    string `xml:",chardata"`
				} `xml:"description"` // also those of pictures, which have a namespace
				Content string `xml:"http://purl.org/rss/1.0/modules/content/ encoded"`
				Summary string `xml:"summary"`
				Media   string `xml:"http://search.yahoo.com/mrss/ group>description"`
				Links   []struct {
					Text string `xml:",chardata"`
					Href string `xml:"href,attr"`
				} `xml:"link"`
				Published string `xml:"published"`
				PubDate   string `xml:"pubDate"`
			}
			if d.DecodeElement(&r, &start) != nil {
				return items
			}
			text := ""
			for _, d := range r.Texts {
				if d.XMLName.Space == "" {
					text = d.Text
				}
			}
			it := Item{GUID: cmp.Or(r.GUID, r.ID), Title: plainText(r.Title), Lead: plainText(cmp.Or(text, r.Summary, r.Media, r.Content)), Language: language}
			if len(it.Lead) > LeadBytes {
				it.Lead = strings.ToValidUTF8(it.Lead[:LeadBytes], "")
			}
			for _, l := range r.Links {
				it.Link = cmp.Or(it.Link, strings.TrimSpace(l.Text), l.Href)
			}
			for _, layout := range []string{time.RFC1123Z, time.RFC1123, time.RFC3339} {
				if at, err := time.Parse(layout, strings.TrimSpace(cmp.Or(r.PubDate, r.Published))); err == nil {
					it.Date = at.UTC()
				}
			}
			items = append(items, it)
		}
	}
}

var tag = regexp.MustCompile(`<[^>]*>`)

func plainText(s string) string {
	return strings.Join(strings.Fields(html.UnescapeString(tag.ReplaceAllString(html.UnescapeString(s), " "))), " ")
}
