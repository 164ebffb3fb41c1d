package config

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// Skipped says, a line each, which feeds of a list cannot be polled. It comes
// beside those that can.
type Skipped []string

func (s Skipped) Error() string { return strings.Join(s, "\n") }

// ParseOPML makes outlets of the subscriptions of another program, OPML 1.0 or 2.0
// and what passes for it, of at most 16 MiB, 100,000 outlines and 64 nested folders.
//
// Each outline with an xmlUrl becomes an outlet with one feed, or one more feed of an
// outlet with the same title and home page; the folders that it lies in and its categories become the
// feed's tags. An address that stands there twice, in whatever spelling, is one feed with the tags of both.
// Ids are made of the titles, else the hosts, and are valid and unique. The blocks that
// WriteTOML makes of the result are accepted by Load.
//
// If some feeds cannot be polled, the others are returned together with Skipped.
func ParseOPML(r io.Reader) ([]Outlet, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxOPML+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read OPML: %w", err)
	case len(data) > maxOPML:
		return nil, fmt.Errorf("read OPML: is larger than %d MiB", maxOPML>>20)
	}
	doc, err := utf8Text(data)
	if err != nil {
		return nil, fmt.Errorf("read OPML: %w", err)
	}
	all, err := outlines(doc)
	if err != nil {
		return nil, fmt.Errorf("read OPML: %w", err)
	}

	l := list{homes: map[[2]string]int{}, feeds: map[string][2]int{}, ids: map[string]int{}}
	var folders []string
	hidden := maxDepth // the depth below which outlines are commented out
	for _, o := range all {
		folders = folders[:min(len(folders), o.depth)]
		if o.depth <= hidden {
			hidden = maxDepth
			if strings.EqualFold(o.attributes["iscomment"], "true") {
				hidden = o.depth
			}
		}
		title := plain(o.attributes["title"])
		if title == "" {
			title = plain(o.attributes["text"])
		}
		folders = append(folders, title)
		search := strings.EqualFold(o.attributes["type"], "vfolder") // Liferea's, over its other feeds
		if o.attributes["xmlurl"] != "" && hidden == maxDepth && !search {
			l.add(o.attributes, title, folders[:len(folders)-1])
		}
	}
	switch {
	case len(l.skipped) > 0:
		return l.outlets, l.skipped
	case len(l.outlets) == 0:
		return nil, errors.New("read OPML: there is no feed in it: no outline has an xmlUrl")
	}
	return l.outlets, nil
}

// list grows the outlets.
type list struct {
	outlets []Outlet
	homes   map[[2]string]int // outlet by title and home page
	feeds   map[string][2]int // outlet and feed by what is requested
	ids     map[string]int    // the last number behind each, 1 for none
	skipped Skipped
}

func (l *list) add(attributes map[string]string, title string, folders []string) {
	f, fault := feedFrom(attributes["xmlurl"])
	if fault != "" {
		l.skipped = append(l.skipped, fmt.Sprintf("%s: %s", quote(title), fault))
		return
	}
	for _, category := range strings.Split(attributes["category"], ",") {
		folders = append(folders, strings.Split(category, "/")...)
	}
	for _, name := range folders {
		if tag := plain(name); tag != "" && !slices.Contains(f.Tags, tag) {
			f.Tags = append(f.Tags, tag)
		}
	}
	if at, known := l.feeds[requested(f.URL)]; known {
		old := &l.outlets[at[0]].Feeds[at[1]]
		for _, tag := range f.Tags {
			if !slices.Contains(old.Tags, tag) {
				old.Tags = append(old.Tags, tag)
			}
		}
		return
	}

	home := inert(strings.TrimSpace(attributes["htmlurl"]))
	if addressFault(home, home) != "" {
		home = ""
	}
	at, known := l.homes[[2]string{title, home}]
	if !known || home == "" {
		at = len(l.outlets)
		l.homes[[2]string{title, home}] = at
		u, _ := url.Parse(f.URL)
		o := Outlet{ID: l.id(title, home, f.URL), Name: title, URL: home, Enabled: true}
		if o.Name == "" {
			o.Name = cmp.Or(plain(u.Hostname()), o.ID)
		}
		if tag := strings.ReplaceAll(attributes["language"], "_", "-"); languageTag.MatchString(tag) && len(tag) <= 64 {
			o.Language = tag
		}
		l.outlets = append(l.outlets, o)
	}
	l.feeds[requested(f.URL)] = [2]int{at, len(l.outlets[at].Feeds)}
	l.outlets[at].Feeds = append(l.outlets[at].Feeds, f)
}

// NewOutlet makes an outlet of what a stranger's page says of itself: Load accepts the block that WriteTOML makes of it.
// Feeds whose addresses cannot be polled are left out, and those that are there already.
func NewOutlet(title, home, language string, feeds ...string) Outlet {
	l := list{homes: map[[2]string]int{}, feeds: map[string][2]int{}, ids: map[string]int{}}
	title, home = plain(title), inert(home)
	if addressFault(home, home) != "" {
		home = ""
	}
	o := Outlet{Name: title, URL: home, Enabled: true}
	if languageTag.MatchString(language) && len(language) <= 64 {
		o.Language = language
	}
	for _, address := range feeds {
		f, fault := feedFrom(address)
		if fault == "" && !slices.ContainsFunc(o.Feeds, func(known Feed) bool { return requested(known.URL) == requested(f.URL) }) {
			o.Feeds = append(o.Feeds, f)
		}
	}
	first := ""
	if len(o.Feeds) > 0 {
		first = o.Feeds[0].URL
	}
	o.ID = l.id(title, home, first)
	if o.Name == "" {
		o.Name = o.ID
	}
	return o
}

// id makes an id that is not taken.
func (l *list) id(title, home, feed string) string {
	base := idFrom(title, home)
	if base == "" {
		base = idFrom("", feed)
	}
	if base == "" {
		base = "outlet"
	}
	id := base
	for l.ids[id] > 0 {
		l.ids[base]++
		id = fmt.Sprintf("%s-%d", base, l.ids[base])
	}
	l.ids[id] = 1
	return id
}

// feedFrom makes a feed of an address as programs write it, or says why not.
func feedFrom(address string) (f Feed, fault string) {
	address = inert(strings.ReplaceAll(strings.TrimSpace(address), " ", "%20"))
	raw := address
	if rest, ok := strings.CutPrefix(address, "feed:"); ok {
		address = rest
		if strings.HasPrefix(rest, "//") {
			address = "http:" + rest
		}
	}
	if u, err := url.Parse(address); err == nil && u.User != nil && u.Host != "" {
		f.Username = plain(u.User.Username())
		password, _ := u.User.Password()
		f.Password = plain(password)
		u.User = nil
		address = u.String()
	}
	f.URL = address
	f.Shown = address
	f.Secret = f.Username != "" || f.Password != ""
	if strings.Contains(f.Username, ":") {
		return f, "the user name in its address has a colon"
	}
	return f, addressFault(address, raw)
}

// plain makes one line of a text, of at most 100 characters, that means nothing
// but itself.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case controls(r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, s)
	s = strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "${", "$ {") // last: what was dropped may have parted the two
	if r := []rune(s); len(r) > 100 {
		s = strings.TrimSpace(string(r[:100]))
	}
	return s
}

// inert keeps a stranger's address from asking for our environment: Load would
// replace "${NAME}" and the poll would carry it out.
func inert(address string) string { return strings.ReplaceAll(address, "${", "$%7B") }

// WriteTOML prints outlets as [[outlet]] blocks to paste into a configuration: what
// ParseOPML and a look at a page can know of them (id, name, url, language, tags; each
// feed's url, tags, username and password).
func WriteTOML(w io.Writer, outlets []Outlet) error {
	b := bufio.NewWriter(w)
	line := func(indent, key, value string) {
		if value != "" {
			fmt.Fprintf(b, "%s%s = %s\n", indent, key, tomlString(value))
		}
	}
	tags := func(indent string, tags []string) {
		if len(tags) > 0 {
			quoted := make([]string, len(tags))
			for i, tag := range tags {
				quoted[i] = tomlString(tag)
			}
			fmt.Fprintf(b, "%stags = [%s]\n", indent, strings.Join(quoted, ", "))
		}
	}
	for i, o := range outlets {
		if i > 0 {
			fmt.Fprintln(b)
		}
		fmt.Fprintln(b, "[[outlet]]")
		line("", "id", o.ID)
		line("", "name", o.Name)
		line("", "url", o.URL)
		line("", "language", o.Language)
		tags("", o.Tags)
		for _, f := range o.Feeds {
			fmt.Fprintln(b, "  [[outlet.feed]]")
			line("  ", "url", f.URL)
			tags("  ", f.Tags)
			line("  ", "username", f.Username)
			line("  ", "password", f.Password)
		}
	}
	return b.Flush()
}

// tomlString is a basic string (TOML 1.0, "String").
func tomlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case unicode.IsControl(r):
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
