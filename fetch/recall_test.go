package fetch

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"broadsheet/store"

	"github.com/mmcdole/gofeed"
)

// answerOf is an answer with a body.
func answerOf(body []byte) *answer {
	return &answer{status: 200, header: http.Header{}, body: body, address: testAddress()}
}

// A reader reads a feed's documents one after the other.
type reader struct {
	program    string
	remembered []byte
}

func (r *reader) read(body []byte) (reading, error) {
	doc, err := recallDocument(answerOf(body), r.program, r.remembered, discard)
	if doc.remembered != nil {
		r.remembered = doc.remembered
	}
	return doc, err
}

// sameAsParsed checks that body is read as a parser does, and returns how many items were recalled. They may lack
// all but what is kept.
func (r *reader) sameAsParsed(t *testing.T, body []byte) (recalledItems int) {
	t.Helper()
	want, wantErr := parseDocument(body, "", testAddress())
	got, err := r.read(body)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("error %v, want %v", err, wantErr)
	}
	if err != nil {
		return 0
	}
	if len(got.Arrivals) != len(want.Arrivals) || got.Title != want.Title || got.ID != want.ID || got.Language != want.Language ||
		(got.Damaged == nil) != (want.Damaged == nil) || !got.Updated.Equal(want.Updated) || got.TTL != want.TTL {
		t.Fatalf("got %d items of %q, want %d of %q", len(got.Arrivals), got.Title, len(want.Arrivals), want.Title)
	}
	for i := range want.Arrivals {
		g, w := got.Arrivals[i], want.Arrivals[i]
		if g.Recalled {
			recalledItems++
			w = store.Arrival{
				Item:      store.Item{GUID: w.Item.GUID, Title: w.Item.Title, Link: w.Item.Link, Text: w.Item.Text, Rest: w.Item.Rest},
				Body:      store.Body{Published: w.Body.Published.UTC().Truncate(time.Microsecond), Updated: w.Body.Updated.UTC().Truncate(time.Microsecond)},
				Canonical: w.Canonical, Recalled: true,
			}
		}
		if !reflect.DeepEqual(g, w) {
			t.Fatalf("item %d:\n got %+v\nwant %+v", i, g, w)
		}
	}
	if (got.whole != nil) != (recalledItems > 0) {
		t.Fatal("whole is there without need, or missing")
	}
	if got.whole != nil && !reflect.DeepEqual(got.whole(), want.Arrivals) {
		t.Fatal("whole does not return what a parser does")
	}
	return recalledItems
}

func recallFeed(language string, items ...string) []byte {
	return []byte(`<?xml version="1.0"?><rss version="2.0"><channel><title>Outlet</title><language>` + language +
		`</language><lastBuildDate>Mon, 23 Nov 2026 07:00:0` + fmt.Sprint(len(items)%10) + ` GMT</lastBuildDate>` + strings.Join(items, "\n") + `</channel></rss>`)
}

func recallItem(n int) string {
	return fmt.Sprintf(`<item><title>Story %d</title><link>https://outlet.example/%d</link><description><![CDATA[<p>Text <item> %d</p>]]></description></item>`, n, n, n)
}

func TestRecall(t *testing.T) {
	for _, test := range []struct {
		name          string
		before, after []byte
		want          int
	}{
		{"new items", recallFeed("en", recallItem(1), recallItem(2)), recallFeed("en", recallItem(4), recallItem(3), recallItem(1), recallItem(2)), 2},
		{"the same items", recallFeed("en", recallItem(1), recallItem(2)), recallFeed("en", recallItem(1), recallItem(2)), 2},
		{"another order", recallFeed("en", recallItem(1), recallItem(2), recallItem(3)), recallFeed("en", recallItem(3), recallItem(1)), 2},
		{"an edit", recallFeed("en", recallItem(1), recallItem(2)), recallFeed("en", recallItem(1), strings.Replace(recallItem(2), "Text", "Test", 1)), 1},
		{"another language", recallFeed("en", recallItem(1)), recallFeed("de", recallItem(1), recallItem(2)), 0},
		{"an item twice", recallFeed("en", recallItem(1)), recallFeed("en", recallItem(1), recallItem(1), recallItem(2)), 2},
		{"all new", recallFeed("en", recallItem(1)), recallFeed("en", recallItem(2)), 0},
		{"cut off", recallFeed("en", recallItem(1), recallItem(2)), bytes.TrimSuffix(recallFeed("en", recallItem(1), recallItem(3)), []byte("n></item></channel></rss>")), 0},
		{"an item that does not end", recallFeed("en", recallItem(1)), recallFeed("en", strings.TrimSuffix(recallItem(1), "</item>"), recallItem(2)), 0},
		{"comments", recallFeed("en", recallItem(1), "<!-- <item> -->"), recallFeed("en", recallItem(1), "<!-- <item> -->", recallItem(2)), 1},
		{"a DOCTYPE", append([]byte("<!DOCTYPE rss>"), recallFeed("en", recallItem(1))...), append([]byte("<!DOCTYPE rss>"), recallFeed("en", recallItem(1))...), 0},
		{"JSON", []byte(`{"version":"https://jsonfeed.org/version/1.1","title":"T","items":[{"id":"1","title":"a"},{"id":"2","content_text":"b"}]}`),
			[]byte(`{"version":"https://jsonfeed.org/version/1.1","title":"T","items":[ {"id":"3"}, {"id":"1","title":"a"},{"id":"2","content_text":"b"}]}`), 2},
		{"JSON, nothing new", []byte(`{"title":"T","items":[{"id":"1","title":"a"}]}`), []byte(`{"title":"T","items":[{"id":"1","title":"a"}]}`), 1},
		{"JSON with another title", []byte(`{"title":"T","items":[{"id":"1","title":"a"}]}`), []byte(`{"title":"U","items":[{"id":"1","title":"a"},{"id":"2"}]}`), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			var r reader
			if n := r.sameAsParsed(t, test.before); n > 0 {
				t.Fatalf("%d items were recalled before they came", n)
			}
			if n := r.sameAsParsed(t, test.after); n != test.want {
				t.Errorf("%d items recalled, want %d", n, test.want)
			}
			r.sameAsParsed(t, test.before)
		})
	}
}

// TestRecallReal plays the real documents as if each of them had grown by some of its items.
func TestRecallReal(t *testing.T) {
	names, _ := filepath.Glob(filepath.Join(sharedData, "feeds/*"))
	if len(names) == 0 {
		t.Skip("needs the project's data in ../shared/data")
	}
	r := rand.New(rand.NewPCG(1, 2))
	recalledItems, all := 0, 0
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		src, _, err := readable(body, "")
		if err != nil {
			continue
		}
		found, ok := findItems(src)
		if !ok || len(found.spans) == 0 {
			continue
		}
		t.Run(filepath.Base(name), func(t *testing.T) {
			var reader reader
			some := slices.DeleteFunc(slices.Clone(found.spans), func(span) bool { return r.IntN(5) == 0 })
			reader.sameAsParsed(t, found.without(src, some))
			recalledItems += reader.sameAsParsed(t, body)
			all += len(found.spans)
		})
	}
	t.Logf("%d of %d items recalled", recalledItems, all)
	if 2*recalledItems < all {
		t.Error("less than half")
	}
}

func TestRecallHasBounds(t *testing.T) {
	r := reader{program: "one"}
	body := recallFeed("en", recallItem(1), recallItem(2))
	r.sameAsParsed(t, body)
	if doc, err := r.read(body); err != nil || doc.remembered != nil || doc.whole == nil {
		t.Errorf("the same document is remembered again (%v)", err)
	}
	if r.program = "two"; r.sameAsParsed(t, body) != 0 {
		t.Error("another program believes what the first one has read")
	}
	if r.sameAsParsed(t, body) != 2 {
		t.Error("it does not believe itself")
	}
	var items []string
	for n := range 2 * maxRecollection / 100 {
		items = append(items, recallItem(n))
	}
	if doc, err := (&reader{}).read(recallFeed("en", items...)); err != nil || doc.remembered != nil {
		t.Errorf("%d bytes are remembered (%v)", len(doc.remembered), err)
	}
	whole := decodeRecollection(r.remembered)
	for n := range r.remembered { // a store may be damaged
		if cut := decodeRecollection(r.remembered[:n]); cut != nil {
			for h, it := range cut.items {
				if it != whole.items[h] {
					t.Errorf("of %d bytes the first %d tell another item: %+v", len(r.remembered), n, it)
				}
			}
		}
	}
}

func FuzzRecall(f *testing.F) {
	f.Add([]byte(""), []byte(recallItem(1)), []byte("<item><title>a"))
	f.Add([]byte("<!--"), []byte("<item a='>'>b</item>"), []byte("<entry></entry>"))
	f.Add([]byte("<title>"), []byte("<item/>"), []byte("<![CDATA[<item>"))
	f.Fuzz(func(t *testing.T, head, one, two []byte) {
		var r reader
		for _, body := range [][]byte{slices.Concat(head, one), slices.Concat(head, one, two), slices.Concat(head, two, one, one)} {
			r.sameAsParsed(t, slices.Concat([]byte("<rss><channel>"), body, []byte("</channel></rss>")))
		}
	})
}

// BenchmarkRecall compares what a document costs that comes again with two new items of 25, with what gofeed takes to read it.
func BenchmarkRecall(b *testing.B) {
	for _, format := range []string{"rss", "atom"} {
		body := benchFeed(format == "atom")
		found, ok := findItems(body)
		if !ok || len(found.spans) != 25 {
			b.Fatal("no 25 items")
		}
		var r reader
		if _, err := r.read(found.without(body, found.spans[2:])); err != nil {
			b.Fatal(err)
		}
		known, now := r.remembered, answerOf(body)
		b.Run("ours/"+format, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if d, err := recallDocument(now, "", known, discard); err != nil || len(d.Arrivals) != 25 || d.whole == nil || d.remembered == nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("gofeed/"+format, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if d, err := gofeed.NewParser().Parse(bytes.NewReader(body)); err != nil || len(d.Items) != 25 {
					b.Fatal(err)
				}
			}
		})
	}
}
