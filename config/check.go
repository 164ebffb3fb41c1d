package config

import (
	"bytes"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // timezone must load on machines without a zone database, too
	"unicode"
	"unicode/utf8"
)

// exampleContact is what config.example.toml has. Outlets cannot reach anybody
// there, which is why keeping it is a warning.
const exampleContact = "https://example.org/about"

// checker looks at what bound values mean, alone and together.
type checker struct {
	*binder
	dir      string // that relative paths start from; absolute
	allThere bool   // all included files could be read
}

func (c checker) warn(path, format string, args ...any) {
	c.cfg.Warnings = append(c.cfg.Warnings, c.cfg.Problem(path, fmt.Sprintf(format, args...)).String())
}

// raw is a string as the file has it, for messages: what the environment put
// into it may be a secret.
func (c checker) raw(path string) string { return c.cfg.places[path].raw }

func (c checker) written(path string) bool {
	_, ok := c.cfg.places[path]
	return ok
}

// inherit fills what a block has from a wider one.
func (c checker) inherit() {
	cfg := c.cfg
	for i := range cfg.Hosts {
		h := &cfg.Hosts[i]
		if at := fmt.Sprintf("host[%d]", i); !c.written(at + ".gap") {
			h.Gap = cfg.Fetch.HostGap
		}
		if at := fmt.Sprintf("host[%d]", i); !c.written(at + ".per_host") {
			h.PerHost = cfg.Fetch.PerHost
		}
	}
	for i := range cfg.Outlets {
		o := &cfg.Outlets[i]
		at := fmt.Sprintf("outlet[%d]", i)
		if o.Name == "" {
			o.Name = o.ID
		}
		if o.Content == "" {
			o.Content = cfg.Publish.Content
		}
		if !c.written(at + ".websub") {
			o.WebSub = cfg.Fetch.WebSub
		}
		for j := range o.Feeds {
			f := &o.Feeds[j]
			at := fmt.Sprintf("%s.feed[%d]", at, j)
			f.Shown = c.raw(at + ".url")
			c.secrets(f, at)
			f.AllowPrivate = append(f.AllowPrivate, cfg.Fetch.AllowPrivate...)
			if f.Schedule == "" {
				f.Schedule = o.Schedule
				c.borrow(at+".schedule", fmt.Sprintf("outlet[%d].schedule", i), "outlet.schedule")
			}
			if f.Schedule == "" {
				f.Schedule = cfg.Fetch.Schedule
				c.borrow(at+".schedule", "fetch.schedule", "fetch.schedule")
			}
		}
	}
	for i := range cfg.Sections {
		s := &cfg.Sections[i]
		if s.Title == "" {
			s.Title = s.Slug
		}
		if !c.written(fmt.Sprintf("section[%d].limit", i)) {
			s.Limit = cfg.Publish.Limit
		}
	}
}

// borrow places a key where its value comes from.
func (c checker) borrow(path, from, shown string) {
	if p, ok := c.cfg.places[from]; ok {
		p.key = shown
		c.cfg.places[path] = p
	}
}

func (c checker) check() {
	cfg := c.cfg
	if strings.TrimSpace(cfg.Title) == "" {
		c.problem("title", "is empty; write the name of your publication")
	}
	c.baseURL()
	c.contact()
	switch {
	case cfg.Language == "":
		c.problem("language", `is empty; write the language of the pages, such as "en"`)
	default:
		c.language("language", cfg.Language)
	}
	if _, err := time.LoadLocation(cfg.Timezone); err != nil || cfg.Timezone == "" || cfg.Timezone == "Local" {
		c.problem("timezone", `%s is no time zone; write "UTC" or a name such as "Europe/Berlin"`, quote(c.raw("timezone")))
	}
	c.server()
	c.store()
	c.fetch()
	c.hosts()
	c.publish()
	c.outlets()
	c.sections()
}

func (c checker) baseURL() {
	raw := c.raw("base_url")
	if fault := addressFault(c.cfg.BaseURL, raw); fault != "" {
		c.problem("base_url", "%s", fault)
		return
	}
	if strings.ContainsAny(c.cfg.BaseURL, "?#") {
		c.problem("base_url", "%s has a query or fragment; write scheme, host and path only", quote(raw))
		return
	}
	if strings.Contains(c.cfg.BaseURL, "[") {
		c.warn("base_url", "feed readers and validators stumble over IPv6 addresses in links; write a name")
	}
	c.cfg.BaseURL = strings.TrimRight(c.cfg.BaseURL, "/")
}

func (c checker) contact() {
	switch contact := c.cfg.Contact; {
	case strings.TrimSpace(contact) == "":
		c.problem("contact", `is empty; write an address at which outlets can reach you, such as "https://your.site/about" or "mailto:you@your.site"`)
	case contact == exampleContact:
		c.warn("contact", "is still the example's; write an address of your own, at which outlets can reach you")
	case strings.ContainsAny(contact, `()\`):
		c.problem("contact", "%s has a parenthesis or backslash, which the User-Agent cannot carry; write a plain address", quote(c.raw("contact")))
	}
}

func (c checker) server() {
	s := &c.cfg.Server
	c.listen("server.listen", &s.Listen)
	if s.Admin != "" {
		c.listen("server.admin", &s.Admin)
		if s.Admin == s.Listen && !strings.HasSuffix(s.Admin, ":0") {
			c.problem("server.admin", `is the address of server.listen; write another one, or "" to serve everything there`)
		}
	}
	if s.Control != "" {
		s.Control = c.absolute(strings.TrimPrefix(s.Control, "unix:"))
	}
}

// MaxSocket is how many bytes a unix socket's path has at most: 107 on Linux, 103 elsewhere.
const MaxSocket = len(syscall.RawSockaddrUnix{}.Path) - 1

// listen checks "host:port" or "unix:/path", and makes the path absolute.
func (c checker) listen(key string, to *string) {
	if path, ok := strings.CutPrefix(*to, "unix:"); ok {
		if path != "" {
			path = c.absolute(path)
			*to = "unix:" + path
		}
		switch {
		case path == "":
			c.problem(key, `has no path; write it as "unix:/run/broadsheet.sock"`)
		case len(path) > MaxSocket:
			c.problem(key, "is a path of %d bytes, and a unix socket's has at most %d; choose a shorter one", len(path), MaxSocket)
		}
		return
	}
	_, port, err := net.SplitHostPort(*to)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 {
		c.problem(key, `%s is no address to listen at; write it as "localhost:8080", ":8080" or "unix:/run/broadsheet.sock"`, quote(c.raw(key)))
	}
}

func (c checker) fetch() {
	f := &c.cfg.Fetch
	if strings.TrimSpace(f.Schedule) == "" {
		c.problem("fetch.schedule", `is empty; write "@every 1h" or a cron expression such as "*/30 * * * *"`)
	}
	if f.MaxInterval <= 0 {
		c.problem("fetch.max_interval", `is zero; write how long a feed may rest at most, such as "24h"`)
	} else if f.MinInterval > f.MaxInterval {
		key := "fetch.min_interval"
		if !c.written(key) {
			key = "fetch.max_interval"
		}
		c.problem(key, "min_interval (%v) is longer than max_interval (%v); make it shorter", f.MinInterval, f.MaxInterval)
	}
	if f.Timeout <= 0 {
		c.problem("fetch.timeout", `is zero; write how long one poll may take, such as "60s"`)
	}
	c.atLeast("fetch.concurrency", f.Concurrency, 1)
	c.atLeast("fetch.per_host", f.PerHost, 1)
	if f.MaxBytes < 1024 {
		c.problem("fetch.max_bytes", `is less than any feed; write at least 1024, such as "16MiB"`)
	}
	c.proxy()
	c.webSub()
}

func (c checker) publish() {
	p := &c.cfg.Publish
	if p.Dir != "" {
		p.Dir = c.absolute(p.Dir)
	}
	c.atLeast("publish.limit", p.Limit, 0)
	c.choice("publish.content", p.Content, contents...)
	c.hub()
	c.withdraw()
	c.choice("publish.images", p.Images, "link", "none")
	if p.Stylesheet != "" {
		p.Stylesheet = c.absolute(p.Stylesheet)
		c.sheet(p)
	}
	c.footer(p.Footer)
}

// contents are the kinds of content that may be published, the strictest last.
var contents = []string{"full", "excerpt", "title"}

func (c checker) withdraw() {
	first := map[string]string{} // the path, by entry
	for i, entry := range c.cfg.Publish.Withdraw {
		at := fmt.Sprintf("publish.withdraw[%d]", i)
		bare := strings.TrimPrefix(entry, "!")
		switch {
		case strings.TrimSpace(bare) != bare || bare == "":
			c.problem(at, `%s is empty or has blanks around it; write a link, an id, or the id of an outlet`, quote(entry))
		case first[bare] != "":
			c.problem(at, "%s stands there already, on %s; remove one of the two", quote(bare), c.seenFrom(at, first[bare]))
		default:
			first[bare] = at
		}
	}
}

// sheet reads the operator's style sheet.
func (c checker) sheet(p *Publish) {
	const key, most = "publish.stylesheet", 1 << 20
	data, err := os.ReadFile(p.Stylesheet)
	switch {
	case err != nil:
		c.problem(key, "%s %v", quote(c.raw(key)), reason(err))
	case len(data) > most:
		c.problem(key, "%s has %d bytes; readers fetch it, so keep it under %d", quote(c.raw(key)), len(data), most)
	case !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0:
		c.problem(key, "%s is no text in UTF-8; save it as that", quote(c.raw(key)))
	default:
		p.Sheet = data
	}
}

// footer checks the addresses of its links.
func (c checker) footer(line string) {
	for _, link := range footerLink.FindAllStringSubmatch(line, -1) {
		if address, mail := strings.CutPrefix(link[1], "mailto:"); mail && strings.Contains(address, "@") {
			continue
		}
		if fault := addressFault(link[1], link[1]); fault != "" {
			c.problem("publish.footer", "in %s: %s", quote(link[0]), fault)
		}
	}
}

var footerLink = regexp.MustCompile(`\[[^\[\]]+\]\(([^()]*)\)`)

// choice checks a value that is one of a few.
func (c checker) choice(path, value string, known ...string) {
	for _, k := range known {
		if value == k {
			return
		}
	}
	verb := "is"
	if len(known) > 1 {
		verb = "are"
	}
	c.problem(path, "%s is not known; known %s %s", quote(c.raw(path)), verb, oneOf(known...))
}

func (c checker) atLeast(path string, n, least int) {
	switch {
	case n >= least:
	case least == 0:
		c.problem(path, "%d is negative; write 0 for no bound, or a positive number", n)
	default:
		c.problem(path, "%d is too small; write at least %d", n, least)
	}
}

// language checks the shape of a BCP 47 tag, not whether its parts are registered.
func (c checker) language(path, tag string) {
	if languageTag.MatchString(tag) && len(tag) <= 64 {
		return
	}
	hint := ""
	if fixed := strings.ReplaceAll(tag, "_", "-"); fixed != tag && languageTag.MatchString(fixed) {
		hint = fmt.Sprintf("; did you mean %s?", quote(fixed))
	}
	c.problem(path, `%s is no language tag (BCP 47); write it as "en", "pt-BR" or "zh-Hant"%s`, quote(c.raw(path)), hint)
}

var languageTag = regexp.MustCompile(`^(?:[A-Za-z]{2,3}|[xXiI])(?:-[A-Za-z0-9]{1,8})*$`)

func (c checker) absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(c.dir, path)
}

// addressFault says what is wrong with the address of a feed or page, or "". Only
// http and https are ever spoken, and secrets have keys of their own.
func addressFault(address, raw string) string {
	shown := quote(raw)
	if strings.Contains(raw, "@") {
		shown = "the address" // may hold a password
	}
	switch {
	case address == "":
		return `is empty; write an address such as "https://example.org/feed.xml"`
	case len(address) > 2048:
		return fmt.Sprintf("the address has %d bytes; at most 2048 are allowed", len(address))
	case !utf8.ValidString(address):
		return shown + " is not UTF-8; write what is beyond ASCII as escapes"
	case strings.ContainsFunc(address, func(r rune) bool { return r == '\\' || unicode.IsSpace(r) || controls(r) }):
		return shown + " has a space or backslash in it; write them as %20 and %5C, or remove them"
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return shown + ` is no address; write it as "https://example.org/feed.xml"`
	case u.User != nil:
		return "a user name or password in an address ends up in logs; write username and password_file beside it"
	case !strings.Contains(address, "://"):
		return shown + " has no scheme; write it with https:// or http:// before it"
	case u.Scheme != "http" && u.Scheme != "https":
		return shown + " is neither http nor https; write an address that begins with https:// or http://"
	case u.Hostname() == "":
		return shown + ` has no host; write it as "https://example.org/feed.xml"`
	case !utf8.ValidString(u.Hostname()):
		return shown + ` has a host whose escapes are no text; write its name as browsers show it, or in its form that begins with xn--`
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return shown + " has no valid port; write one from 1 to 65535, or leave it out"
		}
	}
	return ""
}
