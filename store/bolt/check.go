package bolt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"broadsheet/store"
	"broadsheet/store/record"
)

// Check reads the whole file and reports what does not fit: pages that bbolt finds damaged, values that
// cannot be read, and items that are not in each index exactly once. It changes nothing; all that it finds,
// up to a hundred faults, is in the error. Writers wait while it runs.
func (s *Store) Check(ctx context.Context) error {
	// bbolt's own check compares with the list of free pages, which is a writer's.
	tx, err := s.db.Begin(true)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	c := checker{feeds: map[string]int{}, months: map[uint64]uint64{}}
	for err := range tx.Check() {
		c.fault("bbolt: %w", err)
	}
	if c.faults == nil { // damaged pages are not safe to walk
		c.check(ctx, tx)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.all()
}

// all are the faults, up to a hundred of them.
func (c *checker) all() error {
	if len(c.faults) > 100 {
		c.faults = append(c.faults[:100], fmt.Errorf("and %d more", len(c.faults)-100))
	}
	return errors.Join(c.faults...)
}

type checker struct {
	faults []error
	items  int
	months map[uint64]uint64 // items that arrived in each
	feeds  map[string]int    // how many items name the feed
}

func (c *checker) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Errorf(format, args...))
}

// each calls f for each entry of a bucket and notes its error as a fault.
func (c *checker) each(ctx context.Context, tx *tx, name []byte, f func(k, v []byte) error) (n int) {
	cur := tx.Bucket(name).Cursor()
	for k, v := cur.First(); k != nil && ctx.Err() == nil; k, v = cur.Next() {
		n++
		if err := f(k, v); err != nil {
			c.fault("%s %x: %w", name, k, err)
		}
	}
	return n
}

func (c *checker) check(ctx context.Context, tx *tx) {
	c.items = c.each(ctx, tx, headsBucket, func(k, v []byte) error { return c.head(tx, k, v) })
	for _, name := range [][]byte{idsBucket, bodiesBucket, revisionsBucket} {
		// Each head was found in each of these, so equal numbers mean that nothing else is there.
		if n := c.each(ctx, tx, name, func(_, _ []byte) error { return nil }); n != c.items {
			c.fault("%s: %s for %s", name, store.Count(n, "value"), store.Count(c.items, "item"))
		}
	}
	c.each(ctx, tx, monthsBucket, func(k, v []byte) error {
		if n := c.months[number(k)]; n != number(v) {
			return fmt.Errorf("counts %s, but %d arrived in it", store.Count(number(v), "item"), n)
		}
		delete(c.months, number(k))
		return nil
	})
	for m, n := range c.months {
		c.fault("months %d: not there, but that of %s", m, store.Count(n, "item"))
	}
	packer := record.NewPacker()
	c.each(ctx, tx, bodiesBucket, func(k, v []byte) error {
		_, err := packer.Unpack(store.ItemID(number(k)), v)
		return err
	})
	c.each(ctx, tx, changesBucket, func(k, v []byte) error {
		_, err := decodeChanges(v)
		if tx.Bucket(idsBucket).Get(k) == nil {
			err = errors.Join(err, errors.New("its item is not there"))
		}
		return err
	})
	c.each(ctx, tx, storiesBucket, func(k, v []byte) error { return checkStory(tx, k, v) })
	c.each(ctx, tx, feedsBucket, c.feed)
	last := store.ItemID(tx.Bucket(idsBucket).Sequence())
	for _, name := range [][]byte{keysBucket, publishedBucket} {
		c.each(ctx, tx, name, func(k, v []byte) error {
			n, err := decodeName(v)
			if p, _, ok := stands(tx.Bucket(idsBucket), n.item); ok && p != n.place() {
				err = errors.New("has another date than its item")
			}
			return errors.Join(err, given(n.item, last))
		})
	}
	c.each(ctx, tx, linksBucket, func(k, v []byte) error {
		_, refs, err := record.Links(string(v))
		for _, l := range refs {
			err = errors.Join(err, given(l.Item, last))
		}
		return err
	})
	for feed, n := range c.feeds {
		c.fault("feeds %q: not there, but named by %s", feed, store.Count(n, "item"))
	}
}

// given says whether a number was ever given to an item.
func given(id, last store.ItemID) error {
	if id == 0 || id > last {
		return fmt.Errorf("names item %d, but the last is %d", id, last)
	}
	return nil
}

// head checks one item and what must be there for it.
func (c *checker) head(tx *tx, k, v []byte) error {
	if len(k) != len(place{}) {
		return record.ErrDamaged
	}
	it, err := decodeHead(place(k), string(v))
	if err != nil {
		return err
	}
	errs := []error{given(it.ID, store.ItemID(tx.Bucket(idsBucket).Sequence()))}
	expect := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New(what))
		}
	}
	p, arrived, ok := stands(tx.Bucket(idsBucket), it.ID)
	expect(ok && p == place(k), "its number leads elsewhere")
	expect(arrived == it.Arrived.UnixMicro(), "its arrival differs from the one beside its number")
	c.months[month(it.Arrived)]++
	expect(tx.Bucket(bodiesBucket).Get(key8(it.ID)) != nil, "it has no body")
	expect(tx.Bucket(revisionsBucket).Get(revisionEntry(it.Revision, it.ID)) != nil, "its revision does not name it")
	expect(uint64(it.Revision) <= number(tx.Bucket(metaBucket).Get(revisionKey)), "its revision has not come yet")
	published := store.IDKey(it.PublishedID)
	n, err := decodeName(tx.Bucket(publishedBucket).Get(published[:]))
	expect(err == nil && n.item == it.ID, "its published id is another item's")
	if story := tx.Bucket(storiesBucket).Get(key8(it.Story)); story != nil {
		s, err := record.Story(it.Story, string(story))
		expect(err == nil && slices.Contains(s.Items, it.ID), "its story does not have it")
	} else {
		expect(it.Story == store.StoryID(it.ID), "its story is not there")
	}
	expect(len(it.Feeds) > 0, "no feed carried it")
	for _, f := range it.Feeds {
		c.feeds[string(feedKey(it.Outlet, f))]++
	}
	return errors.Join(errs...)
}

func (c *checker) feed(k, v []byte) error {
	var f store.FeedState
	if err := json.Unmarshal(v, &f); err != nil {
		return err
	}
	n := c.feeds[string(k)]
	delete(c.feeds, string(k))
	switch {
	case string(feedKey(f.Outlet, f.URL)) != string(k):
		return errors.New("is the state of another feed")
	case f.Items != n:
		return fmt.Errorf("counts %s, but %d name it", store.Count(f.Items, "item"), n)
	}
	return nil
}

func checkStory(tx *tx, k, v []byte) error {
	s, err := record.Story(store.StoryID(number(k)), string(v))
	if err != nil {
		return err
	}
	if len(s.Items) == 0 {
		return errors.New("has no items")
	}
	for _, id := range s.Items {
		p, _, ok := stands(tx.Bucket(idsBucket), id)
		if !ok {
			return fmt.Errorf("has item %d, which is not there", id)
		}
		it, err := decodeHead(p, string(tx.Bucket(headsBucket).Get(p[:])))
		if err != nil {
			return err
		}
		if it.Story != s.ID {
			return fmt.Errorf("has item %d, which is of story %d", id, it.Story)
		}
	}
	return nil
}
