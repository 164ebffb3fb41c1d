package fetch

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"broadsheet/store"
)

// When a permanent redirect is believed (PROTOCOL F30): hotel portals and parked domains send them, too.
const (
	movePolls = 5
	moveTime  = 48 * time.Hour
	moveCheck = 7 * 24 * time.Hour // how often the configured address is asked nevertheless
)

// askAt is the address at which f is asked at a time: the one that it has moved to, if that holds, and every
// week the configured one.
func askAt(f *Feed, st *store.FeedState, at time.Time) string {
	if m := &st.Move; m.Holds && at.Sub(m.Checked) < moveCheck {
		return m.To
	}
	return f.Address
}

// track notes where permanent redirects lead. before is the state in front of this poll.
func (v poller) track(st *store.FeedState, a *answer, from string, before *store.FeedState, well bool) {
	m := &st.Move
	if from != v.feed.Address {
		return // only the configured address says where it leads
	}
	to := ""
	if a.moved != nil && v.feed.Address == v.feed.URL { // a target may repeat a secret, which must not be stored
		to = a.moved.String()
	}
	// A 304 comes from the address that the known document came from, and so does the same document.
	same := m.Same || a.status == http.StatusNotModified || st.Document == before.Document && st.Document != store.Key{} || before.Received.IsZero()
	switch {
	case before.Move.Holds && !well: // otherAddress decides
		return
	case to == "" || !well:
		if before.Move.Holds {
			v.log.Warn("a moved feed is back at its configured address", "from", before.Move.To)
		}
		*m = store.Move{}
		return
	case to != m.To:
		*m = store.Move{To: to, Since: st.LastPoll, Same: same}
	default:
		m.Same = before.Move.Same // by now its document would be compared with itself
	}
	m.Polls++
	m.Checked = st.LastPoll
	if !m.Holds && m.Same && m.Polls >= movePolls && st.LastPoll.Sub(m.Since) >= moveTime {
		m.Holds = true
		v.log.Warn("the feed has moved for good: it is asked at its new address; put that into the configuration", "to", m.To)
	}
}

// otherAddress asks a moved feed at its other address, if the one that was asked first has failed: the
// configured one at once where the new one holds no feed any more, the new one where the configured one fails.
func (v poller) otherAddress(ctx context.Context, from string, st *store.FeedState, p store.Poll, err error) (store.Poll, error) {
	if err == nil {
		return p, nil
	}
	if from == v.feed.Address {
		here, _ := v.settings.rule(from)
		if there, _ := v.settings.rule(st.Move.To); p.State.HostHold && there == here {
			return p, err // it has just asked to be left alone
		}
		to := *st
		to.Move.Checked = p.At
		return v.ask(ctx, to.Move.To, to.Validators, &to)
	}
	var wrong *wrongDocument
	if !errors.As(err, &wrong) && !slices.Contains([]int{http.StatusNotFound, http.StatusGone, http.StatusUnavailableForLegalReasons}, p.State.Status) {
		return p, err
	}
	v.log.Warn("a moved feed is not at its new address any more; the configured one is asked again", "to", st.Move.To, "err", v.feed.redact(err.Error()))
	back := *st
	back.Move = store.Move{}
	return v.ask(ctx, v.feed.Address, back.Validators, &back)
}

// alike reports whether a document is of the feed that st tells of: by its title or one of its first items.
func alike(st *store.FeedState, doc *document) bool {
	_, heads := listing(doc.Arrivals)
	return st.Title != "" && doc.Title == st.Title ||
		slices.ContainsFunc(heads, func(h uint64) bool { return slices.Contains(st.Heads, h) })
}
