package fetch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

const (
	maxCodings   = 2       // content codings on top of each other
	maxRatio     = 200     // decoded bytes per byte on the wire, counted after ratioFrom
	ratioFrom    = 1 << 20 // bytes
	maxZstdFrame = 8 << 20 // window of a zstd frame in bytes (RFC 9659 §3)
)

// errTooLong says that a document is longer than the operator permits.
type errTooLong struct{ max int64 }

func (e errTooLong) Error() string {
	return fmt.Sprintf("the document is longer than %d bytes: raise fetch.max_bytes if it is meant to be", e.max)
}

// decodeBody reads an answer's body and undoes its content codings (RFC 9110 §8.4.1): gzip, deflate, br
// and zstd, two of them at most. Neither the wire nor what it decodes to may exceed maxBytes, nor may it
// decode to more than 200 times its size once it is over 1 MiB. Bodies that claim gzip and are plain, or
// are gzip and do not claim it, are read for what they are. If the body breaks off or is corrupt, the
// bytes so far are returned together with the error; otherwise bytes come without an error, or an error
// without bytes. long is called each time before more than longDocument is kept, and may refuse it.
func decodeBody(r io.Reader, contentEncoding string, maxBytes int64, long func() error) ([]byte, error) {
	codings, err := parseCodings(contentEncoding)
	if err != nil {
		return nil, err
	}
	b := bound{maxBytes, long}
	wire, err := b.read(r, 0)
	if wire == nil {
		return nil, err
	}
	size := int64(len(wire))
	layers := 0
	for ; ; layers++ {
		coding := ""
		if n := len(codings); n > 0 {
			coding, codings = codings[n-1], codings[:n-1]
		} else if !bytes.HasPrefix(wire, gzipMagic) {
			break
		} else if coding = "gzip"; layers == maxCodings {
			return nil, fmt.Errorf("the document is compressed more than %d times", maxCodings)
		}
		if len(wire) == 0 {
			break
		}
		b.most = min(maxBytes, max(maxRatio*size, ratioFrom))
		plain, derr := b.undo(wire, coding)
		if e := (errTooLong{}); errors.As(derr, &e) && e.max < maxBytes {
			return nil, fmt.Errorf("the document decompresses to more than %d times its size: that is no feed", maxRatio)
		} else if errors.As(derr, &e) {
			return nil, derr
		}
		if err == nil && derr != nil {
			err = fmt.Errorf("the document is not the %s that its server says it is: %w", coding, derr)
		}
		wire = plain
	}
	if wire == nil {
		wire = []byte{}
	}
	return wire, err
}

var gzipMagic = []byte{0x1f, 0x8b, 8}

// parseCodings lists the codings of a Content-Encoding header in the order in which they were applied.
func parseCodings(header string) ([]string, error) {
	var codings []string
	for c := range strings.SplitSeq(header, ",") {
		switch c = strings.ToLower(strings.TrimSpace(c)); c {
		case "", "identity", "none", "utf-8": // the last two are no codings, but mean none
		case "gzip", "x-gzip":
			codings = append(codings, "gzip")
		case "deflate", "br", "zstd":
			codings = append(codings, c)
		default:
			return nil, fmt.Errorf("content coding %q is none of gzip, deflate, br, zstd", c)
		}
	}
	if len(codings) > maxCodings {
		return nil, fmt.Errorf("the document is compressed more than %d times", maxCodings)
	}
	return codings, nil
}

// undo decodes one coding of body. On an error that is not errTooLong the bytes so far are returned.
func (b bound) undo(body []byte, coding string) ([]byte, error) {
	r := bytes.NewReader(body)
	switch coding {
	case "gzip":
		if !bytes.HasPrefix(body, gzipMagic) {
			return body, nil
		}
		z := gzipReaders.Get().(*gzip.Reader)
		defer gzipReaders.Put(z)
		if err := z.Reset(r); err != nil {
			return nil, err
		}
		// The last four bytes are the length, if the body is whole and one member.
		hint := int64(0)
		if len(body) >= 18 {
			hint = int64(binary.LittleEndian.Uint32(body[len(body)-4:]))
		}
		plain, err := b.read(z, min(hint+1, maxRatio*int64(len(body))))
		if errors.Is(err, gzip.ErrHeader) { // whatever follows a whole member
			err = nil
		}
		return plain, err
	case "deflate": // meant is zlib (RFC 9110 §8.4.1.2), some send the bare stream
		if len(body) >= 2 && body[0]&0x0f == 8 && binary.BigEndian.Uint16(body)%31 == 0 {
			z, err := zlib.NewReader(r)
			if err != nil {
				return nil, err
			}
			return b.read(z, 4*int64(len(body)))
		}
		return b.read(flate.NewReader(r), 4*int64(len(body)))
	case "br":
		z := brotliReaders.Get().(*brotli.Reader)
		defer brotliReaders.Put(z)
		if err := z.Reset(r); err != nil {
			return nil, err
		}
		return b.read(z, 4*int64(len(body)))
	}
	z := zstdReaders.Get().(*zstd.Decoder)
	defer zstdReaders.Put(z)
	if err := z.Reset(r); err != nil {
		return nil, err
	}
	return b.read(z, 4*int64(len(body)))
}

// The readers are kept for their memory: each holds 40 KiB and more. With a concurrency of one a zstd reader
// starts no goroutine that would have to be ended.
var (
	gzipReaders   = sync.Pool{New: func() any { return new(gzip.Reader) }}
	brotliReaders = sync.Pool{New: func() any { return new(brotli.Reader) }}
	zstdReaders   = sync.Pool{New: func() any {
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdFrame), zstd.WithDecoderLowmem(true))
		if err != nil {
			panic(err) // of an option, which are constants
		}
		return z
	}}
)

// A bound is how many bytes may be kept, and whom to ask before they are many.
type bound struct {
	most int64
	long func() error
}

// read reads all of r, of which hint are expected.
func (b bound) read(r io.Reader, hint int64) ([]byte, error) {
	all, err := b.room(nil, max(512, min(hint, b.most, 4<<20)))
	for err == nil {
		var n int
		n, err = r.Read(all[len(all):cap(all)])
		all = all[:len(all)+n]
		switch {
		case int64(len(all)) > b.most:
			return nil, errTooLong{b.most}
		case err == io.EOF:
			return all, nil
		case err == nil && len(all) == cap(all):
			all, err = b.room(all, min(2*int64(cap(all)), max(b.most+1, int64(cap(all))+1)))
		}
	}
	return all, err
}

// room makes room for n bytes, of which the first are there.
func (b bound) room(first []byte, n int64) ([]byte, error) {
	if n > longDocument {
		if err := b.long(); err != nil {
			return nil, err
		}
	}
	return append(make([]byte, 0, n), first...), nil
}
