package caddymodule

import (
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// serve gives the visitor an admitted object. If it is not the one that was looked up
// this moment, it may have been dropped, or its route tripped, since.
func (x *exchange) serve(o *store.Object, outcome Outcome) error {
	return x.serveAt(o, outcome, time.Now())
}

// serveAt is serve at a moment that is known: the one that the object was judged by.
func (x *exchange) serveAt(o *store.Object, outcome Outcome, now time.Time) error {
	if !x.inside {
		x.enter()
		if reason := x.revoked(o); reason != policies.ReasonNone {
			return x.withheld(reason)
		}
	}
	if !x.to(served) {
		return x.fault(errPhase)
	}
	x.event, x.outcome, x.object, x.reasons = audit.EventServe, outcome, o, nil
	x.layHead(o, now)
	return x.respondCoded(o)
}

// tripped says whether nothing is to be served from the store, or stored, on the route.
func (x *exchange) tripped() bool { return x.h.breaker.tripped(x.rule.Name) }

// revoked says why an object that the request holds is not to be served any more, if it
// is not.
func (x *exchange) revoked(o *store.Object) policies.Reason {
	switch {
	case x.tripped():
		return policies.ReasonTripped
	case !x.h.shared.trusted(time.Now()):
		return policies.ReasonLeaseLapsed
	case x.h.shared.store.Revoked(o):
		return policies.ReasonInvalidated
	}
	return policies.ReasonNone
}

// withheld is for the visitor who was to be given an object that was revoked
// meanwhile. They get their own answer; where that has failed already, the failure.
func (x *exchange) withheld(reason policies.Reason) error {
	x.leave()
	x.stale = nil
	if x.phase != own {
		return x.own(OutcomePass, reason)
	}
	x.reasons = []policies.Reason{reason}
	x.to(failed)
	x.forbid()
	return caddyhttp.Error(http.StatusBadGateway, errors.New("cacheward: "+reason.Info().Sentence))
}

// corroborate gives the visitor the answer to their own request, while the
// canonical one goes out beside it.
func (x *exchange) corroborate(f *flight) error {
	x.to(filling)
	h, j := x.h, x.job()
	if !gate.Comparable(x.r.Method, x.r.Header) {
		if !h.workers.run(func() { h.judgeCorroborated(j, f, nil) }) {
			h.shared.flights.leave(f)
			return x.own(OutcomePass, policies.ReasonFillAborted)
		}
		x.ownPhase(OutcomeFill, nil)
		return x.answer(nil, nil)
	}
	answers := make(chan ownAnswer, 1)
	kept := h.shared.budget.claim(h.limits.compareKeep)
	defer kept.done()
	if !h.workers.run(func() {
		defer kept.done()
		h.judgeCorroborated(j, f, answers)
	}) {
		kept.done()
		h.shared.flights.leave(f)
		return x.own(OutcomePass, policies.ReasonFillAborted)
	}
	x.ownPhase(OutcomeFill, nil)
	inputs := x.rule.Unkeyed(nil, &x.req)
	inputs = append(inputs, policies.Input{Kind: policies.InputAddress, Value: hostOf(x.r.RemoteAddr)})
	return x.answer(kept, func(a ownAnswer) {
		a.inputs = inputs
		answers <- a
	})
}

// refresh replaces a stale object in the background, once a key at a time. Nothing
// of the visitor who triggered it goes along.
func (h *Handler) refresh(j *job, o *store.Object) {
	j.impersonal(o)
	f, leader := h.shared.flights.join(j.lane)
	if !leader {
		return
	}
	ok := h.workers.run(func() {
		h.recordRefresh(j)
		if j.rule.Corroborate {
			h.judgeCorroborated(j, f, nil)
			return
		}
		h.judgeOnce(j, f, h.startFill(j, f.overflowed), nil)
	})
	if !ok {
		h.shared.flights.leave(f)
	}
}
