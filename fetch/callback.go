package fetch

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"broadsheet/store"
)

// CallbackPath is where hubs find a Subscriber, below the base URL.
const CallbackPath = "/websub/"

// Bounds of what hubs may send (PROTOCOL S18).
const (
	maxPush     = 4 << 20 // bytes of a document, as it comes and decoded
	pushReaders = 16      // documents that are being received
	pushQueue   = 16      // documents that wait to be saved
	pushSavers  = 2
	pushBurst   = 30              // pushes of one feed at once
	pushEvery   = 2 * time.Second // after that
	rereadWait  = 5 * time.Second // between two looks at the notes for an unknown callback
	retrySoon   = "30"            // seconds
	pushType    = "text/plain; charset=utf-8"
)

// A push is a document that a hub sent.
type push struct {
	feed   Feed
	hub    string
	until  time.Time
	header http.Header
	body   []byte
	came   moment
}

// ServeHTTP answers hubs: GET says what is to become of a subscription (§5.2, §5.3), POST brings a document (§7). Nothing that
// they send says what it is about: the address does, which only the hub knows.
func (s *Subscriber) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, token, _ := strings.Cut(r.URL.Path, CallbackPath)
	w.Header().Set("Content-Type", pushType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	switch r.Method {
	case http.MethodGet:
		s.confirm(w, r, token)
	case http.MethodPost:
		s.receive(w, r, token)
	default:
		w.Header().Set("Allow", "GET, POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

// find finds the subscription of a callback. One that another process has made is in the notes. It needs mu.
func (s *Subscriber) find(ctx context.Context, token string) *held {
	if h := s.tokens[token]; h != nil || time.Since(s.reread) < rereadWait {
		return h
	}
	s.reread = time.Now()
	if err := s.read(ctx); err != nil {
		s.log.Error("subscriptions cannot be read", "err", err)
	}
	return s.tokens[token]
}

// confirm answers a hub that asks whether we want what it was asked for, or says that it will not do it.
func (s *Subscriber) confirm(w http.ResponseWriter, r *http.Request, token string) {
	q := r.URL.Query()
	now := s.scheduler.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.find(r.Context(), token)
	if h == nil || q.Get("hub.topic") != h.Topic {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	pending := h.Pending.Address != "" && h.Pending.token() == token
	again := h.Active.Address != "" && h.Active.token() == token && now.wall.Sub(h.Active.Asked) < verifyWait // our first answer was lost
	next := h.subscription
	log := s.log.With("outlet", h.Outlet, "feed", h.URL, "hub", nameIn(h.Hub))
	challenge := q.Get("hub.challenge")
	switch mode := q.Get("hub.mode"); {
	case mode == "subscribe" && challenge != "" && !h.Leaving && pending:
		next.verified(leaseIn(q), now.wall)
		log.Info("subscribed", "until", next.Active.Until.Format(time.RFC3339))
	case mode == "subscribe" && challenge != "" && !h.Leaving && again:
	case mode == "unsubscribe" && challenge != "" && h.Leaving:
		log.Info("unsubscribed")
		next.Active = callback{}
	case mode == "denied":
		next.denied(h.feed.redact(oneLine(clean(q.Get("hub.reason")), 200)), now.wall)
		log.Warn("the hub denies the subscription", "err", next.Err)
		challenge = ""
	default:
		w.WriteHeader(http.StatusNotFound)
		return
	}
	// It is durable before the hub hears of it: what it has been told must hold after a crash.
	keep := &next
	if next.Leaving && next.Active.Address == "" {
		keep = nil
	}
	if next != h.subscription {
		if ok, err := s.keep(r.Context(), h, keep); err != nil || !ok {
			if err != nil {
				log.Error("a subscription could not be stored", "err", err)
			}
			w.Header().Set("Retry-After", retrySoon)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		s.dirty[h.name()] = true
		s.look()
	}
	io.WriteString(w, challenge)
}

// leaseIn is the lease that a hub gives, within bounds.
func leaseIn(q url.Values) time.Duration {
	n, err := strconv.ParseUint(q.Get("hub.lease_seconds"), 10, 64)
	if err != nil || n == 0 { // older hubs do not say
		return wantedLease
	}
	return time.Duration(min(n, uint64(maxLease/time.Second))) * time.Second
}

// receive takes in a document. It is saved later, so that the hub need not wait; without the right signature it is not, and
// the hub does not learn of that (§7.1.2).
func (s *Subscriber) receive(w http.ResponseWriter, r *http.Request, token string) {
	now := s.scheduler.now()
	s.mu.Lock()
	h := s.find(r.Context(), token)
	if h == nil || h.Leaving || h.Active.Address == "" || h.Active.token() != token || !now.wall.Before(h.Active.Until) {
		status := http.StatusGone
		if h != nil && h.Pending.Address != "" && h.Pending.token() == token {
			status = http.StatusNotFound // not before it is verified
		}
		s.mu.Unlock()
		w.WriteHeader(status)
		return
	}
	spent := h.spend(now.mono)
	p := push{feed: h.feed, hub: h.Active.Hub, until: h.Active.Until, header: r.Header, came: now}
	secret := h.Active.Secret
	s.mu.Unlock()
	later := func(status int) {
		s.refused()
		w.Header().Set("Retry-After", retrySoon)
		w.WriteHeader(status)
	}
	if !spent {
		later(http.StatusTooManyRequests)
		return
	}
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	default:
		later(http.StatusServiceUnavailable)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPush))
	if err != nil {
		s.refused()
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	if secret != "" && !signedBy(r.Header.Get("X-Hub-Signature"), secret, body) {
		s.refused()
		s.log.Warn("a push without the right signature; it is ignored", "outlet", p.feed.Outlet, "feed", p.feed.URL, "hub", nameIn(p.hub))
		w.WriteHeader(http.StatusAccepted)
		return
	}
	p.body = body
	select {
	case s.pushes <- p:
		w.WriteHeader(http.StatusAccepted)
	default:
		later(http.StatusServiceUnavailable)
	}
}

// spend takes one push of those that a feed may make. It needs mu.
func (h *held) spend(now time.Time) bool {
	h.credit = min(h.credit+float64(now.Sub(h.since))/float64(pushEvery), pushBurst)
	h.since = now
	if h.credit < 1 {
		return false
	}
	h.credit--
	return true
}

func (s *Subscriber) refused() {
	s.mu.Lock()
	s.counts.Refused++
	s.mu.Unlock()
}

// signedBy checks X-Hub-Signature, "method=hex" (§7.1).
func signedBy(signature, secret string, body []byte) bool {
	method, sum, _ := strings.Cut(strings.TrimSpace(signature), "=")
	make := map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New}[strings.ToLower(method)]
	claimed, err := hex.DecodeString(sum)
	if make == nil || err != nil {
		return false
	}
	mac := hmac.New(make, []byte(secret))
	mac.Write(body)
	return hmac.Equal(claimed, mac.Sum(nil))
}

// save reads a pushed document as if it had been polled, and saves its items.
func (s *Subscriber) save(p push) {
	log := s.log.With("outlet", p.feed.Outlet, "feed", p.feed.URL, "hub", nameIn(p.hub))
	doc, err := p.read(log)
	if err == nil {
		err = poller{feed: &p.feed, log: log}.adopt(doc)
	}
	if err == nil && doc.Damaged != nil {
		log.Warn("a push is damaged; what is whole of it is saved", "err", doc.Damaged)
	}
	if err != nil {
		s.refused()
		log.Warn("a push that cannot be read", "err", p.feed.redact(err.Error()))
		return
	}
	at := p.came.wall
	w := &saving{poll: store.Poll{At: at, Pushed: true, Arrivals: doc.Arrivals, State: store.FeedState{
		Outlet: p.feed.Outlet, URL: p.feed.URL, Push: store.Push{Hub: p.hub, Until: p.until, Last: at},
	}}}
	ctx, cancel := context.WithTimeout(context.Background(), saveGrace)
	defer cancel()
	s.scheduler.saver.commit(ctx, w)
	if w.err != nil {
		log.Error("a push could not be stored", "err", w.err)
		return
	}
	if saved := s.scheduler.o.Saved; saved != nil && w.saved.New+w.saved.Changed > 0 {
		saved()
	}
	s.mu.Lock()
	s.counts.Pushes++
	s.counts.Items += uint64(w.saved.New)
	if h := s.subs[p.feed.Name()]; h != nil {
		h.last = at
	}
	s.mu.Unlock()
	s.scheduler.noted(w.saved.State)
	log.Info("pushed", "new", w.saved.New, "changed", w.saved.Changed, "took", time.Since(p.came.mono).Round(time.Millisecond))
}

func (p *push) read(log *slog.Logger) (*document, error) {
	address, err := url.Parse(p.feed.Address)
	if err != nil {
		return nil, err
	}
	body, err := decodeBody(bytes.NewReader(p.body), strings.Join(p.header.Values("Content-Encoding"), ","), maxPush, willing)
	if err != nil {
		return nil, err
	}
	return parse(&answer{body: body, header: http.Header{"Content-Type": p.header.Values("Content-Type")}, address: address}, log)
}
