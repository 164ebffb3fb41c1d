package main

import (
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
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
