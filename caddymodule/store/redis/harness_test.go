package redis

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/zeebo/blake3"

	"github.com/cacheward/cacheward/caddymodule/fleet"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/caddymodule/store/redis/redistest"
	"github.com/cacheward/cacheward/caddymodule/store/storetest"
)

// patience is how long a test waits for what must happen. Only a test that fails waits so
// long.
const patience = 20 * time.Second

// options of an edge of the server at addr, for tests in which nothing fails: a machine
// that is busy is not to look like one that is cut off.
func options(addr, edge string) Options {
	return Options{
		Addresses: []string{addr}, Edge: edge, Lease: 10 * time.Second, Timeout: 4 * time.Second,
		Memory: 64 << 20, Piece: MinPiece,
	}
}

// lease is short, so that what happens after it is over is not waited for long.
const lease = 600 * time.Millisecond

// brief are options for tests in which something fails.
func brief(addr, edge string) Options {
	o := options(addr, edge)
	o.Lease, o.Timeout = lease, 200*time.Millisecond
	return o
}

// open1 opens a store that is closed with the test. With a long lease, the log has begun
// long ago: nobody waits for a lease in which others might tell of what it has forgotten.
func open1(t *testing.T, o Options) *Store {
	t.Helper()
	if o.Lease > lease {
		begin(t, o)
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// begin has the log begun, long ago.
func begin(t *testing.T, o Options) {
	t.Helper()
	first := brief(o.Addresses[0], "first")
	first.Namespace = o.Namespace
	s, err := Open(first)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	await(t, "begun", func() bool { return s.Generation() > 0 })
	do(t, client(t, o.Addresses[0]), "HSET", s.options.controlKey("run"), "began", "0")
}

// edge opens a store and waits until it trusts.
func edge(t *testing.T, addr, name string) *Store {
	t.Helper()
	s := open1(t, options(addr, name))
	awaitReady(t, s)
	return s
}

// briefEdge is edge with a short lease.
func briefEdge(t *testing.T, addr, name string) *Store {
	t.Helper()
	s := open1(t, brief(addr, name))
	awaitReady(t, s)
	return s
}

// awaitReady waits until the store trusts, and reads and writes objects.
func awaitReady(t *testing.T, s *Store) {
	t.Helper()
	awaitTrust(t, s, true)
	await(t, "connected for objects", func() bool {
		c, err := s.objects.get()
		if err != nil {
			return false
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return c.Do(ctx, c.B().Get().Key("cw1:{x}:m").Build()).NonRedisError() == nil
	})
}

// fetchAgain is fetch after Redis was gone: the first calls may fail.
func fetchAgain(t *testing.T, s *Store, parts string) (o *store.Object) {
	t.Helper()
	await(t, "fetched", func() bool {
		var err error
		o, err = s.Fetch(t.Context(), keyOf(parts), []byte(parts))
		return err == nil
	})
	return o
}

// await waits until is reports true.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	over := time.After(patience)
	for !is() {
		select {
		case <-over:
			t.Fatalf("after %s: still not %s", patience, what)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func awaitTrust(t *testing.T, s *Store, trusted bool) {
	t.Helper()
	over := time.Now().Add(patience)
	for s.edge.Trusted(time.Now()) != trusted {
		if time.Now().After(over) {
			t.Fatalf("after %s: trusted: %t; status: %+v", patience, !trusted, s.Fleet())
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// object returns an object that the edge may share.
func object(s *Store, parts string, size int) *store.Object {
	o := storetest.Object(parts, size)
	o.Requested = time.Now()
	o.Generation = s.Generation()
	return o
}

// share puts the object and waits until it is in Redis.
func share(t *testing.T, s *Store, o *store.Object) {
	t.Helper()
	if !written(t, s, o) {
		t.Fatalf("the object was not written: %+v", s.Remote())
	}
}

// shareAgain is share after Redis was gone: on each of its connections the first write may
// fail.
func shareAgain(t *testing.T, s *Store, o *store.Object) {
	t.Helper()
	await(t, "written", func() bool { return written(t, s, o) })
}

func written(t *testing.T, s *Store, o *store.Object) bool {
	t.Helper()
	before := s.Remote()
	if err := s.Put(o); err != nil {
		t.Fatalf("Put: %v", err)
	}
	var now RemoteStats
	await(t, "written or dropped", func() bool {
		now = s.Remote()
		return now.Writes > before.Writes || now.Dropped > before.Dropped
	})
	return now.Writes > before.Writes
}

// fetch returns what the store has from Redis, and fails if Redis could not be asked.
func fetch(t *testing.T, s *Store, parts string) *store.Object {
	t.Helper()
	o, err := s.Fetch(t.Context(), keyOf(parts), []byte(parts))
	if err != nil {
		t.Fatalf("Fetch(%q): %v", parts, err)
	}
	return o
}

func inMemory(t *testing.T, s *Store, parts string) bool {
	t.Helper()
	o, err := s.Get(keyOf(parts), []byte(parts))
	if err != nil {
		t.Fatal(err)
	}
	return o != nil
}

func keyOf(parts string) store.Key { return blake3.Sum256([]byte(parts)) }

// publish publishes and waits until all edges have confirmed.
func publish(t *testing.T, s *Store, e fleet.Event) fleet.Delivery {
	t.Helper()
	d, err := s.Publish(t.Context(), e, true)
	if err != nil {
		t.Fatalf("Publish: %v", err)
	}
	if len(d.Missing) > 0 {
		t.Fatalf("not everybody has confirmed: %+v", d)
	}
	return d
}

// client is a plain client of the server, for looking at it and damaging it.
func client(t *testing.T, addr string) rueidis.Client {
	t.Helper()
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// do runs one command, in words.
func do(t *testing.T, c rueidis.Client, words ...string) rueidis.RedisMessage {
	t.Helper()
	m, err := c.Do(context.Background(), c.B().Arbitrary(words...).Build()).ToMessage()
	if err != nil && !rueidis.IsRedisNil(err) {
		t.Fatalf("%s: %v", strings.Join(words, " "), err)
	}
	return m
}

// settled is how many goroutines there are once it does not change any more, or is at most
// what is wanted.
func settled(t *testing.T, wanted int) int {
	t.Helper()
	over := time.After(patience)
	for {
		if n := runtime.NumGoroutine(); n <= wanted {
			return n
		}
		select {
		case <-over:
			return runtime.NumGoroutine()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// engines runs the test with each server that is installed.
func engines(t *testing.T, f func(t *testing.T, start func(lines ...string) *redistest.Server)) {
	for _, engine := range redistest.Engines(t) {
		t.Run(engine[strings.LastIndexByte(engine, '/')+1:], func(t *testing.T) {
			f(t, func(lines ...string) *redistest.Server {
				t.Helper()
				return redistest.StartEngine(t, engine, lines...)
			})
		})
	}
}

func mustInt(t *testing.T, m rueidis.RedisMessage) int64 {
	t.Helper()
	n, err := m.AsInt64()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (o Options) withDefaults(t *testing.T) *Options {
	t.Helper()
	o, err := o.complete()
	if err != nil {
		t.Fatal(err)
	}
	return &o
}
