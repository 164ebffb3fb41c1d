//go:build !linux

package pgtest

import (
	"os/exec"
	"syscall"
)

// DieWithUs can do nothing here: a test that is killed leaves its processes behind.
func DieWithUs(*exec.Cmd, syscall.Signal) {}
