package caddymodule

import (
	"fmt"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// record counts the request and writes its record, if it is one that is written.
func (x *exchange) record() {
	if x.outcome == "" {
		return // the phase never got that far: a panic from below is passing through
	}
	h, took := x.h, time.Since(x.started)
	m := h.meter(x.rule)
	m.request(x.outcome, took)
	if len(x.reasons) > 0 {
		m.refusal(x.reasons[0])
	}
	x.unanswered()
	a := &x.attributed
	attributed := a.Landing != "" || a.LeftOut != "" || a.Dropped != "" || a.Delivered != "" || a.Withheld != ""
	if attributed {
		x.countAttribution(m)
	}
	if h.audit.Takes(x.event, attributed) {
		x.writeRecord(took, attributed)
	}
}

// writeRecord hands the record to the log.
func (x *exchange) writeRecord(took time.Duration, attributed bool) {
	rec := audit.Record{
		Event:      x.event,
		Route:      x.ruleName(),
		Outcome:    string(x.outcome),
		Mode:       string(x.rule.Mode),
		Would:      x.would,
		Reasons:    x.reasons,
		Key:        x.key,
		Method:     x.req.Method,
		Scheme:     x.req.Scheme,
		Host:       x.req.Host,
		Path:       x.req.EscapedPath,
		Query:      x.req.RawQuery,
		Status:     x.status,
		Object:     x.fill,
		Size:       x.size,
		Coding:     x.coding,
		OriginTime: x.originTime,
		Duration:   took,
	}
	x.identify(&rec)
	rec.Probe = x.probe != nil
	if x.cause.Kind != "" && len(x.reasons) > 0 && x.reasons[0] == x.causes {
		rec.Detail = x.cause.String()
	}
	if attributed {
		a := x.attributed // the exchange will be another's before it is written
		rec.Attribution = &a
	}
	if x.findings != nil {
		rec.Findings = x.findings
	}
	if o := x.object; o != nil {
		rec.Object, rec.TTL, rec.Age, rec.Size = o.ID, o.TTL(x.started), o.Age(x.started), int64(len(o.Body))
	}
	plain := x.rule.Plain
	if rule, receiver := x.rule, x.receiver; receiver != nil {
		// The exchange will be another's before it is asked.
		plain = func(param string) bool { return rule.Plain(param) || receiver.Takes(param) }
	}
	x.h.audit.WriteTaken(&rec, plain)
}

// note keeps the input that a verdict is about, for the record.
func (x *exchange) note(v *policies.Verdict) {
	if input, ok := v.Cause(); ok {
		x.cause, x.causes = input, v.Reasons[0]
	}
}

// recordFill writes what became of a fill. There is no visitor in it.
func (h *Handler) recordFill(j *job, fill *fill, rec audit.Record) {
	rec.Route, rec.Mode = j.rule.Name, string(j.rule.Mode)
	rec.Key = j.key
	c := j.parts.Canonical()
	rec.Method, rec.Scheme, rec.Host, rec.Path, rec.Query = c.Method, c.Scheme, c.Host, c.EscapedPath, c.RawQuery
	rec.Status = fill.writer.status
	rec.OriginTime = fill.received.Sub(fill.requested)
	j.withhold(rec.Difference, fill.findings)
	if len(fill.findings) > 0 {
		rec.Findings = findings(fill.findings)
	}
	if len(rec.Reasons) > 0 && rec.Event != audit.EventWithdraw {
		h.meter(j.rule).refusal(rec.Reasons[0])
	}
	h.audit.Write(&rec, j.rule.Plain)
	h.announce(&rec)
}

func (h *Handler) recordRefresh(j *job) {
	c := j.parts.Canonical()
	h.audit.Write(&audit.Record{
		Event: audit.EventRefresh, Route: j.rule.Name, Mode: string(j.rule.Mode), Key: j.key,
		Method: c.Method, Scheme: c.Scheme, Host: c.Host, Path: c.EscapedPath, Query: c.RawQuery,
	}, j.rule.Plain)
}

// recordFault counts a fault of ours and says so in the log, where ops look.
func (h *Handler) recordFault(route string, reason policies.Reason, err error) {
	h.metrics.fault(reason)
	h.logger.Error("fault; the request goes to the origin",
		zap.String("route", route), zap.Stringer("reason", reason), zap.Error(err))
	h.audit.Write(&audit.Record{
		Event: audit.EventFault, Route: route, Outcome: string(OutcomeFault),
		Reasons: []policies.Reason{reason}, Err: err,
	}, nil)
}

// recordPanic is recordFault for a panic while a fill was being judged. Those who
// wait for the verdict go on with their own requests.
func (h *Handler) recordPanic(v any) {
	h.recordFault("", policies.ReasonInternalFault, fmt.Errorf("panic while judging: %v\n%s", v, debug.Stack()))
}

// warnSuspended says once, loudly, that a route is not what its policy takes it
// for, and where to look.
func (h *Handler) warnSuspended(j *job, d *gate.Divergence) {
	h.logger.Error(fmt.Sprintf("route %q keeps diverging: its pages hold something made for one visitor or one request; "+
		"it is not tried for %s, and every request goes to the origin", j.rule.Name, store.DefaultSuspension),
		zap.String("route", j.rule.Name), zap.Object("divergence", difference{d}))
}

// warnWithdrawn says loudly that a page which was shared is not to be any more.
func (h *Handler) warnWithdrawn(j *job, object string, why policies.Reason) {
	h.logger.Error(fmt.Sprintf("a page of route %q was shared until now and is so no more (%s); what was stored is dropped; "+
		"look for the record of the event withdraw, and for those who were served object %s", j.rule.Name, why, object),
		zap.String("route", j.rule.Name), zap.String("object", object), zap.Stringer("reason", why))
}

// warnTripped says loudly that caching has stopped, and how to have it go on.
func (h *Handler) warnTripped(t control.Tripped) {
	h.logger.Error("caching is tripped: nothing is stored or served from the store until someone runs `cacheward reset`",
		zap.String("scope", tripScope(t.Route)), zap.String("why", t.Why), zap.String("by", t.By))
}
