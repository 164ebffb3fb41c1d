package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"broadsheet/store"
	"broadsheet/store/record"
)

// A ledger is the part of a store that some polls are about: what was looked up of it, and on top of that what
// they change. What is not in it yet is asked for and fetched, all that was asked for in one round trip.
type ledger struct {
	conn *conn
	lock bool // states are fetched to be changed: nobody else changes them until the commit

	head head

	index   *store.Index  // of the prints; nil in a rehearsal
	prints  []store.Print // to be stored
	dropped []store.ItemID
	joins   []store.Insert // that join stories
	events  []store.Change

	// What is there. Keys, Links, IDs and Items are of all the polls.
	known   store.Known
	states  map[store.FeedName]*store.FeedState
	stories map[store.StoryID]*store.Story
	changes map[store.ItemID][]store.Change
	days    struct{ keys, links, ids map[store.Key]int } // when an outlet last listed it
	named   map[store.Key]store.ItemID                   // the items of published ids

	asked asks
	dirty dirt
}

// asks are what a ledger has asked for. What was asked for and is not there, is not there.
type asks struct {
	states  ask[store.FeedName]
	keys    ask[store.Key]
	links   ask[store.Key]
	ids     ask[store.Key]
	items   ask[store.ItemID]
	stories ask[store.StoryID]
	changes ask[store.ItemID]
}

// An ask is what was asked for of one table.
type ask[K comparable] struct {
	all  map[K]bool
	open []K // not fetched yet
}

func (a *ask[K]) want(keys ...K) {
	if a.all == nil {
		a.all = map[K]bool{}
	}
	for _, k := range keys {
		if !a.all[k] {
			a.all[k] = true
			a.open = append(a.open, k)
		}
	}
}

// have counts k as fetched.
func (a *ask[K]) have(k K) {
	if a.all == nil {
		a.all = map[K]bool{}
	}
	a.all[k] = true
}

// take returns what is open and counts it as fetched.
func (a *ask[K]) take() []K {
	open := a.open
	a.open = nil
	return open
}

// dirt is what of a ledger has to be written.
type dirt struct {
	states           map[store.FeedName]uint64 // with the Saves that were stored; 0 if the feed is new
	keys, links, ids map[store.Key]bool
	items            map[store.ItemID]bool
	bodies           map[store.ItemID]*store.Body
	stories          map[store.StoryID]bool
	changes          map[store.ItemID]bool

	// Names of which only the day is another.
	listed struct{ keys, links, ids map[store.Key]bool }
}

func newLedger(c *conn, lock bool) *ledger {
	l := &ledger{conn: c, lock: lock, states: map[store.FeedName]*store.FeedState{}, stories: map[store.StoryID]*store.Story{},
		changes: map[store.ItemID][]store.Change{}, named: map[store.Key]store.ItemID{}}
	l.known = store.Known{Keys: map[store.Key]store.ItemID{}, Links: map[store.Key][]store.LinkRef{},
		IDs: map[store.Key]bool{}, Items: map[store.ItemID]store.Item{}}
	l.days.keys, l.days.links, l.days.ids = map[store.Key]int{}, map[store.Key]int{}, map[store.Key]int{}
	l.dirty = dirt{states: map[store.FeedName]uint64{}, keys: map[store.Key]bool{}, links: map[store.Key]bool{}, ids: map[store.Key]bool{},
		items: map[store.ItemID]bool{}, bodies: map[store.ItemID]*store.Body{}, stories: map[store.StoryID]bool{}, changes: map[store.ItemID]bool{}}
	l.dirty.listed.keys, l.dirty.listed.links, l.dirty.listed.ids = map[store.Key]bool{}, map[store.Key]bool{}, map[store.Key]bool{}
	return l
}

// again asks for all that another ledger came to ask for.
func (l *ledger) again(o *asks) {
	l.asked.states.want(keys(o.states.all)...)
	l.asked.keys.want(keys(o.keys.all)...)
	l.asked.links.want(keys(o.links.all)...)
	l.asked.ids.want(keys(o.ids.all)...)
	l.asked.items.want(keys(o.items.all)...)
	l.asked.stories.want(keys(o.stories.all)...)
	l.asked.changes.want(keys(o.changes.all)...)
}

func keys[K comparable, V any](m map[K]V) []K { return slices.Collect(maps.Keys(m)) }

// fetch gets what is open.
func (l *ledger) fetch(ctx context.Context) error {
	b := &batch{}
	l.queue(b)
	if b.Len() == 0 {
		return nil
	}
	return send(ctx, l.conn, b)
}

// queue puts what is open into a batch.
func (l *ledger) queue(b *batch) {
	if names := l.asked.states.take(); len(names) > 0 {
		l.queueStates(b, names)
	}
	queueKeys(b, "SELECT key, item, day FROM keys WHERE key = ANY($1)", l.asked.keys.take(), func(k store.Key, item store.ItemID, day int) {
		l.known.Keys[k], l.days.keys[k] = item, day
	})
	queueKeys(b, "SELECT key, item, day FROM published WHERE key = ANY($1)", l.asked.ids.take(), func(k store.Key, item store.ItemID, day int) {
		l.known.IDs[k], l.named[k], l.days.ids[k] = true, item, day
	})
	if keys := l.asked.links.take(); len(keys) > 0 {
		b.Queue("SELECT key, day, value FROM links WHERE key = ANY($1)", uuids(keys)).Query(func(r rows) error {
			var k [16]byte
			var day int
			var value string
			return each(r, []any{&k, &day, (*bytesAsString)(&value)}, func() (err error) {
				l.days.links[k] = day
				_, l.known.Links[k], err = record.Links(value)
				return err
			})
		})
	}
	if ids := l.asked.items.take(); len(ids) > 0 {
		b.Queue("SELECT id, date, value FROM items WHERE id = ANY($1)", numbers(ids)).Query(func(r rows) error {
			return eachItem(r, func(it store.Item) { l.known.Items[it.ID] = it })
		})
	}
	if ids := l.asked.stories.take(); len(ids) > 0 {
		b.Queue("SELECT id, value FROM stories WHERE id = ANY($1)", numbers(ids)).Query(func(r rows) error {
			var id store.StoryID
			var value string
			return each(r, []any{&id, (*bytesAsString)(&value)}, func() error {
				s, err := record.Story(id, value)
				l.stories[id] = &s
				return err
			})
		})
	}
	if ids := l.asked.changes.take(); len(ids) > 0 {
		b.Queue("SELECT item, value FROM changes WHERE item = ANY($1)", numbers(ids)).Query(func(r rows) error {
			var id store.ItemID
			var value []byte
			return each(r, []any{&id, &value}, func() (err error) {
				l.changes[id], err = decodeChanges(value)
				return err
			})
		})
	}
}

// queueStates asks in the order of names, so that of two who lock some none has what the other waits for.
func (l *ledger) queueStates(b *batch, names []store.FeedName) {
	slices.SortFunc(names, compareNames)
	outlets, urls := make([]string, len(names)), make([]string, len(names))
	for i, n := range names {
		outlets[i], urls[i] = n.Outlet, n.URL
	}
	sql := "SELECT f.state, f.items FROM unnest($1::text[], $2::text[]) AS n(outlet, url) JOIN feeds f ON f.outlet = n.outlet AND f.url = n.url"
	if l.lock {
		sql += " FOR UPDATE OF f"
	}
	b.Queue(sql, outlets, urls).Query(func(r rows) error {
		return eachState(r, func(f store.FeedState) { l.states[f.Name()] = &f })
	})
}

func compareNames(a, b store.FeedName) int {
	if c := strings.Compare(a.Outlet, b.Outlet); c != 0 {
		return c
	}
	return strings.Compare(a.URL, b.URL)
}

func queueKeys(b *batch, sql string, keys []store.Key, f func(store.Key, store.ItemID, int)) {
	if len(keys) == 0 {
		return
	}
	b.Queue(sql, uuids(keys)).Query(func(r rows) error {
		var k [16]byte
		var item store.ItemID
		var day int
		return each(r, []any{&k, &item, &day}, func() error {
			f(k, item, day)
			return nil
		})
	})
}

// each scans one row after the other into dest and calls f.
func each(r rows, dest []any, f func() error) error {
	for r.Next() {
		if err := r.Scan(dest...); err != nil {
			return err
		}
		if err := f(); err != nil {
			return err
		}
	}
	return r.Err()
}

// eachState reads rows of state and items.
func eachState(r rows, f func(store.FeedState)) error {
	var value []byte
	var items int
	return each(r, []any{&value, &items}, func() error {
		state, err := decodeState(value, items)
		f(state)
		return err
	})
}

// eachItem reads rows of id, date and value.
func eachItem(r rows, f func(store.Item)) error {
	var id store.ItemID
	var date time.Time
	var value string
	return each(r, []any{&id, &date, (*bytesAsString)(&value)}, func() error {
		it, err := record.Item(id, date.UTC(), value)
		f(it)
		return err
	})
}

// bytesAsString scans a bytea without a second copy: the strings of an item are parts of it.
type bytesAsString string

func (s *bytesAsString) ScanBytes(v []byte) error {
	*s = bytesAsString(v)
	return nil
}

func decodeState(value []byte, items int) (f store.FeedState, err error) {
	if err = json.Unmarshal(value, &f); err != nil {
		return f, fmt.Errorf("the state of a feed: %w: %w", record.ErrDamaged, err)
	}
	f.Items = items
	return f, nil
}

// encodeState leaves Items out: Prune counts them down without a new version of the state.
func encodeState(f store.FeedState) (string, error) {
	f.Items = 0
	v, err := json.Marshal(f)
	return string(v), err
}

func decodeChanges(v []byte) (changes []store.Change, err error) {
	if err := json.Unmarshal(v, &changes); err != nil {
		return nil, fmt.Errorf("the changes of an item: %w: %w", record.ErrDamaged, err)
	}
	return changes, nil
}

func uuids(keys []store.Key) [][16]byte {
	list := make([][16]byte, len(keys))
	for i, k := range keys {
		list[i] = k
	}
	return list
}

func numbers[T ~uint64](ids []T) []int64 {
	list := make([]int64, len(ids))
	for i, id := range ids {
		list[i] = int64(id)
	}
	return list
}
