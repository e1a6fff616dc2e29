package fleet

import (
	"slices"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/store"
)

// ApplyTo does to an edge's memory what the event says. Trips and resets do nothing to it.
func (e Event) ApplyTo(m *store.Memory) {
	// Only a closed store returns an error, and then nothing is left.
	switch e.Kind {
	case KindPurge:
		_, _ = m.Purge(e.Selection, e.Soft)
	case KindInvalidate:
		if e.Selection.Tag != nil {
			_, _ = m.Invalidate(*e.Selection.Tag)
		}
	}
}

// After is what holds after the event, for those who are told later. What was heard is
// shared with those who were told, so it is not changed.
func (h Heard) After(e Event) Heard {
	h.Generation = e.Generation
	if e.Kind != KindTrip && e.Kind != KindReset {
		return h
	}
	h.Trips = slices.DeleteFunc(slices.Clone(h.Trips), func(t control.Tripped) bool {
		return e.Kind == KindTrip && t.Route == e.Trip.Route || e.Ends(t)
	})
	h.Resets = slices.DeleteFunc(slices.Clone(h.Resets), func(r Event) bool { return r.Trip.Route == e.Trip.Route })
	if e.Kind == KindTrip {
		e.Trip.Generation = e.Generation
		h.Trips = append(h.Trips, e.Trip)
	} else {
		h.Resets = append(h.Resets, e)
	}
	return h
}
