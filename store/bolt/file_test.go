package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"broadsheet/store"
)

func TestOpenRefuses(t *testing.T) {
	whole := func(t *testing.T, path string) []byte {
		s := openAt(t, path)
		s.Close()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	write := func(t *testing.T, path string, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		make func(t *testing.T, path string)
		want string // in the error
	}{
		{"text", func(t *testing.T, path string) {
			write(t, path, []byte("not a store, but something that somebody needs\n"))
		}, "is no store of Broadsheet"},
		{"large text", func(t *testing.T, path string) { write(t, path, bytes.Repeat([]byte("a line\n"), 1e6)) }, "is no store of Broadsheet"},
		{"empty", func(t *testing.T, path string) { write(t, path, nil) }, "is empty; remove it"},
		{"folder", func(t *testing.T, path string) { os.Mkdir(path, 0o700) }, "is a folder; store.url names a file: bolt:"},
		{"device", func(t *testing.T, path string) { os.Symlink("/dev/null", path) }, "is no regular file"},
		{"cut off", func(t *testing.T, path string) { write(t, path, whole(t, path)[:20000]) }, "is cut off: 20000 of"},
		{"one page", func(t *testing.T, path string) { write(t, path, whole(t, path)[:4096]) }, "is cut off: 4096 of"},
		{"both metas damaged", func(t *testing.T, path string) {
			b := whole(t, path)
			clear(b[:2*os.Getpagesize()])
			write(t, path, b)
		}, "is no store of Broadsheet"},
		{"another program's", func(t *testing.T, path string) {
			if err := createFile(path, func(tx *tx) error { _, err := tx.CreateBucket([]byte("theirs")); return err }); err != nil {
				t.Fatal(err)
			}
		}, "but no store of Broadsheet"},
		{"newer", func(t *testing.T, path string) {
			s := openAt(t, path)
			if err := s.db.Update(func(tx *tx) error { return tx.Bucket(metaBucket).Put(schemaKey, key8(uint64(schema+1))) }); err != nil {
				t.Fatal(err)
			}
			s.Close()
		}, "was written by a newer version of broadsheet (store schema 2, this one reads 1)"},
		{"below a file", func(t *testing.T, path string) { write(t, filepath.Dir(path), nil) }, "not a directory"},
		{"not writable", func(t *testing.T, path string) {
			if os.Getuid() == 0 {
				t.Skip("root may write everywhere")
			}
			whole(t, path)
			os.Chmod(path, 0o400)
		}, "permission denied; the store's file and folder must be writable"},
		{"folder not writable", func(t *testing.T, path string) {
			if os.Getuid() == 0 {
				t.Skip("root may write everywhere")
			}
			os.MkdirAll(filepath.Dir(path), 0o500)
		}, "permission denied; the store's file and folder must be writable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, "sub", "broadsheet.db")
			if c.name != "below a file" && c.name != "folder not writable" {
				os.Mkdir(filepath.Dir(path), 0o700)
			}
			c.make(t, path)
			before, _ := os.ReadFile(path)
			s, err := Open(path, Options{})
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), path+": ") {
				t.Errorf("error %q, want %q", err, c.want)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
			if left, _ := filepath.Glob(path + ".new-*"); left != nil {
				t.Errorf("left behind: %s", left)
			}
		})
	}
}

// A crash in the middle of a commit leaves at most one meta page damaged; the other one counts.
func TestOpenWithOneMeta(t *testing.T) {
	for n := range 2 {
		path := filepath.Join(t.TempDir(), "broadsheet.db")
		s := openAt(t, path)
		save(t, s, 1)
		s.Close()
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(make([]byte, 40), int64(n*os.Getpagesize()+40)); err != nil {
			t.Fatal(err)
		}
		f.Close()
		mustCheck(t, openAt(t, path))
	}
}

func TestOpenHeld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "broadsheet.db")
	first := openAt(t, path)
	_, err := Open(path, Options{})
	if !errors.Is(err, store.ErrHeld) || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v", err)
	}
	if pid := fmt.Sprintf("(pid %d)", os.Getpid()); runtime.GOOS == "linux" && !strings.Contains(err.Error(), pid) {
		t.Errorf("error %v, want the %s", err, pid)
	}
	if _, err := Open(path, Options{Wait: 200 * time.Millisecond}); !errors.Is(err, store.ErrHeld) {
		t.Errorf("error %v", err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		s, err := Open(path, Options{Wait: time.Minute})
		if err != nil {
			t.Error(err)
			return
		}
		s.Close()
	})
	time.Sleep(100 * time.Millisecond)
	first.Close()
	wg.Wait()
}

// Many who find no store make one store.
func TestOpenTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "broadsheet.db")
	var mu sync.Mutex
	ids := map[string]bool{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := Open(path, Options{Wait: time.Minute})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			ids[s.ID()] = true
			mu.Unlock()
			s.Close()
		})
	}
	wg.Wait()
	if len(ids) != 1 {
		t.Errorf("ids %v", ids)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("%v %v", left, err)
	}
}

func TestBackup(t *testing.T) {
	s := openTemp(t)
	save(t, s, 1)
	path := filepath.Join(t.TempDir(), "backup.db")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	f.Close()
	save(t, s, 2) // not in the backup
	b := openAt(t, path)
	mustCheck(t, b)
	if b.ID() != s.ID() || !b.Created().Equal(s.Created()) {
		t.Error("the backup has another id")
	}
	rev, err := b.Revision(t.Context())
	if err != nil || rev != 1 {
		t.Errorf("revision %d: %v", rev, err)
	}

	// Who waits for it no more lets go of what it holds.
	ctx, cancel := context.WithCancel(t.Context())
	var out leaving
	out.leave = cancel
	if err := s.Backup(ctx, &out); err == nil || out.writes != 1 {
		t.Errorf("left: %v after %d writes", err, out.writes)
	}
}

// leaving is who gives up on a backup with the first of it.
type leaving struct {
	leave  func()
	writes int
}

func (l *leaving) Write(p []byte) (int, error) {
	l.writes++
	l.leave()
	return len(p), nil
}
