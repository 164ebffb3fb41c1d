package postgres

import (
	"sync"
	"testing"
	"time"

	"broadsheet/store"
	"broadsheet/store/postgres/pgtest"
)

// A poller that stands still in the middle of a claim holds up the others for a moment only: what they wait for in vain are not
// only its hosts, but with them the leases of their own. When it goes on, it begins anew.
func TestStandstill(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a timeout of the server")
	}
	s := openAt(t, pgtest.New(t).Database(t))
	want := func(owner string) store.Claim {
		return store.Claim{Owner: owner, Lease: time.Hour, Want: []store.Want{{Host: "a.example", Visit: true}}}
	}
	one := want("one")
	if _, err := s.Claim(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	c, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	for _, sql := range []string{"BEGIN", "SELECT 1 FROM hosts FOR UPDATE"} {
		if _, err := c.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	var claims sync.WaitGroup
	claims.Go(func() {
		if grants, err := s.Claim(t.Context(), one); err != nil || grants[0].Epoch != 1 {
			t.Errorf("the others wait in vain: %+v, %v", grants, err)
		}
	})
	// With this it holds them for longer than a statement may take, if it may stand still for as long as that.
	_, err = c.Exec(t.Context(), "SELECT pg_sleep(3)")
	claims.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.Exec(t.Context(), "COMMIT"); judge(err, c.Conn().IsClosed()) != away {
		t.Errorf("it goes on: %v", err)
	}
}
