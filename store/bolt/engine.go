package bolt

import (
	"errors"
	"math"
	"os"
	"time"

	bbolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// The words of bbolt that the rest of the package uses.
type (
	db     = bbolt.DB
	tx     = bbolt.Tx
	bucket = bbolt.Bucket
	cursor = bbolt.Cursor
)

// openFile opens a bbolt file and tries once to lock it; errLocked says that somebody else has it.
func openFile(path string, noSync bool) (*db, error) {
	o := bbolt.Options{
		Timeout:      time.Nanosecond, // 0 would wait for ever
		FreelistType: bbolt.FreelistMapType,
		NoSync:       noSync,
	}
	// A writer that has to enlarge the mapping waits for all readers, and all new readers wait for it. Where
	// addresses cost nothing the mapping is so large from the start that it seldom grows.
	if math.MaxInt > math.MaxInt32 {
		o.InitialMmapSize = 1 << 30
	}
	d, err := bbolt.Open(path, 0o600, &o)
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, errLocked
	}
	return d, err
}

var errLocked = errors.New("the file is locked")

// createFile makes a bbolt file at path, which does not exist yet, and fills it. When it returns, all of it
// is on the disk and nobody has it open.
func createFile(path string, fill func(*tx) error) error {
	d, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Nanosecond, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return err
	}
	if err := errors.Join(d.Update(fill), d.Close()); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
