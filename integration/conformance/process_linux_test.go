package conformance

import (
	"os/exec"
	"syscall"
)

// tie makes the process end with the tests, however those end: a panic, a test
// timeout or an interrupt runs no cleanup.
func tie(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
