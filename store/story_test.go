package store

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// told is an item as an outlet tells it.
type told struct {
	outlet, lang, title, text string
	hours                     int // after the first
}

// tellAll settles items in their order, each an hour after the one before unless it says otherwise, and returns their stories.
func tellAll(t *testing.T, all []told) (items []Item, ties []Tie) {
	t.Helper()
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var stream []heard
	for i, x := range all {
		at := start.Add(time.Duration(max(x.hours, i)) * time.Hour)
		stream = append(stream, heard{x.outlet, at, Item{ID: ItemID(i + 1), Story: StoryID(i + 1), Outlet: x.outlet, Language: x.lang,
			Title: x.title, Lead: x.text, Link: fmt.Sprintf("https://%s.example/%d", x.outlet, i), Date: at, Arrived: at}})
	}
	ties, items = settledStream(stream)
	return items, ties
}

func TestReports(t *testing.T) {
	const (
		quake     = "Strong earthquake of magnitude 6.8 strikes off Fukushima coast in Japan"
		quakeText = "An earthquake of magnitude 6.8 struck off the coast of Fukushima in northeastern Japan on Tuesday, the Meteorological Agency said; no tsunami warning was issued."
		again     = "Earthquake of magnitude 6.8 strikes off the coast of Fukushima, Japan"
		againText = "A strong earthquake struck off Japan's Fukushima coast on Tuesday with a magnitude of 6.8, the Meteorological Agency said. No tsunami warning was issued."
	)
	for _, c := range []struct {
		name string
		a, b told
		tied bool
	}{
		{"one report", told{"a", "en", quake, quakeText, 0}, told{"b", "en", again, againText, 1}, true},
		{"languages of one kind", told{"a", "en-GB", quake, quakeText, 0}, told{"b", "en-US", again, againText, 1}, true},
		{"languages that nobody states", told{"a", "", quake, quakeText, 0}, told{"b", "", again, againText, 1}, true},
		{"one that nobody states", told{"a", "en", quake, quakeText, 0}, told{"b", "", again, againText, 1}, true},
		{"two languages", told{"a", "en", quake, quakeText, 0}, told{"b", "de", again, againText, 1}, false},
		{"one owner", told{"a", "en", quake, quakeText, 0}, told{"a", "en", again, againText, 1}, false},
		{"within a day", told{"a", "en", quake, quakeText, 0}, told{"b", "en", again, againText, 12}, true},
		{"after two days", told{"a", "en", quake, quakeText, 0}, told{"b", "en", quake, quakeText, 49}, false},
		{"a live page", told{"a", "en", quake, quakeText, 0}, told{"b", "en", "Live updates: " + again, againText, 1}, false},
		{"a digest", told{"a", "en", quake, quakeText, 0}, told{"b", "en", "Morning briefing: " + again, againText, 1}, false},
		{"other numbers", told{"a", "en", "Victoria records 33 new cases of coronavirus", "Victoria has recorded 33 new cases of coronavirus overnight, health authorities in Melbourne have confirmed.", 0},
			told{"b", "en", "Victoria records 20 new cases of coronavirus", "Victoria has recorded 20 new cases of coronavirus overnight, health authorities in Melbourne have confirmed.", 20}, false},
		{"other numbers in words", told{"a", "en", "Three killed in avalanche near Davos", "Three skiers were killed in an avalanche near Davos on Sunday, police in Graubünden said.", 0},
			told{"b", "en", "Five killed in avalanche near Davos", "Five skiers were killed in an avalanche near Davos on Sunday, police in Graubünden said.", 3}, false},
		{"one number, written in two ways", told{"a", "en", "Three killed in avalanche near Davos", "Three skiers were killed in an avalanche near Davos on Sunday, police in Graubünden said.", 0},
			told{"b", "en", "Avalanche near Davos kills 3 skiers", "An avalanche near Davos killed 3 skiers on Sunday, said police in Graubünden.", 3}, true},
		{"another name", told{"a", "en", "Apple crosses $900B in market value", "Shares of Apple rose on Friday and took the company across $900 billion in market value for the first time.", 0},
			told{"b", "en", "Amazon crosses $900B in market value", "Shares of Amazon rose on Friday and took the company across $900 billion in market value for the first time.", 1}, false},
		{"another name, all in capitals", told{"a", "en", "Apple Crosses $900B in Market Value", "", 0}, told{"b", "en", "Amazon Crosses $900B in Market Value", "", 1}, false},
		{"nothing in common", told{"a", "en", quake, quakeText, 0}, told{"b", "en", "Chess final in Bergen goes to a fourth game", "Neither player found a way through in Norway.", 1}, false},

		{"German", told{"a", "de", "Erdbeben der Stärke 6,8 erschüttert Küste von Fukushima", "Ein starkes Erdbeben hat am Dienstag die Küste der japanischen Präfektur Fukushima erschüttert. Eine Tsunamiwarnung gab es nicht.", 0},
			told{"b", "de", "Starkes Erdbeben der Stärke 6,8 erschüttert Fukushima", "Ein Erdbeben der Stärke 6,8 hat am Dienstag die Küste der Präfektur Fukushima erschüttert, eine Tsunamiwarnung gab es nicht.", 2}, true},
		{"German, after a day", told{"a", "de", "Erdbeben der Stärke 6,8 erschüttert Küste von Fukushima", "Ein starkes Erdbeben hat am Dienstag die Küste der japanischen Präfektur Fukushima erschüttert.", 0},
			told{"b", "de", "Erdbeben der Stärke 6,8 erschüttert Küste von Fukushima", "Ein starkes Erdbeben hat am Dienstag die Küste der japanischen Präfektur Fukushima erschüttert.", 25}, false},
		{"German, other numbers", told{"a", "de", "Robert-Koch-Institut meldet 1200 Neuinfektionen", "Das Robert-Koch-Institut hat am Montag 1200 Neuinfektionen gemeldet.", 0},
			told{"b", "de", "Robert-Koch-Institut meldet 900 Neuinfektionen", "Das Robert-Koch-Institut hat am Montag 900 Neuinfektionen gemeldet.", 2}, false},
		{"Russian", told{"a", "ru", "В Якутске из-за паводка эвакуировали жителей трёх улиц", "Жителей трёх улиц эвакуировали в Якутске из-за паводка на Лене, сообщили в МЧС.", 0},
			told{"b", "ru", "Жители трёх улиц эвакуированы в Якутске из-за паводка", "Из-за паводка на Лене в Якутске эвакуировали жителей трёх улиц, сообщает МЧС.", 2}, true},
		{"Arabic", told{"a", "ar", "زلزال بقوة ست درجات يضرب سواحل فوكوشيما اليابانية", "ضرب زلزال قوي سواحل فوكوشيما شمال شرقي اليابان صباح الثلاثاء، ولم يصدر تحذير من تسونامي.", 0},
			told{"b", "ar", "زلزال قوي بقوة ست درجات يضرب سواحل فوكوشيما", "ضرب زلزالٌ قوي سواحل فوكوشيما في شمال شرقي اليابان صباح الثلاثاء ولم يصدر أي تحذير من تسونامي.", 2}, true},
		{"Hebrew", told{"a", "he", "רעידת אדמה חזקה פקדה את חופי פוקושימה ביפן", "רעידת אדמה חזקה פקדה ביום שלישי את חופי פוקושימה שבצפון מזרח יפן, לא הוצאה אזהרת צונאמי.", 0},
			told{"b", "he", "רעידת אדמה חזקה פקדה את חופי פוקושימה", "רעידת אדמה חזקה פקדה את חופי פוקושימה ביפן ביום שלישי. אזהרת צונאמי לא הוצאה.", 2}, true},
		{"Chinese", told{"a", "zh", "日本福岛近海发生6.8级地震", "日本福岛县近海星期二发生6.8级地震，气象厅说没有海啸危险。", 0},
			told{"b", "zh-CN", "日本福岛县近海发生6.8级地震 无海啸危险", "日本气象厅说，福岛县近海星期二发生6.8级地震，没有海啸危险。", 2}, true},
		{"Chinese, another place", told{"a", "zh", "日本福岛近海发生6.8级地震", "日本福岛县近海星期二发生6.8级地震，气象厅说没有海啸危险。", 0},
			told{"b", "zh", "新西兰举行议会选举", "新西兰星期六举行议会选举，结果预计当晚公布。", 2}, false},
		{"Japanese", told{"a", "ja", "福島県沖でマグニチュード6.8の地震 津波の心配なし", "火曜日の朝、福島県沖でマグニチュード6.8の地震があった。気象庁によると津波の心配はない。", 0},
			told{"b", "ja", "福島県沖でマグニチュード6.8の地震、津波の心配なし 気象庁", "気象庁によると、火曜日の朝に福島県沖でマグニチュード6.8の地震があった。津波の心配はない。", 2}, true},
		{"Thai", told{"a", "th", "แผ่นดินไหวรุนแรงนอกชายฝั่งฟุกุชิมะของญี่ปุ่น", "เกิดแผ่นดินไหวรุนแรงนอกชายฝั่งฟุกุชิมะของญี่ปุ่นเมื่อวันอังคาร ไม่มีการเตือนภัยสึนามิ", 0},
			told{"b", "th", "เกิดแผ่นดินไหวรุนแรงนอกชายฝั่งฟุกุชิมะ ญี่ปุ่น", "แผ่นดินไหวรุนแรงเกิดขึ้นนอกชายฝั่งฟุกุชิมะของญี่ปุ่นเมื่อวันอังคาร โดยไม่มีการเตือนภัยสึนามิ", 2}, true},
		{"Chinese in a feed that says English", told{"a", "en", "日本福岛近海发生6.8级地震", "日本福岛县近海星期二发生6.8级地震，气象厅说没有海啸危险。", 0},
			told{"b", "", "日本福岛县近海发生6.8级地震 无海啸危险", "日本气象厅说，福岛县近海星期二发生6.8级地震，没有海啸危险。", 2}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.b.hours = max(c.b.hours, 1)
			items, ties := tellAll(t, []told{c.a, c.b})
			if tied := items[1].Story == 1; tied != c.tied {
				t.Errorf("tied %t", tied)
			}
			if c.tied && (len(ties) != 1 || ties[0].Item != 2 || ties[0].Partner != 1 || ties[0].Layer != ByReport || ties[0].Why == "") {
				t.Errorf("ties %+v", ties)
			}
		})
	}
}

// An outlet that says the same each day, by another's title or its own, says nothing by it.
func TestRepeatedTitles(t *testing.T) {
	const title, text = "Ferry timetable for Bergen and Stavanger harbours", "All departures from the harbours of Bergen and Stavanger for passengers with cars."
	items, _ := tellAll(t, []told{{"a", "en", title, text, 0}, {"b", "en", title + " 1", text, 1}, {"b", "en", title + " 2", text, 2}, {"c", "en", title, text, 3}})
	if items[1].Story != 1 || items[2].Story != 3 || items[3].Story != 1 {
		t.Errorf("stories %d %d %d %d", items[0].Story, items[1].Story, items[2].Story, items[3].Story)
	}
}

// However many outlets copy, a story grows to maxByText items, and none of them is of an owner that has one in it.
func TestStorySize(t *testing.T) {
	var all []told
	for i := range 30 {
		all = append(all, told{fmt.Sprint("outlet", i%25), "en", fmt.Sprintf("Harbour of Bergen closed, %d ships wait", 40), strings.Repeat("The harbour of Bergen was closed on Monday after a storm and 40 ships wait outside. ", 3), i})
	}
	items, _ := tellAll(t, all)
	size := map[StoryID]int{}
	for _, it := range items {
		size[it.Story]++
	}
	if size[1] != maxByText || size[items[maxByText].Story] != maxByText {
		t.Errorf("sizes %v", size)
	}
}

// What is near and not the same is related.
func TestRelated(t *testing.T) {
	items, _ := tellAll(t, []told{
		{"a", "en", "Strong earthquake of magnitude 6.8 strikes off Fukushima coast in Japan", "An earthquake of magnitude 6.8 struck off the coast of Fukushima in northeastern Japan on Tuesday, the Meteorological Agency said; no tsunami warning was issued.", 0},
		{"b", "en", "How Japan's Fukushima coast prepared for the earthquake", "After Tuesday's earthquake off the Fukushima coast of Japan: how the Meteorological Agency decides on a tsunami warning.", 4},
		{"c", "en", "Chess final in Bergen goes to a fourth game", "Neither player found a way through in Norway.", 5},
	})
	if items[1].Story != 2 || len(items[1].Related) != 1 || items[1].Related[0] != 1 || len(items[2].Related) != 0 {
		t.Errorf("stories %d, related %v %v", items[1].Story, items[1].Related, items[2].Related)
	}
}
