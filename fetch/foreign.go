package fetch

import (
	"strconv"
	"strings"
	"time"

	"broadsheet/store"
)

// readForeign reads what RSS and Atom items carry in the same elements of other vocabularies.
func (r *rawItem) readForeign(x foreign) {
	r.categories = append(r.categories, categoriesIn(x)...)
	r.readMedia(x["media"])
	for _, e := range x["itunes"]["image"] {
		r.podcast.Image = firstOf(r.podcast.Image, e.Attrs["href"], e.Attrs["url"], e.Value)
		r.picture(firstOf(e.Attrs["href"], e.Attrs["url"], e.Value), "", "")
	}
	r.readPodcast(x["itunes"], x["podcast"])
}

// authorsIn are those that feeds and items name in other elements than their format's own.
func authorsIn(x foreign) []store.Author {
	var authors []store.Author
	for _, key := range []struct{ space, name string }{{"dc", "author"}, {"dc", "creator"}} {
		for _, e := range x[key.space][key.name] {
			authors = append(authors, personFromText(e.Value))
		}
	}
	for _, a := range x["atom"]["author"] {
		authors = append(authors, store.Author{Name: child(a, "name"), Email: child(a, "email"), URL: firstOf(child(a, "uri"), child(a, "url"))})
	}
	for _, e := range x["itunes"]["author"] {
		authors = append(authors, personFromText(e.Value))
	}
	if len(authors) == 0 {
		for _, e := range x["dc"]["contributor"] {
			authors = append(authors, personFromText(e.Value))
		}
	}
	return authors
}

func categoriesIn(x foreign) []store.Category {
	var categories []store.Category
	for _, e := range x["dc"]["subject"] {
		categories = append(categories, store.Category{Term: e.Value})
	}
	for _, e := range x["atom"]["category"] {
		categories = append(categories, literal(e.Attrs["term"], e.Attrs["scheme"], e.Attrs["label"]))
	}
	categories = mediaCategories(categories, x["media"])
	for _, e := range x["itunes"]["keywords"] {
		categories = listed(categories, e.Value)
	}
	for _, e := range x["itunes"]["category"] {
		categories = append(categories, literal(e.Attrs["text"], "", ""))
		for _, inner := range e.Children["category"] {
			categories = append(categories, literal(inner.Attrs["text"], "", ""))
		}
	}
	return categories
}

// mediaCategories adds those of Media RSS, also of its files and groups of files.
func mediaCategories(categories []store.Category, m map[string][]element) []store.Category {
	for _, e := range m["category"] {
		categories = append(categories, store.Category{Term: e.Value, Scheme: e.Attrs["scheme"], Label: e.Attrs["label"]})
	}
	for _, e := range m["keywords"] {
		categories = listed(categories, e.Value)
	}
	for _, holders := range [][]element{m["group"], m["content"]} {
		for _, e := range holders {
			categories = mediaCategories(categories, e.Children)
		}
	}
	return categories
}

// listed adds the words of a list that stands in one element.
func listed(categories []store.Category, list string) []store.Category {
	if list == "" {
		return categories
	}
	for word := range strings.SplitSeq(list, ",") {
		categories = append(categories, store.Category{Term: word})
	}
	return categories
}

// licenseIn is the address of a licence: Atom's link (RFC 4946), Creative Commons' elements.
func licenseIn(x foreign) string {
	for _, l := range x["atom"]["link"] {
		if l.Attrs["rel"] == "license" {
			return l.Attrs["href"]
		}
	}
	for _, e := range x["cc"]["license"] {
		if e.Attrs["resource"] != "" {
			return e.Attrs["resource"]
		}
	}
	return firstOf(first(x, "creativecommons", "license"), first(x, "cc", "license"))
}

// readMedia reads Media RSS: pictures, the widest first, and files.
func (r *rawItem) readMedia(m map[string][]element) {
	widest := -1
	for _, c := range m["content"] {
		kind := firstOf(c.Attrs["medium"], c.Attrs["type"], typeByName(c.Attrs["url"]))
		switch {
		case strings.HasPrefix(kind, "image"):
			r.picture(c.Attrs["url"], c.Attrs["width"], c.Attrs["height"])
			if n := len(r.pictures) - 1; n >= 0 {
				p := r.pictures[n]
				p.Caption, p.Credit = firstOf(child(c, "description"), child(c, "title")), child(c, "credit")
				if r.pictures[n] = p; p.Width > widest {
					widest = p.Width
					copy(r.pictures[1:], r.pictures[:n])
					r.pictures[0] = p
				}
			}
		case c.Attrs["url"] == "", strings.Contains(kind, "flash"): // which acts, and which nothing plays any more
		case kind == "":
			r.picture(c.Attrs["url"], c.Attrs["width"], c.Attrs["height"])
		default:
			r.enclose(c.Attrs["url"], c.Attrs["type"], c.Attrs["fileSize"], child(c, "title"), c.Attrs["duration"])
		}
		r.readMedia(c.Children)
	}
	for _, g := range m["group"] {
		r.readMedia(g.Children)
		for _, d := range g.Children["description"] {
			r.mediaText = d.Value
		}
	}
	for _, d := range m["description"] {
		r.mediaText = firstOf(r.mediaText, d.Value)
	}
	for _, e := range m["thumbnail"] {
		r.picture(firstOf(e.Attrs["url"], e.Value), e.Attrs["width"], e.Attrs["height"])
	}
	for _, e := range m["url"] {
		r.picture(e.Value, "", "")
	}
}

func (r *rawItem) picture(address, width, height string) {
	if address == "" {
		return
	}
	w, _ := strconv.Atoi(width)
	h, _ := strconv.Atoi(height)
	r.pictures = append(r.pictures, store.Picture{URL: address, Width: w, Height: h})
}

func (r *rawItem) enclose(address, kind, length, title, seconds string) {
	n, _ := strconv.ParseInt(strings.TrimSpace(length), 10, 64)
	r.enclosures = append(r.enclosures, store.Enclosure{URL: address, Type: kind, Length: n, Title: title, Duration: playingTime(seconds)})
}

// readPodcast reads the vocabularies of iTunes and of Podcasting 2.0.
func (r *rawItem) readPodcast(itunes, podcast map[string][]element) {
	if len(itunes) == 0 && len(podcast) == 0 {
		return
	}
	p := &r.podcast
	text := func(space map[string][]element, name string) string {
		for _, e := range space[name] {
			if e.Value != "" {
				return e.Value
			}
		}
		return ""
	}
	p.Title, p.Type = text(itunes, "title"), strings.ToLower(text(itunes, "episodetype"))
	p.Duration = playingTime(text(itunes, "duration"))
	p.Episode, p.Blocked = text(itunes, "episode"), strings.EqualFold(text(itunes, "block"), "yes")
	season := text(itunes, "season")
	switch strings.ToLower(text(itunes, "explicit")) {
	case "yes", "true", "explicit":
		p.Explicit = "true"
	case "no", "false", "clean":
		p.Explicit = "false"
	}
	for _, e := range podcast["episode"] {
		p.Episode, p.EpisodeName = firstOf(e.Value, p.Episode), e.Attrs["display"]
	}
	for _, e := range podcast["season"] {
		season, p.SeasonName = firstOf(e.Value, season), e.Attrs["name"]
	}
	p.Season, _ = strconv.Atoi(season)
	for _, e := range podcast["chapters"] {
		p.Chapters = podcastFile(e)
	}
	for _, e := range podcast["transcript"] {
		p.Transcripts = append(p.Transcripts, podcastFile(e))
	}
	for _, e := range podcast["person"] {
		p.Persons = append(p.Persons, store.PodcastPerson{Name: e.Value, Role: e.Attrs["role"], Group: e.Attrs["group"], Image: e.Attrs["img"], URL: e.Attrs["href"]})
	}
}

func podcastFile(e element) store.PodcastFile {
	return store.PodcastFile{URL: e.Attrs["url"], Type: e.Attrs["type"], Language: e.Attrs["language"], Rel: e.Attrs["rel"]}
}

// playingTime reads a duration: "3723", "62:03", "1:02:03". 0 if s is none, or longer than a week.
func playingTime(s string) time.Duration {
	if s = strings.TrimSpace(s); s == "" {
		return 0
	}
	whole, _, _ := strings.Cut(s, ".")
	seconds := 0
	for part := range strings.SplitSeq(whole, ":") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < 0 || n > 7*24*3600 {
			return 0
		}
		if seconds = 60*seconds + n; seconds > 7*24*3600 {
			return 0
		}
	}
	return time.Duration(seconds) * time.Second
}

// first is the text of the first such element that has one.
func first(x foreign, space, name string) string {
	for _, e := range x[space][name] {
		if e.Value != "" {
			return e.Value
		}
	}
	return ""
}

func child(e element, name string) string {
	for _, c := range e.Children[name] {
		return c.Value
	}
	return ""
}
