package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// binary is the cacheward binary under test, built once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "cacheward-integration")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "cacheward")
	build := exec.Command("go", "build", "-o", binary, "../cmd/cacheward")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the binary: %v\n%s", err, out)
		return 2
	}
	// Caddy keeps its data and its autosaved config under these.
	os.Setenv("XDG_DATA_HOME", dir)
	os.Setenv("XDG_CONFIG_HOME", dir)
	return m.Run()
}

// patience is how long anything may take before the test gives up. It is not a
// measure of anything: a test that passes does not wait for it.
const patience = 30 * time.Second

// command runs the binary to its end.
func command(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out.String(), errOut.String(), exit.ExitCode()
	}
	if err != nil {
		t.Fatalf("cacheward %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), errOut.String(), 0
}

// start runs the binary until the test ends, and returns its process when all the
// addresses accept connections.
func start(t testing.TB, dir string, addresses []string, args ...string) *os.Process {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Dir = dir
	var log lockedBuffer
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
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			t.Errorf("cacheward %s did not stop", args[0])
		}
		if t.Failed() {
			t.Logf("output of cacheward %s:\n%s", args[0], log.String())
		}
	})
	for _, address := range addresses {
		eventually(t, "listening on "+address, func() bool {
			select {
			case <-ended:
				t.Fatalf("cacheward %s ended:\n%s", args[0], log.String())
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

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("never came to pass: %s", what)
}

// freeAddresses returns loopback addresses with consecutive free ports.
func freeAddresses(t testing.TB, n int) []string {
	t.Helper()
	for range 50 {
		first, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		base := first.Addr().(*net.TCPAddr).Port
		listeners := []net.Listener{first}
		addresses := []string{first.Addr().String()}
		for i := 1; i < n; i++ {
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
			return addresses
		}
	}
	t.Fatal("no consecutive free ports")
	return nil
}

// answer is what a visitor got.
type answer struct {
	*http.Response
	body string
}

// cacheward is our member of Cache-Status.
func (a answer) cacheward() string { return a.Header.Get("Cache-Status") }

// visit sends a GET with the header fields, given as name, value, name, value …
func visit(t *testing.T, url, host string, fields ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	for i := 0; i+1 < len(fields); i += 2 {
		req.Header.Add(fields[i], fields[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res, string(body)}
}

// record is a line of the audit log, as far as the tests look at it.
type record struct {
	Schema     int      `json:"schema"`
	Event      string   `json:"event"`
	Route      string   `json:"route"`
	Outcome    string   `json:"outcome"`
	Reasons    []string `json:"reasons"`
	Object     string   `json:"object"`
	Key        string   `json:"key"`
	URL        string   `json:"url"`
	Divergence struct {
		Part  string `json:"part"`
		Shape string `json:"shape"`
		Near  string `json:"near"`
	} `json:"divergence"`
}

// records reads the audit log.
func records(t *testing.T, file string) []record {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []record
	for line := range bytes.Lines(data) {
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("audit record %s: %v", line, err)
		}
		all = append(all, r)
	}
	return all
}

// waitForRecord returns the first record that fits; records are written after the
// visitor has been answered.
func waitForRecord(t *testing.T, file, what string, fits func(record) bool) record {
	t.Helper()
	var found record
	eventually(t, "a record of "+what, func() bool {
		for _, r := range records(t, file) {
			if fits(r) {
				found = r
				return true
			}
		}
		return false
	})
	return found
}
