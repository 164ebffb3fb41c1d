package postgres

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"broadsheet/store"
)

// Rewrite implements store.Store.
func (s *Store) Rewrite(ctx context.Context, at time.Time, rewrites ...store.Rewrite) (done int, err error) {
	if len(rewrites) == 0 {
		return 0, ctx.Err()
	}
	err = s.do(ctx, func(ctx context.Context, c *conn) (err error) {
		done, err = s.rewrite(ctx, c, at, rewrites)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("rewrite: %w", err)
	}
	return done, nil
}

func (s *Store) rewrite(ctx context.Context, c *conn, at time.Time, rewrites []store.Rewrite) (done int, err error) {
	l := newLedger(c, true)
	ids := make([]int64, len(rewrites))
	for i := range rewrites {
		l.asked.items.want(rewrites[i].Old.Item)
		ids[i] = int64(rewrites[i].Old.Item)
	}
	bodies := map[store.ItemID]store.Body{}
	b := &batch{}
	b.Queue("BEGIN")
	b.Queue(selectHead + " FOR UPDATE").QueryRow(func(r row) (err error) {
		l.head, err = scanHead(r)
		return err
	})
	l.queue(b)
	b.Queue("SELECT item, value FROM bodies WHERE item = ANY($1)", ids).Query(func(r rows) error {
		var id store.ItemID
		var value []byte
		return each(r, []any{&id, &value}, func() (err error) {
			bodies[id], err = s.packer.Unpack(id, value)
			return err
		})
	})
	if err := send(ctx, c, b); err != nil {
		return 0, err
	}
	for i := range rewrites {
		r := &rewrites[i]
		it, stored := l.known.Items[r.Old.Item]
		if !stored || !reflect.DeepEqual(bodies[it.ID], r.Old) {
			continue // pruned, or edited
		}
		it.Changed, bodies[it.ID] = at, r.New
		l.put(it, &r.New)
		done++
	}
	b = &batch{}
	if err := s.queueAll(b, l, nil); err != nil {
		return 0, err
	}
	b.Queue("COMMIT")
	return done, send(ctx, c, b)
}
