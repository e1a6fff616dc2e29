package caddymodule

import (
	"context"
	"net/http"
	"time"

	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/policies"
)

// For how long a refusal is remembered at first. The gate's refusals double up
// to store.MaxRefusal: they follow from the key alone, nobody can cause them. What
// a visitor may have caused, by their own answer or by a header that is forwarded,
// does not grow; an origin that fails or has enough for now is asked again soon.
const (
	gateRefusal    = 5 * time.Second
	visitorRefusal = 10 * time.Second
	originRefusal  = time.Second
)

// judgeCorroborated fills the key and admits the response if a second answer of
// the origin is identical: the visitor's own, or where there is none to be
// compared, another fill.
func (h *Handler) judgeCorroborated(j *job, f *flight, answers <-chan ownAnswer) {
	defer h.shared.flights.leave(f)
	fill := h.startFill(j, f.overflowed)
	defer fill.stop()
	if !h.passes(j, f, fill, nil) {
		return
	}
	own, compared := receiveAnswer(h.workers.ctx, answers)
	if !compared || gate.RequestError(own.head.Status) {
		h.compareFills(j, f, fill)
		return
	}
	if d := h.compare(j, own.answer(j), fill.answer(j), own.inputs); d != nil {
		h.recurs(j, d, own.body, fill.opened.Body)
		h.refuseVisitor(j, f, fill, d, divergence(d))
		h.tryWithoutVisitor(j, f, fill, d)
		return
	}
	if reasons := gate.Check(own.head, h.gateRules(j, own.received, false)); reasons != nil {
		h.refuseVisitor(j, f, fill, nil, reasons)
		return
	}
	h.admit(j, f, fill)
}

// tryWithoutVisitor is for a divergence that a visitor may have made: by their own
// answer they must neither suspend a route for everybody nor have a page withdrawn. So
// where it would do either, the origin is asked once more, for nobody.
func (h *Handler) tryWithoutVisitor(j *job, f *flight, fill *fill, d *gate.Divergence) {
	known := h.shared.admissions.Known(j.at)
	last := h.shared.suspensions.Last(j.rule.Space)
	switch {
	case !known && !last:
		h.shared.suspensions.Suspected(j.rule.Space)
		return
	case j.influenced():
		// Two fills may differ by what was sent of the visitor, too.
		h.confirm(j, f)
		return
	}
	second := h.startFill(j, f.overflowed)
	defer second.stop()
	between, judged := h.between(j, fill, second)
	switch {
	case !judged: // nothing is known but what the visitor has shown
	case between == nil:
		h.shared.suspensions.Admitted(j.rule.Space) // visitors made the difference
	default:
		h.recurs(j, between, fill.opened.Body, second.opened.Body)
		h.withdraw(j, second, between, divergence(between))
		h.diverged(j, between)
	}
}

// between compares two fills, the first of which has passed. It is not judged if the
// second cannot be compared.
func (h *Handler) between(j *job, first, second *fill) (d *gate.Divergence, judged bool) {
	<-second.begun
	if h.checkHead(j, second) != nil {
		return nil, false
	}
	<-second.ended
	if h.checkBody(j, second) != nil {
		return nil, false
	}
	return h.compare(j, first.answer(j), second.answer(j), nil), true
}

// momentary says whether a status tells of the moment alone. All fills seem to
// come from one client, so it is the first to meet a rate limit.
func momentary(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

// ownGrace is how long the visitor's own answer may take when the fill has ended.
// A visitor who reads slowly must not hold up the verdict for everybody else.
const ownGrace = 2 * time.Second

// receiveAnswer waits for the visitor's own answer. It is not to be compared if
// there is none, it broke off, or it does not come soon.
func receiveAnswer(ctx context.Context, answers <-chan ownAnswer) (ownAnswer, bool) {
	if answers == nil {
		return ownAnswer{}, false
	}
	timer := time.NewTimer(ownGrace)
	defer timer.Stop()
	select {
	case own := <-answers:
		return own, own.err == nil
	case <-timer.C:
	case <-ctx.Done():
	}
	return ownAnswer{}, false
}

// compareFills admits the fill if a second one is identical.
func (h *Handler) compareFills(j *job, f *flight, first *fill) {
	second := h.startFill(j, f.overflowed)
	defer second.stop()
	if !h.passes(j, f, second, nil) {
		return
	}
	if d := h.compare(j, first.answer(j), second.answer(j), nil); d != nil {
		h.recurs(j, d, first.opened.Body, second.opened.Body)
		h.refuseKey(j, f, second, d, divergence(d))
		if j.influenced() {
			h.confirm(j, f)
		} else {
			h.diverged(j, d)
		}
		return
	}
	h.admit(j, f, second)
}

// judgeOnce admits the fill if the gate passes it. gated, where given, learns
// what the gate says of the head as soon as it is known: nil, or reasons.
func (h *Handler) judgeOnce(j *job, f *flight, fill *fill, gated chan<- []policies.Reason) {
	defer h.shared.flights.leave(f)
	defer fill.spool.release()
	if gated != nil {
		defer close(gated)
	}
	switch {
	case !h.passes(j, f, fill, gated):
	case j.head:
		h.settleHead(j, f, fill)
	case j.validated(fill):
		h.freshen(j, f, fill)
	default:
		h.admit(j, f, fill)
	}
}

// passes waits for the fill and says whether its head and its body pass the gate.
// If not, it has been refused. gated, where given, learns what is said of the head
// as soon as that is known.
func (h *Handler) passes(j *job, f *flight, fill *fill, gated chan<- []policies.Reason) bool {
	<-fill.begun
	reasons := h.checkHead(j, fill)
	if gated != nil {
		gated <- reasons
	}
	if reasons == nil {
		select {
		case <-fill.ended:
		case <-f.done: // not to be stored; a visitor who is being given it reads on
		}
		if reasons = h.checkBody(j, fill); reasons == nil {
			return true
		}
		h.refuseKey(j, f, fill, nil, reasons)
		return false
	}
	h.refuseKey(j, f, fill, nil, reasons)
	if gated == nil || !j.whole || !fill.spool.forgo(reasons[0]) {
		fill.stop()
	}
	return false
}

// overflowed lets those who wait go on at once when a body cannot be stored.
func (f *flight) overflowed(reason policies.Reason) { f.land(nil, reason) }

func (h *Handler) gateRules(j *job, received time.Time, identity bool) gate.Rules {
	return gate.RulesOf(j.rule, j.path, received, identity, j.authorized())
}
