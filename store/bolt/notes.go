package bolt

import (
	"bytes"
	"context"
	"iter"

	"broadsheet/store"
)

// Note implements store.Notes.
func (s *Store) Note(ctx context.Context, kind, key string) (value []byte, err error) {
	err = s.view(ctx, func(tx *tx) error {
		if v := tx.Bucket(notesBucket).Get(noteKey(kind, key)); v != nil {
			value = append([]byte{}, v...)
		}
		return nil
	})
	return value, err
}

// SetNote implements store.Notes.
func (s *Store) SetNote(ctx context.Context, kind, key string, value []byte) error {
	if old, err := s.Note(ctx, kind, key); err != nil || bytes.Equal(old, value) && (old == nil) == (value == nil) {
		return err
	}
	return s.update(ctx, func(tx *tx) error {
		if value == nil {
			return tx.Bucket(notesBucket).Delete(noteKey(kind, key))
		}
		return tx.Bucket(notesBucket).Put(noteKey(kind, key), value)
	})
}

func noteKey(kind, key string) []byte { return []byte(kind + "\x00" + key) }

// Notes implements store.Notes.
func (s *Store) Notes(ctx context.Context, kind string) iter.Seq2[store.Note, error] {
	return func(yield func(store.Note, error) bool) {
		var all []store.Note
		prefix := noteKey(kind, "")
		err := s.view(ctx, func(tx *tx) error {
			c := tx.Bucket(notesBucket).Cursor()
			for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
				all = append(all, store.Note{Key: string(k[len(prefix):]), Value: append([]byte{}, v...)})
			}
			return nil
		})
		if err != nil {
			yield(store.Note{}, err)
			return
		}
		for _, n := range all {
			if !yield(n, nil) {
				return
			}
		}
	}
}

// SwapNotes implements store.Notes.
func (s *Store) SwapNotes(ctx context.Context, kind string, swaps ...store.Swap) ([]bool, error) {
	done := make([]bool, len(swaps))
	err := s.update(ctx, func(tx *tx) error {
		b := tx.Bucket(notesBucket)
		for i, w := range swaps {
			key := noteKey(kind, w.Key)
			now := b.Get(key)
			if !bytes.Equal(now, w.Old) || (now == nil) != (w.Old == nil) {
				continue
			}
			done[i] = true
			err := error(nil)
			if w.New == nil {
				err = b.Delete(key)
			} else {
				err = b.Put(key, w.New)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return done, nil
}
