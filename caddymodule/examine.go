package caddymodule

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/gate/markers"
	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/policies"
)

const (
	// maxRatio is how many bytes one encoded byte of a body may become.
	maxRatio = 200
	// decodeTime is how long one body may take to decode.
	decodeTime = 5 * time.Second
)

// checkHead is what speaks against sharing before the body is known.
func (h *Handler) checkHead(j *job, fill *fill) []policies.Reason {
	if !fill.writer.wroteFinal {
		return []policies.Reason{fillFailure(fill.err)}
	}
	rules := h.gateRules(j, fill.received, true)
	head := fill.head()
	var reasons []policies.Reason
	if j.updates(fill) {
		if reasons = gate.CheckUpdate(head, rules); !sameVersion(j.stale, head.Header) {
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
	case j.standby != nil && gate.RequestError(head.Status):
		reasons = append([]policies.Reason{policies.ReasonStatus}, reasons...)
	case j.standby != nil && gate.Nowhere(head.Status, head.Header):
		reasons = append([]policies.Reason{policies.ReasonRedirectWithoutLocation}, reasons...)
	}
	if reasons != nil {
		return reasons
	}
	fill.sought = j.needles(fill.writer.final)
	for _, needles := range fill.sought {
		if needles.Cut() {
			return []policies.Reason{policies.ReasonInspectionIncomplete}
		}
		fill.findings = appendReflections(fill.findings, needles.InHeader(fill.writer.final))
	}
	if len(fill.findings) > 0 {
		return []policies.Reason{policies.ReasonReflectsInput}
	}
	return nil
}

// checkBody is what speaks against sharing once the fill has ended.
func (h *Handler) checkBody(j *job, fill *fill) []policies.Reason {
	if reason := fill.spool.reason(); reason != policies.ReasonNone {
		return []policies.Reason{reason}
	}
	if fill.err != nil {
		return []policies.Reason{fillFailure(fill.err)}
	}
	if trailer := fill.writer.trailer(); trailer != nil {
		if reasons := gate.CheckTrailer(trailer, h.gateRules(j, fill.received, true)); reasons != nil {
			return reasons
		}
	}
	if reason := h.open(j, fill); reason != policies.ReasonNone {
		return []policies.Reason{reason}
	}
	body := fill.opened.Kept
	if (j.rule.InspectBody && !j.rule.Corroborate || len(fill.sought) > 0) && gate.Legible(fill.writer.final) && !gate.ASCIIBased(fill.writer.final, body) {
		return []policies.Reason{policies.ReasonEncodingUnreadable}
	}
	for _, needles := range fill.sought {
		fill.findings = appendReflections(fill.findings, needles.InBody(body))
	}
	if len(fill.findings) > 0 {
		return []policies.Reason{policies.ReasonReflectsInput}
	}
	if !j.rule.InspectBody || !gate.Legible(fill.writer.final) {
		return nil
	}
	found, whole := markers.Detect(markers.Page{Header: fill.writer.final, Body: body}, j.rule.Tolerates)
	fill.findings = h.appendMarkers(fill.findings, j.rule, found, body)
	switch {
	case j.rule.Corroborate: // two answers have to agree, in the markers as well
	case len(found) > 0:
		return []policies.Reason{policies.ReasonStateInBody}
	case !whole:
		return []policies.Reason{policies.ReasonInspectionIncomplete}
	}
	return nil
}

// opened is a complete fill, decoded.
type opened struct {
	gate.Body
	// header and stored are what it is stored as.
	header http.Header
	stored []byte
}

// open decodes a complete fill. It asked for no coding, but some apps compress
// whatever they are asked. What is looked into is what is stored then: without the
// coding, and with an entity tag that promises no equal bytes (RFC 9110 §8.8.1).
func (h *Handler) open(j *job, fill *fill) policies.Reason {
	body, whole := fill.spool.body()
	if !whole {
		return policies.ReasonTruncated
	}
	o := opened{header: fill.writer.final, stored: body}
	if !gate.Encoded(o.header) {
		o.Body = gate.Body{Size: int64(len(body)), Kept: body, Whole: true, Readable: true}
		fill.opened = &o
		return policies.ReasonNone
	}
	recorder := gate.NewRecorder(o.header["Content-Encoding"], gate.Limits{
		Decoded: h.limits.maxObject, More: fill.spool.hold,
		Ratio: maxRatio, Time: decodeTime, Opaque: !j.rule.InspectBody,
	})
	_, _ = recorder.Write(body) // never fails
	switch o.Body = recorder.Close(); {
	case !j.rule.InspectBody && !o.Readable:
		// Believed to be what it says it is, and to be the same for everybody.
		o.Body = gate.Body{Size: int64(len(body)), Kept: body, Whole: true, Opaque: true, Readable: true}
	case !j.rule.InspectBody && (o.Whole || len(fill.sought) == 0):
	case !o.Readable:
		return policies.ReasonEncodingUnreadable
	case !o.Whole:
		return policies.ReasonMemoryFull
	default:
		o.header, o.stored = httpcache.WithoutCoding(o.header), o.Kept
	}
	fill.opened = &o
	return policies.ReasonNone
}

// answer is what a complete fill that has passed is compared by.
func (f *fill) answer(j *job) gate.Answer {
	return gate.Answer{Status: f.writer.status, Header: httpcache.StoredFields(f.writer.final, j.rule.Vouches), Body: f.opened.Body}
}

// compare says where two answers differ, if they do. Inputs are what the visitor whose
// own answer the first one is sent and the key has not.
func (h *Handler) compare(j *job, a, b gate.Answer, inputs []policies.Input) *gate.Divergence {
	if (a.Body.Opaque || b.Body.Opaque) && !slices.Equal(a.Header["Content-Encoding"], b.Header["Content-Encoding"]) {
		a.Body.Readable = false // bytes of two codings are not the same content
	}
	return gate.Compare(a, b, gate.Context{Inputs: inputs, StandIns: standIns, Harmless: h.harmless[j.rule]})
}

// standIns are what every fill says of the visitor.
var standIns = []policies.Input{
	{Kind: policies.InputAddress, Value: hostOf(fillAddress)},
	{Kind: policies.InputHeader, Name: "User-Agent", Value: policies.FillUserAgent},
}

// needles are the values that a fill carried without their being in the key: those
// that the route lets through, of which any occurrence counts, and those that the
// origin might have varied on and did not.
func (j *job) needles(head http.Header) []*gate.Needles {
	var sought []*gate.Needles
	if n := gate.NewNeedles(j.carried(), gate.Any); n != nil {
		sought = append(sought, n)
	}
	if len(j.parts.Varying) == 0 {
		return sought
	}
	var ignored []policies.Input
	names, _ := httpcache.VaryNames(head)
	for _, f := range j.parts.Varying {
		if !slices.Contains(names, f.Name) {
			ignored = append(ignored, policies.Input{Kind: policies.InputHeader, Name: f.Name, Value: f.Value})
		}
	}
	if n := gate.NewNeedles(ignored, gate.Telling); n != nil {
		sought = append(sought, n)
	}
	return sought
}

// carried is what the route sends of the visitor without keying it.
func (j *job) carried() []policies.Input {
	var inputs []policies.Input
	for _, f := range j.parts.Forwarded() {
		inputs = append(inputs, policies.Input{Kind: policies.InputHeader, Name: f.Name, Value: f.Value})
	}
	if j.address != "" {
		inputs = append(inputs, policies.Input{Kind: policies.InputAddress, Value: hostOf(j.address)})
	}
	return inputs
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
