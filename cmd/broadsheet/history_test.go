package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A paperboy runs the one-shot on one feed, whose document the test changes, and reads what is published.
type paperboy struct {
	*testing.T
	dir  string
	said string // by the last one-shot
	body atomic.Pointer[string]
}

func newPaperboy(t *testing.T, store string) *paperboy {
	p := &paperboy{T: t, dir: t.TempDir()}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, *p.body.Load()) }))
	t.Cleanup(s.Close)
	p.write("broadsheet.toml", fmt.Sprintf(`
contact = "https://reader.test/about"
[store]
%s
[fetch]
min_interval = "0s"
host_gap = "0s"
allow_private = ["127.0.0.0/8"]
[publish]
dir = "public"
[[outlet]]
id = "a"
  [[outlet.feed]]
  url = "%s/feed"
[[section]]
slug = "world"
max_age = "0"
`, store, s.URL))
	return p
}

func (p *paperboy) write(name, text string) {
	p.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
		p.Fatal(err)
	}
}

// delivered is what a section's JSON Feed says of an item.
type delivered struct {
	ID        string    `json:"id"`
	Title     string    `json:"title"`
	Published time.Time `json:"date_published"`
	Modified  time.Time `json:"date_modified"`
}

// fetch polls the document and returns what is published then, and what the summary says.
func (p *paperboy) fetch(items ...string) (all []delivered, summary string) {
	p.Helper()
	body := "<rss version=\"2.0\"><channel><title>A</title><link>https://a.example/</link><description>d</description>\n" + strings.Join(items, "\n") + "</channel></rss>"
	p.body.Store(&body)
	var stdout, stderr bytes.Buffer
	if code := run(p.Context(), []string{"-c", filepath.Join(p.dir, "broadsheet.toml"), "fetch", "--once", "--force", "-v"}, &stdout, &stderr); code != exitDone {
		p.Fatalf("exit code %d: %s", code, &stderr)
	}
	p.said = stderr.String()
	b, err := os.ReadFile(filepath.Join(p.dir, "public", "world.json"))
	if err != nil {
		p.Fatal(err)
	}
	var feed struct{ Items []delivered }
	if err := json.Unmarshal(b, &feed); err != nil {
		p.Fatal(err)
	}
	_, summary, _ = strings.Cut(p.said, "feed polled: ")
	return feed.Items, summary
}

func titles(all []delivered) (names []string) {
	for _, d := range all {
		names = append(names, d.Title)
	}
	return names
}

func entry(guid, title, more string) string {
	return fmt.Sprintf("<item><guid isPermaLink=\"false\">%s</guid><title>%s</title><link>https://a.example/%s</link>%s</item>", guid, title, guid, more)
}

// Dates as feeds write them, and those that cannot be (PROTOCOL F56). What has no date of its own has that of its arrival,
// and no date moves when the outlet corrects it.
func TestDatesAsOutletsWriteThem(t *testing.T) {
	p := newPaperboy(t, `retention = "0"`)
	began := time.Now().Add(-time.Second)
	arrival := time.Time{}
	dates := []struct {
		name, date string
		want       time.Time
	}{
		{"2099", "Thu, 01 Jan 2099 00:00:00 GMT", arrival},
		{"1970", "Thu, 01 Jan 1970 00:00:00 GMT", arrival},
		{"31st of February", "Tue, 31 Feb 2026 10:00:00 GMT", arrival},
		{"missing", "", arrival},
		{"nonsense", "yesterday at noon", arrival},
		{"no zone", "2026-03-01T10:00:00", time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)},
		{"PST", "Mon, 02 Mar 2026 10:00:00 PST", time.Date(2026, 3, 2, 18, 0, 0, 0, time.UTC)},
		{"two digits", "03 Mar 26 10:00:00 +0200", time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)},
	}
	document := func(date func(i int) string) (items []string) {
		for i, d := range dates {
			items = append(items, entry(fmt.Sprint(i), d.name, "<pubDate>"+date(i)+"</pubDate>"))
		}
		return items
	}
	first, _ := p.fetch(document(func(i int) string { return dates[i].date })...)
	for _, d := range first {
		i := slices.IndexFunc(dates, func(c struct {
			name, date string
			want       time.Time
		}) bool {
			return c.name == d.Title
		})
		switch want := dates[i].want; {
		case want.IsZero() && (d.Published.Before(began) || d.Published.After(time.Now())):
			t.Errorf("%s: %v, want the time of its arrival", d.Title, d.Published)
		case !want.IsZero() && !d.Published.Equal(want):
			t.Errorf("%s: %v, want %v", d.Title, d.Published, want)
		}
	}
	// Undated items keep the document's order.
	if want := []string{"2099", "1970", "31st of February", "missing", "nonsense", "two digits", "PST", "no zone"}; !slices.Equal(titles(first), want) {
		t.Errorf("order %q, want %q", titles(first), want)
	}
	again, summary := p.fetch(document(func(int) string { return "Wed, 04 Mar 2026 10:00:00 GMT" })...)
	if !slices.Equal(again, first) || !strings.HasPrefix(summary, "0 new items") {
		t.Errorf("other dates: %s\n got %v\nwant %v", summary, again, first)
	}
}

// Items leave the document and come back, and are edited (PROTOCOL F57, F58).
func TestItemsLeaveAndComeBack(t *testing.T) {
	p := newPaperboy(t, `retention = "0"`)
	const dated = "<pubDate>Mon, 02 Mar 2026 10:00:00 GMT</pubDate><description>%s</description>"
	one, two, three := entry("1", "one", fmt.Sprintf(dated, "a")), entry("2", "two", fmt.Sprintf(dated, "b")), entry("3", "three", fmt.Sprintf(dated, "c"))
	both, _ := p.fetch(two, one)
	for _, c := range []struct {
		name  string
		items []string
		want  string
		shown []string
	}{
		{"one leaves", []string{three, two}, "1 new item, 0 changed", []string{"three", "two", "one"}},
		{"all leave", []string{}, "0 new items, 0 changed", []string{"three", "two", "one"}},
		{"one comes back on top", []string{one, three}, "0 new items, 0 changed", []string{"three", "two", "one"}},
		{"white space", []string{strings.ReplaceAll(one, "<description>", "<description> \n")}, "0 new items, 0 changed", []string{"three", "two", "one"}},
		{"an edit", []string{strings.ReplaceAll(one, ">one<", ">one, corrected<")}, "0 new items, 1 changed", []string{"three", "two", "one, corrected"}},
		{"its link changes", []string{strings.ReplaceAll(one, "a.example/1", "a.example/moved")}, "0 new items, 1 changed", []string{"three", "two", "one"}},
		{"its guid changes", []string{strings.ReplaceAll(three, "guid isPermaLink=\"false\">3", "guid isPermaLink=\"false\">x")}, "0 new items, 0 changed", []string{"three", "two", "one"}},
	} {
		all, summary := p.fetch(c.items...)
		if !strings.HasPrefix(summary, c.want) {
			t.Errorf("%s: %s, want %s", c.name, summary, c.want)
		}
		if !slices.Equal(titles(all), c.shown) {
			t.Errorf("%s: %q, want %q", c.name, titles(all), c.shown)
		}
		last := all[len(all)-1]
		if old := both[1]; last.ID != old.ID || !last.Published.Equal(old.Published) || !last.Modified.Equal(old.Modified) {
			t.Errorf("%s: %+v, before %+v", c.name, last, old) // modified within the hour of its arrival
		}
	}
}

// What is past retention does not come back while the outlet still lists it (PROTOCOL F59).
func TestPrunedItemsStayAway(t *testing.T) {
	p := newPaperboy(t, `retention = "1s"`)
	one, two := entry("1", "one", ""), entry("2", "two", "")
	p.fetch(one)
	time.Sleep(1100 * time.Millisecond) // the age that it takes
	if all, _ := p.fetch(one); len(all) > 0 {
		t.Errorf("kept: %q", titles(all))
	}
	config := string(readFile(t, filepath.Join(p.dir, "broadsheet.toml")))
	p.write("broadsheet.toml", strings.Replace(config, `retention = "1s"`, `retention = "1h"`, 1)) // the other one shall stay
	all, summary := p.fetch(two, one)
	if !strings.HasPrefix(summary, "1 new item, 0 changed") || !slices.Equal(titles(all), []string{"two"}) {
		t.Errorf("%s: %q", summary, titles(all))
	}
}

// Guids that are new in each document, or number its places: what is published stays (PROTOCOL F54).
func TestGuidsWithoutMeaning(t *testing.T) {
	for name, guid := range map[string]func(document, place int) int{
		"rotating": func(document, place int) int { return 1000 + 10*document + place },
		"places":   func(_, place int) int { return place },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPaperboy(t, `retention = "0"`)
			before := map[string]string{} // id by title
			told := 0
			for document := range 8 {
				var items []string
				for place := range 5 {
					n := document - place + 5
					items = append(items, fmt.Sprintf("<item><guid isPermaLink=\"false\">%d</guid><title>item %d</title><link>https://a.example/%d</link></item>", guid(document, place), n, n))
				}
				all, _ := p.fetch(items...)
				told += strings.Count(p.said, "from now on they are known by their links")
				if len(all) != document+5 {
					t.Fatalf("document %d: %d items: %q", document, len(all), titles(all))
				}
				for _, d := range all {
					if id, ok := before[d.Title]; ok && id != d.ID {
						t.Errorf("document %d: %s has another id", document, d.Title)
					}
					before[d.Title] = d.ID
				}
			}
			if told != 1 {
				t.Errorf("it is told %d times", told)
			}
		})
	}
}
