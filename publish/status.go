package publish

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"
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
}

// MarshalRows writes rows as /status.json has them.
func MarshalRows(rows []Row) ([]byte, error) {
	if rows == nil {
		rows = []Row{}
	}
	b, err := json.MarshalIndent(rows, "", "  ")
	return append(b, '\n'), err
}

// Status serves /status and /status.json from the rows that it asks for at each request.
func Status(rows func(*http.Request) ([]Row, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !readOnly(w, r) {
			return
		}
		all, err := rows(r)
		if err != nil {
			plainAnswer(w, http.StatusInternalServerError, "The state of the feeds cannot be read: "+err.Error())
			return
		}
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", policyPage)
		if r.URL.Path == "/status.json" {
			body, err := MarshalRows(all)
			if err != nil {
				plainAnswer(w, http.StatusInternalServerError, err.Error())
				return
			}
			h.Set("Content-Type", "application/json")
			w.Write(body)
			return
		}
		h.Set("Content-Type", typeHTML)
		w.Write(renderPage("status.html", all))
	})
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
			stripped.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}
