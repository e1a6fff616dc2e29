package explain

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/gate/markers"
	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/policies"
)

// The bounds of the proxy.
const (
	defaultMaxObject = 8 << 20
	maxRatio         = 200
	decodeTime       = 5 * time.Second
)

// FillAddress is the address that a fill has instead of the visitor's (RFC 5737).
const FillAddress = "192.0.2.1"

// Response is an answer of the origin, whole.
type Response struct {
	Status int `json:"status"`
	// Header may have its names in any case.
	Header http.Header `json:"header"`
	// Body is as it was sent, in its content coding.
	Body []byte `json:"body,omitempty"`
	// Informational are the heads of 1xx responses before it.
	Informational []http.Header `json:"informational,omitempty"`
	// Received is when it was received. Zero: at its Date, or now if it has none.
	Received time.Time `json:"received,omitzero"`
}

// fill is a response as the gate sees it.
type fill struct {
	head     gate.Head
	received time.Time
	body     gate.Body
	header   http.Header // as it is stored
	state    *Judgement
	shared   *shared // nil where caches further on get no permission
}

func (e *Explanation) open(r Response) *fill {
	f := &fill{head: gate.Head{Status: r.Status, Header: make(http.Header, len(r.Header)), Informational: r.Informational}, received: r.Received}
	for name, lines := range r.Header {
		name = http.CanonicalHeaderKey(name)
		f.head.Header[name] = append(f.head.Header[name], lines...)
	}
	if f.received.IsZero() {
		var err error
		if f.received, err = http.ParseTime(f.head.Header.Get("Date")); err != nil {
			f.received = time.Now()
		}
	}
	f.header = f.head.Header
	return f
}

// Judge says what becomes of the response if it is the answer to the canonical request,
// and enters it as Response. A request that is not for the cache has nothing judged:
// its answer is its visitor's alone, for the reasons that the verdict has.
func (e *Explanation) Judge(r Response) {
	f := e.open(r)
	j := &Judgement{Status: r.Status, First: cachingFields(e.refusal(e.rule.Profile, r.Header), e.rule.Profile.VaryCookie)}
	f.state, e.Response, e.fill = j, j, f
	if !e.cache {
		j.Reasons = e.Verdict.Reasons
		return
	}
	if e.rule.Relay && !e.rule.Corroborate {
		j.First = nil
		j.Notes = append(j.Notes, "The first visitor is told what the origin says to caches, unless something else than the origin's own word speaks against sharing.")
	}
	reasons := e.judgeHead(f)
	if reasons == nil {
		reasons = e.judgeBody(f, r.Body)
	}
	if reasons == nil {
		reasons = e.store(f)
	}
	j.Reasons = reasonsOf(reasons)
	if j.Stored = reasons == nil; !j.Stored {
		j.Lifetime, j.LifetimeBy, j.Hit, j.Validated = 0, "", nil, false
	}
	if j.Stored && e.req.Method == http.MethodHead && !e.rule.Corroborate {
		j.Stored = false
		j.Notes = append(j.Notes, "The answer to a HEAD makes no object; that to a GET would.")
	}
	if e.Observed {
		j.First = nil // nothing is changed
	}
	if j.Stored && e.withheld(f) {
		j.First = cachingFields(j.Hit, false) // the object, as everybody gets it
	}
	if j.Stored && len(j.Markers) > 0 {
		j.Notes = append(j.Notes, "On a corroborated route a marker is no refusal by itself: two answers have to agree, in the markers as well.")
	}
}

// withheld says whether the visitor who caused the fill waits for its verdict and gets
// the object: a part can be cut out of nothing else, and a coding that nobody asked for
// is undone.
func (e *Explanation) withheld(f *fill) bool {
	return !e.rule.Corroborate && !e.rule.Relay &&
		(e.req.Header["Range"] != nil || e.rule.InspectBody && gate.Encoded(f.head.Header))
}

// judgeHead is what speaks against sharing before the body is known.
func (e *Explanation) judgeHead(f *fill) []policies.Reason {
	reasons := gate.Check(f.head, e.rules(f, true))
	if reasons != nil {
		if f.head.Status >= 500 {
			reasons = append([]policies.Reason{policies.ReasonOriginError}, reasons...)
		}
		return reasons
	}
	for _, needles := range e.needles(f.head.Header) {
		if needles.Cut() {
			return []policies.Reason{policies.ReasonInspectionIncomplete}
		}
		f.state.reflects(needles.InHeader(f.head.Header))
	}
	return f.state.reflected()
}

func (e *Explanation) rules(f *fill, canonical bool) gate.Rules {
	authorized := slices.ContainsFunc(e.parts.Forwarded(), func(f policies.Field) bool { return f.Name == "Authorization" })
	return gate.RulesOf(e.rule, e.req.Path, f.received, canonical, authorized)
}

// needles are the values that the fill carried without their being keyed, and those
// that the origin might have varied on and did not.
func (e *Explanation) needles(head http.Header) []*gate.Needles {
	var carried, ignored []policies.Input
	for _, f := range e.parts.Forwarded() {
		carried = append(carried, policies.Input{Kind: policies.InputHeader, Name: f.Name, Value: f.Value})
	}
	if e.rule.ForwardAddress && e.from.Address != "" {
		carried = append(carried, policies.Input{Kind: policies.InputAddress, Value: e.from.Address})
	}
	names, _ := httpcache.VaryNames(head)
	for _, f := range e.parts.Varying {
		if !slices.Contains(names, f.Name) {
			ignored = append(ignored, policies.Input{Kind: policies.InputHeader, Name: f.Name, Value: f.Value})
		}
	}
	var sought []*gate.Needles
	for _, n := range []*gate.Needles{gate.NewNeedles(carried, gate.Any), gate.NewNeedles(ignored, gate.Telling)} {
		if n != nil {
			sought = append(sought, n)
		}
	}
	return sought
}

// judgeBody is what speaks against sharing once the body is there.
func (e *Explanation) judgeBody(f *fill, body []byte) []policies.Reason {
	if int64(len(body)) > e.maxObject() {
		return []policies.Reason{policies.ReasonTooLarge}
	}
	if brokeOff(f.head.Header, body) {
		return []policies.Reason{policies.ReasonTruncated}
	}
	sought := e.needles(f.head.Header)
	if reason := e.decode(f, body, len(sought) > 0); reason != policies.ReasonNone {
		return []policies.Reason{reason}
	}
	inspect, legible := e.rule.InspectBody, gate.Legible(f.head.Header)
	plain := f.body.Kept
	if (inspect && !e.rule.Corroborate || len(sought) > 0) && legible && !gate.ASCIIBased(f.head.Header, plain) {
		return []policies.Reason{policies.ReasonEncodingUnreadable}
	}
	for _, needles := range sought {
		f.state.reflects(needles.InBody(plain))
	}
	if reasons := f.state.reflected(); reasons != nil || !inspect || !legible {
		return reasons
	}
	found, whole := markers.Detect(markers.Page{Header: f.head.Header, Body: plain}, e.rule.Tolerates)
	f.state.mark(found)
	switch {
	case e.rule.Corroborate: // two answers have to agree, in the markers as well
	case len(found) > 0:
		return []policies.Reason{policies.ReasonStateInBody}
	case !whole:
		return []policies.Reason{policies.ReasonInspectionIncomplete}
	}
	return nil
}

// brokeOff says whether a part of the body that the head announces is missing. A head
// without any body is judged by itself.
func brokeOff(h http.Header, body []byte) bool {
	announced, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	return err == nil && len(body) > 0 && int64(len(body)) < announced
}

func (e *Explanation) maxObject() int64 { return cmp.Or(e.from.MaxObject, defaultMaxObject) }

// decode undoes the content coding, as far as the route looks into bodies at all.
func (e *Explanation) decode(f *fill, body []byte, sought bool) policies.Reason {
	inspect := e.rule.InspectBody
	f.body = gate.Body{Size: int64(len(body)), Kept: body, Whole: true, Readable: true}
	if !gate.Encoded(f.head.Header) {
		return policies.ReasonNone
	}
	decoded := e.readBody(f.head.Header, body)
	switch {
	case !inspect && !decoded.Readable:
		f.body.Opaque = true
	case !inspect && (decoded.Whole || !sought):
		f.body = decoded
	case !decoded.Readable:
		return policies.ReasonEncodingUnreadable
	case !decoded.Whole:
		return policies.ReasonMemoryFull
	default:
		f.body, f.header = decoded, httpcache.WithoutCoding(f.head.Header)
	}
	return policies.ReasonNone
}

func (e *Explanation) readBody(h http.Header, body []byte) gate.Body {
	recorder := gate.NewRecorder(h["Content-Encoding"], gate.Limits{
		Keep: e.maxObject(), Decoded: e.maxObject(), Ratio: maxRatio, Time: decodeTime, Opaque: !e.rule.InspectBody,
	})
	_, _ = recorder.Write(body) // never fails
	return recorder.Close()
}

func (j *Judgement) reflected() []policies.Reason {
	if len(j.Reflections) == 0 {
		return nil
	}
	return []policies.Reason{policies.ReasonReflectsInput}
}

func (j *Judgement) reflects(found []gate.Reflection) {
	for _, r := range found {
		j.Reflections = append(j.Reflections, Reflection{
			Input: r.Input.String(), Field: r.Field, Near: policies.Told(r.Near), Offset: r.Offset, Coding: r.Coding,
		})
	}
}

func (j *Judgement) mark(found []markers.Marker) {
	catalogue := policies.Detectors()
	for _, m := range found {
		told := Marker{ID: m.ID, Near: policies.Told(m.Near), Offset: m.Offset}
		if i := slices.IndexFunc(catalogue, func(d policies.Detector) bool { return d.ID == m.ID }); i >= 0 {
			told.Finds, told.Advice = catalogue[i].Finds, catalogue[i].Advice
		}
		j.Markers = append(j.Markers, told)
	}
}
