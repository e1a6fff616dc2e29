package fleet

import (
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
)

// TestAfter: those who are told later learn what those learnt who were there, and what these
// were told stays what it was.
func TestAfter(t *testing.T) {
	trip := control.Tripped{Route: "r", Since: time.Unix(1, 0), Why: "a leak"}
	none := Heard{Generation: 1}
	tripped := none.After(Event{Generation: 2, Kind: KindTrip, Trip: trip})
	other := tripped.After(Event{Generation: 3, Kind: KindReset, Trip: control.Tripped{Route: "r", Since: time.Unix(0, 5)}})
	ended := other.After(Event{Generation: 4, Kind: KindReset, Trip: trip})
	for name, c := range map[string]struct {
		heard         Heard
		generation    uint64
		trips, resets int
	}{
		"before":            {none, 1, 0, 0},
		"tripped":           {tripped, 2, 1, 0},
		"another was reset": {other, 3, 1, 1},
		"reset":             {ended, 4, 0, 1},
	} {
		if c.heard.Generation != c.generation || len(c.heard.Trips) != c.trips || len(c.heard.Resets) != c.resets {
			t.Errorf("%s: %+v", name, c.heard)
		}
	}
	if got := tripped.Trips[0]; got.Generation != 2 || got.Why != "a leak" {
		t.Errorf("tripped is %+v", got)
	}
}
