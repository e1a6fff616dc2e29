package caddymodule

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// landing is a site with one route, whose lines can be changed.
func landing(origin string, lines ...string) string {
	return fmt.Sprintf(`cacheward {
		route landing {
			path /*
			%s
		}
	}
	reverse_proxy %s`, strings.Join(lines, "\n"), origin)
}

// countingOrigin answers with the page and counts what it was asked.
func countingOrigin(t testing.TB) (addr string, asked *atomic.Int64) {
	asked = new(atomic.Int64)
	return newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		publicPage(w, r, nil)
	}), asked
}

// TestReloadKeepsObjects: what a rule admitted is served after a reload if the rule
// is the same, and is out of reach if it is another one.
func TestReloadKeepsObjects(t *testing.T) {
	before := []string{"cache 5m", "param key ref", "param strip utm_source"}
	for _, test := range []struct {
		name  string
		after []string
		kept  bool
	}{
		{"unchanged", before, true},
		{"other words, same rule", []string{"cache 300s", "param strip utm_source", "param key ref"}, true},
		{"ttl", []string{"cache 4m", "param key ref", "param strip utm_source"}, false},
		{"param no longer keyed", []string{"cache 5m", "param strip ref utm_source"}, false},
		{"param newly keyed", []string{"cache 5m", "param key ref utm_source"}, false},
		{"identity", append([]string{"identity {\ncookie sid\n}"}, before...), false},
		{"admission", append([]string{`admission once "the page is static"`}, before...), false},
		{"origin governs", []string{"cache origin"}, false},
		{"never", []string{"cache never"}, false},
		{"observe", append([]string{"mode observe"}, before...), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			origin, asked := countingOrigin(t)
			e := startEdge(t, landing(origin, before...))
			e.ok("/?ref=a")
			settled(t)
			if !e.ok("/?ref=a").hit() {
				t.Fatal("the page is not stored")
			}
			count := asked.Load()
			if err := e.load(landing(origin, test.after...)); err != nil {
				t.Fatal(err)
			}
			got := e.ok("/?ref=a")
			if got.shared() != test.kept || asked.Load() == count != test.kept {
				t.Errorf("after the reload: %s, the origin was asked %d times", got.header.Get("Cache-Status"), asked.Load()-count)
			}
		})
	}
}

// TestReloadWhileRequestsAreInFlight: whoever is being served, is filling or waits
// is answered whole, by the config that they came to.
func TestReloadWhileRequestsAreInFlight(t *testing.T) {
	for _, a := range admissions {
		for _, inBody := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, in the body %v", a.name, inBody), func(t *testing.T) {
				gate := newHold(t)
				var asked atomic.Int64
				origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
					asked.Add(1)
					if inBody {
						publicPage(w, r, gate)
						return
					}
					gate.wait(r.Context())
					publicPage(w, r, nil)
				})
				e := start(t, a.site, origin)
				began := make(chan struct{})
				leader := async(func() answer {
					r, err := e.request(http.MethodGet, "/")
					if err != nil {
						return answer{err: err}
					}
					res, err := e.client.Do(r)
					if err != nil {
						return answer{err: err}
					}
					defer res.Body.Close()
					close(began)
					body, err := io.ReadAll(res.Body)
					return answer{status: res.StatusCode, header: res.Header, body: string(body), err: err}
				})
				if inBody {
					await(t, "the leader's head", began)
				}
				s := theShared(t)
				eventually(t, "one fill", func() bool { return s.inFlight() == 1 })
				waiters := join(t, e, 4, "/")
				for range 2 { // to the same rule and to another one
					if err := e.load(landing(origin, "cache 1m")); err != nil {
						t.Fatal(err)
					}
				}
				eventually(t, "the old config's waiters to go on", func() bool { return s.waiting() == 0 })
				gate.release()
				whole(t, append(waiters, leader))
				e.ok("/")
				settled(t)
				if !e.ok("/").hit() {
					t.Error("the new config does not store the page")
				}
				memoryGivenBack(t)
			})
		}
	}
}

// TestFailedReload: the old config goes on, and no reference is taken or given.
func TestFailedReload(t *testing.T) {
	origin, _ := countingOrigin(t)
	good := landing(origin, "cache 5m")
	e := startEdge(t, good)
	e.ok("/")
	settled(t)
	refs, known := pool.References("memory:default")
	if !known || refs != 1 {
		t.Fatalf("%d references", refs)
	}
	missing := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(missing, []byte("default: never\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	withFile, err := siteConfig("", "cacheward {\npolicy "+missing+"\n}\nreverse_proxy "+origin)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(missing); err != nil {
		t.Fatal(err)
	}
	limits := func() [3]int64 {
		s := theShared(t)
		return [3]int64{s.store.Stats().Limit, s.flights.max.Load(), s.budget.limit.Load()}
	}
	before := limits()
	goodJSON, err := siteConfig("", good)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		config []byte
	}{
		{"policy file is missing", withFile},
		{"bad route", bytes.Replace(goodJSON, []byte(`"cache":"5m"`), []byte(`"cache":"5 minutes"`), 1)},
		{"bad store", bytes.Replace(goodJSON, []byte(`"handler":"cacheward"`), []byte(`"handler":"cacheward","store":{"backend":"memory","size":1}`), 1)},
		{"negative limit", bytes.Replace(goodJSON, []byte(`"handler":"cacheward"`), []byte(`"handler":"cacheward","limits":{"max_fills":-1}`), 1)},
		{"another handler", bytes.Replace(goodJSON, []byte(`"handler":"reverse_proxy"`), []byte(`"handler":"reverse_proxy","load_balancing":{"selection_policy":{"policy":"none"}}`), 1)},
		{"another handler, after other limits", bytes.Replace(bytes.Replace(goodJSON,
			[]byte(`"handler":"reverse_proxy"`), []byte(`"handler":"reverse_proxy","load_balancing":{"selection_policy":{"policy":"none"}}`), 1),
			[]byte(`"handler":"cacheward"`), []byte(`"handler":"cacheward","limits":{"max_fills":3,"fill_memory":5},"store":{"backend":"memory","size":2000000}`), 1)},
	} {
		t.Run(test.name, func(t *testing.T) {
			if bytes.Equal(test.config, goodJSON) {
				t.Fatal("the config was not changed")
			}
			if err := caddy.Load(test.config, true); err == nil {
				t.Fatal("the config was accepted")
			}
			if got, _ := pool.References("memory:default"); got != refs {
				t.Errorf("%d references; %d were expected", got, refs)
			}
			if got := limits(); got != before {
				t.Errorf("limits of the store, fills and memory are %v, were %v", got, before)
			}
			if got := e.ok("/"); !got.hit() || got.body != pageText {
				t.Errorf("%q (%s)", got.body, got.header.Get("Cache-Status"))
			}
		})
	}
}

// TestReloadTunesTheStore: a size that changed takes effect on the open store.
func TestReloadTunesTheStore(t *testing.T) {
	origin, _ := countingOrigin(t)
	site := func(lines string) string {
		return strings.Replace(landing(origin, "cache 5m"), "cacheward {", "cacheward {\n"+lines, 1)
	}
	e := startEdge(t, site("store memory 64MiB\nlimits {\nmax_fills 7\nfill_memory 3MiB\n}"))
	s := theShared(t)
	check := func(size, fills, memory int64) {
		t.Helper()
		if theShared(t) != s {
			t.Fatal("the store is another one")
		}
		if got := s.store.Stats().Limit; got != size {
			t.Errorf("the store's limit is %d; %d was expected", got, size)
		}
		if f, m := s.flights.max.Load(), s.budget.limit.Load(); f != fills || m != memory {
			t.Errorf("limits %d and %d; %d and %d were expected", f, m, fills, memory)
		}
	}
	check(64<<20, 7, 3<<20)
	e.ok("/")
	settled(t)
	if err := e.load(site("store memory 32MiB\nlimits {\nmax_fills 8\nfill_memory 4MiB\n}")); err != nil {
		t.Fatal(err)
	}
	check(32<<20, 8, 4<<20)
	if !e.ok("/").hit() {
		t.Error("the page is no longer stored")
	}
}

// TestEditedPolicyFile: the digest makes an edited file another config, and the
// reload puts it in force.
func TestEditedPolicyFile(t *testing.T) {
	origin, _ := countingOrigin(t)
	file := filepath.Join(t.TempDir(), "policy.yaml")
	write := func(cache string) []byte {
		t.Helper()
		text := "routes:\n  - name: page\n    match: {paths: [/*]}\n    cache: " + cache + "\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		config, err := siteConfig("", "cacheward {\npolicy "+file+"\n}\nreverse_proxy "+origin)
		if err != nil {
			t.Fatal(err)
		}
		return config
	}
	first := write("5m")
	site := "cacheward {\npolicy " + file + "\n}\nreverse_proxy " + origin
	e := startEdge(t, site)
	e.ok("/")
	settled(t)
	if !e.ok("/").hit() {
		t.Fatal("the page is not stored")
	}
	if bytes.Equal(first, write("never")) {
		t.Error("an edited policy file leaves the adapted config unchanged; caddy reload would not see it")
	}
	if err := e.load(site); err != nil {
		t.Fatal(err)
	}
	if got := e.ok("/"); got.hit() || !strings.Contains(got.header.Get("Cache-Status"), "detail=route-never") {
		t.Errorf("the edited policy is not in force: %s", got.header.Get("Cache-Status"))
	}
}

// TestClosedStoreIsBypassed: requests that outlive the store go to the origin.
func TestClosedStoreIsBypassed(t *testing.T) {
	for _, a := range admissions {
		t.Run(a.name, func(t *testing.T) {
			origin, _ := countingOrigin(t)
			e := start(t, a.site, origin, "store watched")
			if err := theShared(t).store.Close(); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				got := e.ok("/")
				if got.body != pageText || !strings.Contains(got.header.Get("Cache-Status"), "detail=store-fault") {
					t.Errorf("%q (%s)", got.body, got.header.Get("Cache-Status"))
				}
			}
			awaitRecord(t, "fault", nil)
			lastWatched.Load().reopen(t) // for the stop, which closes it
		})
	}
}

// TestStoreClosedWhileFilling: the store goes between the miss and the admission.
func TestStoreClosedWhileFilling(t *testing.T) {
	for _, a := range admissions {
		t.Run(a.name, func(t *testing.T) {
			gate := newHold(t)
			origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) { publicPage(w, r, gate) })
			e := start(t, a.site, origin, "store watched")
			leader := e.asyncGet("/")
			s := theShared(t)
			eventually(t, "one fill", func() bool { return s.inFlight() == 1 })
			waiters := join(t, e, 3, "/")
			if err := s.store.Close(); err != nil {
				t.Fatal(err)
			}
			gate.release()
			whole(t, append(waiters, leader))
			settled(t)
			memoryGivenBack(t)
			lastWatched.Load().reopen(t)
		})
	}
}

// TestStopLeavesNoGoroutine: after the stop nothing of ours runs.
func TestStopLeavesNoGoroutine(t *testing.T) {
	for _, a := range admissions {
		t.Run(a.name, func(t *testing.T) {
			gate := newHold(t)
			origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/held" {
					gate.wait(r.Context())
				}
				publicPage(w, r, nil)
			})
			e := start(t, a.site, origin)
			ctx, cancel := context.WithCancel(t.Context())
			r, err := e.request(http.MethodGet, "/held")
			if err != nil {
				t.Fatal(err)
			}
			held := async(func() answer { return e.send(r.WithContext(ctx)) })
			s := theShared(t)
			eventually(t, "one fill", func() bool { return s.inFlight() == 1 })
			for i := range 20 {
				e.ok(fmt.Sprintf("/%d", i%5))
			}
			for range 3 {
				if err := e.load(fmt.Sprintf(a.site, "", origin)); err != nil {
					t.Fatal(err)
				}
			}
			cancel()
			await(t, "the held request to end", held)
			if err := caddy.Stop(); err != nil {
				t.Fatal(err)
			}
			var left string
			defer func() {
				if left != "" {
					t.Logf("left over:\n%s", left)
				}
			}()
			eventually(t, "our goroutines to end", func() bool {
				left = ours()
				return left == ""
			})
		})
	}
}

// ours returns the stacks of goroutines that run code of ours or of the store's.
func ours() string {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var found []string
	for stack := range strings.SplitSeq(string(buf), "\n\n") {
		if strings.Contains(stack, "_test.go") {
			continue
		}
		if strings.Contains(stack, "cacheward/caddymodule") || strings.Contains(stack, "maypok86/otter") {
			found = append(found, stack)
		}
	}
	return strings.Join(found, "\n\n")
}

// TestReloadsUnderLoad: no request is lost, and none gets another page than the one
// it asked for, while one reload follows upon the other.
func TestReloadsUnderLoad(t *testing.T) {
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=60")
		_, _ = io.WriteString(w, "page of "+r.URL.Path)
	})
	// A unix socket stays the same over reloads.
	socket := filepath.Join(t.TempDir(), "s")
	e := startEdge(t, "bind unix/"+socket+"\n"+landing(origin, "cache 5m"))
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	visitors := &edge{addr: "example.com", client: &http.Client{Transport: transport}}
	var stop atomic.Bool
	var served atomic.Int64
	var wg sync.WaitGroup
	for v := range 8 {
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				path := fmt.Sprintf("/%d", (v+i)%20)
				a := visitors.get(path)
				if errors.Is(a.err, io.EOF) || errors.Is(a.err, net.ErrClosed) {
					continue // an idle connection that the old server closed as it was used again
				}
				if a.err != nil || a.body != "page of "+path {
					t.Errorf("%s: status %d, error %v, body %q", path, a.status, a.err, a.body)
				}
				served.Add(1)
			}
		})
	}
	for i := range 15 {
		at := served.Load()
		eventually(t, "some requests", func() bool { return served.Load() > at+20 })
		if err := e.load("bind unix/" + socket + "\n" + landing(origin, fmt.Sprintf("cache %dm", 5+i%2))); err != nil {
			t.Error(err)
			break
		}
	}
	stop.Store(true)
	wg.Wait()
	if refs, _ := pool.References("memory:default"); refs != 1 {
		t.Errorf("%d references to the store after the reloads; 1 was expected", refs)
	}
}
