package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"broadsheet/store"
)

// written is what a folder holds of ours: the note "static" under the folder's path.
type written struct {
	Digest   string                 `json:"digest"`
	Revision store.Revision         `json:"revision"`
	Files    map[string]writtenFile `json:"files"`
}

type writtenFile struct {
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
}

const noteKind = "static"

// Write brings the static files in dir up to the store, and says how many it wrote. A file that is
// right already, to its time, is not touched. Files of sections that are gone are removed, if they are
// still as we wrote them. dir is made if its parent exists.
func (p *Publisher) Write(ctx context.Context, dir string, notes store.Notes) (int, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return 0, fmt.Errorf("publish: %w", err)
	}
	root, err := openFolder(dir)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	before := readWritten(ctx, notes, dir)
	rev, err := p.st.Revision(ctx)
	if err != nil {
		return 0, fmt.Errorf("publish: %w", err)
	}
	if before.Digest == p.pub.Digest && before.Revision == rev && len(before.Files) > 0 && before.intact(root) {
		return 0, nil
	}
	e, err := p.Edition(ctx)
	if err != nil {
		return 0, err
	}
	n, now, err := writeEdition(root, e, before)
	if err != nil {
		return n, writeError(dir, err)
	}
	now.Digest = p.pub.Digest
	note, err := json.Marshal(now)
	if err == nil {
		err = notes.SetNote(ctx, noteKind, dir, note)
	}
	if err != nil {
		return n, fmt.Errorf("publish: remember what %s holds: %w", dir, err)
	}
	return n, nil
}

// openFolder opens dir so that no name leads out of it, and makes it if only it is missing.
func openFolder(dir string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.Mkdir(dir, 0o755); err == nil {
			root, err = os.OpenRoot(dir)
		}
	}
	switch {
	case err == nil:
		return root, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("publish: folder %s: %w; make %s first", dir, err, filepath.Dir(dir))
	}
	return nil, writeError(dir, err)
}

func writeError(dir string, err error) error {
	return fmt.Errorf("publish: folder %s: %w; let the user that runs this write there, or name another folder", dir, err)
}

// readWritten returns what is known of a folder; nothing where that cannot be read, which costs a
// comparison of all files and no more.
func readWritten(ctx context.Context, notes store.Notes, dir string) written {
	var w written
	if note, err := notes.Note(ctx, noteKind, dir); err == nil && note != nil {
		if json.Unmarshal(note, &w) != nil {
			w = written{}
		}
	}
	return w
}

// intact reports whether all files are there as we wrote them.
func (w written) intact(root *os.Root) bool {
	for name, f := range w.Files {
		if !f.at(root, name) {
			return false
		}
	}
	return true
}

func (f writtenFile) at(root *os.Root, name string) bool {
	info, err := root.Lstat(name)
	return err == nil && info.Mode().IsRegular() && info.Size() == f.Size && info.ModTime().Equal(f.Modified)
}

// writeEdition writes what is not right yet and removes what is ours and gone.
func writeEdition(root *os.Root, e *Edition, before written) (int, written, error) {
	now := written{Revision: e.Revision, Files: map[string]writtenFile{}}
	n := 0
	for d := range e.Documents() {
		wrote, err := writeDocument(root, d)
		if err != nil {
			return n, now, err
		}
		if wrote {
			n++
		}
		now.Files[d.Path] = writtenFile{int64(len(d.Body)), d.Modified}
	}
	removed := false
	for name, f := range before.Files {
		if _, still := now.Files[name]; still || !f.at(root, name) {
			continue
		}
		if err := root.Remove(name); err != nil {
			return n, now, err
		}
		removed = true
	}
	if n == 0 && !removed {
		return n, now, nil
	}
	folder, err := root.Open(".")
	if err != nil {
		return n, now, err
	}
	defer folder.Close()
	return n, now, folder.Sync()
}

// writeDocument puts a document in its place at once: a reader sees the old bytes or the new ones, also
// after a crash.
func writeDocument(root *os.Root, d *Document) (wrote bool, err error) {
	f := writtenFile{int64(len(d.Body)), d.Modified}
	if f.at(root, d.Path) {
		if old, err := root.ReadFile(d.Path); err == nil && bytes.Equal(old, d.Body) {
			return false, nil
		}
	}
	temp := "." + d.Path + ".new"
	if err := root.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	file, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return false, err
	}
	defer func() {
		if err != nil {
			file.Close()
			root.Remove(temp)
		}
	}()
	if _, err := file.Write(d.Body); err != nil {
		return false, err
	}
	if err := file.Chmod(0o644); err != nil { // whatever the umask
		return false, err
	}
	if err := file.Sync(); err != nil {
		return false, err
	}
	if err := file.Close(); err != nil {
		return false, err
	}
	if err := root.Chtimes(temp, d.Modified, d.Modified); err != nil {
		return false, err
	}
	return true, root.Rename(temp, d.Path)
}
