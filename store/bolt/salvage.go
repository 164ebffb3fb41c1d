package bolt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"

	"broadsheet/store"
	"broadsheet/store/record"
)

// A salvage carries what can be read from one file into another.
type salvage struct {
	from    *tx
	to      *Store
	w       *writer
	puts    int
	report  *Repaired
	last    store.ItemID          // the highest number that was met
	rev     store.Revision        // the highest
	counts  map[string]int        // items by feed
	lost    map[store.ItemID]bool // items that were stored and cannot be read
	doubted map[string]bool       // feeds that must be asked without validators, or the outlet would keep back what was lost
	between []place               // of items between two damaged pages, which each does not come to
}

const salvagePuts = 2000 // in one transaction

func (s *salvage) all(ctx context.Context) error {
	for _, step := range []func(context.Context) error{s.items, s.names, s.published, s.stories, s.feeds, s.rest, s.head} {
		if err := errors.Join(ctx.Err(), step(ctx)); err != nil {
			return errors.Join(err, s.abandon())
		}
	}
	return s.commit()
}

// begin lets a transaction be open for the next puts.
func (s *salvage) begin() error {
	if s.w != nil && s.puts < salvagePuts {
		s.puts++
		return nil
	}
	if err := s.commit(); err != nil {
		return err
	}
	tx, err := s.to.db.Begin(true)
	if err != nil {
		return err
	}
	s.w, s.puts = s.to.newWriter(tx), 1
	return nil
}

func (s *salvage) commit() error {
	if s.w == nil {
		return nil
	}
	err := s.w.count()
	if err == nil {
		err = s.w.meta.Tx().Commit()
	}
	s.w = nil
	return err
}

func (s *salvage) abandon() error {
	if s.w == nil {
		return nil
	}
	return s.w.meta.Tx().Rollback()
}

// each calls put for each entry of a bucket that can be read: from the front to the first damaged page, and from the back to
// the last one. What put makes of an entry that is itself damaged is its own affair.
func (s *salvage) each(ctx context.Context, name []byte, put func(k, v []byte) error) error {
	var met []byte  // the last key from the front
	var last []byte // of all; nil if it cannot be read
	survive(func() error {
		last, _ = s.from.Bucket(name).Cursor().Last()
		last = bytes.Clone(last)
		return nil
	})
	walk := func(first, next func(*cursor) (k, v []byte), back bool) (whole bool, err error) {
		var c *cursor
		for move := first; ctx.Err() == nil; move = next {
			var k, v []byte
			err := survive(func() error {
				if c == nil {
					c = s.from.Bucket(name).Cursor()
				}
				k, v = move(c)
				k, v = bytes.Clone(k), bytes.Clone(v)
				return nil
			})
			switch {
			case err != nil:
				return false, nil
			case k == nil || back && bytes.Compare(k, met) <= 0:
				return true, nil
			}
			if err = s.begin(); err == nil {
				err = put(k, v)
			}
			if err != nil {
				return false, err
			}
			if !back && (last == nil || bytes.Compare(k, last) <= 0) { // else it is rubbish, and would keep us from all between
				met = k
			}
		}
		return false, ctx.Err()
	}
	whole, err := walk((*cursor).First, (*cursor).Next, false)
	if !whole && err == nil {
		_, err = walk((*cursor).Last, (*cursor).Prev, true)
	}
	return err
}

// get reads one value of the old file; nil if it is not there or cannot be read.
func (s *salvage) get(name, key []byte) (v []byte) {
	survive(func() error {
		v = bytes.Clone(s.from.Bucket(name).Get(key))
		return nil
	})
	return v
}

// items brings items, bodies and changes over, and makes the indexes by number, month and revision.
func (s *salvage) items(ctx context.Context) error {
	packer := record.NewPacker()
	take := func(k, v []byte) error {
		if len(k) != len(place{}) {
			return nil
		}
		it, err := decodeHead(place(k), string(v))
		if _, _, twice := stands(s.w.ids, it.ID); err != nil || it.ID == 0 || len(it.Feeds) == 0 || twice {
			return nil
		}
		body, err := packer.Unpack(it.ID, s.get(bodiesBucket, key8(it.ID)))
		r := store.Record{Item: &it, Body: &body}
		textless := err != nil
		if textless {
			body = store.Body{Item: it.ID}
			it.Rest = ^it.Rest // so that the outlet's next document counts as an edit, and only of what is no news
			s.report.Textless++
		}
		if changes, err := decodeChanges(s.get(changesBucket, key8(it.ID))); err == nil {
			r.Changes = changes
		}
		for _, f := range it.Feeds {
			s.counts[string(feedKey(it.Outlet, f))]++
			if textless {
				s.doubted[string(feedKey(it.Outlet, f))] = true
			}
		}
		s.report.Items++
		s.last, s.rev = max(s.last, it.ID), max(s.rev, it.Revision)
		return s.w.takeItem(key8(it.ID), &r)
	}
	if err := s.each(ctx, headsBucket, take); err != nil {
		return err
	}
	return s.each(ctx, idsBucket, func(k, v []byte) error {
		id := store.ItemID(number(k))
		if _, _, ok := stands(s.w.ids, id); !ok {
			p, _, _ := placed(id, v)
			if err := take(p[:], s.get(headsBucket, p[:])); err != nil {
				return err
			}
			if _, _, ok := stands(s.w.ids, id); ok {
				s.between = append(s.between, p)
			} else if id != 0 {
				s.lost[id] = true
				s.report.Lost++
			}
		}
		s.last = max(s.last, id)
		return nil
	})
}

// names brings over what names items, also pruned ones. The names of lost items go, so that these can come again.
func (s *salvage) names(ctx context.Context) error {
	for _, b := range [][]byte{keysBucket, publishedBucket} {
		err := s.each(ctx, b, func(k, v []byte) error {
			n, err := decodeName(v)
			if err != nil || n.item == 0 || s.lost[n.item] {
				return nil
			}
			if p, _, ok := stands(s.w.ids, n.item); ok {
				n.date = p.date()
			}
			s.last = max(s.last, n.item)
			return s.w.meta.Tx().Bucket(b).Put(k, appendName(nil, n))
		})
		if err != nil {
			return err
		}
	}
	return s.each(ctx, linksBucket, func(k, v []byte) error {
		day, refs, err := record.Links(string(v))
		refs = slices.DeleteFunc(refs, func(l store.LinkRef) bool { return l.Item == 0 || s.lost[l.Item] })
		if err != nil || len(refs) == 0 {
			return nil
		}
		for _, l := range refs {
			s.last = max(s.last, l.Item)
		}
		return s.w.links.Put(k, record.AppendLinks(nil, day, refs))
	})
}

// published lets each item be found by its published id.
func (s *salvage) published(ctx context.Context) error {
	today := number(s.get(metaBucket, dayKey))
	return s.standing(ctx, func(it *store.Item) error {
		key := store.IDKey(it.PublishedID)
		if n, err := decodeName(s.w.published.Get(key[:])); err == nil && n.item == it.ID {
			return nil
		}
		return s.w.published.Put(key[:], appendName(nil, name{day: today, item: it.ID, date: it.Date.UnixMicro()}))
	})
}

// standing calls f for each item that was brought over.
func (s *salvage) standing(ctx context.Context, f func(*store.Item) error) error {
	stood := func(k, v []byte) error {
		it, err := decodeHead(place(k), string(v))
		if p, _, ok := stands(s.w.ids, it.ID); err != nil || !ok || p != place(k) {
			return nil
		}
		return f(&it)
	}
	err := s.each(ctx, headsBucket, stood)
	for _, p := range s.between {
		if err == nil {
			err = s.begin()
		}
		if err == nil {
			err = stood(p[:], s.get(headsBucket, p[:]))
		}
	}
	return err
}

// stories brings stories over with the items that are there and say that they are of them.
func (s *salvage) stories(ctx context.Context) error {
	members := map[store.StoryID][]store.ItemID{}
	titles := map[store.StoryID]string{} // published ids, should the story's record be lost
	err := s.standing(ctx, func(it *store.Item) error {
		if it.Story != store.StoryID(it.ID) || s.get(storiesBucket, key8(it.Story)) != nil {
			members[it.Story] = append(members[it.Story], it.ID)
		}
		if id := titles[it.Story]; id == "" || it.ID == store.ItemID(it.Story) {
			titles[it.Story] = it.PublishedID
		}
		return nil
	})
	if err != nil {
		return err
	}
	for id, items := range members {
		st, err := record.Story(id, string(s.get(storiesBucket, key8(id))))
		if err != nil {
			st = store.Story{ID: id, PublishedID: titles[id]}
			if p, _, ok := stands(s.w.ids, store.ItemID(id)); ok && !slices.Contains(items, p.id()) {
				items = append(items, p.id())
			}
		}
		slices.Sort(items)
		st.Items = items
		st.Ties = slices.DeleteFunc(st.Ties, func(t store.Tie) bool { return !slices.Contains(items, t.Item) })
		if err := s.begin(); err != nil {
			return err
		}
		if err := s.w.stories.Put(key8(id), record.AppendStory(nil, &st)); err != nil {
			return err
		}
	}
	return nil
}

// feeds brings the states of feeds over, and makes one for a feed that items name and that has none.
func (s *salvage) feeds(ctx context.Context) error {
	err := s.each(ctx, feedsBucket, func(k, v []byte) error {
		var f store.FeedState
		if json.Unmarshal(v, &f) != nil || string(feedKey(f.Outlet, f.URL)) != string(k) {
			return nil
		}
		f.Items = s.counts[string(k)]
		delete(s.counts, string(k))
		if len(s.lost) > 0 || s.doubted[string(k)] {
			f.Validators, f.Document = store.Validators{}, store.Key{}
		}
		return s.w.putState(&f)
	})
	for k, n := range s.counts {
		outlet, url, _ := bytes.Cut([]byte(k), []byte{0})
		if err == nil {
			err = s.begin()
		}
		if err == nil {
			err = s.w.putState(&store.FeedState{Outlet: string(outlet), URL: string(url), Items: n})
		}
	}
	return err
}

// rest brings over prints, also of pruned items, and notes.
func (s *salvage) rest(ctx context.Context) error {
	err := s.each(ctx, printsBucket, func(k, v []byte) error {
		if _, err := store.ParsePrint(v); err != nil || s.lost[store.ItemID(number(k))] {
			return nil
		}
		return s.w.prints.Put(k, v)
	})
	if err != nil {
		return err
	}
	return s.each(ctx, notesBucket, func(k, v []byte) error { return s.w.meta.Tx().Bucket(notesBucket).Put(k, v) })
}

// head brings over what is kept of the store as a whole. A sweep begins anew.
func (s *salvage) head(ctx context.Context) error {
	survive(func() error {
		s.last = max(s.last, store.ItemID(s.from.Bucket(idsBucket).Sequence()))
		return nil
	})
	err := s.each(ctx, metaBucket, func(k, v []byte) error {
		if bytes.Equal(k, sweepKey) {
			return nil
		}
		return s.w.meta.Put(k, v)
	})
	if err == nil {
		err = s.begin()
	}
	if err != nil {
		return err
	}
	s.rev = max(s.rev, store.Revision(number(s.w.meta.Get(revisionKey))))
	return errors.Join(s.w.ids.SetSequence(uint64(s.last)), s.w.meta.Put(revisionKey, key8(s.rev)))
}
