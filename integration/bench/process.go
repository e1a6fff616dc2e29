package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The cores of a run: what is measured has one of its own.
const (
	serverCore = "0"
	loadCore   = "1"
)

// patience is how long anything may take that is not measured.
const patience = 30 * time.Second

// process is a running server. What it writes is kept for when it fails.
type process struct {
	name  string
	pid   int
	cmd   *exec.Cmd
	ended chan struct{}
	log   tail
}

// spawn runs a program on the cores given, in dir, until the run ends or it is stopped.
func (b *bench) spawn(name, cores, dir string, env []string, argv ...string) (*process, error) {
	p := &process{name: name, ended: make(chan struct{})}
	p.cmd = exec.CommandContext(b.ctx, "taskset", append([]string{"-c", cores}, argv...)...)
	p.cmd.Dir, p.cmd.Env = dir, append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = patience
	// It must not outlive an interrupted run.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p.pid = p.cmd.Process.Pid // taskset becomes the program
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	b.running = append(b.running, p)
	return p, nil
}

// listens waits until the process accepts connections at all the addresses.
func (p *process) listens(addresses ...string) error {
	for _, address := range addresses {
		network := "tcp"
		if filepath.IsAbs(address) {
			network = "unix"
		}
		err := eventually(func() (bool, error) {
			if p.over() {
				return false, fmt.Errorf("%s ended:\n%s", p.name, p.log.String())
			}
			conn, err := net.Dial(network, address)
			if err != nil {
				return false, nil
			}
			return true, conn.Close()
		})
		if err != nil {
			return fmt.Errorf("%s at %s: %w", p.name, address, err)
		}
	}
	return nil
}

func (p *process) over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// stop ends the process and waits for it.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

var errImpatient = errors.New("it never came to pass")

// eventually asks until the answer is yes, or an error, or patience is over.
func eventually(condition func() (bool, error)) error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok, err := condition(); ok || err != nil {
			return err
		}
	}
	return errImpatient
}

// usage is what the kernel has counted for a process and its children.
type usage struct {
	cpu time.Duration
	rss int64 // bytes
}

// use reads a process's usage, with that of the workers that it has started.
func (p *process) use() (usage, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return usage{}, err
	}
	type entry struct {
		parent int
		usage  usage
	}
	entries := make(map[int]entry, len(stats))
	for _, path := range stats {
		line, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		pid, parent, u, err := readStat(string(line))
		if err != nil {
			return usage{}, fmt.Errorf("%s: %w", path, err)
		}
		entries[pid] = entry{parent, u}
	}
	if _, ok := entries[p.pid]; !ok {
		return usage{}, fmt.Errorf("%s has ended:\n%s", p.name, p.log.String())
	}
	var sum usage
	for pid, e := range entries {
		for ancestor := pid; ancestor > 1; ancestor = entries[ancestor].parent {
			if ancestor == p.pid {
				sum.cpu += e.usage.cpu
				sum.rss += e.usage.rss
				break
			}
		}
	}
	return sum, nil
}

// clockTick is the unit of times in /proc: USER_HZ, which is 100 on all of Linux that Go
// runs on.
const clockTick = time.Second / 100

// readStat reads a line of /proc/<pid>/stat (proc_pid_stat(5)).
func readStat(line string) (pid, parent int, u usage, err error) {
	before, after, ok := strings.Cut(line, "(")
	end := strings.LastIndex(after, ") ")
	if !ok || end < 0 {
		return 0, 0, usage{}, fmt.Errorf("no program name in %q", line)
	}
	fields := strings.Fields(after[end+2:])
	const parentField, utimeField, stimeField, rssField = 1, 11, 12, 21
	if len(fields) <= rssField {
		return 0, 0, usage{}, fmt.Errorf("%d fields after the program name, at least %d were expected", len(fields), rssField+1)
	}
	var numbers [5]int64
	for i, text := range []string{strings.TrimSpace(before), fields[parentField], fields[utimeField], fields[stimeField], fields[rssField]} {
		if numbers[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			return 0, 0, usage{}, err
		}
	}
	u.cpu = time.Duration(numbers[2]+numbers[3]) * clockTick
	u.rss = numbers[4] * int64(os.Getpagesize())
	return int(numbers[0]), int(numbers[1]), u, nil
}

// tail keeps the last of what a process wrote.
type tail struct {
	mu   sync.Mutex
	text bytes.Buffer
}

const tailSize = 16 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text.Write(p)
	if excess := t.text.Len() - tailSize; excess > 0 {
		t.text.Next(excess)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// freeAddress is a loopback address that nothing listens at.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// command runs a program to its end, on all cores, and returns what it wrote to standard
// output.
func command(ctx context.Context, argv ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("%s: %w\n%s%s", strings.Join(argv, " "), err, out.String(), errs.String())
	}
	return out.Bytes(), nil
}
