package fetch

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Bounds of what a feed may say of its hubs.
const (
	maxHubs      = 4
	maxLinkField = 8 << 10 // bytes of the header fields Link that are read
)

// feedLinks are what a feed says of where it is told of (WebSub §4).
type feedLinks struct {
	hubs []string // rel="hub"
	self string   // rel="self": the topic
}

func (l *feedLinks) add(rel, address string) {
	for rel := range strings.FieldsSeq(rel) {
		switch {
		case strings.EqualFold(rel, "hub"):
			l.hubs = append(l.hubs, address)
		case strings.EqualFold(rel, "self") && l.self == "":
			l.self = address
		}
	}
}

// pushLinks are the hubs of a feed, those with TLS first, and its topic: as the header says or, where that is silent, the
// document. Without both there is nothing to subscribe to.
func pushLinks(a *answer, doc *document) (hubs []string, topic string) {
	header := headerLinks(a.header)
	all, self := header.hubs, header.self
	if len(all) == 0 {
		all = doc.links.hubs
	}
	if self == "" {
		self = doc.links.self
	}
	if topic = pushAddress(a.address, self); topic == "" {
		return nil, ""
	}
	for _, hub := range all {
		if hub = pushAddress(a.address, hub); hub != "" && !slices.Contains(hubs, hub) && len(hubs) < maxHubs {
			hubs = append(hubs, hub)
		}
	}
	slices.SortStableFunc(hubs, func(a, b string) int { return tlsFirst(a) - tlsFirst(b) })
	return hubs, topic
}

func tlsFirst(address string) int {
	if strings.HasPrefix(address, "https:") {
		return 0
	}
	return 1
}

// pushAddress is an address that a feed names, absolute; a hub knows it as it was written, so nothing else is changed.
func pushAddress(base *url.URL, ref string) string {
	ref = strings.TrimSpace(ref)
	u, err := base.Parse(ref)
	if ref == "" || len(ref) > maxLink || err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return ""
	}
	if strings.HasPrefix(ref, "http://") || strings.HasPrefix(ref, "https://") {
		return ref
	}
	return u.String()
}

// jsonLinks are the hubs of a JSON Feed, of which gofeed tells nothing.
func jsonLinks(src []byte, self string) feedLinks {
	var feed struct {
		Hubs []struct{ Type, URL string }
	}
	l := feedLinks{self: self}
	if !bytes.Contains(src, []byte(`"hubs"`)) || json.Unmarshal(src, &feed) != nil {
		return l
	}
	for _, hub := range feed.Hubs {
		if strings.EqualFold(hub.Type, "WebSub") || strings.EqualFold(hub.Type, "PubSubHubbub") {
			l.hubs = append(l.hubs, hub.URL)
		}
	}
	return l
}

// headerLinks reads the header fields Link (RFC 8288 §3).
func headerLinks(h http.Header) (l feedLinks) {
	field := strings.Join(h.Values("Link"), ",")
	for field = field[:min(len(field), maxLinkField)]; ; {
		_, rest, found := strings.Cut(field, "<")
		address, params, closed := strings.Cut(rest, ">")
		if !found || !closed {
			return l
		}
		rel, named := "", false
		for {
			params = strings.TrimLeft(params, " \t;")
			if params == "" || params[0] == ',' {
				break
			}
			var name, value string
			name, value, params = linkParam(params)
			if strings.EqualFold(name, "rel") && !named { // of several the first counts
				rel, named = value, true
			}
		}
		l.add(rel, address)
		field = params
	}
}

// linkParam takes the first parameter off a list: a name and perhaps a value, which may stand in quotes.
func linkParam(s string) (name, value, rest string) {
	end := strings.IndexAny(s, "=;,")
	if end < 0 {
		return strings.TrimSpace(s), "", ""
	}
	name = strings.TrimSpace(s[:end])
	if s[end] != '=' {
		return name, "", s[end:]
	}
	s = strings.TrimLeft(s[end+1:], " \t")
	if !strings.HasPrefix(s, `"`) {
		end = strings.IndexAny(s, ";,")
		if end < 0 {
			end = len(s)
		}
		return name, strings.TrimSpace(s[:end]), s[end:]
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case s[i] == '"':
			return name, b.String(), s[i+1:]
		default:
			b.WriteByte(s[i])
		}
	}
	return name, b.String(), ""
}
