package caddymodule

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// serve gives the visitor an admitted object. If it is not the one that was looked up
// this moment, it may have been dropped, or its route tripped, since.
func (x *exchange) serve(o *store.Object, outcome Outcome) error {
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
	now := time.Now()
	h := x.w.Header()
	personal := httpcache.HasPerVisitor(h) // set by a handler above; the object has none
	copyFields(h, o.Header)
	ttl := o.TTL(now)
	h["Age"] = []string{strconv.FormatInt(int64(o.Age(now)/time.Second), 10)}
	switch d := x.rule.Downstream; {
	case d == nil || personal || o.Aged || remade(x.w):
		httpcache.ForbidAs(h, x.rule.Profile)
	case x.rule.Relay:
		httpcache.RelayStored(h, o.Control.Header())
	case outcome == OutcomeStale || ttl <= 0 || o.NoCache:
		httpcache.ForbidAs(h, x.rule.Profile)
	default:
		if !httpcache.PermitAs(h, gate.PermissionOf(d, ttl, o.Age(now)), x.rule.Profile) {
			x.reasons = []policies.Reason{policies.ReasonDownstreamTags}
		}
	}
	x.servedStatus(ttl).Append(h)
	return x.respond(o)
}

// tripped says whether nothing is to be served from the store, or stored, on the route.
func (x *exchange) tripped() bool { return x.h.breaker.tripped(x.rule.Name) }

// revoked says why an object that the request holds is not to be served any more, if it
// is not.
func (x *exchange) revoked(o *store.Object) policies.Reason {
	switch {
	case x.tripped():
		return policies.ReasonTripped
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

// servedStatus is what RFC 9211 has for a stored response.
func (x *exchange) servedStatus(ttl time.Duration) httpcache.Status {
	s := httpcache.Status{TTL: ttl, HasTTL: true}
	switch x.outcome {
	case OutcomeCollapsed:
		s.Fwd, s.Collapsed = x.forward(), true
	case OutcomeFill:
		s.Fwd, s.FwdStatus, s.Stored = x.forward(), x.object.Status, true
	case OutcomeRevalidated:
		s.Fwd, s.FwdStatus = x.forward(), http.StatusNotModified
	default:
		s.Hit = true
	}
	return s
}

// remade says whether a handler above holds the answer back to make another one of
// it, as templates and intercept do: perhaps one for this visitor alone.
func remade(w http.ResponseWriter) bool {
	for {
		if rec, ok := w.(caddyhttp.ResponseRecorder); ok && rec.Buffer() != nil {
			return true
		}
		outer, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = outer.Unwrap()
	}
}

// copyFields adds an object's fields to those that handlers above have set. The
// lines are copied: handlers above may change theirs, the object's are everybody's.
func copyFields(outer http.Header, stored store.Fields) {
	lines := make([]string, len(stored))
	for i, f := range stored {
		first := i == 0 || stored[i-1].Name != f.Name
		have := outer[f.Name]
		if first && f.Name == "Server" {
			have = nil // the origin's replaces Caddy's, as with reverse_proxy
		}
		if len(have) > 0 {
			outer[f.Name] = append(have[:len(have):len(have)], f.Value)
			continue
		}
		lines[i] = f.Value
		outer[f.Name] = lines[i : i+1 : i+1]
	}
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
		h.judgeOnce(j, f, h.startFill(j, false, f.overflowed), nil)
	})
	if !ok {
		h.shared.flights.leave(f)
	}
}
