package publish

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mmcdole/gofeed"
	"github.com/mmcdole/gofeed/atom"
	feedjson "github.com/mmcdole/gofeed/json"
	"github.com/mmcdole/gofeed/rss"

	"broadsheet/store"
)

// reading is what another program makes of an item.
type reading struct {
	ID, Title, Link, Summary, Text string
	Published, Updated             time.Time
	Authors, Tags, Files           []string // a tag with its scheme and label
	Source, SourceID, Rights       string
	Recordings                     []string // each file with its title and duration
	Episode, Itunes                []string // what the vocabularies of podcasts say, an element each

	// What gofeed does not tell.
	Pictures, Links    []string // each link with its relation
	Comments, Language string
}

// bars joins what belongs together.
func bars(parts ...string) string { return strings.Join(parts, "|") }

// without leaves a part of each line empty.
func without(lines []string, part int) (out []string) {
	for _, l := range lines {
		parts := strings.Split(l, "|")
		parts[part] = ""
		out = append(out, bars(parts...))
	}
	return out
}

func orNothing(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// episodeAttributes are those of the elements of Podcasting 2.0 that we write.
var episodeAttributes = map[string][]string{
	"season": {"name"}, "episode": {"display"}, "chapters": {"url", "type"}, "transcript": {"url", "type", "language", "rel"}, "person": {"role", "group", "img", "href"},
}

// episodeLines are the elements of Podcasting 2.0 that an episode needs: name, text, attributes.
func episodeLines(p *store.Podcast) (lines []string) {
	if p.Season > 0 {
		lines = append(lines, bars("season", strconv.Itoa(p.Season), p.SeasonName))
	}
	if p.Episode != "" {
		lines = append(lines, bars("episode", p.Episode, p.EpisodeName))
	}
	if c := p.Chapters; c.URL != "" {
		lines = append(lines, bars("chapters", "", c.URL, c.Type))
	}
	for _, f := range p.Transcripts {
		lines = append(lines, bars("transcript", "", f.URL, f.Type, f.Language, f.Rel))
	}
	for _, who := range p.Persons {
		lines = append(lines, bars("person", who.Name, who.Role, who.Group, who.Image, who.URL))
	}
	return lines
}

// sparse are such lines as feedparser has them: persons aside, of each name the last, and of one with attributes these alone.
func sparse(lines []string) (out []string) {
	last := map[string][]string{}
	for _, l := range lines {
		parts := strings.Split(l, "|")
		if strings.Join(parts[2:], "") != "" {
			parts[1] = ""
		}
		last[parts[0]] = parts
	}
	for _, name := range []string{"chapters", "episode", "season", "transcript"} {
		if last[name] != nil {
			out = append(out, bars(last[name]...))
		}
	}
	return out
}

// itunesValues are those of the elements of iTunes that an episode of a podcast needs; none of what is none.
func itunesValues(p *store.Podcast, files []store.Enclosure) []string {
	for _, f := range files {
		if strings.Contains(f.URL, "?") {
			return nil
		}
	}
	if len(files) == 0 {
		return nil
	}
	duration, episode, block := p.Duration, p.Episode, ""
	if duration == 0 {
		duration = files[0].Duration
	}
	if episode == "3.5" {
		episode = "" // whole numbers only
	}
	if p.Blocked {
		block = "Yes"
	}
	values := []string{orNothing(seconds(duration)), orNothing(p.Season), episode, p.Type, p.Explicit, block, p.Image}
	if strings.Join(values, "") == "" {
		return nil
	}
	return values
}

func readWithGofeed(t *testing.T, body []byte) (out []reading) {
	parser := gofeed.NewParser()
	parser.KeepOriginalFeed = true // for what formats do not share
	feed, err := parser.ParseString(string(body))
	if err != nil {
		t.Fatal(err)
	}
	for i, it := range feed.Items {
		r := reading{ID: it.GUID, Title: it.Title, Link: it.Link, Summary: it.Description, Text: firstText(it.Content, it.Description)}
		switch original := feed.OriginalFeed().(type) {
		case *rss.Feed:
			for _, c := range original.Items[i].Categories {
				r.Tags = append(r.Tags, bars(c.Value, c.Domain, ""))
			}
		case *atom.Feed:
			for _, c := range original.Entries[i].Categories {
				r.Tags = append(r.Tags, bars(c.Term, c.Scheme, c.Label))
			}
			for _, l := range original.Entries[i].Links {
				if l.Rel == "enclosure" {
					r.Recordings = append(r.Recordings, bars(l.Href, l.Title, ""))
				}
			}
		case *feedjson.Feed:
			for _, tag := range it.Categories {
				r.Tags = append(r.Tags, bars(tag, "", ""))
			}
			if original.Items[i].Attachments != nil {
				for _, a := range *original.Items[i].Attachments {
					r.Recordings = append(r.Recordings, bars(a.URL, a.Title, orNothing(int(a.DurationInSeconds))))
				}
			}
		}
		if feed.FeedType == "rss" {
			for _, m := range it.Extensions["media"]["content"] {
				if m.Attrs["medium"] != "image" {
					title := ""
					for _, e := range m.Children["title"] {
						title = e.Value
					}
					r.Recordings = append(r.Recordings, bars(m.Attrs["url"], title, m.Attrs["duration"]))
				}
			}
		}
		for _, name := range []string{"season", "episode", "chapters", "transcript", "person"} {
			for _, e := range it.Extensions["podcast"][name] {
				line := []string{name, e.Value}
				for _, attribute := range episodeAttributes[name] {
					line = append(line, e.Attrs[attribute])
				}
				r.Episode = append(r.Episode, bars(line...))
			}
		}
		if e := it.ITunesExt; e != nil {
			r.Itunes = []string{e.Duration, e.Season, e.Episode, e.EpisodeType, e.Explicit, e.Block, e.Image}
		}
		if it.PublishedParsed != nil {
			r.Published = it.PublishedParsed.UTC()
		}
		if it.UpdatedParsed != nil {
			r.Updated = it.UpdatedParsed.UTC()
		}
		for _, a := range it.Authors {
			r.Authors = append(r.Authors, a.Name)
		}
		for _, e := range it.Enclosures {
			r.Files = append(r.Files, strings.Join([]string{e.URL, e.Type, e.Length}, " "))
		}
		out = append(out, r)
	}
	return out
}

const feedparserScript = `
import calendar, feedparser, json, sys
d = feedparser.parse(open(sys.argv[1], "rb").read(), sanitize_html=False, resolve_relative_uris=False)
if d.bozo: sys.exit(str(d.bozo_exception))
rss = d.version.startswith("rss")
def line(e, name, attributes): # of several elements it keeps the last, and of one with attributes these
    x = e["podcast_" + name]
    return "|".join([name, x, *("" for a in attributes)] if isinstance(x, str) else [name, "", *(x.get(a, "") for a in attributes)])
def entry(e):
    updated = e.get("updated_parsed") if "updated" in e else None
    rel = lambda *names: [l.rel + " " + l.href for l in e.links if l.rel in names]
    return {"ID": e.id, "Title": e.title, "Link": e.link, "Summary": e.summary, "Text": e.content[0].value if "content" in e else e.get("summary", ""),
        "Published": calendar.timegm(e.published_parsed), "Updated": calendar.timegm(updated) if updated else 0,
        "Authors": [a.get("name") for a in e.get("authors", [])], "Tags": ["|".join([t.term, t.scheme or "", t.label or ""]) for t in e.get("tags", [])],
        "Files": ["%s %s %s" % (f.href, f.type, f.get("length", 0)) for f in e.get("enclosures", [])],
        "Pictures": [m["url"] for m in e.get("media_content", []) if m.get("medium") == "image"], "Links": sorted(rel("license", "via")),
        "Comments": e.get("comments") or "".join(rel("replies"))[8:], "Language": e.get("language") or e.title_detail.language or "",
        "Source": e.source.get("title", ""), "SourceID": e.source.get("id") or e.source.get("href", ""), "Rights": e.get("rights", ""),
        "Recordings": ["|".join([m["url"], "", m.get("duration", "")]) for m in e.get("media_content", []) if m.get("medium") != "image"]
            or ["|".join([f.href, f.get("title", ""), ""]) for f in e.get("enclosures", []) if not rss],
        "Episode": [line(e, n, names) for n, names in json.loads(sys.argv[2]).items() if "podcast_" + n in e and n != "person"],
        "Itunes": [e.get("itunes_duration", ""), e.get("itunes_season", ""), e.get("itunes_episode", ""), e.get("itunes_episodetype", ""), "",
            "Yes" if e.get("itunes_block") else "", e.get("image", {}).get("href", "")] if any(k.startswith("itunes_") for k in e) or "image" in e else None}
print(json.dumps([entry(e) for e in d.entries]))
`

func readWithFeedparser(t *testing.T, path string, body []byte) (out []reading) {
	python := ""
	for _, p := range []string{"python3", "/usr/bin/python3"} {
		if python == "" && exec.CommandContext(t.Context(), p, "-c", "import feedparser").Run() == nil {
			python = p
		}
	}
	if python == "" {
		t.Skip("needs feedparser: apt-get install python3-feedparser")
	}
	file := filepath.Join(t.TempDir(), path)
	if err := os.WriteFile(file, body, 0o600); err != nil {
		t.Fatal(err)
	}
	attributes, err := json.Marshal(episodeAttributes)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := exec.CommandContext(t.Context(), python, "-c", feedparserScript, file, string(attributes)).Output()
	if err != nil {
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			t.Fatalf("%v: %s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var entries []struct {
		reading
		Published, Updated int64
	}
	if err := json.Unmarshal(answer, &entries); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		r := e.reading
		r.Published = time.Unix(e.Published, 0).UTC()
		if e.Updated != 0 {
			r.Updated = time.Unix(e.Updated, 0).UTC()
		}
		out = append(out, r)
	}
	return out
}
