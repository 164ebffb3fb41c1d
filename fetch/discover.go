package fetch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A Page is a web page, as far as its head says what it is and which feeds belong to it.
type Page struct {
	Address  string // that answered, after redirects
	Title    string // plain text; "" if it has none
	Language string // BCP 47; "" if it does not say
	Feeds    []PageFeed
}

// A PageFeed is a feed that a page advertises.
type PageFeed struct {
	URL   string // absolute
	Title string // plain text; "" if it has none
}

const acceptPage = "text/html, application/xhtml+xml;q=0.9, " + accept

// Discover asks the page at address which feeds it advertises. If address is a feed, that is the one, and the page is
// the one that the feed names. Nothing is stored. Unlike a feed that the operator lists, a page is asked for only if robots.txt of its
// origin permits it (RFC 9309), and likewise each page that it redirects to. allow are networks that may be
// reached although they are not public, at the host of address only. The pause between two requests to a host is kept.
func (c *Client) Discover(ctx context.Context, s *Settings, log *slog.Logger, address string, allow []netip.Prefix) (*Page, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("no complete answer within %s: raise fetch.timeout if the server is that slow", c.timeout))
	defer cancel()
	first, err := url.Parse(address)
	if err != nil || first.Host == "" || first.User != nil || first.Scheme != "http" && first.Scheme != "https" {
		return nil, errors.New("is no address; write it as https://example.org/")
	}
	first.Fragment, first.RawFragment = "", ""
	e := explorer{client: c, settings: s, first: first, allow: allow, rules: map[string]robots{}, asked: map[string]time.Time{}}
	at := first
	for range maxRedirects + 1 {
		if err := e.mayAsk(ctx, at); err != nil {
			return nil, e.cause(ctx, err)
		}
		a, to, err := e.ask(ctx, at, acceptPage)
		switch {
		case err != nil:
			return nil, e.cause(ctx, err)
		case to != nil:
			at = to
			continue
		case a.status != http.StatusOK && a.status != http.StatusNonAuthoritativeInfo:
			return nil, errors.New(statusText(a.status))
		}
		return readFound(a, log)
	}
	return nil, fmt.Errorf("more than %d redirects", maxRedirects)
}

// readFound tells a page from a feed.
func readFound(a *answer, log *slog.Logger) (*Page, error) {
	doc, err := parse(a, log)
	var page *NotAFeed
	switch {
	case errors.As(err, &page):
		text, _ := toUTF8(a.body, a.header.Get("Content-Type"))
		return readPage(text, a.address), nil
	case err != nil:
		return nil, err
	}
	p := &Page{Address: doc.Link, Title: doc.Title, Language: doc.Language, Feeds: []PageFeed{{a.address.String(), doc.Title}}}
	return p, nil
}

// An explorer looks at pages, and remembers for each origin what its robots.txt says.
type explorer struct {
	client   *Client
	settings *Settings
	first    *url.URL
	allow    []netip.Prefix
	rules    map[string]robots    // by origin
	asked    map[string]time.Time // when a host was asked last
}

func (e *explorer) cause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// mayAsk reports, as an error, that robots.txt forbids a page.
func (e *explorer) mayAsk(ctx context.Context, page *url.URL) error {
	origin := page.Scheme + "://" + page.Host
	rules, known := e.rules[origin]
	if !known {
		var err error
		if rules, err = e.robots(ctx, &url.URL{Scheme: page.Scheme, Host: page.Host, Path: "/robots.txt"}); err != nil {
			return err
		}
		e.rules[origin] = rules
	}
	path := page.EscapedPath()
	if path == "" {
		path = "/"
	}
	if page.RawQuery != "" {
		path += "?" + page.RawQuery
	}
	if !rules.permit(path) {
		return fmt.Errorf("%s/robots.txt forbids %s to programs like this one; the outlet's own pages may tell you the address of its feed", origin, path)
	}
	return nil
}

// robots asks for the rules of an origin (RFC 9309 §2.3.1): where there are none all is permitted, where they cannot be read nothing.
func (e *explorer) robots(ctx context.Context, at *url.URL) (robots, error) {
	whose := at.Scheme + "://" + at.Host
	for range maxRedirects + 1 {
		a, to, err := e.ask(ctx, at, "text/plain, */*;q=0.1")
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s/robots.txt cannot be read, so nothing else is asked for: %w", whose, err)
		case to != nil:
			at = to
			continue
		case a.status == http.StatusOK, a.status == http.StatusNonAuthoritativeInfo:
			token, _, _ := strings.Cut(e.settings.UserAgent, "/")
			return parseRobots(a.body, token), nil
		case a.status >= 500, a.status == http.StatusTooManyRequests:
			return nil, fmt.Errorf("%s/robots.txt cannot be read, so nothing else is asked for: %s", whose, statusText(a.status))
		}
		return nil, nil
	}
	return nil, nil // RFC 9309 §2.3.1.2: as if there were none
}

// ask makes one request; to is where it redirects.
func (e *explorer) ask(ctx context.Context, at *url.URL, accept string) (a *answer, to *url.URL, err error) {
	if err := e.pause(ctx, at); err != nil {
		return nil, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, nil, errors.New("the address cannot be asked for")
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("Accept-Encoding", acceptEncoding)
	req.Header.Set("User-Agent", e.client.userAgent)
	var p policy
	if at.Hostname() == e.first.Hostname() {
		p.allow = e.allow
	}
	resp, err := e.client.send(req, p, &meeting{})
	if err != nil {
		return nil, nil, inWords(err)
	}
	if location := resp.Header.Get("Location"); location != "" && slices.Contains([]int{301, 302, 303, 307, 308}, resp.StatusCode) {
		resp.Body.Close()
		to, err = redirect(e.first, at, location)
		return nil, to, err
	}
	a, err = e.client.read(ctx, resp, at, false, willing)
	if err == nil && a.truncated != nil {
		err = a.truncated
	}
	return a, nil, err
}

// pause keeps the distance between two requests to a host.
func (e *explorer) pause(ctx context.Context, at *url.URL) error {
	host, rule := e.settings.rule(at.String())
	if last, again := e.asked[host]; again {
		select {
		case <-time.After(time.Until(last.Add(rule.Gap))):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	e.asked[host] = time.Now()
	return nil
}
