package publish

import (
	"bytes"
	"encoding/xml"
	"strings"
)

// charData is plain text in the spelling that the RSS profile recommends: markup characters as hexadecimal
// references, which neither readers nor validators take for HTML.
type charData struct {
	Text string `xml:",innerxml"`
}

func plainText(s string) charData { return charData{hexEscape.Replace(s)} }

// optional is nil for a text that is empty.
func optional(s string) *charData {
	if s == "" {
		return nil
	}
	c := plainText(s)
	return &c
}

var hexEscape = strings.NewReplacer("&", "&#x26;", "<", "&#x3C;", ">", "&#x3E;")

// marshalXML writes a document. Its structs hold strings and numbers only, which always can be written. sheet is the address
// of what a browser shows it with; "" is none.
func marshalXML(v any, sheet string) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	if sheet != "" {
		b.WriteString(`<?xml-stylesheet type="text/css" href="` + sheet + `"?>` + "\n")
	}
	e := xml.NewEncoder(&b)
	e.Indent("", " ")
	if err := e.Encode(v); err != nil {
		panic("publish: " + err.Error())
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// medium is the kind of a file as Media RSS names it.
func medium(mediaType string) string {
	switch kind, _, _ := strings.Cut(mediaType, "/"); kind {
	case "audio", "image", "video":
		return kind
	case "text", "application":
		return "document"
	}
	return ""
}

// url is the public address of a document.
func (p *Publisher) url(path string) string { return p.pub.BaseURL + "/" + path }
