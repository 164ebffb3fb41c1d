package publish

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"syscall"
	"time"
)

// openFolder opens dir so that no name leads out of it, and makes it if only it is missing.
func openFolder(dir string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.Mkdir(dir, 0o755); err == nil || errors.Is(err, fs.ErrExist) { // another writer may have made it just now
			root, err = os.OpenRoot(dir)
		}
	}
	switch {
	case err == nil:
		return root, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("write %s: its parent folder is missing; make %s first", dir, filepath.Dir(dir))
	}
	return nil, writeError(dir, err)
}

// takeTurn waits until no other process writes to a folder: a daemon and a one-shot may write the same files. The
// turn ends when the file is closed, also by a crash. Where the file system knows no locks, all go at once.
func takeTurn(root *os.Root) (*os.File, error) {
	folder, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(folder.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return nil, errors.Join(err, folder.Close())
	}
	return folder, nil
}

// writeError says what to do when a folder does not take files.
func writeError(dir string, err error) error {
	remedy := "see that the folder can be written to, or name another one"
	switch {
	case errors.Is(err, fs.ErrPermission):
		remedy = fmt.Sprintf("give user %d the right to write there, or name another folder", os.Getuid())
	case errors.Is(err, syscall.ENOSPC):
		remedy = "make room, or name another folder; what was written before stays"
	}
	return fmt.Errorf("write %s: %w; %s", dir, err, remedy)
}

func writeDocuments(root *os.Root, docs iter.Seq[*Document]) (n int, err error) {
	folders := map[string]bool{}
	for d := range docs {
		wrote, err := writeDocument(root, d)
		if err != nil {
			return n, err
		}
		if wrote {
			n++
			folders[path.Dir(d.Path)] = true
		}
	}
	for folder := range folders {
		if err := syncFolder(root, folder); err != nil {
			return n, err
		}
	}
	return n, nil
}

// syncFolder makes what was renamed in a folder last.
func syncFolder(root *os.Root, name string) error {
	folder, err := root.Open(name)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

// writeDocument puts a document in its place at once: a reader sees the old bytes or the new ones, also
// after a crash, and never through a link that leads out of the folder.
func writeDocument(root *os.Root, d *Document) (wrote bool, err error) {
	if inPlace(root, d.Path, int64(len(d.Body)), d.Modified) {
		if old, err := root.ReadFile(d.Path); err == nil && bytes.Equal(old, d.Body) {
			return false, nil
		}
	}
	folder, name := path.Split(d.Path)
	if folder != "" {
		if err := root.MkdirAll(path.Clean(folder), 0o755); err != nil {
			return false, err
		}
	}
	temp := folder + "." + name + ".new"
	if err := root.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err // left over by a process that died
	}
	file, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return false, err
	}
	defer func() {
		if err != nil {
			root.Remove(temp)
		}
	}()
	_, err = file.Write(d.Body)
	if err == nil {
		err = file.Chmod(0o644) // whatever the umask says: the web server is another user
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return false, err
	}
	if err = root.Chtimes(temp, d.Modified, d.Modified); err != nil {
		return false, err
	}
	// If we were to crash before this, the old file would stand, and the next write remove ours.
	if err = root.Rename(temp, d.Path); err != nil {
		return false, err
	}
	return true, nil
}

// inPlace reports whether a file is there with this size and time.
func inPlace(root *os.Root, name string, size int64, modified time.Time) bool {
	info, err := root.Lstat(name)
	return err == nil && info.Mode().IsRegular() && info.Size() == size && info.ModTime().Equal(modified)
}
