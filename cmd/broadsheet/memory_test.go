package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCgroupLimit(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"none/memory.max": "max\n", "system/memory.max": "1000000\n", "system/inner/memory.max": "max\n", "system/small/memory.max": "5000\n",
		"system/large/unit/memory.max": "2000000\n",
	} {
		path := filepath.Join(root, name)
		os.MkdirAll(filepath.Dir(path), 0o700)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	membership := filepath.Join(root, "cgroup")
	for ours, want := range map[string]int64{
		"0::/\n": 0, "0::/none\n": 0, "0::/system\n": 1000000, "0::/system/inner\n": 1000000, "0::/system/small\n": 5000, "0::/system/large/unit\n": 1000000,
		"0::/../elsewhere\n": 0, "12:memory:/system\n0::/system/small\n": 5000, "12:memory:/system\n": 0, "": 0,
	} {
		if err := os.WriteFile(membership, []byte(ours), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := cgroupLimit(membership, root); got != want {
			t.Errorf("%q: %d, want %d", ours, got, want)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "memory.max"), []byte("7000"), 0o600); err != nil { // a container's own
		t.Fatal(err)
	}
	os.WriteFile(membership, []byte("0::/\n"), 0o600)
	if got := cgroupLimit(membership, root); got != 7000 {
		t.Errorf("at the root: %d", got)
	}
	if got := cgroupLimit(filepath.Join(root, "missing"), root); got != 0 {
		t.Errorf("without cgroups: %d", got)
	}
}
