package caddymodule

import (
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/gate/markers"
	"github.com/cacheward/cacheward/policies"
)

// observer lets an answer pass as it is and notes what the gate would say of it: of its
// head, and of what in it speaks of this visitor. What a bypass answers to is looked
// at, too: whether it repeats a cookie is what decides if that cookie can be stripped.
type observer struct {
	*caddyhttp.ResponseWriterWrapper
	x      *exchange
	status int

	needles  *gate.Needles
	recorder *gate.Recorder // nil where the body is not looked at
	kept     *claim
	header   http.Header
}

func newObserver(x *exchange) *observer {
	return &observer{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: x.w}, x: x}
}

func (o *observer) WriteHeader(status int) {
	o.note(status)
	o.ResponseWriter.WriteHeader(status)
}

func (o *observer) note(status int) {
	if o.status != 0 || status < 200 {
		return
	}
	o.status = status
	x := o.x
	x.changed(status, o.Header())
	if x.verdict.Action == policies.ActCache {
		j := job{rule: x.rule, path: x.req.Path}
		head := gate.Head{Status: status, Header: o.Header()}
		x.reasons = gate.Check(head, x.h.gateRules(&j, time.Now(), false))
	}
	if !x.rule.InspectBody {
		return
	}
	inputs := x.rule.Unkeyed(nil, &x.req)
	inputs = append(inputs, policies.Input{Kind: policies.InputAddress, Value: hostOf(x.r.RemoteAddr)})
	o.needles = gate.NewNeedles(inputs, gate.Telling)
	o.header = o.Header().Clone()
	if x.req.Method == http.MethodHead || bodyless(status) || !gate.Legible(o.header) {
		return
	}
	o.kept = x.h.shared.observed.claim(x.h.limits.compareKeep)
	o.recorder = gate.NewRecorder(o.header["Content-Encoding"], gate.Limits{
		Keep: o.kept.bytes.Load(), More: o.kept.more,
		Decoded: x.h.limits.maxObject, Ratio: maxRatio, Time: decodeTime,
	})
}

// look is for when the answer is complete.
func (o *observer) look() {
	x := o.x
	found := appendReflections(nil, o.needles.InHeader(o.header))
	if o.needles.Cut() {
		o.add(policies.ReasonInspectionIncomplete)
	}
	if o.recorder != nil {
		found = o.lookInto(o.recorder.Close(), found)
	}
	if slices.ContainsFunc(found, func(f finding) bool { return f.kind == foundReflection }) {
		o.add(policies.ReasonReflectsInput)
	}
	if len(found) > 0 {
		(&job{rule: x.rule, parts: &x.parts}).withhold(nil, found)
		x.findings = found
	}
}

// lookInto adds what is found in the body, and notes what enforce would refuse it for.
func (o *observer) lookInto(body gate.Body, found []finding) []finding {
	x := o.x
	switch {
	case !body.Readable, !gate.ASCIIBased(o.header, body.Kept):
		o.add(policies.ReasonEncodingUnreadable)
		return found
	case !body.Whole:
		o.add(policies.ReasonInspectionIncomplete)
		return found
	}
	found = appendReflections(found, o.needles.InBody(body.Kept))
	seen, whole := markers.Detect(markers.Page{Header: o.header, Body: body.Kept}, x.rule.Tolerates)
	found = x.h.appendMarkers(found, x.rule, seen, body.Kept)
	switch {
	case x.rule.Corroborate: // two answers would have to agree, in the markers as well
	case len(seen) > 0:
		o.add(policies.ReasonStateInBody)
	case !whole:
		o.add(policies.ReasonInspectionIncomplete)
	}
	return found
}

func (o *observer) add(reason policies.Reason) {
	if !slices.Contains(o.x.reasons, reason) {
		o.x.reasons = append(slices.Clip(o.x.reasons), reason)
	}
}

// end lets go of what was recorded, whatever became of the answer.
func (o *observer) end() {
	if o.recorder != nil {
		o.recorder.Close()
		o.kept.done()
		o.kept.done()
	}
}

func (o *observer) Write(p []byte) (int, error) {
	o.note(http.StatusOK)
	if o.recorder != nil {
		_, _ = o.recorder.Write(p) // never fails
	}
	return o.ResponseWriter.Write(p)
}

func (o *observer) ReadFrom(r io.Reader) (int64, error) {
	o.note(http.StatusOK)
	if o.recorder != nil {
		return io.Copy(struct{ io.Writer }{o}, r)
	}
	return o.ResponseWriterWrapper.ReadFrom(r)
}

// FlushError commits the head, so it is noted first.
func (o *observer) FlushError() error {
	o.note(http.StatusOK)
	return http.NewResponseController(o.ResponseWriter).Flush()
}
