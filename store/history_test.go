package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// feedAtWork settles one visit after the other.
type feedAtWork struct {
	state FeedState
	next  ItemID
}

// visit settles a visit with n new items of the given age, after what change does to its state.
func (w *feedAtWork) visit(at time.Time, n int, age time.Duration, change func(*FeedState)) *History {
	p := Poll{At: at, State: w.state, Bytes: 1000, Took: time.Second}
	f := &p.State
	f.Outlet, f.URL, f.LastTry, f.LastPoll, f.LastSuccess = "a", "https://a.example/feed", at, at, at
	f.Failures, f.Err, f.Damaged, f.Outage, f.History = 0, "", false, false, History{}
	if change != nil {
		change(f)
	}
	for range n {
		w.next++
		a := Arrival{}
		a.Item.GUID, a.Body.Published = fmt.Sprint(w.next), at.Add(-age)
		p.Arrivals = append(p.Arrivals, a)
	}
	w.state = Settle(&p, Known{State: w.state, Next: w.next}).State
	w.next += ItemID(n)
	return &w.state.History
}

func failed(f *FeedState) {
	f.Failures, f.Err = 1, "503 Service Unavailable"
	f.LastSuccess = f.LastSuccess.Add(-time.Hour)
}

func lost(f *FeedState) {
	failed(f)
	f.LastPoll = f.LastPoll.Add(-time.Hour)
}

func excused(f *FeedState) {
	lost(f)
	f.Failures, f.Outage = 0, true
}

func outcomes(h *History) string {
	var s strings.Builder
	for _, o := range h.LastVisits() {
		s.WriteByte(byte(o))
	}
	return s.String()
}

func TestHistory(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	w := feedAtWork{next: 1}
	w.visit(at, 3, 49*time.Hour, nil)
	w.visit(at.Add(1*time.Hour), 1, 0, nil)
	w.visit(at.Add(2*time.Hour), 0, 0, nil)
	w.visit(at.Add(3*time.Hour), 0, 0, failed)
	w.visit(at.Add(4*time.Hour), 0, 0, lost)
	w.visit(at.Add(5*time.Hour), 0, 0, excused)
	w.visit(at.Add(6*time.Hour), 2, 0, func(f *FeedState) { f.Damaged = true })
	w.visit(at.Add(7*time.Hour), 0, 0, lost)
	w.visit(at.Add(7*time.Hour), 0, 0, excused) // it turned out afterwards
	h := w.visit(at.Add(7*time.Hour), 1, 0, excused)
	if got := outcomes(h); got != "nn-fuodo" {
		t.Errorf("outcomes %q", got)
	}
	var times []string
	for at := range h.LastVisits() {
		times = append(times, at.Format("15:04"))
	}
	if !slices.Equal(times, []string{"12:00", "13:00", "14:00", "15:00", "16:00", "17:00", "18:00", "19:00"}) {
		t.Error(times)
	}
	if h.Polls != 5 || h.Bytes != 8000 || h.Took != 8*time.Second {
		t.Errorf("%d polls, %d bytes, %v", h.Polls, h.Bytes, h.Took)
	}
	if days := h.LastDays(at); days[29] != 4 || days[27] != 3 {
		t.Error(days)
	}
	if days := h.LastDays(at.AddDate(0, 0, 3)); days[26] != 4 || days[24] != 3 || days[29] != 0 {
		t.Error(days)
	}
	if days := h.LastDays(at.AddDate(0, 1, 0)); days != [HistoryDays]int{} {
		t.Error(days)
	}
	for i := range 3 * HistoryVisits {
		h = w.visit(at.AddDate(0, 0, 1+i), 1, 0, nil)
	}
	if got := outcomes(h); got != strings.Repeat("n", HistoryVisits) {
		t.Error(got)
	}
	if days := h.LastDays(at.AddDate(0, 0, 3*HistoryVisits)); slices.ContainsFunc(days[:], func(n int) bool { return n != 1 }) {
		t.Error(days)
	}
	b, err := json.Marshal(h)
	if err != nil || len(b) > 600 {
		t.Errorf("%d bytes: %v", len(b), err)
	}
	var again History
	if err := json.Unmarshal(b, &again); err != nil || outcomes(&again) != outcomes(h) {
		t.Error(err)
	}
}

func TestBreakdowns(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	w := feedAtWork{next: 1}
	hour := 0
	visit := func(change func(*FeedState)) []Breakdown {
		hour++
		return w.visit(at.Add(time.Duration(hour)*time.Hour), 0, 0, change).Breakdowns
	}
	ended := func(f *FeedState) {
		failed(f)
		f.Gone, f.Err = true, strings.Repeat("é", 300)
	}
	visit(nil)
	visit(failed)
	visit(lost)
	if b := visit(nil); b != nil {
		t.Errorf("two failures: %+v", b)
	}
	visit(failed)
	visit(excused) // neither ends it nor counts
	visit(lost)
	b := visit(failed)
	if len(b) != 1 || b[0] != (Breakdown{Since: at.Add(5 * time.Hour), Known: at.Add(8 * time.Hour), Err: "503 Service Unavailable"}) {
		t.Errorf("three failures: %+v", b)
	}
	visit(failed)
	visit(excused)
	if b = visit(nil); len(b) != 1 || !b[0].Until.Equal(at.Add(11*time.Hour)) {
		t.Errorf("it works again: %+v", b)
	}
	if b = visit(ended); len(b) != 2 || !b[1].Gone || len(b[1].Err) > breakdownText+len("…") || !b[1].Known.Equal(b[1].Since) {
		t.Errorf("the outlet ended it: %+v", b)
	}
	for range 5 {
		visit(nil)
		b = visit(ended)
	}
	if len(b) != breakdowns || !b[breakdowns-1].Until.IsZero() || b[0].Until.IsZero() {
		t.Errorf("%+v", b)
	}
}

func TestSilence(t *testing.T) {
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) // a Monday
	const day = 24 * time.Hour
	quiet := func(w *feedAtWork, from, to time.Duration) (since time.Duration) {
		for d := from; d <= to; d += time.Hour {
			w.visit(at.Add(d), 0, 0, nil)
			if !w.state.SilentSince().IsZero() {
				return d
			}
		}
		return 0
	}
	// Ten items each working day of two weeks, nothing at the weekends.
	w := &feedAtWork{next: 1}
	for d := range 12 {
		if d%7 < 5 {
			for h := range 10 {
				w.visit(at.Add(time.Duration(d)*day+time.Duration(h)*time.Hour), 1, 0, nil)
			}
		}
	}
	last := 11*day + 9*time.Hour
	if since := quiet(w, last+time.Hour, 30*day) - last; since < 5*day || since > 6*day {
		t.Errorf("after weekends of 63 hours: silent after %v", since)
	}
	if !w.state.SilentSince().Equal(at.Add(last)) {
		t.Errorf("since %v", w.state.SilentSince())
	}
	// The document shows a rhythm before anything was seen to come.
	w = &feedAtWork{next: 1}
	w.visit(at, 20, time.Minute, func(f *FeedState) { f.Pace = Pace{Gap: day, Longest: 10 * day, Newest: at.Add(-time.Minute)} })
	if since := quiet(w, time.Hour, 40*day); since < 20*day || since > 21*day {
		t.Errorf("pauses of ten days: silent after %v", since)
	}
	// It was silent already when it was listed.
	w = &feedAtWork{next: 1}
	w.visit(at, 20, 400*day, func(f *FeedState) { f.Pace = Pace{Gap: day, Longest: day, Newest: at.Add(-400 * day)} })
	if since := w.state.SilentSince(); !since.Equal(at.Add(-400 * day)) {
		t.Errorf("silent since %v", since)
	}
	// Nothing is known of its rhythm.
	w = &feedAtWork{next: 1}
	w.visit(at, 1, 0, nil)
	if since := quiet(w, time.Hour, 40*day); since != 30*day+time.Hour {
		t.Errorf("one item: silent after %v", since)
	}
	// What fails is not silent.
	w.visit(at.Add(50*day), 0, 0, failed)
	if !w.state.SilentSince().IsZero() {
		t.Error("failing and silent")
	}
}
