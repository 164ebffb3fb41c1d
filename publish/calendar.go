package publish

import (
	"slices"
	"time"

	"broadsheet/store"
)

// A calendar says which months the archives have, the same for all sections. A month is over when an item of a later
// one has arrived; it is gone as a whole when the first of its items is pruned.
type calendar struct {
	closed []time.Time // months that are over, oldest first
	open   time.Time   // the month of the newest arrivals; zero while there are none
	gone   time.Time   // the last month that is gone; zero if none is
}

func newCalendar(m store.Months) calendar {
	var c calendar
	if !m.Pruned.IsZero() {
		c.gone = store.Month(m.Pruned)
	}
	if n := len(m.Stored); n > 0 {
		c.open = m.Stored[n-1]
		c.closed = slices.DeleteFunc(slices.Clone(m.Stored[:n-1]), func(month time.Time) bool { return !month.After(c.gone) })
	}
	return c
}

// says reports whether a section says the same of its archives under both calendars.
func (c calendar) says(d calendar) bool { return slices.EqualFunc(c.closed, d.closed, time.Time.Equal) }

// newest is the last month that is over; zero if there is none.
func (c calendar) newest() time.Time {
	if len(c.closed) == 0 {
		return time.Time{}
	}
	return c.closed[len(c.closed)-1]
}

// A monthState is what a calendar says of a month.
type monthState int

const (
	never monthState = iota // nothing arrived in it
	past                    // it is gone
	over                    // its archive has all that will ever be in it
	open                    // it is not over
)

func (c calendar) state(month time.Time) monthState {
	switch {
	case !c.open.IsZero() && month.Equal(c.open):
		return open
	case slices.ContainsFunc(c.closed, month.Equal):
		return over
	case !c.gone.IsZero() && !month.After(c.gone):
		return past
	}
	return never
}

// around returns the months before and after one that is over; zero where the chain ends. The month before the oldest
// one may be gone: the archive still names it, since it did so before, and whoever follows learns there that the
// chain ends.
func (c calendar) around(month time.Time) (prev, next time.Time) {
	i := slices.IndexFunc(c.closed, month.Equal)
	if i > 0 {
		prev = c.closed[i-1]
	} else {
		prev = c.gone
	}
	if i+1 < len(c.closed) {
		next = c.closed[i+1]
	}
	return prev, next
}

const monthForm = "2006-01"

// archivePath is where the archive of a month is, without the ending of its format; "" for no month.
func archivePath(slug string, month time.Time) string {
	if month.IsZero() {
		return ""
	}
	return slug + "/archive/" + month.Format(monthForm)
}
