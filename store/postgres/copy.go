package postgres

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"

	"broadsheet/store"
	"broadsheet/store/record"
)

// Kept implements store.Copier.
func (s *Store) Kept(ctx context.Context, kind store.Kind, after string) iter.Seq2[store.Record, error] {
	return pages(ctx, s, func(ctx context.Context, c *conn, room int) (list []store.Record, more bool, err error) {
		b := &batch{}
		add := func(r store.Record) { list = append(list, r) }
		limit := fmt.Sprintf(" LIMIT %d", room)
		switch kind {
		case store.KeptFeeds:
			outlet, url, _ := strings.Cut(after, "\x00")
			b.Queue("SELECT state, items FROM feeds WHERE (outlet, url) > ($1, $2) ORDER BY outlet, url"+limit, outlet, url).Query(func(r rows) error {
				return eachState(r, func(f store.FeedState) { add(store.Record{State: &f}) })
			})
		case store.KeptItems:
			b.Queue(`SELECT i.id, i.date, i.value, b.value, coalesce(c.value, '') FROM items i JOIN bodies b ON b.item = i.id LEFT JOIN changes c ON c.item = i.id
				WHERE i.id > $1 ORDER BY i.id`+limit, numberOf(after)).Query(func(r rows) error { return s.eachWhole(r, add) })
		case store.KeptKeys:
			queueKept(b, "keys", after, limit, add)
		case store.KeptPublished:
			queueKept(b, "published", after, limit, add)
		case store.KeptLinks:
			b.Queue("SELECT key, day, value FROM links WHERE key > $1 ORDER BY key"+limit, keyOf(after)).Query(func(r rows) error {
				var key [16]byte
				var day int
				var value string
				return each(r, []any{&key, &day, (*bytesAsString)(&value)}, func() error {
					_, refs, err := record.Links(value)
					add(store.Record{Key: key, Day: day, Refs: refs})
					return err
				})
			})
		case store.KeptStories:
			b.Queue("SELECT id, value FROM stories WHERE id > $1 ORDER BY id"+limit, numberOf(after)).Query(func(r rows) error {
				var id store.StoryID
				var value string
				return each(r, []any{&id, (*bytesAsString)(&value)}, func() error {
					st, err := record.Story(id, value)
					add(store.Record{Story: &st})
					return err
				})
			})
		case store.KeptPrints:
			b.Queue("SELECT item, value FROM prints WHERE item > $1 ORDER BY item"+limit, numberOf(after)).Query(func(r rows) error {
				var id store.ItemID
				var value string
				return each(r, []any{&id, (*bytesAsString)(&value)}, func() error {
					add(store.Record{ID: id, Print: []byte(value)})
					return nil
				})
			})
		case store.KeptNotes:
			of, key, there := strings.Cut(after, "\x00")
			sql := "SELECT kind, key, value FROM notes WHERE (kind, key) > ($1, $2) ORDER BY kind, key"
			if !there { // not even the first: both may be empty
				sql = "SELECT kind, key, value FROM notes WHERE (kind, key) >= ($1, $2) ORDER BY kind, key"
			}
			b.Queue(sql+limit, of, key).Query(func(r rows) error {
				var kind, key, value string
				return each(r, []any{&kind, &key, (*bytesAsString)(&value)}, func() error {
					add(store.Record{Under: kind, Note: &store.Note{Key: key, Value: []byte(value)}})
					return nil
				})
			})
		}
		if err := send(ctx, c, b); err != nil {
			return nil, false, err
		}
		if len(list) > 0 {
			after = list[len(list)-1].Place(kind)
		}
		return list, len(list) == room, nil
	})
}

// numberOf is the number in a place; 0 before all.
func numberOf(after string) int64 {
	if len(after) != 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64([]byte(after)))
}

// keyOf is the key in a place; zeros, which no key is, before all.
func keyOf(after string) (k [16]byte) {
	copy(k[:], after)
	return k
}

func queueKept(b *batch, table, after, limit string, add func(store.Record)) {
	b.Queue("SELECT key, item, day FROM "+table+" WHERE key > $1 ORDER BY key"+limit, keyOf(after)).Query(func(r rows) error {
		var key [16]byte
		var id store.ItemID
		var day int
		return each(r, []any{&key, &id, &day}, func() error {
			add(store.Record{Key: key, ID: id, Day: day})
			return nil
		})
	})
}

// eachWhole reads items with all that belongs to them.
func (s *Store) eachWhole(r rows, add func(store.Record)) error {
	var id store.ItemID
	var value string
	var date time.Time
	var body, changes []byte
	return each(r, []any{&id, &date, (*bytesAsString)(&value), &body, &changes}, func() error {
		item, err := record.Item(id, date.UTC(), value)
		if err != nil {
			return err
		}
		whole, err := s.packer.Unpack(id, body)
		if err != nil {
			return err
		}
		out := store.Record{Item: &item, Body: &whole}
		if len(changes) > 0 {
			if out.Changes, err = decodeChanges(changes); err != nil {
				return err
			}
		}
		add(out)
		return nil
	})
}

// Head implements store.Copier.
func (s *Store) Head(ctx context.Context) (out store.Head, err error) {
	err = s.do(ctx, func(ctx context.Context, c *conn) error {
		h, err := scanHead(c.QueryRow(ctx, selectHead))
		if err != nil {
			return err
		}
		out = store.Head{Revision: h.revision, Last: h.last, Day: h.day, Pruned: h.pruned, Names: h.names}
		if err := c.QueryRow(ctx, "SELECT id, created FROM head WHERE one = 1").Scan(&out.ID, &out.Created); err != nil {
			return err
		}
		out.Created = out.Created.UTC()
		return nil
	})
	return out, err
}

// Copying implements store.Copier.
func (s *Store) Copying(ctx context.Context) (out *store.Copying, err error) {
	err = s.do(ctx, func(ctx context.Context, c *conn) error {
		var value string
		if err := c.QueryRow(ctx, "SELECT copying FROM head WHERE one = 1").Scan(&value); err != nil || value == "" {
			return err
		}
		out = &store.Copying{}
		return json.Unmarshal([]byte(value), out)
	})
	return out, err
}

// Take implements store.Copier.
func (s *Store) Take(ctx context.Context, c store.Copying, records ...store.Record) error {
	return s.do(ctx, func(ctx context.Context, con *conn) error {
		l := newLedger(con, true)
		for i := range records {
			l.take(c.Kind, &records[i])
		}
		b := &batch{}
		b.Queue("BEGIN")
		b.Queue("SELECT 1 FROM head WHERE one = 1 FOR UPDATE")
		if len(l.dirty.items) > 0 {
			l.queueItems(b)
			s.queueBodies(b, l, nil)
		}
		if err := l.queueRest(b); err != nil {
			return err
		}
		for i := range records {
			if r := &records[i]; c.Kind == store.KeptPrints {
				b.Queue("INSERT INTO prints (item, value) VALUES ($1, $2) ON CONFLICT (item) DO NOTHING", int64(r.ID), r.Print)
			} else if c.Kind == store.KeptNotes {
				b.Queue("INSERT INTO notes (kind, key, value) VALUES ($1, $2, $3) ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value", r.Under, r.Note.Key, r.Note.Value)
			}
		}
		if err := queueCopying(b, &c); err != nil {
			return err
		}
		b.Queue("COMMIT")
		return send(ctx, con, b)
	})
}

// take puts a record into the ledger as it is.
func (l *ledger) take(kind store.Kind, r *store.Record) {
	switch kind {
	case store.KeptFeeds:
		l.setState(*r.State)
	case store.KeptItems:
		id := r.Item.ID
		l.known.Items[id], l.dirty.items[id], l.dirty.bodies[id] = *r.Item, true, r.Body
		if len(r.Changes) > 0 {
			l.changes[id], l.dirty.changes[id] = r.Changes, true
		}
	case store.KeptKeys:
		l.known.Keys[r.Key], l.days.keys[r.Key], l.dirty.keys[r.Key] = r.ID, r.Day, true
	case store.KeptPublished:
		l.named[r.Key], l.days.ids[r.Key], l.dirty.ids[r.Key] = r.ID, r.Day, true
	case store.KeptLinks:
		l.known.Links[r.Key], l.days.links[r.Key], l.dirty.links[r.Key] = r.Refs, r.Day, true
	case store.KeptStories:
		l.stories[r.Story.ID], l.dirty.stories[r.Story.ID] = r.Story, true
	}
}

// queueCopying notes how far the copy has come; when it is done, the store gets the original's head.
func queueCopying(b *batch, c *store.Copying) error {
	if !c.Done {
		v, err := json.Marshal(c)
		b.Queue("UPDATE head SET copying = $1 WHERE one = 1", string(v))
		return err
	}
	h, names := &c.Head, ""
	if h.Names.Given > 0 || h.Names.Of != nil {
		v, err := json.Marshal(h.Names)
		if err != nil {
			return err
		}
		names = string(v)
	}
	b.Queue("UPDATE head SET id = $1, created = $2, revision = $3, last = $4, gone = $4, day = $5, names = $6, copying = '' WHERE one = 1",
		h.ID, h.Created, h.Revision, h.Last, h.Day, names)
	b.Queue("UPDATE head SET arrived = (SELECT max(arrived) FROM items) WHERE one = 1")
	if !h.Pruned.IsZero() {
		b.Queue("UPDATE head SET pruned = $1, arrived = greatest(arrived, $1) WHERE one = 1", h.Pruned)
	}
	return nil
}
