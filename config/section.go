package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

func (c checker) sections() {
	if len(c.cfg.Sections) == 0 && c.allThere {
		c.warn("section", "there is no section, so nothing is published; add a [[section]] block")
	}
	known := c.references()
	slugs := map[string]string{}
	for i, s := range c.cfg.Sections {
		at := fmt.Sprintf("section[%d]", i)
		if slices.Contains(reserved, s.Slug) {
			c.problem(at+".slug", "%s is reserved, its address is taken; choose another, such as %s", quote(s.Slug), quote(s.Slug+"-news"))
		} else {
			c.name(at+".slug", s.Slug, "slug", sectionSlug, "a-z, 0-9 and -", slugFrom(cmp.Or(c.raw(at+".slug"), c.raw(at+".title"))), slugs)
		}
		for j, entry := range s.From {
			path := fmt.Sprintf("%s.from[%d]", at, j)
			if fault := known.fault(entry, c.raw(path)); fault != "" && c.allThere {
				c.problem(path, "%s", fault)
			}
			if shown, ok := known.feeds[entry]; ok {
				c.cfg.Sections[i].From[j] = shown
			}
		}
		for j, tag := range s.Languages {
			c.language(fmt.Sprintf("%s.languages[%d]", at, j), tag)
		}
		c.choice(at+".languages_unknown", s.Unknown, "keep", "drop")
		c.itunes(at+".itunes", &c.cfg.Sections[i].Itunes)
		c.choice(at+".stories", s.Stories, "merge", "link", "keep")
		c.atLeast(at+".min_outlets", s.MinOutlets, 1)
		c.atLeast(at+".max_per_outlet", s.MaxPerOutlet, 0)
		if c.written(at + ".limit") {
			c.atLeast(at+".limit", s.Limit, 0)
		}
		if c.written(at + ".content") {
			c.choice(at+".content", s.Content, contents...)
		}
		if s.KeyFile != "" {
			c.cfg.Sections[i].KeyFile = c.absolute(s.KeyFile)
			c.key(&c.cfg.Sections[i], at+".key_file")
		}
	}
	c.formerSlugs(slugs)
}

// key reads the key of a private section.
func (c checker) key(s *Section, path string) {
	s.Key = c.secretFile(path, s.KeyFile, "key")
	if s.Key != "" && len(s.Key) < 16 {
		c.warn(path, "the key is short enough to be guessed; write one of 16 characters or more, such as `openssl rand -hex 16` makes")
	}
}

// references is what an entry of a section's from may name.
type references struct {
	ids, tags, feeds map[string]string // by value: as the file has it
}

func (c checker) references() references {
	r := references{map[string]string{}, map[string]string{}, map[string]string{}}
	tags := func(path string, tags []string) {
		for i, tag := range tags {
			r.tags["tag:"+tag] = "tag:" + c.raw(fmt.Sprintf("%s.tags[%d]", path, i))
		}
	}
	for i, o := range c.cfg.Outlets {
		at := fmt.Sprintf("outlet[%d]", i)
		r.ids[o.ID] = c.raw(at + ".id")
		tags(at, o.Tags)
		for j, f := range o.Feeds {
			r.feeds[f.URL] = f.Shown
			tags(fmt.Sprintf("%s.feed[%d]", at, j), f.Tags)
		}
	}
	return r
}

// fault says what is wrong with an entry of from, or "".
func (r references) fault(entry, raw string) string {
	word, among := "no outlet has the id "+quote(raw), r.ids
	switch tag, isTag := strings.CutPrefix(raw, "tag:"); {
	case isTag:
		word, among = "no outlet or feed has the tag "+quote(tag), r.tags
	case strings.Contains(raw, "://"):
		word, among = "no outlet has the feed "+quote(raw), r.feeds
	case r.ids[entry] == "" && r.tags["tag:"+entry] != "":
		return fmt.Sprintf("%s; did you mean %s?", word, quote("tag:"+entry))
	}
	if among[entry] != "" {
		return ""
	}
	names := slices.Sorted(maps.Values(among))
	near := nearest(raw, names)
	switch {
	case near != "":
		return fmt.Sprintf("%s; did you mean %s?", word, quote(near))
	case len(names) == 0:
		return word + "; there is none yet"
	case len(names) > 10:
		return fmt.Sprintf("%s; known are %s and %d more", word, strings.Join(names[:10], ", "), len(names)-10)
	}
	return word + "; known are " + strings.Join(names, ", ")
}
