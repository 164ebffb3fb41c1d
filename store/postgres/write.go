package postgres

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"time"

	"broadsheet/store"
	"broadsheet/store/record"
)

// touched are the feeds of which a new state was written, with the number of their items.
type touched map[store.FeedName]int

// has reports whether the poll's state was written, and completes what became of the poll.
func (t touched) has(p *store.Poll, saved *store.Saved) bool {
	items, ok := t[p.State.Name()]
	saved.State.Items = items
	return ok
}

// queueTouched writes the states of the polls at these places, where the store still has the version that the new one was
// made of, and the host is still the poller's. Nobody gets at such a host until the commit.
func (l *ledger) queueTouched(b *batch, polls []store.Poll, places []int) touched {
	if len(places) == 0 {
		return nil
	}
	wrote := touched{}
	var outlets, urls, states, feedHosts []string
	var from, to []int64
	at := map[store.FeedName]int{}
	hosts := map[string]uint64{}
	for _, i := range places {
		p := &polls[i]
		name := p.State.Name()
		if p.Host != "" {
			hosts[p.Host] = p.Epoch
		}
		if _, twice := at[name]; twice {
			continue // the state is that after the last of them
		}
		at[name] = i
		f := l.states[name]
		state, err := encodeState(*f)
		if err != nil {
			panic(err) // nothing in a state can fail
		}
		outlets, urls, states, feedHosts = append(outlets, name.Outlet), append(urls, name.URL), append(states, state), append(feedHosts, p.Host)
		from, to = append(from, int64(l.dirty.states[name])), append(to, int64(f.Saves))
	}
	names, epochs := hostLists(hosts)
	b.Queue(`WITH mine AS (
			SELECT h.host FROM unnest($7::text[], $8::bigint[]) AS e(host, epoch) JOIN hosts h ON h.host = e.host AND h.epoch = e.epoch
			FOR SHARE OF h)
		UPDATE feeds AS f SET state = n.state, saves = n.till
		FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[]) AS n(outlet, url, since, till, state, host)
		WHERE f.outlet = n.outlet AND f.url = n.url AND f.saves = n.since AND (n.host = '' OR n.host IN (SELECT host FROM mine))
		RETURNING f.outlet, f.url, f.items`,
		outlets, urls, from, to, states, feedHosts, names, epochs).Query(func(r rows) error {
		var name store.FeedName
		var items int
		return each(r, []any{&name.Outlet, &name.URL, &items}, func() error {
			wrote[name] = items
			return nil
		})
	})
	return wrote
}

// hostLists are hosts and epochs in the order in which everybody locks them.
func hostLists(hosts map[string]uint64) (names []string, epochs []int64) {
	names, epochs = slices.Sorted(maps.Keys(hosts)), make([]int64, len(hosts))
	for i, h := range names {
		epochs[i] = int64(hosts[h])
	}
	return names, epochs
}

// queueEpochs asks for the epochs of the polls' hosts; with lock, they stay until the commit.
func queueEpochs(b *batch, polls []store.Poll, places []int, lock bool) map[string]uint64 {
	hosts, epochs := map[string]uint64{}, map[string]uint64{}
	for _, i := range places {
		if p := &polls[i]; p.Host != "" {
			hosts[p.Host] = p.Epoch
		}
	}
	if len(hosts) == 0 {
		return nil
	}
	sql := "SELECT host, epoch FROM hosts WHERE host = ANY($1) ORDER BY host"
	if lock {
		sql += " FOR SHARE"
	}
	names, _ := hostLists(hosts)
	b.Queue(sql, names).Query(func(r rows) error {
		var host string
		var epoch uint64
		return each(r, []any{&host, &epoch}, func() error {
			epochs[host] = epoch
			return nil
		})
	})
	return epochs
}

// fence returns the places of the polls whose hosts are still their pollers'; the others are fenced.
func fence(polls []store.Poll, places []int, saved []store.Saved, epochs map[string]uint64) []int {
	return slices.DeleteFunc(slices.Clone(places), func(i int) bool {
		p := &polls[i]
		fenced := p.Host != "" && epochs[p.Host] != p.Epoch
		if fenced {
			saved[i] = store.Saved{Fenced: true}
		}
		return fenced
	})
}

// queueHolds keeps the longest Retry-After that binds a whole host with the host.
func queueHolds(b *batch, polls []store.Poll, places []int) {
	holds := map[string]time.Time{}
	for _, i := range places {
		p := &polls[i]
		if p.Host != "" && p.State.HostHold && p.State.RetryAfter.After(holds[p.Host]) {
			holds[p.Host] = p.State.RetryAfter
		}
	}
	for _, host := range slices.Sorted(maps.Keys(holds)) {
		b.Queue("UPDATE hosts SET hold = $2 WHERE host = $1 AND (hold IS NULL OR hold < $2)", host, holds[host])
	}
}

// queueRecollections keeps what the polls at these places want to know again, of each feed the last.
func queueRecollections(b *batch, polls []store.Poll, places []int) {
	last := map[store.FeedName][]byte{}
	for _, i := range places {
		if p := &polls[i]; p.Recollection != nil {
			last[p.State.Name()] = p.Recollection
		}
	}
	if len(last) == 0 {
		return
	}
	var outlets, urls []string
	var values [][]byte
	for _, name := range slices.SortedFunc(maps.Keys(last), store.FeedName.Compare) { // everybody locks them in this order
		outlets, urls, values = append(outlets, name.Outlet), append(urls, name.URL), append(values, last[name])
	}
	b.Queue(`INSERT INTO recollections (outlet, url, value) SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[])
		ON CONFLICT (outlet, url) DO UPDATE SET value = excluded.value`, outlets, urls, values)
}

// queueListed writes the days of the names that were listed again.
func (l *ledger) queueListed(b *batch) {
	for _, t := range []struct {
		table  string
		listed map[store.Key]bool
		days   map[store.Key]int
	}{
		{"keys", l.dirty.listed.keys, l.days.keys}, {"links", l.dirty.listed.links, l.days.links}, {"published", l.dirty.listed.ids, l.days.ids},
	} {
		byDay := map[int][]store.Key{} // one day, or two at midnight
		for k := range t.listed {
			byDay[t.days[k]] = append(byDay[t.days[k]], k)
		}
		for day, keys := range byDay {
			sortKeys(keys)
			b.Queue("UPDATE "+t.table+" SET day = $2 WHERE key = ANY($1) AND day < $2", uuids(keys), day)
		}
	}
}

// sortKeys lets neighbours of the index lie together.
func sortKeys(keys []store.Key) {
	slices.SortFunc(keys, func(a, b store.Key) int { return slices.Compare(a[:], b[:]) })
}

// packing is what a body looked like when it was rehearsed, and its bytes: compressing takes longer than all else and
// need not be done while others wait for the head.
type packing struct {
	body  store.Body
	value []byte
}

// pack packs the bodies that a ledger would write, by the ids under which their items are published.
func (s *Store) pack(l *ledger) map[string]packing {
	packed := make(map[string]packing, len(l.dirty.bodies))
	for id, body := range l.dirty.bodies {
		b := *body
		b.Item = 0
		packed[l.known.Items[id].PublishedID] = packing{b, s.packer.Pack(nil, body)}
	}
	return packed
}

// queueAll writes all that is dirty.
func (s *Store) queueAll(b *batch, l *ledger, packed map[string]packing) error {
	if len(l.dirty.items) > 0 {
		l.head.revision++
		l.queueItems(b)
		s.queueBodies(b, l, packed)
		b.Queue("UPDATE head SET revision = $1, last = $2, arrived = $3, day = $4 WHERE one = 1", l.head.revision, l.head.last, l.head.arrived, l.head.day)
	}
	return l.queueRest(b)
}

// queueRest writes what is dirty beside items.
func (l *ledger) queueRest(b *batch) error {
	d := &l.dirty
	if changes := slices.Sorted(maps.Keys(d.changes)); len(changes) > 0 {
		values := make([]string, len(changes))
		for i, id := range changes {
			v, err := json.Marshal(l.changes[id])
			if err != nil {
				return err
			}
			values[i] = string(v)
		}
		b.Queue("INSERT INTO changes (item, value) SELECT * FROM unnest($1::bigint[], $2::text[]) ON CONFLICT (item) DO UPDATE SET value = excluded.value",
			numbers(changes), values)
	}
	if stories := slices.Sorted(maps.Keys(d.stories)); len(stories) > 0 {
		values := make([][]byte, len(stories))
		for i, id := range stories {
			values[i] = record.AppendStory(nil, l.stories[id])
		}
		b.Queue("INSERT INTO stories (id, value) SELECT * FROM unnest($1::bigint[], $2::bytea[]) ON CONFLICT (id) DO UPDATE SET value = excluded.value",
			numbers(stories), values)
	}
	l.queuePrints(b)
	l.queueNames(b, "keys", d.keys, l.known.Keys, l.days.keys)
	l.queueNames(b, "published", d.ids, l.named, l.days.ids)
	if links := keys(d.links); len(links) > 0 {
		sortKeys(links)
		days, values := make([]int32, len(links)), make([][]byte, len(links))
		for i, k := range links {
			days[i] = int32(l.days.links[k])
			values[i] = record.AppendLinks(nil, uint64(l.days.links[k]), l.known.Links[k])
		}
		b.Queue(`INSERT INTO links (key, day, value) SELECT * FROM unnest($1::uuid[], $2::int[], $3::bytea[])
			ON CONFLICT (key) DO UPDATE SET day = excluded.day, value = excluded.value`, uuids(links), days, values)
	}
	l.queueListed(b)
	return l.queueFeeds(b)
}

// queueFeeds writes the states, of new feeds too.
func (l *ledger) queueFeeds(b *batch) error {
	names := keys(l.dirty.states)
	if len(names) == 0 {
		return nil
	}
	slices.SortFunc(names, compareNames)
	outlets, urls, states := make([]string, len(names)), make([]string, len(names)), make([]string, len(names))
	saves, items := make([]int64, len(names)), make([]int32, len(names))
	for i, name := range names {
		f := l.states[name]
		state, err := encodeState(*f)
		if err != nil {
			return err
		}
		outlets[i], urls[i], states[i], saves[i], items[i] = name.Outlet, name.URL, state, int64(f.Saves), int32(f.Items)
	}
	b.Queue(`INSERT INTO feeds (outlet, url, saves, items, state) SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::int[], $5::text[])
		ON CONFLICT (outlet, url) DO UPDATE SET saves = excluded.saves, items = excluded.items, state = excluded.state`,
		outlets, urls, saves, items, states)
	return nil
}

func (l *ledger) queueItems(b *batch) {
	ids := slices.Sorted(maps.Keys(l.dirty.items))
	dates, arrived := make([]time.Time, len(ids)), make([]time.Time, len(ids))
	outlets, revisions, values := make([]string, len(ids)), make([]int64, len(ids)), make([][]byte, len(ids))
	for i, id := range ids {
		it := l.known.Items[id]
		dates[i], arrived[i], outlets[i], revisions[i] = it.Date, it.Arrived, it.Outlet, int64(it.Revision)
		values[i] = record.AppendItem(nil, &it)
	}
	b.Queue(`INSERT INTO items (id, date, outlet, arrived, revision, value)
		SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::timestamptz[], $5::bigint[], $6::bytea[])
		ON CONFLICT (id) DO UPDATE SET outlet = excluded.outlet, revision = excluded.revision, value = excluded.value`,
		numbers(ids), dates, outlets, arrived, revisions, values)
}

func (s *Store) queueBodies(b *batch, l *ledger, packed map[string]packing) {
	ids := slices.Sorted(maps.Keys(l.dirty.bodies))
	if len(ids) == 0 {
		return
	}
	values := make([][]byte, len(ids))
	for i, id := range ids {
		body := *l.dirty.bodies[id]
		body.Item = 0
		if p, ok := packed[l.known.Items[id].PublishedID]; ok && reflect.DeepEqual(p.body, body) {
			values[i] = p.value
		} else {
			values[i] = s.packer.Pack(nil, &body)
		}
	}
	b.Queue("INSERT INTO bodies (item, value) SELECT * FROM unnest($1::bigint[], $2::bytea[]) ON CONFLICT (item) DO UPDATE SET value = excluded.value",
		numbers(ids), values)
}

// queueNames writes what keys or published ids name.
func (l *ledger) queueNames(b *batch, table string, dirty map[store.Key]bool, named map[store.Key]store.ItemID, days map[store.Key]int) {
	names := keys(dirty)
	if len(names) == 0 {
		return
	}
	sortKeys(names)
	items, on := make([]int64, len(names)), make([]int32, len(names))
	for i, k := range names {
		items[i], on[i] = int64(named[k]), int32(days[k])
	}
	b.Queue("INSERT INTO "+table+` (key, item, day) SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::int[])
		ON CONFLICT (key) DO UPDATE SET item = excluded.item, day = excluded.day`, uuids(names), items, on)
}
