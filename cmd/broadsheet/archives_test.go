package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"broadsheet/store"
	"broadsheet/store/bolt"
)

// Archives are the same whoever writes them: a one-shot by itself, a one-shot that asks a daemon, and the daemon, which
// also serves them. Not beside other tests: a daemon that opens its control socket narrows the umask of the process.
func TestArchives(t *testing.T) {
	dir := t.TempDir()
	st, err := bolt.Open(filepath.Join(dir, "s.db"), bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	const feed = "http://a.example/feed"
	now := time.Now().UTC()
	for n := 20; n > 0; n-- { // over some 80 days up to now
		at := now.Add(-time.Duration(n) * 4 * 24 * time.Hour)
		link := fmt.Sprintf("http://a.example/%d", n)
		a := store.Arrival{Canonical: link, Item: store.Item{GUID: link, Link: link, Title: fmt.Sprint("Item ", n), Text: uint64(n)}, Body: store.Body{Content: "<p>Text</p>"}}
		state := store.FeedState{Outlet: "a", URL: feed, LastPoll: at, LastSuccess: at, NextPoll: now.Add(time.Hour)}
		if _, err := st.SavePolls(t.Context(), store.Poll{At: at, State: state, Arrivals: []store.Arrival{a}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	address := freeAddress()
	config := fmt.Sprintf(`contact = "https://example.com/me"
base_url = "http://%s"
[server]
listen = %[1]q
[store]
url = "bolt:s.db"
[publish]
dir = "public"
[[outlet]]
id = "a"
  [[outlet.feed]]
  url = %q
[[section]]
slug = "world"
limit = 3
`, address, feed)
	file := filepath.Join(dir, "broadsheet.toml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	do := func(ctx context.Context, args ...string) {
		t.Helper()
		var stderr bytes.Buffer
		if code := run(ctx, append([]string{"-c", file}, args...), io.Discard, &stderr); code != exitDone {
			t.Errorf("%v: exit code %d: %s", args, code, &stderr)
		}
	}
	do(t.Context(), "publish", "--out", filepath.Join(dir, "alone"))
	alone := filesUnder(t, filepath.Join(dir, "alone"))
	archives := 0
	for path := range alone {
		if strings.HasPrefix(path, "world/archive/") {
			archives++
		}
	}
	if archives < 2*4 {
		t.Errorf("%d files of archives in %d files", archives, len(alone))
	}

	ctx, stop := context.WithCancel(t.Context())
	var daemon sync.WaitGroup
	defer daemon.Wait()
	defer stop()
	daemon.Go(func() { do(ctx, "serve", "--no-fetch", "-q") })
	for path, body := range alone {
		if got := served(t, "http://"+address+"/"+path); path != "404.html" && !bytes.HasSuffix(got, body) {
			t.Errorf("%s is served as another document than it was written", path)
		}
	}
	do(t.Context(), "publish", "--out", filepath.Join(dir, "asked"))
	same := func(folder string) bool {
		files := filesUnder(t, filepath.Join(dir, folder))
		for path, body := range alone {
			if !bytes.Equal(files[path], body) {
				return false
			}
		}
		return len(files) == len(alone)
	}
	if !same("asked") {
		t.Error("a daemon's client writes something else")
	}
	for end := time.Now().Add(time.Minute); !same("public"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the daemon writes something else")
		}
	}
}

// filesUnder reads the files of a folder and of those in it, but for hidden ones.
func filesUnder(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			return nil // it may be on its way
		}
		name, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
