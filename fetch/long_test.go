package fetch

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// longAnswer is a document of four times longDocument, whose second half takes its time; net counts those that are at it.
func longAnswer(net *fakeNet) *http.Response {
	doc := strings.Replace(smallFeed, "One", strings.Repeat("One ", longDocument), 1)
	a := response(200, "", nil)
	a.Body = io.NopCloser(io.MultiReader(strings.NewReader(doc[:2*longDocument]), onRead(func() {
		net.begin("a long document")
		time.Sleep(5 * time.Second)
		net.end("a long document")
	}), strings.NewReader(doc[2*longDocument:])))
	return a
}

// onRead is called once, when it is read.
type onRead func()

func (f onRead) Read([]byte) (int, error) { f(); return 0, io.EOF }

// Few long documents are in hand at a time; those that wait lose no time by it, and short ones do not wait.
func TestLongDocuments(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t, path)
		defer st.Close()
		settings := testSettings()
		settings.MaxBytes, settings.Timeout = 16*longDocument, 8*time.Second
		var addresses []string
		for i := range 8 {
			addresses = append(addresses, fmt.Sprintf("https://%c.example/long", 'a'+i))
		}
		addresses = append(addresses, "https://z.example/short")
		net := &fakeNet{}
		net.answer = func(r *http.Request) *http.Response {
			if r.URL.Path == "/long" {
				return longAnswer(net)
			}
			return nil
		}
		sch := New(Options{Store: st, Settings: settings, Feeds: feeds(t, addresses...), Log: discard, RoundTripper: net})
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { sch.Run(ctx) })
		began := time.Now()
		sum, err := sch.Once(ctx, Request{}, func(p Progress) {
			if took := time.Since(began); strings.HasSuffix(p.Feed, "short") && took > time.Second {
				t.Errorf("the short document waited %v", took)
			}
		})
		if err != nil || sum.Failed > 0 || sum.New != len(addresses) {
			t.Errorf("%+v, %v", sum, err)
		}
		cancel()
		running.Wait()
		if n := net.most["a long document"]; n != longRead {
			t.Errorf("%d long documents were read at a time, want %d", n, longRead)
		}
	})
}

// A body that has stalled already when its poll begins to wait for its turn has stalled once.
func TestStalledBeforeTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(io.NopCloser(strings.NewReader("")))
		time.Sleep(stallTimeout)
		synctest.Wait()
		w.stop()
		w.goOn()
		time.Sleep(stallTimeout)
		synctest.Wait()
		if !w.stalled() {
			t.Error("it is not known to have stalled")
		}
	})
}
