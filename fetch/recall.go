package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"log/slog"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"broadsheet/store"
)

// An outlet adds two items to twenty-five. Those that stand in a document in the same bytes as in the one before are
// recognised by a hash of them, so that only the others are parsed: finding out that an item has not changed takes a look at its bytes,
// not a parser. What is known of a feed's last document is kept in the store with its poll, so that it serves a one-shot, too, and
// whichever process polls the feed next.
//
// Nothing depends on it: what is not recognised is parsed.

// maxRecollection bounds what is remembered of a document, in bytes: that is some 1,000 items.
const maxRecollection = 256 << 10

// A recollection is what is known of a feed's last document.
type recollection struct {
	setting uint64              // hash of what stands around the items: they may mean something else under another language or base
	items   map[uint64]recalled // by the hash of their bytes
}

// recalled is what is known of an item.
type recalled struct {
	guid, title, link, canonical string
	text, rest                   uint64
	published, updated           time.Time
}

// A recaller has what was remembered of documents, and the clock that counts; a store.Store is one.
type recaller interface {
	Recollection(ctx context.Context, feed store.FeedName) ([]byte, error)
	Now() time.Time
}

// A reading is a document that was read in the light of the one before.
type reading struct {
	*document

	// whole returns the items with none of them recalled. It is nil if none is.
	whole func() []store.Arrival

	remembered []byte // for the next document; nil if what was remembered before shall stay
}

// recallDocument reads a document as parseDocument does, of which log hears if that goes wrong later. Items whose bytes are
// known from before, what was remembered of the last document, come back as they are recalled (see store.Arrival). What another program has
// remembered is not believed: it may have read otherwise.
func recallDocument(a *answer, program string, before []byte, log *slog.Logger) (r reading, err error) {
	src, fault, err := readable(a.body, a.header.Get("Content-Type"))
	if err != nil {
		return r, err
	}
	read := func(src []byte) (*document, error) { return readFeed(src, fault, a.address) }
	found, ok := findItems(src)
	if !ok || len(found.spans) == 0 || len(found.spans) > maxItems {
		r.document, err = read(src)
		return r, err
	}
	setting, hashes := settingOf(src, found, program, a.address), make([]uint64, len(found.spans))
	for i, s := range found.spans {
		sum := sha256.Sum256(src[s.from:s.to])
		hashes[i] = binary.BigEndian.Uint64(sum[:])
	}
	if known := decodeRecollection(before); known != nil && known.setting == setting {
		if r.document = known.parse(src, found, hashes, read); r.document != nil {
			doc := r.document
			r.whole = func() []store.Arrival {
				var again *document
				if guarded(log, func() (err error) { again, err = read(src); return err }) == nil {
					return again.Arrivals
				}
				return slices.DeleteFunc(slices.Clone(doc.Arrivals), func(a store.Arrival) bool { return a.Recalled })
			}
		}
	}
	if r.document == nil {
		if r.document, err = read(src); err != nil || r.Damaged != nil || len(r.Arrivals) != len(hashes) {
			return r, err
		}
	}
	now := encodeRecollection(setting, hashes, r.Arrivals)
	if len(now) <= maxRecollection && !bytes.Equal(now, before) {
		r.remembered = now
	}
	return r, nil
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

// encodeRecollection writes what is known of a document's items, each under the hash of its bytes. Each text is led by its length and one; 0
// says that it is the one before it.
func encodeRecollection(setting uint64, hashes []uint64, arrivals []store.Arrival) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 200*len(hashes)), setting)
	for i, h := range hashes {
		a := &arrivals[i]
		b = binary.BigEndian.AppendUint64(b, h)
		before := ""
		for _, s := range [...]string{a.Item.Title, a.Item.GUID, a.Item.Link, a.Canonical} {
			if s == before {
				b = append(b, 0)
			} else {
				b = append(binary.AppendUvarint(b, uint64(len(s))+1), s...)
			}
			before = s
		}
		b = binary.BigEndian.AppendUint64(b, a.Item.Text)
		b = binary.BigEndian.AppendUint64(b, a.Item.Rest)
		for _, t := range [...]time.Time{a.Body.Published, a.Body.Updated} {
			micros := int64(noDate)
			if !t.IsZero() {
				micros = t.UnixMicro()
			}
			b = binary.AppendVarint(b, micros)
		}
	}
	return b
}

// noDate stands for a date that an item does not have.
const noDate = math.MinInt64

// decodeRecollection returns nil if b is none.
func decodeRecollection(b []byte) *recollection {
	if len(b) < 8 {
		return nil
	}
	s, bad := string(b), false
	number := func() (n uint64) {
		if len(b) < 8 {
			b, bad = nil, true
			return 0
		}
		n, b = binary.BigEndian.Uint64(b), b[8:]
		return n
	}
	text := func(before string) string {
		n, width := binary.Uvarint(b)
		if width <= 0 || n > uint64(len(b)-width)+1 {
			b, bad = nil, true
			return ""
		}
		b = b[width:]
		if n == 0 {
			return before
		}
		at := len(s) - len(b)
		b = b[n-1:]
		return s[at : at+int(n)-1]
	}
	date := func() time.Time {
		micros, width := binary.Varint(b)
		if width <= 0 {
			b, bad = nil, true
			return time.Time{}
		}
		if b = b[width:]; micros == noDate {
			return time.Time{}
		}
		return time.UnixMicro(micros).UTC()
	}
	r := &recollection{setting: number(), items: map[uint64]recalled{}}
	for len(b) > 0 {
		h := number()
		var it recalled
		it.title = text("")
		it.guid = text(it.title)
		it.link = text(it.guid)
		it.canonical = text(it.link)
		it.text, it.rest = number(), number()
		it.published, it.updated = date(), date()
		r.items[h] = it
	}
	if bad {
		return nil
	}
	return r
}

// settingOf hashes what stands around the items of a document, but for white space and dates, where it came from, and who reads it.
func settingOf(src []byte, found items, program string, address *url.URL) uint64 {
	h := sha256.New()
	io.WriteString(h, program+"\x00"+address.String()+"\x00")
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
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// isDateElement reports whether an element of a feed says when it was made, and nothing about its items.
func isDateElement(name []byte) bool {
	switch strings.ToLower(localName(string(name))) {
	case "lastbuilddate", "pubdate", "updated", "date", "modified", "published":
		return true
	}
	return false
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
