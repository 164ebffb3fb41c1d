package store

import (
	"encoding/binary"
	"iter"
	"time"
	"unicode/utf8"
)

// Bounds of a History, so that it stays small: it is written with every poll.
const (
	HistoryDays   = 30 // days whose items are counted
	HistoryVisits = 40 // visits that are remembered
	breakdowns    = 4  // that are remembered
	breakdownText = 200

	visitSize = 5 // bytes of a visit: its second, and its outcome
	daySize   = 2
)

// brokenAfter is how many visits in a row must go wrong before that is a breakdown: one 503 is not worth telling.
const brokenAfter = 3

// A feed is silent when it brings nothing for silentTimes its longest pause, and silentLeast at least. Of a feed that is never
// seen to bring anything twice nothing is known but silentUnknown.
const (
	silentTimes   = 2
	silentLeast   = 2 * 24 * time.Hour
	silentUnknown = 30 * 24 * time.Hour
	pauseFades    = 90 * 24 * time.Hour // within which a long pause is forgotten
)

// A History is what a feed did lately: for people who look after it, not for anything that is decided about it. It is Settle's
// to set.
type History struct {
	Visits []byte `json:"visits,omitempty"` // packed, the oldest first
	Days   []byte `json:"days,omitempty"`   // items by the day of their date, packed, the oldest first
	Last   int64  `json:"last,omitempty"`   // the last of Days, counted from 1970

	Polls int           `json:"polls,omitempty"` // visits that reached a server, ever
	Bytes int64         `json:"bytes,omitempty"` // that came with them
	Took  time.Duration `json:"took,omitempty"`  // how long they took

	First time.Time     `json:"first,omitzero"`  // when it first brought an item
	Pause time.Duration `json:"pause,omitempty"` // the longest between new items, fading

	Wrong      int         `json:"wrong,omitempty"`      // visits that went wrong since the last that did not
	WrongSince time.Time   `json:"wrong_since,omitzero"` // the first of them
	Breakdowns []Breakdown `json:"breakdowns,omitempty"` // the oldest first
}

// A Breakdown is a time in which a feed could not be had, or not whole.
type Breakdown struct {
	Since time.Time `json:"since"`          // the first visit that went wrong
	Known time.Time `json:"known"`          // the visit with which that was more than an accident
	Until time.Time `json:"until,omitzero"` // the first visit that did not go wrong any more; zero as long as there was none
	Gone  bool      `json:"gone,omitempty"` // the outlet ended the feed
	Err   string    `json:"err,omitempty"`  // of the visit at Known
}

// An Outcome is what became of a visit.
type Outcome byte

const (
	News      Outcome = 'n' // new items
	Nothing   Outcome = '-' // nothing new
	Damaged   Outcome = 'd' // a document that was cut off or broken
	Failed    Outcome = 'f' // an answer that was no feed
	Unreached Outcome = 'u' // no server was reached
	Excused   Outcome = 'o' // nor any other: our own fault
)

func (o Outcome) String() string {
	switch o {
	case News:
		return "new items"
	case Nothing:
		return "nothing new"
	case Damaged:
		return "damaged"
	case Failed:
		return "failed"
	case Unreached:
		return "not reached"
	}
	return "no network"
}

// LastVisits yields when the feed was visited lately, and what became of it, the oldest first.
func (h *History) LastVisits() iter.Seq2[time.Time, Outcome] {
	return func(yield func(time.Time, Outcome) bool) {
		for v := h.Visits; len(v) >= visitSize; v = v[visitSize:] {
			if !yield(time.Unix(int64(binary.BigEndian.Uint32(v)), 0).UTC(), Outcome(v[visitSize-1])) {
				return
			}
		}
	}
}

// LastDays are how many items each of the HistoryDays days up to that of now brought, the oldest first.
func (h *History) LastDays(now time.Time) (days [HistoryDays]int) {
	for i, shift := 0, int(dayOf(now)-h.Last); i < len(h.Days)/daySize; i++ {
		if at := i - shift + HistoryDays - len(h.Days)/daySize; at >= 0 && at < HistoryDays {
			days[at] = int(binary.BigEndian.Uint16(h.Days[i*daySize:]))
		}
	}
	return days
}

// dayOf is the day of t, counted from 1970.
func dayOf(t time.Time) int64 { return t.Unix() / 86400 }

// Begun is f as a poll found it that has set its times since: what Settle needs of the state before a poll without a document,
// whose history is still that of before. A visit that is in the history already stays the one that it was.
func (f FeedState) Begun() FeedState {
	if n := len(f.History.Visits) - visitSize; n < 0 || binary.BigEndian.Uint32(f.History.Visits[n:]) != uint32(f.visited().Unix()) {
		f.LastTry, f.LastPoll = time.Time{}, time.Time{}
	}
	return f
}

// visited is when f was last visited, whether or not a server was reached.
func (f *FeedState) visited() time.Time {
	if f.LastPoll.After(f.LastTry) {
		return f.LastPoll
	}
	return f.LastTry
}

// record adds what a poll tells to the history of its feed, as it stood before with the stored state.
func (s *settler) record() {
	f, before := &s.out.State, &s.known.State
	h := before.History
	if len(s.out.Inserts) > 0 {
		if h.First.IsZero() {
			h.First = s.at
		}
		if pause := s.at.Sub(before.LastNewItem); !before.LastNewItem.IsZero() && pause > 0 {
			left := max(0, 1-float64(pause)/float64(pauseFades))
			h.Pause = max(pause, time.Duration(left*float64(h.Pause))).Truncate(time.Second)
		}
		h.count(dayOf(s.at), s.out.Inserts)
	}
	at := f.visited()
	switch n := len(h.Visits); {
	case s.poll.Pushed: // nobody was there
	case !at.Equal(before.visited()):
		h.visit(at, f, s.poll, len(s.out.Inserts))
	case f.Outage && n > 0: // it turned out that it was not the feed's fault
		h.Visits = append(append([]byte(nil), h.Visits[:n-1]...), byte(Excused))
		if h.Wrong = max(h.Wrong-1, 0); h.Wrong == 0 {
			h.WrongSince = time.Time{}
		}
	}
	f.History = h
}

// count adds new items to the days of their dates.
func (h *History) count(today int64, items []Insert) {
	days := h.LastDays(time.Unix(today*86400, 0))
	for i := range items {
		if at := int(dayOf(items[i].Item.Date)-today) + HistoryDays - 1; at >= 0 && at < HistoryDays {
			days[at]++
		}
	}
	h.Last, h.Days = today, make([]byte, 0, HistoryDays*daySize)
	for _, n := range days {
		h.Days = binary.BigEndian.AppendUint16(h.Days, uint16(min(n, 1<<16-1)))
	}
}

// visit adds a visit.
func (h *History) visit(at time.Time, f *FeedState, p *Poll, fresh int) {
	outcome, wrong := Nothing, true
	switch {
	case f.Outage:
		outcome = Excused
	case f.LastPoll.Before(at):
		outcome = Unreached
	case f.Failures > 0:
		outcome = Failed
	case f.Damaged:
		outcome = Damaged
	default:
		wrong = false
		if fresh > 0 {
			outcome = News
		}
	}
	visits := append([]byte(nil), h.Visits[max(0, len(h.Visits)-(HistoryVisits-1)*visitSize):]...)
	h.Visits = append(binary.BigEndian.AppendUint32(visits, uint32(at.Unix())), byte(outcome))
	if outcome != Unreached && outcome != Excused {
		h.Polls++
	}
	h.Bytes += p.Bytes
	h.Took += p.Took
	switch {
	case outcome == Excused:
		return
	case wrong:
		if h.Wrong++; h.Wrong == 1 {
			h.WrongSince = at
		}
	default:
		h.Wrong, h.WrongSince = 0, time.Time{}
	}
	last := len(h.Breakdowns) - 1
	open := last >= 0 && h.Breakdowns[last].Until.IsZero()
	switch {
	case open && !wrong, open && f.Gone && !h.Breakdowns[last].Gone:
		h.Breakdowns = append([]Breakdown(nil), h.Breakdowns...)
		if wrong {
			h.Breakdowns[last].Gone = true
		} else {
			h.Breakdowns[last].Until = at
		}
	case !open && wrong && (h.Wrong >= brokenAfter || f.Gone):
		b := Breakdown{Since: h.WrongSince, Known: at, Gone: f.Gone, Err: shortened(f.Err)}
		h.Breakdowns = append(append([]Breakdown(nil), h.Breakdowns[max(0, last+2-breakdowns):]...), b)
	}
}

// shortened is a text as a Breakdown keeps it.
func shortened(s string) string {
	if len(s) <= breakdownText {
		return s
	}
	cut := breakdownText
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// SilentSince is when a feed last brought something, if it is silent for longer than its own rhythm explains: its
// visits go well, and bring nothing for twice as long as the longest pause that it ever made, as far as that is
// known. Zero if it is not silent.
func (f *FeedState) SilentSince() time.Time {
	last := f.LastNewItem
	if last.Equal(f.History.First) && !f.Pace.Newest.IsZero() && f.Pace.Newest.Before(last) {
		last = f.Pace.Newest // it was silent before it was listed
	}
	after := silentUnknown
	if pause := max(f.Pace.Longest, f.History.Pause); pause > 0 {
		after = max(silentTimes*pause, silentLeast)
	}
	if last.IsZero() || f.Failures > 0 || f.Gone || f.LastSuccess.Sub(last) <= after {
		return time.Time{}
	}
	return last
}
