package publish

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// maxOutages is how many entries /status.atom has.
const maxOutages = 50

// An outage is one entry of /status.atom: a feed could not be had any more, or can be had again.
type outage struct {
	id    string
	at    time.Time
	title string
	text  string
}

// outages renders what went wrong with feeds lately, and what is well again, for those who want to be told. It depends on
// stored histories alone: each entry is made once, by the visit that made it true, and stays as it is.
func (p *Publisher) outages(base string, rows []Row) *Document {
	var all []outage
	for i := range rows {
		all = append(all, p.outagesOf(&rows[i])...)
	}
	slices.SortFunc(all, func(a, b outage) int { return cmp.Or(b.at.Compare(a.at), cmp.Compare(a.id, b.id)) })
	all = all[:min(len(all), maxOutages)]

	feed := atomFeed{
		Lang: "en",
		Links: []atomLink{
			{Rel: "self", Type: "application/atom+xml", Href: base + "/status.atom"},
			{Rel: "alternate", Type: "text/html", Href: base + "/status"},
		},
		Generator: generator,
	}
	feed.Xmlns = "http://www.w3.org/2005/Atom"
	feed.Id = feedID(p.st.ID(), "status\x00")
	feed.Title = plainText("Outages · " + plainLine(p.pub.Title))
	feed.Icon = p.url("icon.png")
	feed.Author = atomPerson{Name: plainText(plainLine(p.pub.Title)), URL: p.url("")}
	updated, entries := p.st.Created(), newXMLEntries("entry", " ")
	for _, o := range all {
		updated = latest(updated, o.at)
		e := atomEntry{Title: plainText(o.title)}
		e.Id = o.id
		e.Published = atomTime(o.at)
		e.Updated = fraction(o.at, o.id).Format("2006-01-02T15:04:05.000000000Z")
		e.Links = []atomLink{{Rel: "alternate", Type: "text/html", Href: base + "/status"}}
		e.Content = &atomContent{Type: "html", Content: o.text}
		entries.add(e)
	}
	feed.Updated = atomTime(updated)
	return newDocument("status.atom", typeAtom, entries.in(marshalXML(feed, "feed.css"), closeAtom), updated, time.Minute)
}

// outagesOf tells of each breakdown of a feed that it began, and that it is over.
func (p *Publisher) outagesOf(r *Row) (all []outage) {
	name := cmp.Or(plainLine(r.Name), r.Outlet)
	for _, b := range r.History.Breakdowns {
		id := func(what string) string {
			return feedID(p.st.ID(), fmt.Sprintf("status\x00%s\x00%s\x00%d\x00%s", r.Outlet, r.Feed, b.Since.UnixMicro(), what))
		}
		text := func(format string, args ...any) string {
			return "<p>" + escapeText.Replace(line(fmt.Sprintf(format, args...))) + "</p><p>" + escapeText.Replace(line(r.Feed)) + "</p>"
		}
		since, what := b.Since.In(p.pub.Location).Format("2006-01-02 15:04"), cmp.Or(b.Err, "its documents are cut off or broken")
		title := name + " cannot be read"
		if b.Gone {
			title = name + " has ended a feed"
		}
		all = append(all, outage{id("began"), b.Known, title, text("Since %s: %s", since, what)})
		if !b.Until.IsZero() {
			all = append(all, outage{id("ended"), b.Until, name + " can be read again",
				text("It could not since %s, for %s.", since, b.Until.Sub(b.Since).Round(time.Minute))})
		}
	}
	return all
}
