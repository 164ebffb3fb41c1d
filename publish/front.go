package publish

import "time"

// How many items of a section the front page shows, and how: one large, some with the beginning of their text, the
// others by their titles.
const (
	frontItems = 9
	frontMain  = 4 // of them with a text

	leadAge = 48 * time.Hour // of the item that leads, before the newest one
)

// A spread is a section on the front page.
type spread struct {
	pageSection
	First  *pageItem // nil if there is none
	Others []pageItem
	Feeds  []feedAddress
}

// frontPage renders the sections with their latest items, like the front page of a newspaper: the story that most
// outlets carry leads, and each story stands there once, in the first of the sections that have it.
func (p *Publisher) frontPage() *Document {
	modified, age := p.st.Created(), listAge
	var newest time.Time
	for _, d := range p.public() {
		modified = latest(modified, d.list.Modified)
		age = min(age, d.list.MaxAge)
		for i := range d.list.Items {
			newest = latest(newest, d.list.Items[i].Published)
		}
	}
	data := struct {
		page
		Lead   *pageItem
		Kicker pageSection // the section that the lead comes from
		Blocks []spread
	}{page: p.pageOf(line(p.pub.Title), "", 0)}
	if !newest.IsZero() {
		data.Day = data.Words.day(newest.In(p.pub.Location))
	}
	shown := map[string]bool{}
	if lead, section := p.leading(newest); lead != nil {
		it := p.teaser(lead, &data.Words, newest)
		data.Lead, data.Kicker = &it, data.Nav[section]
		shown[lead.ID] = true
	}
	for i, d := range p.public() {
		b := spread{pageSection: data.Nav[i], Feeds: p.addresses(d.list, "")}
		n := 0
		for j := range d.list.Items {
			e := &d.list.Items[j]
			if shown[e.ID] || n == frontItems {
				continue
			}
			shown[e.ID] = true
			it := p.teaser(e, &data.Words, newest)
			if n++; n > frontMain {
				it.Lead = ""
			}
			if n == 1 {
				b.First = &it
			} else {
				b.Others = append(b.Others, it)
			}
		}
		data.Blocks = append(data.Blocks, b)
	}
	return newDocument("index.html", typeHTML, renderPage("front.html", data), modified, age)
}

// teaser is an item without its text: what pictures that has are not seen here. The page names the day of the newest item.
func (p *Publisher) teaser(e *listed, w *words, newest time.Time) pageItem {
	it := p.pageItem(e, w)
	it.Text, it.More = "", ""
	it.Date = w.short(e.Published.In(p.pub.Location), newest.In(p.pub.Location))
	return it
}

// leading is the item that leads the front page, and the number of its section: of the newest of each section, as far as they
// are not days older than the newest of all, the one that most other outlets carry, of equals the one of the section
// that is listed first.
func (p *Publisher) leading(newest time.Time) (lead *listed, section int) {
	for i, d := range p.public() {
		for j := range min(len(d.list.Items), frontItems) {
			e := &d.list.Items[j]
			if newest.Sub(e.Published) <= leadAge && (lead == nil || len(e.Also) > len(lead.Also)) {
				lead, section = e, i
			}
		}
	}
	return lead, section
}
