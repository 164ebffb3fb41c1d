package config

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	outletID    = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)
	sectionSlug = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)
)

// reserved slugs are those whose paths the server has for something else.
var reserved = []string{
	"index", "status", "outlets", "sections", "hub", "websub", "metrics", "healthz", "readyz", "archive",
	"style", "own", "404", "410", "assets",
}

// ownHeaders are those that a poll sets itself.
var ownHeaders = []string{
	"Accept-Encoding", "Connection", "Content-Length", "Host", "If-Modified-Since", "If-None-Match",
	"Range", "Transfer-Encoding", "User-Agent",
}

func (c checker) outlets() {
	if len(c.cfg.Outlets) == 0 && c.allThere {
		c.warn("outlet", "there is no outlet, so nothing is polled; add an [[outlet]] block with an [[outlet.feed]]")
	}
	ids := map[string]string{}
	type first struct{ at, url string }
	feeds := map[string]first{} // by what is asked for
	for i, o := range c.cfg.Outlets {
		at := fmt.Sprintf("outlet[%d]", i)
		c.name(at+".id", o.ID, "id", outletID, "a-z, 0-9, _ and -", idFrom(cmp.Or(c.raw(at+".id"), c.raw(at+".name")), o.URL), ids)
		if o.URL != "" {
			if fault := addressFault(o.URL, c.raw(at+".url")); fault != "" {
				c.problem(at+".url", "%s", fault)
			}
		}
		if o.Language != "" {
			c.language(at+".language", o.Language)
		}
		if strings.TrimSpace(o.Owner) != o.Owner {
			c.problem(at+".owner", "%s has blanks around it; write the owner's name in the same way for each of its outlets", quote(c.raw(at+".owner")))
		}
		c.tags(at+".tags", o.Tags)
		if c.written(at + ".content") {
			c.choice(at+".content", o.Content, contents...)
		}
		if len(o.Feeds) == 0 && !c.written(at+".feed") {
			c.problem(at+".feed", `there is none; add an [[outlet.feed]] block with url = "…" below this outlet`)
		}
		own := map[string]bool{}
		for j, f := range o.Feeds {
			at := fmt.Sprintf("%s.feed[%d]", at, j)
			c.feed(at, f)
			asked := requested(f.URL)
			switch earlier, known := feeds[asked]; {
			case f.URL == "":
			case own[asked]:
				c.problem(at+".url", "is a feed of this outlet already, on %s; remove one of the two", c.seenFrom(at, earlier.at))
			case known && earlier.url != f.URL:
				c.problem(at+".url", "is polled for another outlet in another spelling, on %s; write both alike, and one request serves both", c.seenFrom(at, earlier.at))
			case known:
				c.warn(at+".url", "is polled for another outlet as well, on %s; one request serves both, and its items will appear for each", c.seenFrom(at, earlier.at))
			default:
				feeds[asked] = first{at + ".url", f.URL}
			}
			own[asked] = true
		}
	}
	c.formerly(ids)
}

// requested is what a server is asked for at an address, which is the same for several spellings of it (RFC 3986 §6.2.2.1, §6.2.3).
func requested(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	u.Host = strings.TrimSuffix(strings.ToLower(u.Host), map[string]string{"http": ":80", "https": ":443"}[u.Scheme])
	if u.Path == "" {
		u.Path = "/"
	}
	u.Fragment, u.RawFragment = "", ""
	return u.String()
}

// name checks an outlet's id or a section's slug, and that it is taken only once.
func (c checker) name(path, name, word string, shape *regexp.Regexp, letters, suggestion string, taken map[string]string) {
	if suggestion == "" {
		suggestion = "world-news"
	}
	switch first := taken[name]; {
	case name == "" && !c.written(path):
		c.problem(path, "is missing; write %s = %s", word, quote(suggestion))
	case !shape.MatchString(name):
		c.problem(path, "%s is no %s; write 1 to 64 of %s, such as %s", quote(c.raw(path)), word, letters, quote(suggestion))
	case first != "":
		c.problem(path, "%s is taken already, on %s; choose another", quote(name), c.seenFrom(path, first))
	default:
		taken[name] = path
	}
}

// seenFrom says where one key stands in a message about another.
func (c checker) seenFrom(path, other string) string {
	p := c.cfg.places[other]
	if c.cfg.Problem(path, "").File == p.file {
		return fmt.Sprintf("line %d", p.line)
	}
	return fmt.Sprintf("%s:%d", p.file, p.line)
}

func (c checker) tags(path string, tags []string) {
	for i, tag := range tags {
		if strings.TrimSpace(tag) != tag || tag == "" {
			c.problem(fmt.Sprintf("%s[%d]", path, i), "%s is empty or has blanks around it; write a word", quote(c.raw(fmt.Sprintf("%s[%d]", path, i))))
		}
	}
}

func (c checker) feed(at string, f Feed) {
	switch {
	case !c.written(at + ".url"):
		c.problem(at+".url", `is missing; write url = "https://example.org/feed.xml"`)
	default:
		if fault := addressFault(f.URL, f.Shown); fault != "" {
			c.problem(at+".url", "%s", fault)
		}
	}
	c.tags(at+".tags", f.Tags)
	if strings.Contains(f.Username, ":") {
		c.problem(at+".username", "has a colon, which a user name cannot have; write the part after it into password_file")
	}
	for name := range f.Headers {
		path := under(at+".headers", name)
		switch canonical := http.CanonicalHeaderKey(name); {
		case !headerName.MatchString(name):
			c.problem(path, "%s is no header's name; write letters, digits and -", quote(name))
		case slices.Contains(ownHeaders, canonical):
			c.problem(path, "each poll sets this header itself; remove it")
		case canonical == "Authorization" && f.Username+f.Password != "":
			c.problem(path, "stands beside username and password, which make the same header; keep one of the two")
		}
	}
	if f.InsecureTLS {
		c.warn(at+".insecure_tls", "anybody on the way can change what this feed says; better have its certificate put right")
	}
}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// secrets reads the password file and finds out whether the feed is a secret one.
func (c checker) secrets(f *Feed, at string) {
	if f.PasswordFile != "" {
		f.PasswordFile = c.absolute(f.PasswordFile)
		if c.written(at + ".password") {
			c.problem(at+".password_file", "stands beside password; keep one of the two")
		} else {
			f.Password = c.secretFile(at+".password_file", f.PasswordFile, "password")
		}
	}
	f.Secret = f.Username != "" || f.Password != "" || f.PasswordFile != "" || f.URL != f.Shown || strings.Contains(f.Shown, "${")
	f.Secrets = slices.Concat(c.values(f.Shown), c.values(c.raw(at+".username")), c.values(c.raw(at+".password")))
	if f.Password != "" {
		f.Secrets = append(f.Secrets, f.Password)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Headers)) {
		raw := c.raw(under(at+".headers", name))
		if f.Secrets = append(f.Secrets, c.values(raw)...); secretHeader.MatchString(name) {
			f.Secrets = append(f.Secrets, f.Headers[name])
		}
		if secretHeader.MatchString(name) || strings.Contains(raw, "${") {
			f.Secret = true
		}
	}
}

// values are what the environment puts into a string.
func (c checker) values(raw string) (values []string) {
	for {
		_, rest, found := strings.Cut(raw, "${")
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			return values
		}
		if value, ok := c.env(name); ok && value != "" {
			values = append(values, value)
		}
		raw = after
	}
}

// secretHeader matches the names of headers that let somebody in.
var secretHeader = regexp.MustCompile(`(?i)auth|cookie|token|key|secret|password|session`)

// secretFile reads a file that holds a word and nothing else.
func (c checker) secretFile(path, file, word string) string {
	const most = 4096
	data, err := os.ReadFile(file)
	if err != nil {
		c.problem(path, "%s %v", quote(c.raw(path)), reason(err))
		return ""
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	switch {
	case secret == "":
		c.problem(path, "%s is empty; write the %s into it", quote(c.raw(path)), word)
	case len(secret) > most || strings.ContainsFunc(secret, unicode.IsControl) || !utf8.ValidString(secret):
		c.problem(path, "%s holds more than one line of at most %d bytes; write nothing but the %s into it", quote(c.raw(path)), most, word)
	default:
		return secret
	}
	return ""
}
