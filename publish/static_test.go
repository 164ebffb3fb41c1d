package publish

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// sameFile compares a file with the document that it should be.
func sameFile(t *testing.T, when, dir string, d *Document) {
	t.Helper()
	path := filepath.Join(dir, d.Path)
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(body, d.Body) || !info.ModTime().Equal(d.Modified) || info.Mode() != 0o644 {
		t.Errorf("%s: file %s: %v %v, want %v; equal: %v", when, d.Path, info.Mode(), info.ModTime(), d.Modified, bytes.Equal(body, d.Body))
	}
}

// inodes tells the files of a folder apart from others of the same names.
func inodes(t *testing.T, dir string) map[string]uint64 {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]uint64{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = info.Sys().(*syscall.Stat_t).Ino
	}
	return out
}

func TestWrite(t *testing.T) {
	w := newWorld(t)
	outlets := []Outlet{outlet("a"), outlet("b")}
	pub := publication(outlets, Section{Slug: "all"}, Section{Slug: "only-b", From: []string{"b"}})
	w.poll(in("0s"), "a", feedOf("a"), news("one", "https://a.example/1", "x"))
	w.poll(in("1m"), "b", feedOf("b"), news("two", "https://b.example/1", "x"))
	dir := filepath.Join(t.TempDir(), "out")
	write := func(pub Publication, want int) {
		t.Helper()
		n, err := w.publisher(pub).Write(t.Context(), dir, w.st)
		if err != nil || n != want {
			t.Fatalf("%d files written, want %d; %v", n, want, err)
		}
	}
	write(pub, 19)
	first := inodes(t, dir)
	for d := range w.edition(w.publisher(pub)).Documents() {
		sameFile(t, "first", dir, d)
	}
	write(pub, 0)

	// News in one section: its files and the front page. The lists of outlets stay.
	w.poll(in("2m"), "a", feedOf("a"), news("three", "https://a.example/3", "x"))
	write(pub, 5)
	changed := []string{}
	for name, inode := range inodes(t, dir) {
		if first[name] != inode {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	equal(t, changed, "all.atom", "all.html", "all.json", "all.rss", "index.html")
	write(pub, 0)

	// What was damaged or lost is written again, although nothing is new.
	os.WriteFile(filepath.Join(dir, "only-b.rss"), []byte("broken"), 0o644)
	os.Remove(filepath.Join(dir, "sections.opml"))
	write(pub, 2)
	write(pub, 0)

	// A crash between write and rename leaves a file that is in nobody's way.
	os.WriteFile(filepath.Join(dir, ".all.rss.new"), []byte("half"), 0o600)
	w.poll(in("3m"), "a", feedOf("a"), news("four", "https://a.example/4", "x"))
	write(pub, 5)
	if _, err := os.Stat(filepath.Join(dir, ".all.rss.new")); err == nil {
		t.Error("the leftover is still there")
	}

	// A section is gone: its files go, but for the one that somebody has changed, and what is not ours.
	os.WriteFile(filepath.Join(dir, "only-b.json"), []byte("mine now"), 0o644)
	os.WriteFile(filepath.Join(dir, "robots.txt"), nil, 0o644)
	fewer := pub
	fewer.Sections, fewer.Digest = pub.Sections[:1], "two"
	write(fewer, 5) // the front page, those for what is missing or gone, the list of sections, and the page that named the other one
	left := []string{}
	for name := range inodes(t, dir) {
		if strings.HasPrefix(name, "only") || strings.HasPrefix(name, "robots") {
			left = append(left, name)
		}
	}
	slices.Sort(left)
	equal(t, left, "only-b.json", "robots.txt")

	// A client writes what another process has rendered.
	e := w.edition(w.publisher(fewer))
	if n, err := e.Write(t.Context(), dir, w.st); n != 0 || err != nil {
		t.Errorf("a client wrote %d files; %v", n, err)
	}
	dir = t.TempDir()
	if n, err := e.Write(t.Context(), dir, w.st); n != 14 || err != nil {
		t.Errorf("a client wrote %d files; %v", n, err)
	}
	write(fewer, 0)
}

// A daemon and a one-shot may write to one folder at once: they take turns.
func TestWritersTakeTurns(t *testing.T) {
	w := newWorld(t)
	outlets := []Outlet{outlet("a")}
	w.poll(in("0s"), "a", feedOf("a"), news("one", "https://a.example/1", "x"))
	dir := filepath.Join(t.TempDir(), "out")
	var writers sync.WaitGroup
	for _, title := range []string{"One", "Another"} {
		pub := publication(outlets, Section{Slug: "all"})
		pub.Title, pub.Digest = title, title
		writers.Go(func() {
			for range 10 {
				if _, err := w.publisher(pub).Write(t.Context(), dir, w.st); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	for name := range inodes(t, dir) {
		if strings.HasPrefix(name, ".") {
			t.Errorf("%s is left over", name)
		}
	}
}

// A publisher that has only written can be asked for the whole edition.
func TestEditionAfterWrite(t *testing.T) {
	w := newWorld(t)
	pub := publication([]Outlet{outlet("a")}, Section{Slug: "all"}, Section{Slug: "none", Include: []string{"never"}})
	w.poll(in("0s"), "a", feedOf("a"), news("one", "https://a.example/1", "x"))
	dir := t.TempDir()
	if _, err := w.publisher(pub).Write(t.Context(), dir, w.st); err != nil {
		t.Fatal(err)
	}
	p := w.publisher(pub)
	if n, err := p.Write(t.Context(), dir, w.st); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	sameEditions(t, "after writing nothing", p, w.publisher(pub), dir)
	w.poll(in("1m"), "a", feedOf("a"), news("two", "https://a.example/2", "x"))
	if n, err := p.Write(t.Context(), dir, w.st); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	sameEditions(t, "after writing some", p, w.publisher(pub), dir)
}

// A daemon shows an edition before it writes it: the front page is written too.
func TestWriteAfterEdition(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	p := w.publisher(publication([]Outlet{outlet("a")}, Section{Slug: "all"}))
	for i := range 3 {
		w.poll(in("0s").Add(time.Duration(i)*time.Minute), "a", feedOf("a"), news(fmt.Sprint("item ", i), fmt.Sprint("https://a.example/", i), "x"))
		e := w.edition(p)
		if _, err := p.Write(t.Context(), dir, w.st); err != nil {
			t.Fatal(err)
		}
		for d := range e.Documents() {
			sameFile(t, fmt.Sprint("item ", i), dir, d)
		}
	}
}

func TestWriteRefused(t *testing.T) {
	w := newWorld(t)
	pub := publication([]Outlet{outlet("a")}, Section{Slug: "all"})
	base := t.TempDir()
	file := filepath.Join(base, "file")
	os.WriteFile(file, nil, 0o644)
	locked := filepath.Join(base, "locked")
	os.Mkdir(locked, 0o555)
	for dir, want := range map[string]string{
		filepath.Join(base, "a", "b"): "make " + filepath.Join(base, "a") + " first",
		file:                          "not a directory",
		locked:                        "give user",
	} {
		if dir == locked && os.Getuid() == 0 {
			continue // root writes everywhere
		}
		_, err := w.publisher(pub).Write(t.Context(), dir, w.st)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	// A link in the folder leads nowhere: it is replaced, not followed.
	dir, outside := t.TempDir(), filepath.Join(base, "outside")
	os.WriteFile(outside, []byte("keep"), 0o644)
	os.Symlink(outside, filepath.Join(dir, "index.html"))
	if _, err := w.publisher(pub).Write(t.Context(), dir, w.st); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(outside); string(b) != "keep" {
		t.Error("a file outside of the folder was written")
	}
}

// A web server of another user reads the files, whatever the umask says.
func TestWriteUnderUmask(t *testing.T) {
	w := newWorld(t)
	w.poll(in("0s"), "a", feedOf("a"), news("one", "https://a.example/1", "x"))
	dir := t.TempDir()
	defer syscall.Umask(syscall.Umask(0o077))
	p := w.publisher(publication([]Outlet{outlet("a")}, Section{Slug: "all"}))
	if _, err := p.Write(t.Context(), dir, w.st); err != nil {
		t.Fatal(err)
	}
	for d := range w.edition(p).Documents() {
		sameFile(t, "umask 077", dir, d)
	}
}

// A full disk costs what does not fit: every file is the old one or the new one, and once there is room what is missing is
// written (PROTOCOL R6).
func TestWriteToFullDisk(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("needs the right to mount a tmpfs: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	w := newWorld(t)
	p := w.publisher(publication([]Outlet{outlet("a")}, Section{Slug: "all"}))
	w.poll(in("0s"), "a", feedOf("a"), news("one", "https://a.example/1", "x"))
	if _, err := p.Write(t.Context(), dir, w.st); err != nil {
		t.Fatal(err)
	}
	before := w.edition(p)
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	w.poll(in("1m"), "a", feedOf("a"), news("two", "https://a.example/2", strings.Repeat("<p>text</p>", 1000)))
	if _, err := p.Write(t.Context(), dir, w.st); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "make room") {
		t.Errorf("the disk is full: %v", err)
	}
	for name := range inodes(t, dir) {
		if strings.HasPrefix(name, ".") {
			t.Errorf("%s is left over", name)
		}
	}
	for d := range before.Documents() {
		sameFile(t, "the disk is full", dir, d)
	}
	os.Remove(ballast)
	if _, err := p.Write(t.Context(), dir, w.st); err != nil {
		t.Fatal(err)
	}
	for d := range w.edition(p).Documents() {
		sameFile(t, "there is room", dir, d)
	}
}

// The same store gives the same bytes, in this process and the next.
func TestBytesAreStable(t *testing.T) {
	w := newWorld(t)
	outlets := []Outlet{outlet("a"), outlet("b"), outlet("c", tagged("x", "y"))}
	pub := publication(outlets, Section{Slug: "all"}, Section{Slug: "x", From: []string{"tag:x"}})
	for i, o := range outlets {
		w.poll(in("0s").Add(time.Duration(i)*time.Minute), o.ID, feedOf(o.ID), news("same "+o.ID, "https://wire.example/1", "<p>x</p>"),
			news("own", "https://"+o.ID+".example/1", "<p>y</p>"))
	}
	first := w.edition(w.publisher(pub))
	for i := range 100 {
		if i == 50 {
			w.st.Close()
			w.open()
		}
		e, err := w.publisher(pub).Edition(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for d := range e.Documents() {
			if f := first.Document(d.Path); !bytes.Equal(f.Body, d.Body) || f.ETag != d.ETag || !f.Modified.Equal(d.Modified) {
				t.Fatalf("render %d: %s differs", i, d.Path)
			}
		}
	}
}
