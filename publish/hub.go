package publish

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"broadsheet/store"
)

// Bounds of the hub.
const (
	maxSubscriptions = 20_000
	hostShare        = 2000 // subscriptions with callbacks on one host
	maxVerifications = 256  // under way or waiting
	verifyWait       = time.Minute
)

// HubOptions are what a Hub or Pings work with.
type HubOptions struct {
	BaseURL string // of the documents
	Notes   store.Notes
	// Do makes a request to an address that others may have chosen; it must refuse those that are none of the public's, and
	// follow no redirect.
	Do   func(*http.Request) (*http.Response, error)
	Host func(address string) string // that politeness counts by
	Gap  time.Duration               // between two verifications at one host
	Log  *slog.Logger
}

// A Hub is a WebSub hub (W3C Recommendation, 23 January 2018) for the feeds of one publication, and for nothing else: it
// fetches nothing, it sends what Announce says is served. Whoever subscribes must confirm it, for at most maxLease.
type Hub struct {
	*courier
	o HubOptions

	mu    sync.Mutex           // guards what follows
	waits int                  // verifications under way
	free  map[string]time.Time // by host: when the next verification may begin

	verifying sync.WaitGroup
	life      context.Context // of verifications; ends with Run
	end       context.CancelFunc
}

// NewHub makes a hub. It answers at HubPath and does nothing else until Run.
func NewHub(o HubOptions) *Hub {
	o.BaseURL = strings.TrimRight(o.BaseURL, "/")
	h := &Hub{courier: newCourier("hub", o.Notes, o.Host, o.Log), o: o, free: map[string]time.Time{}}
	h.life, h.end = context.WithCancel(context.Background())
	h.topic = func(d *Document) string { return o.BaseURL + "/" + d.Path }
	h.tell = h.deliver
	return h
}

// HubPath is where a Hub listens, below the base URL.
const HubPath = "/hub"

// Run delivers until ctx ends.
func (h *Hub) Run(ctx context.Context) error {
	defer func() {
		h.mu.Lock()
		h.end() // from here on nothing is verified that Wait would not see
		h.mu.Unlock()
		h.verifying.Wait()
	}()
	return h.run(ctx, false)
}

// deliver sends a document to a subscriber (§7); without one it says that there will be none any more (§5.2).
func (h *Hub) deliver(ctx context.Context, n *notice, d *Document) error {
	if d == nil {
		req, err := callbackRequest(ctx, n.Callback, url.Values{"hub.mode": {"denied"}, "hub.topic": {n.Topic}, "hub.reason": {"This is not published here any more."}})
		if err == nil && h.o.send(req) != nil {
			h.log.Info("hub: a subscriber could not be told that its topic is gone", "topic", n.Topic, "host", h.o.Host(n.Callback))
		}
		return errEnded
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.Callback, bytes.NewReader(d.Body))
	if err != nil {
		return errors.New("the callback cannot be asked for")
	}
	req.Header.Set("Content-Type", d.ContentType)
	req.Header.Set("Link", linkHeader(h.o.BaseURL+HubPath, n.Topic))
	if n.Secret != "" {
		sign := hmac.New(sha256.New, []byte(n.Secret))
		sign.Write(d.Body)
		req.Header.Set("X-Hub-Signature", fmt.Sprintf("sha256=%x", sign.Sum(nil)))
	}
	return h.o.send(req)
}

// send makes a request of which only the status of the answer matters.
func (o *HubOptions) send(req *http.Request) error {
	resp, err := o.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	io.CopyN(io.Discard, resp.Body, 4<<10) // a short body read to its end keeps the connection
	switch {
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
		return nil
	case resp.StatusCode == http.StatusGone:
		return errGone
	}
	return fmt.Errorf("the answer is %s", strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))))
}

// ServeHTTP takes requests to subscribe and unsubscribe (§5.1).
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		plainAnswer(w, http.StatusMethodNotAllowed, "This is a WebSub hub (https://www.w3.org/TR/websub/) for the feeds of "+h.o.BaseURL+"/. Subscribe with POST.")
		return
	}
	want, no := h.read(w, r)
	if no == nil && !h.begin(want) {
		no = &refusal{http.StatusServiceUnavailable, "The callback cannot be asked just now. Try again in a minute."}
	}
	if no != nil {
		if no.status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "60")
		}
		plainAnswer(w, no.status, no.text)
		return
	}
	plainAnswer(w, http.StatusAccepted, "The callback will be asked whether it wants this.")
}

// feed is the feed that a topic names, and the edition that it stands in; both may be nil.
func (h *Hub) feed(topic string) (*Document, *Edition) {
	h.courier.mu.Lock()
	e := h.edition
	h.courier.mu.Unlock()
	path, ours := strings.CutPrefix(topic, h.o.BaseURL+"/")
	if e == nil || !ours {
		return nil, e
	}
	if d := e.Document(path); d != nil && d.News != "" {
		return d, e
	}
	return nil, e
}

// full reports whether there is no room for one more subscription with this callback.
func (h *Hub) full(callback string) bool {
	h.courier.mu.Lock()
	defer h.courier.mu.Unlock()
	return h.counts.Receivers >= maxSubscriptions || h.by[h.o.Host(callback)] >= hostShare
}

// begin verifies a request beside everything else; it is false if too many wait, or the hub has ended.
func (h *Hub) begin(want wanted) bool {
	host, now := h.o.Host(want.Callback), time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, at := range h.free {
		if at.Before(now) {
			delete(h.free, name)
		}
	}
	at := now
	if free := h.free[host]; free.After(at) {
		at = free
	}
	if h.life.Err() != nil || h.waits >= maxVerifications || at.Sub(now) > verifyWait {
		return false
	}
	h.waits++
	h.free[host] = at.Add(h.o.Gap)
	h.verifying.Go(func() {
		defer func() {
			h.mu.Lock()
			h.waits--
			h.mu.Unlock()
		}()
		ctx, cancel := context.WithTimeout(h.life, time.Until(at)+tellTime)
		defer cancel()
		select {
		case <-time.After(time.Until(at)):
		case <-ctx.Done():
			return
		}
		if err := h.confirm(ctx, &want); err != nil {
			h.log.Info("hub: not confirmed", "topic", want.Topic, "host", host, "subscribe", want.subscribe, "err", err)
			return
		}
		if err := h.keep(ctx, &want); err != nil {
			h.log.Error("hub: a subscription could not be stored", "topic", want.Topic, "host", host, "err", err)
			return
		}
		h.log.Info("hub: confirmed", "topic", want.Topic, "host", host, "subscribe", want.subscribe, "lease", want.lease)
	})
	return true
}

// confirm asks a callback whether it wants what was asked for in its name (§5.3).
func (h *Hub) confirm(ctx context.Context, want *wanted) error {
	if !want.subscribe && !h.known(ctx, want.key) {
		return errors.New("there is no such subscription")
	}
	challenge := rand.Text()
	query := url.Values{"hub.mode": {"unsubscribe"}, "hub.topic": {want.Topic}, "hub.challenge": {challenge}}
	if want.subscribe {
		query.Set("hub.mode", "subscribe")
		query.Set("hub.lease_seconds", strconv.Itoa(int(want.lease/time.Second)))
	}
	req, err := callbackRequest(ctx, want.Callback, query)
	if err != nil {
		return err
	}
	resp, err := h.o.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	switch {
	case err != nil:
		return err
	case resp.StatusCode < 200 || resp.StatusCode >= 300:
		return fmt.Errorf("the callback answered %d", resp.StatusCode)
	case !hmac.Equal(body, []byte(challenge)):
		return errors.New("the callback did not answer with the challenge")
	}
	return nil
}

// callbackRequest asks a callback something, after what its query has (§5.1.1).
func callbackRequest(ctx context.Context, callback string, query url.Values) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, callback, nil)
	if err != nil {
		return nil, errors.New("the callback cannot be asked for")
	}
	req.URL.RawQuery = strings.TrimPrefix(req.URL.RawQuery+"&"+query.Encode(), "&")
	return req, nil
}

func (h *Hub) known(ctx context.Context, key string) bool {
	note, err := h.notes.Note(ctx, h.kind, key)
	return err == nil && note != nil
}

// keep notes a subscription that was confirmed, or its end. One that is renewed is owed what it was owed before.
func (h *Hub) keep(ctx context.Context, want *wanted) error {
	return h.order(ctx, want.key, func(before *notice) *notice {
		if !want.subscribe {
			return nil
		}
		after := want.notice
		if before != nil {
			after = *before
			after.Secret = want.Secret
		}
		after.Lease = time.Now().Add(want.lease).UTC()
		return &after
	})
}
