package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	"broadsheet/store"
)

// askFor asks for a document; nil if the answer is not 200.
func askFor(address string) (body []byte, h http.Header) {
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Get(address)
	if err != nil {
		return nil, nil
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, nil
	}
	return body, resp.Header
}

func (s *ship) shows(path, text string) bool {
	body, _ := askFor(s.address + path)
	return bytes.Contains(body, []byte(text))
}

// upTo is how many feeds have a validator: of the newest document, or of any.
func (f *fleet) upTo(newest bool) (n int) {
	for st, err := range f.store.Feeds(context.Background()) {
		if err != nil {
			return 0
		}
		var feed int
		fmt.Sscanf(st.Outlet, "outlet-%d", &feed)
		if has := string(st.Validators.ETag); has != "" && (!newest || has == f.press.tag(feed)) {
			n++
		}
	}
	return n
}

func (f *fleet) allPolled() bool { return f.upTo(false) == f.press.feeds }

// caughtUp waits until all that the press has is stored, and checks that it is stored once: since the
// beginning every document was seen by somebody, so all items of all generations are there.
func (f *fleet) caughtUp(within time.Duration) {
	f.t.Helper()
	f.await("all feeds polled to the end", within, func() bool { return f.upTo(true) == f.press.feeds })
	type name struct{ outlet, guid string }
	seen, carried := map[name]int{}, map[string]int{}
	doubled := 0
	for it, err := range f.store.Items(context.Background(), store.Query{}) {
		if err != nil {
			f.t.Fatal(err)
		}
		n := name{it.Outlet, it.GUID}
		if seen[n]++; seen[n] > 1 {
			doubled++
		} else {
			carried[it.Outlet]++
		}
	}
	want, lost := int(f.press.generation.Load())+f.press.items, 0
	for i := range f.press.feeds {
		lost += want - carried[fmt.Sprintf("outlet-%d", i)]
	}
	if lost != 0 || doubled > 0 || len(carried) != f.press.feeds {
		f.t.Errorf("%d items lost, %d doubled, of %d", lost, doubled, f.press.feeds*want)
	}
}

// onceEach stops all processes and checks that each request was a poll, and each poll a request: nobody asked for what
// another one had polled or was polling. And nobody waited for long: most pauses are of one interval.
func (f *fleet) onceEach(interval time.Duration) {
	f.t.Helper()
	stopped := time.Now()
	f.stop()
	lost := f.lost()
	asked := map[string][]time.Time{}
	for _, a := range f.press.log(f.t) {
		outlet := fmt.Sprintf("outlet-%d", a.feed)
		asked[outlet] = append(asked[outlet], a.begun)
	}
	wrong := 0
	for st, err := range f.store.Feeds(context.Background()) {
		if err != nil {
			f.t.Fatal(err)
		}
		var feed int
		fmt.Sscanf(st.Outlet, "outlet-%d", &feed)
		if lost[f.press.host(feed)] {
			continue
		}
		all, whole := asked[st.Outlet], 0 // the last may have been broken off by the end
		for _, at := range all {
			if stopped.Sub(at) > time.Second {
				whole++
			}
		}
		if n := st.History.Polls; n < whole || n > len(all) {
			if wrong++; wrong < 5 {
				f.t.Errorf("%s was asked for %d times, and polled %d times", st.Outlet, len(all), n)
			}
		}
	}
	var pauses []time.Duration
	for _, times := range asked {
		slices.SortFunc(times, time.Time.Compare)
		for i := 1; i < len(times); i++ {
			pauses = append(pauses, times[i].Sub(times[i-1]))
		}
	}
	slices.Sort(pauses)
	if len(pauses) == 0 || pauses[len(pauses)/2] > interval*3/2 {
		f.t.Errorf("of %d pauses the median is not near %v", len(pauses), interval)
	}
}

// lost are the hosts whose leases ended although their pollers lived, since they stood still or the machine was busy. What
// they were asking for then, the next one asks for again.
func (f *fleet) lost() map[string]bool {
	f.t.Helper()
	logs, err := filepath.Glob(filepath.Join(f.dir, "*.log"))
	if err != nil {
		f.t.Fatal(err)
	}
	hosts := map[string]bool{}
	for _, log := range logs {
		b, _ := os.ReadFile(log)
		for _, m := range lostHost.FindAllSubmatch(b, -1) {
			hosts[string(m[1])] = true
		}
	}
	if len(hosts) > 0 {
		f.t.Logf("%d of %d hosts went from one poller to another before their time", len(hosts), f.press.hosts)
	}
	return hosts
}

var lostHost = regexp.MustCompile(`msg="a host has gone to another poller" host=(\S+)`)

// polite checks what the outlets saw.
func (f *fleet) polite() {
	f.t.Helper()
	f.press.polite(f.t, fleetGap, fleetEvery, f.lost())
}

// oneStory checks that the copies of each wire story are tied: the items of one link.
func (f *fleet) oneStory() {
	f.t.Helper()
	stories, copies := map[uint64]map[store.StoryID]bool{}, 0
	for it, err := range f.store.Items(context.Background(), store.Query{}) {
		if err != nil {
			f.t.Fatal(err)
		}
		if stories[it.LinkHash] == nil {
			stories[it.LinkHash] = map[store.StoryID]bool{}
		} else {
			copies++
		}
		if stories[it.LinkHash][it.Story] = true; len(stories[it.LinkHash]) > 1 {
			f.t.Errorf("the copies of %s are several stories", it.Link)
		}
	}
	if copies < f.press.feeds {
		f.t.Errorf("only %d copies", copies)
	}
}

// alike checks that publishers that have seen the same show the same, byte for byte.
func (f *fleet) alike(publishers ...*ship) {
	f.t.Helper()
	for _, path := range []string{"/all.atom", "/all.rss", "/all.json", "/first.atom", "/", "/all"} {
		f.await("all publishers show the same "+path, fleetPatience, func() bool {
			first, h := askFor(publishers[0].address + path)
			for _, p := range publishers[1:] {
				body, g := askFor(p.address + path)
				if !bytes.Contains(first, []byte(f.press.mark())) || !bytes.Equal(body, first) || h.Get("ETag") != g.Get("ETag") || h.Get("Last-Modified") != g.Get("Last-Modified") || h.Get("ETag") == "" {
					return false
				}
			}
			return true
		})
	}
}

// readers ask a publisher over and over until ctx ends, as feed readers do, and count the answers that are no good.
func (f *fleet) readers(ctx context.Context, publishers ...*ship) (failed func() (answers, errors int)) {
	var wg sync.WaitGroup
	var mu sync.Mutex // guards answers, bad and last
	answers, bad, last := 0, 0, ""
	for _, p := range publishers {
		wg.Go(func() {
			for ctx.Err() == nil {
				body, _ := askFor(p.address + "/all.atom")
				mu.Lock()
				if answers++; !bytes.Contains(body, []byte("</feed>")) {
					bad++
					last = string(body)
				}
				mu.Unlock()
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	return func() (int, int) {
		wg.Wait()
		if bad > 0 {
			f.t.Logf("the last bad answer: %q", last)
		}
		return answers, bad
	}
}
