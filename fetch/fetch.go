// Package fetch polls feeds and hands what they hold to a store.
//
// What comes in: the configured Feeds, and from the store what was known of them. What goes out:
// store.Polls, each with the items of one document and the state that the feed shall have. A
// Scheduler decides which feed is due and may be asked now (schedule.go, hosts.go, queue.go, share.go, timing.go), and which
// hosts are its own among those that several processes share (claims.go), a
// poller visits one feed from request to items (poll.go, client.go, guard.go; decode.go, parse.go,
// sanitize.go, link.go), and a saver commits what has come in since its last commit (save.go). Client.Discover
// looks for the feeds of a page (discover.go, robots.go). A Subscriber lets the hubs that feeds name push what is new, which then
// goes the same way (websub.go, hubs.go, ask.go, subscription.go, callback.go; pushed.go is the Scheduler's part).
//
// Start with Scheduler. Nothing here knows of sections.
package fetch

import (
	"net/netip"
	"net/url"
	"time"

	"broadsheet/store"
)

// A Feed is an address to poll, as the configuration has it.
type Feed struct {
	Outlet       string // the outlet's id
	Owner        string // of the outlet: no text ties the stories of one owner
	Language     string // of items that state none; BCP 47, may be ""
	URL          string // as configured; secrets stand as "${NAME}", so it may be stored and shown
	Address      string // the address to ask; URL with secrets filled in
	Schedule     Schedule
	Enabled      bool
	Headers      map[string]string // sent to the origin of Address only
	Username     string            // likewise, as basic authentication
	Password     string
	Secret       bool           // it is polled with something that not everybody has
	Secrets      []string       // what no text may show: the password, and what else in address and headers is secret
	AllowPrivate []netip.Prefix // networks that may be reached although they are not public
	InsecureTLS  bool           // certificates are not verified
	WebSub       bool           // its hubs may push
}

// Name is what the store knows the feed by.
func (f *Feed) Name() store.FeedName { return store.FeedName{Outlet: f.Outlet, URL: f.URL} }

// Settings are the bounds of all polling. Every field must be set, unless it says so.
type Settings struct {
	UserAgent   string        // without the feed's id, which is added
	Concurrency int           // polls in flight
	PerHost     int           // requests in flight to one host
	HostGap     time.Duration // pause between two requests to one host
	Hosts       []HostRule    // exceptions from PerHost and HostGap; may be nil
	MinInterval time.Duration // between two polls of a feed
	MaxInterval time.Duration // hints stretch the pause between two polls no further
	Timeout     time.Duration // of one poll, redirects and body included
	MaxBytes    int64         // of a document, decoded
	Proxy       *url.URL      // http, https or socks5, through which all is asked; nil is none
}
