package publish

import (
	"strings"
	"testing"
)

// Lists of subscriptions say the same to who reads their texts as HTML and to who does not, and are valid when there is
// nothing to list.
func TestLists(t *testing.T) {
	w := newWorld(t)
	a := outlet("a")
	a.Name = "AT&T <3 &copy; R&D"
	a.Tags, a.Feeds[0].Tags = []string{"world", "Q&A"}, []string{"harbours, ferries", "asia", "world"}
	pub := publication([]Outlet{a}, Section{Slug: "s", Title: "a < b & c", Description: "I <- you &c.", From: []string{"a"}})
	pub.Title = "Q&A <paper>"
	e := w.edition(w.publisher(pub))
	for path, want := range map[string][]string{
		"outlets.opml":  {"AT＆T ‹3 ©", "R＆D", "Q＆A ‹paper›", `category="world,Q&amp;A,asia"`},
		"sections.opml": {"a ‹ b &amp; c", "I ‹- you ＆c."},
	} {
		for _, text := range want {
			if body := string(e.Document(path).Body); !strings.Contains(body, text) {
				t.Errorf("%s lacks %q:\n%s", path, text, body)
			}
		}
	}
	if body := string(OPML(pub.Title, pub.Outlets)); !strings.Contains(body, "AT&amp;T &lt;3") {
		t.Errorf("what is exported spells names otherwise:\n%s", body)
	}
	pub = publication(nil)
	pub.Title = "Empty"
	e = w.edition(w.publisher(pub)) // checks its documents
	for _, path := range []string{"outlets.opml", "sections.opml"} {
		if body := string(e.Document(path).Body); !strings.Contains(body, `<outline text="Empty"></outline>`) {
			t.Errorf("%s:\n%s", path, body)
		}
	}
}
