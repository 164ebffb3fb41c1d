package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Go keeps to nine tenths of what a cgroup leaves us, unless the environment says otherwise.
func TestMemoryLimit(t *testing.T) {
	group := newCgroup(t, 100<<20)
	for _, c := range []struct{ env, want string }{{"GOGC=100", "bytes=94371840"}, {"GOMEMLIMIT=50MiB", "bytes=52428800"}} {
		// The shell goes into the cgroup and becomes the program.
		cmd := exec.Command("sh", "-c", `echo $$ >"$0" && exec "$@"`, filepath.Join(group, "cgroup.procs"), "broadsheet", "version", "-v")
		cmd.Env = append(os.Environ(), c.env)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: %v: %s; want %s", c.env, err, out, c.want)
		}
	}
}

// newCgroup makes a cgroup of version 1 or 2 that leaves so many bytes.
func newCgroup(t *testing.T, room int) (folder string) {
	t.Helper()
	var err error
	for _, bound := range []string{"/sys/fs/cgroup/memory/%s/memory.limit_in_bytes", "/sys/fs/cgroup/%s/memory.max"} {
		bound = fmt.Sprintf(bound, fmt.Sprint("broadsheet-test-", os.Getpid()))
		folder = filepath.Dir(bound)
		if err = os.Mkdir(folder, 0o755); err != nil {
			continue
		}
		t.Cleanup(func() {
			if err := os.Remove(folder); err != nil {
				t.Error(err)
			}
		})
		var f *os.File
		if f, err = os.OpenFile(bound, os.O_WRONLY, 0); err == nil { // no cgroup has it that does not bound memory
			_, err = fmt.Fprint(f, room)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			break
		}
		var ours []byte
		if ours, err = exec.Command("sh", "-c", `echo $$ >"$0" && cat /proc/self/cgroup`, filepath.Join(folder, "cgroup.procs")).CombinedOutput(); err == nil && strings.Contains(string(ours), filepath.Base(folder)) {
			return folder
		}
		err = fmt.Errorf("in it, a process is in %s (%v)", bytes.TrimSpace(ours), err)
		break
	}
	t.Skip("needs the right to make a cgroup that bounds memory: ", err)
	return ""
}
