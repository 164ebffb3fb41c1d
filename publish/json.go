package publish

import (
	"bytes"
	"encoding/json"
	"time"

	"broadsheet/store"
)

// What JSON Feed 1.1 needs beside gorilla/feeds' structs: https://www.jsonfeed.org/version/1.1/
type (
	jsonFeed struct {
		jsonFeedBase
		Items []jsonItem `json:"items"` // required even when there are none
	}
	jsonItem struct {
		jsonItemBase
		Language    string           `json:"language,omitempty"`
		Attachments []jsonAttachment `json:"attachments,omitempty"`
		Source      jsonSource       `json:"_source"`
		AlsoIn      []jsonAlso       `json:"_also_in,omitempty"`
		Podcast     *jsonPodcast     `json:"_podcast,omitempty"`
	}
	jsonAttachment struct {
		URL      string `json:"url"`
		Type     string `json:"mime_type"`
		Title    string `json:"title,omitempty"`
		Size     int64  `json:"size_in_bytes,omitempty"`
		Duration int    `json:"duration_in_seconds,omitempty"`
	}
	// jsonPodcast is what Podcasting 2.0 says of an episode, under its own names: our extension, explained at About.
	jsonPodcast struct {
		About       string            `json:"about"`
		Season      int               `json:"season,omitempty"`
		Episode     string            `json:"episode,omitempty"`
		Type        string            `json:"type,omitempty"`
		Explicit    string            `json:"explicit,omitempty"`
		Chapters    *jsonPodcastFile  `json:"chapters,omitempty"`
		Transcripts []jsonPodcastFile `json:"transcripts,omitempty"`
	}
	jsonPodcastFile struct {
		URL      string `json:"url"`
		Type     string `json:"mime_type"`
		Language string `json:"language,omitempty"`
	}
	// jsonSource says where an item comes from: our extension, explained at About.
	jsonSource struct {
		About   string   `json:"about"`
		Outlet  string   `json:"outlet"` // the outlet's id
		Title   string   `json:"title"`
		URL     string   `json:"url,omitempty"`
		FeedURL string   `json:"feed_url"`
		ID      string   `json:"id,omitempty"` // the outlet's own where it differs
		Rights  string   `json:"rights,omitempty"`
		Via     *jsonVia `json:"via,omitempty"` // where the outlet says that it has the item from
	}
	jsonVia struct {
		Title string `json:"title,omitempty"`
		URL   string `json:"url"`
	}
	jsonAlso struct {
		Outlet string `json:"outlet"`
		Title  string `json:"title"`
		Link   string `json:"url,omitempty"`
	}
)

// aboutSource names what _source is modelled on (RFC 4287 §4.2.11).
const aboutSource = "https://www.rfc-editor.org/rfc/rfc4287#section-4.2.11"

// A jsonRendering renders a list as JSON Feed 1.1.
type jsonRendering struct {
	p     *Publisher
	l     *list
	items *jsonEntries
}

func (r *jsonRendering) add(e *listed) { r.items.add(jsonItemOf(r.p.inFeeds(e))) }

func (r *jsonRendering) document() *Document {
	p, l := r.p, r.l
	author := &jsonAuthor{Name: line(p.pub.Title), Url: p.url("")}
	feed := jsonFeed{Items: []jsonItem{}}
	feed.Version = "https://jsonfeed.org/version/1.1"
	feed.Title = l.Title
	feed.Description = l.Description
	feed.Language = languageTag(p.pub.Language)
	feed.HomePageUrl = p.address(l, l.Path, ".html")
	feed.FeedUrl = p.address(l, l.Path, ".json")
	feed.Icon, feed.Favicon = p.url("icon.png"), p.url("favicon.png")
	if l.Prev != "" {
		feed.NextUrl = p.address(l, l.Prev, ".json")
	}
	if hub := p.hub(l); hub != "" {
		feed.Hubs = []*jsonHub{{Type: "WebSub", Url: hub}}
	}
	feed.Authors = []*jsonAuthor{author}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(feed); err != nil {
		panic("publish: " + err.Error()) // strings always can be written
	}
	return p.feedDocument(l, "json", typeJSON, r.items.in(b.Bytes()))
}

func jsonItemOf(e *listed) jsonItem {
	published, updated := e.Published.Truncate(time.Second), e.Updated
	out := jsonItem{
		Language: e.Language,
		Source: jsonSource{
			About: aboutSource, Outlet: e.Outlet.ID, Title: line(e.Outlet.Name), URL: Address(e.Outlet.URL),
			FeedURL: Address(e.Feed.Shown), ID: e.GUID, Rights: e.Source.Rights,
		},
	}
	out.Id = e.ID
	out.Url = e.Link
	out.Title = e.Title
	out.PublishedDate, out.ModifiedDate = &published, &updated
	out.Image = e.Image
	switch {
	case e.Content != "":
		out.ContentHTML, out.Summary = e.Content, plain(e.Summary)
	case e.Summary != "":
		out.ContentHTML = e.Summary
	default:
		out.ContentText = e.Title // one of the two is required
	}
	for _, a := range e.Authors {
		out.Authors = append(out.Authors, &jsonAuthor{Name: a.Name, Url: a.URL})
	}
	for _, t := range e.Tags {
		out.Tags = append(out.Tags, t.Term)
	}
	for _, f := range e.Files {
		out.Attachments = append(out.Attachments, jsonAttachment{f.URL, f.Type, f.Title, f.Length, seconds(f.Duration)})
	}
	if v := e.Via; v.Link != "" {
		out.Source.Via = &jsonVia{v.Title, v.Link}
	}
	out.Podcast = jsonPodcastOf(&e.Podcast)
	for _, a := range e.Also {
		out.AlsoIn = append(out.AlsoIn, jsonAlso(a))
	}
	return out
}

// jsonPodcastOf is nil for what is no episode.
func jsonPodcastOf(p *store.Podcast) *jsonPodcast {
	out := jsonPodcast{Season: p.Season, Episode: p.Episode, Type: p.Type, Explicit: p.Explicit}
	if c := p.Chapters; c.URL != "" {
		out.Chapters = &jsonPodcastFile{URL: c.URL, Type: c.Type}
	}
	for _, f := range p.Transcripts {
		out.Transcripts = append(out.Transcripts, jsonPodcastFile{f.URL, f.Type, f.Language})
	}
	if out.Season == 0 && out.Episode+out.Type+out.Explicit == "" && out.Chapters == nil && out.Transcripts == nil {
		return nil
	}
	out.About = spacePodcast
	return &out
}
