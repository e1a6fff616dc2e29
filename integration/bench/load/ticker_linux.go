package load

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ticker ticks by a timer of the kernel that is polled like a socket. A timer of the Go
// runtime is late by up to a millisecond on a thread that waits for sockets, because there
// the runtime waits in whole milliseconds; that is ten times the latency to be measured.
type ticker struct {
	file    *os.File
	release func() bool
	ticks   [8]byte
}

// newTicker returns a ticker whose first tick comes after the interval. It fails when the
// context ends.
func newTicker(ctx context.Context, interval time.Duration) (*ticker, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	t := &ticker{file: os.NewFile(uintptr(fd), "timerfd")}
	every := unix.NsecToTimespec(int64(interval))
	if err := unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Interval: every, Value: every}, nil); err != nil {
		_ = t.file.Close()
		return nil, os.NewSyscallError("timerfd_settime", err)
	}
	t.release = context.AfterFunc(ctx, func() { _ = t.file.Close() })
	return t, nil
}

// wait waits for the next tick, or for none if some have passed since the last one.
func (t *ticker) wait() error {
	_, err := t.file.Read(t.ticks[:])
	return err
}

func (t *ticker) stop() {
	t.release()
	_ = t.file.Close()
}
