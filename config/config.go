// Package config reads the one TOML file that says what to poll and what to
// publish, and tells everything that is wrong with it in one run.
//
// In goes a path; out comes a Config with every default filled in, addresses
// checked, paths made absolute and secrets resolved, or Errors: each with file,
// line, key and what would be right. Start with Load. What only other rooms can
// judge (does a schedule parse, does an expression compile) they judge later and
// locate with Config.Problem. ParseOPML and WriteTOML turn the subscriptions of
// other programs into blocks to paste.
//
// The way of a value: toml.go reads a file into a tree that remembers lines,
// bind.go lays the tree onto the structs below, check.go looks at what the
// values mean together.
package config

import (
	"net/netip"
	"time"
)

// Config is the whole file with the defaults filled in.
type Config struct {
	Title        string   `key:"title"`
	BaseURL      string   `key:"base_url"` // without a trailing slash
	Contact      string   `key:"contact"`
	Language     string   `key:"language"`
	Timezone     string   `key:"timezone"`
	IncludeFiles []string `key:"include_files"`

	Server   Server    `key:"server"`
	Store    Store     `key:"store"`
	Fetch    Fetch     `key:"fetch"`
	Publish  Publish   `key:"publish"`
	Hosts    []Host    `key:"host"`
	Outlets  []Outlet  `key:"outlet"`
	Sections []Section `key:"section"`

	// Warnings are complete lines, "file:line: key: text", about what is
	// allowed and yet is hardly meant.
	Warnings []string
	// Digest is the SHA-256, in hex, of all TOML files read, in order. Two
	// processes with equal digests work by the same file (though not
	// necessarily by the same environment).
	Digest string

	places map[string]place
}

// Server says where the daemon listens.
type Server struct {
	Listen         string         `key:"listen"`  // "host:port" or "unix:/absolute/path"
	Admin          string         `key:"admin"`   // the same, or "" for none
	Control        string         `key:"control"` // absolute path of a unix socket, or "" for beside the store, or in the runtime directory
	TrustedProxies []netip.Prefix `key:"trusted_proxies"`
}

// Store says where items are kept, and for how long.
type Store struct {
	URL          string        `key:"url"` // "bolt:PATH" or "postgres://…", with the password if there is one
	PasswordFile string        `key:"password_file"`
	Retention    time.Duration `key:"retention"` // from an item's arrival; 0 is no bound

	Path  string // absolute path of the bolt file; "" for a database
	Shown string // URL without password and parameters, for logs
}

// Fetch says how feeds are polled.
type Fetch struct {
	Schedule     string         `key:"schedule"`
	MinInterval  time.Duration  `key:"min_interval"`
	MaxInterval  time.Duration  `key:"max_interval"`
	Concurrency  int            `key:"concurrency"`
	PerHost      int            `key:"per_host"`
	HostGap      time.Duration  `key:"host_gap"`
	Timeout      time.Duration  `key:"timeout"`
	MaxBytes     int64          `key:"max_bytes,size"` // of a decoded document
	WebSub       bool           `key:"websub"`         // subscribe to the hubs that feeds name
	AllowPrivate []netip.Prefix `key:"allow_private"`
	Proxy        string         `key:"proxy"` // an address, with whatever the environment put into it; "" is none
}

// Host is an exception for a host that carries many feeds.
type Host struct {
	Name    string        `key:"name"`     // a domain or an IP address, in lower case
	Gap     time.Duration `key:"gap"`      // its own, else fetch.host_gap
	PerHost int           `key:"per_host"` // its own, else fetch.per_host
	Scope   string        `key:"scope"`    // "domain": all names under Name are one host; "host": each is one
}

// Publish holds what is common to all sections.
type Publish struct {
	Dir     string `key:"dir"`        // absolute, or "" for no static files
	Limit   int    `key:"limit,zero"` // items in a feed; 0 is no bound
	Content string `key:"content"`    // "full", "excerpt" or "title"
	Hub     string `key:"hub"`        // address of a WebSub hub, "builtin", or "" for none

	Withdraw   []string `key:"withdraw"`     // links or ids of items, ids of outlets; what begins with "!" may be shown again
	AlsoInText bool     `key:"also_in_text"` // feeds name the other outlets of a story in the description, too

	// How the pages look.
	Images     string `key:"images"`     // "link": from the outlets' servers; "none"
	Stylesheet string `key:"stylesheet"` // absolute path of a file, or "" for none
	Footer     string `key:"footer"`     // a line of text, in which "[name](address)" is a link

	// Sheet is what Stylesheet holds.
	Sheet []byte
}

// Outlet is a publication with the feeds that are polled for it.
type Outlet struct {
	ID        string   `key:"id"`
	Name      string   `key:"name"` // the id if not written
	URL       string   `key:"url"`  // the home page, or ""
	Language  string   `key:"language"`
	Priority  int      `key:"priority"`
	Owner     string   `key:"owner"` // "" is the registrable domain of URL
	Enabled   bool     `key:"enabled"`
	Tags      []string `key:"tags"`
	Content   string   `key:"content"` // its own, else publish.content
	Rights    string   `key:"rights"`
	Schedule  string   `key:"schedule"`  // as written; "" is fetch.schedule
	WebSub    bool     `key:"websub"`    // its own, else fetch.websub
	Republish bool     `key:"republish"` // although polled with a secret
	Formerly  []string `key:"formerly"`  // its earlier ids
	Feeds     []Feed   `key:"feed"`
}

// Feed is one address that is polled.
type Feed struct {
	URL          string            `key:"url"`
	Tags         []string          `key:"tags"`     // its own; the outlet's hold as well
	Schedule     string            `key:"schedule"` // its own, else the outlet's, else fetch.schedule
	Headers      map[string]string `key:"headers"`
	Username     string            `key:"username"`
	Password     string            `key:"password"` // from password or password_file
	PasswordFile string            `key:"password_file"`
	AllowPrivate []netip.Prefix    `key:"allow_private"` // its own and fetch.allow_private
	InsecureTLS  bool              `key:"insecure_tls"`
	Formerly     []string          `key:"formerly,raw"` // its earlier addresses, as Shown was

	// Shown is the address as the file has it, "${NAME}" not replaced: for
	// logs, pages and whatever else leaves the process.
	Shown string
	// Secret says that the feed is polled with a password, with headers that
	// carry a secret, or at an address with a part from the environment.
	Secret bool
	// Secrets are the password and all values from the environment, which may stand in no output.
	Secrets []string
}

// Itunes is what directories of podcasts want to know of a section; without a category the section is no podcast.
type Itunes struct {
	Category string `key:"category"` // Apple's: "News", "News > Politics"
	Author   string `key:"author"`   // title if not written
	Owner    string `key:"owner"`    // title if not written
	Email    string `key:"email"`    // of the owner
	Image    string `key:"image"`    // address of a square picture
	Type     string `key:"type"`     // "episodic" or "serial"
	Explicit bool   `key:"explicit"`
}

// Section is a feed that is published.
type Section struct {
	Slug         string        `key:"slug"`
	Title        string        `key:"title"` // the slug if not written
	Description  string        `key:"description,lines"`
	From         []string      `key:"from"` // outlet ids, "tag:x", feeds by Shown; none is every outlet
	Include      []string      `key:"include"`
	Exclude      []string      `key:"exclude"`
	Languages    []string      `key:"languages"`
	Unknown      string        `key:"languages_unknown"` // "keep" or "drop": items whose language is unknown
	Where        string        `key:"where,lines"`
	Stories      string        `key:"stories"`             // "merge", "link" or "keep"
	MinOutlets   int           `key:"min_outlets"`         // how many must carry a story
	MaxPerOutlet int           `key:"max_per_outlet,zero"` // 0 is no bound
	MaxAge       time.Duration `key:"max_age"`             // 0 is no bound
	Limit        int           `key:"limit,zero"`          // its own, else publish.limit; 0 is no bound
	Content      string        `key:"content"`             // at most this; "full" is what the outlets permit
	Formerly     []string      `key:"formerly"`            // its earlier slugs
	KeyFile      string        `key:"key_file"`
	Itunes       Itunes        `key:"itunes"`

	// Key is what KeyFile holds: the addresses of a private section need it. "" is a public one.
	Key string
}

const day = 24 * time.Hour

// defaults is what holds for every key that is not written. The one host, the one
// outlet and the one section stand for each block of that kind.
func defaults() Config {
	return Config{
		Title:    "The Daily Broadsheet",
		BaseURL:  "http://localhost:8080",
		Contact:  "", // has none on purpose: outlets must be able to reach the operator
		Language: "en",
		Timezone: "UTC",
		Server: Server{
			Listen: "localhost:8080",
		},
		Store: Store{
			URL:       "bolt:broadsheet.db",
			Retention: 90 * day,
		},
		Fetch: Fetch{
			Schedule:    "@every 1h",
			MinInterval: 15 * time.Minute,
			MaxInterval: 24 * time.Hour,
			Concurrency: 16,
			PerHost:     1,
			HostGap:     time.Second,
			Timeout:     60 * time.Second,
			MaxBytes:    16 << 20,
		},
		Publish: Publish{
			Limit:   50,
			Content: "full",
			Images:  "link",
		},
		Hosts: []Host{{
			Scope: "domain",
		}},
		Outlets: []Outlet{{
			Enabled: true,
		}},
		Sections: []Section{{
			Unknown:    "keep",
			Stories:    "merge",
			MinOutlets: 1,
			MaxAge:     30 * day,
			Content:    "full",
		}},
	}
}
