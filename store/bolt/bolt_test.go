package bolt

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"broadsheet/store"
)

func TestSmoke(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "x.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Options{}); err == nil {
		t.Fatal("opened twice")
	} else {
		t.Log(err)
	}
	at := time.Date(2025, 3, 4, 5, 6, 7, 8000, time.UTC)
	p := store.Poll{At: at, State: store.FeedState{Outlet: "o", URL: "https://o.example/f"}}
	for i := range 5 {
		p.Arrivals = append(p.Arrivals, store.Arrival{Item: store.Item{GUID: fmt.Sprint("g", i), Title: "T", Text: uint64(i)}, Body: store.Body{Content: "hello"}, Canonical: fmt.Sprint("https://o.example/", i)})
	}
	for range 2 {
		saved, err := s.SavePolls(context.Background(), p)
		t.Logf("%+v %v", saved, err)
	}
	n := 0
	for it, err := range s.Items(context.Background(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		t.Logf("%+v", it)
		for b, err := range s.Bodies(context.Background(), it.ID) {
			t.Log(b, err)
		}
	}
	if n != 5 {
		t.Fatal(n)
	}
	if n, err := s.Prune(context.Background(), at.Add(time.Hour), 10); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	saved, err := s.SavePolls(context.Background(), p)
	t.Logf("%+v %v", saved, err)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err = Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(s.ID(), s.Created())
	s.Close()
}
