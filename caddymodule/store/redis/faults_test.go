package redis

import (
	"errors"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/cacheward/cacheward/caddymodule/fleet"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/caddymodule/store/redis/redistest"
)

var purgeAll = fleet.Event{Kind: fleet.KindPurge, Selection: store.Selection{All: true}}

// TestPartition: whatever happens to the link, trust ends within the lease, nothing is
// fetched, calls end, and all comes back by itself, with what was purged meanwhile.
func TestPartition(t *testing.T) {
	server := redistest.Start(t)
	for _, c := range []struct {
		name       string
		fail, heal func(r *redistest.Relay)
	}{
		{"cut", func(r *redistest.Relay) { r.Set(redistest.Cut) }, func(r *redistest.Relay) { r.Set(redistest.Pass) }},
		{"black hole", func(r *redistest.Relay) { r.Set(redistest.BlackHole) }, func(r *redistest.Relay) { r.Set(redistest.Pass) }},
		{"slow", func(r *redistest.Relay) { r.Delay(2 * time.Second) }, func(r *redistest.Relay) { r.Delay(0); r.Set(redistest.Cut); r.Set(redistest.Pass) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			relay := redistest.Proxy(t, server.Addr)
			other := briefEdge(t, server.Addr, "other")
			far := briefEdge(t, relay.Addr, "far")
			share(t, far, object(far, "page", 100))
			goroutines := runtime.NumGoroutine()

			c.fail(relay)
			// What it has heard was asked for before: it is good for less than a lease.
			if far.edge.Trusted(time.Now().Add(lease)) {
				t.Error("it would trust a lease later")
			}
			awaitTrust(t, far, false)
			if status := far.Fleet(); status.Trusted || status.Problem == "" {
				t.Errorf("status: %+v", status)
			}
			if o, err := far.Fetch(t.Context(), keyOf("page"), []byte("page")); o != nil || err != nil {
				t.Errorf("fetched %v, %v", o, err)
			}
			if err := far.Put(object(far, "another", 10)); err != nil {
				t.Errorf("Put: %v", err)
			}
			if _, err := far.Publish(t.Context(), fleet.Event{Kind: fleet.KindPurge, Selection: store.Selection{Route: "far"}}, true); !errors.Is(err, fleet.ErrUnsent) {
				t.Errorf("Publish: %v, want ErrUnsent", err)
			}
			// The other edges are not held up, and know who is missing.
			d, err := other.Publish(t.Context(), purgeAll, true)
			if err != nil || d.Confirmed != 1 || len(d.Missing) != 1 || d.Missing[0] != "far" {
				t.Errorf("delivery: %+v, %v", d, err)
			}

			c.heal(relay)
			awaitReady(t, far)
			if far.Generation() < d.Generation || inMemory(t, far, "page") {
				t.Errorf("trusts without the purge: %d of %d", far.Generation(), d.Generation)
			}
			if unsent := far.Fleet().Unsent; unsent != 0 {
				t.Errorf("%d events are unsent", unsent)
			}
			shareAgain(t, far, object(far, "page", 200))
			if o := fetch(t, other, "page"); o == nil || len(o.Body) != 200 {
				t.Errorf("not fetched afterwards: %v; %+v", o, other.Remote())
			}
			// Some connections more than before, none for each call that failed.
			if n := settled(t, goroutines+20); n > goroutines+20 {
				t.Errorf("%d goroutines, and %d before", n, goroutines)
			}
		})
	}
}

// TestPaused: a server that hangs is one that is not heard. When it goes on it has forgotten
// nothing.
func TestPaused(t *testing.T) {
	server := redistest.Start(t)
	a := briefEdge(t, server.Addr, "a")
	share(t, a, object(a, "page", 100))
	before := a.Generation()
	server.Pause()
	awaitTrust(t, a, false)
	server.Resume()
	awaitTrust(t, a, true)
	if a.Generation() != before || !inMemory(t, a, "page") {
		t.Error("something was purged although nothing was forgotten")
	}
}

// TestServeAlone: by choice, an edge goes on with what it has in memory.
func TestServeAlone(t *testing.T) {
	server := redistest.Start(t)
	o := brief(server.Addr, "a")
	o.ServeAlone = true
	a := open1(t, o)
	awaitReady(t, a)
	share(t, a, object(a, "page", 100))
	server.Stop()
	awaitTrust(t, a, false)
	if !a.Trusted(time.Now()) || !inMemory(t, a, "page") {
		t.Error("it does not serve alone")
	}
	if a.Fleet().Trusted {
		t.Error("the status does not say so")
	}
}

// TestRestart: a server that was started again may have forgotten anything, whether it
// begins empty or with what it had a while ago, and so everything stored is purged; what
// was in it already is not used either.
func TestRestart(t *testing.T) {
	engines(t, func(t *testing.T, start func(...string) *redistest.Server) {
		for _, saved := range []bool{false, true} {
			name := map[bool]string{false: "empty", true: "older"}[saved]
			t.Run(name, func(t *testing.T) {
				server := start("dbfilename dump.rdb")
				a, b := briefEdge(t, server.Addr, "a"), briefEdge(t, server.Addr, "b")
				share(t, a, object(a, "page", 100))
				tag := store.TagOf(store.TagURI, "page")
				if saved {
					do(t, client(t, server.Addr), "SAVE")
				}
				// What is forgotten: b has confirmed it, and more.
				publish(t, b, fleet.Event{Kind: fleet.KindInvalidate, Selection: store.Selection{Tag: &tag}})
				for range 3 {
					publish(t, b, fleet.Event{Kind: fleet.KindPurge, Selection: store.Selection{Route: "other"}})
				}
				share(t, a, object(a, "late", 100))
				last := a.Generation()

				server.Restart()
				await(t, "everything is purged", func() bool { return a.Generation() > last && b.Generation() == a.Generation() })
				for _, s := range []*Store{a, b} {
					awaitReady(t, s)
					for _, parts := range []string{"page", "late"} {
						if inMemory(t, s, parts) || fetchAgain(t, s, parts) != nil {
							t.Errorf("%s has %q still", s.options.Edge, parts)
						}
					}
				}
				late := briefEdge(t, server.Addr, "late")
				if fetchAgain(t, late, "page") != nil {
					t.Error("an edge that joins has what was invalidated")
				}
				if saved && late.Remote().Refused != 1 {
					t.Errorf("the older object was not there at all, so nothing was tested: %+v", late.Remote())
				}
				shareAgain(t, a, object(a, "page", 200))
				if o := fetchAgain(t, b, "page"); o == nil {
					t.Errorf("it does not work any more: %+v", b.Remote())
				}
			})
		}
	})
}

// TestRestartOfAll: a server that was started again with everything that anybody has applied
// may still have forgotten what nobody had.
func TestRestartOfAll(t *testing.T) {
	server := redistest.Start(t, "dbfilename dump.rdb")
	a := briefEdge(t, server.Addr, "a")
	share(t, a, object(a, "page", 100))
	last := a.Generation()
	do(t, client(t, server.Addr), "SAVE")
	server.Restart()
	await(t, "purged", func() bool { return a.Generation() > last })
	if inMemory(t, a, "page") || fetchAgain(t, a, "page") != nil {
		t.Error("something is left")
	}
}

// TestTagsAfterRestart: a server that begins with an older state says nothing of tags until
// the log was asked, and so an edge that trusts still takes nothing from it.
func TestTagsAfterRestart(t *testing.T) {
	server := redistest.Start(t, "dbfilename dump.rdb")
	a := briefEdge(t, server.Addr, "a")
	page := object(a, "page", 100)
	share(t, a, page)
	judge := func(c rueidis.Client) error {
		return a.judgeTags(page, c.Do(t.Context(), c.B().EvalRo().Script(tagsLua).Numkeys(2).
			Key(a.options.controlKey("run"), a.options.controlKey("tags")).Arg(string(page.Tags[0][:])).Build()))
	}
	c := client(t, server.Addr)
	if err := judge(c); err != nil {
		t.Fatalf("before: %v", err)
	}
	do(t, c, "SAVE")
	if err := a.Close(); err != nil { // so that nobody asks the log
		t.Fatal(err)
	}
	server.Restart()
	if err := judge(client(t, server.Addr)); !errors.Is(err, errRefused) {
		t.Errorf("after: %v, want a refusal", err)
	}
}

// TestForgets: keys of the log that are gone are noticed, each of them.
func TestForgets(t *testing.T) {
	for _, name := range []string{"gen", "log", "purges", "run", "tags", "trips"} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			a := briefEdge(t, server.Addr, "a")
			tag := store.TagOf(store.TagURI, "page")
			publish(t, a, fleet.Event{Kind: fleet.KindInvalidate, Selection: store.Selection{Tag: &tag}})
			trip := fleet.Event{Kind: fleet.KindTrip}
			trip.Trip.Route = "landing"
			publish(t, a, trip)
			share(t, a, object(a, "page", 100))
			last := a.Generation()
			do(t, client(t, server.Addr), "DEL", a.options.controlKey(name))
			await(t, "purged", func() bool { return a.Generation() > last })
			awaitTrust(t, a, true)
			if inMemory(t, a, "page") || fetch(t, a, "page") != nil {
				t.Error("something is left")
			}
			now := a.Generation()
			publish(t, a, purgeAll)
			if a.Generation() != now+1 {
				t.Errorf("after %d came %d: it goes on forgetting", now, a.Generation())
			}
		})
	}
}

// TestNoServer: a store opens without Redis, works as a memory that is not trusted, and
// joins when Redis comes. It closes without Redis.
func TestNoServer(t *testing.T) {
	server := redistest.Start(t)
	before := runtime.NumGoroutine() // with those that wait for the server
	server.Stop()
	a := open1(t, brief(server.Addr, "a"))
	gone := open1(t, brief(server.Addr, "gone"))
	if a.Trusted(time.Now()) {
		t.Error("trusted before anything was heard")
	}
	if err := a.Put(object(a, "early", 10)); err != nil {
		t.Error(err)
	}
	if err := gone.Close(); err != nil {
		t.Error(err)
	}
	await(t, "said why", func() bool { return strings.Contains(a.Fleet().Problem, "refused") })
	server.Restart()
	awaitTrust(t, a, true)
	if inMemory(t, a, "early") {
		t.Error("what was put before the edge joined is there")
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if err := a.Close(); !errors.Is(err, store.ErrClosed) {
		t.Errorf("closed again: %v", err)
	}
	if n := settled(t, before); n > before {
		buffer := make([]byte, 1<<20)
		t.Errorf("%d goroutines are left of %d:\n%s", n, before, buffer[:runtime.Stack(buffer, true)])
	}
}

// TestBlackHoleFromTheStart: a store that never got an answer closes at once.
func TestBlackHoleFromTheStart(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts, so nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	before := runtime.NumGoroutine()
	a, err := Open(brief(l.Addr().String(), "a"))
	if err != nil {
		t.Fatal(err)
	}
	if o, err := a.Fetch(t.Context(), keyOf("page"), []byte("page")); o != nil || err != nil {
		t.Errorf("fetched %v, %v", o, err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if n := settled(t, before); n > before {
		t.Errorf("%d goroutines are left of %d", n, before)
	}
}

// TestFull: a server that takes nothing more keeps the log going; objects are not written,
// which is counted, and what is there is there.
func TestFull(t *testing.T) {
	server := redistest.Start(t, "maxmemory-policy noeviction")
	a, b := edge(t, server.Addr, "a"), edge(t, server.Addr, "b")
	share(t, a, object(a, "before", 100))
	do(t, client(t, server.Addr), "CONFIG", "SET", "maxmemory", "1")
	if err := a.Put(object(a, "page", 100)); err != nil {
		t.Fatal(err)
	}
	await(t, "counted", func() bool { return a.Remote().Dropped == 1 })
	if fetch(t, b, "page") != nil || fetch(t, b, "before") == nil {
		t.Errorf("it is not as it was: %+v", b.Remote())
	}
	d := publish(t, a, purgeAll)
	if d.Confirmed != 2 || inMemory(t, b, "before") {
		t.Errorf("the purge did not come: %+v", d)
	}
	do(t, client(t, server.Addr), "CONFIG", "SET", "maxmemory", "0")
	share(t, a, object(a, "page", 100))
	if fetch(t, b, "page") == nil {
		t.Error("it did not come back")
	}
}

// TestEviction: a server that evicts objects evicts no part of the log, if it may evict only
// what expires.
func TestEviction(t *testing.T) {
	server := redistest.Start(t, "maxmemory-policy volatile-lru", "maxmemory 6mb")
	o := options(server.Addr, "a")
	o.Piece = DefaultPiece
	a := open1(t, o)
	awaitReady(t, a)
	first := a.Generation()
	for i := range 60 {
		share(t, a, object(a, strings.Repeat("x", i+1), 100<<10))
	}
	evicted := 0
	for i := range 60 {
		if fetch(t, a, strings.Repeat("x", i+1)) == nil {
			evicted++
		}
	}
	if evicted == 0 || evicted == 60 {
		t.Errorf("%d of 60 were evicted", evicted)
	}
	if stats := a.Remote(); stats.Refused > 0 {
		t.Errorf("counted %+v", stats)
	}
	if publish(t, a, purgeAll); a.Generation() != first+1 {
		t.Errorf("the log was forgotten: after %d comes %d", first, a.Generation())
	}
}
