package redis

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/fleet"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/caddymodule/store/redis/redistest"
	"github.com/cacheward/cacheward/caddymodule/store/storetest"
)

// TestConformance: the first tier is a store like any other, once the edge has joined: what
// was requested before is refused, and so are the suite's objects, which were requested a
// second ago. So it gets a memory that remembers nothing of that.
func TestConformance(t *testing.T) {
	server := redistest.Start(t)
	storetest.Run(t, func(limit int64) store.Store {
		o := brief(server.Addr, "one")
		o.Memory = limit
		s, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		awaitTrust(t, s, true)
		if err := s.Memory.Close(); err != nil {
			t.Fatal(err)
		}
		if s.Memory, err = store.NewMemory(limit); err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// TestSharing: what one edge puts, another fetches, whatever its size, and then has in
// memory; it lost nothing on the way.
func TestSharing(t *testing.T) {
	engines(t, func(t *testing.T, start func(...string) *redistest.Server) {
		for _, compress := range []bool{false, true} {
			server := start()
			o := options(server.Addr, "a")
			o.Compress = compress
			a, b := open1(t, o), edge(t, server.Addr, "b")
			awaitReady(t, a)
			for _, size := range []int{0, 1, worthCoding, MinPiece - 1, MinPiece, MinPiece + 1, 3 * MinPiece, 1 << 20} {
				parts := strings.Repeat("p", size%97+1) + time.Duration(size).String()
				want := object(a, parts, size)
				want.Keep, want.StaleIfError = time.Hour, time.Minute
				want.Selecting = []store.Selecting{{Name: "Accept-Language", Value: "ja", Sent: true}}
				share(t, a, want)
				got := fetch(t, b, parts)
				if got == nil {
					t.Fatalf("compress %t, %d bytes: not found; %+v", compress, size, b.Remote())
				}
				if got.ID != want.ID || string(got.Body) != string(want.Body) || got.Header != want.Header ||
					got.Route != want.Route || got.Generation != want.Generation || len(got.Tags) != 1 {
					t.Errorf("compress %t, %d bytes: %+v came back as %+v", compress, size, want, got)
				}
				now := time.Now()
				if got.Age(now) < want.Age(now) || got.TTL(now) > want.TTL(now) {
					t.Errorf("it became younger: %s and not %s; %s left and not %s", got.Age(now), want.Age(now), got.TTL(now), want.TTL(now))
				}
				if !inMemory(t, b, parts) {
					t.Errorf("%d bytes: what was fetched is not in memory", size)
				}
			}
			if fetch(t, b, "nobody's") != nil {
				t.Error("what nobody put was fetched")
			}
			stats := b.Remote()
			if stats.Fetches != 9 || stats.Hits != 8 || stats.Misses != 1 || stats.Errors+stats.Damaged+stats.Foreign+stats.Refused != 0 {
				t.Errorf("counted %+v", stats)
			}
		}
	})
}

// TestEvents: whatever is purged or invalidated by one edge is gone in the memory of each,
// and cannot be fetched by anybody any more, an edge that joins later included.
func TestEvents(t *testing.T) {
	const parts = "page"
	tag := store.TagOf(store.TagURI, parts)
	other := store.TagOf(store.TagURI, "another")
	route := store.Selection{Route: "landing"}
	for _, c := range []struct {
		name  string
		event fleet.Event
		gone  bool
	}{
		{"everything", fleet.Event{Kind: fleet.KindPurge, Selection: store.Selection{All: true}}, true},
		{"route", fleet.Event{Kind: fleet.KindPurge, Selection: route}, true},
		{"route, soft", fleet.Event{Kind: fleet.KindPurge, Selection: route, Soft: true}, true},
		{"another route", fleet.Event{Kind: fleet.KindPurge, Selection: store.Selection{Route: "other"}}, false},
		{"tag", fleet.Event{Kind: fleet.KindPurge, Selection: store.Selection{Tag: &tag}}, true},
		{"another tag", fleet.Event{Kind: fleet.KindPurge, Selection: store.Selection{Tag: &other}}, false},
		{"invalidate", fleet.Event{Kind: fleet.KindInvalidate, Selection: store.Selection{Tag: &tag}}, true},
		{"invalidate another", fleet.Event{Kind: fleet.KindInvalidate, Selection: store.Selection{Tag: &other}}, false},
		{"trip", fleet.Event{Kind: fleet.KindTrip, Trip: control.Tripped{Route: "landing", Why: "test"}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := redistest.Start(t)
			a, b := edge(t, server.Addr, "a"), edge(t, server.Addr, "b")
			share(t, a, object(a, parts, 100))
			if fetch(t, b, parts) == nil {
				t.Fatal("it was not there before")
			}
			d := publish(t, a, c.event)
			if d.Edges != 2 || d.Confirmed != 2 {
				t.Errorf("delivery: %+v", d)
			}
			late := edge(t, server.Addr, "late")
			for _, s := range []*Store{a, b} {
				// A soft purge leaves nothing of an object without validators and windows.
				if inMemory(t, s, parts) == c.gone {
					t.Errorf("%s: gone from memory: %t, want %t", s.options.Edge, !c.gone, c.gone)
				}
			}
			for _, s := range []*Store{a, b, late} {
				if got := fetch(t, s, parts); (got == nil) != c.gone {
					t.Errorf("%s fetched %v", s.options.Edge, got)
				}
				if c.gone && s.Remote().Refused != 1 {
					t.Errorf("%s: counted %+v, want 1 refused", s.options.Edge, s.Remote())
				}
			}
			// What comes after it is fine again.
			share(t, a, object(a, parts, 200))
			if got := fetch(t, late, parts); got == nil || len(got.Body) != 200 {
				t.Errorf("a new object was not fetched: %v; %+v", got, late.Remote())
			}
		})
	}
}

// TestPurgeUnderway: an object whose origin was asked before a purge is not stored after it,
// neither in memory nor for others.
func TestPurgeUnderway(t *testing.T) {
	server := redistest.Start(t)
	a, b := edge(t, server.Addr, "a"), edge(t, server.Addr, "b")
	old := object(a, "page", 100)
	publish(t, b, fleet.Event{Kind: fleet.KindPurge, Selection: store.Selection{Route: "landing"}})
	if err := a.Put(old); err == nil {
		t.Fatal("it was stored")
	}
	// Even if it were written, by an edge that does not know yet, nobody would take it.
	a.writing.add(write{key: old.Key, object: old})
	await(t, "dropped", func() bool { return a.Remote().Dropped == 1 })
	if fetch(t, b, "page") != nil {
		t.Error("it was fetched")
	}
}

// TestFollow: who follows is told of events after the memory was dealt with, and who begins
// to, what holds.
func TestFollow(t *testing.T) {
	server := redistest.Start(t)
	a, b := edge(t, server.Addr, "a"), edge(t, server.Addr, "b")
	if err := b.Put(object(b, "page", 10)); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var told []fleet.Event
	var begun []fleet.Heard
	present := true
	follow := func(e fleet.Event) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, e)
		if e.Kind == fleet.KindPurge {
			present = inMemory(t, b, "page")
		}
	}
	begin := func(h fleet.Heard) {
		mu.Lock()
		defer mu.Unlock()
		begun = append(begun, h)
	}
	b.Follow(follow, begin)
	trip := control.Tripped{Route: "landing", Since: time.Now().Truncate(time.Second).UTC(), Why: "test", By: "me"}
	publish(t, a, fleet.Event{Kind: fleet.KindPurge, Selection: store.Selection{All: true}, Soft: true, Afresh: true})
	d := publish(t, a, fleet.Event{Kind: fleet.KindTrip, Trip: trip})
	publish(t, a, fleet.Event{Kind: fleet.KindTrip, Trip: control.Tripped{Why: "all"}})
	publish(t, a, fleet.Event{Kind: fleet.KindReset, Trip: control.Tripped{}})
	mu.Lock()
	if len(told) != 4 || told[0].Kind != fleet.KindPurge || !told[0].Soft || !told[0].Afresh || told[0].Edge != "a" || told[1].Trip != trip {
		t.Errorf("told %+v", told)
	}
	if present {
		t.Error("told of the purge before the memory was")
	}
	if len(begun) != 1 || len(begun[0].Trips) != 0 {
		t.Errorf("told at first: %+v", begun)
	}
	mu.Unlock()

	b.Follow(nil, begin)
	late := edge(t, server.Addr, "late")
	late.Follow(nil, begin)
	mu.Lock()
	defer mu.Unlock()
	if len(begun) != 3 {
		t.Fatalf("told %d times", len(begun))
	}
	trip.Generation = d.Generation
	for _, h := range begun[1:] {
		if len(h.Trips) != 1 || h.Trips[0] != trip {
			t.Errorf("trips in force: %+v, want %+v", h.Trips, trip)
		}
	}
}

// TestNamespaces: two that share a Redis never see each other's objects and events.
func TestNamespaces(t *testing.T) {
	server := redistest.Start(t)
	with := func(namespace string) *Store {
		o := options(server.Addr, "a")
		o.Namespace = namespace
		s := open1(t, o)
		awaitReady(t, s)
		return s
	}
	shop, blog := with("shop"), with("blog")
	share(t, shop, object(shop, "page", 10))
	if fetch(t, blog, "page") != nil {
		t.Error("another namespace's object was fetched")
	}
	share(t, blog, object(blog, "page", 20))
	before := shop.Generation()
	d := publish(t, blog, fleet.Event{Kind: fleet.KindPurge, Selection: store.Selection{All: true}})
	if d.Edges != 1 {
		t.Errorf("another namespace's edge is among them: %+v", d)
	}
	if shop.Generation() != before || !inMemory(t, shop, "page") || fetch(t, shop, "page") == nil {
		t.Error("another namespace's purge was applied")
	}
}

// TestDelete: what is deleted, or replaced by what can no longer be used, is gone from Redis.
func TestDelete(t *testing.T) {
	server := redistest.Start(t)
	a, c := edge(t, server.Addr, "a"), client(t, server.Addr)
	head := a.options.namesOf(keyOf("page")).head()
	there := func() bool { return mustInt(t, do(t, c, "EXISTS", head)) == 1 }
	for name, remove := range map[string]func() error{
		"Delete": func() error { return a.Delete(keyOf("page")) },
		"Put": func() error {
			over := object(a, "page", 10)
			over.Expires = time.Now().Add(-time.Hour)
			return a.Put(over)
		},
	} {
		share(t, a, object(a, "page", 10))
		if !there() {
			t.Fatal("it is not there")
		}
		if err := remove(); err != nil {
			t.Fatal(err)
		}
		await(t, "deleted by "+name, func() bool { return !there() })
	}
}

// TestBounds: what is waiting to be written is bounded, and so is how long it stays.
func TestBounds(t *testing.T) {
	server := redistest.Start(t)
	o := options(server.Addr, "a")
	o.InFlight = 64 << 10
	a := open1(t, o)
	awaitReady(t, a)
	if err := a.Put(object(a, "large", 128<<10)); err != nil {
		t.Fatal(err)
	}
	if stats := a.Remote(); stats.Dropped != 1 || a.writing.inFlight.Load() != 0 {
		t.Errorf("counted %+v, %d in flight", stats, a.writing.inFlight.Load())
	}
	long := object(a, "long", 10)
	long.Expires = time.Now().Add(10 * MaxStay)
	share(t, a, long)
	c := client(t, server.Addr)
	left := mustInt(t, do(t, c, "PTTL", o.withDefaults(t).namesOf(long.Key).head()))
	if left <= 0 || left > MaxStay.Milliseconds() {
		t.Errorf("it stays for %d ms", left)
	}
	alone := object(a, "alone", 10)
	alone.Generation = 0
	if err := a.Put(alone); err != nil {
		t.Fatal(err)
	}
	share(t, a, object(a, "after", 10))
	if mustInt(t, do(t, c, "EXISTS", a.options.namesOf(alone.Key).head())) != 0 {
		t.Error("an object without a generation was written")
	}
}

// TestOptions: what cannot work is refused at once.
func TestOptions(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"no address": func(o *Options) { o.Addresses = nil },
		"namespace":  func(o *Options) { o.Namespace = "a}b" },
		"database":   func(o *Options) { o.Database = -1 },
		"lease":      func(o *Options) { o.Lease = time.Millisecond },
		"long lease": func(o *Options) { o.Lease = time.Hour },
		"timeout":    func(o *Options) { o.Timeout = o.Lease / 2 },
		"memory":     func(o *Options) { o.Memory = -1 },
		"piece":      func(o *Options) { o.Piece = 1 },
	} {
		o := options("127.0.0.1:1", "a")
		change(&o)
		if s, err := Open(o); err == nil {
			t.Errorf("%s: accepted", name)
			_ = s.Close()
		}
	}
}
