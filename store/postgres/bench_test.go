package postgres

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"broadsheet/store"
	"broadsheet/store/bolt"
	"broadsheet/store/postgres/pgtest"
	"broadsheet/store/storetest"
)

// durable is what a server in earnest does, which the tests' does not.
var durable = []string{"fsync=on", "full_page_writes=on", "shared_buffers=1GB", "max_wal_size=4GB", "autovacuum_naptime=20s"}

// BenchmarkCommit measures a database and, in the same run, a file; both wait for the disk.
func BenchmarkCommit(b *testing.B) {
	cluster := pgtest.Start(b, durable...)
	n := 0
	b.Run("postgres", func(b *testing.B) {
		storetest.BenchmarkCommit(b, func(tb testing.TB) store.Store {
			n++
			return openAt(tb, cluster.Database(tb, fmt.Sprint("paper", n)))
		})
	})
	b.Run("bolt", func(b *testing.B) {
		storetest.BenchmarkCommit(b, func(tb testing.TB) store.Store {
			s, err := bolt.Open(filepath.Join(tb.TempDir(), "broadsheet.db"), bolt.Options{})
			if err != nil {
				tb.Fatal(err)
			}
			tb.Cleanup(func() { s.Close() })
			return s
		})
	})
}

// BenchmarkItems looks through stores of several sizes, and tells what they weigh. The largest takes minutes to fill.
func BenchmarkItems(b *testing.B) {
	for _, size := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := openAt(b, pgtest.Start(b, durable...).Database(b, "paper"))
			storetest.Fill(b, s, size)
			if _, err := s.pool.Exec(b.Context(), "VACUUM ANALYZE"); err != nil {
				b.Fatal(err)
			}
			for _, table := range []string{"items", "bodies", "keys", "links", "published", "prints", "feeds"} {
				var bytes int64
				if err := s.pool.QueryRow(b.Context(), "SELECT pg_total_relation_size($1::text::regclass)", table).Scan(&bytes); err != nil {
					b.Fatal(err)
				}
				b.Logf("%s: %d bytes an item", table, bytes/int64(size))
			}
			storetest.BenchmarkItems(b, s)
		})
	}
}

// BenchmarkPrune deletes 200,000 items. Run it with -benchtime 1x.
func BenchmarkPrune(b *testing.B) {
	s := openAt(b, pgtest.Start(b, durable...).Database(b, "paper"))
	storetest.Fill(b, s, 300_000)
	storetest.BenchmarkPrune(b, s, func() {
		if _, err := s.pool.Exec(b.Context(), "VACUUM"); err != nil { // autovacuum has hours for it
			b.Fatal(err)
		}
	})
}

// BenchmarkCommitters saves polls of 25 new items, 16 at a time, from several processes' stores at once.
func BenchmarkCommitters(b *testing.B) {
	cluster := pgtest.Start(b, durable...)
	n := 0
	for _, committers := range []int{1, 2, 4} {
		b.Run(fmt.Sprint(committers), func(b *testing.B) {
			n++
			address := cluster.Database(b, fmt.Sprint("paper", n))
			stores := make([]store.Store, committers)
			for i := range stores {
				stores[i] = openAt(b, address)
			}
			storetest.BenchmarkCommitters(b, stores...)
		})
	}
}

// BenchmarkFeeds polls 1,000 feeds 60 times without a document, and tells what a feed weighs afterwards and how many of the new
// states of feeds found their place beside the old ones (HOT: no index is touched). Run it with -benchtime 1x.
func BenchmarkFeeds(b *testing.B) {
	s := openAt(b, pgtest.Start(b, durable...).Database(b, "paper"))
	for b.Loop() {
		storetest.Visit(b, s, 1000, 60)
	}
	var bytes, updates, hot float64
	for updates < 60_000 { // the server counts with a delay
		time.Sleep(100 * time.Millisecond)
		err := s.pool.QueryRow(b.Context(), "SELECT pg_total_relation_size(relid), n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'feeds'").
			Scan(&bytes, &updates, &hot)
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(bytes/1000, "bytes/feed")
	b.ReportMetric(100*hot/updates, "%HOT")
}
