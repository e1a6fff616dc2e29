package integration

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

const reloadCaddyfile = `{
	admin %s
}
http://:%s {
	bind 127.0.0.1
	cacheward {
		policy policy.yaml
	}
	reverse_proxy %s
}
`

// A reload with an edited policy file takes effect, keeps what it did not touch,
// serves nothing that the new policy would judge or key differently, and is
// refused, with the place, when the policy is wrong.
func TestReload(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "page %s", r.URL.Path)
	}))
	t.Cleanup(origin.Close)
	dir := t.TempDir()
	addresses := edge.FreeAddresses(t, 2)
	_, port, _ := strings.Cut(addresses[0], ":")
	config := filepath.Join(dir, "Caddyfile")
	write(t, config, fmt.Sprintf(reloadCaddyfile, addresses[1], port, origin.Listener.Addr()))
	policy := filepath.Join(dir, "policy.yaml")
	route := func(name, cache string) string {
		return fmt.Sprintf("  - {name: %s, match: {paths: [/%s]}, cache: %s}\n", name, name, cache)
	}
	write(t, policy, "version: 1\nroutes:\n"+route("kept", "1h")+route("changed", "1h")+route("dropped", "1h"))
	edge.Start(t, binary, dir, addresses, "run", "--config", config, "--adapter", "caddyfile")
	url := "http://" + addresses[0]
	status := func(path string) string { return visitDuringReload(t, url+path, "example.com").cacheward() }
	for _, path := range []string{"/kept", "/changed", "/dropped"} {
		edge.Eventually(t, "a hit on "+path, func() bool { return strings.Contains(status(path), "; hit") })
	}

	write(t, policy, "version: 1\nroutes:\n"+route("kept", "1h")+route("changed", "30m")+route("dropped", "never"))
	if _, stderr, code := command(t, "reload", "--config", config, "--adapter", "caddyfile"); code != 0 {
		t.Fatalf("reload: exit %d\n%s", code, stderr)
	}
	for path, want := range map[string]string{"/kept": "; hit", "/changed": "fwd=uri-miss", "/dropped": "detail=route-never"} {
		if got := status(path); !strings.Contains(got, want) {
			t.Errorf("%s after the reload: Cache-Status %q, want %q", path, got, want)
		}
	}

	write(t, policy, "version: 1\nroutes:\n  - name: kept\n    match: {paths: [/kept]}\n    cache: 1h\n    params: {strp: [ref]}\n")
	_, stderr, code := command(t, "reload", "--config", config, "--adapter", "caddyfile")
	if code == 0 {
		t.Error("a reload with a wrong policy was accepted")
	}
	for _, want := range []string{"policy.yaml:6:14", `unknown key \"strp\"`, `did you mean \"strip\"`} {
		if !strings.Contains(stderr, want) && !strings.Contains(stderr, strings.ReplaceAll(want, `\"`, `"`)) {
			t.Errorf("the message does not say %q:\n%s", want, stderr)
		}
	}
	if got := status("/kept"); !strings.Contains(got, "; hit") {
		t.Errorf("after a refused reload: Cache-Status %q, want a hit under the old policy", got)
	}
}

// visitDuringReload is visit by a client that asks again where the server closed a new
// connection without a word. A server that is being replaced does that to a connection
// that it had accepted just before (net/http's Server.Shutdown), and a client may then
// send a GET again (RFC 9112 section 9.3.1).
func visitDuringReload(t *testing.T, url, host string) answer {
	t.Helper()
	for {
		a, err := tryVisit(t.Context(), url, host)
		switch {
		case err == nil:
			return a
		case !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET):
			t.Fatal(err)
		}
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
