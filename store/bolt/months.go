package bolt

import (
	"context"
	"time"

	"broadsheet/store"
)

// month numbers the month of an arrival. What a broken clock dates before the first year counts as in it.
func month(arrived time.Time) uint64 {
	arrived = arrived.UTC()
	return uint64(max(arrived.Year()*12+int(arrived.Month())-1, 0))
}

func monthOf(n uint64) time.Time {
	return time.Date(int(n/12), time.Month(n%12+1), 1, 0, 0, 0, 0, time.UTC)
}

// Months implements store.Store.
func (s *Store) Months(ctx context.Context) (m store.Months, err error) {
	err = s.view(ctx, func(tx *tx) error {
		c := tx.Bucket(monthsBucket).Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			m.Stored = append(m.Stored, monthOf(number(k)))
		}
		if v := tx.Bucket(metaBucket).Get(prunedKey); v != nil {
			m.Pruned = moment(number(v))
		}
		return nil
	})
	return m, err
}

// newest is the month of the newest arrival of all items that were ever stored; zero if none was.
func (w *writer) newest() (newest time.Time) {
	if v := w.meta.Get(prunedKey); v != nil {
		newest = store.Month(moment(number(v)))
	}
	last, _ := w.months.Cursor().Last()
	for m, more := range w.counts {
		if more > 0 && (last == nil || m > number(last)) {
			last = key8(m)
		}
	}
	if last != nil {
		if m := monthOf(number(last)); m.After(newest) {
			newest = m
		}
	}
	return newest
}

// count writes how many items the months have now.
func (w *writer) count() error {
	for m, more := range w.counts {
		n := uint64(int64(number(w.months.Get(key8(m)))) + int64(more))
		var err error
		if n == 0 {
			err = w.months.Delete(key8(m))
		} else {
			err = w.months.Put(key8(m), key8(n))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
