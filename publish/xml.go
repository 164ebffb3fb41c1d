package publish

import (
	"bytes"
	"encoding/xml"
	"strings"
)

// hexEscape is the RSS profile's spelling of characters that could be taken for markup.
var hexEscape = strings.NewReplacer("&", "&#x26;", "<", "&#x3C;", ">", "&#x3E;")

// mailName keeps a name from ending the parentheses that it stands in after an address.
var mailName = strings.NewReplacer("(", "", ")", "")

// marshalXML writes a document. Its structs hold strings and numbers only, which always can be written.
func marshalXML(v any) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header)
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
