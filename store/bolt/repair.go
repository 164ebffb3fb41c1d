package bolt

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"broadsheet/store"
)

// A Repaired says what Repair found and did.
type Repaired struct {
	Faults        error  // what Check found; nil if the file was sound
	Items         int    // that are in the store now
	Textless      int    // of them, those whose body could not be read; the outlet's next document brings it back
	Lost          int    // items that could not be read at all; those that an outlet still lists come again
	Before, After int64  // size of the file
	Kept          string // where the file lies as it was; "" if it was sound
}

// Repair writes the store at path anew, from what of it can be read: items and what names them as they are, every index from
// the items. The new file has no free pages. It takes the place of the old one when it is whole, on the disk and found
// sound; a file with faults is kept beside it. Nobody else can have the store open meanwhile.
func Repair(ctx context.Context, path string, o Options) (r Repaired, err error) {
	old, err := Open(path, o)
	if err != nil {
		return r, err
	}
	defer old.Close() // and with it the lock, when the new file is in place
	tmp := fmt.Sprintf("%s.new-%08x", path, rand.Uint32())
	defer os.Remove(tmp)
	if err := createFile(tmp, fill); err != nil {
		return r, fmt.Errorf("%s: a new file cannot be made beside it: %w", path, err)
	}
	made, err := Open(tmp, Options{NoSync: true, Log: o.Log})
	if err != nil {
		return r, err
	}
	made.db.AllocSize = 1 << 20 // by which the file grows: less than usual, since it is to be small
	err = old.view(ctx, func(from *tx) error {
		r.Faults = faults(ctx, from)
		s := salvage{from: from, to: made, report: &r, counts: map[string]int{}, lost: map[store.ItemID]bool{}, doubted: map[string]bool{}}
		return s.all(ctx)
	})
	if err == nil {
		err = made.Check(ctx)
	}
	if err == nil {
		err = made.db.Sync()
	}
	err = errors.Join(err, made.Close(), measure(path, &r.Before), measure(tmp, &r.After))
	if err != nil {
		return r, fmt.Errorf("%s: left as it is: %w", path, err)
	}
	if r.Faults != nil {
		r.Kept = path + time.Now().UTC().Format(".damaged-20060102-150405")
		if err := os.Link(path, r.Kept); err != nil {
			return r, fmt.Errorf("%s: left as it is: %w", path, err)
		}
	}
	if err := errors.Join(sameOwner(path, tmp), os.Rename(tmp, path)); err != nil {
		return r, err
	}
	return r, syncFolder(filepath.Dir(path))
}

func measure(name string, size *int64) error {
	info, err := os.Stat(name)
	if err == nil {
		*size = info.Size()
	}
	return err
}

// sameOwner gives a file to whom another one belongs: root may repair what a daemon must open.
func sameOwner(as, name string) error {
	info, err := os.Stat(as)
	if err != nil {
		return err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		return os.Chown(name, int(owner.Uid), int(owner.Gid))
	}
	return nil
}

// faults is what Check would find, as far as damaged pages let it look.
func faults(ctx context.Context, from *tx) error {
	c := checker{feeds: map[string]int{}, months: map[uint64]uint64{}}
	if err := survive(func() error { c.check(ctx, from); return nil }); err != nil {
		c.faults = append(c.faults, err)
	}
	return c.all()
}

// survive runs f on pages that may be damaged: bbolt panics there, or reads where the file is not.
func survive(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("damaged pages: %v", r)
		}
	}()
	return f()
}
