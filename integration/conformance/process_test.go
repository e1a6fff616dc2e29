package conformance

import (
	"bytes"
	"net"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take before a test gives up. A test that passes
// does not wait for it.
const patience = 30 * time.Second

// process is a server that runs until the test ends.
type process struct {
	output lockedBuffer
	ended  chan struct{}
}

// start runs the command until the test ends. What it printed is logged when the test
// fails.
func start(t *testing.T, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.output, &p.output
	tie(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	go func() {
		_ = cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.ended:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			t.Errorf("%s did not stop", name)
		}
		if t.Failed() {
			t.Logf("output of %s:\n%s", name, tail(p.output.String(), 4000))
		}
	})
	return p
}

// until waits for the condition, which a server that ended can no longer meet.
func (p *process) until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if condition() {
			return
		}
		select {
		case <-p.ended:
			t.Fatalf("ended before %s:\n%s", what, p.output.String())
		default:
		}
	}
	t.Fatalf("never came to pass: %s\n%s", what, p.output.String())
}

// startCacheward runs the binary with a Caddyfile in front of the origin, and returns
// its address.
func startCacheward(t *testing.T, caddyfile, origin string) string {
	t.Helper()
	address := freeAddress(t)
	cmd := exec.Command(binary, "run", "--adapter", "caddyfile", "--config", caddyfile)
	cmd.Env = append(cmd.Environ(), "CONFORMANCE_LISTEN="+address, "CONFORMANCE_ORIGIN="+origin)
	p := start(t, "cacheward with "+caddyfile, cmd)
	p.until(t, "listening on "+address, func() bool {
		conn, err := net.Dial("tcp", address)
		return err == nil && conn.Close() == nil
	})
	return address
}

// freeAddress returns a loopback address on which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// lockedBuffer collects what a process writes while a test reads it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// tail returns the last n bytes or so of a text.
func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return "…" + s[len(s)-n:]
}
