package postgres

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"broadsheet/store"
	"broadsheet/store/bolt"
	"broadsheet/store/postgres/pgtest"
	"broadsheet/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func TestContract(t *testing.T) { storetest.Run(t, keeper(pgtest.New(t).Database(t))) }

// A store moves from a file to a database and back.
func TestCopy(t *testing.T) {
	file := storetest.Keeper{
		Open: func(t *testing.T) store.Store { return openFile(t, filepath.Join(t.TempDir(), "broadsheet.db")) },
		Reopen: func(t *testing.T, s store.Store) store.Store {
			path := s.(*named).path
			s.Close()
			return openFile(t, path)
		},
	}
	database := keeper(pgtest.New(t).Database(t))
	t.Run("into a database", func(t *testing.T) { storetest.Copy(t, file, database) })
	t.Run("out of a database", func(t *testing.T) { storetest.Copy(t, database, file) })
}

// named is a file with its name.
type named struct {
	*bolt.Store
	path string
}

func openFile(t *testing.T, path string) store.Store {
	s, err := bolt.Open(path, bolt.Options{NoSync: true, Copy: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &named{s, path}
}

// keeper makes each store in a schema of its own, which is made sooner than a database.
func keeper(database string) storetest.Keeper {
	addresses, n := map[store.Store]string{}, 0
	open := func(t *testing.T, address string) store.Store {
		s := openAt(t, address)
		addresses[s] = address
		return s
	}
	return storetest.Keeper{
		Open: func(t *testing.T) store.Store {
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
	}
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
	s, err := Open(t.Context(), address, Options{Copy: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
