package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A daemon that a signal stops gives those who ask it something a few seconds; a second signal ends it at once (PROTOCOL R22).
func TestSecondSignal(t *testing.T) {
	for _, command := range []string{"serve", "fetch"} {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
			t.Run(fmt.Sprint(command, " ", sig), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				socket := filepath.Join(dir, "s")
				config := filepath.Join(dir, "broadsheet.toml")
				if err := os.WriteFile(config, fmt.Appendf(nil, "contact = \"https://example.com/me\"\n[server]\nlisten = \"unix:%s/l\"\ncontrol = %q\n", dir, socket), 0o600); err != nil {
					t.Fatal(err)
				}
				daemon := exec.Command("broadsheet", "-q", "-c", config, command)
				if err := daemon.Start(); err != nil {
					t.Fatal(err)
				}
				ended := make(chan struct{})
				go func() {
					daemon.Wait()
					close(ended)
				}()
				defer func() {
					daemon.Process.Kill()
					<-ended
				}()
				var asks net.Conn
				wait(t, func() bool {
					var err error
					asks, err = net.Dial("unix", socket)
					return err == nil
				}, daemon)
				defer asks.Close()
				fmt.Fprint(asks, "POST /preview HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n") // and no more
				if said, err := bufio.NewReader(asks).ReadString('\n'); !strings.Contains(said, "100 Continue") {
					t.Fatalf("%q, %v", said, err)
				}
				for waits := true; waits; {
					daemon.Process.Signal(sig)
					select {
					case <-ended:
						waits = false
					case <-time.After(10 * time.Millisecond):
					}
				}
				if by := daemon.ProcessState.Sys().(syscall.WaitStatus); !by.Signaled() || by.Signal() != sig {
					t.Errorf("it ended with %v", daemon.ProcessState)
				}
			})
		}
	}
}
