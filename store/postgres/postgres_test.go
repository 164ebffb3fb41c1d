package postgres

import (
	"fmt"
	"net/url"
	"testing"

	"broadsheet/store"
	"broadsheet/store/postgres/pgtest"
	"broadsheet/store/storetest"
)

func TestContract(t *testing.T) {
	database := pgtest.New(t).Database(t)
	addresses, n := map[store.Store]string{}, 0
	open := func(t *testing.T, address string) store.Store {
		s := openAt(t, address)
		addresses[s] = address
		return s
	}
	storetest.Run(t, storetest.Keeper{
		Open: func(t *testing.T) store.Store { // a schema is made sooner than a database
			n++
			return open(t, within(database, "search_path", fmt.Sprint("paper", n)))
		},
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

// within is an address with one more parameter.
func within(address, name, value string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
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
