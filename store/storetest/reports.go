package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
)

// report is an arrival that tells something, in English unless it is told otherwise.
func report(guid, title, text string, date time.Time) store.Arrival {
	a := arrival(guid, "https://news.example/"+guid, title, date)
	a.Item.Lead, a.Item.Language = text, "en"
	return a
}

// What these tests report must be so plainly one story, or two, that any weights say so.
var (
	quakeA = [2]string{"Strong earthquake of magnitude 6.8 strikes off Fukushima coast in Japan",
		"An earthquake of magnitude 6.8 struck off the coast of Fukushima in northeastern Japan on Tuesday, the Meteorological Agency said; no tsunami warning was issued."}
	quakeB = [2]string{"Earthquake of magnitude 6.8 strikes off the coast of Fukushima, Japan",
		"A strong earthquake struck off Japan's Fukushima coast on Tuesday with a magnitude of 6.8, the Meteorological Agency said. No tsunami warning was issued."}
	quakeLater = [2]string{"What we know about the earthquake off Fukushima",
		"The earthquake off Japan's Fukushima coast revives memories of the tsunami of 2011. An explainer on magnitudes and warnings."}
)

func checkReports(t *testing.T, s *session) {
	hour := func(n int) time.Time { return start.Add(time.Duration(n) * time.Hour) }
	p := func(outlet, owner string, n int, items ...store.Arrival) store.Poll {
		p := poll(outlet, hour(n), items...)
		p.Owner = owner
		return p
	}
	s.save(t, p("a", "a.example", 1, report("1", quakeA[0], quakeA[1], hour(0)), report("2", "Ferry to Bergen cancelled", "Storm keeps the ferry in the harbour.", hour(0))))
	s.save(t, p("b", "b.example", 2, report("3", quakeB[0], quakeB[1], hour(1))))
	s.save(t, p("c", "b.example", 3, report("4", quakeB[0], quakeB[1]+" More soon.", hour(1)))) // b's sister
	s.reopen(t)
	s.save(t, p("d", "d.example", 4, report("5", quakeB[0], quakeA[1], hour(2)), report("6", quakeLater[0], quakeLater[1], hour(3))))
	s.save(t, p("e", "e.example", 70, report("7", quakeB[0], quakeB[1], hour(70)))) // another earthquake, as far as anybody can tell
	byGUID := map[string]store.Item{}
	for _, it := range s.items(t, store.Query{}) {
		byGUID[it.GUID] = it
	}
	first := byGUID["1"]
	got := all(t, s.Stories(t.Context(), first.Story))
	if len(got) != 1 || len(got[0].Ties) != 2 {
		t.Fatalf("stories %+v", got)
	}
	expect(t, "items of the story", got[0].Items, []store.ItemID{first.ID, byGUID["3"].ID, byGUID["5"].ID})
	expect(t, "published id of the story", got[0].PublishedID, first.PublishedID)
	for i, tie := range got[0].Ties {
		if tie.Item != got[0].Items[i+1] || tie.Partner >= tie.Item || tie.Layer == store.ByLink || tie.Why == "" {
			t.Errorf("tie %+v", tie)
		}
	}
	for _, guid := range []string{"2", "4", "6", "7"} {
		if it := byGUID[guid]; it.Story != store.StoryID(it.ID) {
			t.Errorf("%q is of story %d", it.Title, it.Story)
		}
	}
	for _, it := range byGUID {
		if len(it.Related) > 0 && it.GUID < "4" {
			t.Errorf("%q is related to %v", it.Title, it.Related)
		}
	}
	// An edit ties nothing and parts nothing.
	edited := report("2", quakeA[0], quakeA[1], hour(0))
	edited.Item.Text++
	s.save(t, p("a", "a.example", 71, edited))
	if it := s.items(t, store.Query{IDs: []store.ItemID{byGUID["2"].ID}})[0]; it.Title != quakeA[0] || it.Story != store.StoryID(it.ID) {
		t.Errorf("after an edit: %+v", it)
	}
}

func checkCopies(t *testing.T, s *session) {
	text := strings.Repeat("The harbour of the old town was closed for the winter. ", 5)
	for i, outlet := range []string{"a", "b", "c"} {
		s.save(t, poll(outlet, start.Add(time.Duration(i)*time.Hour), report(outlet, []string{"Harbour closed", "No ships until spring", "News in brief"}[i], text, time.Time{})))
	}
	story := all(t, s.Stories(t.Context(), 1))
	expect(t, "items", story[0].Items, []store.ItemID{1, 2, 3})
	for _, tie := range story[0].Ties {
		expect(t, "layer", tie.Layer, store.ByText)
	}
	// A text that one outlet has twice is a form.
	form := strings.Repeat("Subscribe to read what our reporters found out this week. ", 5)
	s.save(t, poll("a", start.Add(5*time.Hour), report("x", "Markets", form, time.Time{}), report("y", "Weather of the north", form, time.Time{})))
	s.save(t, poll("b", start.Add(6*time.Hour), report("z", "Concerts in town", form, time.Time{})))
	// Also where another has it once, and the one twice at its first poll.
	once := strings.Repeat("This film cannot be shown in your country for want of rights. ", 5)
	s.save(t, poll("a", start.Add(7*time.Hour), report("f", "A regatta in the fjord", once, time.Time{})))
	s.save(t, poll("b", start.Add(8*time.Hour), report("g", "Choirs meet in Riga", once, time.Time{}), report("h", "Potters of the south", once, time.Time{})))
	for _, it := range s.items(t, store.Query{}) {
		if (it.Lead == form || it.Lead == once) && it.Story != store.StoryID(it.ID) {
			t.Errorf("%q is of story %d", it.Title, it.Story)
		}
	}
}

// checkForms lets outlets say one thing under all of their titles.
func checkForms(t *testing.T, s *session) {
	const form = "Breaking news, analysis, podcasts and features from award-winning journalists around the globe."
	tell := func(outlet string, n int, titles ...string) {
		var items []store.Arrival
		for i, title := range titles {
			items = append(items, report(fmt.Sprint(outlet, i), title, form, time.Time{}))
		}
		s.save(t, poll(outlet, start.Add(time.Duration(n)*time.Minute), items...))
	}
	tell("a", 0, "Ferry to Bergen cancelled after storm", "Chess final goes to a fourth game", "Bakers protest against flour prices", "Orchestra names new conductor", "Wolves return to the Alps")
	s.reopen(t)
	tell("b", 1, "Cyclists win a lane along the canal", "Senate delays vote on fisheries")
	for _, it := range s.items(t, store.Query{}) {
		if len(it.Related) > 0 || it.Story != store.StoryID(it.ID) {
			t.Errorf("%q is of story %d and related to %v", it.Title, it.Story, it.Related)
		}
	}
}

// checkOriginals lets outlets say where an item stood first.
func checkOriginals(t *testing.T, s *session) {
	const link = "https://a.example/1"
	from := func(outlet string, n int, original string) store.Poll {
		a := arrival(outlet, fmt.Sprintf("https://%s.example/%d", outlet, n), fmt.Sprint(outlet, n), time.Time{})
		a.Original = original
		return poll(outlet, start.Add(time.Duration(n)*time.Hour), a)
	}
	s.save(t, from("b", 1, link))                 // before the original itself
	s.save(t, from("c", 2, link))                 // which is not needed
	s.save(t, from("d", 3, "https://a.example/")) // a front page is nobody's original
	s.save(t, from("e", 4, "https://a.example/"))
	s.reopen(t)
	s.save(t, from("a", 1, ""))
	expect(t, "story", all(t, s.Stories(t.Context(), 1)), []store.Story{{ID: 1, PublishedID: s.items(t, store.Query{IDs: []store.ItemID{1}})[0].PublishedID,
		Items: []store.ItemID{1, 2, 5}, Ties: byLink(link, 1, 2, 5)}})
	expect(t, "others", len(all(t, s.Stories(t.Context(), 3, 4))), 2)
	// What names an original is not the original: with its own outlet's next item it has nothing to do.
	s.prune(t, start.Add(90*time.Minute), 10)
	again := from("b", 6, "")
	again.Arrivals[0].Item.GUID, again.Arrivals[0].Canonical = "another", link
	s.save(t, again)
	expect(t, "items of b", titles(s.items(t, store.Query{Outlets: []string{"b"}})), []string{"b6"})
}

// checkFailed lets polls fail between others: they leave nothing by which a story could be settled.
func checkFailed(t *testing.T, s *session) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.save(t, poll("a", start, report("1", "Ferry to Bergen cancelled", "Storm keeps the ferry in the harbour.", time.Time{})))
	if _, err := s.SavePolls(ctx, poll("b", start, report("2", quakeA[0], quakeA[1], time.Time{}))); err == nil {
		t.Error("a poll was saved although its context had ended")
	}
	s.save(t, poll("c", start.Add(time.Hour), report("3", quakeB[0], quakeB[1], time.Time{})))
	s.save(t, poll("d", start.Add(2*time.Hour), report("4", quakeA[0], quakeA[1], time.Time{})))
	expect(t, "items", all(t, s.Stories(t.Context(), 2))[0].Items, []store.ItemID{2, 3})
}
