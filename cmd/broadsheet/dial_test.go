package main

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"broadsheet/fetch"
	"broadsheet/publish"
)

// A daemon that says that it is there, and is not when it is asked to poll, leaves that to the asker.
func TestDaemonVanishes(t *testing.T) {
	feed := serveHandler(t, answer(200, "application/rss+xml", newsFeed("outlet.example", "", "A story")))
	w := newWorld(t, everything+outletBlock("o", "Outlet", feed))
	l, err := net.Listen("unix", filepath.Join(w.dir, "broadsheet.sock"))
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	s := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			asked.Add(1)
			l.Close()
			panic(http.ErrAbortHandler)
		}
	})}
	go s.Serve(l)
	defer s.Close()
	if said := w.must("fetch", "--once", "-v"); asked.Load() != 1 || !strings.Contains(said, "1 of 1 feed polled: 1 new item,") {
		t.Errorf("asked %d times; it says %s", asked.Load(), said)
	}
}

// A daemon that stops when it has polled, and before its documents are written, leaves those to the asker.
func TestDaemonStopsBeforeItsDocuments(t *testing.T) {
	var documents bytes.Buffer
	if err := gob.NewEncoder(&documents).Encode(rendered{Digest: "its own", Documents: []*publish.Document{{Path: "page.html", Body: []byte("A page")}}}); err != nil {
		t.Fatal(err)
	}
	for _, last := range []string{"/documents", "half of /documents", "/note", "/archives"} {
		t.Run(last, func(t *testing.T) {
			w := newWorld(t, everything+outletBlock("o", "Outlet", "http://127.0.0.1:9/"))
			l, err := net.Listen("unix", filepath.Join(w.dir, "broadsheet.sock"))
			if err != nil {
				t.Fatal(err)
			}
			var asked atomic.Int32
			s := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Path == last && (last != "/note" || r.Method == http.MethodPost):
				case r.URL.Path == "/once":
					asked.Add(1)
					json.NewEncoder(rw).Encode(message{Summary: &fetch.Summary{Feeds: 1, Polled: 1, New: 7}})
					return
				case r.URL.Path == "/documents" && last != "half of /documents":
					rw.Write(documents.Bytes())
					return
				case r.URL.Path == "/documents":
					rw.Header().Set("Content-Length", strconv.Itoa(documents.Len()))
					rw.Write(documents.Bytes()[:documents.Len()/2])
					http.NewResponseController(rw).Flush()
				case r.URL.Path == "/note" && r.Method == http.MethodGet:
					rw.Write([]byte("null"))
					return
				default:
					return
				}
				l.Close()
				panic(http.ErrAbortHandler)
			})}
			go s.Serve(l)
			defer s.Close()
			if said := w.must("fetch", "--once", "-v"); asked.Load() != 1 || !strings.Contains(said, "1 of 1 feed polled: 7 new items,") {
				t.Errorf("asked %d times; it says %s", asked.Load(), said)
			}
			if _, err := os.Stat(filepath.Join(w.dir, "public", "all.atom")); err != nil {
				t.Error(err)
			}
		})
	}
}

// Where one daemon after the other stops before its documents, the one-shot ends, and does not say that all is done.
func TestDaemonsStopBeforeTheirDocuments(t *testing.T) {
	w := newWorld(t, everything+outletBlock("o", "Outlet", "http://127.0.0.1:9/"))
	l, err := net.Listen("unix", filepath.Join(w.dir, "broadsheet.sock"))
	if err != nil {
		t.Fatal(err)
	}
	var asked, wanted atomic.Int32
	s := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/once":
			asked.Add(1)
			json.NewEncoder(rw).Encode(message{Summary: &fetch.Summary{Feeds: 1, Polled: 1}})
		case "/documents":
			wanted.Add(1)
			panic(http.ErrAbortHandler)
		}
	})}
	go s.Serve(l)
	defer s.Close()
	code, _, stderr := w.run("fetch", "--once")
	if code != exitFailed || !strings.Contains(stderr, errStopped.Error()) || asked.Load() != 1 || wanted.Load() < daemonTries { // net/http asks again on a connection that it has used
		t.Errorf("exit code %d after %d rounds and %d requests for documents: %s", code, asked.Load(), wanted.Load(), stderr)
	}
}

// A socket that nobody listens at is replaced; what else lies at its path, named by mistake, is left as it is.
func TestSocketsReplaceNothingElse(t *testing.T) {
	listeners := map[string]func(path string) (net.Listener, error){
		"server.listen":  func(path string) (net.Listener, error) { return listenOn("unix:"+path, "server.listen") },
		"control socket": func(path string) (net.Listener, error) { return listenControl(path, false) },
	}
	for name, listen := range listeners {
		dir := t.TempDir()
		stale, file, folder := filepath.Join(dir, "stale"), filepath.Join(dir, "file"), filepath.Join(dir, "folder")
		left, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: stale})
		if err != nil {
			t.Fatal(err)
		}
		left.SetUnlinkOnClose(false)
		left.Close()
		if l, err := listen(stale); err != nil {
			t.Errorf("%s: %v", name, err)
		} else {
			l.Close()
		}
		if err := errors.Join(os.WriteFile(file, []byte("precious"), 0o600), os.Mkdir(folder, 0o700)); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{file, folder} {
			if l, err := listen(path); err == nil {
				t.Errorf("%s takes the place of %s", name, path)
				l.Close()
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
