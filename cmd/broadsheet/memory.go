package main

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
)

// limitMemory lets Go keep to what a container or systemd's MemoryMax leaves us: to nine tenths of it (PROTOCOL R24), since the
// kernel counts the pages of the store's file, too. GOMEMLIMIT in the environment overrules it.
func limitMemory() {
	if limit := cgroupLimit("/proc/self/cgroup", "/sys/fs/cgroup"); limit > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit / 10 * 9)
	}
}

// cgroupLimit is the least memory.max of our cgroup and those around it (cgroup v2); 0 without one.
func cgroupLimit(membership, root string) (limit int64) {
	ours, err := os.ReadFile(membership)
	if err != nil {
		return 0 // no Linux
	}
	for line := range strings.Lines(string(ours)) {
		path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::/")
		for ; ok; path = filepath.Dir(path) {
			b, err := os.ReadFile(filepath.Join(root, path, "memory.max"))
			if n, bad := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && bad == nil && (limit == 0 || n < limit) {
				limit = n
			}
			ok = path != "" && path != "."
		}
	}
	return limit
}
