package postgres

import (
	"testing"

	"broadsheet/store"
	"broadsheet/store/postgres/pgtest"
	"broadsheet/store/storetest"
)

func TestContract(t *testing.T) {
	server := pgtest.New(t)
	addresses := map[store.Store]string{}
	open := func(t *testing.T, address string) store.Store {
		s := openAt(t, address)
		addresses[s] = address
		return s
	}
	storetest.Run(t, storetest.Keeper{
		Open: func(t *testing.T) store.Store { return open(t, server.Database(t)) },
		Reopen: func(t *testing.T, s store.Store) store.Store {
			mustCheck(t, s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, addresses[s])
		},
		Check: mustCheck,
	})
}

// openAt opens a store that is closed when the test ends.
func openAt(t testing.TB, address string) *Store {
	t.Helper()
	s, err := Open(t.Context(), address, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustCheck(t *testing.T, s store.Store) {}
