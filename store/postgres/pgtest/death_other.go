//go:build !linux

package pgtest

import "syscall"

// dieWithUs can do nothing here: a test that is killed leaves its server behind.
func dieWithUs(*syscall.SysProcAttr) {}
