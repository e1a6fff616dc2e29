package demo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// waiting is a writer that says when everything has been written.
type waiting struct {
	bytes.Buffer
	until string
	done  func()
}

func (w *waiting) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if strings.Contains(w.String(), w.until) {
		w.done()
	}
	return n, err
}

func TestServe(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready := make(chan struct{})
	stdout := &waiting{until: "Interrupt (Ctrl-C)", done: func() { close(ready) }}
	var stderr bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- Run(ctx, Options{Serve: true, Listen: anyPort, AppListen: anyPort, Edge: careful, Stdout: stdout, Stderr: &stderr})
	}()
	select {
	case <-ready:
	case c := <-code:
		t.Fatalf("ended with exit code %d: %s", c, &stderr)
	}
	addresses := regexp.MustCompile(`(?m)^  [^\n]* (http://[0-9.:]+) `).FindAllStringSubmatch(stdout.String(), -1)
	if len(addresses) != 5 {
		t.Fatalf("%d addresses, want 5:\n%s", len(addresses), stdout)
	}
	var pagesSeen []string
	for _, a := range addresses {
		response, err := http.Get(a[1] + landingPath)
		if err != nil {
			t.Fatal(err)
		}
		page, err := io.ReadAll(response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s: status %d, %v", a[1], response.StatusCode, err)
		}
		pagesSeen = append(pagesSeen, string(page))
	}
	http.DefaultClient.CloseIdleConnections()
	for i, version := range []pageVersion{pageV1, pageV2, pageV3, pageV1, pageV2} {
		lead, script := strings.Contains(pagesSeen[i], `name="lead"`), strings.Contains(pagesSeen[i], "data-from-query")
		if lead != (version == pageV1) || script != (version == pageV2) {
			t.Errorf("%s does not serve version %d", addresses[i][1], version)
		}
	}
	cancel()
	if c := <-code; c != exitFine {
		t.Errorf("exit code %d, want 0; stderr: %s", c, &stderr)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary directory: %v, %v", left, err)
	}
	for _, a := range addresses {
		if conn, err := net.Dial("tcp", strings.TrimPrefix(a[1], "http://")); err == nil {
			_ = conn.Close()
			t.Errorf("%s is still there", a[1])
		}
	}
}

func TestPlace(t *testing.T) {
	taken, err := net.Listen("tcp", anyPort)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		told, usual, want, says string
	}{
		"as told":          {"127.0.0.1:1", taken.Addr().String(), "127.0.0.1:1", ""},
		"the usual":        {"", free, free, ""},
		"the usual, taken": {"", taken.Addr().String(), anyPort, taken.Addr().String() + " is taken: the edge gets a free port\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			got, err := Options{Stderr: &stderr}.place("edge", test.told, test.usual)
			if err != nil || got != test.want || stderr.String() != test.says {
				t.Errorf("%q, %v, saying %q; want %q, saying %q", got, err, &stderr, test.want, test.says)
			}
		})
	}
}

func TestNextPort(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "127.0.0.1:9200": "127.0.0.1:9201", "[::1]:80": "[::1]:81", "127.0.0.1:0": "127.0.0.1:0", ":65534": ":65535",
	} {
		if got, err := nextPort(in); err != nil || got != want {
			t.Errorf("after %q: %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"127.0.0.1", "127.0.0.1:http", "127.0.0.1:65535", "127.0.0.1:-1"} {
		if got, err := nextPort(in); err == nil {
			t.Errorf("after %q: %q, an error was expected", in, got)
		}
	}
}
