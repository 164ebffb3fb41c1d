package publish

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"broadsheet/store"
)

// A statusFeed is a feed on the page of states: what is to be seen of it, and the same in words.
type statusFeed struct {
	Row
	Class, Label string // of its state
	More         string // of the state, where Error does not say
	Days, Visits chart

	Next, Success, News string // times
}

// A chart is a drawing of one line, and what it shows in words.
type chart struct {
	Width, Height int
	Paths         []chartPath
	Words         string
}

// A chartPath are all shapes of one kind in a chart: one element, however many they are.
type chartPath struct{ Class, D string }

// Sizes of charts, in their own units.
const (
	chartHeight = 40
	chartStep   = 10 // from one day or visit to the next
	chartBar    = 8
)

// statusPage renders the states of feeds to look at; those that want to be looked after come first.
func (p *Publisher) statusPage(rows []Row, now time.Time) []byte {
	data := struct {
		page
		Tally []string
		Feeds []statusFeed
	}{page: p.pageOf("Status", "", 0)}
	data.Language, data.Direction, data.Nav = "en", "ltr", nil // it is for those who run this
	counts := map[string]int{}
	for _, r := range rows {
		f := statusFeed{
			Row: r, Days: days(&r.History, now), Visits: visits(&r.History),
			Next: p.clock(r.NextPoll), Success: p.clock(r.LastSuccess), News: p.clock(r.LastNewItem),
		}
		f.Class, f.Label = r.condition()
		switch {
		case r.Error != "":
		case f.Class == "silent":
			f.More = "since " + p.clock(r.Silent) + ", for longer than it ever was"
		case f.Class == "damaged":
			f.More = "the last document was cut off or broken"
		}
		counts[f.Label]++
		data.Feeds = append(data.Feeds, f)
	}
	slices.SortStableFunc(data.Feeds, func(a, b statusFeed) int { return cmp.Compare(urgency[a.Class], urgency[b.Class]) })
	for _, f := range data.Feeds {
		if n := counts[f.Label]; n > 0 {
			data.Tally = append(data.Tally, fmt.Sprintf("%d %s", n, f.Label))
			counts[f.Label] = 0
		}
	}
	return renderPage("status.html", data)
}

// urgency orders the classes of states; the others come last.
var urgency = map[string]int{"failing": -6, "gone": -5, "dead": -4, "damaged": -3, "silent": -2, "held": -1}

// condition is the state of a feed, as a class and as a word for people.
func (r *Row) condition() (class, label string) {
	switch {
	case r.State == "ok" && r.Damaged:
		return "damaged", "damaged"
	case r.State == "ok" && r.Silent != nil:
		return "silent", "silent"
	}
	return strings.TrimSuffix(r.State, "?"), r.State
}

// clock is a time on the page of states; "never" if it never was, or will be.
func (p *Publisher) clock(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.In(p.pub.Location).Format("2006-01-02 15:04")
}

// days draws how many items each of the last days brought.
func days(h *store.History, now time.Time) chart {
	days := h.LastDays(now)
	most, all, best := 1, 0, 0
	for i, n := range days {
		if all += n; n > most || n == most && best == 0 {
			most, best = n, i
		}
	}
	var bars, base strings.Builder
	for i, n := range days {
		height := (n*(chartHeight-2) + most - 1) / most
		if n > 0 {
			fmt.Fprintf(&bars, "M%d %dh%dv-%dh-%dz", i*chartStep, chartHeight-2, chartBar, height, chartBar)
		}
		fmt.Fprintf(&base, "M%d %dh%dv1h-%dz", i*chartStep, chartHeight-1, chartBar, chartBar)
	}
	c := chart{Width: len(days)*chartStep - (chartStep - chartBar), Height: chartHeight, Words: "no items in 30 days"}
	if all > 0 {
		day := now.UTC().AddDate(0, 0, best+1-len(days)).Format("2 January")
		if c.Words = store.Count(all, "item") + " in 30 days, "; all > 1 {
			c.Words += fmt.Sprintf("at most %d, ", most)
		}
		c.Words += "on " + day
		c.Paths = append(c.Paths, chartPath{"bar", bars.String()})
	}
	c.Paths = append(c.Paths, chartPath{"base", base.String()})
	return c
}

// visits draws what became of the last visits: full height for new items, a low mark where there was nothing new.
func visits(h *store.History) chart {
	outcomes := []store.Outcome{store.News, store.Nothing, store.Damaged, store.Failed, store.Unreached, store.Excused}
	shapes, counts := map[store.Outcome]*strings.Builder{}, map[store.Outcome]int{}
	n := 0
	for _, o := range h.LastVisits() {
		n++
		counts[o]++
	}
	var base strings.Builder
	for i := range store.HistoryVisits - n {
		fmt.Fprintf(&base, "M%d %dh%dv-1h-%dz", i*chartStep, chartHeight/2, chartBar, chartBar)
	}
	i := store.HistoryVisits - n // the newest stands at the end
	for _, o := range h.LastVisits() {
		if shapes[o] == nil {
			shapes[o] = &strings.Builder{}
		}
		height := chartHeight / 2
		if o == store.Nothing || o == store.Excused {
			height = chartHeight / 8
		}
		fmt.Fprintf(shapes[o], "M%d %dh%dv-%dh-%dz", i*chartStep, chartHeight/2, chartBar, height, chartBar)
		i++
	}
	c := chart{Width: store.HistoryVisits*chartStep - (chartStep - chartBar), Height: chartHeight / 2, Words: "never polled"}
	if base.Len() > 0 {
		c.Paths = append(c.Paths, chartPath{"base", base.String()})
	}
	var words []string
	for _, o := range outcomes {
		if counts[o] > 0 {
			c.Paths = append(c.Paths, chartPath{strings.ReplaceAll(o.String(), " ", "-"), shapes[o].String()})
			words = append(words, fmt.Sprintf("%d × %s", counts[o], o))
		}
	}
	if n == 1 {
		c.Words = "one poll: " + strings.TrimPrefix(words[0], "1 × ")
	} else if n > 1 {
		c.Words = fmt.Sprintf("the last %d polls: %s", n, strings.Join(words, ", "))
	}
	return c
}
