//go:build unix

// Package redistest starts real Redis servers for tests, and stands between them and their
// clients: a server can be stopped, started again, and suspended, and what goes through a
// [Relay] can be cut off, swallowed and delayed.
package redistest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startTime is how long a server may take until it is ready.
const startTime = 20 * time.Second

// Server is a server on a port of its own on the loopback interface, with an empty
// directory of its own. Its methods are for one goroutine at a time.
type Server struct {
	// Addr is its host and port, which it keeps over restarts.
	Addr string
	// Dir is its directory, where it keeps its files.
	Dir string

	t      testing.TB
	engine string
	config string
	args   []string

	process *os.Process
	ended   chan struct{}
}

// Engines lists the servers that are installed: redis-server, valkey-server. If there is
// none, the test is skipped, or fails if the environment has CI_REQUIRED=1.
func Engines(t testing.TB) []string {
	t.Helper()
	var found []string
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			found = append(found, path)
		}
	}
	if len(found) == 0 {
		if os.Getenv("CI_REQUIRED") == "1" {
			t.Fatal("neither redis-server nor valkey-server is installed, and CI_REQUIRED=1")
		}
		t.Skip("neither redis-server nor valkey-server is installed")
	}
	return found
}

// Start starts the first of [Engines] with the lines in its configuration, beside those
// that give it its port and have it keep nothing on disk; later lines win. It returns when
// the server is ready. The server ends with the test.
func Start(t testing.TB, lines ...string) *Server {
	t.Helper()
	return StartEngine(t, Engines(t)[0], lines...)
}

// StartEngine is [Start] of one of [Engines].
func StartEngine(t testing.TB, engine string, lines ...string) *Server {
	t.Helper()
	return start(t, engine, nil, lines)
}

// StartSentinel starts a Sentinel that watches a master under a name, alone. The lines
// come after those for that.
func StartSentinel(t testing.TB, name string, master *Server, lines ...string) *Server {
	t.Helper()
	host, port, err := net.SplitHostPort(master.Addr)
	if err != nil {
		t.Fatal(err)
	}
	lines = append([]string{
		fmt.Sprintf("sentinel monitor %s %s %s 1", name, host, port),
		fmt.Sprintf("sentinel down-after-milliseconds %s 500", name),
		fmt.Sprintf("sentinel failover-timeout %s 3000", name),
	}, lines...)
	return start(t, master.engine, []string{"--sentinel"}, lines)
}

func start(t testing.TB, engine string, args, lines []string) *Server {
	t.Helper()
	s := &Server{t: t, engine: engine, Dir: t.TempDir(), args: args}
	t.Cleanup(s.Stop)
	// Between the choice of a free port and the server's listening on it, somebody else may
	// take it.
	var err error
	for range 5 {
		s.Addr = freeAddr(t)
		_, port, _ := net.SplitHostPort(s.Addr)
		config := []string{"bind 127.0.0.1", "port " + port, "dir " + s.Dir}
		if args == nil {
			config = append(config, `save ""`, "appendonly no", "protected-mode no", "enable-debug-command yes")
		}
		// PORT in a line is the port, for those who want it elsewhere.
		for _, line := range lines {
			config = append(config, strings.ReplaceAll(line, "PORT", port))
		}
		s.config = filepath.Join(s.Dir, "server.conf")
		if e := os.WriteFile(s.config, []byte(strings.Join(config, "\n")+"\n"), 0o600); e != nil {
			t.Fatal(e)
		}
		if err = s.run(); err == nil {
			return s
		}
		if !strings.Contains(err.Error(), "bind") {
			break
		}
	}
	t.Fatalf("starting %s: %v", engine, err)
	return nil
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// run starts the process and waits until it is ready.
func (s *Server) run() error {
	cmd := exec.Command(s.engine, append([]string{s.config}, s.args...)...)
	cmd.Dir = s.Dir
	endWithParent(cmd)
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = in, in

	started := make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		// The process ends with the thread that started it, which therefore waits for it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		in.Close()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
		close(ended)
	}()
	if err := <-started; err != nil {
		out.Close()
		return err
	}
	s.process, s.ended = cmd.Process, ended

	ready := make(chan struct{})
	var said tail
	go func() {
		defer out.Close()
		once := sync.OnceFunc(func() { close(ready) })
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			said.add(lines.Text())
			if strings.Contains(lines.Text(), "Ready to accept connections") ||
				strings.Contains(lines.Text(), "Sentinel ID is") {
				once()
			}
		}
		_, _ = io.Copy(io.Discard, out)
	}()
	select {
	case <-ready:
		return nil
	case <-ended:
		s.process = nil
		return fmt.Errorf("it ended at once; it said:\n%s", said.String())
	case <-time.After(startTime):
		s.Stop()
		return fmt.Errorf("it was not ready after %s; it said:\n%s", startTime, said.String())
	}
}

// Running reports whether the process is there, suspended or not.
func (s *Server) Running() bool { return s.process != nil }

// Stop kills the server, as a crash does: it saves nothing. It does nothing if the server
// does not run.
func (s *Server) Stop() {
	if s.process == nil {
		return
	}
	if err := s.process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Errorf("killing the server: %v", err)
	}
	<-s.ended
	s.process = nil
}

// Restart starts the server again on its port, after [Server.Stop] if it runs. What it
// has then is what its files have.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	if err := s.run(); err != nil {
		s.t.Fatalf("starting the server again: %v", err)
	}
}

// Pause suspends the process: its connections stay, and nobody answers.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends [Server.Pause].
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if s.process == nil {
		s.t.Fatal("the server does not run")
	}
	if err := s.process.Signal(sig); err != nil {
		s.t.Fatalf("%v: %v", sig, err)
	}
}

// tail is the end of what a process said.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (l *tail) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines = append(l.lines, line); len(l.lines) > 30 {
		l.lines = l.lines[1:]
	}
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}
