package fetch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"broadsheet/store"
)

// A poller visits one feed, once.
type poller struct {
	get      getter
	recall   func() []byte    // what was remembered of the feed's last document
	clock    func() time.Time // the store's, by which times are stored
	feed     *Feed
	settings *Settings
	log      *slog.Logger
}

// poll visits one feed: get, decode, parse, and what it means for the feed's state. It fails only
// when ctx ends, and then nothing happened: the feed stays due. lost says that no server was reached for want of a
// name or a connection.
func poll(ctx context.Context, get getter, known recaller, f *Feed, s *Settings, st store.FeedState, log *slog.Logger) (p store.Poll, lost bool, err error) {
	st.Outlet, st.URL = f.Outlet, f.URL
	began, bytes := time.Now(), int64(0)
	counted := func(ctx context.Context, f *Feed, from string, known store.Validators) (*answer, error) {
		a, err := get(ctx, f, from, known)
		if a != nil {
			bytes += a.bytes
		}
		return a, err
	}
	log = log.With("outlet", f.Outlet, "feed", f.URL)
	recall := func() []byte {
		b, err := known.Recollection(ctx, f.Name())
		if err != nil && ctx.Err() == nil {
			log.Warn("what was remembered of the feed cannot be read; all of its document is", "err", err)
		}
		return b
	}
	v := poller{counted, recall, known.Now, f, s, log}
	from := askAt(f, &st, v.clock())
	p, err = v.ask(ctx, from, st.Validators, &st)
	if ctx.Err() == nil && st.Move.Holds {
		p, err = v.otherAddress(ctx, from, &st, p, err)
	}
	if ctx.Err() == nil && err == nil && overdue(&st, &p) {
		p, err = v.doubt(ctx, from, p)
	}
	if ctx.Err() != nil {
		return store.Poll{}, false, context.Cause(ctx)
	}
	var never *unreached
	lost = errors.As(err, &never) && !never.refused
	v.fail(&p, err)
	due := Next(f, s, &p.State)
	p.State.NextPoll, p.State.Reason = due.At, due.Reason
	p.Bytes, p.Took = bytes, time.Since(began)
	return p, lost, nil
}

// ask makes one request and reads the answer. A feed with failures has them counted by fail.
func (v poller) ask(ctx context.Context, from string, known store.Validators, st *store.FeedState) (store.Poll, error) {
	if st.Unsound {
		known = store.Validators{}
	}
	a, err := v.get(ctx, v.feed, from, known)
	at := v.clock()
	p := store.Poll{At: at, State: *st, Owner: v.feed.Owner}
	p.State.LastTry = at
	p.State.Err, p.State.Status, p.State.Damaged, p.State.Missing, p.State.Outage = "", 0, false, false, false
	p.State.RetryAfter, p.State.HostHold = time.Time{}, false
	var never *unreached
	switch {
	case errors.As(err, &never):
		p.State.Missing = never.missing
		if never.private {
			p.State.Private = true
		}
	case err != nil:
		p.State.LastPoll = at
		if a != nil { // its body was refused
			p.State.Status, p.State.Private = a.status, a.private
		}
	default:
		p.State.LastPoll, p.State.Private = at, a.private
		p.State.Status = a.status
		if err = v.answered(&p, a); err == nil || from == v.feed.Address {
			v.track(&p.State, a, from, st, err == nil)
		}
	}
	return p, err
}

// fail counts a failure.
func (v poller) fail(p *store.Poll, err error) {
	if err == nil {
		return
	}
	p.Arrivals, p.Whole, p.Recollection = nil, nil, nil
	p.State.Failures++
	if p.State.Failures == 1 || p.State.FailingSince.IsZero() {
		p.State.FailingSince = p.At
	}
	p.State.Err = v.feed.redact(err.Error())
}

// answered reads what an answer means (PROTOCOL 1.4). An error counts as a failure of the feed.
func (v poller) answered(p *store.Poll, a *answer) error {
	st := &p.State
	if a.status >= 300 && a.status != http.StatusNotModified {
		st.RetryAfter = retryAfter(a.header, p.At)
	}
	for _, h := range a.hops {
		st.RetryAfter = later(st.RetryAfter, retryAfter(h, p.At))
	}
	switch a.status {
	case http.StatusOK, http.StatusNonAuthoritativeInfo:
		err := v.received(p, a)
		if err != nil && a.truncated == nil {
			err = &wrongDocument{err}
		}
		return err
	case http.StatusNotModified:
		if !a.conditional {
			st.Validators = store.Validators{}
			return errors.New("304 Not Modified to a request without validators: nothing can be known of this feed")
		}
		fresh := validators(a)
		if fresh.ETag != nil { // a 304 may bring validators up to date, but it takes none away
			st.Validators.ETag = fresh.ETag
		}
		if fresh.LastModified != nil {
			st.Validators.LastModified = fresh.LastModified
		}
		lasted := st.FreshUntil.Sub(st.LastSuccess)
		succeeded(st, a, p.At)
		if lasted > 0 && a.header.Get("Cache-Control") == "" && a.header.Get("Expires") == "" {
			st.FreshUntil = p.At.Add(lasted) // what the document came with is in force again (RFC 9111 §4.3.4)
		}
		return nil
	case http.StatusGone, http.StatusUnavailableForLegalReasons:
		st.Gone = true
		ended := statusText(a.status) + ": the outlet has ended this feed; it is not polled any more, until outlets --revive"
		if a.status == http.StatusUnavailableForLegalReasons {
			ended += fmt.Sprintf("; what it brought stays published unless publish.withdraw names it, or all of the outlet's: withdraw = [%q]", st.Outlet)
		}
		return errors.New(ended)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable: // what the whole host says (PROTOCOL F12)
		st.HostHold = !st.RetryAfter.IsZero()
	case http.StatusUnauthorized:
		return errors.New("401 Unauthorized: the feed needs credentials; set username and password_file, or headers")
	case http.StatusForbidden:
		if a.header.Get("Cf-Mitigated") == "challenge" {
			return errors.New("403 Forbidden: the outlet's Cloudflare asks for a browser; ask the outlet to let the feed through")
		}
	case http.StatusNotFound:
		st.Missing = true
		return errors.New("404 Not Found: there is no feed at this address (any more)")
	case 301, 302, 303, 307, 308:
		return fmt.Errorf("%s without a Location", statusText(a.status))
	case http.StatusRequestTimeout, http.StatusTooEarly: // passing, as 5xx are
	default:
		st.Missing = a.status >= 400 && a.status < 500 && st.RetryAfter.IsZero()
	}
	return errors.New(statusText(a.status))
}

// A wrongDocument is one that came whole and is no feed.
type wrongDocument struct{ error }

func (w *wrongDocument) Unwrap() error { return w.error }

func statusText(status int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
}

// listAgain is how old the last reading of a document that stays the same may grow: the store forgets the names of pruned items
// that it has not been told of for long.
const listAgain = store.TombstoneAge / 4

// received reads a document.
func (v poller) received(p *store.Poll, a *answer) error {
	st := &p.State
	if len(a.body) == 0 && a.truncated == nil {
		return errors.New("200 with an empty body")
	}
	hash := sha256.Sum256(a.body)
	sum := store.Key(hash[:16])
	if a.truncated == nil && sum == st.Document && p.At.Sub(st.Listed) < listAgain {
		st.Validators, st.Received = validators(a), p.At
		succeeded(st, a, p.At)
		return nil
	}
	var doc reading
	before := v.recall()
	if err := guarded(v.log, func() (err error) {
		doc, err = recallDocument(a, v.settings.UserAgent, before, v.log)
		return err
	}); err != nil && a.truncated != nil {
		return fmt.Errorf("the document was cut off before anything of it could be read: %w", a.truncated)
	} else if err != nil {
		return err
	}
	if a.truncated != nil && doc.Damaged == nil {
		doc.Damaged = a.truncated
	}
	if err := v.adopt(doc.document); err != nil {
		return err
	}
	p.Arrivals = doc.Arrivals
	if doc.whole != nil {
		p.Whole = func() []store.Arrival {
			all := *doc.document
			all.Arrivals = doc.whole()
			if v.adopt(&all) != nil { // those that the feed has adopted already are left
				return slices.DeleteFunc(slices.Clone(doc.Arrivals), func(a store.Arrival) bool { return a.Recalled })
			}
			return all.Arrivals
		}
	}
	st.Move.Same = alike(st, doc.document)
	st.Hubs, st.Topic = pushLinks(a, doc.document)
	if all := strings.Join(append(st.Hubs, st.Topic), " "); v.feed.redact(all) != all {
		st.Hubs, st.Topic = nil, "" // a hub is not told our secrets, and the store neither
	}
	st.Title, st.TTL, st.Pace = doc.Title, doc.TTL, doc.Pace
	if st.TTL > maxTTL*time.Minute {
		st.TTL = 0
	}
	measure(&st.Pace, doc.Arrivals, p.At)
	st.Listing, st.Heads = listing(doc.Arrivals)
	succeeded(st, a, p.At)
	if doc.Damaged != nil {
		// Validators and hash would vouch for items that were cut off.
		st.Damaged, st.Err = true, "damaged document: "+doc.Damaged.Error()
		st.Validators, st.Document = store.Validators{}, store.Key{}
		return nil
	}
	st.Validators, st.Document, st.Received, st.Listed, st.Err = validators(a), sum, p.At, p.At, doc.Fault
	p.Recollection = doc.remembered
	return nil
}

// adopt makes a document one of this feed, as it is configured.
func (v poller) adopt(doc *document) error {
	return guarded(v.log, func() error {
		v.hide(doc)
		for i := range doc.Arrivals {
			a := &doc.Arrivals[i]
			a.Body.Secret = v.feed.Secret
			if !a.Recalled {
				settleLanguage(&a.Item, v.feed.Language)
			}
		}
		return nil
	})
}

// hide takes the feed's secrets out of what it says of itself: some feeds give the address that they were asked at as
// their id.
func (v poller) hide(doc *document) {
	if len(v.feed.Secrets) == 0 {
		return
	}
	for _, s := range []*string{&doc.ID, &doc.Title, &doc.Subtitle, &doc.Link, &doc.Image, &doc.Rights} {
		*s = v.feed.redact(*s)
	}
	own := doc.Origin
	own.Feed = ""
	for i := range doc.Arrivals {
		doc.Arrivals[i].Body.Feed = own
	}
}

// parse reads a document that has no predecessor.
func parse(a *answer, log *slog.Logger) (doc *document, err error) {
	err = guarded(log, func() (err error) {
		doc, err = parseDocument(a.body, a.header.Get("Content-Type"), a.address)
		return err
	})
	return doc, err
}

// guarded parses, and survives what an outlet may trip in a parser.
func guarded(log *slog.Logger, parse func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			log.Error("panic in the parser", "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("the parser failed on this document: %v", r)
		}
	}()
	return parse()
}

func succeeded(st *store.FeedState, a *answer, at time.Time) {
	st.LastSuccess, st.Failures, st.FailingSince = at, 0, time.Time{}
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

// redact takes the feed's secrets out of a text: the address as it was asked, and the secrets as they are, as addresses write
// them, and in any case.
func (f *Feed) redact(text string) string {
	if f.Address != f.URL {
		text = strings.ReplaceAll(text, f.Address, f.URL)
	}
	var forms []string
	for _, secret := range f.Secrets {
		plain, _ := url.QueryUnescape(secret)
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), plain} {
			if len(form) >= 4 { // shorter ones would tear up ordinary words
				forms = append(forms, regexp.QuoteMeta(form))
			}
		}
	}
	if forms == nil {
		return text
	}
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	return regexp.MustCompile("(?i)"+strings.Join(forms, "|")).ReplaceAllLiteralString(text, "***")
}
