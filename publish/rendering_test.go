package publish

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"broadsheet/store"
)

// A text that is longer than what is packed at a time comes out as it went in.
func TestText(t *testing.T) {
	var long text
	var want bytes.Buffer
	want.WriteString("head ")
	for i := 0; want.Len() < 2*textPart+textPart/2; i++ {
		fmt.Fprintf(&long, "line %d\n", i)
		fmt.Fprintf(&want, "line %d\n", i)
		long.grown()
	}
	want.WriteString("tail")
	if len(long.full) != 2 || !bytes.Equal(long.between([]byte("head "), []byte("tail")), want.Bytes()) {
		t.Errorf("%d parts, or another text", len(long.full))
	}
}

// What is chosen of a month is little, however much the store has read for it.
func TestChoicesAreSmall(t *testing.T) {
	w := newWorld(t)
	const n = 2000
	var items []store.Arrival
	for i := range n {
		items = append(items, news(fmt.Sprint("Item ", i), fmt.Sprint("https://a.example/", i), strings.Repeat("Some words of news. ", 60)))
	}
	w.poll(start, "a", feedOf("a"), items...)
	p := w.publisher(publication([]Outlet{outlet("a")}, Section{Slug: "all", Limit: 50}))
	e := w.edition(p)
	items = nil
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	choices, err := e.shelf.choose(t.Context(), p.desks[0].archivist, store.Month(start))
	if err != nil || len(choices) != n {
		t.Fatal(len(choices), err)
	}
	if each := (int64(heap()) - int64(before)) / n; each > 1000 {
		t.Errorf("a choice holds %d bytes", each)
	}
	runtime.KeepAlive(choices)
}
