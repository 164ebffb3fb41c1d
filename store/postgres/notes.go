package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"broadsheet/store"
)

// Note implements store.Notes.
func (s *Store) Note(ctx context.Context, kind, key string) (value []byte, err error) {
	err = s.do(ctx, func(ctx context.Context, c *conn) error {
		err := c.QueryRow(ctx, "SELECT value FROM notes WHERE kind = $1 AND key = $2", kind, key).Scan(&value)
		if err == errNoRows {
			value, err = nil, nil
		}
		return err
	})
	return value, err
}

// SetNote implements store.Notes.
func (s *Store) SetNote(ctx context.Context, kind, key string, value []byte) error {
	return s.do(ctx, func(ctx context.Context, c *conn) (err error) {
		if value == nil {
			_, err = c.Exec(ctx, "DELETE FROM notes WHERE kind = $1 AND key = $2", kind, key)
		} else {
			_, err = c.Exec(ctx, `INSERT INTO notes (kind, key, value) VALUES ($1, $2, $3)
				ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value WHERE notes.value <> excluded.value`, kind, key, value)
		}
		return err
	})
}

// Notes implements store.Notes.
func (s *Store) Notes(ctx context.Context, kind string) iter.Seq2[store.Note, error] {
	return func(yield func(store.Note, error) bool) {
		last, from := "", ">="
		pages(ctx, s, func(ctx context.Context, c *conn, room int) (list []store.Note, more bool, err error) {
			r, err := c.Query(ctx, fmt.Sprintf("SELECT key, value FROM notes WHERE kind = $1 AND key %s $2 ORDER BY key LIMIT %d", from, room), kind, last)
			if err != nil {
				return nil, false, err
			}
			defer r.Close()
			var key string
			var value []byte
			err = each(r, []any{&key, &value}, func() error {
				list = append(list, store.Note{Key: key, Value: bytes.Clone(value)})
				return nil
			})
			if n := len(list); n > 0 && err == nil {
				last, from = list[n-1].Key, ">"
			}
			return list, len(list) == room, err
		})(yield)
	}
}

// errUnknown says that a server went away with the answer.
var errUnknown = errors.New("the connection was lost before the answer came; whether anything was done is not known")

// SwapNotes implements store.Notes. Each swap is a statement that finds the old value or changes nothing; a later one sees
// what an earlier one did. Where the answer is lost they are not tried again: a swap that was done would find its own
// value and count as somebody else's.
func (s *Store) SwapNotes(ctx context.Context, kind string, swaps ...store.Swap) ([]bool, error) {
	done := make([]bool, len(swaps))
	if len(swaps) == 0 {
		return done, ctx.Err()
	}
	order := make([]int, len(swaps)) // of two callers both lock in the order of the keys
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return bytes.Compare([]byte(swaps[a].Key), []byte(swaps[b].Key)) })
	sent := false
	err := s.do(ctx, func(ctx context.Context, c *conn) error {
		if sent {
			return errUnknown
		}
		clear(done)
		b := &batch{}
		for _, i := range order {
			w := swaps[i]
			sql, args := "", []any{kind, w.Key}
			switch {
			case w.Old == nil && w.New == nil:
				sql = "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM notes WHERE kind = $1 AND key = $2)"
			case w.Old == nil:
				sql, args = "INSERT INTO notes (kind, key, value) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", append(args, w.New)
			case w.New == nil:
				sql, args = "DELETE FROM notes WHERE kind = $1 AND key = $2 AND value = $3", append(args, w.Old)
			default:
				sql, args = "UPDATE notes SET value = $4 WHERE kind = $1 AND key = $2 AND value = $3", append(args, w.Old, w.New)
			}
			b.Queue(sql, args...).Exec(func(t tag) error {
				done[i] = t.RowsAffected() == 1
				return nil
			})
		}
		err := send(ctx, c, b)
		sent = err != nil && judge(err, false) != clash // a server that is stopped may have committed before it says so
		return err
	})
	if err != nil {
		return nil, err
	}
	return done, nil
}
