package main

import (
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A daemon tells systemd when its first edition stands, that it is alive, of its reloads, and that it stops.
func TestSystemd(t *testing.T) {
	w := newWorld(t, everything)
	socket := filepath.Join(w.dir, "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	daemon := w.process("serve")
	daemon.Env = append(daemon.Environ(), "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=100000")
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	told := make(map[string]int)
	next := func(want string) {
		t.Helper()
		l.SetReadDeadline(time.Now().Add(30 * time.Second))
		for b := make([]byte, 1000); ; {
			n, err := l.Read(b)
			if err != nil {
				t.Fatalf("%s was not told, only %v: %v", want, told, err)
			}
			told[string(b[:n])]++
			if strings.HasPrefix(string(b[:n]), want) {
				return
			}
		}
	}
	next("READY=1")
	if told["WATCHDOG=1"] == 0 {
		next("WATCHDOG=1")
	}
	daemon.Process.Signal(syscall.SIGHUP)
	next("RELOADING=1\nMONOTONIC_USEC=")
	next("READY=1")
	next("WATCHDOG=1")
	daemon.Process.Signal(syscall.SIGTERM)
	next("STOPPING=1")
	if err := daemon.Wait(); err != nil {
		t.Error(err)
	}
	if told["READY=1"] != 2 {
		t.Errorf("told: %v", told)
	}
}

// A scheduler that takes no turn for two minutes makes a daemon that is not alive.
func TestStandstill(t *testing.T) {
	var d daemon
	for since, alive := range map[time.Duration]bool{time.Second: true, 3 * time.Minute: false} {
		d.felt.Store(new(time.Now().Add(-since)))
		if err := d.alive(); (err == nil) != alive {
			t.Errorf("%v without a turn: %v", since, err)
		}
	}
}
