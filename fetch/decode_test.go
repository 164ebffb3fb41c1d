package fetch

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// encode applies a content coding; "raw" is deflate without zlib around it.
func encode(t testing.TB, coding string, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch coding {
	case "gzip", "x-gzip":
		w = gzip.NewWriter(&out)
	case "deflate":
		w = zlib.NewWriter(&out)
	case "raw":
		w, err = flate.NewWriter(&out, 6)
	case "br":
		w = brotli.NewWriter(&out)
	case "zstd":
		w, err = zstd.NewWriter(&out)
	default:
		t.Fatal(coding)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestDecodeBody(t *testing.T) {
	plain := []byte(strings.Repeat("<item>Łódź 東京</item>", 300))
	gz := encode(t, "gzip", plain)
	for _, test := range []struct {
		name, header string
		wire         []byte
	}{
		{"plain", "", plain},
		{"identity", "identity", plain},
		{"gzip", "gzip", gz},
		{"x-gzip", "X-GZip", encode(t, "gzip", plain)},
		{"deflate as zlib", "deflate", encode(t, "deflate", plain)},
		{"deflate without zlib", "deflate", encode(t, "raw", plain)},
		{"br", "br", encode(t, "br", plain)},
		{"zstd", "zstd", encode(t, "zstd", plain)},
		{"gzip, then br", "gzip, br", encode(t, "br", gz)},
		{"gzip twice", "gzip, gzip", encode(t, "gzip", gz)},
		{"gzip that says nothing", "", gz},
		{"plain that says gzip", "gzip", plain},
		{"gzip twice that says it once", "gzip", encode(t, "gzip", gz)},
		{"gzip in two members", "gzip", append(encode(t, "gzip", plain[:100]), encode(t, "gzip", plain[100:])...)},
		{"gzip and garbage behind it", "gzip", append(bytes.Clone(gz), "\x00\x00\x00 garbage"...)},
	} {
		got, err := decodeBody(bytes.NewReader(test.wire), test.header, 1<<20, willing)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: %d bytes, %v", test.name, len(got), err)
		}
	}
	if got, err := decodeBody(strings.NewReader(""), "gzip", 1<<20, willing); err != nil || got == nil || len(got) != 0 {
		t.Errorf("empty: %q, %v", got, err)
	}
}

// A body that breaks off gives what came, and the error.
func TestDecodeBodyCutOff(t *testing.T) {
	plain := []byte(numbers(20000))
	for _, coding := range []string{"gzip", "deflate", "raw", "br", "zstd"} {
		wire := encode(t, coding, plain)
		header := coding
		if coding == "raw" {
			header = "deflate"
		}
		got, err := decodeBody(bytes.NewReader(wire[:len(wire)/2]), header, 1<<20, willing)
		if !errors.Is(err, io.ErrUnexpectedEOF) || got == nil || !bytes.HasPrefix(plain, got) {
			t.Errorf("%s: %d bytes, %v", coding, len(got), err)
		}
		if len(got) < len(plain)/10 && coding != "zstd" && coding != "br" { // these decode by blocks
			t.Errorf("%s: only %d of %d bytes", coding, len(got), len(plain))
		}
	}
	corrupt := encode(t, "gzip", plain)
	corrupt[len(corrupt)-5] ^= 1 // of the checksum
	if got, err := decodeBody(bytes.NewReader(corrupt), "gzip", 1<<20, willing); err == nil || len(got) != len(plain) {
		t.Errorf("wrong checksum: %d bytes, %v", len(got), err)
	}
	broken := io.MultiReader(bytes.NewReader(plain[:100]), failingReader{})
	if got, err := decodeBody(broken, "", 1<<20, willing); !errors.Is(err, errConnection) || len(got) != 100 {
		t.Errorf("broken connection: %d bytes, %v", len(got), err)
	}
}

var errConnection = errors.New("connection reset")

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errConnection }

// numbers is text that compresses, but not to nothing.
func numbers(n int) string {
	var b strings.Builder
	for i := range uint64(n) {
		x := i * 0x9E3779B97F4A7C15
		b.WriteString("word")
		b.WriteByte(byte('a' + x>>60))
		b.WriteByte(byte('a' + x>>56&15))
		b.WriteByte(' ')
	}
	return b.String()
}

func TestDecodeBodyLimits(t *testing.T) {
	zeros := make([]byte, 64<<20)
	for _, test := range []struct {
		name, header string
		wire         []byte
		max          int64
		says         string
	}{
		{"long", "", []byte(numbers(1000)), 100, "fetch.max_bytes"},
		{"long when decoded", "gzip", encode(t, "gzip", []byte(numbers(10000))), 60000, "fetch.max_bytes"},
		{"bomb", "gzip", encode(t, "gzip", zeros), 1 << 30, "200 times"},
		{"bomb in two layers", "gzip, gzip", encode(t, "gzip", encode(t, "gzip", zeros)), 1 << 30, "200 times"},
		{"brotli bomb", "br", encode(t, "br", zeros), 1 << 30, "200 times"},
		{"zstd bomb", "zstd", encode(t, "zstd", zeros), 1 << 30, "200 times"},
		{"deflate bomb", "deflate", encode(t, "deflate", zeros), 1 << 30, "200 times"},
		{"three codings", "gzip, gzip, gzip", nil, 1 << 20, "more than 2 times"},
		{"three layers", "", encode(t, "gzip", encode(t, "gzip", encode(t, "gzip", []byte("x")))), 1 << 20, "more than 2 times"},
		{"unknown", "compress", nil, 1 << 20, `"compress" is none of`},
	} {
		got, err := decodeBody(bytes.NewReader(test.wire), test.header, test.max, willing)
		if err == nil || got != nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %d bytes, %v", test.name, len(got), err)
		}
	}
	// A window of 128 MiB is more than a frame may ask for (RFC 9659 §3).
	var wide bytes.Buffer
	w, err := zstd.NewWriter(&wide, zstd.WithWindowSize(128<<20))
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte(numbers(1 << 20)))
	w.Close()
	if _, err := decodeBody(&wide, "zstd", 16<<20, willing); err == nil {
		t.Error("a zstd window of 128 MiB was granted")
	}
}

// What fits is read whole, to the last byte.
func TestDecodeBodyExactly(t *testing.T) {
	plain := []byte(numbers(1000))
	for _, header := range []string{"", "gzip"} {
		wire := plain
		if header != "" {
			wire = encode(t, header, plain)
		}
		if got, err := decodeBody(bytes.NewReader(wire), header, int64(len(plain)), willing); err != nil || len(got) != len(plain) {
			t.Errorf("%q: %d bytes, %v", header, len(got), err)
		}
		if _, err := decodeBody(bytes.NewReader(wire), header, int64(len(plain))-1, willing); err == nil {
			t.Errorf("%q: one byte too many was read", header)
		}
	}
}

func BenchmarkDecodeBody(b *testing.B) {
	plain := benchFeed(false)
	for _, coding := range []string{"gzip", "br", "zstd"} {
		wire := encode(b, coding, plain)
		b.Run(coding, func(b *testing.B) {
			b.SetBytes(int64(len(plain)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decodeBody(bytes.NewReader(wire), coding, 16<<20, willing); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
