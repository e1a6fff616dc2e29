package caddymodule

import (
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/fleet"
	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// divergence is why two answers that differ are not shared. Where the difference is
// something of the visitor's own, that is said as well.
func divergence(d *gate.Divergence) []policies.Reason {
	reasons := []policies.Reason{policies.ReasonDivergent}
	if d.Class == policies.ClassReflected {
		reasons = append(reasons, policies.ReasonReflectsInput)
	}
	return reasons
}

// refuseKey turns a fill away for what the origin answered to canonical requests.
// That follows from the key alone, so the refusal is remembered for longer each
// time, and what was stored under the key, now proved not to be shareable, goes.
func (h *Handler) refuseKey(j *job, f *flight, fill *fill, d *gate.Divergence, reasons []policies.Reason) {
	switch first := reasons[0]; {
	case j.head:
		// Says nothing about what a GET gets, unless it is what is stored.
		if j.updates(fill) {
			h.forgetElsewhere(j, h.forget(j))
		}
	case first == policies.ReasonMemoryFull, first == policies.ReasonFillAborted && h.workers.ctx.Err() != nil:
		// Says nothing about the key; aborted by a reload, not by the time limit.
	case first == policies.ReasonFillAborted, first == policies.ReasonOriginError, first == policies.ReasonTruncated,
		momentary(fill.writer.status):
		h.shared.refusals.Remember(j.lane, first, originRefusal, false)
	case j.influenced() && gate.RequestError(fill.writer.status):
		h.shared.refusals.Remember(j.lane, first, originRefusal, false)
	default:
		length, grow := gateRefusal, true
		switch {
		case j.varied():
			length, grow = originRefusal, false
		case j.influenced() && first == policies.ReasonReflectsInput:
			// Whatever they send may stand in the page by chance.
			length, grow = originRefusal, false
		case j.influenced():
			length, grow = visitorRefusal, false
		}
		h.shared.refusals.Remember(j.lane, first, length, grow)
		// What a visitor had a say in does no harm to what is stored, but for what
		// the origin says of just that.
		if j.influenced() && !j.validated(fill) {
			break
		}
		if ofVisitors(first) {
			h.withdraw(j, fill, d, reasons)
		} else {
			had := h.forget(j)
			_, _, known := h.shared.admissions.Forget(j.at)
			h.forgetElsewhere(j, known || had)
		}
	}
	h.refused(j, f, fill, d, reasons)
	if reasons[0] == policies.ReasonStateInBody && j.influenced() && h.shared.admissions.Known(j.at) {
		h.confirm(j, f)
	}
}

// confirm asks the origin for nobody, where what a visitor had a say in speaks against
// a page: by that alone it is neither withdrawn nor its route suspended.
func (h *Handler) confirm(j *job, f *flight) {
	j = j.forNobody()
	first := h.startFill(j, f.overflowed)
	defer first.stop()
	if reasons := h.freshReasons(j, first); reasons != nil {
		if ofVisitors(reasons[0]) {
			h.withdraw(j, first, nil, reasons)
		}
		return
	}
	if !j.rule.Corroborate {
		return
	}
	second := h.startFill(j, f.overflowed)
	defer second.stop()
	if h.freshReasons(j, second) != nil {
		return
	}
	d := h.compare(j, first.answer(j), second.answer(j), nil)
	if d == nil {
		h.shared.suspensions.Admitted(j.rule.Space) // visitors made the difference
		return
	}
	h.recurs(j, d, first.opened.Body, second.opened.Body)
	h.withdraw(j, second, d, divergence(d))
	h.diverged(j, d)
}

// ofVisitors says whether a reason is state of a visitor in the page itself.
func ofVisitors(reason policies.Reason) bool {
	switch reason {
	case policies.ReasonDivergent, policies.ReasonReflectsInput, policies.ReasonStateInBody:
		return true
	}
	return false
}

// forget drops what is stored where the fill's response would be, and says whether there was
// something.
func (h *Handler) forget(j *job) (had bool) {
	o, _ := h.shared.store.Get(j.at, []byte(j.bytes))
	if err := store.Drop(h.shared.store, &h.shared.keyLocks, j.key, j.at, []byte(j.bytes)); err != nil {
		h.recordFault(j.rule.Name, policies.ReasonStoreFault, err)
	}
	return o != nil
}

// forgetElsewhere has the other edges drop the page as well, if this one had it: known says
// that it was admitted. Of the many pages that never were shareable they hear nothing.
func (h *Handler) forgetElsewhere(j *job, known bool) {
	if h.shared.fleet == nil || !known && j.standby == nil {
		return
	}
	e := fleet.Event{Kind: fleet.KindPurge, Selection: store.Selection{Key: j.key[:]}}
	if !h.workers.run(func() { h.tellFleet(e) }) {
		h.tellFleet(e)
	}
}

// refuseVisitor turns a fill away for what the visitor's own answer was. The
// visitor may have caused that, so it is not remembered for longer each time and
// does no harm to what is stored.
func (h *Handler) refuseVisitor(j *job, f *flight, fill *fill, d *gate.Divergence, reasons []policies.Reason) {
	h.shared.refusals.Remember(j.lane, reasons[0], visitorRefusal, false)
	h.refused(j, f, fill, d, reasons)
}

// refused lets those who wait go on with their own requests, and records why. The
// refusal is remembered by now: the next request must not start over.
func (h *Handler) refused(j *job, f *flight, fill *fill, d *gate.Divergence, reasons []policies.Reason) {
	f.land(nil, reasons...)
	rec := audit.Record{Event: audit.EventRefuse, Reasons: reasons}
	if d != nil {
		rec.Event, rec.Difference = audit.EventDiverge, difference{d}
		h.meter(j.rule).divergence(d.Class)
	}
	h.recordFill(j, fill, rec)
}

// withdraw drops what is stored of a page that, by what the origin answers to canonical
// requests, is not shareable; its next fills are refused for longer each time. If it
// was shareable until now, it is loud about that.
func (h *Handler) withdraw(j *job, fill *fill, d *gate.Divergence, reasons []policies.Reason) {
	h.shared.refusals.Remember(j.at, reasons[0], gateRefusal, true)
	had := h.forget(j)
	object, since, known := h.shared.admissions.Forget(j.at)
	h.forgetElsewhere(j, known || had)
	if !known {
		return
	}
	h.meter(j.rule).withdrawn.Add(1)
	rec := audit.Record{
		Event: audit.EventWithdraw, Reasons: reasons, Object: object,
		Detail: "first admitted " + since.UTC().Format(time.RFC3339),
	}
	if d != nil {
		rec.Difference = difference{d}
	}
	h.recordFill(j, fill, rec)
	h.warnWithdrawn(j, object, reasons[0])
	h.leaked(j, object, d, reasons)
}

// recurs says of a divergence that the page is one of a few, if bodies of it were seen
// before, and where that says more than what differs.
func (h *Handler) recurs(j *job, d *gate.Divergence, bodies ...gate.Body) {
	if h.shared.recurrences.note(j.key, bodies) {
		switch d.Class {
		case policies.ClassContent, policies.ClassPersonal, policies.ClassOrder:
			d.Class = policies.ClassVariant
		}
	}
}

// diverged counts a divergence of the route's pages.
func (h *Handler) diverged(j *job, d *gate.Divergence) {
	if h.shared.suspensions.Diverged(j.rule.Space) {
		j.withhold(difference{d}, nil) // there need not have been a record
		h.warnSuspended(j, d)
	}
}
