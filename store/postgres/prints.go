package postgres

import (
	"context"
	"fmt"

	"broadsheet/store"
	"broadsheet/store/record"
)

// printPage is how many prints are read at once where an index is made from its beginning.
const printPage = 5000

// readPrints brings the index up to what is stored now, so that with the head in hand only the last commits are missing.
// Commits follow one another, so whatever prints are there, those of lower numbers were there before; what another process
// deletes meanwhile, the index drops by itself.
func (s *Store) readPrints(ctx context.Context, c *conn) error {
	if s.index == nil {
		s.index = store.NewIndex()
	}
	for {
		b := &batch{}
		n := s.queuePrints(b)
		if err := send(ctx, c, b); err != nil {
			s.index = nil
			return err
		}
		if *n < printPage {
			return nil
		}
	}
}

// queuePrints adds the next prints to the index and counts them.
func (s *Store) queuePrints(b *batch) *int {
	n := new(int)
	b.Queue(fmt.Sprintf("SELECT item, value FROM prints WHERE item > $1 ORDER BY item LIMIT %d", printPage), int64(s.index.Last())).Query(func(r rows) error {
		var id store.ItemID
		var value []byte
		return each(r, []any{&id, &value}, func() error {
			p, err := store.ParsePrint(value)
			if err != nil {
				return fmt.Errorf("item %d: %w: %w", id, err, record.ErrDamaged)
			}
			*n++
			s.index.Add(p)
			return nil
		})
	})
	return n
}

// queuePrints stores the prints of new items and forgets those that are not needed any more.
func (l *ledger) queuePrints(b *batch) {
	if len(l.prints) > 0 {
		ids, values := make([]int64, len(l.prints)), make([][]byte, len(l.prints))
		for i := range l.prints {
			ids[i], values[i] = int64(l.prints[i].Item), l.prints[i].Append(nil)
		}
		b.Queue("INSERT INTO prints (item, value) SELECT * FROM unnest($1::bigint[], $2::bytea[])", ids, values)
	}
	if len(l.dropped) > 0 {
		b.Queue("DELETE FROM prints WHERE item = ANY($1)", numbers(l.dropped))
	}
}
