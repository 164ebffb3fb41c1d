package main

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"broadsheet/config"
	"broadsheet/store"
	"broadsheet/store/postgres/pgtest"
)

// BenchmarkPollers lets 1, 2 and 4 one-shots at once poll feeds of 20 items, first with everything new and then with nothing
// new, into a file and into a database that waits for the disk. A run is 1,000 feeds on 250 hosts that may be
// asked without a pause; the outlets and the database use the same machine.
func BenchmarkPollers(b *testing.B) {
	b.Run("bolt", func(b *testing.B) {
		for b.Loop() {
			benchPollers(b, "bolt:"+filepath.Join(b.TempDir(), "broadsheet.db"), 1, nil)
		}
	})
	cluster := pgtest.Start(b, "fsync=on", "full_page_writes=on", "shared_buffers=1GB", "max_wal_size=4GB")
	n := 0
	for _, pollers := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("postgres/%d", pollers), func(b *testing.B) {
			for b.Loop() {
				n++
				name := fmt.Sprint("paper", n)
				benchPollers(b, cluster.Database(b, name), pollers, func() int {
					time.Sleep(2 * time.Second) // until the server has counted
					return cluster.Transactions(b, name)
				})
			}
		})
	}
}

func benchPollers(b *testing.B, url string, pollers int, transactions func() int) {
	p := startPress(b, 1000, 250, 0)
	f := newHarbour(b, p, url, "schedule = \"@every 1h\"\nmin_interval = \"0s\"\nhost_gap = \"0s\"")
	report := func(what string, value float64) { b.ReportMetric(value, what) }
	round := func() (wall, cpu time.Duration) {
		began := time.Now()
		var all []*exec.Cmd
		for i := range pollers {
			c := exec.Command(f.binary, "-c", f.config, "fetch", "--once")
			c.Env = append(os.Environ(), "LISTEN=127.0.0.1:0", fmt.Sprintf("CONTROL=%s/%d.sock", f.dir, i))
			c.Stderr = os.Stderr
			if err := c.Start(); err != nil {
				b.Fatal(err)
			}
			all = append(all, c)
		}
		for _, c := range all {
			if err := c.Wait(); err != nil {
				b.Fatal(err)
			}
			cpu += c.ProcessState.UserTime() + c.ProcessState.SystemTime()
		}
		return time.Since(began), cpu
	}
	wall, cpu := round()
	report("new-feeds/s", float64(p.feeds)/wall.Seconds())
	report("items/s", float64(p.feeds*pressItems)/wall.Seconds())
	report("new-ms-CPU/feed", float64(cpu.Milliseconds())/float64(p.feeds))
	b.StopTimer()
	overdue(b, url)
	p.reset(b)
	before := 0
	if transactions != nil {
		before = transactions()
	}
	b.StartTimer()
	wall, cpu = round()
	report("same-feeds/s", float64(p.feeds)/wall.Seconds())
	report("same-ms-CPU/feed", float64(cpu.Milliseconds())/float64(p.feeds))
	if transactions != nil {
		report("transactions/feed", float64(transactions()-before)/float64(p.feeds))
	}
	if n := p.count(); n != p.feeds {
		b.Errorf("%d requests for %d feeds", n, p.feeds)
	}
}

// overdue makes all feeds due.
func overdue(b *testing.B, url string) {
	cfg := &config.Config{Store: config.Store{URL: url}}
	if path, ok := strings.CutPrefix(url, "bolt:"); ok {
		cfg.Store.Path = path
	}
	st, err := openStore(b.Context(), cfg, 0, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	var polls []store.Poll
	for f, err := range st.Feeds(b.Context()) {
		if err != nil {
			b.Fatal(err)
		}
		for _, at := range []*time.Time{&f.LastTry, &f.LastPoll, &f.LastSuccess} {
			*at = at.Add(-2 * time.Hour)
		}
		polls = append(polls, store.Poll{At: f.LastTry, State: f})
	}
	if _, err := st.SavePolls(b.Context(), polls...); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkMemory starts a publisher with 1,000 and with 101,000 feeds that nobody has polled yet, and tells what each further feed
// takes of its memory. Run it with -benchtime 1x.
func BenchmarkMemory(b *testing.B) {
	database := pgtest.New(b).Database(b)
	for b.Loop() {
		var resident [2]int
		for i, feeds := range []int{1000, 101_000} {
			f := newHarbour(b, &press{feeds: feeds, hosts: 250, net: "127.0.7", port: "9"}, database, "")
			s := f.launch(fmt.Sprint("serve", i), "serve", "--no-fetch")
			f.await("it serves", fleetPatience, func() bool { return s.shows("/readyz", "ok") })
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Process.Pid))
			if err != nil {
				b.Skip(err)
			}
			_, line, _ := strings.Cut(string(status), "VmRSS:")
			if _, err := fmt.Sscan(line, &resident[i]); err != nil {
				b.Fatal(err)
			}
			f.kill(s)
		}
		b.ReportMetric(float64(resident[0])/1024, "MB-of-1,000")
		b.ReportMetric(float64(resident[1]-resident[0])/100_000, "KB/feed")
	}
}
