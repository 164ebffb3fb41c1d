package publish

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// A rendering makes a document of a list, entry by entry: an archive may have many times as many as there should be in
// memory at once.
type rendering interface {
	add(*listed)
	document() *Document // when all entries are added, and the list says how new they are
}

// rendering begins a document of a list in a format. Of archives there is a page; that of a section is page's.
func (p *Publisher) rendering(l *list, ending string) rendering {
	switch ending {
	case ".html":
		return p.archivePage(l)
	case ".rss":
		return &rssRendering{p: p, l: l, items: newXMLEntries("item", "  ")}
	case ".atom":
		return &atomRendering{p: p, l: l, entries: newXMLEntries("entry", " ")}
	}
	return &jsonRendering{p: p, l: l, items: newJSONEntries()}
}

// feed makes a feed of a list that is all there.
func (p *Publisher) feed(l *list, ending string) *Document {
	r := p.rendering(l, ending)
	for i := range l.Items {
		r.add(&l.Items[i])
	}
	return r.document()
}

// A text grows at its end. What it has already is packed until it is whole, so that a text of a hundred megabytes takes
// hardly more than that; a bytes.Buffer takes three times the room.
type text struct {
	bytes.Buffer          // the end
	full         [][]byte // what comes before, packed
	packed       int      // bytes that are in full
}

// textPart is how much of a text is packed at a time; most feeds have less.
const textPart = 1 << 20

// grown is called from time to time.
func (t *text) grown() {
	if t.Len() >= textPart {
		t.full = append(t.full, zstdEncoder().EncodeAll(t.Bytes(), nil))
		t.packed += t.Len()
		t.Reset()
	}
}

// between returns the text with what comes before and after it.
func (t *text) between(head, tail []byte) []byte {
	out := append(make([]byte, 0, len(head)+t.packed+t.Len()+len(tail)), head...)
	for _, part := range t.full {
		var err error
		if out, err = zstdDecoder().DecodeAll(part, out); err != nil {
			panic("publish: " + err.Error()) // we have packed it
		}
	}
	return append(append(out, t.Bytes()...), tail...)
}

var zstdDecoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		panic(err) // the options are ours
	}
	return d
})

// xmlEntries are the last elements of an XML document's outermost one, or of what that begins with.
type xmlEntries struct {
	text
	encoder *xml.Encoder
	element xml.StartElement
}

// newXMLEntries begins with elements of a name, with as many spaces before them as there are elements around them.
func newXMLEntries(name, indent string) *xmlEntries {
	x := &xmlEntries{element: xml.StartElement{Name: xml.Name{Local: name}}}
	x.encoder = xml.NewEncoder(&x.text)
	x.encoder.Indent(indent, " ")
	return x
}

// add writes an entry, a struct of strings and numbers only, which always can be written.
func (x *xmlEntries) add(entry any) {
	if x.Len()+len(x.full) == 0 {
		x.WriteByte('\n')
	}
	if err := x.encoder.EncodeElement(entry, x.element); err != nil {
		panic("publish: " + err.Error())
	}
	x.grown()
}

// in puts the entries into a document that marshalXML has made without them, before what closes it.
func (x *xmlEntries) in(document []byte, closing string) []byte {
	head, ok := bytes.CutSuffix(document, []byte(closing))
	if !ok {
		panic("publish: a document does not end with " + closing)
	}
	return x.between(head, []byte(closing))
}

// jsonEntries are the elements of an array that ends an object.
type jsonEntries struct {
	text
	encoder *json.Encoder
}

func newJSONEntries() *jsonEntries {
	j := &jsonEntries{}
	j.encoder = json.NewEncoder(&j.text)
	j.encoder.SetEscapeHTML(false)
	j.encoder.SetIndent("  ", " ")
	return j
}

// add writes an element of strings, numbers and checked times, which always can be written.
func (j *jsonEntries) add(v any) {
	if j.Len()+len(j.full) > 0 {
		j.WriteByte(',')
	}
	j.WriteString("\n  ")
	if err := j.encoder.Encode(v); err != nil {
		panic("publish: " + err.Error())
	}
	j.Truncate(j.Len() - 1) // the encoder's line end
	j.grown()
}

// in puts the elements into a document whose array is empty.
func (j *jsonEntries) in(document []byte) []byte {
	const closing = "]\n}\n"
	if j.Len()+len(j.full) == 0 {
		return document
	}
	return j.between(bytes.TrimSuffix(document, []byte(closing)), []byte("\n "+closing))
}
