package pgtest

import (
	"os/exec"
	"syscall"
)

// DieWithUs lets a process that is to be started get a signal when the test is killed, so that it does not stay behind.
func DieWithUs(c *exec.Cmd, sig syscall.Signal) {
	if c.SysProcAttr == nil {
		c.SysProcAttr = &syscall.SysProcAttr{}
	}
	c.SysProcAttr.Pdeathsig = sig
}
