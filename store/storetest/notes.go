package storetest

import (
	"bytes"
	"testing"

	"broadsheet/store"
)

func checkNotes(t *testing.T, s *session) {
	notes := func() store.Notes { return s.Store.(store.Notes) }
	if _, ok := s.Store.(store.Notes); !ok {
		t.Skip("keeps no notes")
	}
	get := func(kind, key string) []byte {
		t.Helper()
		v, err := notes().Note(t.Context(), kind, key)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	set := func(kind, key string, value []byte) {
		t.Helper()
		if err := notes().SetNote(t.Context(), kind, key, value); err != nil {
			t.Fatal(err)
		}
	}
	if v := get("a", "b"); v != nil {
		t.Errorf("a note that was never set is %q", v)
	}
	big := bytes.Repeat([]byte{0, 255}, 100000)
	set("a", "b", []byte("one"))
	set("a", "b", []byte("two"))
	set("a", "", []byte("three"))
	set("ab", "", big)
	set("a", "empty", []byte{})
	s.reopen(t)
	expect(t, "a, b", get("a", "b"), []byte("two"))
	expect(t, "a", get("a", ""), []byte("three"))
	expect(t, "ab", get("ab", ""), big)
	expect(t, "empty", get("a", "empty"), []byte{})
	set("a", "b", nil)
	if v := get("a", "b"); v != nil {
		t.Errorf("a note that was removed is %q", v)
	}
	expect(t, "revision", s.revision(t), 0)
}

func checkNotesOfAKind(t *testing.T, s *session) {
	notes, ok := s.Store.(store.Notes)
	if !ok {
		t.Skip("keeps no notes")
	}
	for _, n := range [][3]string{{"a", "2", "two"}, {"a", "", "none"}, {"a", "10", ""}, {"a", "b", "small"}, {"a", "C", "large"}, {"aa", "1", "another kind"}, {"", "a", "a third"}} {
		if err := notes.SetNote(t.Context(), n[0], n[1], []byte(n[2])); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, "notes of a", all(t, notes.Notes(t.Context(), "a")),
		[]store.Note{{Key: "", Value: []byte("none")}, {Key: "10", Value: []byte{}}, {Key: "2", Value: []byte("two")},
			{Key: "C", Value: []byte("large")}, {Key: "b", Value: []byte("small")}})
	expect(t, "notes of b", all(t, notes.Notes(t.Context(), "b")), nil)
	for n, err := range notes.Notes(t.Context(), "a") { // a loop may write, and end early
		if err == nil {
			err = notes.SetNote(t.Context(), "a", n.Key+"x", n.Value)
		}
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	expect(t, "notes of a then", len(all(t, notes.Notes(t.Context(), "a"))), 6)
}

func checkSwapNotes(t *testing.T, s *session) {
	notes, ok := s.Store.(store.Notes)
	if !ok {
		t.Skip("keeps no notes")
	}
	swap := func(swaps ...store.Swap) []bool {
		t.Helper()
		done, err := notes.SwapNotes(t.Context(), "kind", swaps...)
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	one, two, none := []byte("one"), []byte("two"), []byte{}
	expect(t, "new notes", swap(store.Swap{Key: "a", New: one}, store.Swap{Key: "b", Old: one, New: two}, store.Swap{Key: "c", Old: none, New: two}), []bool{true, false, false})
	expect(t, "old notes", swap(store.Swap{Key: "a", Old: two, New: none}, store.Swap{Key: "a", New: none}, store.Swap{Key: "a", Old: one, New: none}), []bool{false, false, true})
	expect(t, "no swaps", len(swap()), 0)
	s.reopen(t)
	notes = s.Store.(store.Notes)
	expect(t, "notes", all(t, notes.Notes(t.Context(), "kind")), []store.Note{{Key: "a", Value: none}})
	expect(t, "an empty note is one", swap(store.Swap{Key: "a", New: two}, store.Swap{Key: "a", Old: none}), []bool{false, true})
	expect(t, "notes at the end", all(t, notes.Notes(t.Context(), "kind")), nil)

	// Of several who want the same, one gets it.
	won := make(chan bool, 8)
	for i := range cap(won) {
		go func() {
			done, err := notes.SwapNotes(t.Context(), "kind", store.Swap{Key: "claim", New: []byte{byte(i)}})
			won <- err == nil && done[0]
		}()
	}
	n := 0
	for range cap(won) {
		if <-won {
			n++
		}
	}
	expect(t, "winners", n, 1)
	expect(t, "revision", s.revision(t), 0)
}
