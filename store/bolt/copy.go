package bolt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"

	"broadsheet/store"
	"broadsheet/store/record"
)

// kept says in which bucket the records of a kind are counted through, and how to read one.
type kept struct {
	bucket []byte
	read   func(tx *tx, s *Store, k, v []byte) (store.Record, error)
}

var kinds = map[store.Kind]kept{
	store.KeptFeeds:     {feedsBucket, readState},
	store.KeptItems:     {idsBucket, readItem},
	store.KeptKeys:      {keysBucket, readName},
	store.KeptLinks:     {linksBucket, readLinks},
	store.KeptPublished: {publishedBucket, readName},
	store.KeptStories:   {storiesBucket, readStory},
	store.KeptPrints:    {printsBucket, readPrint},
	store.KeptNotes:     {notesBucket, readNote},
}

// Kept implements store.Copier. The keys of the buckets are the places.
func (s *Store) Kept(ctx context.Context, kind store.Kind, after string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		of := kinds[kind]
		next := []byte(after + "\x00") // the first key behind it
		if after == "" {
			next = nil
		}
		var fault error
		step := func(tx *tx, batch []store.Record, room int) (_ []store.Record, more bool) {
			c := tx.Bucket(of.bucket).Cursor()
			k, v := c.Seek(next)
			for k != nil && len(batch) < room {
				r, err := of.read(tx, s, k, v)
				if err != nil {
					fault = fmt.Errorf("%s: %w", kind, err)
					return batch, false
				}
				batch = append(batch, r)
				next = append(append(next[:0], k...), 0)
				k, v = c.Next()
			}
			return batch, k != nil
		}
		for r, err := range rows(ctx, s, step, func(r store.Record) (store.Record, error) { return r, nil }) {
			if !yield(r, err) || err != nil {
				return
			}
		}
		if fault != nil {
			yield(store.Record{}, fault)
		}
	}
}

func readState(_ *tx, _ *Store, _, v []byte) (r store.Record, err error) {
	r.State = &store.FeedState{}
	return r, json.Unmarshal(v, r.State)
}

func readItem(tx *tx, s *Store, k, _ []byte) (r store.Record, err error) {
	id := store.ItemID(number(k))
	p, _, _ := stands(tx.Bucket(idsBucket), id)
	it, err := decodeHead(p, string(tx.Bucket(headsBucket).Get(p[:])))
	if err != nil {
		return r, err
	}
	body, err := s.packer.Unpack(id, tx.Bucket(bodiesBucket).Get(k))
	if err != nil {
		return r, err
	}
	r.Item, r.Body = &it, &body
	r.Changes, err = decodeChanges(tx.Bucket(changesBucket).Get(k))
	return r, err
}

func readName(_ *tx, _ *Store, k, v []byte) (r store.Record, err error) {
	n, err := decodeName(v)
	copy(r.Key[:], k)
	r.ID, r.Day = n.item, int(n.day)
	return r, err
}

func readLinks(_ *tx, _ *Store, k, v []byte) (r store.Record, err error) {
	day, refs, err := record.Links(string(v))
	copy(r.Key[:], k)
	r.Day, r.Refs = int(day), refs
	return r, err
}

func readStory(_ *tx, _ *Store, k, v []byte) (r store.Record, err error) {
	st, err := record.Story(store.StoryID(number(k)), string(v))
	r.Story = &st
	return r, err
}

func readPrint(_ *tx, _ *Store, k, v []byte) (r store.Record, err error) {
	r.ID, r.Print = store.ItemID(number(k)), bytes.Clone(v)
	return r, nil
}

func readNote(_ *tx, _ *Store, k, v []byte) (r store.Record, err error) {
	kind, key, _ := strings.Cut(string(k), "\x00")
	r.Under, r.Note = kind, &store.Note{Key: key, Value: append([]byte{}, v...)}
	return r, nil
}

// Head implements store.Copier.
func (s *Store) Head(ctx context.Context) (h store.Head, err error) {
	err = s.view(ctx, func(tx *tx) error {
		meta := tx.Bucket(metaBucket)
		h = store.Head{ID: string(meta.Get(idKey)), Created: moment(number(meta.Get(createdKey))), Revision: store.Revision(number(meta.Get(revisionKey))),
			Last: store.ItemID(tx.Bucket(idsBucket).Sequence()), Day: int(number(meta.Get(dayKey)))}
		if v := meta.Get(prunedKey); v != nil {
			h.Pruned = moment(number(v))
		}
		if v := meta.Get(namesKey); v != nil {
			return json.Unmarshal(v, &h.Names)
		}
		return nil
	})
	return h, err
}

// Copying implements store.Copier.
func (s *Store) Copying(ctx context.Context) (c *store.Copying, err error) {
	err = s.view(ctx, func(tx *tx) error {
		v := tx.Bucket(metaBucket).Get(copyingKey)
		if v == nil {
			return nil
		}
		c = &store.Copying{}
		return json.Unmarshal(v, c)
	})
	return c, err
}

// Take implements store.Copier.
func (s *Store) Take(ctx context.Context, c store.Copying, records ...store.Record) error {
	return s.update(ctx, func(tx *tx) error {
		w := s.newWriter(tx)
		for i := range records {
			if err := w.take(c.Kind, &records[i]); err != nil {
				return err
			}
		}
		if err := w.count(); err != nil {
			return err
		}
		if c.Done {
			return w.become(&c.Head)
		}
		v, err := json.Marshal(c)
		if err != nil {
			return err
		}
		return w.meta.Put(copyingKey, v)
	})
}

// take writes a record as it is.
func (w *writer) take(kind store.Kind, r *store.Record) error {
	key := []byte(r.Place(kind))
	switch kind {
	case store.KeptFeeds:
		return w.putState(r.State)
	case store.KeptItems:
		return w.takeItem(key, r)
	case store.KeptKeys, store.KeptPublished:
		n := name{day: uint64(r.Day), item: r.ID}
		if p, _, ok := stands(w.ids, r.ID); ok {
			n.date = p.date()
		}
		b := w.keys
		if kind == store.KeptPublished {
			b = w.published
		}
		return b.Put(key, w.keep(func(b []byte) []byte { return appendName(b, n) }))
	case store.KeptLinks:
		return w.links.Put(key, w.keep(func(b []byte) []byte { return record.AppendLinks(b, uint64(r.Day), r.Refs) }))
	case store.KeptStories:
		return w.stories.Put(key, w.keep(func(b []byte) []byte { return record.AppendStory(b, r.Story) }))
	case store.KeptPrints:
		return w.prints.Put(key, r.Print)
	}
	return w.meta.Tx().Bucket(notesBucket).Put(key, r.Note.Value)
}

func (w *writer) takeItem(key []byte, r *store.Record) error {
	it := r.Item
	p := placeOf(it.Date, it.ID)
	w.counts[month(it.Arrived)]++
	err := errors.Join(
		w.ids.Put(key, append(bytes.Clone(p[:8]), key8(uint64(it.Arrived.UnixMicro()))...)),
		w.heads.Put(p[:], record.AppendItem(nil, it)),
		w.bodies.Put(key, w.store.packer.Pack(nil, r.Body)),
		w.revisions.Put(revisionEntry(it.Revision, it.ID), nil))
	if err != nil || len(r.Changes) == 0 {
		return err
	}
	v, err := json.Marshal(r.Changes)
	if err != nil {
		return err
	}
	return w.changes.Put(key, v)
}

// become gives the store the head of the one that was copied into it.
func (w *writer) become(h *store.Head) error {
	err := errors.Join(w.meta.Put(idKey, []byte(h.ID)), w.meta.Put(createdKey, key8(uint64(h.Created.UnixMicro()))),
		w.meta.Put(revisionKey, key8(h.Revision)), w.meta.Put(dayKey, key8(uint64(h.Day))), w.ids.SetSequence(uint64(h.Last)), w.meta.Delete(copyingKey))
	if err == nil && !h.Pruned.IsZero() {
		err = w.meta.Put(prunedKey, key8(uint64(h.Pruned.UnixMicro())))
	}
	if err != nil || h.Names.Given == 0 && h.Names.Of == nil {
		return err
	}
	v, err := json.Marshal(h.Names)
	if err != nil {
		return err
	}
	return w.meta.Put(namesKey, v)
}
