package publish

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"broadsheet/store"
)

// checkDocument asserts what holds for every document, whatever the outlets sent.
func checkDocument(t testing.TB, d *Document) {
	t.Helper()
	switch {
	case strings.HasSuffix(d.Path, ".json"):
		checkJSON(t, d)
	case strings.HasSuffix(d.Path, ".html"):
		checkHTML(t, d.Path, string(d.Body))
	case strings.HasSuffix(d.Path, ".png"):
		return
	case strings.HasSuffix(d.Path, ".css"):
	default:
		checkXML(t, d)
	}
	if m := misread.Find(d.Body); m != nil {
		t.Errorf("%s: holds %q", d.Path, m)
	}
	if d.Modified.IsZero() || d.ETag == "" || d.MaxAge < 60e9 || d.MaxAge > 15*60e9 {
		t.Errorf("%s: modified %v, tag %s, max age %v", d.Path, d.Modified, d.ETag, d.MaxAge)
	}
}

// misread are characters that no document may hold, and what looks like two bytes of one character.
var misread = regexp.MustCompile(`[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x{80}-\x{9f}\x{fdd0}-\x{fdef}\x{fffd}\x{fffe}\x{ffff}]|[ÂÃ][\x{80}-\x{bf}]`)

// An element is what the checker wants of XML.
type element struct {
	name     string // with the prefix that we write
	attrs    map[string]string
	text     string
	children []*element
}

func (e *element) all(name string) (out []*element) {
	for _, c := range e.children {
		if c.name == name {
			out = append(out, c)
		}
	}
	return out
}

func (e *element) get(name string) *element {
	if all := e.all(name); len(all) > 0 {
		return all[0]
	}
	return &element{}
}

func parseXML(t testing.TB, path string, body []byte) *element {
	t.Helper()
	root := &element{}
	stack := []*element{root}
	d := xml.NewDecoder(bytes.NewReader(body))
	d.Strict = true
	for {
		tok, err := d.RawToken()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%s: not well-formed: %v", path, err)
		}
		top := stack[len(stack)-1]
		switch tok := tok.(type) {
		case xml.StartElement:
			e := &element{name: qname(tok.Name), attrs: map[string]string{}}
			for _, a := range tok.Attr {
				e.attrs[qname(a.Name)] = a.Value
			}
			top.children = append(top.children, e)
			stack = append(stack, e)
		case xml.EndElement:
			if len(stack) == 1 || qname(tok.Name) != top.name {
				t.Fatalf("%s: </%s> closes <%s>", path, qname(tok.Name), top.name)
			}
			stack = stack[:len(stack)-1]
		case xml.CharData:
			top.text += string(tok)
		}
	}
	if len(stack) != 1 {
		t.Fatalf("%s: <%s> is not closed", path, stack[len(stack)-1].name)
	}
	return root
}

func qname(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

var (
	rfc822  = regexp.MustCompile(`^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d \+0000$`)
	rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{9})?Z$`)
)

func checkXML(t testing.TB, d *Document) {
	t.Helper()
	root := parseXML(t, d.Path, d.Body)
	want := func(ok bool, what string) {
		t.Helper()
		if !ok {
			t.Errorf("%s: %s", d.Path, what)
		}
	}
	ids, updated := map[string]bool{}, map[string]bool{}
	unique := func(seen map[string]bool, s string) {
		t.Helper()
		want(s != "" && !seen[s], "empty or repeated: "+s)
		seen[s] = true
	}
	switch top := root.children[0]; top.name {
	case "rss":
		ch := top.get("channel")
		for _, name := range []string{"title", "link", "description", "lastBuildDate", "generator", "docs", "ttl"} {
			want(ch.get(name).text != "", "channel without "+name)
		}
		want(ch.get("atom:link").attrs["rel"] == "self" && absolute(ch.get("atom:link").attrs["href"]), "no link to itself")
		image := ch.get("image")
		want(strings.HasSuffix(image.get("url").text, ".png") && image.get("title").text == ch.get("title").text && image.get("link").text == ch.get("link").text, "the channel's image is not whole")
		want(rfc822.MatchString(ch.get("lastBuildDate").text), "lastBuildDate "+ch.get("lastBuildDate").text)
		checkNamespaces(want, top)
		checkChain(want, ch, "atom:link")
		itunes := len(ch.all("itunes:category")) > 0
		if itunes {
			want(ch.get("language").text != "" && ch.get("itunes:explicit").text != "" && ch.get("itunes:owner").get("itunes:email").text != "", "the channel's itunes elements are not whole")
		}
		checkPlain(want, ch, "title", "description")
		for _, it := range ch.all("item") {
			unique(ids, it.get("guid").text)
			want(permanentID(it.get("guid").text), "id "+it.get("guid").text)
			checkPlain(want, it, "title", "source", "category", "dc:creator", "dc:rights", "itunes:title", "podcast:person")
			for _, image := range it.all("itunes:image") {
				want(enclosureForm.MatchString(image.attrs["href"]), "itunes:image "+image.attrs["href"])
			}
			for _, e := range it.all("enclosure") {
				want(absolute(e.attrs["url"]) && wholeForm.MatchString(e.attrs["length"]) && mediaForm.MatchString(e.attrs["type"]), "an enclosure is not whole")
			}
			for _, m := range it.all("media:content") {
				want(whole(m.attrs["url"]), "media:content "+m.attrs["url"])
				checkPlain(want, m, "media:title", "media:credit")
				want(len(m.all("media:description")) == 0, "a media:description, which readers take for the item's")
			}
			for _, f := range append(it.all("podcast:transcript"), it.all("podcast:chapters")...) {
				want(absolute(f.attrs["url"]) && mediaForm.MatchString(f.attrs["type"]), f.name+" is not whole")
			}
			for _, c := range it.all("category") {
				want(c.text != "" && (c.attrs["domain"] == "" || whole(c.attrs["domain"])), "category "+c.text)
			}
			for _, l := range it.all("atom:link") {
				want(absolute(l.attrs["href"]) && relForm.MatchString(l.attrs["rel"]), "atom:link "+l.attrs["href"])
			}
			want(it.get("guid").attrs["isPermaLink"] == "false", "guid is taken for a link")
			want(rfc822.MatchString(it.get("pubDate").text), "pubDate "+it.get("pubDate").text)
			want(it.get("title").text != "", "no title")
			want(it.get("source").text != "" && (whole(it.get("source").attrs["url"]) || permanentID(it.get("source").attrs["url"])), "source "+it.get("source").attrs["url"]+" "+it.get("source").text)
			want(len(it.all("enclosure")) <= 1, "several enclosures")
			want(len(it.all("link")) == 0 || whole(it.get("link").text), "link "+it.get("link").text)
			want(len(it.all("comments")) == 0 || whole(it.get("comments").text), "comments "+it.get("comments").text)
			want((len(it.all("author")) == 0) != (len(it.all("dc:creator")) == 0), "author and dc:creator, or neither")
			names := []string{}
			for _, c := range it.children {
				names = append(names, c.name)
				want(itunes || !strings.HasPrefix(c.name, "itunes:"), c.name+" without the channel's")
			}
			if i := slices.Index(names, "content:encoded"); i >= 0 {
				j := slices.Index(names, "description")
				want(j >= 0 && j < i, "content:encoded before description")
			}
			checkHTML(t, d.Path, it.get("description").text)
			checkHTML(t, d.Path, it.get("content:encoded").text)
		}
	case "feed":
		want(top.get("author").get("name").text != "", "no author")
		unique(ids, top.get("id").text)
		checkNamespaces(want, top)
		checkPlain(want, top, "title", "subtitle")
		checkLinks(want, top, "self", "alternate")
		want(absolute(top.get("icon").text) && top.get("generator").text != "" && top.attrs["xml:lang"] != "", "no icon, generator or language")
		checkChain(want, top, "link")
		want(rfc3339.MatchString(top.get("updated").text), "updated "+top.get("updated").text)
		for _, e := range top.all("entry") {
			unique(ids, e.get("id").text)
			want(permanentID(e.get("id").text), "id "+e.get("id").text)
			want(len(e.all("source")) == 1 || d.Path == "status.atom" && len(e.all("source")) == 0, "no source")
			want(len(e.all("title")) == 1 && len(e.all("summary")) <= 1 && len(e.all("content")) <= 1, "an element too many or too few")
			checkPlain(want, e, "title", "rights")
			for _, c := range e.all("category") {
				want(c.attrs["term"] != "" && (c.attrs["scheme"] == "" || whole(c.attrs["scheme"])), "category "+c.attrs["term"])
			}
			unique(updated, e.get("updated").text)
			want(strings.Contains(e.get("updated").text, "."), "updated without a fraction")
			want(rfc3339.MatchString(e.get("published").text), "published "+e.get("published").text)
			want(e.get("title").text != "", "no title")
			checkLinks(want, e)
			for _, s := range e.all("source") {
				want(e.get("author").get("name").text != "", "no author")
				want(permanentID(s.get("id").text) && s.get("title").text != "" && rfc3339.MatchString(s.get("updated").text), "source is not whole")
				checkLinks(want, s, "self")
				checkPlain(want, s, "title", "subtitle", "rights")
				want(len(s.all("logo")) == 0 || absolute(s.get("logo").text), "logo "+s.get("logo").text)
			}
			for _, m := range e.all("media:content") {
				want(whole(m.attrs["url"]), "media:content "+m.attrs["url"])
			}
			alternate := slices.ContainsFunc(e.all("link"), func(l *element) bool { return l.attrs["rel"] == "alternate" })
			want(alternate || len(e.all("content")) == 1, "neither link nor content")
			want(len(e.all("summary"))+len(e.all("content")) > 0, "neither summary nor content")
			checkHTML(t, d.Path, e.get("summary").text)
			checkHTML(t, d.Path, e.get("content").text)
		}
	case "opml":
		want(top.attrs["version"] == "2.0", "version")
		want(!marked.MatchString(top.get("head").get("title").text), "title could be HTML: "+top.get("head").get("title").text)
		lines := top.get("body").all("outline")
		want(len(lines) > 0, "no outline")
		for _, o := range lines {
			empty := len(lines) == 1 && len(o.attrs) == 1
			want(o.attrs["text"] != "" && (empty || o.attrs["type"] == "rss" && o.attrs["title"] != "" && absolute(o.attrs["xmlUrl"])), "outline is not whole")
			want(o.attrs["htmlUrl"] == "" || whole(o.attrs["htmlUrl"]), "htmlUrl "+o.attrs["htmlUrl"])
			for _, name := range []string{"text", "title", "description"} {
				want(!marked.MatchString(o.attrs[name]), name+" could be HTML: "+o.attrs[name])
			}
		}
	default:
		t.Errorf("%s: what is <%s>?", d.Path, top.name)
	}
}

// permanentID reports whether an id is of a registered scheme and in its form.
func permanentID(id string) bool {
	return whole(id) && store.Publishable(id) || tagForm.MatchString(id) || urnForm.MatchString(id)
}

var (
	tagForm   = regexp.MustCompile(`^tag:([A-Za-z0-9._-]+@)?[a-z0-9.-]+,\d{4}(-\d\d(-\d\d)?)?:[!-~]*$`)
	urnForm   = regexp.MustCompile(`^urn:[A-Za-z0-9][A-Za-z0-9-]{1,31}:[!-~]+$`)
	wholeForm = regexp.MustCompile(`^[0-9]+$`)
	relForm   = regexp.MustCompile(`^(self|hub|alternate|related|via|current|prev-archive|next-archive)$`)
	marked    = regexp.MustCompile(`<|&[^ &]`) // what HTML may take for markup
	endTag    = regexp.MustCompile(`</?[A-Za-z][^<>]*>`)
)

// checkPlain asserts that elements which hold plain text hold nothing that readers take for markup.
func checkPlain(want func(bool, string), e *element, names ...string) {
	for _, name := range names {
		for _, c := range e.all(name) {
			want(!endTag.MatchString(c.text), "markup in "+name+": "+c.text)
		}
	}
}

// checkChain asserts that an archive leads to another one, and to the feed.
func checkChain(want func(bool, string), feed *element, link string) {
	if len(feed.all("fh:archive")) == 0 {
		return
	}
	rels := ""
	for _, l := range feed.all(link) {
		rels += l.attrs["rel"] + " "
	}
	want(strings.Contains(rels, "-archive") && strings.Contains(rels, "current"), "an archive with the links "+rels)
}

// checkNamespaces asserts that every prefix is declared, and every declaration used.
func checkNamespaces(want func(bool, string), top *element) {
	used := map[string]bool{}
	var walk func(*element)
	walk = func(e *element) {
		if prefix, _, ok := strings.Cut(e.name, ":"); ok {
			used[prefix] = true
		}
		for _, c := range e.children {
			walk(c)
		}
	}
	walk(top)
	for prefix := range used {
		want(top.attrs["xmlns:"+prefix] != "", "the prefix "+prefix+" is not declared")
	}
	for _, optional := range []string{"podcast", "itunes", "fh"} {
		want(used[optional] || top.attrs["xmlns:"+optional] == "", "the prefix "+optional+" is declared and not used")
	}
}

func checkLinks(want func(bool, string), e *element, rels ...string) {
	seen := []string{}
	for _, l := range e.all("link") {
		want(absolute(l.attrs["href"]), "link "+l.attrs["href"])
		seen = append(seen, l.attrs["rel"])
	}
	for _, rel := range rels {
		want(slices.Contains(seen, rel), "no link "+rel)
	}
}

func absolute(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// whole is absolute in the eyes of the W3C validator, which knows no IPv6 address.
func whole(s string) bool { return absolute(s) && !strings.Contains(s, "://[") }

func checkJSON(t testing.TB, d *Document) {
	t.Helper()
	var feed struct {
		jsonFeedBase
		Items *[]struct {
			jsonItemBase
			Language    string           `json:"language"`
			Attachments []jsonAttachment `json:"attachments"`
			Source      jsonSource       `json:"_source"`
			AlsoIn      []jsonAlso       `json:"_also_in"`
			Podcast     *jsonPodcast     `json:"_podcast"`
		} `json:"items"`
	}
	dec := json.NewDecoder(bytes.NewReader(d.Body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&feed); err != nil {
		t.Fatalf("%s: %v", d.Path, err)
	}
	if feed.Version != "https://jsonfeed.org/version/1.1" || feed.Title == "" || feed.Items == nil || !absolute(feed.FeedUrl) || !absolute(feed.HomePageUrl) || !absolute(feed.Icon) || !absolute(feed.Favicon) || len(feed.Authors) == 0 {
		t.Errorf("%s: the head is not whole", d.Path)
	}
	ids := map[string]bool{}
	for _, it := range *feed.Items {
		if it.Id == "" || ids[it.Id] {
			t.Errorf("%s: id %q is empty or repeated", d.Path, it.Id)
		}
		ids[it.Id] = true
		if it.ContentHTML == "" && it.ContentText == "" {
			t.Errorf("%s: %s: no content", d.Path, it.Id)
		}
		if !permanentID(it.Id) {
			t.Errorf("%s: id %q", d.Path, it.Id)
		}
		for _, a := range it.Attachments {
			if !absolute(a.URL) || !mediaForm.MatchString(a.Type) {
				t.Errorf("%s: %s: attachment %+v", d.Path, it.Id, a)
			}
		}
		if endTag.MatchString(it.Title) {
			t.Errorf("%s: %s: markup in the title %q", d.Path, it.Id, it.Title)
		}
		if it.Source.Title == "" || it.Source.Outlet == "" || !absolute(it.Source.FeedURL) {
			t.Errorf("%s: %s: no source", d.Path, it.Id)
		}
		if it.Url != "" && !absolute(it.Url) {
			t.Errorf("%s: %s: url %q", d.Path, it.Id, it.Url)
		}
		if it.PublishedDate == nil || it.ModifiedDate == nil || len(it.Authors) == 0 {
			t.Errorf("%s: %s: dates or authors are missing", d.Path, it.Id)
		}
		checkHTML(t, d.Path, it.ContentHTML)
	}
}

// active are elements that could run, load or submit something.
var active = []string{"script", "style", "iframe", "object", "embed", "form", "input", "button", "base", "svg", "math", "video", "audio", "template", "noscript"}

// checkHTML asserts that HTML is balanced, runs nothing, and leads nowhere by a relative address but to
// our own documents.
func checkHTML(t testing.TB, path, s string) {
	t.Helper()
	own := strings.HasPrefix(strings.ToLower(s), "<!doctype")
	for _, m := range pictureForm.FindAllStringSubmatch(s, -1) {
		if !absolute(html.UnescapeString(m[1] + m[2] + m[3])) {
			t.Errorf("%s: %s may be taken for a relative address", path, m[0])
		}
	}
	var open []string
	z := html.NewTokenizer(strings.NewReader(s))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		tok := z.Token()
		if slices.Contains(active, tok.Data) && kind != html.TextToken {
			t.Errorf("%s: holds <%s>", path, tok.Data)
		}
		switch kind {
		case html.StartTagToken:
			void := []string{"br", "hr", "img", "meta", "link"}
			if !slices.Contains(void, tok.Data) {
				open = append(open, tok.Data)
			}
			for _, a := range tok.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "id" && !own {
					t.Errorf("%s: <%s %s>", path, tok.Data, a.Key)
				}
				if a.Key != "href" && a.Key != "src" && a.Key != "cite" {
					continue
				}
				if !absolute(a.Val) && !strings.HasPrefix(a.Val, "mailto:") && (!own || !ownPath.MatchString(a.Val)) {
					t.Errorf("%s: <%s %s=%q>", path, tok.Data, a.Key, a.Val)
				}
			}
		case html.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != tok.Data {
				t.Errorf("%s: </%s> where %v are open", path, tok.Data, open)
				return
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("%s: %v are not closed", path, open)
	}
}

// pictureForm finds the address of a picture as the W3C validator does: the last "src=" of an element.
var pictureForm = regexp.MustCompile(`(?i)<img\s+[^>]*src=(?:"(.*?)"|'(.*?)'|([\w-]+))[\s>]`)

var ownPath = regexp.MustCompile(`^(/(news/)?|(\.\./)*)([a-z0-9-]+/archive/)?[a-z0-9-]+\.(html|atom|rss|json|opml|css|png)(\?key=.*)?$|^#[a-z]+$`)
