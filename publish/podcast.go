package publish

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
	"time"

	"broadsheet/store"
)

// An Itunes is what directories of podcasts want to know of a feed before they list it. The zero Itunes is of a section
// that is no podcast: then its items carry nothing of that vocabulary either, since validators take them at their word.
type Itunes struct {
	Author, Owner, Email  string
	Category, Subcategory string // as Apple names them: "News", "Politics"
	Image                 string // address of a square picture, 1,400 to 3,000 pixels wide
	Type                  string // "episodic", "serial"; "" is not said
	Explicit              bool
}

// The vocabularies of podcasts: https://github.com/Podcastindex-org/podcast-namespace and
// https://podcasters.apple.com/support/823-podcast-requirements.
const (
	spacePodcast = "https://podcastindex.org/namespace/1.0"
	spaceItunes  = "http://www.itunes.com/dtds/podcast-1.0.dtd"
	spaceMedia   = "http://search.yahoo.com/mrss/"
)

type (
	// episode is what Podcasting 2.0 says of an item. Readers that know nothing of it pass it over, so it is always there.
	episode struct {
		Season      *podcastSeason  `xml:"podcast:season"`
		Episode     *podcastNumber  `xml:"podcast:episode"`
		Chapters    *podcastFile    `xml:"podcast:chapters"`
		Transcripts []podcastFile   `xml:"podcast:transcript"`
		Persons     []podcastPerson `xml:"podcast:person"`
	}
	podcastSeason struct {
		Name   string `xml:"name,attr,omitempty"`
		Number int    `xml:",chardata"`
	}
	podcastNumber struct {
		Display string `xml:"display,attr,omitempty"`
		Number  string `xml:",chardata"`
	}
	podcastFile struct {
		URL      string `xml:"url,attr"`
		Type     string `xml:"type,attr"`
		Language string `xml:"language,attr,omitempty"`
		Rel      string `xml:"rel,attr,omitempty"`
	}
	podcastPerson struct {
		Role  string `xml:"role,attr,omitempty"`
		Group string `xml:"group,attr,omitempty"`
		Image string `xml:"img,attr,omitempty"`
		URL   string `xml:"href,attr,omitempty"`
		Name  string `xml:",innerxml"`
	}

	itunesItem struct {
		Title    *charData    `xml:"itunes:title"`
		Duration int          `xml:"itunes:duration,omitempty"` // seconds
		Season   int          `xml:"itunes:season,omitempty"`
		Episode  string       `xml:"itunes:episode,omitempty"`
		Type     string       `xml:"itunes:episodeType,omitempty"`
		Explicit string       `xml:"itunes:explicit,omitempty"`
		Block    string       `xml:"itunes:block,omitempty"`
		Image    *itunesImage `xml:"itunes:image"`
	}
	itunesChannel struct {
		Author   *charData       `xml:"itunes:author"`
		Owner    *itunesOwner    `xml:"itunes:owner"`
		Image    *itunesImage    `xml:"itunes:image"`
		Category *itunesCategory `xml:"itunes:category"`
		Explicit string          `xml:"itunes:explicit,omitempty"`
		Type     string          `xml:"itunes:type,omitempty"`
	}
	itunesOwner struct {
		Name  *charData `xml:"itunes:name"`
		Email string    `xml:"itunes:email"`
	}
	itunesCategory struct {
		Text string          `xml:"text,attr"`
		Sub  *itunesCategory `xml:"itunes:category"`
	}
	itunesImage struct {
		Href string `xml:"href,attr"`
	}
)

// cleanPodcast is what may stand in a document of what an outlet says of an episode.
func cleanPodcast(p store.Podcast) store.Podcast {
	out := store.Podcast{
		Title: plainLine(p.Title), Season: max(p.Season, 0), SeasonName: label(p.SeasonName), EpisodeName: label(p.EpisodeName),
		Duration: max(p.Duration, 0), Image: Address(p.Image), Blocked: p.Blocked, Chapters: cleanFile(p.Chapters),
	}
	if episodeNumber.MatchString(p.Episode) {
		out.Episode = p.Episode
	}
	if p.Type == "full" || p.Type == "trailer" || p.Type == "bonus" {
		out.Type = p.Type
	}
	if p.Explicit == "true" || p.Explicit == "false" {
		out.Explicit = p.Explicit
	}
	for _, f := range p.Transcripts {
		if f = cleanFile(f); f.URL != "" {
			out.Transcripts = append(out.Transcripts, f)
		}
	}
	for _, who := range p.Persons {
		who = store.PodcastPerson{Name: plainLine(who.Name), Role: label(who.Role), Group: label(who.Group), Image: Address(who.Image), URL: Address(who.URL)}
		if who.Name != "" {
			out.Persons = append(out.Persons, who)
		}
	}
	return out
}

func cleanFile(f store.PodcastFile) store.PodcastFile {
	f.URL = Address(f.URL)
	if f.URL == "" {
		return store.PodcastFile{}
	}
	f.Type, f.Language = mediaType(store.Enclosure{URL: f.URL, Type: f.Type}), languageTag(f.Language)
	if f.Rel != "captions" {
		f.Rel = ""
	}
	return f
}

var (
	episodeNumber = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,9})?$`)
	wholeNumber   = regexp.MustCompile(`^[1-9][0-9]{0,8}$`)
)

func episodeOf(p *store.Podcast) (e episode) {
	if p.Season > 0 {
		e.Season = &podcastSeason{p.SeasonName, p.Season}
	}
	if p.Episode != "" {
		e.Episode = &podcastNumber{p.EpisodeName, p.Episode}
	}
	if c := p.Chapters; c.URL != "" {
		e.Chapters = &podcastFile{URL: c.URL, Type: c.Type}
	}
	for _, f := range p.Transcripts {
		e.Transcripts = append(e.Transcripts, podcastFile(f))
	}
	for _, who := range p.Persons {
		e.Persons = append(e.Persons, podcastPerson{Role: strings.ToLower(who.Role), Group: strings.ToLower(who.Group), Image: who.Image, URL: who.URL, Name: hexEscape.Replace(who.Name)})
	}
	return e
}

// empty reports whether e says nothing.
func (e *episode) empty() bool {
	return e.Season == nil && e.Episode == nil && e.Chapters == nil && e.Transcripts == nil && e.Persons == nil
}

// itunesOf is an item in the vocabulary of iTunes; empty if its file is none that directories of podcasts take.
func itunesOf(e *listed) (it itunesItem) {
	if len(e.Files) == 0 {
		return it
	}
	for _, f := range e.Files {
		if !itunesFile.MatchString(f.URL) {
			return it
		}
	}
	p := &e.Podcast
	it = itunesItem{Title: optional(p.Title), Duration: seconds(cmp.Or(p.Duration, e.Files[0].Duration)), Season: p.Season, Type: p.Type, Explicit: p.Explicit}
	if wholeNumber.MatchString(p.Episode) {
		it.Episode = p.Episode
	}
	if p.Blocked {
		it.Block = "Yes"
	}
	if enclosureForm.MatchString(p.Image) {
		it.Image = &itunesImage{p.Image}
	}
	return it
}

// itunesFile is an address of a file of a kind that Apple lists.
var itunesFile = regexp.MustCompile(`\.(m4a|mp3|mov|mp4|m4v|pdf|epub)$`)

func (c *Itunes) channel() (out itunesChannel) {
	if *c == (Itunes{}) {
		return out
	}
	out = itunesChannel{
		Author: optional(plainLine(c.Author)), Owner: &itunesOwner{optional(plainLine(c.Owner)), c.Email},
		Category: &itunesCategory{Text: c.Category}, Explicit: strconv.FormatBool(c.Explicit), Type: c.Type,
	}
	if c.Subcategory != "" {
		out.Category.Sub = &itunesCategory{Text: c.Subcategory}
	}
	if image := Address(c.Image); enclosureForm.MatchString(image) {
		out.Image = &itunesImage{image}
	}
	return out
}

func seconds(d time.Duration) int { return int(d / time.Second) }
