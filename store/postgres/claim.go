package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"broadsheet/store"
)

// lease is a row of hosts.
type lease struct {
	owner       string
	epoch       uint64
	held        bool
	ends, ready time.Time
	free        time.Time
	hold        time.Time
}

// Claim implements store.Store. The hosts' rows are held from the look at their feeds' states to the commit, and whoever
// saves a poll of a host holds its row as well: nothing is saved in between. A host that nobody ever had has no row;
// of two pollers who take it at once one makes it.
func (s *Store) Claim(ctx context.Context, c store.Claim) (grants []store.Grant, err error) {
	grants = make([]store.Grant, len(c.Want))
	if len(c.Want)+len(c.Release) == 0 {
		return grants, ctx.Err()
	}
	err = s.do(ctx, func(ctx context.Context, con *conn) error {
		clear(grants)
		return claim(ctx, con, &s.clock, &c, grants)
	})
	if err != nil {
		return nil, fmt.Errorf("claim hosts: %w", err)
	}
	return grants, nil
}

func claim(ctx context.Context, con *conn, k *clock, c *store.Claim, grants []store.Grant) error {
	b := &batch{}
	b.Queue("BEGIN")
	queueReleases(b, c)
	leases := queueLeases(b, c.Want)
	newer := queueNewer(b, c.Want)
	var now time.Time
	b.Queue("SELECT clock_timestamp()").QueryRow(func(r row) error { return r.Scan(&now) })
	asked := time.Now()
	if err := send(ctx, con, b); err != nil {
		return err
	}
	k.told(now, asked, time.Now())
	var made, taken []int // places of the hosts that get a row, and of those that have one
	for i := range c.Want {
		w, g := &c.Want[i], &grants[i]
		for _, seen := range w.Feeds {
			if f, ok := newer[seen.Feed]; ok && f.Saves != seen.Saves {
				g.States = append(g.States, f)
			}
		}
		l, there := leases[w.Host]
		own := there && l.held && l.owner == c.Owner
		if !own && (!w.Visit && len(g.States) == len(w.Feeds) || l.held && now.Before(l.ends)) {
			continue
		}
		if l.owner != c.Owner {
			l.owner = c.Owner
			l.epoch++
		}
		if !own {
			l.ready = now
			if l.free.After(now) {
				l.ready = l.free
			}
		}
		// Zero, for an owner who had it already; unless the answer to its first claim was lost on the way.
		g.Wait = max(l.ready.Sub(now), 0)
		l.held, l.ends = true, now.Add(c.Lease)
		l.free = l.ends.Add(w.Gap)
		g.Epoch, g.Hold = l.epoch, l.hold
		leases[w.Host] = l
		if there {
			taken = append(taken, i)
		} else {
			made = append(made, i)
		}
	}
	b = &batch{}
	if len(taken) > 0 {
		b.Queue(`UPDATE hosts AS h SET owner = $2, epoch = n.epoch, held = true, ends = n.ends, ready = n.ready, free = n.free
			FROM unnest($1::text[], $3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[]) AS n(host, epoch, ends, ready, free)
			WHERE h.host = n.host`, leaseLists(c, taken, leases)...)
	}
	won := map[string]bool{}
	if len(made) > 0 {
		b.Queue(`INSERT INTO hosts (host, owner, epoch, held, ends, ready, free)
			SELECT n.host, $2, n.epoch, true, n.ends, n.ready, n.free
			FROM unnest($1::text[], $3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[]) AS n(host, epoch, ends, ready, free)
			ON CONFLICT (host) DO NOTHING RETURNING host`, leaseLists(c, made, leases)...).Query(func(r rows) error {
			var host string
			return each(r, []any{&host}, func() error {
				won[host] = true
				return nil
			})
		})
	}
	b.Queue("COMMIT")
	if err := send(ctx, con, b); err != nil {
		return err
	}
	for _, i := range made {
		if !won[c.Want[i].Host] {
			grants[i] = store.Grant{States: grants[i].States}
		}
	}
	return nil
}

func queueReleases(b *batch, c *store.Claim) {
	if len(c.Release) == 0 {
		return
	}
	releases := slices.SortedFunc(slices.Values(c.Release), func(a, b store.Release) int { return strings.Compare(a.Host, b.Host) })
	hosts, pauses := make([]string, len(releases)), make([]int64, len(releases))
	for i, r := range releases {
		hosts[i], pauses[i] = r.Host, r.Pause.Microseconds()
	}
	// Locked in the order of their names, as everywhere.
	b.Queue("SELECT 1 FROM hosts WHERE host = ANY($1) ORDER BY host FOR UPDATE", hosts)
	b.Queue(`UPDATE hosts AS h SET held = false, free = clock_timestamp() + n.pause * interval '1 microsecond'
		FROM unnest($1::text[], $2::bigint[]) AS n(host, pause) WHERE h.host = n.host AND h.held AND h.owner = $3`, hosts, pauses, c.Owner)
}

// queueLeases asks for the rows of the wanted hosts, and holds them.
func queueLeases(b *batch, want []store.Want) map[string]lease {
	leases := map[string]lease{}
	if len(want) == 0 {
		return leases
	}
	hosts := make([]string, len(want))
	for i, w := range want {
		hosts[i] = w.Host
	}
	b.Queue("SELECT host, owner, epoch, held, ends, ready, free, hold FROM hosts WHERE host = ANY($1) ORDER BY host FOR UPDATE", hosts).Query(func(r rows) error {
		var host string
		var l lease
		var hold *time.Time
		return each(r, []any{&host, &l.owner, &l.epoch, &l.held, &l.ends, &l.ready, &l.free, &hold}, func() error {
			l.hold = time.Time{}
			if hold != nil {
				l.hold = hold.UTC()
			}
			leases[host] = l
			return nil
		})
	})
	return leases
}

// queueNewer asks for the states of the wanted feeds that the store has in another version than the poller.
func queueNewer(b *batch, want []store.Want) map[store.FeedName]store.FeedState {
	var outlets, urls []string
	var saves []int64
	for _, w := range want {
		for _, f := range w.Feeds {
			outlets, urls, saves = append(outlets, f.Feed.Outlet), append(urls, f.Feed.URL), append(saves, int64(f.Saves))
		}
	}
	newer := map[store.FeedName]store.FeedState{}
	if len(outlets) == 0 {
		return newer
	}
	b.Queue(`SELECT f.state, f.items FROM unnest($1::text[], $2::text[], $3::bigint[]) AS n(outlet, url, saves)
		JOIN feeds f ON f.outlet = n.outlet AND f.url = n.url AND f.saves <> n.saves`, outlets, urls, saves).Query(func(r rows) error {
		return eachState(r, func(f store.FeedState) { newer[f.Name()] = f })
	})
	return newer
}

// leaseLists are the arguments of a statement about the hosts at these places.
func leaseLists(c *store.Claim, places []int, leases map[string]lease) []any {
	hosts, epochs := make([]string, len(places)), make([]int64, len(places))
	ends, ready, free := make([]time.Time, len(places)), make([]time.Time, len(places)), make([]time.Time, len(places))
	for n, i := range places {
		hosts[n] = c.Want[i].Host
		l := leases[hosts[n]]
		epochs[n], ends[n], ready[n], free[n] = int64(l.epoch), l.ends, l.ready, l.free
	}
	return []any{hosts, c.Owner, epochs, ends, ready, free}
}
