package fetch

import (
	"html"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"broadsheet/store"
)

// document cleans what the feed says.
func (f *rawFeed) document() *document {
	d := &document{
		Language: language(f.language), TTL: f.ttl, Pace: f.pace, Damaged: f.damaged, links: f.links,
		Arrivals: make([]store.Arrival, len(f.items)),
	}
	c := cleaner{texts: make([][3]unfinished, len(f.items))}
	longest, all := len(f.subtitle), len(f.subtitle)
	for i := range f.items {
		n := len(f.items[i].summary) + len(f.items[i].content)
		longest, all = max(longest, n), all+n
	}
	c.html, c.text, c.buf = make([]byte, 0, all), make([]byte, 0, min(longest, maxText)), make([]byte, 0, min(longest, maxText)+512)
	var subtitle unfinished
	d.Origin, subtitle = c.origin(&f.rawOrigin, f.note.texts, f.base)
	for i := range f.items {
		r, a := &f.items[i], &d.Arrivals[i]
		if r.license == "" {
			r.license = f.license
		}
		c.texts[i] = c.clean(r, a, f.base)
		if a.Item.Language == "" {
			a.Item.Language = d.Language
		}
		c.hash(a)
	}
	finished := c.finish()
	d.Subtitle = finished(subtitle)
	own := d.Origin
	own.Feed = ""
	for i, t := range c.texts {
		b := &d.Arrivals[i].Body
		b.Summary, b.Content, b.Origin.Subtitle, b.Feed = finished(t[0]), finished(t[1]), finished(t[2]), own
	}
	return d
}

// A cleaner turns items as outlets write them into items as the store keeps them.
type cleaner struct {
	markup
	digest
	texts [][3]unfinished // each item's summary and content, and its origin's subtitle
}

// clean sets all of a but its texts, which it returns, and its hashes.
func (c *cleaner) clean(r *rawItem, a *store.Arrival, base *url.URL) (texts [3]unfinished) {
	n := &r.note
	if n.base != nil {
		base = n.base
	}
	it, body := &a.Item, &a.Body
	it.GUID = strings.TrimSpace(r.guid)
	if len(it.GUID) > 4*maxLink {
		it.GUID = ""
	}
	it.Title = title(r.title, n.texts[noteTitle].plain)
	for _, l := range r.links {
		if it.Link = absoluteLink(base, l); it.Link != "" {
			break
		}
	}
	a.Canonical = CanonicalLink(it.Link)
	if original := CanonicalLink(absoluteLink(base, r.original)); original != a.Canonical {
		a.Original = original
	}

	// Where the outlet does not say, addresses in a text are relative to the page that it is of.
	within := base
	if n.base == nil && it.Link != "" {
		within, _ = url.Parse(it.Link)
	}
	if r.summary == "" && r.content == "" {
		r.summary = r.mediaText
		n.texts[noteSummary].plain = !looksLikeHTML([]byte(r.mediaText))
	}
	body.Origin, texts[2] = c.origin(&r.origin, [3]textNote{}, base) // its text is not the item's
	c.text, c.targets = c.text[:0], c.targets[:0]
	texts[0] = c.sanitiseText(r.summary, n.texts[noteSummary], within)
	summaryEnd := len(c.text)
	texts[1] = c.sanitiseText(r.content, n.texts[noteContent], within)
	from := c.text[summaryEnd:]
	if it.Words = countWords(from); it.Words == 0 {
		it.Words = countWords(c.text)
	}
	if it.Lead = lead(c.text[:summaryEnd], store.LeadBytes); it.Lead == "" {
		it.Lead = lead(from, store.LeadBytes)
	}

	it.Language = language(firstOf(r.language, n.texts[noteContent].lang, n.texts[noteSummary].lang, n.texts[noteTitle].lang, n.lang))
	it.Authors = cleanAuthors(r.authors, base)
	it.Categories = cleanCategories(r.categories)
	it.Enclosures = cleanEnclosures(r.enclosures, base)
	body.Pictures = cleanPictures(r.pictures, base)
	if len(body.Pictures) > 0 {
		it.Image = body.Pictures[0].URL
	}
	for _, e := range it.Enclosures {
		if it.Image == "" && strings.HasPrefix(e.Type, "image/") {
			it.Image = e.URL
		}
	}
	body.Podcast = cleanPodcast(r.podcast, base)
	body.Comments = absoluteLink(base, r.comments)
	body.Rights, body.License = oneLine(plain(r.rights), maxTitle), absoluteLink(base, r.license)
	body.Published, body.Updated = r.published, r.updated
	return texts
}

func (c *cleaner) sanitiseText(s string, n textNote, base *url.URL) unfinished {
	if s == "" {
		return unfinished{}
	}
	if len(s) > maxText {
		s = s[:maxText]
		for !utf8.ValidString(s[max(0, len(s)-utf8.UTFMax):]) && len(s) > 0 {
			s = s[:len(s)-1]
		}
		if i := strings.LastIndexByte(s, '<'); !n.plain && i > strings.LastIndexByte(s, '>') {
			s = s[:i]
		}
	}
	if n.plain {
		s = strings.ReplaceAll(escaper.Replace(s), "\n", "<br>\n")
	}
	if n.base != nil {
		base = n.base
	}
	return c.sanitise(s, base)
}

// hash sets the hashes by which the store knows that an item changed.
func (c *cleaner) hash(a *store.Arrival) {
	it := &a.Item
	c.add(it.Title) // on one line already; what is left of white space may be what was corrected
	c.words(c.text)
	c.add(a.Canonical)
	it.Text = c.sum()
	for _, e := range it.Enclosures {
		c.add(withoutQuery(e.URL))
		c.add(e.Type)
		c.add(e.Title)
	}
	c.add(withoutQuery(it.Image))
	for _, p := range a.Body.Pictures {
		c.add(withoutQuery(p.URL))
		c.add(p.Caption)
	}
	for _, p := range it.Authors {
		c.add(p.Name)
		c.add(p.Email)
		c.add(p.URL)
	}
	for _, g := range it.Categories {
		c.add(g.Term)
		c.add(g.Scheme)
		c.add(g.Label)
	}
	c.add(it.Language)
	c.add(a.Body.Rights)
	c.add(a.Body.License)
	c.add(a.Body.Origin.Title)
	c.add(a.Body.Origin.Link)
	c.podcast(&a.Body.Podcast)
	for _, t := range c.targets {
		c.add(withoutQuery(t))
	}
	it.Rest = c.sum()
}

// withoutQuery is an address without what changes with each poll: sizes, signatures, sessions.
func withoutQuery(address string) string {
	address, _, _ = strings.Cut(address, "?")
	return address
}

func cleanAuthors(raw []store.Author, base *url.URL) []store.Author {
	var authors []store.Author
	for _, p := range raw {
		p.Name, p.Email = oneLine(plain(p.Name), 200), strings.TrimSpace(clean(p.Email))
		if p.URL = absoluteLink(base, p.URL); !emailAddress.MatchString(p.Email) {
			p.Email = ""
		}
		if p.Name == "" {
			_, p.Name, _ = strings.Cut(p.URL, "://")
		}
		if p.Name == "" {
			p.Name, _, _ = strings.Cut(p.Email, "@")
		}
		if p.Name == "" || slices.ContainsFunc(authors, func(o store.Author) bool { return o.Name == p.Name }) {
			continue
		}
		if authors = append(authors, p); len(authors) == maxFew {
			break
		}
	}
	return authors
}

const maxFew = 100 // authors, categories, enclosures of one item

var emailAddress = regexp.MustCompile(`^[^\s@<>()]{1,100}@[^\s@<>()]+\.[^\s@<>()]{1,63}$`)

// personFromText reads "mail@example.org (Name)", "Name (mail@example.org)" and "Name <mail@example.org>".
func personFromText(s string) store.Author {
	s = strings.ReplaceAll(strings.TrimSpace(plain(s)), "mailto:", "")
	at := strings.IndexByte(s, '@')
	if at < 0 {
		return store.Author{Name: html.EscapeString(s)}
	}
	from, to := at, at
	for from > 0 && !strings.ContainsRune(" (<[,;:", rune(s[from-1])) {
		from--
	}
	for to < len(s) && !strings.ContainsRune(" ()<>[],;", rune(s[to])) {
		to++
	}
	email := s[from:to]
	if !emailAddress.MatchString(email) {
		return store.Author{Name: html.EscapeString(s)}
	}
	name := strings.Trim(s[:from]+s[to:], " ()<>[],;:\"-")
	return store.Author{Name: html.EscapeString(name), Email: email}
}

func cleanCategories(raw []store.Category) []store.Category {
	var categories []store.Category
	for _, c := range raw {
		c.Term, c.Label = oneLine(plain(c.Term), 200), oneLine(plain(c.Label), 200)
		c.Scheme = oneLine(c.Scheme, 200)
		if c.Term == "" {
			c.Term = c.Label
		}
		if c.Label == c.Term {
			c.Label = ""
		}
		same := func(o store.Category) bool { return o.Term == c.Term && o.Scheme == c.Scheme }
		if c.Term == "" || slices.ContainsFunc(categories, same) {
			continue
		}
		if categories = append(categories, c); len(categories) == maxFew {
			break
		}
	}
	return categories
}

func cleanEnclosures(raw []store.Enclosure, base *url.URL) []store.Enclosure {
	var enclosures []store.Enclosure
	for _, e := range raw {
		e.URL = absoluteLink(base, e.URL)
		if e.URL == "" || slices.ContainsFunc(enclosures, func(o store.Enclosure) bool { return o.URL == e.URL }) {
			continue
		}
		e.Length, e.Title = max(e.Length, 0), oneLine(plain(e.Title), maxTitle)
		e.Type = strings.ToLower(strings.TrimSpace(e.Type))
		if !mediaType.MatchString(e.Type) {
			e.Type = typeByName(e.URL)
		}
		if enclosures = append(enclosures, e); len(enclosures) == maxFew {
			break
		}
	}
	return enclosures
}

var mediaType = regexp.MustCompile(`^[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,80}$`)

// mediaTypes are those of the files that feeds enclose; what the machine knows of others differs.
var mediaTypes = map[string]string{
	".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".aac": "audio/aac", ".ogg": "audio/ogg", ".oga": "audio/ogg", ".opus": "audio/opus",
	".wav": "audio/wav", ".flac": "audio/flac", ".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm", ".mov": "video/quicktime",
	".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".webp": "image/webp", ".avif": "image/avif",
	".svg": "image/svg+xml", ".pdf": "application/pdf", ".epub": "application/epub+zip", ".torrent": "application/x-bittorrent",
}

func typeByName(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return mediaTypes[strings.ToLower(path.Ext(u.Path))]
}

var languageTag = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,4}$`)

// language is s in the spelling of BCP 47 (RFC 5646 §2.1.1): "en", "en-GB", "zh-Hant-TW"; "" if it is none.
func language(s string) string {
	s = strings.ReplaceAll(strings.TrimSpace(s), "_", "-")
	if !languageTag.MatchString(s) {
		return ""
	}
	parts := strings.Split(strings.ToLower(s), "-")
	for i, p := range parts[1:] {
		switch len(p) {
		case 2:
			parts[i+1] = strings.ToUpper(p)
		case 4:
			parts[i+1] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	if parts[0] == "und" || parts[0] == "mul" || parts[0] == "zxx" {
		return ""
	}
	return strings.Join(parts, "-")
}

// permalink is a guid that is an address.
func permalink(guid string) string {
	if guid = strings.TrimSpace(guid); strings.HasPrefix(guid, "http://") || strings.HasPrefix(guid, "https://") {
		return guid
	}
	return ""
}
