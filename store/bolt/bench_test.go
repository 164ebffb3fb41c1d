package bolt

import (
	"testing"

	"broadsheet/store"
	"broadsheet/store/storetest"
)

func BenchmarkCommit(b *testing.B) {
	storetest.BenchmarkCommit(b, func(tb testing.TB) store.Store { return openTemp(tb) })
}

// BenchmarkItems looks through a store of 100,000 items.
func BenchmarkItems(b *testing.B) {
	s := openTemp(b)
	storetest.Fill(b, s, 100_000)
	b.ResetTimer()
	storetest.BenchmarkItems(b, s)
}
