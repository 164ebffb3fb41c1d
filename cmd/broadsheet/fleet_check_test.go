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
	client := http.Client{Timeout: time.Minute}
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

// upTo is how many feeds were polled when they had one of the newest so many documents.
func (f *fleet) upTo(documents int64) (n int) {
	newest := f.press.generation.Load()
	for st, err := range f.store.Feeds(context.Background()) {
		if err != nil {
			return 0
		}
		for g := newest; g > newest-documents; g-- {
			if string(st.Validators.ETag) == f.press.tag(feedIn(st.Outlet), g) {
				n++
			}
		}
	}
	return n
}

// feedIn is the number of an outlet's feed.
func feedIn(outlet string) (feed int) {
	fmt.Sscanf(outlet, "outlet-%d", &feed)
	return feed
}

// caughtUp waits until all that the press has is stored, and checks that it is stored once: since the
// beginning every document was seen by somebody, so all items of all generations are there.
func (f *fleet) caughtUp(within time.Duration) {
	f.t.Helper()
	f.await("all feeds polled to the end", within, func() bool { return f.upTo(1) == f.press.feeds })
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

// onceEach waits until each request has been a poll, and each poll a request: nobody asks for what another one has polled or is
// polling. And nobody waits for long: most pauses are of one interval.
func (f *fleet) onceEach(interval time.Duration) {
	f.t.Helper()
	unproven := map[int]bool{} // at some moment none of its polls is under way, and that proves it
	for feed := range f.press.feeds {
		unproven[feed] = true
	}
	asked, polls := map[int][]time.Time{}, map[int]int{}
	for end := time.Now().Add(fleetPatience); len(unproven) > 0; time.Sleep(500 * time.Millisecond) {
		if time.Now().After(end) {
			for feed := range unproven {
				f.t.Errorf("feed %d was asked for %d times, and polled %d times", feed, len(asked[feed]), polls[feed])
			}
			break
		}
		for st, err := range f.store.Feeds(context.Background()) {
			if err != nil {
				f.t.Fatal(err)
			}
			polls[feedIn(st.Outlet)] = st.History.Polls
		}
		clear(asked)
		for _, a := range f.press.log(f.t) {
			asked[a.feed] = append(asked[a.feed], a.begun)
		}
		dropped := f.dropped()
		for feed := range unproven {
			if n := len(asked[feed]); polls[feed] <= n && n <= polls[feed]+dropped[feed] {
				delete(unproven, feed)
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
	if len(pauses) == 0 || pauses[len(pauses)/2] > 3*interval {
		f.t.Errorf("of %d pauses the median is not near %v", len(pauses), interval)
	}
	f.t.Logf("%.1f rounds of %d feeds", float64(len(pauses)+len(asked))/float64(f.press.feeds), f.press.feeds)
}

// dropped tells how many polls of each feed came to nothing since the lease of its host had ended, although the poller lives: it
// stood still, the machine was busy, or the database away. What was asked for so is asked for again by whoever has the host then.
func (f *fleet) dropped() map[int]int {
	f.t.Helper()
	logs, err := filepath.Glob(filepath.Join(f.dir, "*.log"))
	if err != nil {
		f.t.Fatal(err)
	}
	feeds := map[int]int{}
	for _, log := range logs {
		b, _ := os.ReadFile(log)
		for _, m := range droppedPoll.FindAllSubmatch(b, -1) {
			feeds[feedIn(string(m[1]))]++
		}
	}
	return feeds
}

var droppedPoll = regexp.MustCompile(`msg="(?:another poller has taken over; what was polled is dropped|the host was not ours any more; a poll was broken off, and will be repeated)" outlet=(\S+)`)

// inVain tells how often each feed was asked for without being polled: the poller was killed, or had lost the host.
func (f *fleet) inVain() map[int]int {
	f.t.Helper()
	feeds := map[int]int{}
	for _, a := range f.press.log(f.t) {
		feeds[a.feed]++
	}
	for st, err := range f.store.Feeds(context.Background()) {
		if err != nil {
			f.t.Fatal(err)
		}
		feeds[feedIn(st.Outlet)] -= st.History.Polls
	}
	return feeds
}

// polite checks what the outlets saw.
func (f *fleet) polite(excused map[int]int) {
	f.t.Helper()
	f.press.polite(f.t, fleetGap, fleetEvery, excused)
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

// readers ask each publisher over and over, fifty times and until ctx ends, as feed readers do, and count the answers that are no good.
func (f *fleet) readers(ctx context.Context, publishers ...*ship) (failed func() (answers, errors int)) {
	var wg sync.WaitGroup
	var mu sync.Mutex // guards answers, bad and last
	answers, bad, last := 0, 0, ""
	for _, p := range publishers {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil || n < 50; n++ {
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
