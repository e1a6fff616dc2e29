package caddymodule

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/zeebo/blake3"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/caddymodule/store"
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

// maxRatio is how many bytes one encoded byte of a visitor's own answer may become.
const maxRatio = 200

// judgeCorroborated fills the key and admits the response if a second answer of
// the origin is identical: the visitor's own, or where there is none to be
// compared, another fill.
func (h *Handler) judgeCorroborated(j *job, f *flight, answers <-chan ownAnswer) {
	defer h.shared.flights.leave(f)
	fill := h.startFill(j, false, f.overflowed)
	defer fill.stop()
	if !h.passes(j, f, fill, nil) {
		return
	}
	own, compared := receiveAnswer(h.workers.ctx, answers)
	if !compared || requestError(own.head.Status) {
		h.compareFills(j, f, fill)
		return
	}
	answer := gate.Answer{Status: own.head.Status, Header: httpcache.StoredFields(own.head.Header), Body: own.body}
	if d := gate.Compare(answer, fill.answer()); d != nil {
		h.refuseVisitor(j, f, fill, d, []policies.Reason{policies.ReasonDivergent})
		if h.shared.suspensions.Last(j.rule.Space) && h.repeats(j, f, fill) {
			h.shared.suspensions.Admitted(j.rule.Space) // visitors made the difference
			return
		}
		h.diverged(j, d)
		return
	}
	if reasons := gate.Check(own.head, h.gateRules(j, own.received, false)); reasons != nil {
		h.refuseVisitor(j, f, fill, nil, reasons)
		return
	}
	h.admit(j, f, fill)
}

// requestError says whether a status tells of the request or of the moment, and
// not of the page: an oversized header, a rate limit, an overload. Such an answer
// cannot be compared with the page, and whoever provokes one must not thereby
// keep the page from being shared.
func requestError(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge,
		http.StatusRequestURITooLong, http.StatusExpectationFailed, http.StatusMisdirectedRequest,
		http.StatusTooEarly, http.StatusTooManyRequests, http.StatusRequestHeaderFieldsTooLarge:
		return true
	}
	return status >= 500
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
	second := h.startFill(j, false, f.overflowed)
	defer second.stop()
	if !h.passes(j, f, second, nil) {
		return
	}
	if d := gate.Compare(first.answer(), second.answer()); d != nil {
		h.refuseKey(j, f, second, d, []policies.Reason{policies.ReasonDivergent})
		h.diverged(j, d)
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
	if h.passes(j, f, fill, gated) {
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
	if reasons != nil {
		fill.stop()
	} else {
		select {
		case <-fill.ended:
		case <-f.done: // not to be stored; a visitor who is being given it reads on
		}
		reasons = h.checkBody(j, fill)
	}
	if reasons != nil {
		h.refuseKey(j, f, fill, nil, reasons)
		return false
	}
	return true
}

// overflowed lets those who wait go on at once when a body cannot be stored.
func (f *flight) overflowed(reason policies.Reason) { f.land(nil, reason) }

// checkHead is what speaks against sharing before the body is known.
func (h *Handler) checkHead(j *job, fill *fill) []policies.Reason {
	if !fill.writer.wroteFinal {
		return []policies.Reason{fillFailure(fill.err)}
	}
	reasons := gate.Check(fill.head(), h.gateRules(j, fill.received, true))
	if fill.writer.status >= 500 {
		reasons = append([]policies.Reason{policies.ReasonOriginError}, reasons...)
	}
	if reasons == nil && reflects(j.parts.Forwarded(), fill.writer.final) {
		reasons = []policies.Reason{policies.ReasonReflectsInput}
	}
	return reasons
}

// checkBody is what speaks against sharing once the fill has ended.
func (h *Handler) checkBody(j *job, fill *fill) []policies.Reason {
	if reason := fill.spool.reason(); reason != policies.ReasonNone {
		return []policies.Reason{reason}
	}
	if fill.err != nil {
		return []policies.Reason{fillFailure(fill.err)}
	}
	if reasons := gate.CheckTrailer(fill.writer.trailer(), h.gateRules(j, fill.received, true)); reasons != nil {
		return reasons
	}
	body, _ := fill.spool.body()
	for _, field := range j.parts.Forwarded() {
		if field.Value != "" && bytes.Contains(body, []byte(field.Value)) {
			return []policies.Reason{policies.ReasonReflectsInput}
		}
	}
	return nil
}

// reflects says whether a value that was sent without being keyed came back.
func reflects(forwarded []policies.Field, h http.Header) bool {
	for _, field := range forwarded {
		for _, lines := range h {
			for _, line := range lines {
				if field.Value != "" && strings.Contains(line, field.Value) {
					return true
				}
			}
		}
	}
	return false
}

// fillFailure says what an incomplete fill came to.
func fillFailure(err error) policies.Reason {
	if he, ok := errors.AsType[caddyhttp.HandlerError](err); ok && he.StatusCode >= 500 {
		return policies.ReasonOriginError
	}
	switch {
	case errors.Is(err, http.ErrAbortHandler), errors.Is(err, errShortBody):
		return policies.ReasonTruncated
	}
	return policies.ReasonFillAborted
}

func (h *Handler) gateRules(j *job, received time.Time, identity bool) gate.Rules {
	return gate.Rules{
		Statuses:       func(status int) bool { _, ok := j.rule.TTL(status); return ok },
		Path:           j.path,
		Operator:       j.rule.Cache.Kind == policies.CacheTTL,
		AllowSetCookie: j.rule.StripSetCookie,
		Declared:       j.rule.Covers,
		OriginKeyed:    j.rule.Keys("Origin"),
		WantIdentity:   identity,
		Received:       received,
	}
}

// answer is what a complete fill is compared by.
func (f *fill) answer() gate.Answer {
	body, whole := f.spool.body()
	return gate.Answer{
		Status: f.writer.status,
		Header: httpcache.StoredFields(f.writer.final),
		Body:   gate.Body{Sum: blake3.Sum256(body), Size: int64(len(body)), Kept: body, Whole: whole, Readable: whole},
	}
}

// admit makes the fill an object and publishes it.
func (h *Handler) admit(j *job, f *flight, fill *fill) {
	body, whole := fill.spool.body()
	if !whole {
		f.land(nil, policies.ReasonTruncated)
		return
	}
	o := h.newObject(j, fill, bytes.Clone(body))
	if !o.Fresh(time.Now()) {
		h.refuseKey(j, f, fill, nil, []policies.Reason{policies.ReasonNotFresh})
		return
	}
	if err := h.shared.store.Put(o); err != nil {
		reason := policies.ReasonStoreFault
		if errors.Is(err, store.ErrTooLarge) {
			reason = policies.ReasonTooLarge
		}
		h.recordFault(j.rule.Name, reason, err)
		f.land(nil, reason)
		return
	}
	h.shared.refusals.Forget(j.key)
	h.shared.suspensions.Admitted(j.rule.Space)
	h.recordFill(j, fill, audit.Record{Event: audit.EventStore, Object: o.ID, TTL: o.TTL(fill.received), Size: int64(len(body))})
	f.land(o)
}

// newObject is the fill as it will be served.
func (h *Handler) newObject(j *job, fill *fill, body []byte) *store.Object {
	header := httpcache.StoredFields(fill.writer.final)
	if _, ok := header["Date"]; !ok {
		header["Date"] = []string{fill.received.UTC().Format(http.TimeFormat)}
	}
	for _, name := range j.rule.VaryOn() {
		httpcache.AddVary(header, name)
	}
	age := httpcache.InitialAge(fill.writer.final, fill.requested, fill.received)
	lifetime, _ := j.rule.TTL(fill.writer.status)
	expires := fill.received.Add(time.Duration(lifetime))
	if j.rule.Cache.Kind == policies.CacheOrigin {
		directives := httpcache.ResponseDirectives(fill.writer.final)
		own, _ := httpcache.Lifetime(fill.writer.final, directives, fill.received)
		expires = fill.received.Add(own - age)
	}
	return &store.Object{
		Key:                  j.key,
		Parts:                j.bytes,
		ID:                   fill.id,
		Route:                j.rule.Name,
		Status:               fill.writer.status,
		Header:               store.FieldsOf(header),
		Body:                 body,
		Requested:            fill.requested,
		Received:             fill.received,
		InitialAge:           age,
		Expires:              expires,
		StaleWhileRevalidate: time.Duration(j.rule.Cache.StaleWhileRevalidate),
		StaleIfError:         time.Duration(j.rule.Cache.StaleIfError),
	}
}

// refuseKey turns a fill away for what the origin answered to canonical requests.
// That follows from the key alone, so the refusal is remembered for longer each
// time, and what was stored under the key, now proved not to be shareable, goes.
func (h *Handler) refuseKey(j *job, f *flight, fill *fill, d *gate.Divergence, reasons []policies.Reason) {
	switch first := reasons[0]; {
	case first == policies.ReasonMemoryFull, first == policies.ReasonFillAborted && h.workers.ctx.Err() != nil:
		// Says nothing about the key; aborted by a reload, not by the time limit.
	case first == policies.ReasonFillAborted, first == policies.ReasonOriginError, first == policies.ReasonTruncated,
		momentary(fill.writer.status):
		h.shared.refusals.Remember(j.key, first, originRefusal, false)
	default:
		if len(j.parts.Forwarded()) > 0 { // the visitor had a say in it
			h.shared.refusals.Remember(j.key, first, visitorRefusal, false)
		} else {
			h.shared.refusals.Remember(j.key, first, gateRefusal, true)
		}
		if err := h.shared.store.Delete(j.key); err != nil {
			h.recordFault(j.rule.Name, policies.ReasonStoreFault, err)
		}
	}
	h.refused(j, f, fill, d, reasons)
}

// refuseVisitor turns a fill away for what the visitor's own answer was. The
// visitor may have caused that, so it is not remembered for longer each time and
// does no harm to what is stored.
func (h *Handler) refuseVisitor(j *job, f *flight, fill *fill, d *gate.Divergence, reasons []policies.Reason) {
	h.shared.refusals.Remember(j.key, reasons[0], visitorRefusal, false)
	h.refused(j, f, fill, d, reasons)
}

// refused lets those who wait go on with their own requests, and records why. The
// refusal is remembered by now: the next request must not start over.
func (h *Handler) refused(j *job, f *flight, fill *fill, d *gate.Divergence, reasons []policies.Reason) {
	f.land(nil, reasons...)
	rec := audit.Record{Event: audit.EventRefuse, Reasons: reasons}
	if d != nil {
		rec.Event, rec.Difference = audit.EventDiverge, difference{d}
	}
	h.recordFill(j, fill, rec)
}

// diverged counts a divergence of the route's pages.
func (h *Handler) diverged(j *job, d *gate.Divergence) {
	if h.shared.suspensions.Diverged(j.rule.Space) {
		h.warnSuspended(j, d)
	}
}

// repeats says whether another fill is the same as the first one. A visitor can make
// their own answer differ; they must not thereby suspend the route for everybody, so
// the last divergence before that is tried without them.
func (h *Handler) repeats(j *job, f *flight, first *fill) bool {
	second := h.startFill(j, false, f.overflowed)
	defer second.stop()
	<-second.begun
	if h.checkHead(j, second) != nil {
		return false
	}
	<-second.ended
	return h.checkBody(j, second) == nil && gate.Compare(first.answer(), second.answer()) == nil
}
