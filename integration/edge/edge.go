// Package edge builds the cacheward binary and runs it, for tests that see it from
// outside.
package edge

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience is how long anything may take before a test gives up. It is not a measure
// of anything: a test that passes does not wait for it.
const Patience = 30 * time.Second

// Build builds the binary into dir and returns its path. It also moves to dir what
// Caddy keeps between its runs, for this process and those that it starts. It is for
// TestMain, before there is a test to fail.
func Build(dir string) (binary string, err error) {
	binary = filepath.Join(dir, "cacheward")
	build := exec.Command("go", "build", "-o", binary, "github.com/cacheward/cacheward/cmd/cacheward")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the binary: %w\n%s", err, out)
	}
	for _, name := range []string{"XDG_DATA_HOME", "XDG_CONFIG_HOME"} {
		if err := os.Setenv(name, dir); err != nil {
			return "", err
		}
	}
	return binary, nil
}

// Start runs the binary in dir until the test ends, and returns its process when all the
// addresses accept connections. If the test fails, what the binary wrote is logged.
func Start(t testing.TB, binary, dir string, addresses []string, args ...string) *os.Process {
	t.Helper()
	return start(t, binary, dir, nil, addresses, args...)
}

// start is Start with more in the environment.
func start(t testing.TB, binary, dir string, env, addresses []string, args ...string) *os.Process {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	tie(cmd)
	var log output
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(Patience):
			_ = cmd.Process.Kill()
			t.Errorf("%s %s did not stop", filepath.Base(binary), args[0])
		}
		if t.Failed() {
			t.Logf("output of %s %s:\n%s", filepath.Base(binary), args[0], log.String())
		}
	})
	for _, address := range addresses {
		Eventually(t, "listening on "+address, func() bool {
			select {
			case <-ended:
				t.Fatalf("%s %s ended:\n%s", filepath.Base(binary), args[0], log.String())
			default:
			}
			conn, err := net.Dial("tcp", address)
			if err != nil {
				return false
			}
			return conn.Close() == nil
		})
	}
	return cmd.Process
}

// Eventually waits until the condition holds, and fails the test if that takes longer
// than Patience.
func Eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(Patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("never came to pass: %s", what)
}

// The ports that FreeAddresses looks among: above those of well-known services, and below
// those that systems give to clients, of which a busy machine has few to spare and may use
// one before who it was meant for listens.
const firstPort, lastPort = 12_000, 32_000

// given are the ports that this process was told of. Caddy shares its ports, so that two
// that are given one do not notice.
var given struct {
	sync.Mutex
	ports map[int]bool
}

// FreeAddresses returns loopback addresses with consecutive free ports, none of them
// twice.
func FreeAddresses(t testing.TB, n int) []string {
	t.Helper()
	given.Lock()
	defer given.Unlock()
	if len(given.ports) > (lastPort-firstPort)/4 {
		given.ports = nil
	}
	for range 500 {
		base := firstPort + rand.IntN(lastPort-firstPort-n)
		if slices.ContainsFunc(portsFrom(base, n), func(port int) bool { return given.ports[port] }) {
			continue
		}
		var listeners []net.Listener
		var addresses []string
		for i := range n {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", base+i))
			if err != nil {
				break
			}
			listeners = append(listeners, l)
			addresses = append(addresses, l.Addr().String())
		}
		for _, l := range listeners {
			l.Close()
		}
		if len(addresses) == n {
			if given.ports == nil {
				given.ports = map[int]bool{}
			}
			for _, port := range portsFrom(base, n) {
				given.ports[port] = true
			}
			return addresses
		}
	}
	t.Fatal("no consecutive free ports")
	return nil
}

func portsFrom(base, n int) []int {
	ports := make([]int, n)
	for i := range ports {
		ports[i] = base + i
	}
	return ports
}

// output collects what a process writes while a test reads it.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
