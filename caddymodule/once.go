package caddymodule

import (
	"net/http"
	"strconv"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// once sends the canonical request first. If its head passes the gate, the fill is
// given to the visitor who caused it; if not, their own request goes out, unless the
// fill was that already.
//
// The fill runs in this goroutine. A short one is here, judged and admitted before the
// visitor gets it. Of a long one the visitor is given what has come while the rest
// comes: that, and the judging, go on aside.
func (x *exchange) once(f *flight) error {
	x.to(filling)
	h, j := x.h, x.job()
	fill, r := h.newFill(j, f.overflowed)
	gated := make(chan []policies.Reason, 1)
	judge := func() { h.judgeOnce(j, f, fill, gated) }
	give := func() error { return x.give(j, f, fill, gated) }
	if x.streams(j) {
		fill.spool.attach()
		fill.interim = x.passInterim
	}
	var others *aside
	fill.writer.headed = func() (read bool) {
		if fill.short() {
			return false
		}
		if !h.workers.run(judge) {
			give = func() error { return x.abandon(f, fill) }
		}
		others = begin(give)
		return true
	}
	if !fill.begin(h.workers) {
		return x.abandon(f, fill)
	}
	fill.run(j.next, r, h.logger)
	if others != nil {
		return others.end()
	}
	if !h.workers.here(judge) {
		return x.abandon(f, fill)
	}
	return give()
}

// streams says whether the visitor can be given the fill as it arrives. A part of the
// response can be cut out of it only when it is complete.
func (x *exchange) streams(j *job) bool {
	return (x.r.Method == http.MethodGet || j.head) && x.r.Header["Range"] == nil
}

// abandon is for a fill that the end of the config has ended.
func (x *exchange) abandon(f *flight, fill *fill) error {
	fill.stop()
	x.h.shared.flights.leave(f)
	return x.own(OutcomePass, policies.ReasonFillAborted)
}

// give answers the visitor who caused the fill, as soon as its head is judged.
func (x *exchange) give(j *job, f *flight, fill *fill, gated <-chan []policies.Reason) error {
	reasons, judged := x.awaitGate(gated)
	switch {
	case !judged && x.r.Context().Err() != nil:
		fill.leave()
		return x.own(OutcomeFill, policies.ReasonFillAborted)
	case !judged: // a panic
		fill.stop()
		return x.own(OutcomeFault, policies.ReasonInternalFault)
	case reasons != nil:
		return x.refused(j, fill, reasons)
	case j.validated(fill) || !x.streams(j) || x.rebuilt(fill):
		fill.leave()
		return x.afterVerdict(f)
	}
	x.to(served)
	x.event, x.outcome, x.fill = audit.EventServe, OutcomeFill, fill.id
	if x.rule.Relay {
		x.relayed = j.head || x.awaitVerdict(f, fill.writer.final)
	}
	if x.admitted == nil && f.landed() && f.object != nil && f.object.ID == fill.id {
		x.admitted = f.object
	}
	return x.stream(j, fill, nil)
}

// aside is what goes on in another goroutine for a request whose own is the fill's.
type aside struct {
	done     chan struct{}
	err      error
	panicked any
}

func begin(answer func() error) *aside {
	a := &aside{done: make(chan struct{})}
	go func() {
		defer close(a.done)
		defer func() { a.panicked = recover() }()
		a.err = answer()
	}()
	return a
}

// end waits for it. A panic, such as the one that has net/http break a response off,
// goes on in the request's own goroutine.
func (a *aside) end() error {
	<-a.done
	if a.panicked != nil {
		panic(a.panicked)
	}
	return a.err
}

// rebuilt says whether the fill is not what will be stored: it has a content coding
// that nobody asked for, and perhaps this visitor cannot read.
func (x *exchange) rebuilt(f *fill) bool {
	return x.rule.InspectBody && x.r.Method == http.MethodGet && gate.Encoded(f.writer.final)
}

// awaitVerdict says whether the fill has become an object, or was turned away for what
// the origin itself says of it, as soon as that is known and not for ever. Until it is
// known, caches further on get no permission.
func (x *exchange) awaitVerdict(f *flight, header http.Header) bool {
	timer := time.NewTimer(x.h.limits.wait)
	defer timer.Stop()
	select {
	case <-f.done:
		x.admitted = f.object
		return x.relays(f.reasons, header)
	case <-timer.C:
	case <-x.r.Context().Done():
	}
	return false
}

// awaitGate waits for what the gate says of the fill's head. It is not judged if the
// visitor left or the judge did.
func (x *exchange) awaitGate(gated <-chan []policies.Reason) (reasons []policies.Reason, judged bool) {
	select {
	case reasons, judged = <-gated: // known, whether or not the visitor is still there
		return reasons, judged
	default:
	}
	select {
	case reasons, judged = <-gated:
		return reasons, judged
	case <-x.r.Context().Done():
		return nil, false
	}
}

// passInterim gives the visitor a 1xx response to the fill that they caused. It is
// nobody's state, it is not stored, and its fields are none of the final response's.
func (x *exchange) passInterim(i interim) {
	if !x.r.ProtoAtLeast(1, 1) {
		return // RFC 9110 §15.2
	}
	h := x.w.Header()
	added := make([]string, 0, len(i.header))
	for name, lines := range i.header {
		if h[name] == nil {
			h[name] = lines
			added = append(added, name)
		}
	}
	x.w.WriteHeader(i.status)
	for _, name := range added {
		delete(h, name)
	}
}

// refused is for the visitor whose fill the gate has refused.
func (x *exchange) refused(j *job, fill *fill, reasons []policies.Reason) error {
	if reasons[0] == policies.ReasonOriginError && x.staleIfError() {
		fill.leave()
		return x.serve(x.stale, OutcomeStale)
	}
	dead := !fill.writer.wroteFinal && (reasons[0] == policies.ReasonOriginError || reasons[0] == policies.ReasonTruncated)
	// What is spooled loses its trailers (RFC 9110 §6.5).
	trailers := fill.writer.final["Trailer"] != nil
	if !j.whole || j.validated(fill) || trailers || !fill.writer.wroteFinal && !dead {
		fill.leave()
		return x.own(OutcomeFill, reasons...)
	}
	x.ownPhase(OutcomeFill, reasons)
	if !dead {
		return x.stream(j, fill, reasons)
	}
	// The origin has been asked the visitor's own question, and failed.
	fill.leave()
	x.to(failed)
	x.forbid()
	return originFailure(fill.err)
}

// afterVerdict is for the visitor who is given what their fill has become, rather
// than the fill.
func (x *exchange) afterVerdict(f *flight) error {
	timer := time.NewTimer(x.h.limits.wait)
	defer timer.Stop()
	select {
	case <-f.done:
	case <-timer.C:
		return x.own(OutcomePass, policies.ReasonWaitTimeout)
	case <-x.r.Context().Done():
		return x.own(OutcomePass, policies.ReasonWaitTimeout)
	}
	switch {
	case f.object == nil:
		return x.own(OutcomeFill, f.reasons...)
	case x.stale != nil && f.object.ID == x.stale.ID:
		return x.serve(f.object, OutcomeRevalidated)
	}
	return x.serve(f.object, OutcomeFill)
}

// stream gives the visitor the fill that they caused, as it arrives. With reasons
// it is not to be shared, and theirs alone with everything in it.
func (x *exchange) stream(j *job, fill *fill, reasons []policies.Reason) error {
	defer fill.leave()
	head := fill.head()
	h := x.w.Header()
	personal := httpcache.HasPerVisitor(h) // set by a handler above
	x.enter()                              // permission may go out with it
	switch {
	case reasons != nil:
		copyFields(h, store.FieldsOf(httpcache.ForwardedFields(head.Header)), true, 0)
	case x.admitted != nil:
		copyFields(h, x.admitted.Header, true, 0)
	default:
		copyFields(h, store.FieldsOf(httpcache.StoredFields(head.Header, x.rule.Vouches)), true, 0)
	}
	if reasons == nil { // of a refused response they are among the fields
		h["Cache-Status"] = append(h["Cache-Status"], head.Header["Cache-Status"]...)
	}
	if age := fill.age + time.Since(fill.received); age >= time.Second {
		h["Age"] = []string{strconv.FormatInt(int64(age/time.Second), 10)}
	}
	if x.admitted != nil && x.revoked(x.admitted) != policies.ReasonNone {
		x.relayed = false // caches further on must not bring back what was purged
	}
	switch {
	case x.stopsEverywhere():
		httpcache.ForbidEverywhere(h)
	case !personal && (reasons != nil || x.relayed) && x.relays(reasons, head.Header):
		httpcache.RelayStored(h, httpcache.TargetedFields(head.Header))
	default:
		httpcache.ForbidAs(h, x.rule.Profile)
	}
	status := x.cacheStatus()
	status.FwdStatus = head.Status
	status.Stored = reasons == nil && !j.head && fill.storable()
	status.Append(h)
	x.status = head.Status
	if reasons == nil && head.Status == http.StatusOK && httpcache.Conditional(x.r.Header) {
		switch httpcache.Evaluate(x.r.Method, x.r.Header, httpcache.StoredFields(head.Header, x.rule.Vouches)) {
		case httpcache.NotModified:
			return x.notModified()
		case httpcache.PreconditionFailed:
			return x.preconditionFailed()
		}
	}
	if length, ok := head.Header["Content-Length"]; ok {
		h["Content-Length"] = append([]string(nil), length...)
	}
	x.writeHead(x.status)
	if x.r.Method == http.MethodHead {
		x.ends(reasons)
		return nil
	}
	err := fill.spool.copyTo(x.r.Context(), &countingWriter{x}, func() {
		_ = http.NewResponseController(x.w).Flush() // where it cannot be flushed it goes out later
	})
	if err != nil {
		// The origin broke off, or the visitor did. In either case they must not
		// take what they have for the whole.
		panic(http.ErrAbortHandler)
	}
	x.ends(reasons)
	return nil
}

// ends notes that a fill which is the visitor's own answer has been given.
func (x *exchange) ends(reasons []policies.Reason) {
	if reasons != nil {
		x.to(answered)
	}
}

// relays says whether caches further on are told what the origin said of a response
// that is not admitted yet, or never: on routes that leave it to the origin, and only
// where nothing speaks against sharing or the origin itself said so. What the gate
// found on its own account they must not learn the hard way.
func (x *exchange) relays(reasons []policies.Reason, header http.Header) bool {
	if !x.rule.Relay || x.rule.Corroborate || x.tripped() || remade(x.w) {
		return false
	}
	for _, reason := range reasons {
		switch reason {
		case policies.ReasonPrivate, policies.ReasonNoStore, policies.ReasonNoCache, policies.ReasonNotFresh,
			policies.ReasonNotExplicit, policies.ReasonOriginError, policies.ReasonRememberedRefusal:
		case policies.ReasonVaryStar:
			if !httpcache.VaryAny(header) {
				return false // it is damaged, and others may read it otherwise
			}
		case policies.ReasonAuthorization:
			// Caches further on do not share it either, unless this lets them (RFC
			// 9111 §3.5).
			if d := httpcache.ResponseDirectives(header); d.MustRevalidate || d.Public || d.HasSMaxAge {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// relaysOwn says whether caches further on are told what the origin said of the answer
// to a visitor's own request: only where it refuses.
func (x *exchange) relaysOwn(status int, header http.Header) bool {
	if x.outcome == OutcomeBypass || x.outcome == OutcomeFault {
		return false
	}
	if d := httpcache.ResponseDirectives(header); !d.Private && !d.NoStore {
		return false
	}
	j := job{rule: x.rule, parts: &x.parts, path: x.req.Path}
	return x.relays(gate.Check(gate.Head{Status: status, Header: header, Unseen: unseen(x.r.Context())}, x.h.gateRules(&j, time.Now(), false)), header)
}

type countingWriter struct{ x *exchange }

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.x.w.Write(p)
	c.x.size += int64(n)
	return n, err
}
