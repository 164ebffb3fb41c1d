package bolt

import (
	"iter"
	"path/filepath"
	"testing"
	"time"

	"broadsheet/store"
)

func TestStats(t *testing.T) {
	path := filepath.Join(t.TempDir(), "broadsheet.db")
	s := openAt(t, path)
	before := s.Stats()
	for n := 1; n <= 10; n++ {
		save(t, s, n)
	}
	after := s.Stats()
	if after.Commits != before.Commits+10 || after.Committing <= before.Committing {
		t.Errorf("%+v after 10 polls, %+v before", after, before)
	}
	s.update(t.Context(), func(*tx) error { return errLocked })
	if n := s.Stats().Commits; n != after.Commits {
		t.Errorf("%d commits, and what failed makes %d", after.Commits, n)
	}
	if _, err := s.Prune(t.Context(), numbered(100).At, 1000); err != nil {
		t.Fatal(err)
	}
	if pruned := s.Stats(); pruned.Free <= after.Free {
		t.Errorf("%d bytes are free, %d when the items were there", pruned.Free, after.Free)
	}
	s.view(t.Context(), func(*tx) error {
		return s.view(t.Context(), func(*tx) error {
			st := s.Stats()
			for ; st.Oldest == 0; st = s.Stats() {
				time.Sleep(time.Microsecond)
			}
			if st.Reading != 2 {
				t.Errorf("two transactions read: %+v", st)
			}
			return nil
		})
	})
	last := s.Stats()
	if last.Reading != 0 || last.Oldest != 0 {
		t.Errorf("none reads: %+v", last)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if st := openAt(t, path).Stats(); st.Free != last.Free || st.Commits != 0 { // and nothing has been written since
		t.Errorf("%+v once it is open again, %+v before", st, last)
	}
}

// No transaction is open while a caller works with what it got (PROTOCOL R3).
func TestNoTransactionWaitsForACaller(t *testing.T) {
	s := openTemp(t)
	for n := 1; n <= 3; n++ {
		save(t, s, n)
	}
	if err := s.SetNote(t.Context(), "kind", "key", []byte("value")); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	idle(t, s, "Feeds", s.Feeds(ctx))
	idle(t, s, "Items", s.Items(ctx, store.Query{}))
	idle(t, s, "Bodies", s.Bodies(ctx, 1, 2, 3))
	idle(t, s, "Stories", s.Stories(ctx, 1, 2, 3))
	idle(t, s, "Find", s.Find(ctx, "https://a.example/1"))
	idle(t, s, "Changes", s.Changes(ctx, 1, 2, 3))
	idle(t, s, "Kept", s.Kept(ctx, store.KeptItems, ""))
	idle(t, s, "Notes", s.Notes(ctx, "kind"))
}

// idle walks through all, and looks whether a transaction is open meanwhile.
func idle[T any](t *testing.T, s *Store, name string, all iter.Seq2[T, error]) {
	t.Helper()
	n := 0
	for _, err := range all {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		n++
		if st := s.Stats(); st.Reading != 0 {
			t.Errorf("%s: %+v", name, st)
		}
	}
	if n == 0 {
		t.Errorf("%s: nothing", name)
	}
}
