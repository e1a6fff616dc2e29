package caddymodule

import (
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// nestedVar marks a request that an outer cacheward handler has taken charge of. On the
// way to the origin it holds what the transport notes (see expect).
const nestedVar = "cacheward"

// ServeHTTP gives a visitor one of three things and no fourth: an admitted
// object, the origin's answer to their own untouched request, or, with admission
// once, the fill that they caused. It reads in the order of the design.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.Context().Value(caddyhttp.ErrorCtxKey) != nil {
		// An error's page is nobody else's, whoever makes it and permits it.
		return next.ServeHTTP(&ownWriter{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, profile: h.policy.Profile()}, r)
	}
	vars := varsOf(r)
	if vars[nestedVar] != nil {
		return next.ServeHTTP(w, r) // the outermost handler decides, once
	}
	if vars != nil {
		vars[nestedVar] = true
	}
	x := h.begin(w, r, next, vars)
	defer x.end()

	// 1 route
	x.rule = h.policy.Route(&x.req)
	if !x.to(routed) {
		return x.fault(errPhase)
	}
	delivers := h.attributing != nil && x.attribute()
	// 2 inspect
	if v := x.rule.Inspect(&x.req); v.Action != policies.ActCache {
		return x.refuse(v)
	}
	// 3 dispose
	if v := x.rule.Dispose(&x.req, &x.parts); v.Action != policies.ActCache {
		return x.refuse(v)
	}
	if x.tripped() {
		return x.own(OutcomeBypass, policies.ReasonTripped)
	}
	if delivers {
		return x.own(OutcomeBypass, policies.ReasonAttributionDelivered)
	}
	if x.rule.Mode == policies.Observe {
		return x.observe()
	}
	// 4 key
	if !x.makeKey() {
		return x.fault(errPhase)
	}
	for {
		// 5 look up
		x.enter()
		if x.tripped() {
			return x.stopped(policies.ReasonTripped)
		}
		if !x.h.shared.trusted(x.clock()) {
			return x.stopped(policies.ReasonLeaseLapsed)
		}
		object, err := x.lookUp()
		if err != nil {
			return x.fault(err)
		}
		now := x.clock()
		switch x.reuse(object, now) {
		case reuseFresh:
			if x.sampled() {
				h.recheck(x.job(), object)
			}
			return x.serveAt(object, OutcomeHit, now)
		case reuseStale:
			return x.serve(object, OutcomeStale)
		case reuseWhileRefreshing:
			if x.unshareable(x.at) == nil {
				h.refresh(x.job(), object)
			}
			return x.serve(object, OutcomeStale)
		case reuseAfterValidation:
			x.stale = object
		}
		x.leave()
		if x.demands.OnlyIfCached {
			return x.gatewayTimeout()
		}
		if reasons := x.unshareable(x.lane); reasons != nil {
			return x.own(OutcomePass, reasons...)
		}
		// 6 fill; 7 gate and 8 admit follow in judge.go
		flight, leader := x.join()
		if leader {
			x.landEarlier(flight)
			if object := x.fetch(flight); object != nil {
				return x.serve(object, OutcomeHit)
			}
		}
		switch {
		case flight == nil:
			return x.own(OutcomePass, policies.ReasonFillsFull)
		case !leader || flight.landed():
			if again, err := x.wait(flight); !again {
				return err
			}
		case x.rule.Corroborate:
			return x.corroborate(flight)
		default:
			return x.once(flight)
		}
	}
}

// unshareable says why the key is not to be filled now, if it is not.
func (x *exchange) unshareable(lane store.Key) []policies.Reason {
	if reason, known := x.h.shared.refusals.Lookup(lane); known {
		return []policies.Reason{reason, policies.ReasonRememberedRefusal}
	}
	if x.rule.Corroborate && x.h.shared.suspensions.Suspended(x.rule.Space) {
		return []policies.Reason{policies.ReasonRouteDiverging}
	}
	return nil
}

var errPhase = errors.New("cacheward: a phase that the last one does not lead to")

// refuse ends a request that is not for the cache.
func (x *exchange) refuse(v policies.Verdict) error {
	x.note(&v)
	if x.rule.Mode == policies.Observe {
		if x.tripped() {
			return x.own(OutcomeBypass, policies.ReasonTripped)
		}
		x.verdict = v
		return x.observe()
	}
	if v.Action == policies.ActDeny {
		return x.deny(v.Reasons)
	}
	return x.own(OutcomeBypass, v.Reasons...)
}

// wait waits for another request's fill, for its verdict only and not for ever.
// Again says that the response turned out to be another variant than this
// request's, which is now known to be one, so that it may look once more.
func (x *exchange) wait(f *flight) (again bool, err error) {
	defer func() {
		f.waiters.Add(-1)
		x.countWait(again)
	}()
	if f.waiters.Add(1) > int64(x.h.limits.maxWaiters) {
		return false, x.own(OutcomePass, policies.ReasonWaitersFull)
	}
	next := waiting
	if x.waited {
		next = waitingAgain
	}
	if !x.to(next) {
		return false, x.fault(errPhase)
	}
	timer := time.NewTimer(x.h.limits.wait)
	defer timer.Stop()
	select {
	case <-f.done:
	case <-timer.C:
		return false, x.own(OutcomePass, policies.ReasonWaitTimeout)
	case <-x.r.Context().Done():
		// Nobody is there to be answered. The origin is asked all the same, as
		// it would have been without us; it sees the visitor gone.
		return false, x.own(OutcomePass, policies.ReasonWaitTimeout)
	}
	if o := f.object; o != nil {
		switch {
		case !o.SelectedBy(x.sent) && !x.waited:
			x.waited = true
			return true, nil
		case !o.SelectedBy(x.sent), x.reuse(o, time.Now()) != reuseFresh:
			return false, x.own(OutcomePass, policies.ReasonValidationRequired)
		}
		return false, x.serve(o, OutcomeCollapsed)
	}
	if f.reasons[0] == policies.ReasonOriginError && x.staleIfError() {
		return false, x.serve(x.stale, OutcomeStale)
	}
	return false, x.own(OutcomePass, f.reasons...)
}

// stopped is for a request that was on its way to the store when the route was tripped, or
// that may not believe what is stored.
func (x *exchange) stopped(why policies.Reason) error {
	x.leave()
	return x.own(OutcomeBypass, why)
}

// deny refuses the request. The answer is nobody's page and nobody may keep it.
func (x *exchange) deny(reasons []policies.Reason) error {
	x.to(denied)
	x.event, x.outcome, x.reasons, x.status = audit.EventDeny, OutcomeDeny, reasons, http.StatusBadRequest
	x.attributed.Delivered, x.attributed.As, x.attributed.Landed = "", "", time.Time{} // it goes nowhere
	x.forbid()
	return caddyhttp.Error(http.StatusBadRequest, errors.New("cacheward: "+reasons[0].Info().Sentence))
}

// fault notes a fault of ours. The request goes to the origin: a fault is never a
// leak and never an outage.
func (x *exchange) fault(err error) error {
	x.leave() // the origin may take its time
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
	o := newObserver(x)
	defer o.end()
	expect(x.r.Context())
	err := x.next.ServeHTTP(o, x.r)
	if !o.received.IsZero() {
		x.h.meter(x.rule).answered(o.received.Sub(x.started))
	}
	if err == nil {
		o.look()
	}
	x.status = o.status
	x.to(answered)
	return err
}
