package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"
)

// reply is an answer of a server.
type reply struct {
	status int
	header http.Header
	body   string
}

// get1 asks once. Without an answer the status is 0.
func get1(address string) reply {
	resp, err := http.Get(address)
	if err != nil {
		return reply{}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{}
	}
	return reply{resp.StatusCode, resp.Header, string(body)}
}

// wait waits until something is so; a minute is more than anything here takes.
func wait(t *testing.T, so func() bool, said fmt.Stringer) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !so(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not within a minute; it says: ", said)
		}
	}
}

func TestDemo(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout, stderr buffer
	done := make(chan int, 1)
	go func() { done <- run(ctx, []string{"demo"}, &stdout, &stderr) }()

	wait(t, func() bool { return strings.Count(stdout.String(), "\n") >= 13 }, &stderr)
	addresses := strings.Fields(stdout.String())
	if len(addresses) != 13 || strings.Count(stdout.String(), "\n") != 13 || !strings.HasSuffix(addresses[0], "/") {
		t.Fatalf("stdout is not the front page and three feeds of four sections: %s", stdout.String())
	}
	read := func(address string) []published { return read(t, path.Base(address), []byte(get1(address).body)) }
	for i, address := range addresses {
		var a reply
		wait(t, func() bool {
			a = get1(address)
			return a.status == http.StatusOK && (i == 0 && strings.Contains(a.body, "<article") || i > 0 && len(read(address)) > 0)
		}, &stderr)
		if i > 0 && path.Ext(address) != ".json" {
			if err := wellFormed(a.body); err != nil {
				t.Errorf("%s: %v", address, err)
			}
		}
	}
	// All three formats of the first section say the same once the outlets rest between two items.
	wait(t, func() bool {
		a, b, c := ids(read(addresses[1])), ids(read(addresses[2])), ids(read(addresses[3]))
		return slices.Equal(a, b) && slices.Equal(b, c)
	}, &stderr)
	var first []published
	wait(t, func() bool { // on a busy machine the outlets are polled one after the other
		first = read(addresses[3])
		outlets := map[string]bool{}
		for _, it := range first {
			outlets[it.OutletID] = true
		}
		return len(outlets) >= 3
	}, &stderr)
	for _, it := range first {
		if it.Outlet == "" || it.Feed == "" || it.Text == "" {
			t.Errorf("an item without outlet, feed or text: %+v", it)
		}
	}
	wait(t, func() bool {
		return slices.ContainsFunc(read(addresses[3]), func(it published) bool { return !slices.Contains(ids(first), it.ID) })
	}, &stderr)

	cancel()
	select {
	case code := <-done:
		if code != exitDone {
			t.Errorf("exit code %d: %s", code, stderr.String())
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it does not end")
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("it leaves behind: %v %v", left, err)
	}
	if get1(addresses[0]).status != 0 {
		t.Error("it still answers")
	}
}

func wellFormed(s string) error {
	for d := xml.NewDecoder(strings.NewReader(s)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
