package bolt

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"broadsheet/store"
)

// Rewrite implements store.Store.
func (s *Store) Rewrite(ctx context.Context, at time.Time, rewrites ...store.Rewrite) (done int, err error) {
	err = s.update(ctx, func(tx *tx) error {
		w := s.newWriter(tx)
		for i := range rewrites {
			r := &rewrites[i]
			it, ok, err := w.item(r.Old.Item)
			if err != nil {
				return err
			}
			v := w.bodies.Get(key8(r.Old.Item))
			if !ok || v == nil {
				continue // pruned
			}
			if stands, err := s.packer.Unpack(r.Old.Item, v); err != nil {
				return err
			} else if !reflect.DeepEqual(stands, r.Old) {
				continue // edited
			}
			if err := w.revisions.Delete(revisionEntry(it.Revision, it.ID)); err != nil {
				return err
			}
			it.Changed = at
			if err := w.put(&it, &r.New); err != nil {
				return err
			}
			done++
		}
		if !w.changed {
			return nil
		}
		return w.meta.Put(revisionKey, key8(w.rev))
	})
	if err != nil {
		return 0, fmt.Errorf("rewrite: %w", err)
	}
	return done, nil
}
