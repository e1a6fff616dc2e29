package caddymodule

import (
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/policies"
)

// nestedVar marks a request that an outer cacheward handler has taken charge of.
const nestedVar = "cacheward"

// ServeHTTP gives a visitor one of three things and no fourth: an admitted
// object, the origin's answer to their own untouched request, or, with admission
// once, the fill that they caused. It reads in the order of the design.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.Context().Value(caddyhttp.ErrorCtxKey) != nil {
		// An error's page is nobody else's, whoever makes it and permits it.
		return next.ServeHTTP(&ownWriter{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}}, r)
	}
	if caddyhttp.GetVar(r.Context(), nestedVar) != nil {
		return next.ServeHTTP(w, r) // the outermost handler decides, once
	}
	caddyhttp.SetVar(r.Context(), nestedVar, true)
	x := h.begin(w, r, next)
	defer x.end()

	// 1 route
	x.rule = h.policy.Route(&x.req)
	if !x.to(routed) {
		return x.fault(errPhase)
	}
	// 2 inspect
	if v := x.rule.Inspect(&x.req); v.Action != policies.ActCache {
		return x.refuse(v)
	}
	// 3 dispose
	if v := x.rule.Dispose(&x.req, &x.parts); v.Action != policies.ActCache {
		return x.refuse(v)
	}
	if x.rule.Mode == policies.Observe {
		return x.observe()
	}
	// 4 key
	if !x.makeKey() {
		return x.fault(errPhase)
	}
	// 5 look up
	object, err := h.shared.store.Get(x.key, x.keyBytes)
	if err != nil {
		return x.fault(err)
	}
	if !x.to(lookedUp) {
		return x.fault(errPhase)
	}
	if object != nil {
		switch now := x.started; {
		case object.Fresh(now):
			return x.serve(object, OutcomeHit)
		case now.Before(object.Expires.Add(object.StaleWhileRevalidate)):
			if x.unshareable() == nil {
				h.refresh(x.job())
			}
			return x.serve(object, OutcomeStale)
		}
		x.stale = object // good only for when the origin fails
	}
	if reasons := x.unshareable(); reasons != nil {
		return x.own(OutcomePass, reasons...)
	}
	// 6 fill; 7 gate and 8 admit follow in judge.go
	flight, leader := h.shared.flights.join(x.key)
	if leader {
		x.landEarlier(flight)
	}
	switch {
	case flight == nil:
		return x.own(OutcomePass, policies.ReasonFillsFull)
	case !leader || flight.landed():
		return x.wait(flight)
	case x.rule.Corroborate:
		return x.corroborate(flight)
	}
	return x.once(flight)
}

// unshareable says why the key is not to be filled now, if it is not.
func (x *exchange) unshareable() []policies.Reason {
	if reason, known := x.h.shared.refusals.Lookup(x.key); known {
		return []policies.Reason{reason, policies.ReasonRememberedRefusal}
	}
	if x.rule.Corroborate && x.h.shared.suspensions.Suspended(x.rule.Space) {
		return []policies.Reason{policies.ReasonRouteDiverging}
	}
	return nil
}

// landEarlier ends a flight that is not needed: another one may have landed after
// this request had looked up, and before it asked for a flight of its own.
func (x *exchange) landEarlier(f *flight) {
	s := x.h.shared
	if o, err := s.store.Get(x.key, x.keyBytes); err == nil && o != nil && o.Fresh(x.started) {
		f.land(o)
	} else if reasons := x.unshareable(); reasons != nil {
		f.land(nil, reasons...)
	} else {
		return
	}
	s.flights.leave(f)
}

var errPhase = errors.New("cacheward: a phase that the last one does not lead to")

// refuse ends a request that is not for the cache.
func (x *exchange) refuse(v policies.Verdict) error {
	if x.rule.Mode == policies.Observe {
		x.verdict = v
		return x.observe()
	}
	if v.Action == policies.ActDeny {
		return x.deny(v.Reasons)
	}
	return x.own(OutcomeBypass, v.Reasons...)
}

// wait waits for another request's fill, for its verdict only and not for ever.
func (x *exchange) wait(f *flight) error {
	defer f.waiters.Add(-1)
	if f.waiters.Add(1) > int64(x.h.limits.maxWaiters) {
		return x.own(OutcomePass, policies.ReasonWaitersFull)
	}
	if !x.to(waiting) {
		return x.fault(errPhase)
	}
	timer := time.NewTimer(x.h.limits.wait)
	defer timer.Stop()
	select {
	case <-f.done:
	case <-timer.C:
		return x.own(OutcomePass, policies.ReasonWaitTimeout)
	case <-x.r.Context().Done():
		// Nobody is there to be answered. The origin is asked all the same, as
		// it would have been without us; it sees the visitor gone.
		return x.own(OutcomePass, policies.ReasonWaitTimeout)
	}
	if f.object != nil {
		return x.serve(f.object, OutcomeCollapsed)
	}
	if x.stale != nil && f.reasons[0] == policies.ReasonOriginError && x.staleIfError() {
		return x.serve(x.stale, OutcomeStale)
	}
	return x.own(OutcomePass, f.reasons...)
}

// deny refuses the request. The answer is nobody's page and nobody may keep it.
func (x *exchange) deny(reasons []policies.Reason) error {
	x.to(denied)
	x.event, x.outcome, x.reasons, x.status = audit.EventDeny, OutcomeDeny, reasons, http.StatusBadRequest
	x.forbid()
	return caddyhttp.Error(http.StatusBadRequest, errors.New("cacheward: "+reasons[0].Info().Sentence))
}

// fault notes a fault of ours. The request goes to the origin: a fault is never a
// leak and never an outage.
func (x *exchange) fault(err error) error {
	reason := policies.ReasonStoreFault
	if errors.Is(err, errPhase) {
		reason = policies.ReasonInternalFault
	}
	x.h.recordFault(x.ruleName(), reason, err)
	return x.own(OutcomeFault, reason)
}

// observe changes nothing and records what enforce would do.
func (x *exchange) observe() error {
	x.outcome, x.reasons = OutcomeObserve, x.verdict.Reasons
	x.event = audit.EventBypass
	x.to(own)
	rec := &observer{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: x.w}, x: x}
	err := x.next.ServeHTTP(rec, x.r)
	x.status = rec.status
	x.to(answered)
	return err
}
