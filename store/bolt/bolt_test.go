package bolt

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"broadsheet/store"
	"broadsheet/store/storetest"
)

func TestContract(t *testing.T) { storetest.Run(t, keeper) }

func TestCopy(t *testing.T) { storetest.Copy(t, keeper, keeper) }

var keeper = storetest.Keeper{
	Open: func(t *testing.T) store.Store { return openTemp(t) },
	Reopen: func(t *testing.T, s store.Store) store.Store {
		path := s.(*Store).db.Path()
		mustCheck(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return openAt(t, path)
	},
	Check: mustCheck,
}

// An unfinished copy is no store.
func TestUnfinished(t *testing.T) {
	path := filepath.Join(t.TempDir(), "copy.db")
	s := openAt(t, path)
	if err := s.Take(t.Context(), store.Copying{Kind: store.KeptFeeds}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := Open(path, Options{}); !errors.Is(err, store.ErrUnfinished) {
		t.Errorf("opened: %v", err)
	}
}

func openTemp(t testing.TB) *Store { return openAt(t, filepath.Join(t.TempDir(), "broadsheet.db")) }

// openAt opens a store that is checked and closed when the test ends.
func openAt(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path, Options{NoSync: true, Copy: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustCheck(t *testing.T, s store.Store) {
	t.Helper()
	if c, err := s.(*Store).Copying(context.WithoutCancel(t.Context())); err == nil && c != nil {
		return // not yet a store
	}
	if err := s.(*Store).Check(t.Context()); err != nil {
		t.Errorf("the store's insides: %v", err)
	}
}
