package publish

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// A coding is a content coding (RFC 9110 §8.4.1) in which documents are kept ready, beside their own bytes.
type coding struct {
	name   string // as Accept-Encoding has it
	suffix string // of the ETag
	pack   func([]byte) []byte
}

// codings are those, the one that we prefer first. Their levels are where a feed of 230 KB costs some milliseconds and
// the next level would save a few percent for many times that.
var codings = [...]coding{
	{"br", "-br", func(b []byte) []byte {
		return encode(b, func(w io.Writer) io.WriteCloser { return brotli.NewWriterLevel(w, 5) })
	}},
	{"zstd", "-zst", func(b []byte) []byte { return zstdEncoder().EncodeAll(b, nil) }},
	{"gzip", "-gz", func(b []byte) []byte {
		return encode(b, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
	}},
}

// zstdEncoder has a window that every reader must have (RFC 9659 §3).
var zstdEncoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(8<<20))
	if err != nil {
		panic(err) // the options are ours
	}
	return e
})

func encode(body []byte, to func(io.Writer) io.WriteCloser) []byte {
	var b bytes.Buffer
	w := to(&b)
	if _, err := w.Write(body); err != nil {
		panic(err) // a bytes.Buffer takes everything
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// A packed is a body in all codings, each made once; nil where that is no shorter.
type packed [len(codings)]func() []byte

func newPacked(body []byte) *packed {
	var p packed
	for i, c := range codings {
		p[i] = sync.OnceValue(func() []byte {
			if b := c.pack(body); len(b) < len(body) {
				return b
			}
			return nil
		})
	}
	return &p
}

// pack makes d's codings. A reader who comes before it is done waits for what he wants: whatever the moment, an answer to
// the same request is the same.
func (d *Document) pack() {
	for _, made := range d.packed {
		made()
	}
}

// representation is d as a reader with these Accept-Encoding fields gets it: its bytes, their tag, and the coding, which is
// "" for the body as it is. It is not ok if the reader takes none that there is.
func (d *Document) representation(fields []string) (body []byte, tag, coding string, ok bool) {
	a := parseAccept(fields)
	for {
		best, i := 0., -1
		for n, q := range a.codings {
			if q > best && q >= a.identity {
				best, i = q, n
			}
		}
		if i < 0 {
			return d.Body, d.ETag, "", a.identity > 0
		}
		if b := d.packed[i](); b != nil {
			return b, strings.TrimSuffix(d.ETag, `"`) + codings[i].suffix + `"`, codings[i].name, true
		}
		a.codings[i] = 0
	}
}

// accept is how much a reader likes each coding, from 0, which is not at all, to 1 (RFC 9110 §12.5.3).
type accept struct {
	codings  [len(codings)]float64
	identity float64
}

// least is how much a reader likes the body as it is who does not say: less than anything that it names.
const least = 0.0001

func parseAccept(fields []string) accept {
	weights := map[string]float64{}
	for _, field := range fields {
		for part := range strings.SplitSeq(field, ",") {
			name, params, _ := strings.Cut(part, ";")
			if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
				weights[strings.TrimPrefix(name, "x-")] = weight(params)
			}
		}
	}
	other, star := weights["*"]
	a := accept{identity: least}
	if q, named := weights["identity"]; named {
		a.identity = q
	} else if star && other == 0 {
		a.identity = 0
	}
	for i, c := range codings {
		q, named := weights[c.name]
		if !named {
			q = other
		}
		a.codings[i] = q
	}
	// Who refuses the body as it is and names nothing that we have gets what everybody can read.
	if _, named := weights["gzip"]; a.identity == 0 && !star && !named && a.codings == [len(codings)]float64{} {
		a.codings[len(codings)-1] = least
	}
	return a
}

// weight is the q among the parameters of a coding.
func weight(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil || !(q >= 0) {
				return 0
			}
			return min(q, 1)
		}
	}
	return 1
}
