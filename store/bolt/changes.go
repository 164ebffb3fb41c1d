package bolt

import (
	"bytes"
	"context"

	"encoding/json"
	"fmt"
	"iter"

	"broadsheet/store"
	"broadsheet/store/record"
)

// remember adds a change to those of its item. A rename brings none.
func (w *writer) remember(c store.Change) error {
	if c.Item == 0 {
		return nil
	}
	changes, err := decodeChanges(w.changes.Get(key8(c.Item)))
	if err != nil {
		return err
	}
	v, err := json.Marshal(store.Remember(changes, c))
	if err != nil {
		return err
	}
	return w.changes.Put(key8(c.Item), v)
}

// decodeChanges reads the changes of an item; none if there is no value.
func decodeChanges(v []byte) (changes []store.Change, err error) {
	if v == nil {
		return nil, nil
	}
	if err := json.Unmarshal(v, &changes); err != nil {
		return nil, fmt.Errorf("the changes of an item: %w: %w", record.ErrDamaged, err)
	}
	return changes, nil
}

// Changes implements store.Store.
func (s *Store) Changes(ctx context.Context, ids ...store.ItemID) iter.Seq2[store.Change, error] {
	return func(yield func(store.Change, error) bool) {
		left := ids
		next := func(tx *tx, batch [][]byte, room int) (_ [][]byte, more bool) {
			changes := tx.Bucket(changesBucket)
			for n := 0; len(left) > 0 && n < room; n++ {
				if v := changes.Get(key8(left[0])); v != nil {
					batch = append(batch, bytes.Clone(v))
				}
				left = left[1:]
			}
			return batch, len(left) > 0
		}
		for all, err := range rows(ctx, s, next, decodeChanges) {
			if err != nil {
				yield(store.Change{}, err)
				return
			}
			for _, c := range all {
				if !yield(c, nil) {
					return
				}
			}
		}
	}
}
