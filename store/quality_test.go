package store

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// settledStream plays a stream through the rules, one item a poll, and returns the ties and the items as they came out.
func settledStream(stream []heard) (ties []Tie, items []Item) {
	x := NewIndex()
	for i := range stream {
		h := stream[i]
		s := settler{poll: &Poll{At: h.at, Owner: h.outlet}, joined: map[StoryID]int{}}
		s.known.Index = x
		in := Insert{Item: h.Item, Print: newPrint(&h.Item, s.poll)}
		s.settleText(&in)
		if in.Tie != nil {
			ties = append(ties, *in.Tie)
		}
		items = append(items, in.Item)
		x.Add(in.Print)
	}
	return ties, items
}

// measured is what a set of pairs shows: how many are one story, how many were tied, and how many of these are right.
type measured struct{ same, tied, right int }

func (m *measured) add(same, tied bool) {
	if same {
		m.same++
	}
	if tied {
		m.tied++
		if same {
			m.right++
		}
	}
}

func (m *measured) check(t *testing.T, set string, precision, recall float64) {
	t.Helper()
	p, r := ratio(float64(m.right), float64(m.tied)), ratio(float64(m.right), float64(m.same))
	t.Logf("%s: precision %.3f, recall %.3f, F1 %.3f (%d tied of %d)", set, p, r, ratio(2*p*r, p+r), m.tied, m.same)
	if p < precision || r < recall {
		t.Errorf("%s: below what was committed: precision %.3f, recall %.3f", set, precision, recall)
	}
}

func dedup(t *testing.T, name string) (rows []map[string]string) {
	t.Helper()
	dir := cmp.Or(os.Getenv("BROADSHEET_STORIES"), filepath.Join("..", "..", "shared", "data", "dedup"))
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		t.Skipf("no labelled pairs: set BROADSHEET_STORIES to the folder with %s", name)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = '\t', true, -1
	all, err := r.ReadAll()
	if err != nil || len(all) < 2 {
		t.Fatalf("%s: %d rows: %v", name, len(all), err)
	}
	for _, values := range all[1:] {
		row := map[string]string{}
		for i, name := range all[0] {
			if i < len(values) {
				row[name] = values[i]
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// TestStoriesRecorded plays the recordings: of the pairs in testdata/pairs.tsv those that end in one story are tied.
func TestStoriesRecorded(t *testing.T) {
	stream := recorded(t)
	ties, items := settledStream(stream)
	layers, size, largest, related := map[Layer]int{}, map[StoryID]int{}, 0, 0
	for _, tie := range ties {
		layers[tie.Layer]++
	}
	story := map[string]StoryID{}
	for _, it := range items {
		size[it.Story]++
		largest = max(largest, size[it.Story])
		related += len(it.Related)
		if story[it.Link] == 0 {
			story[it.Link] = it.Story
		}
	}
	t.Logf("%d items, %d stories, ties %v, largest %d, %d related", len(items), len(size), layers, largest, related)
	if largest > maxByText {
		t.Errorf("a story of %d items", largest)
	}
	var m, loose measured
	for _, l := range labels(t) {
		tied := story[l.links[0]] == story[l.links[1]]
		m.add(l.label == "S", tied)
		loose.add(l.label != "N", tied)
	}
	m.check(t, "recorded, S", 0.975, 0.35)
	loose.check(t, "recorded, S or R", 0.99, 0.21)
	writeTies(t, "recorded.tsv", ties, items)
}

// TestStoriesUCI ties titles without a text; STORY groups whole topics, so only ties across them are surely wrong.
func TestStoriesUCI(t *testing.T) {
	var stream []heard
	var topics []string
	for i, row := range dedup(t, "uci_news_aggregator.open.tsv") {
		ms, err := strconv.ParseInt(row["TIMESTAMP"], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		at := time.UnixMilli(ms).UTC()
		id := ItemID(i + 1)
		stream = append(stream, heard{row["PUBLISHER"], at, Item{ID: id, Story: StoryID(id), Outlet: row["PUBLISHER"], Title: row["TITLE"], Link: row["URL"], Language: "en", Date: at, Arrived: at}})
		topics = append(topics, row["STORY"])
	}
	ties, items := settledStream(stream)
	// An item could be tied if its topic has another outlet's earlier one.
	first, size, largest := map[string]string{}, map[StoryID]int{}, 0
	m := measured{tied: len(ties)}
	for i, it := range items {
		size[it.Story]++
		largest = max(largest, size[it.Story])
		if outlet, ok := first[topics[i]]; !ok {
			first[topics[i]] = it.Outlet
		} else if outlet != it.Outlet {
			m.same++
		}
	}
	for _, tie := range ties {
		m.right += int(yes(topics[tie.Item-1] == topics[tie.Partner-1]))
	}
	m.check(t, "UCI, titles only, by topic", 0.998, 0.2)
	if largest > maxByText {
		t.Errorf("a story of %d items", largest)
	}
	writeTies(t, "uci.tsv", ties, items)
}

// TestStoriesPairs ties pairs with title and text. The Russian ones are what a language without weights comes to;
// ru_clustering_0525_urls.tsv has addresses only, and nothing to tie by.
func TestStoriesPairs(t *testing.T) {
	for _, set := range []struct {
		file, lang        string
		precision, recall float64
	}{{"tgcontest_en_train_pool.tsv", "en", 0.95, 0.75}, {"tgcontest_ru_train_pool.tsv", "ru", 1, 0.1}} {
		t.Run(set.lang, func(t *testing.T) {
			var m measured
			for _, row := range dedup(t, set.file) {
				at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
				var stream []heard
				for i, n := range []string{"first", "second"} {
					stream = append(stream, heard{n, at, Item{ID: ItemID(i + 1), Story: StoryID(i + 1), Outlet: n, Title: row["INPUT:"+n+"_title"],
						Lead: head(row["INPUT:"+n+"_text"], LeadBytes-150), Link: row["INPUT:"+n+"_url"], Language: set.lang, Date: at, Arrived: at}})
				}
				ties, _ := settledStream(stream)
				m.add(row["GOLDEN:quality"] == "OK", len(ties) > 0)
			}
			m.check(t, set.file, set.precision, set.recall)
		})
	}
}

// writeTies writes ties to be read into the folder that BROADSHEET_READ names: score, day and link of both as in
// testdata/pairs.tsv, how far apart, and what they say.
func writeTies(t *testing.T, name string, ties []Tie, items []Item) {
	dir := os.Getenv("BROADSHEET_READ")
	if dir == "" {
		return
	}
	var b strings.Builder
	for _, tie := range ties {
		x, y := items[tie.Partner-1], items[tie.Item-1]
		fmt.Fprintf(&b, "%s\t%.2f\t%s\t%s\t%s\t%s\t%s\t%s: %s | %s\t%s: %s | %s\n", tie.Layer, tie.Score, x.Date.Format(time.DateOnly), x.Link, y.Date.Format(time.DateOnly), y.Link,
			y.Date.Sub(x.Date).Round(time.Hour), x.Outlet, x.Title, head(x.Lead, 180), y.Outlet, y.Title, head(y.Lead, 180))
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
