package fetch

import (
	"bytes"
	"container/list"
	"hash/maphash"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"

	"broadsheet/store"
)

// A memory recognises the items of a feed that stand in a document in the same bytes as in the one before, so that only the
// others are parsed. An outlet adds two items to twenty-five; finding out that the rest has not changed takes a look at the
// bytes, not a parser.
//
// Nothing depends on it: what it does not know is parsed. It forgets the feeds that were polled longest ago.
type memory struct {
	mu    sync.Mutex // guards what follows
	feeds map[store.FeedName]*list.Element
	order *list.List // of *recollection, polled last first
	size  int        // of all recollections, in bytes

	seed maphash.Seed
	most int
}

// memorySize bounds what a memory holds, in bytes: some 8,000 feeds of 25 items.
const memorySize = 64 << 20

// A recollection is what is known of a feed's last document.
type recollection struct {
	feed    store.FeedName
	setting uint64              // hash of what stands around the items: they may mean something else under another language or base
	items   map[uint64]recalled // by the hash of their bytes
	size    int                 // in bytes, roughly
}

// recalled is what is known of an item.
type recalled struct {
	guid, title, link, canonical string
	text, rest                   uint64
	published, updated           time.Time
}

func newMemory() *memory {
	return &memory{feeds: map[store.FeedName]*list.Element{}, order: list.New(), seed: maphash.MakeSeed(), most: memorySize}
}

// parse reads a document as parseDocument does, of which log hears if that goes wrong later. Items whose bytes are known come back as they are recalled (see
// store.Arrival); whole parses all of them, and is nil if none was recalled.
func (m *memory) parse(feed store.FeedName, a *answer, log *slog.Logger) (doc *document, whole func() []store.Arrival, err error) {
	src, fault, err := readable(a.body, a.header.Get("Content-Type"))
	if err != nil {
		return nil, nil, err
	}
	read := func(src []byte) (*document, error) { return readFeed(src, fault, a.address) }
	found, ok := findItems(src)
	if !ok || len(found.spans) == 0 || len(found.spans) > maxItems {
		m.forget(feed)
		doc, err = read(src)
		return doc, nil, err
	}
	now := &recollection{feed: feed, setting: m.setting(src, found, a.address), items: make(map[uint64]recalled, len(found.spans))}
	hashes := make([]uint64, len(found.spans))
	for i, s := range found.spans {
		hashes[i] = maphash.Bytes(m.seed, src[s.from:s.to])
	}
	if before := m.recall(feed); before != nil && before.setting == now.setting {
		if doc = before.parse(src, found, hashes, read); doc != nil {
			whole = func() []store.Arrival {
				var again *document
				if guarded(log, func() (err error) { again, err = read(src); return err }) == nil {
					return again.Arrivals
				}
				return slices.DeleteFunc(slices.Clone(doc.Arrivals), func(a store.Arrival) bool { return a.Recalled })
			}
		}
	}
	if doc == nil {
		if doc, err = read(src); err != nil || doc.Damaged != nil || len(doc.Arrivals) != len(hashes) {
			m.forget(feed)
			return doc, nil, err
		}
	}
	for i, h := range hashes {
		now.keep(h, &doc.Arrivals[i])
	}
	m.remember(now)
	return doc, whole, nil
}

// parse parses what of a document is not known, and puts what is known in its place. It returns nil if nothing is, or if the
// rest is not what a document without these items would be.
func (r *recollection) parse(src []byte, found items, hashes []uint64, parse func([]byte) (*document, error)) *document {
	var unknown []span
	for i, h := range hashes {
		if _, known := r.items[h]; !known {
			unknown = append(unknown, found.spans[i])
		}
	}
	if len(unknown) == len(hashes) {
		return nil
	}
	doc, err := parse(found.without(src, unknown))
	if err != nil || doc.Damaged != nil || len(doc.Arrivals) != len(unknown) {
		return nil
	}
	parsed := doc.Arrivals
	doc.Arrivals = make([]store.Arrival, len(hashes))
	for i, h := range hashes {
		if a, known := r.items[h]; known {
			doc.Arrivals[i] = store.Arrival{
				Item:      store.Item{GUID: a.guid, Title: a.title, Link: a.link, Text: a.text, Rest: a.rest},
				Body:      store.Body{Published: a.published, Updated: a.updated},
				Canonical: a.canonical,
				Recalled:  true,
			}
		} else {
			doc.Arrivals[i], parsed = parsed[0], parsed[1:]
		}
	}
	return doc
}

// keep keeps what is recalled of an item, without the document that its texts are a part of.
func (r *recollection) keep(h uint64, a *store.Arrival) {
	it := &a.Item
	texts := it.GUID + it.Title + it.Link + a.Canonical
	part := func(n int) (s string) {
		s, texts = texts[:n], texts[n:]
		return s
	}
	r.size += int(unsafe.Sizeof(recalled{})) + 16 + len(texts)
	r.items[h] = recalled{part(len(it.GUID)), part(len(it.Title)), part(len(it.Link)), part(len(a.Canonical)),
		it.Text, it.Rest, a.Body.Published, a.Body.Updated}
}

// setting hashes what stands around the items of a document, but for white space and dates, and where it came from.
func (m *memory) setting(src []byte, found items, address *url.URL) uint64 {
	var h maphash.Hash
	h.SetSeed(m.seed)
	h.WriteString(address.String())
	found.around(src, func(part []byte) {
		if len(bytes.TrimSpace(part)) == 0 {
			return
		}
		l := lexer{src: part}
		for dated := false; ; {
			tok := l.next()
			switch tok.kind {
			case lexEnd:
				return
			case lexStart, lexEndTag:
				dated = tok.kind == lexStart && isDateElement(tok.name)
				h.Write(part[tok.at:l.pos])
			default:
				if !dated {
					h.Write(bytes.TrimSpace(tok.text))
				}
			}
		}
	})
	return h.Sum64()
}

// isDateElement reports whether an element of a feed says when it was made, and nothing about its items.
func isDateElement(name []byte) bool {
	switch strings.ToLower(localName(string(name))) {
	case "lastbuilddate", "pubdate", "updated", "date", "modified", "published":
		return true
	}
	return false
}

// recall returns what is known of a feed; nil if nothing is.
func (m *memory) recall(feed store.FeedName) *recollection {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.feeds[feed]; e != nil {
		return e.Value.(*recollection)
	}
	return nil
}

// remember puts r in the place of what was known of its feed.
func (m *memory) remember(r *recollection) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(m.feeds[r.feed])
	m.feeds[r.feed] = m.order.PushFront(r)
	for m.size += r.size; m.size > m.most; {
		m.drop(m.order.Back())
	}
}

func (m *memory) forget(feed store.FeedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(m.feeds[feed])
}

// drop forgets one; mu is held.
func (m *memory) drop(e *list.Element) {
	if e == nil {
		return
	}
	r := m.order.Remove(e).(*recollection)
	delete(m.feeds, r.feed)
	m.size -= r.size
}

// items are where in a document its items stand.
type items struct {
	spans []span
	list  bool // they are a list with commas between them, as in JSON
}

// A span is a part of a document.
type span struct{ from, to int }

// around calls f with what stands before, between and behind the items; the commas of a list are a part of it.
func (found items) around(src []byte, f func([]byte)) {
	from := 0
	for _, s := range found.spans {
		if from == 0 || !found.list {
			f(src[from:s.from])
		}
		from = s.to
	}
	f(src[from:])
}

// without is the document with the kept items only.
func (found items) without(src []byte, kept []span) []byte {
	out := make([]byte, 0, len(src)/4)
	if found.list {
		out = append(out, src[:found.spans[0].from]...)
		for i, s := range kept {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, src[s.from:s.to]...)
		}
		return append(out, src[found.spans[len(found.spans)-1].to:]...)
	}
	from := 0
	for _, s := range found.spans {
		out = append(out, src[from:s.from]...)
		if from = s.to; len(kept) > 0 && kept[0] == s {
			out, kept = append(out, src[s.from:s.to]...), kept[1:]
		}
	}
	return append(out, src[from:]...)
}

// findItems finds the items of a feed by their tags or brackets alone. ok is false where they cannot be told from the rest with
// certainty: then the parser must.
func findItems(src []byte) (found items, ok bool) {
	if src[0] == '{' {
		s := jsonScan{src: src}
		err := s.scan()
		return items{s.items, true}, err == nil && s.end > 0 && s.listEnd > 0
	}
	found.spans, ok = findXMLItems(src)
	return found, ok
}

func findXMLItems(src []byte) (spans []span, ok bool) {
	var end []byte // the tag that ends the open item
	from, name := 0, ""
	for i := 0; ; {
		n := bytes.IndexByte(src[i:], '<')
		if n < 0 {
			return spans, end == nil
		}
		at := i + n
		rest := src[at:]
		i = at + 1
		passOver := func(mark string) bool {
			n := bytes.Index(rest, []byte(mark))
			i = at + n + len(mark)
			return n >= 0
		}
		switch {
		case bytes.HasPrefix(rest, []byte("<![CDATA[")):
			ok = passOver("]]>")
		case bytes.HasPrefix(rest, []byte("<!--")):
			ok = len(rest) > 4
			rest, at = rest[min(4, len(rest)):], at+4
			ok = ok && passOver("-->")
		case bytes.HasPrefix(rest, []byte("<!")): // a DOCTYPE, or something odd
			return nil, false
		case bytes.HasPrefix(rest, []byte("<?")):
			ok = passOver(">")
		case end != nil && bytes.HasPrefix(rest, end):
			spans = append(spans, span{from, at + len(end)})
			end, ok = nil, true
		default:
			ok = true
			for _, tag := range [...]string{"item", "entry"} {
				if !bytes.HasPrefix(rest[1:], []byte(tag)) || len(rest) <= len(tag)+1 || nameLen(rest[len(tag)+1:]) > 0 {
					continue
				}
				close := bytes.IndexByte(rest, '>')
				if end != nil || close < 0 || rest[close-1] == '/' || name != "" && name != tag || bytes.Count(rest[:close], []byte{'"'})%2 != 0 {
					return nil, false
				}
				name, from, end = tag, at, []byte("</"+tag+">")
				i = at + close + 1
			}
		}
		if !ok {
			return nil, false
		}
	}
}
