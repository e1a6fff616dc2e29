package fleet

import (
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
)

// TestLateReset: a reset that comes late ends the trip that it was for, and no later one.
func TestLateReset(t *testing.T) {
	l := NewLog(10)
	first := control.Tripped{Route: "r", Since: time.Unix(1, 5), Why: "a leak"}
	second := control.Tripped{Route: "r", Since: time.Unix(2, 5), Why: "another"}
	publish := func(kind Kind, trip control.Tripped) {
		t.Helper()
		if _, err := l.Publish(t.Context(), Event{Edge: "a", Kind: kind, Trip: trip}); err != nil {
			t.Fatal(err)
		}
	}
	tripped := func() []control.Tripped {
		t.Helper()
		h, err := l.Ask(t.Context(), "b", 0, true)
		if err != nil {
			t.Fatal(err)
		}
		return h.Trips
	}
	publish(KindTrip, first)
	publish(KindReset, first)
	publish(KindTrip, second)
	publish(KindReset, first)
	if trips := tripped(); len(trips) != 1 || trips[0].Why != "another" {
		t.Errorf("tripped are %+v", trips)
	}
	publish(KindReset, second)
	if trips := tripped(); len(trips) != 0 {
		t.Errorf("tripped are %+v", trips)
	}
}
