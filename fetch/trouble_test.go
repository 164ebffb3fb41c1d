package fetch

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"broadsheet/store"
)

// A name that does not exist and a port where nobody listens are as good as 404; a name server that is ill is none of that
// (PROTOCOL F48).
func TestWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		err     error
		missing bool
	}{
		{&net.DNSError{Err: "no such host", Name: "a.example", IsNotFound: true}, true},
		{&net.DNSError{Err: "server misbehaving", Name: "a.example", IsTemporary: true}, false},
		{&net.DNSError{Err: "i/o timeout", Name: "a.example", IsTimeout: true}, false},
		{&net.DNSError{UnwrapErr: syscall.ECONNREFUSED, Err: "the name server is down", Name: "a.example"}, false},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, true},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}, false},
	} {
		s := testSettings()
		f := Feed{Outlet: "o", URL: "https://a.example/", Address: "https://a.example/", Schedule: everyHour(t), Enabled: true}
		p, _, err := poll(t.Context(), visiting(NewClient(s, failing{fmt.Errorf("dial: %w", c.err)})), forgetful{}, &f, &s, store.FeedState{}, discard)
		if err != nil || p.State.Missing != c.missing || p.State.Failures != 1 || !p.State.LastPoll.IsZero() {
			t.Errorf("%v: missing %v, want %v; %+v, %v", c.err, p.State.Missing, c.missing, p.State, err)
		}
	}
}

// A poll is one line in the log, a warning where the operator may want to know (PROTOCOL F55).
func TestPollIsTold(t *testing.T) {
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for want, saved := range map[string]store.Saved{
		`level=INFO msg=polled `:                                                           {},
		`level=WARN msg="poll failed" `:                                                    {State: store.FeedState{Err: "e", Failures: 1}},
		`level=WARN msg="polled a damaged document" `:                                      {State: store.FeedState{Err: "e", Damaged: true}},
		`level=WARN msg="polled a faulty document" `:                                       {State: store.FeedState{Err: "e"}},
		`level=WARN msg="a flood: many new items at once; they stand at their own dates" `: {State: store.FeedState{Flood: at, LastPoll: at}, New: store.FloodItems + 1},
		`level=INFO msg=polled status=304 `:                                                {State: store.FeedState{Flood: at, LastPoll: at.Add(time.Hour), Status: 304}, New: 1},
	} {
		var said strings.Builder
		s := Scheduler{o: Options{Log: slog.New(slog.NewTextHandler(&said, nil))}}
		s.tell(finishedPoll{saved: saved}, 0)
		level, status, _ := strings.Cut(want, "status=")
		if line := said.String(); !strings.Contains(line, level) || !strings.Contains(line, status) || strings.Count(line, "\n") != 1 {
			t.Errorf("said %s, want %s", line, want)
		}
	}
}

// A document that the parser falls over is a failure of its feed, with the stack in the log, and of nothing else (PROTOCOL S5).
func TestPanicStaysInside(t *testing.T) {
	var said strings.Builder
	s := testSettings()
	f := Feed{Outlet: "o", URL: "https://a.example/", Address: "https://a.example/", Schedule: everyHour(t), Enabled: true}
	get := func(context.Context, *Feed, string, store.Validators) (*answer, error) {
		return &answer{status: http.StatusOK, header: http.Header{}, body: []byte(smallFeed)}, nil // without an address, which it never is
	}
	kept := store.Validators{For: "x", ETag: []byte(`"kept"`)}
	p, _, err := poll(t.Context(), get, forgetful{}, &f, &s, store.FeedState{Validators: kept}, slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil || p.State.Failures != 1 || !strings.Contains(p.State.Err, "the parser failed on this document") || len(p.Arrivals) > 0 {
		t.Errorf("%+v, %v", p.State, err)
	}
	if string(p.State.Validators.ETag) != `"kept"` {
		t.Errorf("validators %+v", p.State.Validators)
	}
	broken := poller{log: discard}.adopt(&document{Arrivals: make([]store.Arrival, 1)}) // of a feed, which there always is
	if broken == nil || !strings.Contains(broken.Error(), "the parser failed on this document") {
		t.Errorf("a document that cannot be adopted: %v", broken)
	}
	if !strings.Contains(said.String(), "panic in the parser") || !strings.Contains(said.String(), "recallDocument") {
		t.Errorf("the log says %q", said.String())
	}
}
