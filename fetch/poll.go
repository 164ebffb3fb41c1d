package fetch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"broadsheet/store"
)

// poll visits one feed: get, decode, parse, and what it means for the feed's state. It fails only
// when ctx ends, and then nothing happened: the feed stays due.
func poll(ctx context.Context, c *Client, f *Feed, s *Settings, st store.FeedState, log *slog.Logger) (store.Poll, error) {
	st.Outlet, st.URL = f.Outlet, f.URL
	a, err := c.get(ctx, f, st.Validators)
	if ctx.Err() != nil {
		return store.Poll{}, context.Cause(ctx)
	}
	at := time.Now().UTC().Truncate(time.Microsecond)
	p := store.Poll{At: at, State: st}
	p.State.LastTry = at
	p.State.Err, p.State.Status, p.State.Damaged = "", 0, false
	p.State.RetryAfter, p.State.HostHold = time.Time{}, false
	switch {
	case errors.Is(err, errUnreached):
	case err != nil:
		p.State.LastPoll = at
		if a != nil { // its body was refused
			p.State.Status, p.State.Private = a.status, a.private
		}
	default:
		p.State.LastPoll, p.State.Private = at, a.private
		p.State.Status = a.status
		err = answered(&p, a, log)
	}
	if err != nil {
		p.Arrivals = nil
		p.State.Failures++
		p.State.Err = f.redact(err.Error())
	}
	due := Next(f, s, &p.State)
	p.State.NextPoll, p.State.Reason = due.At, due.Reason
	return p, nil
}

// answered reads what an answer means (PROTOCOL 1.4). An error counts as a failure of the feed.
func answered(p *store.Poll, a *answer, log *slog.Logger) error {
	st := &p.State
	switch a.status {
	case http.StatusOK, http.StatusNonAuthoritativeInfo:
		return received(p, a, log)
	case http.StatusNotModified:
		v := validators(a)
		if v.ETag != nil { // a 304 may bring validators up to date, but it takes none away
			st.Validators.ETag = v.ETag
		}
		if v.LastModified != nil {
			st.Validators.LastModified = v.LastModified
		}
		succeeded(st, a, p.At)
		return nil
	case http.StatusGone:
		st.Gone = true
		return errors.New("410 Gone: the outlet has ended this feed; it is not polled any more")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		st.RetryAfter = retryAfter(a.header, p.At)
		st.HostHold = a.status == http.StatusTooManyRequests && !st.RetryAfter.IsZero()
	case http.StatusUnauthorized:
		return errors.New("401 Unauthorized: the feed needs credentials; set username and password_file, or headers")
	case http.StatusForbidden:
		if a.header.Get("Cf-Mitigated") == "challenge" {
			return errors.New("403 Forbidden: the outlet's Cloudflare asks for a browser; ask the outlet to let the feed through")
		}
	case http.StatusNotFound:
		return errors.New("404 Not Found: there is no feed at this address (any more)")
	case 301, 302, 303, 307, 308:
		return fmt.Errorf("%s without a Location", statusText(a.status))
	}
	return errors.New(statusText(a.status))
}

func statusText(status int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
}

// received reads a document.
func received(p *store.Poll, a *answer, log *slog.Logger) error {
	st := &p.State
	if len(a.body) == 0 {
		return errors.New("200 with an empty body")
	}
	whole := sha256.Sum256(a.body)
	sum := store.Key(whole[:16])
	if a.truncated == nil && sum == st.Document {
		st.Validators = validators(a)
		succeeded(st, a, p.At)
		return nil
	}
	doc, err := parse(a, log.With("outlet", st.Outlet, "feed", st.URL))
	if err != nil {
		return err
	}
	if a.truncated != nil && doc.Damaged == nil {
		doc.Damaged = a.truncated
	}
	p.Arrivals = doc.Arrivals
	st.Title, st.TTL = doc.Title, doc.TTL
	if st.TTL > maxTTL*time.Minute {
		st.TTL = 0
	}
	succeeded(st, a, p.At)
	if doc.Damaged != nil {
		// Validators and hash would vouch for items that were cut off.
		st.Damaged, st.Err = true, "damaged document: "+doc.Damaged.Error()
		st.Validators, st.Document = store.Validators{}, store.Key{}
		return nil
	}
	st.Validators, st.Document, st.Err = validators(a), sum, doc.Fault
	return nil
}

// parse guards against what an outlet may trip in a parser.
func parse(a *answer, log *slog.Logger) (doc *document, err error) {
	defer func() {
		if r := recover(); r != nil {
			log.Error("panic in the parser", "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("the parser failed on this document: %v", r)
		}
	}()
	return parseDocument(a.body, a.header.Get("Content-Type"), a.address)
}

func succeeded(st *store.FeedState, a *answer, at time.Time) {
	st.LastSuccess, st.Failures = at, 0
	st.FreshUntil = freshUntil(a.header, at)
}

// validators are those that came with an answer, byte for byte (PROTOCOL F1, F2).
func validators(a *answer) store.Validators {
	v := store.Validators{For: addressHash(a.address.String())}
	if tag := a.header.Get("ETag"); tag != "" {
		v.ETag = []byte(tag)
	}
	if modified := a.header.Get("Last-Modified"); modified != "" {
		v.LastModified = []byte(modified)
	}
	return v
}

// redact takes the feed's secrets out of a text: the address as it was asked, and the password.
func (f *Feed) redact(text string) string {
	if f.Address != f.URL {
		text = strings.ReplaceAll(text, f.Address, f.URL)
	}
	secrets := []string{f.Password}
	for _, value := range f.Headers {
		secrets = append(secrets, value)
	}
	for _, s := range secrets {
		if len(s) >= 4 { // shorter ones would tear up ordinary words
			text = strings.ReplaceAll(text, s, "***")
		}
	}
	return text
}
