package publish

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of a request to the hub.
const (
	maxHubForm   = 16 << 10 // bytes
	maxCallback  = 2048     // bytes of an address
	maxSecret    = 199      // bytes; the Recommendation wants less than 200
	defaultLease = 10 * 24 * time.Hour
	minLease     = time.Minute
	maxLease     = 30 * 24 * time.Hour
)

// wanted is a request to the hub.
type wanted struct {
	notice
	key       string // of the note
	subscribe bool
	lease     time.Duration
}

// A refusal says why the hub does not take a request.
type refusal struct {
	status int
	text   string
}

func refuse(format string, args ...any) *refusal {
	return &refusal{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// read reads a request, strictly. What the callback will answer is seen later: nothing here depends on it.
func (h *Hub) read(w http.ResponseWriter, r *http.Request) (want wanted, no *refusal) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return want, &refusal{http.StatusUnsupportedMediaType, "The request must be a form: Content-Type: application/x-www-form-urlencoded."}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxHubForm))
	if err != nil {
		return want, &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("The form does not come, or has more than %d bytes.", maxHubForm)}
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return want, refuse("The form is malformed.")
	}
	for _, name := range []string{"hub.mode", "hub.topic", "hub.callback", "hub.secret", "hub.lease_seconds"} { // others are ignored (§5.1)
		if values := form[name]; len(values) > 0 && (len(values) > 1 || !utf8.ValidString(values[0]) || strings.ContainsRune(values[0], 0)) {
			return want, refuse("%.40q must be given once, in UTF-8.", name)
		}
	}
	switch mode := form.Get("hub.mode"); mode {
	case "subscribe", "unsubscribe":
		want.subscribe = mode == "subscribe"
	case "publish":
		return want, refuse("This hub learns of changes by itself; there is nothing to publish to it.")
	default:
		return want, refuse("hub.mode must be subscribe or unsubscribe.")
	}
	want.Topic = needless.ReplaceAllStringFunc(form.Get("hub.topic"), unescape) // §5.1.1
	want.Callback, want.Secret = form.Get("hub.callback"), form.Get("hub.secret")
	sum := sha256.Sum256([]byte(want.Topic + "\n" + want.Callback))
	want.key = fmt.Sprintf("%x", sum[:16])
	if no = checkCallback(want.Callback); no != nil || !want.subscribe {
		return want, no
	}
	if len(want.Secret) > maxSecret {
		return want, refuse("hub.secret has %d bytes; it must have less than %d.", len(want.Secret), maxSecret+1)
	}
	if want.lease, no = leaseOf(form.Get("hub.lease_seconds")); no != nil {
		return want, no
	}
	switch d, e := h.feed(want.Topic); {
	case e == nil:
		return want, &refusal{http.StatusServiceUnavailable, "The first edition is being made. Try again in a minute."}
	case d == nil:
		return want, &refusal{http.StatusNotFound, "hub.topic is none of this hub's: it must be the rel=self address of one of its feeds."}
	case h.full(want.Callback) && !h.known(r.Context(), want.key):
		return want, &refusal{http.StatusServiceUnavailable, "This hub has as many subscriptions as it takes, or as it takes for one host."}
	default:
		want.Told, want.Revision = d.News, e.Revision // the subscriber has just read it
	}
	return want, nil
}

// checkCallback says what is wrong with the form of an address; where it leads is Do's to judge.
func checkCallback(address string) *refusal {
	u, err := url.Parse(address)
	switch {
	case address == "":
		return refuse("hub.callback is missing.")
	case len(address) > maxCallback:
		return refuse("hub.callback has more than %d bytes.", maxCallback)
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Contains(address, "#"):
		return refuse("hub.callback must be an http or https address, without a user and a fragment.")
	}
	return nil
}

// leaseOf is the lease that is granted to a wish.
func leaseOf(seconds string) (time.Duration, *refusal) {
	if seconds == "" || seconds == "0" { // 0 was "for ever" once; nothing is
		return defaultLease, nil
	}
	n, err := strconv.ParseUint(seconds, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, refuse("hub.lease_seconds must be a whole number.")
	}
	return max(time.Duration(min(n, uint64(maxLease/time.Second)))*time.Second, minLease), nil
}
