package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"broadsheet/store"
)

// written is what a folder holds of ours: the note of kind "static" under the folder's path.
type written struct {
	Digest   string                 `json:"digest"`
	Revision store.Revision         `json:"revision"`
	Files    map[string]writtenFile `json:"files"`
	Sections map[string]view        `json:"sections"`         // what they list
	Closed   []time.Time            `json:"closed,omitempty"` // the months whose archives they name
}

type writtenFile struct {
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
}

const noteKind = "static"

// Write brings the static files in dir up to the store, and says how many it wrote. A file that is right
// already, to its time, is not touched; a section that nothing new concerns since dir was last written
// is not even rendered, also by another process, as notes remember. Files of sections that are gone are
// removed if they are still as they were written. dir is made if its parent exists.
func (p *Publisher) Write(ctx context.Context, dir string, notes store.Notes) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.recall(ctx); err != nil {
		return 0, fmt.Errorf("publish: %w", err)
	}
	f, err := openStatic(ctx, dir, p.digest(), notes)
	if err != nil {
		return 0, err
	}
	defer f.close()
	for _, d := range p.public() {
		if v, ok := f.before.Sections[d.section.Slug]; ok && !d.known() && f.before.Revision > 0 && f.intact(sectionPaths(d.section.Slug)) {
			d.view, d.revision, d.resumed, d.calendar = v, f.before.Revision, true, calendar{closed: f.before.Closed}
		}
	}
	if err := p.update(ctx, false); err != nil {
		return 0, err
	}
	var docs []*Document                                               // what may have to be written
	moved := func(d *desk) bool { return d.moved > f.before.Revision } // whoever saw it first: an Edition, or a Write that failed
	if slices.ContainsFunc(p.public(), moved) || !f.intact(p.commonPaths()) {
		if docs, err = p.documents(ctx); err != nil {
			return 0, err
		}
	} else {
		for _, d := range p.public() {
			docs = append(docs, d.docs...)
		}
	}
	kept := map[string]view{}
	for _, d := range p.public() {
		kept[d.section.Slug] = d.view
	}
	return f.write(ctx, p.edition(docs), kept, p.commonPaths())
}

// Write puts an edition into dir as Publisher.Write does, for a client of the process that rendered it.
func (e *Edition) Write(ctx context.Context, dir string, notes store.Notes) (int, error) {
	f, err := openStatic(ctx, dir, e.Digest, notes)
	if err != nil {
		return 0, err
	}
	defer f.close()
	return f.write(ctx, e, nil, nil)
}

// A static is a folder with static files.
type static struct {
	dir    string // absolute
	digest string
	root   *os.Root
	turn   *os.File // closed when the next writer may have its turn
	notes  store.Notes
	before written // as notes have it; empty if that was another configuration's, but for Files
}

func openStatic(ctx context.Context, dir, digest string, notes store.Notes) (*static, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", dir, err)
	}
	root, err := openFolder(dir)
	if err != nil {
		return nil, err
	}
	turn, err := takeTurn(root)
	if err != nil {
		return nil, errors.Join(writeError(dir, err), root.Close())
	}
	f := &static{dir: dir, digest: digest, root: root, turn: turn, notes: notes, before: readWritten(ctx, notes, dir)}
	if f.before.Digest != digest {
		f.before = written{Files: f.before.Files}
	}
	return f, nil
}

func (f *static) close() {
	f.turn.Close()
	f.root.Close()
}

// write writes the documents of e, removes what is gone, and remembers what the folder holds now. Where e is without what was
// kept, sections and common say what that may be.
func (f *static) write(ctx context.Context, e *Edition, sections map[string]view, common []string) (int, error) {
	n, err := writeDocuments(f.root, e.Documents())
	if err != nil {
		return n, writeError(f.dir, err)
	}
	now := written{Digest: e.Digest, Revision: e.Revision, Files: map[string]writtenFile{}, Sections: sections}
	if e.shelf != nil {
		now.Closed = e.shelf.calendar.closed
	}
	keep := func(paths []string) {
		for _, path := range paths {
			now.Files[path] = f.before.Files[path]
		}
	}
	keep(common)
	for slug := range sections {
		keep(sectionPaths(slug))
	}
	for d := range e.Documents() {
		now.Files[d.Path] = writtenFile{int64(len(d.Body)), d.Modified}
	}
	if err := f.remove(f.before.Files, now.Files); err != nil {
		return n, writeError(f.dir, err)
	}
	if n == 0 && f.before.Digest == now.Digest && f.before.Revision == now.Revision {
		return 0, nil
	}
	note, err := json.Marshal(now)
	if err == nil {
		err = f.notes.SetNote(ctx, noteKind, f.dir, note)
	}
	if err != nil {
		return n, fmt.Errorf("remember what %s holds: %w", f.dir, err)
	}
	return n, nil
}

// readWritten returns what is known of a folder; nothing where that cannot be read, which costs that
// all is rendered and compared, and no more.
func readWritten(ctx context.Context, notes store.Notes, dir string) written {
	var w written
	note, err := notes.Note(ctx, noteKind, dir)
	if err != nil || json.Unmarshal(note, &w) != nil {
		return written{}
	}
	return w
}

// intact reports whether files are as they were written under this configuration.
func (f *static) intact(paths []string) bool {
	for _, path := range paths {
		w, ok := f.before.Files[path]
		if !ok || f.before.Digest == "" || !inPlace(f.root, path, w.Size, w.Modified) {
			return false
		}
	}
	return true
}

// remove deletes the files that are in before and not in now, if nobody has changed them, and the folders that are
// empty then.
func (f *static) remove(before, now map[string]writtenFile) error {
	folders := map[string]bool{}
	for name, w := range before {
		if _, still := now[name]; still || !inPlace(f.root, name, w.Size, w.Modified) {
			continue
		}
		if err := f.root.Remove(name); err != nil {
			return err
		}
		folders[path.Dir(name)] = true
	}
	for folder := range folders {
		if err := syncFolder(f.root, folder); err != nil {
			return err
		}
		for ; folder != "."; folder = path.Dir(folder) {
			if f.root.Remove(folder) != nil {
				break // it is not empty
			}
		}
	}
	return nil
}

// inTurn does something while no other process writes to the folder.
func (f *static) inTurn(do func() (int, error)) (int, error) {
	turn, err := takeTurn(f.root)
	if err != nil {
		return 0, err
	}
	defer turn.Close()
	return do()
}
