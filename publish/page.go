package publish

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"broadsheet/store"
)

//go:embed templates
var files embed.FS

// templates are the pages for people; html/template escapes by context whatever is no template.HTML.
var templates = template.Must(template.ParseFS(files, "templates/*.html"))

// listAge is how long caches may answer for what changes with the configuration only.
const listAge = 15 * time.Minute

// shortText is what a page shows without being asked, in characters; longer texts unfold.
const shortText = 700

// A page is what every page has.
type page struct {
	Title, Publication, Description string
	Language                        string
	Direction                       string // of what is ours: "ltr" or "rtl"
	Words                           words
	Root                            string // what leads from the page to the front page's folder: "" or "../../"
	Slug                            string // of the section; "" on pages of none
	Nav                             []pageSection
	Day                             string // of the newest item; "" but on the front page
	Sheet                           bool   // the operator has one
	Footer                          template.HTML
	Zone                            string
}

// A pageSection names a section.
type pageSection struct{ Slug, Title, Description string }

// A pageItem is an item as pages show it.
type pageItem struct {
	ID                    string
	Title, Link, Language string
	Outlet, OutletURL     string
	Authors               string
	Foreign               bool   // in another language than the page
	Day                   string // that begins with it; "" but in archives
	When, Date            string // for programs, for people
	Text, More            template.HTML
	Lead                  string
	Image                 string
	Files                 []pageFile
	Also                  []also
	Related               []related
	Why                   string
	Rights                string
	Words                 *words
}

type pageFile struct{ URL, Name string }

// A pageMonth is a month in a section's archives.
type pageMonth struct{ Name, Path string }

// A feedAddress is where readers subscribe.
type feedAddress struct {
	Section, Name string
	Type          template.HTMLAttr // whole: in a value html/template would spell the "+" otherwise
	Path, URL     string
}

// page returns what every page has, for one at depth folders below the front page.
func (p *Publisher) pageOf(title, slug string, depth int) page {
	tag := languageTag(p.pub.Language)
	out := page{
		Title: title, Publication: line(p.pub.Title), Language: cmp.Or(tag, "en"), Direction: direction(p.pub.Language), Words: wordsIn(tag),
		Root: strings.Repeat("../", depth), Slug: slug, Sheet: p.pub.Sheet != nil, Footer: footer(p.pub.Footer), Zone: p.pub.Location.String(),
	}
	for _, s := range p.pub.Sections {
		if s.Key == "" {
			out.Nav = append(out.Nav, pageSection{s.Slug, cmp.Or(plainLine(s.Title), s.Slug), plainLine(s.Description)})
		}
	}
	return out
}

// addresses are the feeds of a section, for a page from which root leads to the front page's folder.
func (p *Publisher) addresses(l *list, root string) (out []feedAddress) {
	for _, f := range [][3]string{{"Atom", "application/atom+xml", ".atom"}, {"RSS", "application/rss+xml", ".rss"}, {"JSON Feed", "application/feed+json", ".json"}} {
		out = append(out, feedAddress{l.Title, f[0], template.HTMLAttr(`type="` + f[1] + `"`), root + l.Slug + f[2] + l.Query, p.address(l, l.Slug, f[2])})
	}
	return out
}

// page renders a section for people.
func (p *Publisher) page(l *list) *Document {
	data := struct {
		page
		Items  []pageItem
		Feeds  []feedAddress
		Query  string // that the addresses of a private section need, with its "?"
		Months []pageMonth
	}{page: p.pageOf(l.Title, l.Slug, 0), Feeds: p.addresses(l, ""), Query: l.Query}
	data.Description = l.Description
	for _, month := range slices.Backward(l.Archives) {
		data.Months = append(data.Months, pageMonth{data.Words.month(month), archivePath(l.Slug, month) + ".html" + l.Query})
	}
	for i := range l.Items {
		data.Items = append(data.Items, p.pageItem(&l.Items[i], &data.Words))
	}
	return newDocument(l.Slug+".html", typeHTML, renderPage("section.html", data), l.Modified, l.MaxAge)
}

// The pages that say why there is none, under the names that web servers are told of.
const (
	missingPage = "404.html"
	gonePage    = "410.html"
)

// regrets are what readers get who ask for a page that does not exist, or not any more; their addresses must do at any depth.
func (p *Publisher) regrets() (docs []*Document) {
	w := wordsIn(p.pub.Language)
	for path, title := range map[string]string{missingPage: w.Missing, gonePage: w.Gone} {
		data := p.pageOf(title, "", 0)
		data.Root = basePath(p.pub.BaseURL) + "/"
		docs = append(docs, newDocument(path, typeHTML, renderPage("missing.html", data), p.st.Created(), listAge))
	}
	return docs
}

func (p *Publisher) pageItem(e *listed, w *words) pageItem {
	it := pageItem{
		ID: e.ID, Title: e.Title, Link: e.Link, Language: e.Language,
		Outlet: line(e.Outlet.Name), OutletURL: Address(e.Outlet.URL),
		When: atomTime(e.Published), Date: w.moment(e.Published.In(p.pub.Location)),
		Also: e.Also, Related: e.Related, Why: e.Why, Rights: e.Rights, Words: w,
	}
	it.Foreign = e.Language != "" && primary(e.Language) != primary(p.pub.Language)
	if p.pub.Images {
		it.Image = e.Image
	}
	var names []string
	for _, a := range e.Authors {
		if a.Name != it.Outlet {
			names = append(names, a.Name)
		}
	}
	it.Authors = strings.Join(names, ", ")
	summary := plain(e.Summary)
	if it.Lead = shorten(summary, 280); it.Lead == e.Title {
		it.Lead = ""
	}
	switch full := cmp.Or(e.Content, e.Summary); {
	case full == "":
	case utf8.RuneCountInString(plain(full)) <= shortText:
		it.Text = prose(full, p.pub.Images)
	case e.Content != "" && utf8.RuneCountInString(summary) <= shortText:
		it.Text, it.More = prose(e.Summary, p.pub.Images), prose(e.Content, p.pub.Images)
	default:
		it.Text, it.More = template.HTML("<p>"+escapeText.Replace(it.Lead)+"</p>"), prose(full, p.pub.Images)
	}
	kinds := map[string]int{}
	for i, f := range e.Files {
		if i == 0 {
			f.Duration = cmp.Or(f.Duration, e.Podcast.Duration)
		}
		if f.URL != e.Image || it.Image == "" && medium(f.Type) != "image" {
			name := cmp.Or(medium(f.Type), w.File)
			if kinds[name]++; kinds[name] > 1 {
				name = fmt.Sprint(name, " ", kinds[name])
			}
			it.Files = append(it.Files, pageFile{f.URL, name + extent(&f)})
		}
	}
	return it
}

// extent is how long a file takes to hear or see, else how much there is to load, if that is known.
func extent(f *store.Enclosure) string {
	switch s := int(f.Duration.Seconds()); {
	case s >= 3600:
		return fmt.Sprintf(", %d:%02d:%02d", s/3600, s/60%60, s%60)
	case s > 0:
		return fmt.Sprintf(", %d:%02d", s/60, s%60)
	case f.Length >= 1e6:
		return fmt.Sprintf(", %d MB", (f.Length+5e5)/1e6)
	}
	return ""
}

// Long reports whether the title wants smaller letters where it leads.
func (it *pageItem) Long() bool { return utf8.RuneCountInString(it.Title) > 80 }

// Pictured reports whether the item's picture stands above its text: not where the text shows one itself.
func (it *pageItem) Pictured() bool {
	return it.Image != "" && !strings.Contains(string(it.Text+it.More), "<img ")
}

func renderPage(name string, data any) []byte {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, data); err != nil {
		panic("publish: " + err.Error()) // the templates and what they get are ours
	}
	return b.Bytes()
}

// dress is what documents are shown with: a sheet of all pages, that of feeds which a browser shows, and the operator's; a
// picture of the paper, large and small.
func (p *Publisher) dress() []*Document {
	read := func(name string) []byte {
		body, err := files.ReadFile("templates/" + name)
		if err != nil {
			panic("publish: " + err.Error()) // it is embedded
		}
		return body
	}
	w := wordsIn(p.pub.Language)
	intro := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(w.FeedIntro)
	docs := []*Document{
		newDocument("style.css", typeCSS, read("style.css"), p.st.Created(), listAge),
		newDocument("feed.css", typeCSS, bytes.ReplaceAll(read("feed.css"), []byte("INTRODUCTION"), []byte(intro)), p.st.Created(), listAge),
		newDocument("icon.png", typePNG, read("icon.png"), p.st.Created(), listAge),
		newDocument("favicon.png", typePNG, read("favicon.png"), p.st.Created(), listAge),
	}
	if p.pub.Sheet != nil {
		docs = append(docs, newDocument("own.css", typeCSS, p.pub.Sheet, p.st.Created(), listAge))
	}
	return docs
}
