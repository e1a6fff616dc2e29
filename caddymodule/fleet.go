package caddymodule

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/fleet"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// Fleet is what the store of a [Provider] implements as well where several edges share it.
// It is safe for concurrent use.
type Fleet interface {
	store.Store
	// Trusted says whether what is stored may be served at that moment. It is asked for
	// every hit.
	Trusted(now time.Time) bool
	// Generation is that of the last event that was applied; see [store.Object].
	Generation() uint64
	// Fetch gets an object from where the edges share them into this one's memory. It
	// returns nil and no error where there is none that may be served.
	Fetch(ctx context.Context, key store.Key, parts []byte) (*store.Object, error)
	// Lead says whether this edge is to ask the origin for what waits in that lane, so that
	// not all of them do. It is a matter of load and not of safety: after an error, whoever
	// wants to know asks.
	Lead(ctx context.Context, lane store.Key) (fleet.Turn, error)
	// Publish has all edges do what the event says, and with wait returns when they have,
	// or cannot be waited for any longer.
	Publish(ctx context.Context, e fleet.Event, wait bool) (fleet.Delivery, error)
	// Follow has apply called after each event was applied to what is stored here, and
	// lost after everything stored here had to be dropped. They must not call the store's
	// Publish, nor wait for anything.
	Follow(apply func(fleet.Event), lost func(fleet.Heard))
	// Fleet describes this edge and the others, Shared what this one has done with the
	// shared tier. OnPartition is what it does while it does not hear from the others:
	// [control.OnPartitionBypass] or [control.OnPartitionServe].
	Fleet() fleet.Status
	Shared() control.SharedStatus
	OnPartition() string
}

// trusted says whether what is stored may be served at that moment.
func (s *shared) trusted(now time.Time) bool { return s.fleet == nil || s.fleet.Trusted(now) }

// generation is what is known of the fleet now.
func (s *shared) generation() uint64 {
	if s.fleet == nil {
		return 0
	}
	return s.fleet.Generation()
}

// edge is the name of this one in its fleet.
func (s *shared) edge() string {
	if s.fleet == nil {
		return ""
	}
	return s.fleet.Fleet().Edge
}

// publishTime bounds what it takes to tell the fleet of something, where nobody waits until
// all have done it.
const publishTime = 2 * time.Second

// tellFleet has all edges do what this one has done. What cannot be told now is told when
// the others can be reached; until then this edge serves nothing that is stored.
func (h *Handler) tellFleet(e fleet.Event) {
	f := h.shared.fleet
	if f == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), publishTime)
	defer cancel()
	if _, err := f.Publish(ctx, e, false); err != nil {
		h.logger.Warn("the other edges could not be told yet", zap.String("event", string(e.Kind)),
			zap.Stringer("what", e.Selection), zap.Error(err))
	}
}

// follow has the handler do what other edges did.
func (h *Handler) follow() {
	if f := h.shared.fleet; f != nil {
		own := f.Fleet().Edge
		f.Follow(
			func(e fleet.Event) { h.applied(e, e.Edge == own) },
			func(heard fleet.Heard) { h.lostTrack(heard) })
	}
}

// applied is told of an event that this edge's memory has dealt with. When it returns the
// event is in force here.
func (h *Handler) applied(e fleet.Event, own bool) {
	if e.Afresh {
		h.shared.refusals.Clear()
		h.shared.suspensions.Clear()
	}
	switch e.Kind {
	case fleet.KindTrip:
		e.Trip.Generation = e.Generation
		if h.breaker.trip(e.Trip) {
			h.tripSaid(e)
		}
	case fleet.KindReset:
		if ended := h.breaker.reset(e.Ends); len(ended) > 0 && !own {
			h.resetSaid(e)
		}
	case fleet.KindPurge:
		if !own {
			h.audit.Offer(&audit.Record{Event: audit.EventPurge, Scope: e.Selection.String(), By: "edge " + e.Edge, Soft: e.Soft}, nil)
		}
	}
	processSections.settle(settleTime)
}

// tripSaid says that another edge has tripped something.
func (h *Handler) tripSaid(e fleet.Event) {
	h.metrics.trips.WithLabelValues(e.Trip.Route).Inc()
	h.audit.Offer(&audit.Record{
		Event: audit.EventTrip, Route: e.Trip.Route, Scope: tripScope(e.Trip.Route), By: e.Trip.By, Why: e.Trip.Why,
		Detail: "edge " + e.Edge,
	}, nil)
	h.workers.run(func() {
		h.warnTripped(e.Trip)
		h.saveTrips()
	})
}

func (h *Handler) resetSaid(e fleet.Event) {
	h.audit.Offer(&audit.Record{
		Event: audit.EventReset, Route: e.Trip.Route, Scope: tripScope(e.Trip.Route), By: e.Trip.By, Why: e.Trip.Why,
		Detail: "edge " + e.Edge,
	}, nil)
	h.workers.run(h.saveTrips)
}

func (h *Handler) saveTrips() {
	if err := h.breaker.save(); err != nil {
		h.recordFault("", policies.ReasonInternalFault, err)
	}
}

// lostTrack is told that the edge does not know all that the others did, and what holds now:
// at the first contact, and after it was away for too long. What it has tripped itself stays,
// and the others are told of it, unless they have ended that very trip meanwhile.
func (h *Handler) lostTrack(heard fleet.Heard) {
	h.shared.refusals.Clear()
	h.shared.suspensions.Clear()
	for _, e := range heard.Resets {
		h.breaker.reset(e.Ends)
	}
	for _, t := range heard.Trips {
		if h.breaker.trip(t) {
			h.tripSaid(fleet.Event{Trip: t})
		}
	}
	var untold []control.Tripped
	for _, t := range h.breaker.list() {
		if !slices.ContainsFunc(heard.Trips, func(known control.Tripped) bool { return known.Route == t.Route }) {
			untold = append(untold, t)
		}
	}
	processSections.settle(settleTime)
	if len(untold) == 0 {
		return
	}
	h.workers.run(func() {
		for _, t := range untold {
			h.tellFleet(fleet.Event{Kind: fleet.KindTrip, Trip: t})
		}
	})
}

// fleets are those of the handlers, each once.
func fleets(handlers []*Handler) (all []Fleet) {
	for _, h := range handlers {
		if f := h.shared.fleet; f != nil && !slices.Contains(all, f) {
			all = append(all, f)
		}
	}
	return all
}

// deliveryOf is a delivery in the language of the admin endpoint.
func deliveryOf(d fleet.Delivery) control.FleetDelivery {
	return control.FleetDelivery{
		Generation: d.Generation, Edges: d.Edges, Confirmed: d.Confirmed, Missing: d.Missing, Silent: d.Silent, Took: d.Took,
	}
}

// leads says whether this edge does what one of them is to do for all.
func leads(handlers []*Handler) bool {
	all := fleets(handlers)
	return len(all) == 0 || all[0].Fleet().Leads()
}

// publish has all edges of the fleets do what the event says, and adds to the delivery how
// far that has come. It returns what did not work.
func publish(all []Fleet, e fleet.Event, delivery **control.FleetDelivery) (problems []string) {
	for _, f := range all {
		ctx, cancel := context.WithTimeout(context.Background(), f.Fleet().Lease+publishTime)
		d, err := f.Publish(ctx, e, true)
		cancel()
		if err != nil {
			problems = append(problems, "the other edges could not be told yet: "+err.Error()+
				"; they are as soon as they can be reached, and until then this one serves nothing that is stored")
		}
		add(delivery, d)
		if err != nil {
			(*delivery).Problem = err.Error()
		}
	}
	return problems
}

// add makes one delivery of several: it has come as far as the one that has come least far.
func add(to **control.FleetDelivery, d fleet.Delivery) {
	if *to == nil {
		first := deliveryOf(d)
		*to = &first
		return
	}
	t := *to
	t.Generation, t.Took = max(t.Generation, d.Generation), t.Took+d.Took
	t.Edges, t.Confirmed = max(t.Edges, d.Edges), min(t.Confirmed, d.Confirmed)
	for _, name := range d.Missing {
		if !slices.Contains(t.Missing, name) {
			t.Missing = append(t.Missing, name)
		}
	}
	for _, name := range d.Silent {
		if !slices.Contains(t.Silent, name) {
			t.Silent = append(t.Silent, name)
		}
	}
}
