package fetch

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unicode/utf8"

	"broadsheet/store"
)

// What a server gets to see and how long it may take (PROTOCOL F41, F42, F47).
const (
	accept         = "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, text/xml;q=0.8, */*;q=0.1"
	acceptEncoding = "gzip, br, zstd"

	dialTimeout   = 10 * time.Second
	tlsTimeout    = 10 * time.Second
	headerTimeout = 20 * time.Second
	maxHeader     = 256 << 10
	maxRedirects  = 5
)

// A Client asks outlets for feeds. It is the only one in the program that makes connections to
// foreign addresses: one transport a policy, each behind the guard. Use NewClient.
type Client struct {
	userAgent string
	timeout   time.Duration
	maxBytes  int64
	proxy     *url.URL          // nil is none
	resolver  *net.Resolver     // nil is the machine's
	override  http.RoundTripper // tests with fake time have no sockets

	mu         sync.Mutex
	transports map[string]http.RoundTripper // by policy.key
}

// NewClient makes a client. Tests give it a RoundTripper to answer in place of the network; else it
// is nil.
func NewClient(s Settings, override http.RoundTripper) *Client {
	return &Client{userAgent: s.UserAgent, timeout: s.Timeout, maxBytes: s.MaxBytes, proxy: s.Proxy, override: override, transports: map[string]http.RoundTripper{}}
}

// Close closes the connections that are kept alive.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.transports {
		if t, ok := t.(*http.Transport); ok {
			t.CloseIdleConnections()
		}
	}
}

// transport returns the transport of a policy. Environment proxies are never used: they would make
// the connection that the guard must see. With a configured one, ask lets the guard see the addresses
// first; the connection to the proxy itself is the operator's own affair.
func (c *Client) transport(p policy) http.RoundTripper {
	if c.override != nil {
		return c.override
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.transports[p.key()]
	if !ok {
		dialer, proxy := &net.Dialer{Timeout: dialTimeout, Resolver: c.resolver}, http.ProxyURL(c.proxy)
		if c.proxy == nil {
			dialer.Control, proxy = p.control, nil
		}
		t = &http.Transport{
			Proxy:                  proxy,
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: p.insecure},
			TLSHandshakeTimeout:    tlsTimeout,
			ResponseHeaderTimeout:  headerTimeout,
			MaxResponseHeaderBytes: maxHeader,
			DisableCompression:     true, // decodeBody knows more codings, and bounds them
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           256,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        30 * time.Second,
			ReadBufferSize:         16 << 10,
		}
		c.transports[p.key()] = t
	}
	return t
}

// An answer is the last response of a chain of redirects. body is decoded; it is only read of a 200
// or 203.
type answer struct {
	status    int
	header    http.Header
	body      []byte
	bytes     int64         // of the body, as they came
	truncated error         // the body ended early; what came is in body
	address   *url.URL      // that answered
	moved     *url.URL      // where the permanent redirects before the first other one led; nil if there were none
	private   bool          // at an address that is not public
	hops      []http.Header // of the redirects before it

	conditional bool // validators were sent
}

// unreached marks attempts that never got a connection to a server: they are no polls.
type unreached struct {
	error
	private bool // what was tried is not public, and permitted
	refused bool // by our own guard
	missing bool // there is no such name, or nobody listens there
}

func (u *unreached) Error() string { return "no server reached: " + u.error.Error() }
func (u *unreached) Unwrap() error { return u.error }

func newUnreached(err error, met *meeting) *unreached {
	var guard *guardError
	var dns *net.DNSError
	u := &unreached{error: err, refused: errors.As(err, &guard)}
	u.private = met.private.Load() && !u.refused
	if errors.As(err, &dns) { // whose cause may be a name server that refuses us
		u.missing = dns.IsNotFound
	} else {
		u.missing = errors.Is(err, syscall.ECONNREFUSED)
	}
	return u
}

// get asks for a feed at from, the configured address or the one that it has moved to, following redirects by
// hand: validators go only to the address that gave them, credentials only to the configured origin, and no
// hop learns where we come from. What the guide keeps waiting costs none of the time that a poll has.
func (c *Client) get(ctx context.Context, f *Feed, from string, v store.Validators, way guide) (*answer, error) {
	polling := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := stopwatch{left: c.timeout, since: time.Now(), timer: time.AfterFunc(c.timeout, func() {
		cancel(fmt.Errorf("no complete answer within %s: raise fetch.timeout if the outlet is that slow", c.timeout))
	})}
	defer limit.timer.Stop()
	first, err := url.Parse(f.Address)
	if err != nil {
		return nil, errors.New("the address cannot be read") // url.Error would show its secrets
	}
	at, err := url.Parse(from)
	if err != nil {
		return nil, errors.New("the address that the feed has moved to cannot be read")
	}
	var moved *url.URL
	var hops []http.Header
	lasting := true // all hops so far were permanent
	seen := map[string]bool{}
	for hop := 0; ; hop++ {
		if seen[at.String()] {
			return nil, errors.New("redirects go round in a circle")
		}
		seen[at.String()] = true
		limit.pause()
		if err := way.visit(polling, at.String()); err != nil {
			return nil, err
		}
		limit.goOn()
		var met meeting
		resp, err := c.ask(ctx, f, v, first, at, &met)
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			err = inWords(err)
			if hop == 0 && !met.reached.Load() {
				err = newUnreached(err, &met)
			}
			return nil, err
		}
		location := resp.Header.Get("Location")
		if !slices.Contains([]int{301, 302, 303, 307, 308}, resp.StatusCode) || location == "" {
			a, err := c.read(ctx, resp, at, met.private.Load(), func() error {
				limit.pause()
				defer limit.goOn()
				return way.long(polling)
			})
			if err == nil && len(a.body) > longDocument { // it is there: the limit ends nothing any more
				err = way.whole(polling)
			}
			if a != nil {
				a.conditional, a.hops = vouched(v, at), hops
				if hop > 0 && (!lasting || !met.private.Load()) {
					a.moved = moved
				}
			}
			return a, err
		}
		io.CopyN(io.Discard, resp.Body, 4<<10) // a short body read to its end keeps the connection
		resp.Body.Close()
		if hop == maxRedirects {
			return nil, fmt.Errorf("more than %d redirects", maxRedirects)
		}
		hops = append(hops, resp.Header)
		before := at
		if at, err = redirect(first, at, location); err != nil {
			return nil, err
		}
		lasting = lasting && (resp.StatusCode == http.StatusMovedPermanently || resp.StatusCode == http.StatusPermanentRedirect)
		switch {
		case met.private.Load(), before.Scheme == "https" && at.Scheme != "https": // a move leads neither into a private network nor out of TLS
			lasting, moved = false, nil
		case lasting:
			moved = at
		}
	}
}

// A guide leads a poll, and may keep it waiting: before an address is asked, before more than longDocument of what it answers is
// kept, and before that is parsed.
type guide interface {
	visit(ctx context.Context, address string) error
	long(ctx context.Context) error
	whole(ctx context.Context) error
}

// A stopwatch is how long something may take; what it waits for does not count.
type stopwatch struct {
	timer *time.Timer
	left  time.Duration // when it last went on
	since time.Time     // when that was
}

func (w *stopwatch) pause() {
	w.timer.Stop()
	w.left -= time.Since(w.since)
}

func (w *stopwatch) goOn() {
	w.since = time.Now()
	w.timer.Reset(w.left)
}

// inWords says which of our limits an error of net/http is about; it has no values to tell them by.
func inWords(err error) error {
	switch text := err.Error(); {
	case strings.Contains(text, "timeout awaiting response headers"):
		return fmt.Errorf("no answer within %s of the request (a fixed limit): %w", headerTimeout, err)
	case strings.Contains(text, "server response headers exceeded"):
		return fmt.Errorf("the header of the answer is longer than %d bytes (a fixed limit): %w", maxHeader, err)
	}
	return err
}

// A meeting is what was seen of a server besides its answer. A dial may still go on in the background when the
// request has got a connection that became free; its hooks are called there.
type meeting struct {
	reached atomic.Bool // there was a connection
	private atomic.Bool // the one that served, or could not be made, is to an address that is not public
}

func (m *meeting) trace(proxied bool) *httptrace.ClientTrace {
	if proxied { // what is connected to is the proxy; a tunnel that it refuses is no meeting
		return &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { m.reached.Store(true) }}
	}
	note := func(address string) {
		if a, err := netip.ParseAddrPort(address); err == nil {
			m.private.Store(!isPublic(a.Addr()))
		}
	}
	return &httptrace.ClientTrace{
		ConnectDone: func(_, address string, err error) {
			if err == nil {
				m.reached.Store(true)
			} else if !m.reached.Load() {
				note(address)
			}
		},
		GotConn: func(i httptrace.GotConnInfo) {
			m.reached.Store(true)
			note(i.Conn.RemoteAddr().String())
		},
	}
}

// maxName is how many letters the name of a host has (RFC 1035 §2.3.4). Hosts are claimed by their names, many at once: one that is longer than
// what a store takes would cost all the others their claims.
const maxName = 253

// redirect resolves a Location and checks that a foreign server may send us there.
func redirect(first, from *url.URL, location string) (*url.URL, error) {
	to, err := from.Parse(location)
	if err == nil && to.Scheme != "http" && to.Scheme != "https" {
		return nil, fmt.Errorf("a redirect to %q, which is neither http nor https", to.Scheme)
	}
	if err != nil || to.Host == "" || utf8.RuneCountInString(to.Hostname()) > maxName {
		return nil, fmt.Errorf("a redirect to %.200q, which is no address", location)
	}
	to.Fragment, to.RawFragment, to.User = "", "", nil
	if port := to.Port(); port != "" && port != "80" && port != "443" && port != first.Port() {
		return nil, fmt.Errorf("a redirect to port %s; only 80, 443 and the configured one are followed", port)
	}
	return to, nil
}

// ask makes one request of the chain.
func (c *Client) ask(ctx context.Context, f *Feed, v store.Validators, first, at *url.URL, met *meeting) (*http.Response, error) {
	// allow_private is for the configured host alone: an outlet in the own network must not be able
	// to send us to another machine in it.
	var p policy
	if at.Hostname() == first.Hostname() {
		p = policy{allow: f.AllowPrivate, insecure: f.InsecureTLS}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, errors.New("the address cannot be asked for")
	}
	h := req.Header
	h.Set("Accept", accept)
	h.Set("Accept-Encoding", acceptEncoding)
	if at.Scheme == first.Scheme && at.Host == first.Host {
		for name, value := range f.Headers {
			h.Set(name, value)
		}
		if f.Username != "" || f.Password != "" {
			req.SetBasicAuth(f.Username, f.Password)
		}
	}
	h.Set("User-Agent", fmt.Sprintf("%s; feed-id=%.8s)", strings.TrimSuffix(c.userAgent, ")"), addressHash(f.URL)))
	if vouched(v, at) {
		if len(v.ETag) > 0 {
			h["If-None-Match"] = []string{string(v.ETag)}
		}
		if len(v.LastModified) > 0 {
			h["If-Modified-Since"] = []string{string(v.LastModified)}
		}
	}
	return c.send(req, p, met)
}

// vouched reports whether there are validators that an address has given.
func vouched(v store.Validators, at *url.URL) bool {
	return len(v.ETag)+len(v.LastModified) > 0 && v.For == addressHash(at.String())
}

// send makes a request to a server that the policy permits.
func (c *Client) send(req *http.Request, p policy, met *meeting) (*http.Response, error) {
	if c.proxy != nil {
		private, err := c.check(req.Context(), p, req.URL)
		if err != nil {
			return nil, err
		}
		met.private.Store(private)
	}
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), met.trace(c.proxy != nil)))
	return c.transport(p).RoundTrip(req)
}

// check resolves a name that a proxy will be asked for, and lets the guard see all its addresses:
// which of them the proxy takes is not known here.
func (c *Client) check(ctx context.Context, p policy, u *url.URL) (private bool, err error) {
	resolver := c.resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	addresses, err := resolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return false, err
	}
	for _, ip := range addresses {
		if err := p.check(ip, port); err != nil {
			return false, err
		}
		private = private || !isPublic(ip)
	}
	return private, nil
}

// addressHash stands for an address where the address itself, which may hold a secret, must not.
func addressHash(address string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(address)))[:32]
}

// read takes in the body of a last response; long is called before it is kept if it is long. With an error the answer is without it.
func (c *Client) read(ctx context.Context, resp *http.Response, at *url.URL, private bool, long func() error) (*answer, error) {
	defer resp.Body.Close()
	a := &answer{status: resp.StatusCode, header: resp.Header, address: at, private: private}
	if a.status != http.StatusOK && a.status != http.StatusNonAuthoritativeInfo {
		io.CopyN(io.Discard, resp.Body, 4<<10)
		return a, nil
	}
	b := watch(resp.Body)
	defer b.stop()
	body, err := decodeBody(b, strings.Join(resp.Header.Values("Content-Encoding"), ","), c.maxBytes, func() error {
		b.stop()
		defer b.goOn()
		return long()
	})
	a.bytes = b.bytes
	if cause := context.Cause(ctx); cause != nil {
		return a, cause
	}
	if b.stalled() {
		return a, fmt.Errorf("the server sent less than %d bytes in %s (a fixed limit)", stallBytes, stallTimeout)
	}
	a.body = body
	if errors.Is(err, io.ErrUnexpectedEOF) {
		a.truncated, err = err, nil
	}
	return a, err
}
