package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"broadsheet/store"
)

// open opens the store file at path, and makes it first where there is none.
func open(path string, o Options) (*db, error) {
	if err := ensure(path, o.Log); err != nil {
		return nil, err
	}
	for begin, end := time.Now(), time.Now().Add(o.Wait); ; {
		if err := examine(path); err != nil {
			return nil, err
		}
		d, err := openFile(path, o.NoSync)
		switch {
		case err == nil:
			o.Log.Debug("store opened", "path", path, "waited", time.Since(begin))
			return d, nil
		case !errors.Is(err, errLocked):
			return nil, explain(path, err)
		case !time.Now().Before(end):
			return nil, fmt.Errorf("%s: %w%s; try again when that has ended", path, store.ErrHeld, holder(path))
		}
		time.Sleep(min(50*time.Millisecond+rand.N(100*time.Millisecond), time.Until(end)))
	}
}

// holder names the process that has a file locked, as far as the system tells (Linux, in /proc/locks); else it is "".
func holder(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	locks, err := os.ReadFile("/proc/locks")
	if err != nil || !ok {
		return ""
	}
	for line := range strings.Lines(string(locks)) { // 1: FLOCK  ADVISORY  WRITE 4711 fe:01:260000 0 EOF
		f := strings.Fields(line)
		if len(f) > 5 && f[1] == "FLOCK" && strings.HasSuffix(f[5], fmt.Sprint(":", st.Ino)) && f[4] != "0" && f[4] != "-1" {
			return " (pid " + f[4] + ")"
		}
	}
	return ""
}

// ensure makes a new store at path if there is no file. bbolt promises nothing for a file whose very first
// pages are being written when the power fails (etcd#16596), so the file is made under another name and
// only gets its own when it is whole.
func ensure(path string, log *slog.Logger) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return explain(path, err)
	}
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return explain(path, err)
	}
	tmp := fmt.Sprintf("%s.new-%08x", path, rand.Uint32())
	defer os.Remove(tmp)
	if err := createFile(tmp, fill); err != nil {
		return explain(path, err)
	}
	// A link does not replace a store that another process made meanwhile, as a rename would. Some file
	// systems have no links.
	err := os.Link(tmp, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = os.Rename(tmp, path)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return explain(path, err)
	}
	if err == nil {
		log.Info("new store", "path", path)
	}
	return syncFolder(folder)
}

func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// examine refuses files that are no store before bbolt maps them: a mapped file that is shorter than its
// pages say kills the process at the first look.
func examine(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return explain(path, err)
	case info.IsDir():
		return fmt.Errorf("%s: is a folder; store.url names a file: bolt:%s", path, filepath.Join(path, "broadsheet.db"))
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s: is no regular file; give store.url another name", path)
	case info.Size() == 0:
		return fmt.Errorf("%s: is empty; remove it and a new store is made, or put a backup in its place", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return explain(path, err)
	}
	defer f.Close()
	need, ok := extent(f)
	if !ok {
		return fmt.Errorf("%s: is no store of Broadsheet; it is left as it is: give store.url another name, or put a backup in its place", path)
	}
	// The size is asked again, since another process may have let the file grow.
	if info, err = f.Stat(); err == nil && info.Size() < need {
		return fmt.Errorf("%s: is cut off: %d of %d bytes are there; put a backup in its place", path, info.Size(), need)
	}
	return explain(path, err)
}

// extent reads from the two meta pages of a bbolt file how long the file must be; ok is false if neither
// is whole.
func extent(f io.ReaderAt) (need int64, ok bool) {
	const header, size, magic, version = 16, 64, 0xED0CDAED, 2
	var newest uint64
	meta := func(at int64) (page int64) {
		var b [header + size]byte
		if _, err := f.ReadAt(b[:], at); err != nil {
			return 0
		}
		m, n := b[header:], binary.NativeEndian
		sum := fnv.New64a()
		sum.Write(m[:size-8])
		if n.Uint32(m) != magic || n.Uint32(m[4:]) != version || n.Uint64(m[56:]) != sum.Sum64() {
			return 0
		}
		page = int64(n.Uint32(m[8:]))
		if tx := n.Uint64(m[48:]); !ok || tx >= newest {
			newest, ok = tx, true
			need = int64(n.Uint64(m[40:])) * page
		}
		return page
	}
	if page := meta(0); page > 0 {
		meta(page)
		return need, ok
	}
	for page := int64(1 << 10); page <= 1<<24 && !ok; page *= 2 {
		meta(page)
	}
	return need, ok
}

// explain adds the file and a remedy to an error of the file system.
func explain(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: %w; the store's file and folder must be writable for the user who runs broadsheet", path, err)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%s: %w; make room, or give store.url a place that has some", path, err)
	}
	return fmt.Errorf("%s: the store cannot be opened: %w", path, err)
}
