package fetch

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"broadsheet/store"
)

// A keeper is how a server misbehaves once it has read the request.
type keeper func(c net.Conn)

func says(text string) keeper {
	return func(c net.Conn) { io.WriteString(c, text) }
}

// drips writes a text and then pieces for ever, one a pause.
func drips(text, piece string, pause time.Duration) keeper {
	return func(c net.Conn) {
		if _, err := io.WriteString(c, text); err != nil {
			return
		}
		for {
			if _, err := io.WriteString(c, piece); err != nil {
				return
			}
			time.Sleep(pause)
		}
	}
}

const okFeed = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<?xml version=\"1.0\"?><rss><channel>"

// connections is the zoo of servers (PROTOCOL F47): how each misbehaves, after how long it is left, and what is
// said of it.
var connections = map[string]struct {
	keep  keeper
	bound time.Duration
	err   string
}{
	"silent":        {says(""), headerTimeout, "no answer within 20s"},
	"status-line":   {says("HTTP/1.1 20"), headerTimeout, "no answer within 20s"},
	"header-drip":   {drips("HTTP/1.1 200 OK\r\n", "X-More: and more\r\n", time.Second), headerTimeout, "no answer within 20s"},
	"header-flood":  {drips("HTTP/1.1 200 OK\r\n", strings.Repeat("X-More: "+strings.Repeat("x", 1000)+"\r\n", 100), 0), time.Second, "header of the answer is longer than"},
	"endless-100":   {drips("", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 1000), 0), headerTimeout, ""},
	"body-stall":    {says(okFeed), stallTimeout, "less than 1024 bytes in 10s"},
	"body-drip":     {drips(okFeed, "<", time.Second), stallTimeout, "less than 1024 bytes in 10s"},
	"body-trickle":  {drips(okFeed, strings.Repeat(" ", 2048), 5*time.Second), time.Minute, "fetch.timeout"},
	"body-endless":  {drips(okFeed, strings.Repeat(" ", 64<<10), 0), time.Second, "fetch.max_bytes"},
	"chunk-endless": {drips("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "10000\r\n"+strings.Repeat(" ", 64<<10)+"\r\n", 0), time.Second, "fetch.max_bytes"},
	"chunk-stall":   {says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFF\r\n<rss>"), stallTimeout, "less than 1024 bytes in 10s"},
	"chunk-size":    {drips("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "0", 0), time.Second, ""},
	"no-http":       {says("220 ftp.example.com FTP server ready\r\n"), time.Second, ""},
	"404-endless":   {drips("HTTP/1.1 404 Not Found\r\n\r\n", strings.Repeat("x", 64<<10), 0), time.Second, "404 Not Found"},
	"404-stall":     {says("HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\n"), time.Minute, ""},
	"302-stall":     {says("HTTP/1.1 302 Found\r\nLocation: /a\r\nContent-Length: 100\r\n\r\n"), time.Minute, ""},
	"gzip-stall":    {says("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08"), stallTimeout, "less than 1024 bytes in 10s"},
	"closes":        {func(c net.Conn) { c.Close() }, time.Second, ""},
}

// zooNet is the one transport of the program on connections that lead to the zoo; a host that is in no cage answers well.
func zooNet(t *testing.T, s Settings) *http.Transport {
	t.Helper()
	c := NewClient(s, nil)
	t.Cleanup(c.Close)
	transport := c.transport(policy{}).(*http.Transport)
	transport.DialContext = func(ctx context.Context, _, address string) (net.Conn, error) {
		name, _, _ := net.SplitHostPort(address)
		name, _, _ = strings.Cut(name, ".")
		ours, theirs := net.Pipe()
		go func() { // ends with the connection
			defer theirs.Close()
			if name == "tls" {
				io.Copy(io.Discard, theirs)
				return
			}
			r := bufio.NewReader(theirs)
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			if cage, ok := connections[name]; ok {
				cage.keep(theirs)
			} else {
				fmt.Fprintf(theirs, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(smallFeed), smallFeed)
				return
			}
			io.Copy(io.Discard, theirs)
		}()
		return ours, nil
	}
	return transport
}

// Whatever a server does or leaves: it is left in time, and the message says why.
func TestZooOfServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testSettings()
		s.Timeout = time.Minute
		c := NewClient(s, zooNet(t, s))
		visit := func(address string) (store.Poll, time.Duration) {
			f := Feed{Outlet: "o", URL: address, Address: address, Schedule: everyHour(t), Enabled: true}
			began := time.Now()
			p, err := pollOnce(t, c, &f, &s)
			if err != nil {
				t.Fatal(err)
			}
			return p, time.Since(began)
		}
		for name, cage := range connections {
			p, took := visit("http://" + name + ".example/")
			if took > cage.bound || p.State.Failures != 1 || !strings.Contains(p.State.Err, cage.err) || p.State.Err == "" {
				t.Errorf("%s: left after %v with %q; want %v at most, and %q", name, took, p.State.Err, cage.bound, cage.err)
			}
		}
		if p, took := visit("https://tls.example/"); took > tlsTimeout || !strings.Contains(p.State.Err, "TLS handshake") {
			t.Errorf("tls: left after %v with %q", took, p.State.Err)
		}
		if p, took := visit("http://good.example/"); took > 0 || len(p.Arrivals) != 1 {
			t.Errorf("a good server: %v, %+v", took, p.State)
		}
	})
}

// All of them at once, in one round with feeds that are well: those are polled as if they were alone.
func TestZooBesideOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := quickStore(t, path)
		defer st.Close()
		var addresses []string
		for name := range connections {
			addresses = append(addresses, "http://"+name+".example/")
		}
		const good = 20
		for i := range good {
			addresses = append(addresses, fmt.Sprintf("http://good%d.example/", i))
		}
		s := testSettings()
		s.PerHost, s.HostGap, s.Timeout = 1, time.Second, time.Minute
		s.Concurrency = len(addresses)
		began := time.Now()
		during(t, st, zooNet(t, s), s, feeds(t, addresses...), 70*time.Minute)
		fine := 0
		for outlet, state := range states(t, st) {
			if _, bad := connections[strings.TrimSuffix(outlet, ".example")]; bad {
				if state.Failures == 0 {
					t.Errorf("%s: %+v", outlet, state)
				}
				continue
			}
			if fine++; state.Failures > 0 || state.Items != 1 || state.LastPoll.Sub(began) < time.Hour {
				t.Errorf("%s: %+v", outlet, state)
			}
		}
		if fine != good {
			t.Errorf("%d good feeds", fine)
		}
	})
}

const (
	rssHead = `<?xml version="1.0"?><rss version="2.0"><channel><title>t</title>`
	zooItem = `<item><guid isPermaLink="false">1</guid><title>One</title></item>`
	rssTail = `</channel></rss>`
)

// documents is the zoo of documents (PROTOCOL S3, S4): what comes in which coding, how many items may be left of it,
// and what is said of it.
var documents = map[string]struct {
	coding string
	body   func() []byte
	items  int
	err    string
}{
	"gzip-bomb":   {"gzip", func() []byte { return zipped(zeros(128 << 20)) }, 0, "the document "},
	"gzip-twice":  {"gzip, gzip", func() []byte { return zipped(bytes.NewReader(zipped(zeros(64 << 20)))) }, 0, ""},
	"gzip-hidden": {"", func() []byte { return zipped(bytes.NewReader(zipped(zeros(64 << 20)))) }, 0, ""},
	"gzip-thrice": {"gzip, gzip, gzip", func() []byte { return []byte("x") }, 0, "compressed more than 2 times"},
	"br-bomb":     {"br", brBomb, 0, "the document "},
	"zstd-bomb":   {"zstd", zstdBomb, 0, "the document "},
	"zstd-window": {"zstd", zstdWindow, 0, "zstd"},
	"nesting":     {"", func() []byte { return []byte(rssHead + strings.Repeat("<a>", 2_000_000)) }, 0, ""},
	"nesting-whole": {"", func() []byte {
		return []byte(rssHead + zooItem + strings.Repeat("<a>", 1_000_000) + strings.Repeat("</a>", 1_000_000) + rssTail)
	}, 1, ""},
	"nesting-html": {"", func() []byte {
		return []byte(rssHead + "<item><guid>1</guid><description><![CDATA[" + strings.Repeat("<div>", 1_000_000) + "]]></description></item>" + rssTail)
	}, 1, ""},
	"elements": {"", func() []byte { return []byte(rssHead + zooItem + strings.Repeat("<a/>", 3_500_000) + rssTail) }, 1, ""},
	"items": {"", func() []byte {
		return []byte(rssHead + strings.Repeat("<item><title>x</title></item>", 200_000) + rssTail)
	}, maxItems, "more than 2000 items"},
	"attributes": {"", func() []byte {
		return []byte(rssHead + "<item" + attributes(100_000) + "><guid>1</guid><title>One</title></item>" + rssTail)
	}, 1, ""},
	"attributes-html": {"", func() []byte {
		return []byte(rssHead + "<item><guid>1</guid><description><![CDATA[<p" + attributes(100_000) + ">x</p>]]></description></item>" + rssTail)
	}, 1, ""},
	"long-text": {"", func() []byte {
		return []byte(rssHead + "<item><guid>1</guid><title>" + strings.Repeat("x", 14<<20) + "</title></item>" + rssTail)
	}, 1, ""},
	"long-name": {"", func() []byte { return []byte(rssHead + zooItem + "<" + strings.Repeat("x", 14<<20) + "/>" + rssTail) }, 1, ""},
	"laughs":    {"", func() []byte { return laughs() }, 1, ""},
	"quadratic": {"", func() []byte {
		return []byte(`<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "` + strings.Repeat("a", 100_000) + `">]><rss version="2.0"><channel><item><guid>1</guid><title>` + strings.Repeat("&a;", 100_000) + "</title></item></channel></rss>")
	}, 1, ""},
	"external": {"", func() []byte {
		return []byte(`<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss version="2.0"><channel><item><guid>1</guid><title>&a;</title></item></channel></rss>`)
	}, 1, ""},
	"open-quotes":  {"", func() []byte { return []byte(rssHead + zooItem + strings.Repeat(`<a b="`, 2_000_000)) }, 1, ""},
	"open-cdata":   {"", func() []byte { return []byte(rssHead + zooItem + strings.Repeat(`<![CDATA[`, 1_500_000)) }, 1, ""},
	"open-doctype": {"", func() []byte { return []byte(strings.Repeat(`<!DOCTYPE a [`, 1_000_000) + rssHead + zooItem + rssTail) }, 1, ""},
	"less-thans":   {"", func() []byte { return []byte(rssHead + zooItem + strings.Repeat("<", 15_000_000)) }, 1, ""},
	"json-depth": {"", func() []byte {
		return []byte(`{"version":"https://jsonfeed.org/version/1.1","items":` + strings.Repeat("[", 5_000_000))
	}, 0, "more than 100 levels"},
	"json-object": {"", func() []byte { return []byte(strings.Repeat(`{"items":`, 1_000_000)) }, 0, "more than 100 levels"},
	"json-items": {"", func() []byte {
		return []byte(`{"version":"https://jsonfeed.org/version/1.1","items":[` + strings.Repeat(`{"id":"1"},`, 1_000_000) + `{}]}`)
	}, maxItems, "more than 2000 items"},
	"json-number": {"", func() []byte {
		return []byte(`{"version":"https://jsonfeed.org/version/1.1","items":[{"id":` + strings.Repeat("1", 5_000_000) + `}]}`)
	}, 1, ""},
	"zeros": {"", func() []byte { return make([]byte, 15<<20) }, 0, "empty"},
	"noise": {"", func() []byte { return bytes.Repeat([]byte{0xff, 0xfe, 0x00, 0xd8}, 3<<20) }, 0, ""},
}

// Whatever a document holds: it ends, in memory that grows with what is allowed only, and the process lives.
func TestZooOfDocuments(t *testing.T) {
	good := record(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, smallFeed) })
	for name, cage := range documents {
		t.Run(name, func(t *testing.T) {
			body := cage.body()
			r := record(t, func(w http.ResponseWriter, _ *http.Request) {
				if cage.coding != "" {
					w.Header().Set("Content-Encoding", cage.coding)
				}
				w.Write(body)
			})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			p := visit(t, r.URL, store.FeedState{}, func(_ *Feed, s *Settings) { s.MaxBytes, s.Timeout = 16<<20, 5*time.Minute })
			took := time.Since(began)
			runtime.ReadMemStats(&after)
			t.Logf("%d KiB, %v, %d MiB, %d items, %.200q", len(body)>>10, took, (after.TotalAlloc-before.TotalAlloc)>>20, len(p.Arrivals), p.State.Err)
			if took > 2*time.Minute { // it is to end in 2 s, on a machine that does nothing else
				t.Errorf("took %v", took)
			}
			if n := (after.TotalAlloc - before.TotalAlloc) >> 20; n > 512 { // all that was ever taken, not what was held
				t.Errorf("took %d MiB", n)
			}
			if len(p.Arrivals) > cage.items || !strings.Contains(p.State.Err, cage.err) {
				t.Errorf("%d items, %q; want %d at most, and %q", len(p.Arrivals), p.State.Err, cage.items, cage.err)
			}
			if len(p.Arrivals) == 0 && p.State.Failures != 1 {
				t.Errorf("nothing came of it, and it does not count as a failure: %+v", p.State)
			}
		})
	}
	if p := visit(t, good.URL, store.FeedState{}, nil); len(p.Arrivals) != 1 {
		t.Errorf("a good feed: %+v", p.State)
	}
}

func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func zipped(r io.Reader) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	io.Copy(z, r)
	z.Close()
	return b.Bytes()
}

func brBomb() []byte {
	var b bytes.Buffer
	z := brotli.NewWriterLevel(&b, 1)
	io.Copy(z, zeros(64<<20))
	z.Close()
	return b.Bytes()
}

func zstdBomb() []byte {
	var b bytes.Buffer
	z, _ := zstd.NewWriter(&b, zstd.WithEncoderLevel(zstd.SpeedFastest))
	io.Copy(z, zeros(64<<20))
	z.Close()
	return b.Bytes()
}

// zstdWindow is a frame that wants a window of 2 GiB (RFC 8878 §3.1.1.1.2).
func zstdWindow() []byte {
	frame := binary.LittleEndian.AppendUint32(nil, 0xFD2FB528)
	return append(frame, 0, 21<<3, 1, 0, 0)
}

func attributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ` a%d="%d"`, i, i)
	}
	return b.String()
}

func laughs() []byte {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\"?>\n<!DOCTYPE r [\n<!ENTITY a0 \"ha\">\n")
	for i := range 30 {
		fmt.Fprintf(&b, "<!ENTITY a%d \"%s\">\n", i+1, strings.Repeat(fmt.Sprintf("&a%d;", i), 10))
	}
	b.WriteString("]>\n" + `<rss version="2.0"><channel><item><guid>1</guid><title>&a30;</title></item>` + rssTail)
	return []byte(b.String())
}
