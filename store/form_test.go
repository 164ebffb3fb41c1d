package store

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Titles that have nothing to do with each other.
var desks = map[string][]string{
	"en": {"Ferry to Bergen cancelled after storm", "Chess final goes to a fourth game", "Bakers protest against flour prices", "Orchestra names new conductor", "Wolves return to the Alps",
		"Museum finds lost Vermeer in its cellar", "Cyclists win a lane along the canal", "Senate delays vote on fisheries", "Astronomers photograph a distant comet", "Tram drivers to strike on Friday",
		"Volcano wakes after a century", "Goalkeeper retires at forty"},
	"de": {"Fähre nach Bergen fällt wegen Sturm aus", "Schachfinale geht in die vierte Partie", "Bäcker protestieren gegen Mehlpreise", "Orchester bekommt neue Dirigentin", "Wölfe kehren in die Alpen zurück",
		"Museum findet verschollenen Vermeer", "Radfahrer erhalten Spur am Kanal", "Bundesrat vertagt Fischereigesetz", "Astronomen fotografieren Kometen", "Straßenbahnen fahren am Freitag nicht",
		"Vulkan erwacht nach hundert Jahren", "Torhüter beendet Laufbahn"},
}

// settleDesks settles the items of two outlets that have nothing to do with each other, all of one hour, first those of the
// one, then those of the other.
func settleDesks(lang string, text func(title, outlet string) string, more ...heard) (items []Item, ties []Tie) {
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var stream []heard
	for i, title := range desks[lang] {
		outlet := []string{"a", "b"}[i*2/len(desks[lang])]
		stream = append(stream, heard{outlet, at, Item{Outlet: outlet, Language: lang, Title: title, Lead: text(title, outlet)}})
	}
	stream = append(stream, more...)
	for i := range stream {
		h := &stream[i]
		h.at = at.Add(time.Duration(i) * time.Minute)
		h.ID, h.Story, h.Date, h.Arrived = ItemID(i+1), StoryID(i+1), h.at, h.at
	}
	ties, items = settledStream(stream)
	return items, ties
}

// What two outlets say under each of their titles ties none of their items, and makes none related.
func TestForms(t *testing.T) {
	for _, c := range []struct{ name, lang, text string }{
		{"slogan", "en", "Breaking news, analysis, podcasts and features from award-winning journalists around the globe."},
		{"full story", "en", "Read the full story at %[2]s. Subscribe to our newsletter and follow us on Facebook and Instagram."},
		{"the post", "en", "The post %[1]s appeared first on %[2]s Gazette."},
		{"longer than a copy", "en", "You have been reading a free excerpt. " + strings.Repeat("Unlimited articles, crosswords and recipes are for subscribers only. ", 3)},
		{"German", "de", "Den vollständigen Artikel lesen Abonnenten auf unserer Webseite. Jetzt kostenlos Newsletter bestellen."},
	} {
		t.Run(c.name, func(t *testing.T) {
			items, ties := settleDesks(c.lang, func(title, outlet string) string {
				return strings.NewReplacer("%[1]s", title, "%[2]s", outlet).Replace(c.text)
			})
			for _, it := range items {
				if len(it.Related) > 0 {
					t.Errorf("%q is related to %q", it.Title, items[it.Related[0]-1].Title)
				}
			}
			if len(ties) > 0 {
				t.Errorf("ties %+v", ties)
			}
		})
	}
}

// Under a form, items are tied and related as they are without it.
func TestReportsWithForms(t *testing.T) {
	tell := func(form string) []Item {
		report := func(outlet, title, text string) heard {
			return heard{outlet: outlet, Item: Item{Outlet: outlet, Language: "en", Title: title, Lead: text + form}}
		}
		items, _ := settleDesks("en", func(title, outlet string) string { return "It happened today, and nobody had seen it coming." + form },
			report("a", "Strong earthquake of magnitude 6.8 strikes off Fukushima coast in Japan", "An earthquake of magnitude 6.8 struck off the coast of Fukushima in northeastern Japan on Tuesday."),
			report("b", "Earthquake of magnitude 6.8 strikes off the coast of Fukushima, Japan", "A strong earthquake struck off Japan's Fukushima coast on Tuesday with a magnitude of 6.8."),
			report("b", "How Japan's Fukushima coast prepared for the earthquake", "After Tuesday's earthquake off the Fukushima coast of Japan: how warnings came about."))
		return items
	}
	bare, formed := tell(""), tell(" Read the full story on our website. Subscribe to our newsletter.")
	for i, it := range formed {
		if it.Story != bare[i].Story || fmt.Sprint(it.Related) != fmt.Sprint(bare[i].Related) {
			t.Errorf("%q: story %d, related %v; without a form %d, %v", it.Title, it.Story, it.Related, bare[i].Story, bare[i].Related)
		}
	}
	if n := len(formed); formed[n-2].Story != formed[n-3].Story || len(formed[n-1].Related) != 1 {
		t.Errorf("story %d, related %v", formed[n-2].Story, formed[n-1].Related)
	}
}

// A title that another outlet repeats names no story either.
func TestTitlesOfOthersRepeated(t *testing.T) {
	const title = "Ferry timetable for Bergen and Stavanger harbours"
	items, ties := tellAll(t, []told{{"a", "en", title, "", 0}, {"a", "en", title, "", 1}, {"a", "en", title, "", 2}, {"b", "en", title, "", 3}})
	if len(ties) > 0 || len(items[3].Related) > 0 {
		t.Errorf("ties %+v, related %v", ties, items[3].Related)
	}
}

// A word is of a form where an owner's last items have it in their texts, often enough, and seldom in their titles.
func TestWithoutForms(t *testing.T) {
	said := Item{Lead: "Gazette"}
	for _, c := range []struct {
		name        string
		outlet      string
		with, plain int  // earlier items that have the word "gazette" in the text, and those that say nothing of it
		title       int  // and those that have it in the title
		item        Item // that is looked at
		taken, bare bool // is the word, and what is left
	}{
		{"never before", "a", 0, 20, 0, said, false, false},
		{"twice before", "a", 2, 3, 0, said, false, false},
		{"three times before", "a", 3, 0, 0, said, true, true},
		{"of another outlet", "b", 10, 0, 0, said, false, false},
		{"one in six", "a", 5, 25, 0, said, true, true},
		{"one in eight", "a", 4, 28, 0, said, false, false},
		{"long ago", "a", 10, 40, 0, said, false, false},
		{"in titles as well", "a", 7, 0, 2, said, false, false},
		{"in a title", "a", 7, 0, 1, said, true, true},
		{"in its own title", "a", 7, 0, 0, Item{Title: "Gazette", Lead: "Gazette"}, false, false},
		{"beside others", "a", 7, 0, 0, Item{Lead: "Gazette of Tuesday"}, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, x := newNewsroom(), NewIndex()
			add := func(items int, title, text string) (p Print) {
				for range items {
					it := n.item(60)
					it.Outlet = c.outlet
					it.Title, it.Lead = it.Title+title, text
					in, _ := x.arrive(it)
					p = in.Print
				}
				return p
			}
			add(c.with, "", "Gazette")
			add(c.title, "Gazette", "")
			add(c.plain, "", "")
			for range 40 { // of others, between them
				x.arrive(n.item(1))
			}
			it := n.item(60)
			it.Outlet, it.Title, it.Lead = "a", it.Title+c.item.Title, c.item.Lead
			in, _ := x.arrive(it) // the item itself does not count
			out := x.withoutForms(&in.Print, uint32(in.Print.owner))
			if taken := len(out.words) < len(in.Print.words); taken != c.taken || out.bare != c.bare {
				t.Errorf("%d of %d words, bare %t", len(out.words), len(in.Print.words), out.bare)
			}
		})
	}
}
