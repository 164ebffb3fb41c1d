package publish

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// unpack undoes a coding.
func unpack(t *testing.T, coding string, body []byte) []byte {
	t.Helper()
	var r io.Reader = bytes.NewReader(body)
	var err error
	switch coding {
	case "br":
		r = brotli.NewReader(r)
	case "zstd":
		var d *zstd.Decoder
		if d, err = zstd.NewReader(r, zstd.WithDecoderMaxWindow(8<<20)); err == nil {
			defer d.Close()
			r = d
		}
	case "gzip":
		r, err = gzip.NewReader(r)
	}
	if err == nil {
		body, err = io.ReadAll(r)
	}
	if err != nil {
		t.Errorf("%s: %v", coding, err)
	}
	return body
}

func TestCodings(t *testing.T) {
	w := newWorld(t)
	w.poll(in("0s"), "a", feedOf("a"), news("one", "https://a.example/1", strings.Repeat("<p>text</p>", 200)))
	e := w.edition(w.publisher(publication([]Outlet{outlet("a")}, Section{Slug: "all"})))
	h := NewHandler("https://paper.example")
	h.Show(e)
	base := listen(t, w, h)
	d := e.Document("all.atom")
	resp, body := ask(t, "GET", base+"/all.atom", "Accept-Encoding: zstd") // nothing is packed yet
	if resp.Header.Get("Content-Encoding") != "zstd" || !bytes.Equal(unpack(t, "zstd", []byte(body)), d.Body) {
		t.Errorf("before all is packed: %v", resp.Header)
	}
	e.Pack()
	for d := range e.Documents() {
		tags := map[string]bool{}
		for _, c := range codings {
			resp, body := ask(t, "GET", base+"/"+d.Path, "Accept-Encoding: "+c.name)
			tag := resp.Header.Get("ETag")
			if got := resp.Header.Get("Content-Encoding"); got != c.name && len(d.Body) > 1000 {
				t.Errorf("%s: %q in place of %s", d.Path, got, c.name)
			} else if got != "" && (tags[tag] || !strings.HasSuffix(tag, c.suffix+`"`) || tag == d.ETag) {
				t.Errorf("%s, %s: the tag is %s", d.Path, c.name, tag)
			} else if !bytes.Equal(unpack(t, got, []byte(body)), d.Body) {
				t.Errorf("%s: %s holds something else", d.Path, c.name)
			}
			tags[tag] = true
		}
	}
	for accept, want := range map[string]string{
		"": "", "gzip": "gzip", "GZIP": "gzip", "x-gzip": "gzip", "br": "br", "zstd": "zstd", "deflate": "", "gzip, deflate, br, zstd": "br", "gzip, zstd": "zstd",
		"gzip;q=1, br;q=0.5": "gzip", "br;q=0.8, zstd;q=0.9, gzip;q=0.8": "zstd", "gzip, br;q=0": "gzip", "*": "br", "*;q=0.1, zstd;q=0": "br",
		"deflate, gzip;q=0.5": "gzip", "gzip;q=0": "", "gzip;q=0.0": "", "gzip; Q=0": "", "gzip ; q = 0.7": "gzip", "*;q=0, gzip": "gzip", "gzip;q=0, *": "br",
		"identity": "", "gzip;q=0.5, identity": "", "gzip;q=0.5, identity;q=0.2": "gzip", "gzip;q=nonsense": "", "gzip;q=-1": "", "gzip;q=NaN": "", ",,gzip": "gzip",
		"identity;q=0": "gzip", "identity;q=0, deflate": "gzip", "identity;q=0, br;q=0.1": "br", "identity;q=0, *": "br",
		"identity;q=0, *;q=0": "406", "*;q=0": "406", "identity;q=0, gzip;q=0": "406", "*;q=0, identity": "", "*;q=0, identity;q=0.1": "",
	} {
		for _, method := range []string{"GET", "HEAD"} {
			resp, _ := ask(t, method, base+"/all.atom", "Accept-Encoding: "+accept)
			got := resp.Header.Get("Content-Encoding")
			if resp.StatusCode == 406 {
				got = "406"
			}
			if got != want || resp.Header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s %q: %q, want %q", method, accept, got, want)
			}
		}
	}
}

func BenchmarkPack(b *testing.B) {
	var text strings.Builder
	for i := range 400 {
		text.WriteString("<entry><title>" + strings.Repeat(time.Unix(int64(i)*99999, 0).String()+" news of the day ", 10) + "</title></entry>\n")
	}
	body := []byte(text.String())
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		newDocument("x.atom", typeAtom, body, start, time.Minute).pack()
	}
}
