package caddymodule

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/gate/markers"
	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// observer lets an answer pass as it is and notes what the gate would say of it: of its
// head, and of what in it speaks of this visitor. What a bypass answers to is looked
// at, too: whether it repeats a cookie is what decides if that cookie can be stripped.
// What would have become of the request as a whole it asks the shadow.
type observer struct {
	*caddyhttp.ResponseWriterWrapper
	x             *exchange
	status        int
	informational []http.Header // heads of 1xx responses
	written       int64
	writeErr      error

	needles  *gate.Needles
	recorder *gate.Recorder // nil where the body is not recorded
	kept     *claim         // nil where it is not looked into
	header   http.Header
	outer    http.Header // what handlers above had set before
	received time.Time

	key        store.Key         // in the shadow
	comparable bool              // the answer can be held against others
	unlearnt   bool              // the answer says nothing about what others would get
	foretold   []policies.Reason // why, if that was known before the answer
}

// maxInterim is how many interim responses are looked into.
const maxInterim = 8

func newObserver(x *exchange) *observer {
	o := &observer{
		ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: x.w},
		x:                     x,
		outer:                 maps.Clone(x.w.Header()),
	}
	o.foresee()
	return o
}

func (o *observer) WriteHeader(status int) {
	if status > 100 && status < 200 && status != http.StatusSwitchingProtocols && len(o.informational) < maxInterim {
		o.informational = append(o.informational, o.Header().Clone())
	}
	o.note(status)
	o.ResponseWriter.WriteHeader(status)
	o.x.leave()
}

func (o *observer) note(status int) {
	if o.status != 0 || status < 200 {
		return
	}
	o.status, o.received = status, time.Now()
	x := o.x
	x.changed(status, o.Header())
	o.header = o.Header().Clone()
	if x.verdict.Action == policies.ActCache && !o.ofCondition() {
		head := gate.Head{Status: status, Header: o.header, Informational: o.informational, Unseen: unseen(x.r.Context())}
		x.reasons = gate.Check(head, o.rules())
	}
	if x.rule.InspectBody {
		inputs := x.rule.Unkeyed(nil, &x.req)
		inputs = append(inputs, policies.Input{Kind: policies.InputAddress, Value: hostOf(x.r.RemoteAddr)})
		o.needles = gate.NewNeedles(inputs, gate.Telling)
	}
	if x.req.Method != http.MethodHead && !bodyless(status) {
		o.record()
	}
	// An answer that was under way when the route was tripped is told the same as those
	// that come after it.
	x.enter()
	if x.tripped() {
		httpcache.ForbidEverywhere(o.Header())
	}
}

// notePlain is note for an answer whose head is sent with what follows: that may take
// long, and nobody who trips must wait for it.
func (o *observer) notePlain() {
	o.note(http.StatusOK)
	o.x.leave()
}

func (o *observer) rules() gate.Rules {
	j := job{rule: o.x.rule, path: o.x.req.Path}
	if o.x.verdict.Action == policies.ActCache {
		j.parts = &o.x.parts
	}
	return o.x.h.gateRules(&j, o.received, false)
}

// ofCondition says whether the answer is to a condition or a range that the request
// had, and not the page.
func (o *observer) ofCondition() bool {
	switch o.status {
	case http.StatusPartialContent, http.StatusNotModified, http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable:
		return !o.comparable
	}
	return false
}

// record has the body taken down: kept, where it will be looked into, and else summed up
// where it decides what would have become of the request.
func (o *observer) record() {
	x := o.x
	limits := gate.Limits{
		Decoded: x.h.limits.maxObject, Ratio: maxRatio, Time: decodeTime, Opaque: !x.rule.InspectBody,
	}
	declared := o.undecided() && x.h.harmless[x.rule] != nil
	switch {
	case gate.Legible(o.header) && (x.rule.InspectBody || declared):
		o.kept = x.h.shared.observed.claim(x.h.limits.compareKeep)
		limits.Keep, limits.More = o.kept.bytes.Load(), o.kept.more
	case !o.undecided():
		return
	}
	o.recorder = gate.NewRecorder(o.header["Content-Encoding"], limits)
}

// look is for when the answer is complete.
func (o *observer) look() {
	x := o.x
	x.size = o.written
	found := appendReflections(nil, o.needles.InHeader(o.header))
	if o.needles.Cut() {
		o.add(policies.ReasonInspectionIncomplete)
	}
	body := gate.Body{Whole: true, Readable: true}
	if o.recorder != nil {
		body = o.recorder.Close()
		if o.kept != nil && x.rule.InspectBody {
			found = o.lookInto(body, found)
		}
	}
	if slices.ContainsFunc(found, func(f finding) bool { return f.kind == foundReflection }) {
		o.add(policies.ReasonReflectsInput)
	}
	if len(found) > 0 {
		(&job{rule: x.rule, parts: &x.parts}).withhold(nil, found)
		x.findings = found
	}
	o.conclude(body)
}

// lookInto adds what is found in the body, and notes what enforce would refuse it for.
func (o *observer) lookInto(body gate.Body, found []finding) []finding {
	x := o.x
	switch {
	case !body.Readable:
		o.add(o.unreadable())
		return found
	case !gate.ASCIIBased(o.header, body.Kept):
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

// unreadable says why the body could not be recorded to its end.
func (o *observer) unreadable() policies.Reason {
	if o.written > o.x.h.limits.maxObject {
		return policies.ReasonTooLarge
	}
	return policies.ReasonEncodingUnreadable
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
	}
	if o.kept != nil {
		o.kept.done()
		o.kept.done()
	}
	if o.undecided() { // the answer broke off, or there was none
		o.would(OutcomePass)
		o.add(policies.ReasonFillAborted)
	}
}

func (o *observer) Write(p []byte) (int, error) {
	o.notePlain()
	if o.recorder != nil {
		_, _ = o.recorder.Write(p) // never fails
	}
	n, err := o.ResponseWriter.Write(p)
	o.wrote(int64(n), err)
	return n, err
}

func (o *observer) ReadFrom(r io.Reader) (int64, error) {
	o.notePlain()
	if o.recorder != nil {
		return io.Copy(struct{ io.Writer }{o}, r)
	}
	n, err := o.ResponseWriterWrapper.ReadFrom(r)
	o.wrote(n, err)
	return n, err
}

func (o *observer) wrote(n int64, err error) {
	o.written += n
	if err != nil {
		o.writeErr = err
	}
}

// FlushError commits the head, so it is noted first.
func (o *observer) FlushError() error {
	o.notePlain()
	return http.NewResponseController(o.ResponseWriter).Flush()
}
