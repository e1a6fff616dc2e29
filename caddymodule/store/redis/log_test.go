package redis

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/fleet"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/caddymodule/store/redis/redistest"
	"github.com/cacheward/cacheward/caddymodule/store/storetest"
)

// TestPush: an event is applied everywhere when it comes, and not when the log is asked
// next: with a lease of a minute that would be a quarter of one later.
func TestPush(t *testing.T) {
	server := redistest.Start(t)
	patient := func(name string) *Store {
		o := options(server.Addr, name)
		o.Lease, o.Timeout = time.Minute, 10*time.Second
		s := open1(t, o)
		awaitReady(t, s)
		return s
	}
	a, b := patient("a"), patient("b")
	// One event alone might come just when b asks by itself, a few do not. All of them have
	// await's patience, which is hardly more than b's between two questions.
	told := 0
	var d fleet.Delivery
	await(t, "applied, each in its turn", func() bool {
		if b.Generation() < d.Generation {
			return false
		}
		var err error
		d, err = a.Publish(t.Context(), fleet.Event{Kind: fleet.KindPurge, Selection: store.Selection{Route: "landing"}}, false)
		if err != nil {
			t.Fatal(err)
		}
		told++
		return told == 10
	})
}

// TestPushAfterReconnect: what happened while the connection was being made anew is told.
func TestPushAfterReconnect(t *testing.T) {
	server := redistest.Start(t)
	relay := redistest.Proxy(t, server.Addr)
	o := options(relay.Addr, "b")
	o.Lease, o.Timeout = 4*time.Second, time.Second
	b := open1(t, o)
	awaitTrust(t, b, true)
	a := edge(t, server.Addr, "a")
	for i := range 5 {
		relay.Set(redistest.Cut)
		d, err := a.Publish(t.Context(), fleet.Event{Kind: fleet.KindPurge, Selection: store.Selection{Route: fmt.Sprint(i)}}, false)
		if err != nil {
			t.Fatal(err)
		}
		relay.Set(redistest.Pass)
		await(t, "applied", func() bool { return b.Generation() >= d.Generation })
	}
}

// TestOrder: events of several edges come to each in one order, without gaps, more of them
// than one answer has.
func TestOrder(t *testing.T) {
	server := redistest.Start(t)
	const edges, each = 3, 400
	var mu sync.Mutex
	told := make([][]fleet.Event, edges)
	stores := make([]*Store, edges)
	for i := range stores {
		stores[i] = edge(t, server.Addr, fmt.Sprint("edge", i))
		stores[i].Follow(func(e fleet.Event) {
			mu.Lock()
			defer mu.Unlock()
			told[i] = append(told[i], e)
		}, nil)
	}
	first := stores[0].Generation()
	var wg sync.WaitGroup
	for i, s := range stores {
		wg.Go(func() {
			for n := range each {
				tag := store.TagOf(store.TagName, fmt.Sprint(i, n))
				if _, err := s.Publish(t.Context(), fleet.Event{Kind: fleet.KindInvalidate, Selection: store.Selection{Tag: &tag}}, false); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, s := range stores {
		await(t, "all applied", func() bool { return s.Generation() == first+edges*each })
	}
	mu.Lock()
	defer mu.Unlock()
	for i := range told {
		if len(told[i]) != edges*each {
			t.Fatalf("edge %d was told of %d events", i, len(told[i]))
		}
		for n, e := range told[i] {
			if e.Generation != first+uint64(n)+1 || *e.Selection.Tag != *told[0][n].Selection.Tag {
				t.Fatalf("edge %d was told of %+v as number %d", i, e, n)
			}
		}
	}
}

// TestTrimmed: who was away for longer than the log goes back drops everything, and is told
// what holds.
func TestTrimmed(t *testing.T) {
	server := redistest.Start(t)
	relay := redistest.Proxy(t, server.Addr)
	a, far := briefEdge(t, server.Addr, "a"), briefEdge(t, relay.Addr, "far")
	share(t, far, object(far, "page", 100))
	var mu sync.Mutex
	var begun []fleet.Heard
	far.Follow(nil, func(h fleet.Heard) {
		mu.Lock()
		defer mu.Unlock()
		begun = append(begun, h)
	})
	relay.Set(redistest.Cut)
	awaitTrust(t, far, false)
	trip := fleet.Event{Kind: fleet.KindTrip, Trip: control.Tripped{Route: "landing", Why: "test"}}
	for range 2 {
		if _, err := a.Publish(t.Context(), trip, false); err != nil {
			t.Fatal(err)
		}
	}
	do(t, client(t, server.Addr), "XTRIM", a.options.controlKey("log"), "MAXLEN", "1")
	relay.Set(redistest.Pass)
	awaitTrust(t, far, true)
	if inMemory(t, far, "page") {
		t.Error("something is left in memory")
	}
	if fetchAgain(t, far, "page") == nil {
		t.Error("it is no use any more for those who know that nothing has purged it")
	}
	mu.Lock()
	defer mu.Unlock()
	if last := begun[len(begun)-1]; len(begun) != 2 || len(last.Trips) != 1 || last.Trips[0].Route != "landing" {
		t.Errorf("told %+v", begun)
	}
}

// TestManyPurges: of more purges than are kept for those who join, the oldest count as if
// they had selected everything.
func TestManyPurges(t *testing.T) {
	server := redistest.Start(t)
	a := edge(t, server.Addr, "a")
	share(t, a, object(a, "old", 10))
	purge := func(n int) {
		for i := range n {
			if _, err := a.Publish(t.Context(), fleet.Event{Kind: fleet.KindPurge, Selection: store.Selection{Route: fmt.Sprint("r", i)}}, false); err != nil {
				t.Fatal(err)
			}
		}
		await(t, "applied", func() bool { s := a.Fleet(); return s.Applied == s.Generation && a.edge.Trusted(time.Now()) })
	}
	purge(600)
	share(t, a, object(a, "new", 10))
	purge(900)
	late := edge(t, server.Addr, "late")
	if fetch(t, late, "old") != nil {
		t.Error("an object was fetched that an unknown purge may have meant")
	}
	if fetch(t, late, "new") == nil {
		t.Errorf("an object was refused although all purges since are known: %+v", late.Remote())
	}
	if n := mustInt(t, do(t, client(t, server.Addr), "XLEN", a.options.controlKey("purges"))); n != 1024 {
		t.Errorf("%d purges are kept", n)
	}
}

// TestManyTags: of more tags than are kept, the oldest count as if each had been
// invalidated.
func TestManyTags(t *testing.T) {
	server := redistest.Start(t)
	a, c := edge(t, server.Addr, "a"), client(t, server.Addr)
	share(t, a, object(a, "old", 10))
	tagless := object(a, "tagless", 10)
	tagless.Tags = nil
	share(t, a, tagless)
	invalidate := func(name string) fleet.Delivery {
		tag := storetest.Object(name, 0).Tags[0]
		return publish(t, a, fleet.Event{Kind: fleet.KindInvalidate, Selection: store.Selection{Tag: &tag}})
	}
	d := invalidate("x")
	share(t, a, object(a, "new", 10))
	// As if so many had been invalidated with x, and then one more.
	do(t, c, "EVAL", `for i = 1, ARGV[1] do redis.call('ZADD', KEYS[1], ARGV[2], 'filler-' .. i) end
		redis.call('HSET', KEYS[2], 'tags', redis.call('ZCARD', KEYS[1])) return 1`,
		"2", a.options.controlKey("tags"), a.options.controlKey("run"), "131071", fmt.Sprint(d.Generation))
	invalidate("y")
	late := edge(t, server.Addr, "late")
	for name, want := range map[string]bool{"old": false, "new": true, "tagless": true} {
		if found := fetch(t, late, name); (found != nil) != want {
			t.Errorf("%s: fetched %v, want it: %t; %+v", name, found, want, late.Remote())
		}
	}
	if n := mustInt(t, do(t, c, "ZCARD", a.options.controlKey("tags"))); n != 131072 {
		t.Errorf("%d tags are kept", n)
	}
}

// TestMembers: who leaves is not waited for, who died only for as long as the lease, and is
// forgotten later.
func TestMembers(t *testing.T) {
	server := redistest.Start(t)
	a, b := edge(t, server.Addr, "a"), edge(t, server.Addr, "b")
	if d := publish(t, a, purgeAll); d.Edges != 2 {
		t.Errorf("delivery: %+v", d)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if d := publish(t, a, purgeAll); d.Edges != 1 {
		t.Errorf("an edge that left is waited for: %+v", d)
	}
	// One that died long ago, and one whose entry is nonsense.
	do(t, client(t, server.Addr), "HSET", a.options.controlKey("edges"), "dead", "5,1000", "odd", "what")
	d, err := a.Publish(t.Context(), purgeAll, true)
	if err != nil || d.Edges != 1 {
		t.Errorf("delivery: %+v, %v", d, err)
	}
}

// TestUnreadable: an event that this edge cannot read ends its trust: nobody knows what it
// forbids.
func TestUnreadable(t *testing.T) {
	for name, event := range map[string]string{
		"kind": `{"edge":"z","kind":"teleport"}`,
		"JSON": `{`,
		"tag":  `{"edge":"z","kind":"invalidate","tag":"00"}`,
		"none": `{"edge":"z","kind":"purge"}`,
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			a, c := briefEdge(t, server.Addr, "a"), client(t, server.Addr)
			next := fmt.Sprint(a.Generation() + 1)
			do(t, c, "EVAL", `redis.call('XADD', KEYS[1], ARGV[1] .. '-0', 'e', ARGV[2]) redis.call('SET', KEYS[2], ARGV[1]) return 1`,
				"2", a.options.controlKey("log"), a.options.controlKey("gen"), next, event)
			awaitTrust(t, a, false)
			if problem := a.Fleet().Problem; problem == "" {
				t.Error("it does not say why")
			}
		})
	}
}

// TestEventJSON: events are read as they were written, and their names stay as they are.
func TestEventJSON(t *testing.T) {
	tag := store.Tag{'u', 1, 2}
	for text, e := range map[string]fleet.Event{
		`{"edge":"a","kind":"purge","all":true,"soft":true,"afresh":true}`:                         {Kind: fleet.KindPurge, Selection: store.Selection{All: true}, Soft: true, Afresh: true},
		`{"edge":"a","kind":"purge","route":"landing"}`:                                            {Kind: fleet.KindPurge, Selection: store.Selection{Route: "landing"}},
		`{"edge":"a","kind":"purge","key":"0102030405060708"}`:                                     {Kind: fleet.KindPurge, Selection: store.Selection{Key: []byte{1, 2, 3, 4, 5, 6, 7, 8}}},
		`{"edge":"a","kind":"purge","uri":"example.com/a"}`:                                        {Kind: fleet.KindPurge, Selection: store.Selection{URI: "example.com/a"}},
		`{"edge":"a","kind":"purge","prefix":"example.com/a*"}`:                                    {Kind: fleet.KindPurge, Selection: store.Selection{Prefix: "example.com/a*"}},
		`{"edge":"a","kind":"invalidate","tag":"75010200000000000000000000000000"}`:                {Kind: fleet.KindInvalidate, Selection: store.Selection{Tag: &tag}},
		`{"edge":"a","kind":"trip","trip":{"route":"x","since":"0001-01-01T00:00:00Z","why":"w"}}`: {Kind: fleet.KindTrip, Trip: control.Tripped{Route: "x", Why: "w"}},
		`{"edge":"a","kind":"reset","trip":{"since":"0001-01-01T00:00:00Z","why":""}}`:             {Kind: fleet.KindReset},
	} {
		e.Edge = "a"
		got, err := encodeEvent(e)
		if err != nil || got != text {
			t.Errorf("%+v is written as\n%s, %v; want\n%s", e, got, err, text)
		}
		e.Generation = 7
		back, err := decodeEvent(7, text)
		if err != nil || fmt.Sprintf("%+v", back.Trip) != fmt.Sprintf("%+v", e.Trip) || back.Selection.String() != e.Selection.String() ||
			back.Soft != e.Soft || back.Afresh != e.Afresh || back.Kind != e.Kind || back.Generation != 7 {
			t.Errorf("%s is read as %+v, %v", text, back, err)
		}
	}
}
