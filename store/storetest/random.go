package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"broadsheet/store"
)

// checkRandom lets random outlets publish, edit, repeat, renumber, copy from each other and are renamed, and prunes now and
// then. The keeper and the model must agree at every step.
func checkRandom(t *testing.T, s *session) {
	m := newModel()
	w := &world{rng: rand.New(rand.NewPCG(1, 2)), at: start}
	for step := range 250 {
		var polls []store.Poll
		for range 1 + w.rng.IntN(3) {
			polls = append(polls, w.poll())
		}
		want, err := m.SavePolls(t.Context(), polls...)
		if err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		expect(t, "saved", s.save(t, polls...), want)
		if w.rng.IntN(10) == 0 {
			before, n := w.at.Add(-time.Duration(w.rng.IntN(200))*time.Hour), w.rng.IntN(30)
			gone, _ := m.Prune(t.Context(), before, n)
			expect(t, "pruned", s.prune(t, before, n), gone)
		}
		if w.rng.IntN(15) == 0 {
			r := w.rewrites(all(t, m.Bodies(t.Context(), 1, 2, 5, m.last-min(m.last, 3))))
			done, err := m.Rewrite(t.Context(), w.at, r...)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Rewrite(t.Context(), w.at, r...)
			if err != nil {
				t.Fatal(err)
			}
			expect(t, "rewritten", got, done)
		}
		if w.rng.IntN(15) == 0 {
			r := w.rename()
			done, err := m.Rename(t.Context(), r...)
			if err != nil {
				t.Fatal(err)
			}
			expect(t, "renamed", s.rename(t, r...), done)
		}
		if w.rng.IntN(40) == 0 {
			s.reopen(t)
		}
		if step%20 == 0 || step > 245 {
			same(t, look(t, s), look(t, m))
			q := store.Query{Since: m.revision - min(m.revision, 5) + 1, Outlets: []string{"a", "c"}}
			expect(t, "since", ids(s.items(t, q)), ids(all(t, m.Items(t.Context(), q))))
		}
		if t.Failed() {
			t.Fatalf("at step %d, polls %+v", step, polls)
		}
	}
}

// world is what the outlets of checkRandom are doing.
type world struct {
	rng  *rand.Rand
	at   time.Time
	next int
}

func (w *world) poll() store.Poll {
	w.at = w.at.Add(time.Duration(w.rng.IntN(90)) * time.Minute)
	outlet := string('a' + rune(w.rng.IntN(4)))
	p := poll(outlet, w.at)
	if outlet == "d" {
		p.Owner = "c" // which is the other's own name
	}
	if w.rng.IntN(3) == 0 {
		p.State.URL += "2"
	}
	p.State.Status = 200 + w.rng.IntN(5)
	p.State.Validators.ETag = fmt.Append(nil, w.next)
	if w.rng.IntN(6) == 0 {
		p.Pushed, p.State.Push = true, store.Push{Hub: "https://hub.example/", Until: w.at.Add(time.Duration(w.rng.IntN(9)) * time.Hour)}
	}
	if w.rng.IntN(6) == 0 {
		return p // nothing new
	}
	w.next += w.rng.IntN(4)
	for i := range 1 + w.rng.IntN(12) {
		p.Arrivals = append(p.Arrivals, w.arrival(outlet, w.next-i, i))
	}
	return p
}

// rewrites change some bodies, and some that are not as they were.
func (w *world) rewrites(bodies []store.Body) (rewrites []store.Rewrite) {
	for _, b := range bodies {
		r := store.Rewrite{Old: b, New: b}
		r.New.Content += "!"
		if w.rng.IntN(3) == 0 {
			r.Old.Content += "?"
		}
		rewrites = append(rewrites, r)
	}
	return rewrites
}

// rename lets outlets and feeds take other names, also those that others have or gave up.
func (w *world) rename() (renames []store.Rename) {
	for range 1 + w.rng.IntN(3) {
		a, b := string('a'+rune(w.rng.IntN(5))), string('a'+rune(w.rng.IntN(5)))
		r := store.Rename{From: store.FeedName{Outlet: a}, To: store.FeedName{Outlet: b}}
		if w.rng.IntN(2) == 0 {
			r.To.Outlet = a
			r.From.URL, r.To.URL = feedOf(string('a'+rune(w.rng.IntN(4)))), feedOf(b)
			if w.rng.IntN(2) == 0 {
				r.From.URL += "2"
			}
		}
		renames = append(renames, r)
	}
	return renames
}

// arrival is the n-th item of the world as the outlet has it, at place i of its document.
func (w *world) arrival(outlet string, n, i int) store.Arrival {
	link := fmt.Sprintf("https://%s.example/%d", outlet, n)
	if n%5 == 0 {
		link = fmt.Sprintf("https://wire.example/%d", n) // everybody has it
	}
	guid := fmt.Sprintf("https://%s.example/?p=%d", outlet, n)
	switch outlet {
	case "b":
		guid = fmt.Sprint(n)
	case "c":
		guid = ""
	case "d":
		guid = fmt.Sprint(i)
	}
	switch w.rng.IntN(20) {
	case 0:
		guid = ""
	case 1:
		link = ""
	case 2:
		guid = fmt.Sprint("rotated", w.rng.IntN(100))
	case 3:
		guid = fmt.Sprintf("https://a.example/?p=%d", n) // another outlet's
	case 4:
		link = "https://wire.example/live"
	}
	title := fmt.Sprintf("item %d", n)
	if w.rng.IntN(10) == 0 {
		title += fmt.Sprint(" edited ", w.rng.IntN(3))
	}
	var date time.Time
	if n%7 != 0 {
		date = start.Add(time.Duration(n) * time.Hour)
	}
	a := arrival(guid, link, title, date)
	a.Item.Lead, a.Item.Language = w.text(n), "en"
	if w.rng.IntN(6) == 0 {
		a.Original = fmt.Sprintf("https://wire.example/%d", n)
	}
	return a
}

// text is what is told of the n-th item of the world: by most outlets the same, in other words.
func (w *world) text(n int) string {
	places := []string{"Ankara", "Bergen", "Caracas", "Dakar", "Esbjerg", "Fukuoka", "Genoa", "Hamburg"}
	events := []string{"earthquake", "ferry accident", "school strike", "museum robbery", "bridge collapse", "chess final", "dairy auction"}
	place, event := places[(n+700)%len(places)], events[(n+700)%len(events)]
	return []string{
		fmt.Sprintf("Rescue teams in %s search the harbour district after the %s of Tuesday morning, the mayor Nilsen%d told reporters.", place, event, n),
		fmt.Sprintf("The mayor, Nilsen%d, says rescue teams search the harbour district of %s after Tuesday's %s.", n, place, event),
		fmt.Sprintf("A %s shook %s on Tuesday morning; teams search the harbour district, said mayor Nilsen%d.", event, place, n),
	}[w.rng.IntN(3)]
}
