package edge

import (
	"os/exec"
	"syscall"
)

// tie makes the process end with the tests, however those end: a panic, a test timeout or
// an interrupt runs no cleanup. It is told to stop rather than killed, so that it stops its
// own workers.
func tie(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
}
