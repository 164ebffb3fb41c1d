package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"broadsheet/store"
)

// An Archive is a month of a section that is over, in all formats.
type Archive struct {
	Volume    Volume
	Documents []*Document
}

// A Volume is what is known of an archive that was written.
type Volume struct {
	Path   string    `json:"path"`           // of its files, without their endings
	Prev   string    `json:"prev,omitempty"` // where they lead
	Next   string    `json:"next,omitempty"`
	Oldest time.Time `json:"oldest,omitzero"` // arrival of the oldest item that its stories have
}

// Bound is a folder's archives as they were written.
type Bound struct {
	Digest   string         `json:"digest"`
	Revision store.Revision `json:"revision"` // of the store that they show, or a later one that changes nothing in them
	Pruned   time.Time      `json:"pruned,omitzero"`
	Volumes  []Volume       `json:"volumes"`
}

// An Archivist hands out archives: a Publisher, or the process that has it.
type Archivist interface {
	// Archives says which archives there are now, and yields those of them that are not in have as they are now. The
	// volumes that it yields stand in the place of those that it returns.
	Archives(ctx context.Context, have Bound) (Bound, iter.Seq2[Archive, error], error)
}

var _ Archivist = (*Publisher)(nil)

// Archives implements Archivist.
func (p *Publisher) Archives(ctx context.Context, have Bound) (Bound, iter.Seq2[Archive, error], error) {
	s, now, dirty, err := p.volumes(ctx, have)
	if err != nil {
		return now, nil, fmt.Errorf("publish: archives: %w", err)
	}
	had := map[string]Volume{}
	if have.Digest == now.Digest {
		for _, v := range have.Volumes {
			had[v.Path] = v
		}
	}
	var stale []Volume
	for i, v := range now.Volumes {
		old, ok := had[v.Path]
		if ok && old.Prev == v.Prev && old.Next == v.Next && !dirty[path.Base(v.Path)] &&
			(have.Pruned.Equal(now.Pruned) || now.Pruned.Before(old.Oldest)) {
			now.Volumes[i] = old
		} else {
			stale = append(stale, v)
		}
	}
	return now, func(yield func(Archive, error) bool) {
		for _, v := range stale {
			a, err := s.bind(ctx, v)
			if !yield(a, err) || err != nil {
				return
			}
		}
	}, nil
}

// volumes lists the archives that there are, and the months in which something changed since have was written.
func (p *Publisher) volumes(ctx context.Context, have Bound) (*shelf, Bound, map[string]bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	dirty := map[string]bool{}
	if err := p.recall(ctx); err != nil {
		return nil, Bound{}, nil, err
	}
	rev, err := p.st.Revision(ctx)
	if err != nil {
		return nil, Bound{}, nil, err
	}
	changes := changes{p.st, map[store.Revision][]store.Item{}}
	if p.shelf == nil || p.shelf.revision != rev {
		if err := p.turn(ctx, rev, changes); err != nil {
			return nil, Bound{}, nil, err
		}
	}
	s := p.shelf
	now := Bound{Digest: p.digest(), Revision: s.revision, Pruned: s.pruned}
	if len(s.calendar.closed) > 0 && have.Digest == now.Digest && have.Revision > 0 && have.Revision != s.revision {
		changed, err := changes.since(ctx, have.Revision)
		if err != nil {
			return nil, now, nil, err
		}
		months, err := p.months(ctx, s.calendar, changed)
		if err != nil {
			return nil, now, nil, err
		}
		for month := range months {
			dirty[month.Format(monthForm)] = true
		}
	}
	for _, d := range p.public() {
		for _, month := range s.calendar.closed {
			prev, next := s.calendar.around(month)
			slug := d.section.Slug
			now.Volumes = append(now.Volumes, Volume{Path: archivePath(slug, month), Prev: archivePath(slug, prev), Next: archivePath(slug, next)})
		}
	}
	return s, now, dirty, nil
}

// bind renders a volume in all formats, when it is its turn.
func (s *shelf) bind(ctx context.Context, v Volume) (Archive, error) {
	month, err := time.Parse(monthForm, path.Base(v.Path))
	if err != nil {
		return Archive{}, err
	}
	select {
	case s.p.archives.turn <- struct{}{}:
		defer func() { <-s.p.archives.turn }()
	case <-ctx.Done():
		return Archive{}, ctx.Err()
	}
	slug, _, _ := strings.Cut(v.Path, "/")
	l, docs, err := s.render(ctx, s.desks[slug], month, archiveEndings...)
	if err != nil {
		return Archive{}, fmt.Errorf("publish: archive %s: %w", v.Path, err)
	}
	v.Oldest = l.Oldest
	return Archive{Volume: v, Documents: docs}, nil
}

// folderArchives is what a folder holds of archives: the note of kind noteArchives under the folder's path.
type folderArchives struct {
	Bound
	Files map[string]writtenFile `json:"files"`
}

const noteArchives = "archives"

// noteEvery is how many revisions a note may fall behind while no archive changes: it then says no less, and who reads
// it looks at that many more changes.
const noteEvery = 200

// WriteArchives brings the archives in dir up to date with what the archivist has, and says how many files it wrote. What
// is right already is neither rendered nor touched; archives that are gone are removed. The folder's turn is never held
// while an archive is rendered.
func WriteArchives(ctx context.Context, dir string, notes store.Notes, from Archivist) (n int, err error) {
	f, err := openStatic(ctx, dir, "", notes)
	if err != nil {
		return 0, err
	}
	defer func() { f.root.Close() }()
	f.turn.Close()
	var before folderArchives
	if note, err := notes.Note(ctx, noteArchives, f.dir); err != nil || json.Unmarshal(note, &before) != nil {
		before = folderArchives{}
	}
	have := before.Bound
	have.Volumes = slices.DeleteFunc(slices.Clone(have.Volumes), func(v Volume) bool { return !before.intact(f, v) })
	bound, stale, err := from.Archives(ctx, have)
	if err != nil {
		return 0, err
	}
	now := folderArchives{bound, map[string]writtenFile{}}
	at := map[string]int{}
	for i, v := range now.Volumes {
		at[v.Path] = i
		for _, ending := range archiveEndings {
			if w, ok := before.Files[v.Path+ending]; ok {
				now.Files[v.Path+ending] = w
			}
		}
	}
	moved := len(have.Volumes) != len(before.Volumes)
	for a, err := range stale {
		if err != nil {
			return n, err
		}
		written, err := f.inTurn(func() (int, error) { return writeDocuments(f.root, slices.Values(a.Documents)) })
		if err != nil {
			return n, writeError(f.dir, err)
		}
		n += written
		moved = true
		now.Volumes[at[a.Volume.Path]] = a.Volume
		for _, d := range a.Documents {
			now.Files[d.Path] = writtenFile{int64(len(d.Body)), d.Modified}
		}
	}
	if !maps.EqualFunc(before.Files, now.Files, func(writtenFile, writtenFile) bool { return true }) {
		moved = true
		_, err := f.inTurn(func() (int, error) { return 0, f.remove(before.Files, now.Files) })
		if err != nil {
			return n, writeError(f.dir, err)
		}
	}
	if !moved && before.Digest == now.Digest && now.Revision < before.Revision+noteEvery || len(now.Volumes)+len(before.Volumes) == 0 {
		return n, nil
	}
	note, err := json.Marshal(now)
	if err == nil {
		err = notes.SetNote(ctx, noteArchives, f.dir, note)
	}
	if err != nil {
		return n, fmt.Errorf("remember what %s holds: %w", f.dir, err)
	}
	return n, nil
}

// intact reports whether the files of a volume are as they were written.
func (b *folderArchives) intact(f *static, v Volume) bool {
	for _, ending := range archiveEndings {
		w, ok := b.Files[v.Path+ending]
		if !ok || !inPlace(f.root, v.Path+ending, w.Size, w.Modified) {
			return false
		}
	}
	return true
}
