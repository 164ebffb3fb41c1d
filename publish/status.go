package publish

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path"
	"sync"
	"time"

	"broadsheet/store"
)

// A Row is the state of one feed as /status and `broadsheet outlets` tell it. Times are nil when they
// never were.
type Row struct {
	Outlet      string     `json:"outlet"`
	Feed        string     `json:"feed"` // address as configured, secrets redacted
	State       string     `json:"state"`
	Reason      string     `json:"reason"` // of the next poll
	LastPoll    *time.Time `json:"last_poll"`
	LastSuccess *time.Time `json:"last_success"`
	LastNewItem *time.Time `json:"last_new_item"`
	NextPoll    *time.Time `json:"next_poll"`
	Failures    int        `json:"failures"`
	Error       string     `json:"error"`
	Items       int        `json:"items"`

	// What only the daemon tells of it.
	Name    string        `json:"-"` // of the outlet
	Silent  *time.Time    `json:"-"` // since when, if for longer than its rhythm explains
	Damaged bool          `json:"-"` // its last document was cut off or broken
	History store.History `json:"-"`
}

// MarshalRows writes rows as `broadsheet outlets --json` has them.
func MarshalRows(rows []Row) ([]byte, error) {
	if rows == nil {
		rows = []Row{}
	}
	return marshalIndent(rows)
}

func marshalIndent(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	return append(b, '\n'), err
}

// A statusRow is a row as /status.json has it.
type statusRow struct {
	Row
	Silent      *time.Time             `json:"silent_since"`
	ItemsPerDay [store.HistoryDays]int `json:"items_per_day"` // the last is today, in UTC
	LastPolls   []statusPoll           `json:"last_polls"`    // the last is the newest
}

type statusPoll struct {
	At      time.Time `json:"at"`
	Outcome string    `json:"outcome"`
}

// status serves /status, /status.json and /status.atom.
type status struct {
	publisher *Publisher
	base      string
	rows      func(context.Context) ([]Row, error)

	mu    sync.Mutex // guards what follows; one request renders, the others wait for it
	docs  map[string]*Document
	fresh time.Time // until then docs will do
}

// Status serves /status, /status.json and /status.atom from the rows that it asks for, at base, an address without a
// trailing slash. However many ask, reading and rendering takes a fifth of the time of one core at most.
func (p *Publisher) Status(base string, rows func(context.Context) ([]Row, error)) http.Handler {
	return &status{publisher: p, base: base, rows: rows}
}

func (s *status) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !readOnly(w, r) {
		return
	}
	d, err := s.document(r)
	switch {
	case err != nil:
		if r.Context().Err() == nil {
			s.publisher.log.Error("the state of the feeds cannot be read", "err", err) // which names the database, and is not for everybody
		}
		plainAnswer(w, http.StatusInternalServerError, "The state of the feeds cannot be read just now; the log says why.")
	case d == nil:
		plainAnswer(w, http.StatusNotFound, "There is no such page.")
	default:
		d.serve(w, r)
	}
}

func (s *status) document(r *http.Request) (*Document, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if began := time.Now(); began.After(s.fresh) {
		rows, err := s.rows(r.Context())
		if err != nil {
			return nil, err
		}
		s.docs = map[string]*Document{}
		asJSON, err := statusJSON(rows, began)
		if err != nil {
			return nil, err
		}
		for _, d := range []*Document{
			newDocument("status.json", "application/json", asJSON, time.Time{}, 0),
			newDocument("status", typeHTML, s.publisher.statusPage(rows, began), time.Time{}, 0),
			s.publisher.outages(s.base, rows),
		} {
			d.Private = true // no business of search engines, nor of other sites' scripts
			s.docs["/"+d.Path] = d
		}
		s.fresh = time.Now().Add(4 * time.Since(began))
	}
	return s.docs[r.URL.Path], nil
}

func statusJSON(rows []Row, now time.Time) ([]byte, error) {
	all := make([]statusRow, len(rows))
	for i, r := range rows {
		all[i] = statusRow{Row: r, Silent: r.Silent, ItemsPerDay: r.History.LastDays(now), LastPolls: []statusPoll{}}
		for at, outcome := range r.History.LastVisits() {
			all[i].LastPolls = append(all[i].LastPolls, statusPoll{at, outcome.String()})
		}
	}
	return marshalIndent(all)
}

// Degraded says what is wrong around a daemon that still does its work: nothing is gained by sending its
// readers away.
type Degraded struct{ Err error }

func (d Degraded) Error() string { return "degraded: " + d.Err.Error() }
func (d Degraded) Unwrap() error { return d.Err }

// Health answers 200 as long as check finds nothing wrong or a Degraded, else 503, and what it is.
func Health(check func(*http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !readOnly(w, r) {
			return
		}
		var degraded Degraded
		if err := check(r); errors.As(err, &degraded) {
			plainAnswer(w, http.StatusOK, degraded.Error())
			return
		} else if err != nil {
			plainAnswer(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		plainAnswer(w, http.StatusOK, "ok")
	})
}

// ReadOnly refuses to h what does not read.
func ReadOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if readOnly(w, r) {
			h.ServeHTTP(w, r)
		}
	})
}

func readOnly(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	plainAnswer(w, http.StatusMethodNotAllowed, "This can be read only: GET, HEAD.")
	return false
}

// Under serves h under the path of baseURL, and without it as well, so that handlers see the same
// paths whether or not a proxy in front takes the path away.
func Under(baseURL string, h http.Handler) http.Handler {
	base := basePath(baseURL)
	if base == "" {
		return h
	}
	stripped := http.StripPrefix(base, h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.Path; len(p) > len(base) && p[:len(base)] == base && p[len(base)] == '/' {
			if c := path.Clean(p); c != p && c+"/" != p { // a ServeMux beneath would lead to an address without base
				redirect(w, r, c)
				return
			}
			stripped.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}
