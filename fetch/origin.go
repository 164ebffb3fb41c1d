package fetch

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"broadsheet/store"
)

// origin cleans what a feed says of itself; its subtitle comes when all texts are finished.
func (c *cleaner) origin(r *rawOrigin, notes [3]textNote, base *url.URL) (store.Origin, unfinished) {
	o := store.Origin{
		ID: oneLine(r.id, maxLink), Title: title(r.title, notes[noteTitle].plain), Rights: oneLine(plain(r.rights), maxTitle),
		Link: absoluteLink(base, r.link), Feed: absoluteLink(base, r.self), Image: absoluteLink(base, r.image), Updated: r.updated, Issued: r.issued,
		Authors: cleanAuthors(r.authors, base), Categories: cleanCategories(r.categories),
	}
	c.text = c.text[:0]
	return o, c.sanitiseText(r.subtitle, notes[noteSummary], base)
}

// title is a title as plain text on one line. isPlain says that it is no HTML.
func title(s string, isPlain bool) string {
	if !isPlain {
		s = plain(s)
	}
	return oneLine(s, maxTitle)
}

func cleanPictures(raw []store.Picture, base *url.URL) []store.Picture {
	var pictures []store.Picture
	for _, p := range raw {
		p.URL = absoluteLink(base, p.URL)
		if p.URL == "" || isPixel(p.URL) || slices.ContainsFunc(pictures, func(o store.Picture) bool { return o.URL == p.URL }) {
			continue
		}
		p.Width, p.Height = max(p.Width, 0), max(p.Height, 0)
		p.Caption, p.Credit = oneLine(plain(p.Caption), maxTitle), oneLine(plain(p.Credit), 200)
		if pictures = append(pictures, p); len(pictures) == maxFew {
			break
		}
	}
	return pictures
}

var (
	decimal = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,9})?$`)
	word    = regexp.MustCompile(`^[a-z]{1,20}$`)
)

// cleanPodcast keeps of what an episode says of itself what has the form that it must have.
func cleanPodcast(p store.Podcast, base *url.URL) store.Podcast {
	if p.Empty() {
		return p
	}
	p.Title, p.SeasonName, p.EpisodeName = oneLine(plain(p.Title), maxTitle), oneLine(p.SeasonName, 200), oneLine(p.EpisodeName, 200)
	p.Image, p.Season = absoluteLink(base, p.Image), max(p.Season, 0)
	if p.Type != "full" && p.Type != "trailer" && p.Type != "bonus" {
		p.Type = ""
	}
	if !decimal.MatchString(p.Episode) {
		p.Episode = ""
	}
	p.Chapters = cleanFile(p.Chapters, base)
	p.Transcripts = few(p.Transcripts, func(f store.PodcastFile) (store.PodcastFile, bool) {
		f = cleanFile(f, base)
		return f, f.URL != ""
	})
	p.Persons = few(p.Persons, func(q store.PodcastPerson) (store.PodcastPerson, bool) {
		q.Name, q.Role, q.Group = oneLine(plain(q.Name), 200), oneLine(strings.ToLower(q.Role), 100), oneLine(strings.ToLower(q.Group), 100)
		q.Image, q.URL = absoluteLink(base, q.Image), absoluteLink(base, q.URL)
		return q, q.Name != ""
	})
	return p
}

// few are the elements that keep keeps, cleaned; no more than an item may have.
func few[T any](raw []T, keep func(T) (T, bool)) []T {
	var kept []T
	for _, v := range raw {
		if v, ok := keep(v); ok && len(kept) < maxFew {
			kept = append(kept, v)
		}
	}
	return kept
}

func cleanFile(f store.PodcastFile, base *url.URL) store.PodcastFile {
	if f.URL = absoluteLink(base, f.URL); f.URL == "" {
		return store.PodcastFile{}
	}
	if f.Type = strings.ToLower(strings.TrimSpace(f.Type)); !mediaType.MatchString(f.Type) {
		f.Type = ""
	}
	if f.Language = language(f.Language); !word.MatchString(f.Rel) {
		f.Rel = ""
	}
	return f
}

// podcast adds what an episode says of itself.
func (d *digest) podcast(p *store.Podcast) {
	if p.Empty() {
		return
	}
	for _, s := range []string{p.Title, p.Type, p.SeasonName, p.Episode, p.EpisodeName, p.Explicit, withoutQuery(p.Image), p.Duration.String(), withoutQuery(p.Chapters.URL)} {
		d.add(s)
	}
	for _, f := range p.Transcripts {
		d.add(withoutQuery(f.URL))
	}
	for _, q := range p.Persons {
		d.add(q.Name)
		d.add(q.Role)
	}
}
