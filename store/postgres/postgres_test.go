package postgres

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

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

// Every table is copied, but for those that are named here: what is added to the schema must be thought of.
func TestCopyOfEveryTable(t *testing.T) {
	database := pgtest.New(t).Database(t)
	from, to := openAt(t, within(database, "search_path", "original")), openAt(t, within(database, "search_path", "copied"))
	one, two := poll("a", 0, "https://wire.example/1"), poll("b", 1, "https://wire.example/1")
	one.Recollection, one.Host, one.Epoch = []byte("document"), "a", 1
	if _, err := from.Claim(t.Context(), store.Claim{Owner: "one", Lease: time.Hour, Want: []store.Want{{Host: "a", Feeds: []store.Seen{{Feed: one.State.Name()}}}}}); err != nil {
		t.Fatal(err)
	}
	save(t, from, one, two)
	edited := poll("a", 0, "https://wire.example/1")
	edited.At, edited.Arrivals[0].Item.Title, edited.Arrivals[0].Item.Text = start.Add(24*time.Hour), "edited", 99
	save(t, from, edited)
	if err := from.SetNote(t.Context(), "kind", "key", []byte("value")); err != nil {
		t.Fatal(err)
	}
	if err := store.Copy(t.Context(), from, to, nil); err != nil {
		t.Fatal(err)
	}
	stays := []string{"recollections", "hosts"}
	r, err := from.pool.Query(t.Context(), "SELECT table_name FROM information_schema.tables WHERE table_schema = 'original'")
	if err != nil {
		t.Fatal(err)
	}
	var tables []string
	var table string
	if err := each(r, []any{&table}, func() error { tables = append(tables, table); return nil }); err != nil || len(tables) == 0 {
		t.Fatal(tables, err)
	}
	for _, table := range tables {
		var there, copied int
		if err := from.pool.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM original."+table+"), (SELECT count(*) FROM copied."+table+")").Scan(&there, &copied); err != nil {
			t.Fatal(err)
		}
		switch {
		case there == 0:
			t.Errorf("%s: nothing in it, so this test does not see whether it is copied", table)
		case slices.Contains(stays, table) != (copied == 0) || copied > 0 && copied != there:
			t.Errorf("%s: %d rows of %d are copied", table, copied, there)
		}
	}
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
