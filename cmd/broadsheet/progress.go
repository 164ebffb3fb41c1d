package main

import (
	"fmt"
	"io"

	"broadsheet/fetch"
	"broadsheet/store"
)

// showProgress tells on a terminal how far a round is, on one line; elsewhere it is silent. The
// returned function takes the line away.
func showProgress(w io.Writer, quiet bool) (step func(fetch.Progress), end func()) {
	if quiet || !onTerminal(w) {
		return func(fetch.Progress) {}, func() {}
	}
	items := 0
	return func(p fetch.Progress) {
			items += p.New
			fmt.Fprintf(w, "\r\x1b[K%d of %s polled, %s  %.60s", p.Done, store.Count(p.Total, "feed"), store.Count(items, "new item"), p.Feed)
		}, func() {
			fmt.Fprint(w, "\r\x1b[K")
		}
}
