package fetch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
	"broadsheet/store/bolt"
)

// killed is a store whose process is killed at the n-th rewrite.
type killed struct {
	*bolt.Store
	left int
}

var errKilled = errors.New("killed")

func (k *killed) Rewrite(ctx context.Context, at time.Time, rewrites ...store.Rewrite) (int, error) {
	if k.left--; k.left < 0 {
		return 0, errKilled
	}
	return k.Store.Rewrite(ctx, at, rewrites...)
}

func TestResanitise(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	st, err := bolt.Open(filepath.Join(t.TempDir(), "s.db"), bolt.Options{Log: log, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	const clean, dirty, cleaned = `<p>clean &amp; well</p>`, `<p id="x" onclick="y()">t<script>z()</script></p><a href="javascript:z()">l</a>`, `<p>t</p>l`
	p := store.Poll{At: time.Now().UTC().Truncate(time.Microsecond), State: store.FeedState{Outlet: "o", URL: "https://outlet.example/feed"}}
	const items = 2*resanitiseBatch + 50
	for i := range items {
		a := store.Arrival{Item: store.Item{GUID: fmt.Sprint(i), Title: "t", Text: uint64(i)}, Body: store.Body{Summary: clean, Content: clean}}
		if i%10 == 0 {
			a.Body.Content, a.Body.Feed.Subtitle, a.Body.Origin.Subtitle = dirty, dirty, dirty
		}
		p.Arrivals = append(p.Arrivals, a)
	}
	if _, err := st.SavePolls(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	state := func() (changed int) {
		t.Helper()
		for it, err := range st.Items(t.Context(), store.Query{Since: 1}) {
			if changed++; err != nil || it.Changed.Equal(p.At) || !it.Updated.Equal(p.At) {
				t.Fatalf("%+v: %v", it, err)
			}
		}
		return changed
	}
	if err := resanitise(t.Context(), &killed{st, 1}, 1, log); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	if n := state(); n != resanitiseBatch/10 {
		t.Errorf("%d items changed before the interruption", n)
	}
	if err := resanitise(t.Context(), &killed{st, 2}, 1, log); err != nil { // does not begin again
		t.Fatal(err)
	}
	if n := state(); n != items/10 {
		t.Errorf("%d items changed, want %d", n, items/10)
	}
	for it, err := range st.Items(t.Context(), store.Query{}) {
		for b, err := range st.Bodies(t.Context(), it.ID) {
			if all := b.Summary + b.Content; err != nil || strings.Contains(all+b.Feed.Subtitle+b.Origin.Subtitle, "javascript") {
				t.Fatal(b, err)
			}
			if b.Feed.Subtitle != "" {
				same(t, "texts", []string{b.Summary, b.Content, b.Feed.Subtitle, b.Origin.Subtitle}, []string{clean, cleaned, cleaned, cleaned})
			} else {
				same(t, "texts", []string{b.Summary, b.Content}, []string{clean, clean})
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := resanitise(t.Context(), &killed{st, 0}, 1, log); err != nil { // looks at nothing
		t.Fatal(err)
	}
	if err := resanitise(t.Context(), &killed{st, 0}, 2, log); err != nil { // looks at all, and finds nothing
		t.Fatal(err)
	}
}
