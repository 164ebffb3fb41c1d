package bolt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"broadsheet/store"
	"broadsheet/store/record"
)

const (
	pruneBatch = 200   // items that one transaction deletes
	sweepLooks = 10000 // names that one call of Prune looks at
	sweepPause = 7     // days from one sweep's beginning to the next

	// keepDays is how long a name stays after the day that stands beside it.
	keepDays = uint64(store.TombstoneAge/(24*time.Hour)) + freshDays + 1
)

// Prune implements store.Store. It also sweeps a part of the names that no outlet lists any more.
func (s *Store) Prune(ctx context.Context, before time.Time, n int) (pruned int, err error) {
	var last store.ItemID
	for more := true; more && pruned < n; {
		var ids []store.ItemID
		err := s.view(ctx, func(tx *tx) error {
			ids, last, more = arrivedBefore(tx, last, before, min(n-pruned, pruneBatch))
			return nil
		})
		if err == nil && len(ids) > 0 {
			err = s.update(ctx, func(tx *tx) error {
				gone, err := s.newWriter(tx).drop(ids)
				pruned += gone
				return err
			})
		}
		if err != nil {
			return pruned, fmt.Errorf("prune: %w", err)
		}
	}
	if err := s.update(ctx, sweep); err != nil {
		return pruned, fmt.Errorf("prune: %w", err)
	}
	return pruned, nil
}

// arrivedBefore finds the next items after last that arrived before the given time. It looks past the ones that
// did not: a clock that once stood wrong must not keep all that came later.
func arrivedBefore(tx *tx, last store.ItemID, before time.Time, n int) (ids []store.ItemID, end store.ItemID, more bool) {
	c := tx.Bucket(idsBucket).Cursor()
	k, v := c.Seek(key8(last + 1))
	for looks := 0; k != nil && len(ids) < n && looks < batchLooks; looks++ {
		last = store.ItemID(number(k))
		if int64(number(v[8:])) < before.UnixMicro() {
			ids = append(ids, last)
		}
		k, v = c.Next()
	}
	return ids, last, k != nil
}

// drop deletes the items with these numbers. What names them stays.
func (w *writer) drop(ids []store.ItemID) (gone int, err error) {
	carried, latest := map[string]int{}, int64(0) // by feed; the latest arrival
	if v := w.meta.Get(prunedKey); v != nil {
		latest = int64(number(v))
	}
	for _, id := range ids {
		it, ok, err := w.item(id)
		if err != nil {
			return 0, err
		}
		if !ok {
			continue // somebody else was faster
		}
		gone++
		w.counts[month(it.Arrived)]--
		latest = max(latest, it.Arrived.UnixMicro())
		for _, f := range it.Feeds {
			carried[string(feedKey(it.Outlet, f))]++
		}
		p := placeOf(it.Date, id)
		err = errors.Join(w.heads.Delete(p[:]), w.bodies.Delete(key8(id)), w.changes.Delete(key8(id)), w.ids.Delete(key8(id)),
			w.revisions.Delete(revisionEntry(it.Revision, id)), w.leave(&it))
		if err != nil {
			return 0, err
		}
	}
	for feed, n := range carried {
		var f store.FeedState
		v := w.feeds.Get([]byte(feed))
		if v == nil {
			continue
		}
		if err := json.Unmarshal(v, &f); err != nil {
			return 0, fmt.Errorf("the state of a feed: %w: %w", record.ErrDamaged, err)
		}
		f.Items = max(f.Items-n, 0)
		if err := w.putState(&f); err != nil {
			return 0, err
		}
	}
	if gone == 0 {
		return 0, nil
	}
	err = errors.Join(w.count(), w.meta.Put(prunedKey, key8(uint64(latest))), w.meta.Put(revisionKey, key8(w.rev)))
	return gone, err
}

// leave takes an item out of the record of its story. The record stays while it has items: it alone knows
// the story's PublishedID when the first item is gone.
func (w *writer) leave(it *store.Item) error {
	v := w.stories.Get(key8(it.Story))
	if v == nil {
		return nil
	}
	s, err := record.Story(it.Story, string(v))
	if err != nil {
		return err
	}
	s.Items = slices.DeleteFunc(s.Items, func(id store.ItemID) bool { return id == it.ID })
	s.Ties = slices.DeleteFunc(s.Ties, func(t store.Tie) bool { return t.Item == it.ID })
	if len(s.Items) == 0 {
		return w.stories.Delete(key8(it.Story))
	}
	return w.stories.Put(key8(it.Story), w.keep(func(b []byte) []byte { return record.AppendStory(b, &s) }))
}

// position is how far a sweep has come. The days are those of polls, not of this machine's clock now.
type position struct {
	Began  uint64 `json:"began"`          // the day when the sweep began
	Bucket int    `json:"bucket"`         // of keys, links, published; 3 when it is done
	Next   []byte `json:"next,omitempty"` // the next key in it
}

// sweep looks at the next names and deletes those that no outlet has listed for long and whose items are gone.
func sweep(tx *tx) error {
	meta, ids := tx.Bucket(metaBucket), tx.Bucket(idsBucket)
	today := number(meta.Get(dayKey))
	var at position
	if v := meta.Get(sweepKey); v != nil {
		if err := json.Unmarshal(v, &at); err != nil {
			return fmt.Errorf("the sweep: %w: %w", record.ErrDamaged, err)
		}
	}
	if at.Bucket > 2 {
		if today < at.Began+sweepPause {
			return nil
		}
		at = position{Began: today}
	}
	for left := sweepLooks; left > 0 && at.Bucket <= 2; {
		b := tx.Bucket([][]byte{keysBucket, linksBucket, publishedBucket}[at.Bucket])
		var expired [][]byte
		c := b.Cursor()
		k, v := c.First()
		if at.Next != nil {
			k, v = c.Seek(at.Next)
		}
		for ; k != nil && left > 0; left-- {
			old, err := forgotten(ids, at.Bucket == 1, v, today)
			if err != nil {
				return err
			}
			if old {
				expired = append(expired, bytes.Clone(k))
			}
			k, v = c.Next()
		}
		if at.Next = bytes.Clone(k); k == nil {
			at.Bucket++
		}
		for _, k := range expired {
			if err := b.Delete(k); err != nil {
				return err
			}
		}
	}
	v, err := json.Marshal(at)
	if err != nil {
		return err
	}
	return meta.Put(sweepKey, v)
}

// forgotten reports whether a name was last listed long ago and its items are gone. The names of stored items
// stay whatever their age, or the outlet could list them again and they would come twice.
func forgotten(ids *bucket, link bool, v []byte, today uint64) (bool, error) {
	if link {
		day, refs, err := record.Links(string(v))
		stored := func(l store.LinkRef) bool { return ids.Get(key8(l.Item)) != nil }
		return err == nil && day+keepDays < today && !slices.ContainsFunc(refs, stored), err
	}
	n, err := decodeName(v)
	return err == nil && n.day+keepDays < today && ids.Get(key8(n.item)) == nil, err
}
