package caddymodule

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/fleet"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// TestTellsTheFleet: what is purged, tripped, reset and changed here is told to the others.
func TestTellsTheFleet(t *testing.T) {
	m := meet(t)
	origin, _ := publicOrigin(t)
	e := allied(t, m, oncePage, origin)
	stored(e, "/page")
	handlers := theHandlers(t)

	purged, err := purge(handlers, control.Purge{URL: "http://example.com/page", By: "ops"})
	if err != nil || !purged.Verified || purged.Fleet == nil || purged.Fleet.Generation == 0 || purged.Fleet.Edges != 1 || purged.Fleet.Confirmed != 1 {
		t.Errorf("purge: %+v, %v", purged, err)
	}
	if events := m.published(fleet.KindPurge); len(events) == 0 || events[0].Selection.URI == "" {
		t.Errorf("of the purge %+v was told", events)
	}
	tripped, err := trip(handlers, control.Trip{Route: "page", Why: "a test", By: "ops"})
	if err != nil || tripped.Fleet == nil || tripped.Fleet.Confirmed != 1 || len(tripped.Problems) > 0 {
		t.Errorf("trip: %+v, %v", tripped, err)
	}
	if events := m.published(fleet.KindTrip); len(events) != 1 || events[0].Trip.Route != "page" || events[0].Trip.Why != "a test" {
		t.Errorf("of the trip %+v was told", events)
	}
	if list := handlers[0].breaker.list(); len(list) != 1 || list[0].Generation != tripped.Fleet.Generation {
		t.Errorf("tripped is %+v, with another generation than %d", list, tripped.Fleet.Generation)
	}
	ended, err := reset(handlers, control.Reset{Route: "page", Why: "over", By: "ops"})
	if err != nil || ended.Fleet == nil || len(ended.Tripped) != 0 {
		t.Errorf("reset: %+v, %v", ended, err)
	}
	if events := m.published(fleet.KindReset); len(events) != 1 || events[0].Trip.Route != "page" {
		t.Errorf("of the reset %+v was told", events)
	}

	stored(e, "/page")
	if a := e.do(http.MethodPost, "/page"); a.status != http.StatusOK {
		t.Errorf("POST: %d", a.status)
	}
	if events := m.published(fleet.KindInvalidate); len(events) == 0 || events[0].Selection.Tag == nil {
		t.Errorf("of the change %+v was told", events)
	}
}

// TestPurgeThatCannotBeTold: whoever purges learns that the others do not know yet, and this
// edge trusts nothing until they do.
func TestPurgeThatCannotBeTold(t *testing.T) {
	m := meet(t)
	m.lease = fleet.MinLease
	origin, _ := publicOrigin(t)
	e := allied(t, m, oncePage, origin)
	stored(e, "/page", "/other")
	m.set(func() { m.away = errAway })
	purged, err := purge(theHandlers(t), control.Purge{Route: "page"})
	if err != nil || purged.Verified || len(purged.Problems) == 0 || purged.Fleet == nil || purged.Fleet.Problem == "" {
		t.Errorf("purge: %+v, %v", purged, err)
	}
	reasonIs(t, e.ok("/other"), policies.ReasonLeaseLapsed)
	m.set(func() { m.away = nil })
	trusts(t)
	if len(m.published(fleet.KindPurge)) == 0 {
		t.Error("it was never told")
	}
}

// TestTrippedElsewhere: a trip and a reset of another edge are in force here, and on record.
func TestTrippedElsewhere(t *testing.T) {
	m := meet(t)
	origin, _ := publicOrigin(t)
	e := allied(t, m, oncePage, origin)
	stored(e, "/page")
	tells(t, m, fleet.Event{Kind: fleet.KindTrip, Trip: control.Tripped{Route: "page", Since: time.Now(), Why: "names on it", By: "ops there"}})
	reasonIs(t, e.ok("/page"), policies.ReasonTripped)
	if list := status(theHandlers(t)).Tripped; len(list) != 1 || list[0].By != "ops there" || list[0].Why != "names on it" {
		t.Errorf("tripped is %+v", list)
	}
	tells(t, m, fleet.Event{Kind: fleet.KindReset, Trip: control.Tripped{Route: "page", Since: time.Now().Add(-time.Hour)}}) // of an earlier one
	reasonIs(t, e.ok("/page"), policies.ReasonTripped)
	tells(t, m, fleet.Event{Kind: fleet.KindPurge, Selection: store.Selection{Route: "page"}, Afresh: true})
	tells(t, m, fleet.Event{Kind: fleet.KindReset, Trip: status(theHandlers(t)).Tripped[0]})
	stored(e, "/page")
}

// TestTripsAfterAbsence: an edge that begins learns what is tripped, and tells what it has
// tripped itself, but for what the others have ended since.
func TestTripsAfterAbsence(t *testing.T) {
	m := meet(t)
	ctx := context.Background()
	publish := func(kind fleet.Kind, route, since string) {
		moment, err := time.Parse(time.RFC3339, since)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = m.Log.Publish(ctx, fleet.Event{Edge: "there", Kind: kind, Trip: control.Tripped{Route: route, Since: moment, Why: "there"}}); err != nil {
			t.Fatal(err)
		}
	}
	const ended, later = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
	publish(fleet.KindTrip, "page", later)
	publish(fleet.KindTrip, "ended", ended)
	publish(fleet.KindReset, "ended", ended)
	publish(fleet.KindReset, "own", ended) // of an earlier trip than this edge's
	origin, _ := publicOrigin(t)
	own := fmt.Sprintf(`{"schema":1,"tripped":[{"route":"ended","since":%q,"why":"here"},{"route":"own","since":%q,"why":"here"}]}`, ended, later)
	if err := caddy.DefaultStorage.Store(ctx, tripsKey, []byte(own)); err != nil {
		t.Fatal(err)
	}
	allied(t, m, oncePage, origin)
	eventually(t, "the others to be told", func() bool { return len(m.published(fleet.KindTrip)) == 1 })
	if events := m.published(fleet.KindTrip); events[0].Trip.Route != "own" {
		t.Errorf("told was %+v", events)
	}
	routes := ""
	for _, t := range theHandlers(t)[0].breaker.list() {
		routes += t.Route + " "
	}
	if routes != "own page " {
		t.Errorf("tripped are %s", routes)
	}
}
