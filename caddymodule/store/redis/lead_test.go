package redis

import (
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/fleet"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/caddymodule/store/redis/redistest"
)

func lead(t *testing.T, s *Store, lane store.Key) fleet.Turn {
	t.Helper()
	turn, err := s.Lead(t.Context(), lane)
	if err != nil {
		t.Fatalf("Lead: %v", err)
	}
	return turn
}

// TestLead: one edge at a time has the turn, and those who wait find what it has stored as
// soon as they may have it.
func TestLead(t *testing.T) {
	engines(t, func(t *testing.T, start func(...string) *redistest.Server) {
		server := start()
		a, b := edge(t, server.Addr, "a"), edge(t, server.Addr, "b")
		lane := keyOf("page")
		turn := lead(t, a, lane)
		if !turn.Mine {
			t.Fatalf("the first has no turn: %+v", turn)
		}
		if other := lead(t, b, lane); other.Mine || other.Verdict.Reason != "" {
			t.Fatalf("the second has one: %+v", other)
		}
		if other := lead(t, b, keyOf("another")); !other.Mine {
			t.Errorf("of another page: %+v", other)
		}
		o := object(a, "page", 3*MinPiece)
		if err := a.Put(o); err != nil {
			t.Fatal(err)
		}
		turn.Done(fleet.Verdict{Stored: []store.Key{o.Key, lane}})
		await(t, "the turn over", func() bool { return lead(t, b, lane).Mine })
		if fetch(t, b, "page") == nil {
			t.Error("the turn was over before the object was there")
		}
	})
}

// TestLeadRefused: what one edge has found out spares the others the question, for as long
// as that one remembers it, and until they are told to forget.
func TestLeadRefused(t *testing.T) {
	server := redistest.Start(t)
	a, b := edge(t, server.Addr, "a"), edge(t, server.Addr, "b")
	lane := keyOf("page")
	refuse := func() {
		t.Helper()
		turn := lead(t, a, lane)
		if !turn.Mine {
			t.Fatalf("no turn: %+v", turn)
		}
		turn.Done(fleet.Verdict{Reason: "private", For: time.Minute})
		await(t, "known", func() bool { return lead(t, b, lane).Verdict.Reason == "private" })
	}
	refuse()
	if left := lead(t, b, lane).Verdict.For; left <= 0 || left > time.Minute {
		t.Errorf("it is good for %s", left)
	}
	publish(t, a, fleet.Event{Kind: fleet.KindPurge, Selection: store.Selection{Route: "page"}, Afresh: true})
	if turn := lead(t, b, lane); !turn.Mine || turn.Verdict.Reason != "" {
		t.Errorf("after the purge: %+v", turn)
	}
}

// TestLeadIsLost: an edge that dies, or takes too long, keeps nobody waiting, and what it
// says then is not believed.
func TestLeadIsLost(t *testing.T) {
	server := redistest.Start(t)
	a, b := edge(t, server.Addr, "a"), edge(t, server.Addr, "b")
	lane := keyOf("page")
	late := lead(t, a, lane)
	c, at := client(t, server.Addr), a.options.namesOf(lane)
	if left := time.Duration(mustInt(t, do(t, c, "PTTL", at.lead()))) * time.Millisecond; left <= 0 || left > leadTime {
		t.Errorf("the turn ends in %s", left)
	}
	do(t, c, "DEL", at.lead()) // as when it has expired
	turn := lead(t, b, lane)
	if !turn.Mine {
		t.Fatalf("nobody has the turn: %+v", turn)
	}
	late.Done(fleet.Verdict{Reason: "private", For: time.Minute})
	second := lead(t, a, keyOf("another"))
	second.Done(fleet.Verdict{Reason: "private", For: time.Minute}) // after the first, over one connection
	await(t, "said", func() bool { return lead(t, b, keyOf("another")).Verdict.Reason != "" })
	if other := lead(t, a, lane); other.Mine || other.Verdict.Reason != "" {
		t.Errorf("who was too late was believed: %+v", other)
	}
	server.Stop()
	if _, err := b.Lead(t.Context(), lane); err == nil {
		t.Error("without Redis there is a turn")
	}
}

// TestResetsAreRemembered: an edge that joins learns what was tripped and ended, with the
// numbers of the events.
func TestResetsAreRemembered(t *testing.T) {
	server := redistest.Start(t)
	a := edge(t, server.Addr, "a")
	for _, route := range []string{"ended", "on"} {
		publish(t, a, fleet.Event{Kind: fleet.KindTrip, Trip: control.Tripped{Route: route, Since: time.Now(), Why: "a test"}})
	}
	ended := publish(t, a, fleet.Event{Kind: fleet.KindReset, Trip: control.Tripped{Route: "ended"}})
	check := func(what string, h fleet.Heard) {
		t.Helper()
		if len(h.Trips) != 1 || h.Trips[0].Route != "on" || h.Trips[0].Generation != ended.Generation-1 || h.Trips[0].Why != "a test" {
			t.Errorf("%s: tripped are %+v", what, h.Trips)
		}
		var last fleet.Event
		for _, r := range h.Resets {
			if r.Trip.Route == "ended" {
				last = r
			}
		}
		if len(h.Resets) != 2 || last.Generation != ended.Generation || last.Ends(h.Trips[0]) {
			t.Errorf("%s: ended are %+v", what, h.Resets)
		}
	}
	again := fleet.Event{Kind: fleet.KindReset, Trip: control.Tripped{Route: "on", Since: time.Now().Add(-time.Hour)}}
	publish(t, a, again) // of an earlier trip: it ends nothing
	followed := make(chan fleet.Heard, 10)
	a.Follow(nil, func(h fleet.Heard) { followed <- h })
	check("who follows later", <-followed)
	b := edge(t, server.Addr, "b")
	b.Follow(nil, func(h fleet.Heard) { followed <- h })
	check("who joins", <-followed)
}
