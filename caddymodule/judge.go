package caddymodule

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
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
	answer := gate.Answer{Status: own.head.Status, Header: httpcache.StoredFields(own.head.Header, j.rule.Vouches), Body: own.body}
	if d := gate.Compare(answer, fill.answer(j)); d != nil {
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
	case http.StatusBadRequest, http.StatusNotAcceptable, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge,
		http.StatusRequestURITooLong, http.StatusUnsupportedMediaType, http.StatusExpectationFailed, http.StatusMisdirectedRequest,
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
	if d := gate.Compare(first.answer(j), second.answer(j)); d != nil {
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

// checkHead is what speaks against sharing before the body is known.
func (h *Handler) checkHead(j *job, fill *fill) []policies.Reason {
	if !fill.writer.wroteFinal {
		return []policies.Reason{fillFailure(fill.err)}
	}
	rules := h.gateRules(j, fill.received, true)
	head := fill.head()
	var reasons []policies.Reason
	if j.updates(fill) {
		if reasons = gate.CheckUpdate(head.Header, rules); !sameVersion(j.stale, head.Header) {
			reasons = append(reasons, policies.ReasonValidatorMismatch)
		}
		head.Status, head.Header = j.stale.Status, h.freshened(j, fill)
	}
	for _, reason := range gate.Check(head, rules) {
		if !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	switch {
	case head.Status >= 500 && (reasons != nil || j.standby != nil):
		// An error never takes the place of what it may be answered with.
		reasons = append([]policies.Reason{policies.ReasonOriginError}, reasons...)
	case j.standby != nil && requestError(head.Status):
		reasons = append([]policies.Reason{policies.ReasonStatus}, reasons...)
	}
	if reasons == nil && (reflects(j.parts.Forwarded(), fill.writer.final) || reflects(j.host(), fill.writer.final)) {
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
	unkeyed := slices.Concat(j.parts.Forwarded(), j.host())
	if len(unkeyed) > 0 && gate.Encoded(fill.writer.final) {
		return []policies.Reason{policies.ReasonEncodingUnreadable} // they may be in there
	}
	body, _ := fill.spool.body()
	for _, field := range unkeyed {
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
	rule := j.rule
	return gate.Rules{
		Statuses:       func(status int) bool { _, ok := rule.TTL(status); return ok },
		Path:           j.path,
		Operator:       rule.Cache.Kind == policies.CacheTTL,
		Given:          func(status int) bool { given, _ := rule.TTL(status); return given > 0 },
		Reader:         reader(rule),
		Heuristic:      rule.Heuristic,
		Errors:         rule.ErrorTTL > 0,
		Vouched:        rule.Vouches,
		Validate:       rule.Cache.Kind == policies.CacheOrigin && !rule.Corroborate,
		Authorized:     j.authorized(),
		AllowSetCookie: rule.StripSetCookie,
		Declared:       rule.Covers,
		OriginKeyed:    rule.Keys("Origin"),
		WantIdentity:   identity,
		Received:       received,
	}
}

// answer is what a complete fill is compared by.
func (f *fill) answer(j *job) gate.Answer {
	body, whole := f.spool.body()
	return gate.Answer{
		Status: f.writer.status,
		Header: httpcache.StoredFields(f.writer.final, j.rule.Vouches),
		Body:   gate.Body{Sum: blake3.Sum256(body), Size: int64(len(body)), Kept: body, Whole: whole, Readable: whole},
	}
}

// refuseKey turns a fill away for what the origin answered to canonical requests.
// That follows from the key alone, so the refusal is remembered for longer each
// time, and what was stored under the key, now proved not to be shareable, goes.
func (h *Handler) refuseKey(j *job, f *flight, fill *fill, d *gate.Divergence, reasons []policies.Reason) {
	switch first := reasons[0]; {
	case j.head:
		// Says nothing about what a GET gets, unless it is what is stored.
		if j.updates(fill) {
			h.forget(j)
		}
	case first == policies.ReasonMemoryFull, first == policies.ReasonFillAborted && h.workers.ctx.Err() != nil:
		// Says nothing about the key; aborted by a reload, not by the time limit.
	case first == policies.ReasonFillAborted, first == policies.ReasonOriginError, first == policies.ReasonTruncated,
		momentary(fill.writer.status):
		h.shared.refusals.Remember(j.lane, first, originRefusal, false)
	case j.influenced() && requestError(fill.writer.status):
		h.shared.refusals.Remember(j.lane, first, originRefusal, false)
	default:
		length, grow := gateRefusal, true
		switch {
		case j.varied():
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
		h.forget(j)
	}
	h.refused(j, f, fill, d, reasons)
}

// forget drops what is stored where the fill's response would be.
func (h *Handler) forget(j *job) {
	if err := store.Drop(h.shared.store, &h.shared.keyLocks, j.key, j.at, []byte(j.bytes)); err != nil {
		h.recordFault(j.rule.Name, policies.ReasonStoreFault, err)
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
	return h.checkBody(j, second) == nil && gate.Compare(first.answer(j), second.answer(j)) == nil
}
