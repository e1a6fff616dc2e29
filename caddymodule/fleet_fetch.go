package caddymodule

import (
	"context"
	"time"

	"github.com/cacheward/cacheward/caddymodule/fleet"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// How often it is looked whether another edge has what it is asking the origin for: more
// and more seldom.
const (
	firstLook = 5 * time.Millisecond
	lastLook  = 100 * time.Millisecond
)

// fetch looks where the edges share what they have stored, for the one request of this edge
// that would ask the origin, and waits while another edge is asking it. If it returns an
// object the flight has landed; without one, it may have, with what is known of the key.
func (x *exchange) fetch(f *flight) *store.Object {
	s := x.h.shared
	if s.fleet == nil || f == nil || f.landed() || x.stale != nil && x.stale.NoCache {
		return nil
	}
	// Others of this edge wait for it: it does not end with this visitor. Each call to the
	// store has a limit of its own.
	ctx := context.WithoutCancel(x.r.Context())
	until := time.Now().Add(x.h.limits.wait)
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		if o := x.fetchOnce(ctx); o != nil {
			f.land(o)
			s.flights.leave(f)
			x.stale = nil
			return o
		}
		if f.lone {
			return nil // what has to be asked of the origin each time waits for nobody
		}
		turn, err := s.fleet.Lead(ctx, x.lane)
		switch {
		case err != nil:
			return nil // nobody knows better: the origin is asked
		case turn.Verdict.Reason != "":
			if reason, ok := policies.ReasonOf(turn.Verdict.Reason); ok {
				s.refusals.Remember(x.lane, reason, turn.Verdict.For, false)
				f.land(nil, reason, policies.ReasonRememberedRefusal)
				s.flights.leave(f)
			}
			return nil
		case turn.Mine:
			lane := x.lane
			f.over = func(o *store.Object) { turn.Done(s.verdict(lane, o)) }
			return nil
		case !time.Now().Add(pause).Before(until):
			return nil
		}
		time.Sleep(pause)
	}
}

// fetchOnce returns what is there and may answer the request.
func (x *exchange) fetchOnce(ctx context.Context) *store.Object {
	s := x.h.shared
	at := x.at
	for range 2 { // what is there may be the index of the key's variants
		o, err := s.fleet.Fetch(ctx, at, x.keyBytes)
		if err != nil || o == nil {
			return nil
		}
		if o.Variants == nil {
			s.admissions.Admitted(o.Key, o.ID)
		}
		found, next, err := store.Select(s.store, x.key, x.keyBytes, x.sent)
		switch {
		case err != nil:
			return nil
		case found != nil && x.reuse(found, time.Now()) == reuseFresh:
			return found
		case found != nil && next == x.at && x.stale != nil:
			// It has taken the place of what was to be validated, and is so instead.
			x.found, x.stale = found, found
			return nil
		case found != nil || next == at:
			return nil
		}
		at = next
	}
	return nil
}

// verdict is what the other edges are told of a key that this one has judged.
func (s *shared) verdict(lane store.Key, o *store.Object) fleet.Verdict {
	if o != nil {
		return fleet.Verdict{Stored: []store.Key{o.Key, lane}}
	}
	reason, left := s.refusals.Left(lane)
	if left <= 0 {
		return fleet.Verdict{}
	}
	return fleet.Verdict{Reason: reason.String(), For: left}
}
