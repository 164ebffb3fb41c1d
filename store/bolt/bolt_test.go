package bolt

import (
	"path/filepath"
	"testing"

	"broadsheet/store"
	"broadsheet/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, storetest.Keeper{
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
	})
}

func openTemp(t testing.TB) *Store { return openAt(t, filepath.Join(t.TempDir(), "broadsheet.db")) }

// openAt opens a store that is checked and closed when the test ends.
func openAt(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustCheck(t *testing.T, s store.Store) {
	t.Helper()
	if err := s.(*Store).Check(t.Context()); err != nil {
		t.Errorf("the store's insides: %v", err)
	}
}
