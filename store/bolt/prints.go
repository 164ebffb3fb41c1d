package bolt

import (
	"fmt"

	"broadsheet/store"
	"broadsheet/store/record"
)

// index is the index of what the bucket of prints holds. It is made when a transaction first needs it, and again
// after one that failed: then it ends with a print that was never stored.
func (w *writer) index() (*store.Index, error) {
	last, _ := w.prints.Cursor().Last()
	if x := w.store.index; x != nil && x.Last() == store.ItemID(number(last)) {
		return x, nil
	}
	x := store.NewIndex()
	c := w.prints.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		p, err := store.ParsePrint(v)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w: %w", number(k), err, record.ErrDamaged)
		}
		x.Add(p)
	}
	w.store.index = x
	return x, nil
}

// addPrints keeps the prints of new items and forgets those that are not needed any more.
func (w *writer) addPrints(x *store.Index, inserts []store.Insert) error {
	for _, in := range inserts {
		v := w.keep(func(b []byte) []byte { return in.Print.Append(b) })
		if err := w.prints.Put(key8(in.Print.Item), v); err != nil {
			return err
		}
		for _, id := range x.Add(in.Print) {
			if err := w.prints.Delete(key8(id)); err != nil {
				return err
			}
		}
	}
	return nil
}
