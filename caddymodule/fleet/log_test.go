package fleet

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cacheward/cacheward/caddymodule/store"
	"pgregory.net/rapid"
)

// TestLog holds a log against a list of everything that was ever published.
func TestLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keep := rapid.IntRange(1, 8).Draw(t, "keep")
		from := uint64(rapid.IntRange(0, 5).Draw(t, "from"))
		l := NewLog(keep, LogFrom(from))
		var all []Event
		trips := make(map[string]uint64)
		for range rapid.IntRange(0, 30).Draw(t, "events") {
			e := rapid.SampledFrom([]Event{purgeAll(), purgeRoute("a"), purgeRoute("b"), tripped("a"), tripped(""), resetOf("a"), resetOf("")}).Draw(t, "event")
			generation, err := l.Publish(context.Background(), e)
			if err != nil {
				t.Fatal(err)
			}
			if e.Generation = from + uint64(len(all)) + 1; generation != e.Generation {
				t.Fatalf("event %d has the generation %d", e.Generation, generation)
			}
			all = append(all, e)
			switch e.Kind {
			case KindTrip:
				trips[e.Trip.Route] = generation
			case KindReset:
				delete(trips, e.Trip.Route)
			}
		}
		last := from + uint64(len(all))
		applied := uint64(rapid.IntRange(0, int(last)).Draw(t, "applied"))
		joins := rapid.Bool().Draw(t, "joins")
		h, err := l.Ask(context.Background(), "x", applied, joins)
		if err != nil {
			t.Fatal(err)
		}
		if h.Generation != last || len(h.Members) != 1 || h.Members[0].Edge != "x" {
			t.Fatalf("heard %+v", h)
		}
		behind := int(last - applied)
		if !joins && behind <= min(keep, len(all)) {
			if h.Lost || len(h.Events) != behind {
				t.Fatalf("%d behind: %+v", behind, h)
			}
			for i, e := range h.Events {
				if e.Generation != applied+uint64(i)+1 || e.Kind != all[int(e.Generation-from)-1].Kind {
					t.Fatalf("event %d after %d: %+v", i, applied, e)
				}
			}
			return
		}
		if !h.Lost || h.Events != nil || h.Floor < from {
			t.Fatalf("%d behind, of which %d are kept: %+v", behind, keep, h)
		}
		// What floor and purges say is what all purges said.
		for generation := h.Floor; generation <= last; generation++ {
			for _, route := range []string{"a", "b", "c"} {
				o := &store.Object{Route: route}
				selected := func(events []Event) bool {
					for _, e := range events {
						if e.Kind == KindPurge && e.Generation > generation && e.Selection.Selects(o) {
							return true
						}
					}
					return false
				}
				if selected(h.Purges) != selected(all) {
					t.Fatalf("an object of %s with %d: selected %v; %v was expected", route, generation, selected(h.Purges), selected(all))
				}
			}
		}
		if len(h.Trips) != len(trips) {
			t.Fatalf("trips %+v; %v were expected", h.Trips, trips)
		}
		for _, trip := range h.Trips {
			if trips[trip.Route] != trip.Generation {
				t.Fatalf("trips %+v; %v were expected", h.Trips, trips)
			}
		}
	})
}

func TestLogKeepsPurgesForJoiners(t *testing.T) {
	l := NewLog(1)
	for i := range store.MaxPurges + 10 {
		if _, err := l.Publish(t.Context(), purgeRoute(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	h, err := l.Ask(t.Context(), "x", 0, true)
	if err != nil || len(h.Purges) != store.MaxPurges || h.Floor != 10 || h.Purges[0].Generation != 11 {
		t.Errorf("%d purges after %d, %v", len(h.Purges), h.Floor, err)
	}
	if len(l.events) != 1 {
		t.Errorf("%d events are kept", len(l.events))
	}
}

func TestLogMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLog(10, LogLease(time.Second))
		ask := func(edge string, applied uint64, joins bool) []Member {
			h, err := l.Ask(t.Context(), edge, applied, joins)
			if err != nil {
				t.Fatal(err)
			}
			return h.Members
		}
		if _, err := l.Publish(t.Context(), purgeAll()); err != nil {
			t.Fatal(err)
		}
		ask("b", 1, false)
		time.Sleep(time.Second)
		if m := ask("a", 1, true); len(m) != 2 || m[0] != (Member{"a", 0, 0}) || m[1] != (Member{"b", 1, time.Second}) {
			t.Errorf("members: %+v", m)
		}
		time.Sleep(9 * time.Second)
		if m := ask("a", 1, false); len(m) != 1 || m[0].Applied != 1 {
			t.Errorf("members: %+v", m)
		}
	})
}

func TestLogWakes(t *testing.T) {
	l, woken := NewLog(10), 0
	stop := l.Watch(func() { woken++ })
	for range 2 {
		if _, err := l.Publish(t.Context(), purgeAll()); err != nil {
			t.Fatal(err)
		}
	}
	if stop(); woken != 2 {
		t.Errorf("woken %d times for 2 events", woken)
	}
	if _, err := l.Publish(t.Context(), purgeAll()); err != nil || woken != 2 {
		t.Errorf("woken %d times, %v", woken, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Publish(ctx, purgeAll()); err == nil || l.Generation() != 3 {
		t.Error("published although the context has ended")
	}
	if _, err := l.Ask(ctx, "x", 0, true); err == nil {
		t.Error("answered although the context has ended")
	}
}

func BenchmarkTrusted(b *testing.B) {
	e := Edge{lease: leased{length: time.Hour}}
	now := time.Now()
	e.lease.grant(momentOf(now))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if !e.Trusted(now) {
				b.Error("not trusted")
				return
			}
		}
	})
}
