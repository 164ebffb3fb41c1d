package pgtest

import "syscall"

// dieWithUs lets a process end when a test is killed, so that no server stays behind.
func dieWithUs(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGQUIT }
