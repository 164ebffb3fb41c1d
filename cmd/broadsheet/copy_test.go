package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
	"broadsheet/store/bolt"
	"broadsheet/store/postgres"
	"broadsheet/store/postgres/pgtest"
)

// A store goes from its file into a database, is published from there, and comes back into another file: what is published
// is the same bytes, and a poll finds nothing new.
func TestCopyCommand(t *testing.T) {
	database := pgtest.New(t).Database(t)
	const feed = `<rss version="2.0"><channel><title>Harbour News</title><link>https://harbour.example/</link><description>d</description>
<item><guid isPermaLink="false">7</guid><link>https://harbour.example/7</link><title>The ferry is late</title><description>By an hour.</description></item>
<item><link>https://harbour.example/5</link><title>A secret</title></item>
<item><link>https://harbour.example/6</link><title>The ferry is on time</title><pubDate>Mon, 02 Mar 2026 10:00:00 GMT</pubDate></item>
</channel></rss>`
	outlet := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/rss+xml")
		w.Header().Set("ETag", `"one"`)
		w.Write([]byte(feed))
	}))
	defer outlet.Close()
	w := newWorld(t, outletBlock("harbour", "Harbour News", outlet.URL+"/rss")+everything)
	toml := readFile(t, w.config)
	if err := os.WriteFile(w.config, bytes.Replace(toml, []byte("dir = \"public\"\n"), []byte("dir = \"public\"\nwithdraw = [\"https://harbour.example/5\"]\n"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	w.must("fetch", "--once")
	if err := os.WriteFile(w.config, toml, 0o600); err != nil { // the store remembers
		t.Fatal(err)
	}
	w.must("fetch", "--once", "--force")
	file := "bolt:" + filepath.Join(w.dir, "broadsheet.db")
	back := "bolt:" + filepath.Join(w.dir, "back.db")

	if said := w.must("copy", file, database); said != "" {
		t.Errorf("in cron it says %q", said)
	}
	if said := w.must("copy", file, database, "-v"); !strings.Contains(said, "3 items of 1 feed\n") {
		t.Errorf("a second time it says %q", said)
	}
	published := func(dir string) {
		t.Helper()
		out := filepath.Join(w.dir, dir)
		w.must("publish", "--out", out)
		sameTrees(t, out, filepath.Join(w.dir, "public"))
	}
	configure := func(url string) {
		if err := os.WriteFile(w.config, bytes.Replace(toml, []byte("bolt:broadsheet.db"), []byte(url), 1), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	configure(database)
	published("from the database")
	if _, stdout, stderr := w.run("preview", "all"); !strings.Contains(stdout, "0 in, 0 out, 0 changed, 2 as they are") {
		t.Errorf("preview says %q, %q", stdout, stderr)
	}
	if bytes.Contains(w.file("all.atom"), []byte("secret")) {
		t.Error("what was withdrawn is published")
	}
	w.must("fetch", "--once", "--force")
	published("after a poll into the database")
	w.must("copy", database, back)
	configure(back)
	published("from the file again")

	for _, c := range []struct {
		from, to, says string
		code           int
	}{
		{"bolt:" + filepath.Join(w.dir, "nobody.db"), database, "there is no store", exitFailed},
		{file, "sqlite:x", "bolt:PATH or postgres://", exitUsage},
		{file, file, "the same store", exitUsage},
		{file, "postgres://me:s3cret@127.0.0.1:1/x%zz", "is no address", exitFailed},
		{file, back, "differs", exitFailed},
	} {
		code, _, stderr := w.run("copy", c.from, c.to)
		if code != c.code || !strings.Contains(stderr, c.says) || strings.Contains(stderr, "s3cret") {
			t.Errorf("copy %s %s: exit code %d, %s", c.from, c.to, code, stderr)
		}
	}
}

// A copy that is killed again and again is finished by the last one, and until then its store is none. A store that a daemon has
// open is not copied.
func TestCopyIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a store that is held")
	}
	database := pgtest.New(t).Database(t)
	var feed strings.Builder
	feed.WriteString(`<rss version="2.0"><channel><title>Harbour News</title><link>https://harbour.example/</link><description>d</description>`)
	for i := range 6000 {
		fmt.Fprintf(&feed, `<item><link>https://harbour.example/%d</link><title>Ship %d is late</title><pubDate>Mon, 02 Mar 2026 10:00:00 GMT</pubDate></item>`, i, i)
	}
	feed.WriteString("</channel></rss>")
	outlet := serveHandler(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/rss+xml")
		fmt.Fprint(w, feed.String())
	})
	w := newWorld(t, outletBlock("harbour", "Harbour News", outlet+"/rss")+strings.Replace(everything, "limit = 0", "limit = 100", 1))
	w.must("fetch", "--once")
	path := filepath.Join(w.dir, "broadsheet.db")

	held, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := w.run("copy", "bolt:"+path, database); code != exitHeld {
		t.Errorf("a store that is held: exit code %d, %s", code, stderr)
	}
	held.Close()

	to, err := postgres.Open(t.Context(), database, postgres.Options{Copy: true})
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	var reached store.Copying
	kills := 0
	for done := false; !done; {
		c := w.process("copy", "bolt:"+path, database)
		var said bytes.Buffer
		c.Stderr = &said
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		for killed := false; ; {
			select {
			case err := <-ended:
				if done = !killed; done && err != nil {
					t.Fatalf("after %d kills: %v: %s", kills, err, said.String())
				}
			case <-time.After(time.Millisecond):
				at, err := to.Copying(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				// As soon as it has gone on by a batch.
				if at != nil && !killed && kills < 10 && (at.Kind != reached.Kind || !bytes.Equal(at.After, reached.After)) {
					reached, killed = *at, true
					kills++
					c.Process.Kill()
				}
				continue
			}
			break
		}
		if !done {
			if _, err := postgres.Open(t.Context(), database, postgres.Options{}); !errors.Is(err, store.ErrUnfinished) {
				t.Fatalf("the beginning of a copy is opened: %v", err)
			}
		}
	}
	if t.Logf("%d kills", kills); kills == 0 {
		t.Error("no kill: this proves nothing")
	}
	toml := readFile(t, w.config)
	if err := os.WriteFile(w.config, bytes.Replace(toml, []byte("bolt:broadsheet.db"), []byte(database), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(w.dir, "copied")
	w.must("publish", "--out", out)
	sameTrees(t, out, filepath.Join(w.dir, "public"))
}

// sameTrees expects two folders with the same files.
func sameTrees(t *testing.T, got, want string) {
	t.Helper()
	list := func(dir string) map[string]string {
		files := map[string]string{}
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				files[strings.TrimPrefix(path, dir)] = string(readFile(t, path))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	a, b := list(got), list(want)
	if len(a) != len(b) {
		t.Errorf("%s has %d files, %s %d", got, len(a), want, len(b))
	}
	for name, text := range b {
		if a[name] != text {
			t.Errorf("%s%s differs:\n%s\nwant:\n%s", got, name, a[name], text)
		}
	}
}
