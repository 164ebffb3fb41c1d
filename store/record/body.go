package record

import (
	"encoding/binary"
	"fmt"
	"time"

	"broadsheet/store"
)

// appendBody appends what decodeBody reads, but for the layout's byte, which Pack writes.
func appendBody(b []byte, body *store.Body) []byte {
	b = appendString(b, body.Summary)
	b = appendString(b, body.Content)
	b = appendString(b, body.Comments)
	b = appendString(b, body.Rights)
	b = appendString(b, body.License)
	b = appendTime(b, body.Published)
	b = appendTime(b, body.Updated)
	b = binary.AppendUvarint(b, uint64(len(body.Pictures)))
	for _, p := range body.Pictures {
		b = appendString(b, p.URL)
		b = binary.AppendVarint(binary.AppendVarint(b, int64(p.Width)), int64(p.Height))
		b = appendString(appendString(b, p.Caption), p.Credit)
	}
	b = appendOrigin(b, &body.Feed)
	b = appendOrigin(b, &body.Origin)
	b = appendPodcast(b, &body.Podcast)
	if body.Secret { // few are
		b = append(b, 1)
	}
	return b
}

func decodeBody(id store.ItemID, s string) (store.Body, error) {
	r := reader{s: s}
	b := store.Body{Item: id, Summary: r.string(), Content: r.string(), Comments: r.string(), Rights: r.string(), License: r.string(),
		Published: r.time(), Updated: r.time()}
	b.Pictures = list(&r, func(r *reader) store.Picture {
		return store.Picture{URL: r.string(), Width: int(r.varint()), Height: int(r.varint()), Caption: r.string(), Credit: r.string()}
	})
	b.Feed, b.Origin, b.Podcast = r.origin(), r.origin(), r.podcast()
	if r.s != "" {
		if b.Secret = r.present(); !b.Secret { // never written so
			r.fail(ErrDamaged)
		}
	}
	if err := r.end(); err != nil {
		return store.Body{}, fmt.Errorf("body of item %d: %w", id, err)
	}
	return b, nil
}

// appendOrigin appends o, in one byte if there is none: most items name no origin.
func appendOrigin(b []byte, o *store.Origin) []byte {
	if o.Empty() {
		return append(b, 0)
	}
	b = append(b, 1)
	for _, s := range []string{o.ID, o.Title, o.Subtitle, o.Link, o.Feed, o.Image, o.Rights} {
		b = appendString(b, s)
	}
	return appendCategories(appendAuthors(appendTime(appendTime(b, o.Updated), o.Issued), o.Authors), o.Categories)
}

func (r *reader) origin() store.Origin {
	if !r.present() {
		return store.Origin{}
	}
	o := store.Origin{ID: r.string(), Title: r.string(), Subtitle: r.string(), Link: r.string(), Feed: r.string(), Image: r.string(), Rights: r.string(),
		Updated: r.time(), Issued: r.time(), Authors: r.authors(), Categories: r.categories()}
	if o.Empty() { // never written so
		r.fail(ErrDamaged)
	}
	return o
}

// appendPodcast appends p, in one byte if the item is no episode.
func appendPodcast(b []byte, p *store.Podcast) []byte {
	if p.Empty() {
		return append(b, 0)
	}
	b = append(b, 1)
	for _, s := range []string{p.Title, p.Type, p.SeasonName, p.Episode, p.EpisodeName, p.Explicit, p.Image} {
		b = appendString(b, s)
	}
	b = binary.AppendVarint(binary.AppendVarint(b, int64(p.Season)), int64(p.Duration))
	if p.Blocked {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	b = appendFile(b, p.Chapters)
	b = binary.AppendUvarint(b, uint64(len(p.Transcripts)))
	for _, f := range p.Transcripts {
		b = appendFile(b, f)
	}
	b = binary.AppendUvarint(b, uint64(len(p.Persons)))
	for _, q := range p.Persons {
		for _, s := range []string{q.Name, q.Role, q.Group, q.Image, q.URL} {
			b = appendString(b, s)
		}
	}
	return b
}

func (r *reader) podcast() store.Podcast {
	if !r.present() {
		return store.Podcast{}
	}
	p := store.Podcast{Title: r.string(), Type: r.string(), SeasonName: r.string(), Episode: r.string(), EpisodeName: r.string(),
		Explicit: r.string(), Image: r.string(), Season: int(r.varint()), Duration: time.Duration(r.varint()), Blocked: r.present(), Chapters: r.file()}
	p.Transcripts = list(r, (*reader).file)
	p.Persons = list(r, func(r *reader) store.PodcastPerson {
		return store.PodcastPerson{Name: r.string(), Role: r.string(), Group: r.string(), Image: r.string(), URL: r.string()}
	})
	if p.Empty() {
		r.fail(ErrDamaged)
	}
	return p
}

func appendFile(b []byte, f store.PodcastFile) []byte {
	return appendString(appendString(appendString(appendString(b, f.URL), f.Type), f.Language), f.Rel)
}

func (r *reader) file() store.PodcastFile {
	return store.PodcastFile{URL: r.string(), Type: r.string(), Language: r.string(), Rel: r.string()}
}

// present reads whether something follows.
func (r *reader) present() bool {
	switch r.take(1) {
	case "\x01":
		return true
	case "\x00":
		return false
	}
	r.fail(ErrDamaged)
	return false
}
