package publish

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// feedDocument is a feed: that of a section, a hub may tell of.
func (p *Publisher) feedDocument(l *list, format, contentType string, body []byte) *Document {
	d := newDocument(l.Path+"."+format, contentType, body, l.Modified, l.MaxAge)
	d.Links = linkHeader(p.hub(l), p.address(l, l.Path, "."+format))
	if l.Month.IsZero() {
		d.News = l.news()
	}
	return d
}

// hub is where one may subscribe to a list; "" for archives, of which there is no news, and private sections, of which
// a hub is not to know.
func (p *Publisher) hub(l *list) string {
	if !l.Month.IsZero() || l.Query != "" {
		return ""
	}
	return p.pub.Hub
}

// news stands for the ids and dates of what is listed: edits within an hour and outlets that join a story change the
// bytes, and are no news.
func (l *list) news() string {
	h := sha256.New()
	for i := range l.Items {
		fmt.Fprintf(h, "%s %d\n", l.Items[i].ID, l.Items[i].Updated.UnixNano())
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:12])
}

// linkHeader is the header field Link of a feed (RFC 8288); hub may be "".
func linkHeader(hub, self string) string {
	link := "<" + self + `>; rel="self"`
	if hub != "" {
		link = "<" + hub + `>; rel="hub", ` + link
	}
	return link
}
