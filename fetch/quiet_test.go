package fetch

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// What a feed lists for years without a change stays known although its items are pruned, whether it says 304 or sends
// the same bytes: when the feed has something new at last, nothing but that comes.
func TestQuietForYears(t *testing.T) {
	path := t.TempDir()
	for name, header := range map[string]http.Header{"200": {}, "304": {"Etag": {`"1"`}}} {
		synctest.Test(t, func(t *testing.T) {
			st := quickStore(t, filepath.Join(path, name+".db"))
			defer st.Close()
			const old = `<item><guid isPermaLink="false">old</guid><title>Old</title><link>https://a.example/old</link></item>`
			document := func(items string) string {
				return `<rss version="2.0"><channel><title>Quiet</title>` + items + `</channel></rss>`
			}
			answer := func(r *http.Request) *http.Response {
				if conditional(r) {
					return response(304, "", header)
				}
				return response(200, document(old), header)
			}
			net := &fakeNet{answer: answer}
			fs := feeds(t, "https://a.example/feed")
			for range 20 {
				runFor(t, st, net, fs, 30*24*time.Hour)
				if _, err := st.Prune(context.Background(), time.Now().Add(-90*24*time.Hour), 100); err != nil {
					t.Fatal(err)
				}
			}
			if s := stateOf(t, st); s.Items != 0 || s.Failures > 0 {
				t.Fatalf("%s: %+v", name, s)
			}
			net.answer = func(*http.Request) *http.Response {
				return response(200, document(fmt.Sprintf(`<item><title>New</title><link>https://a.example/new</link></item>%s`, old)), nil)
			}
			runFor(t, st, net, fs, 2*24*time.Hour)
			if s := stateOf(t, st); s.Items != 1 {
				t.Errorf("%s: %d items, want the new one", name, s.Items)
			}
		})
	}
}
