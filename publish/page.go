package publish

import (
	"bytes"
	"cmp"
	"embed"
	"html/template"
	"strings"
	"time"
	"unicode/utf8"
)

//go:embed templates
var files embed.FS

// templates are the pages for people; html/template escapes by context whatever is no template.HTML.
var templates = template.Must(template.ParseFS(files, "templates/*.html"))

// frontItems is how many items of each section the front page shows.
const frontItems = 8

// listAge is how long caches may answer for what changes with the configuration only.
const listAge = 15 * time.Minute

// shortText is what a page shows without being asked, in characters; longer texts unfold.
const shortText = 700

type pageData struct {
	Title, Publication, Description string
	Language                        string
	Direction                       string // of what is ours: "ltr" or "rtl"
	Slug                            string // of the section; "" on the front page
	Home                            string // relative address of the front page
	Items                           []pageItem
	Sections                        []pageSection
}

type pageSection struct {
	Slug, Title, Description string
	Items                    []pageItem
}

type pageItem struct {
	Title, Link, Language string
	Outlet, OutletURL     string
	Authors               string
	When, Date            string // for programs, for people
	Text, More            template.HTML
	Lead                  string
	Image                 string
	Files                 []pageFile
	Also                  []also
	Why                   string
	Rights                string
}

type pageFile struct{ URL, Name string }

// page renders a section for people.
func (p *Publisher) page(l *list) *Document {
	data := pageData{
		Title: l.Title, Publication: line(p.pub.Title), Description: l.Description,
		Language: languageTag(p.pub.Language), Direction: direction(p.pub.Language), Slug: l.Slug, Home: "index.html", Sections: p.pageSections(nil),
	}
	for i := range l.Items {
		data.Items = append(data.Items, p.pageItem(&l.Items[i]))
	}
	return newDocument(l.Slug+".html", typeHTML, renderPage("section.html", data), l.Modified, l.MaxAge)
}

// frontPage renders the sections with their latest items.
func (p *Publisher) frontPage() *Document {
	modified, age := p.st.Created(), listAge
	lists := map[string]*list{}
	for _, d := range p.desks {
		lists[d.list.Slug] = d.list
		modified = latest(modified, d.list.Modified)
		age = min(age, d.list.MaxAge)
	}
	data := pageData{
		Title: line(p.pub.Title), Publication: line(p.pub.Title), Language: languageTag(p.pub.Language), Direction: direction(p.pub.Language),
		Home: "index.html", Sections: p.pageSections(lists),
	}
	return newDocument("index.html", typeHTML, renderPage("front.html", data), modified, age)
}

// pageSections names all sections, with the latest items of those that lists has.
func (p *Publisher) pageSections(lists map[string]*list) []pageSection {
	var out []pageSection
	for _, d := range p.desks {
		s := pageSection{Slug: d.section.Slug, Title: cmp.Or(plainLine(d.section.Title), d.section.Slug), Description: plainLine(d.section.Description)}
		if l := lists[s.Slug]; l != nil {
			for i := range min(len(l.Items), frontItems) {
				s.Items = append(s.Items, p.pageItem(&l.Items[i]))
			}
		}
		out = append(out, s)
	}
	return out
}

func (p *Publisher) pageItem(e *listed) pageItem {
	it := pageItem{
		Title: e.Title, Link: e.Link, Language: e.Language,
		Outlet: line(e.Outlet.Name), OutletURL: address(e.Outlet.URL),
		When: atomTime(e.Published), Date: e.Published.In(p.pub.Location).Format("2 January 2006, 15:04"),
		Image: e.Image, Also: e.Also, Why: e.Why, Rights: e.Rights,
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
		it.Text = pageHTML(full)
	case e.Content != "" && utf8.RuneCountInString(summary) <= shortText:
		it.Text, it.More = pageHTML(e.Summary), pageHTML(e.Content)
	default:
		it.Text, it.More = template.HTML("<p>"+escapeText.Replace(it.Lead)+"</p>"), pageHTML(full)
	}
	if strings.Contains(e.Summary+e.Content, "<img ") {
		it.Image = "" // the text shows its own
	}
	for _, f := range e.Files {
		if f.URL != e.Image || it.Image == "" {
			it.Files = append(it.Files, pageFile{f.URL, cmp.Or(medium(f.Type), "file")})
		}
	}
	return it
}

// pageHTML is what markup has cleaned, for a page: pictures come when they are scrolled to, and their
// servers do not learn from where.
func pageHTML(s string) template.HTML {
	return template.HTML(strings.ReplaceAll(s, "<img ", `<img loading="lazy" referrerpolicy="no-referrer" `))
}

func renderPage(name string, data any) []byte {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, data); err != nil {
		panic("publish: " + err.Error()) // the templates and what they get are ours
	}
	return b.Bytes()
}

// styleSheet is the one of all pages.
func styleSheet(created time.Time) *Document {
	body, err := files.ReadFile("templates/style.css")
	if err != nil {
		panic("publish: " + err.Error()) // it is embedded
	}
	return newDocument("style.css", typeCSS, body, created, listAge)
}
