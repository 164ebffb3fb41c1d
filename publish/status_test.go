package publish

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
)

// rowOf is the row of a feed after visits an hour apart, each as its letter says: n new item, - nothing new, f failed,
// d damaged, g gone.
func rowOf(t *testing.T, w *world, outlet, visits string) Row {
	t.Helper()
	f := store.FeedState{Outlet: outlet, URL: feedOf(outlet)}
	for i, v := range visits {
		at := start.Add(time.Duration(i) * time.Hour)
		f.LastTry, f.LastPoll, f.Damaged, f.Gone = at, at, v == 'd', v == 'g'
		p := store.Poll{At: at}
		switch v {
		case 'f', 'g':
			f.Failures++
			f.Err = `503 <script>alert("x")</script>`
		default:
			f.Failures, f.Err, f.LastSuccess = 0, "", at
		}
		if v == 'n' {
			p.Arrivals = []store.Arrival{news(at.String(), "https://"+outlet+".example/"+at.Format("15"), "x")}
		}
		p.State = f
		saved, err := w.st.SavePolls(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		f = saved[0].State
	}
	state := "ok"
	if f.Failures > 0 {
		state = "failing"
	}
	if f.Gone {
		state = "gone"
	}
	next := f.LastPoll.Add(time.Hour)
	return Row{Outlet: outlet, Feed: f.URL, State: state, Reason: "schedule", LastPoll: &f.LastPoll, LastSuccess: &f.LastSuccess, NextPoll: &next,
		Failures: f.Failures, Error: f.Err, Items: f.Items, Name: "The " + outlet, Damaged: f.Damaged, History: f.History}
}

func TestStatus(t *testing.T) {
	w := newWorld(t)
	rows := []Row{rowOf(t, w, "well", "nn---n"), rowOf(t, w, "back", "n-fff-"), rowOf(t, w, "bad", "n-ffff"), rowOf(t, w, "ended", "n-g"), rowOf(t, w, "cut", "n-ddd"),
		{Outlet: "new", Feed: feedOf("new"), State: "new", Reason: "never polled", Name: "The new"}}
	silent := in("0s")
	rows[0].Silent = &silent
	var trouble error
	asked := 0
	p := w.publisher(publication([]Outlet{outlet("well")}, Section{Slug: "all"}))
	base := listen(t, w, Under("https://paper.example/news", p.Status("https://paper.example/news", func(context.Context) ([]Row, error) {
		asked++
		return rows, trouble
	})))
	resp, body := ask(t, "GET", base+"/news/status.json")
	var all []struct {
		Row
		Silent      *time.Time   `json:"silent_since"`
		ItemsPerDay []int        `json:"items_per_day"`
		LastPolls   []statusPoll `json:"last_polls"`
	}
	if err := json.Unmarshal([]byte(body), &all); err != nil || len(all) != len(rows) || resp.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s: %v: %s", resp.Header.Get("Content-Type"), err, body)
	}
	if f := all[1]; f.Outlet != "back" || f.Feed != feedOf("back") || f.State != "ok" || f.Items != 1 || len(f.ItemsPerDay) != 30 || len(f.LastPolls) != 6 ||
		f.LastPolls[0] != (statusPoll{start, "new items"}) || f.LastPolls[2].Outcome != "failed" || f.LastSuccess == nil || f.LastNewItem != nil {
		t.Errorf("%+v", f)
	}
	if all[0].Silent == nil || all[1].Silent != nil {
		t.Error("who is silent?")
	}

	if resp, _ := ask(t, "GET", base+"/news/status.json", "If-Modified-Since: Mon, 01 Jan 0001 00:00:00 GMT"); resp.StatusCode != 200 {
		t.Errorf("to the date of a client that has none: %d", resp.StatusCode)
	}

	resp, body = ask(t, "GET", base+"/status")
	checkHTML(t, "status", regexp.MustCompile(`(?s)<svg.*?</svg>|<link rel="alternate"[^>]*>`).ReplaceAllString(strings.ReplaceAll(body, "status.", "all."), ""))
	for _, want := range []string{"&lt;script&gt;", "Next poll 2026-03-01 18:00", "Next poll never", "the last 6 polls: 3 × new items, 3 × nothing new", "since 2026-03-01 12:00", "cut off or broken", "1 failing · 1 gone · 1 damaged · 1 silent · 1 ok · 1 new", "(4 in a row)", "last new item never · 1 item<", "· 3 items<"} {
		if !strings.Contains(body, want) {
			t.Errorf("/status lacks %q", want)
		}
	}
	if resp.StatusCode != 200 || strings.Index(body, "The bad") > strings.Index(body, "The well") || resp.Header.Get("Access-Control-Allow-Origin") != "" ||
		resp.Header.Get("Cache-Control") != "no-cache" || strings.Contains(body, "<script") {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}

	resp, body = ask(t, "GET", base+"/status.atom")
	checkXML(t, &Document{Path: "status.atom", Body: []byte(body)})
	var titles []string
	for _, e := range parseXML(t, "status.atom", []byte(body)).get("feed").all("entry") {
		titles = append(titles, e.get("published").text[11:16]+" "+e.get("title").text)
		if id := e.get("id").text; !strings.HasPrefix(id, "urn:uuid:") || strings.Count(body, id) != 1 || e.get("content").text == "" {
			t.Errorf("entry %s", id)
		}
		checkHTML(t, "status.atom", e.get("content").text)
	}
	slices.SortStableFunc(titles, func(a, b string) int { // of one moment in any order
		if a[:5] != b[:5] {
			return 0
		}
		return strings.Compare(a, b)
	})
	want := []string{"17:00 The back can be read again", "16:00 The back cannot be read", "16:00 The bad cannot be read", "16:00 The cut cannot be read", "14:00 The ended has ended a feed"}
	if !slices.Equal(titles, want) || resp.Header.Get("Content-Type") != typeAtom {
		t.Errorf("outages: %q", titles)
	}
	// What was told stays as it was: another failure moves no entry, a recovery adds one.
	rows[2] = rowOf(t, w, "bad", "fffffffff")
	for had, end := asked, time.Now().Add(time.Minute); asked == had && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		ask(t, "GET", base+"/status.json") // until the documents are made anew
	}
	again, same := ask(t, "GET", base+"/status.atom", "If-None-Match: "+resp.Header.Get("ETag"))
	if again.StatusCode != 304 || same != "" {
		t.Errorf("after another failure: %d", again.StatusCode)
	}

	for _, method := range []string{"HEAD", "POST"} {
		resp, body := ask(t, method, base+"/status")
		if want := map[string]int{"HEAD": 200, "POST": 405}[method]; resp.StatusCode != want || method == "HEAD" && body != "" {
			t.Errorf("%s: %d", method, resp.StatusCode)
		}
	}
	trouble = errors.New("the store is gone")
	for end := time.Now().Add(time.Minute); resp.StatusCode != 500; time.Sleep(10 * time.Millisecond) {
		if resp, body = ask(t, "GET", base+"/status"); time.Now().After(end) {
			t.Fatalf("in trouble: %d", resp.StatusCode)
		}
	}
	if strings.Contains(body, trouble.Error()) {
		t.Errorf("everybody is told %q", body)
	}
}

func TestDays(t *testing.T) {
	w := newWorld(t)
	for visits, want := range map[string]string{
		"-":   "no items in 30 days",
		"-n":  "1 item in 30 days, on 1 March",
		"nnn": "3 items in 30 days, at most 3, on 1 March",
	} {
		row := rowOf(t, w, "of"+visits, visits)
		if got := days(&row.History, start).Words; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
