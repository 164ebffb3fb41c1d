package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Bounds of a request to a hub.
const (
	hubTime      = 20 * time.Second
	hubRedirects = 3 // 307 and 308, to another hub
)

// signed reports whether a hub may be told a secret: if nobody on the way hears it (§5.1).
func (h *held) signed(hub string) bool {
	u, err := url.Parse(hub)
	return err == nil && (u.Scheme == "https" || h.feed.within(u))
}

// ask sends a hub a request to subscribe or unsubscribe (§5.1). That it accepts is all that is known then.
func (s *Subscriber) ask(ctx context.Context, f *Feed, c callback, topic string, leaving bool) error {
	form := url.Values{"hub.callback": {c.Address}, "hub.mode": {"unsubscribe"}, "hub.topic": {topic}}
	if !leaving {
		form.Set("hub.mode", "subscribe")
		form.Set("hub.lease_seconds", strconv.Itoa(int(wantedLease/time.Second)))
		if c.Secret != "" {
			form.Set("hub.secret", c.Secret)
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, hubTime, fmt.Errorf("no answer within %s", words(hubTime)))
	defer cancel()
	at, err := url.Parse(c.Hub)
	if err != nil {
		return errors.New("its address cannot be read")
	}
	for range hubRedirects + 1 {
		resp, err := s.post(ctx, f, at, form)
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return err
		}
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		resp.Body.Close()
		switch {
		case resp.StatusCode >= 200 && resp.StatusCode < 300:
			return nil
		case resp.StatusCode != http.StatusTemporaryRedirect && resp.StatusCode != http.StatusPermanentRedirect:
			return fmt.Errorf("it said %s%s", statusText(resp.StatusCode), reasonIn(resp.Header, text))
		}
		from := at
		if at, err = redirect(from, from, resp.Header.Get("Location")); err != nil {
			return err
		}
		if c.Secret != "" && from.Scheme == "https" && at.Scheme != "https" {
			return errors.New("it redirects to an address without TLS")
		}
		if wait, err := s.scheduler.turnAt(at.String()); err != nil || !pass(ctx, wait) {
			return cmp.Or(err, context.Cause(ctx))
		}
	}
	return fmt.Errorf("more than %d redirects", hubRedirects)
}

// pass lets time pass; it is false if ctx ended before.
func pass(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *Subscriber) post(ctx context.Context, f *Feed, at *url.URL, form url.Values) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, errors.New("its address cannot be asked for")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	own, err := url.Parse(f.Address)
	if err != nil {
		return nil, errors.New("the feed's address cannot be read")
	}
	client, err := s.scheduler.visitor()
	if err != nil {
		return nil, err
	}
	return client.Visit(req, f.allowedFor(at), own.Port())
}

// reasonIn is what a hub says of its refusal, if it says it in plain text.
func reasonIn(h http.Header, text []byte) string {
	if reason := oneLine(clean(string(text)), 200); strings.HasPrefix(h.Get("Content-Type"), "text/plain") && reason != "" {
		return ": " + reason
	}
	return ""
}
