package fetch

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"broadsheet/store"

	"github.com/mmcdole/gofeed"
)

// answerOf is an answer with a body.
func answerOf(body []byte) *answer {
	return &answer{status: 200, header: http.Header{}, body: body, address: testAddress()}
}

var recallName = store.FeedName{Outlet: "outlet", URL: "https://outlet.example/feed"}

// sameAsParsed checks that a memory reads body as a parser does, and returns how many items it recalled. What it recalls may lack
// all but what is kept.
func sameAsParsed(t *testing.T, m *memory, body []byte) (recalledItems int) {
	t.Helper()
	want, wantErr := parseDocument(body, "", testAddress())
	got, whole, err := m.parse(recallName, answerOf(body), discard)
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
				Body:      store.Body{Published: w.Body.Published, Updated: w.Body.Updated},
				Canonical: w.Canonical, Recalled: true,
			}
		}
		if !reflect.DeepEqual(g, w) {
			t.Fatalf("item %d:\n got %+v\nwant %+v", i, g, w)
		}
	}
	if (whole != nil) != (recalledItems > 0) {
		t.Fatal("whole is there without need, or missing")
	}
	if whole != nil && !reflect.DeepEqual(whole(), want.Arrivals) {
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
			m := newMemory()
			if n := sameAsParsed(t, m, test.before); n > 0 {
				t.Fatalf("%d items were recalled before they came", n)
			}
			if n := sameAsParsed(t, m, test.after); n != test.want {
				t.Errorf("%d items recalled, want %d", n, test.want)
			}
			sameAsParsed(t, m, test.before)
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
			m := newMemory()
			some := slices.DeleteFunc(slices.Clone(found.spans), func(span) bool { return r.IntN(5) == 0 })
			sameAsParsed(t, m, found.without(src, some))
			recalledItems += sameAsParsed(t, m, body)
			all += len(found.spans)
		})
	}
	t.Logf("%d of %d items recalled", recalledItems, all)
	if 2*recalledItems < all {
		t.Error("less than half")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	m := newMemory()
	m.most = 2000
	parse := func(n int) int {
		name := store.FeedName{Outlet: "outlet", URL: fmt.Sprint(n)}
		d, _, err := m.parse(name, answerOf(recallFeed("en", recallItem(n), recallItem(n+1))), discard)
		if err != nil {
			t.Fatal(err)
		}
		return len(slices.DeleteFunc(d.Arrivals, func(a store.Arrival) bool { return !a.Recalled }))
	}
	for n := range 100 {
		parse(n)
		parse(0)
	}
	if m.size > m.most || len(m.feeds) != m.order.Len() || len(m.feeds) < 2 {
		t.Errorf("%d bytes of %d feeds", m.size, len(m.feeds))
	}
	if parse(0) != 2 || parse(50) != 0 {
		t.Error("what was polled last is not what is remembered")
	}
}

func FuzzRecall(f *testing.F) {
	f.Add([]byte(""), []byte(recallItem(1)), []byte("<item><title>a"))
	f.Add([]byte("<!--"), []byte("<item a='>'>b</item>"), []byte("<entry></entry>"))
	f.Add([]byte("<title>"), []byte("<item/>"), []byte("<![CDATA[<item>"))
	f.Fuzz(func(t *testing.T, head, one, two []byte) {
		m := newMemory()
		for _, body := range [][]byte{slices.Concat(head, one), slices.Concat(head, one, two), slices.Concat(head, two, one, one)} {
			sameAsParsed(t, m, slices.Concat([]byte("<rss><channel>"), body, []byte("</channel></rss>")))
		}
	})
}

// BenchmarkRecall compares what a document costs that comes again with two new items of 25, with what gofeed takes to read it.
func BenchmarkRecall(b *testing.B) {
	address, _ := url.Parse("https://outlet.example/feed")
	for _, format := range []string{"rss", "atom"} {
		body := benchFeed(format == "atom")
		found, ok := findItems(body)
		if !ok || len(found.spans) != 25 {
			b.Fatal("no 25 items")
		}
		before := &answer{status: 200, header: http.Header{}, body: found.without(body, found.spans[2:]), address: address}
		now := &answer{status: 200, header: http.Header{}, body: body, address: address}
		m := newMemory()
		if _, _, err := m.parse(recallName, before, discard); err != nil {
			b.Fatal(err)
		}
		known := m.recall(recallName)
		b.Run("ours/"+format, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				again := *known
				m.remember(&again)
				if d, whole, err := m.parse(recallName, now, discard); err != nil || len(d.Arrivals) != 25 || whole == nil {
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
