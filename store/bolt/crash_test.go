package bolt

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"broadsheet/store"
)

// numbered is the n-th poll of a feed whose document always lists its last five items. The ETag is the number.
func numbered(n int) store.Poll {
	at := time.Date(2025, 1, 1, 0, n, 0, 0, time.UTC)
	p := store.Poll{At: at, State: store.FeedState{Outlet: "a", URL: "https://a.example/feed",
		Validators: store.Validators{ETag: strconv.AppendInt(nil, int64(n), 10)}, LastPoll: at}}
	for i := n; i > max(n-5, 0); i-- {
		p.Arrivals = append(p.Arrivals, store.Arrival{
			Item:      store.Item{GUID: fmt.Sprint(i), Title: fmt.Sprint(i), Text: uint64(n)}, // edited with each poll
			Body:      store.Body{Content: strings.Repeat(fmt.Sprint(i, " "), 1000)},
			Canonical: fmt.Sprintf("https://a.example/%d", i),
		})
	}
	return p
}

func save(t testing.TB, s *Store, n int) {
	t.Helper()
	if _, err := s.SavePolls(context.Background(), numbered(n)); err != nil {
		t.Fatal(err)
	}
}

// saved counts the polls that are in the store, and fails if they are not there as a whole.
func saved(t *testing.T, s *Store) int {
	t.Helper()
	mustCheck(t, s)
	last := 0
	for f, err := range s.Feeds(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		last, _ = strconv.Atoi(string(f.Validators.ETag))
	}
	n := last
	for it, err := range s.Items(t.Context(), store.Query{ByArrival: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if it.Title != fmt.Sprint(n) {
			t.Fatalf("validators of poll %d, and item %s where %d should be", last, it.Title, n)
		}
		if want := min(n+4, last); it.Text != uint64(want) {
			t.Fatalf("validators of poll %d, and item %d as of poll %d", last, n, it.Text)
		}
		n--
	}
	if n != 0 {
		t.Fatalf("validators of poll %d, and %d items are missing", last, n)
	}
	return last
}

// TestKill kills a process that saves polls, again and again, and looks at what it leaves (PROTOCOL R7, whose
// 500 rounds are -count 25).
func TestKill(t *testing.T) {
	if path := os.Getenv("BROADSHEET_TEST_KILL"); path != "" {
		saveUntilKilled(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "broadsheet.db")
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	acknowledged := 0
	for range rounds {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
		cmd.Env = append(os.Environ(), "BROADSHEET_TEST_KILL="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(rand.IntN(150))*time.Millisecond, func() { cmd.Process.Signal(syscall.SIGKILL) })
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				acknowledged = n
			} else {
				t.Errorf("the child says %s", lines.Text())
			}
		}
		timer.Stop()
		cmd.Wait()
		s, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		n := saved(t, s)
		if n < acknowledged || n > acknowledged+1 {
			t.Errorf("%d polls were acknowledged, and %d are there", acknowledged, n)
		}
		acknowledged = n // the last of them may have been killed between the commit and its word
		s.Close()
	}
	t.Logf("%d polls in %d rounds", acknowledged, rounds)
}

func saveUntilKilled(t *testing.T, path string) {
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for n := saved(t, s) + 1; ; n++ {
		save(t, s, n)
		fmt.Println(n)
	}
}

// A full disk costs the poll that does not fit, whole, and nothing else (PROTOCOL R6).
func TestFull(t *testing.T) {
	s := openTemp(t)
	s.db.AllocSize = 64 << 10
	s.db.MaxSize = 1 << 20
	n := saveUntilFull(t, s)
	if got := saved(t, s); got != n {
		t.Errorf("%d polls are there of %d", got, n)
	}
	if again := saveUntilFull(t, s); again != n { // and it stays readable while it is full
		t.Errorf("%d polls, then %d", n, again)
	}
	s.db.MaxSize = 0
	save(t, s, n+1)
	if got := saved(t, s); got != n+1 {
		t.Errorf("%d polls are there of %d", got, n+1)
	}
}

func TestFullDisk(t *testing.T) {
	folder := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder).CombinedOutput(); err != nil {
		t.Skipf("needs the right to mount a tmpfs: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", folder).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	ballast := filepath.Join(folder, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 512<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, filepath.Join(folder, "broadsheet.db"))
	n := saveUntilFull(t, s)
	if got := saved(t, s); got != n {
		t.Errorf("%d polls are there of %d", got, n)
	}
	os.Remove(ballast)
	save(t, s, n+1)
	if got := saved(t, s); got != n+1 {
		t.Errorf("%d polls are there of %d", got, n+1)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// saveUntilFull saves polls until one fails and says how many did not.
func saveUntilFull(t *testing.T, s *Store) int {
	t.Helper()
	for n := saved(t, s) + 1; n < 100000; n++ {
		if _, err := s.SavePolls(t.Context(), numbered(n)); err != nil {
			t.Logf("poll %d: %v", n, err)
			return n - 1
		}
	}
	t.Fatal("it is never full")
	return 0
}
