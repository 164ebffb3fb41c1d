package bolt

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"iter"
	"slices"

	"broadsheet/store"
)

// Find implements store.Store. The indexes cannot answer: a guid is known by its feed's name, and what stood on several
// items of one document is in none of them. So the heads are looked through as they lie there, and only those decoded
// that hold the name or the hash of the link.
func (s *Store) Find(ctx context.Context, name string) iter.Seq2[store.Item, error] {
	return func(yield func(store.Item, error) bool) {
		id, link := []byte(name), binary.LittleEndian.AppendUint64(nil, store.LinkHash(name))
		holds := func(v []byte) bool { return bytes.Contains(v, id) || bytes.Contains(v, link) }
		var found []store.Item
		for it, err := range rows(ctx, s, walkDates(holds), head.decode) {
			if err != nil {
				yield(store.Item{}, err)
				return
			}
			if it.Named(name) {
				found = append(found, it)
			}
		}
		slices.SortFunc(found, func(a, b store.Item) int { return cmp.Compare(a.ID, b.ID) })
		for _, it := range found {
			if !yield(it, nil) {
				return
			}
		}
	}
}
