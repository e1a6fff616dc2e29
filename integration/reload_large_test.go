package integration

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

// manyRoutes has ten thousand routes; the last is cached for so long.
func manyRoutes(last string) string {
	const routes = 10_000
	var b strings.Builder
	b.WriteString("version: 1\nroutes:\n")
	for i := range routes {
		ttl := "1h"
		if i == routes-1 {
			ttl = last
		}
		fmt.Fprintf(&b, "  - name: r%d\n    match: {hosts: [shop%d.example], paths: [\"/area%d/*\", /p/%d]}\n    cache: %s\n"+
			"    params: {key: [page], strip: [\"@analytics\"], others: bypass}\n    cookies: {strip: [\"@analytics\"]}\n", i, i%200, i, i, ttl)
	}
	return b.String()
}

// A reload of ten thousand routes, of which one has been edited, loses no request, and
// what the others have in the store is served from there all the while.
func TestReloadLargePolicy(t *testing.T) {
	var asked atomic.Int64
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "page %s", r.URL.Path)
	}))
	t.Cleanup(origin.Close)
	dir := t.TempDir()
	addresses := edge.FreeAddresses(t, 2)
	_, port, _ := strings.Cut(addresses[0], ":")
	config, policy := filepath.Join(dir, "Caddyfile"), filepath.Join(dir, "policy.yaml")
	write(t, config, fmt.Sprintf(reloadCaddyfile, addresses[1], port, origin.Listener.Addr()))
	write(t, policy, manyRoutes("1h"))
	edge.Start(t, binary, dir, addresses, "run", "--config", config, "--adapter", "caddyfile")

	const objects = 200
	ask := func(i int) (answer, error) {
		path, host := fmt.Sprintf("/area%d/x", i), fmt.Sprintf("shop%d.example", i%200)
		for {
			a, err := tryVisit(t.Context(), "http://"+addresses[0]+path, host)
			if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
				continue // see visitDuringReload
			}
			if err == nil && (a.StatusCode != http.StatusOK || a.body != "page "+path) {
				err = fmt.Errorf("%s: status %d, %q", path, a.StatusCode, a.body)
			}
			return a, err
		}
	}
	hit := func(i int) bool {
		a, err := ask(i)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(a.cacheward(), "; hit")
	}
	for i := range objects {
		edge.Eventually(t, fmt.Sprintf("a hit on route %d", i), func() bool { return hit(i) })
	}
	edge.Eventually(t, "a hit on the last route", func() bool { return hit(9999) })

	filled := asked.Load()
	stop := make(chan struct{})
	var served atomic.Int64
	var visitors sync.WaitGroup
	for v := range 4 {
		visitors.Go(func() {
			for i := v; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if a, err := ask(i % objects); err != nil || !strings.Contains(a.cacheward(), "; hit") {
					t.Errorf("during the reload: %v, %v", a.Response, err)
					return
				}
				served.Add(1)
			}
		})
	}
	write(t, policy, manyRoutes("30m"))
	_, stderr, code := command(t, "reload", "--config", config, "--adapter", "caddyfile")
	close(stop)
	visitors.Wait()
	if code != 0 {
		t.Fatalf("reload: exit %d\n%s", code, stderr)
	}
	if served.Load() == 0 {
		t.Error("nobody asked during the reload")
	}
	for i := range objects {
		if !hit(i) {
			t.Fatalf("route %d lost its object", i)
		}
	}
	if n := asked.Load() - filled; n != 0 {
		t.Errorf("the origin was asked %d times for what is in the store", n)
	}
	if hit(9999) {
		t.Error("the edited route serves what was stored before")
	}
}
