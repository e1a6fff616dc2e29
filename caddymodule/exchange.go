package caddymodule

import (
	"errors"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// exchange is one request on its way through the handler. It belongs to the
// request's goroutine and is reused after it; what outlives the request takes a
// job instead.
type exchange struct {
	life
	h    *Handler
	w    http.ResponseWriter
	r    *http.Request
	next caddyhttp.Handler
	vars map[string]any // Caddy's, of the request

	started  time.Time
	req      policies.Request
	rule     *policies.Rule
	verdict  policies.Verdict
	parts    policies.Parts
	keyBytes []byte
	key      store.Key
	demands  httpcache.RequestDirectives
	// at is where the response is stored or would be: under the key, or, if
	// variants of it are known, where this request's is.
	at         store.Key
	variant    bool
	lane       store.Key  // where requests wait for each other, and refusals are remembered
	sent       store.Sent // sentField, bound once
	authorized bool       // has Authorization, on a route that shares in spite of it
	waited     bool
	found      *store.Object // whatever it is good for
	stale      *store.Object // not to be reused without validation

	// relayed says that what the origin tells caches may go out with the fill that is
	// being given to the visitor.
	relayed bool
	// admitted is what that fill has become, if it was waited for and is an object.
	admitted *store.Object

	// Where the exchange is while it answers by what is stored; see sections.
	section *section
	inside  bool
	span    trace.Span // nil where nobody traces the request
	// probe gives the answer its receipt; nil for all but signed probes.
	probe *receiptWriter

	// For the record.
	event      audit.Event
	outcome    Outcome
	would      string // on a route that observes: the outcome that there would have been
	reasons    []policies.Reason
	findings   findings
	cause      policies.Input // what the reason causes is about
	causes     policies.Reason
	object     *store.Object
	fill       string // ID of the object that the fill may become
	status     int
	originTime time.Duration
	size       int64
	coding     string                        // of the body, if a form of the object was served
	length     []string                      // Content-Length of the object, a line of this answer's own
	text       []byte                        // what is made for this answer alone; see made
	attributed audit.Attribution             // what the request had to do with who sent its visitor
	receiver   *policies.CompiledAttribution // to whose app its own values were delivered; nil: none
}

var exchanges = sync.Pool{New: func() any {
	x := new(exchange)
	x.sent = x.sentField
	x.section = processSections.assign()
	return x
}}

func (h *Handler) begin(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, vars map[string]any) *exchange {
	x := exchanges.Get().(*exchange)
	x.h, x.w, x.r, x.next, x.vars = h, w, r, next, vars
	x.started = time.Now()
	x.req = policies.Request{
		Method:       r.Method,
		Scheme:       scheme(r, vars),
		Host:         strings.ToLower(r.Host),
		Path:         r.URL.Path,
		EscapedPath:  r.URL.EscapedPath(),
		RawQuery:     r.URL.RawQuery,
		ForceQuery:   r.URL.ForceQuery,
		AbsoluteForm: r.URL.Host != "",
		Header:       r.Header,
		HasBody:      r.ContentLength != 0,
	}
	if strings.LastIndexByte(r.Host, ':') > strings.LastIndexByte(r.Host, ']') {
		x.req.Port = localPort(r)
	}
	if h.receipts != nil {
		x.receive()
	}
	x.startSpan()
	return x
}

// end records the request and gives the exchange back.
func (x *exchange) end() {
	x.leave()
	if x.probe != nil {
		x.probe.settle()
	}
	x.record()
	x.endSpan()
	parts := x.parts
	parts.Reset()
	*x = exchange{parts: parts, keyBytes: x.keyBytes[:0], text: x.text[:0], sent: x.sent, section: x.section}
	exchanges.Put(x)
}

// scheme is the visitor's. Only a proxy that the server trusts is believed about it.
func scheme(r *http.Request, vars map[string]any) string {
	if r.TLS != nil {
		return "https"
	}
	if lines := r.Header["X-Forwarded-Proto"]; len(lines) == 1 && lines[0] == "https" {
		if trusted, _ := vars[caddyhttp.TrustedProxyVarKey].(bool); trusted {
			return "https"
		}
	}
	return "http"
}

// localPort is the port that the request came in at.
func localPort(r *http.Request) string {
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return ""
	}
	_, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return ""
	}
	return port
}

// makeKey encodes the parts and digests them.
func (x *exchange) makeKey() bool {
	x.digestKey()
	return x.to(keyed)
}

// digestKey is makeKey for a request that stays in its phase.
func (x *exchange) digestKey() {
	// Handlers below may be chosen by the URL as it was before a rewrite
	// (handle_path), so two such URLs are two keys.
	orig, ok := x.r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if u := orig.URL; ok && u != nil && (u.Path != x.r.URL.Path || u.RawPath != x.r.URL.RawPath) {
		if was := u.EscapedPath(); was != x.req.EscapedPath {
			x.parts.OriginalPath = was
		}
	}
	x.parts.Server = x.h.place(serverOf(x.r))
	// Where handlers below look for files. Without these a fill would look in
	// the working directory.
	x.parts.Root, x.parts.FileSystem = variable(x.vars, rootVar), variable(x.vars, fileSystemVar)
	x.keyBytes = x.parts.AppendKey(x.keyBytes[:0])
	x.key = policies.Digest(x.keyBytes)
}

// What the directives root and fs set.
const (
	rootVar       = "root"
	fileSystemVar = "fs"
)

func variable(vars map[string]any, name string) string {
	if v := vars[name]; v != nil {
		return caddy.ToString(v)
	}
	return ""
}

// varsOf is Caddy's table of variables of the request; nil where it has none.
func varsOf(r *http.Request) map[string]any {
	vars, _ := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	return vars
}

func serverOf(r *http.Request) *caddyhttp.Server {
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	return server
}

// own gives the visitor the origin's answer to their own, untouched request.
func (x *exchange) own(outcome Outcome, reasons ...policies.Reason) error {
	x.ownPhase(outcome, reasons)
	return x.answer(nil, nil)
}

func (x *exchange) ownPhase(outcome Outcome, reasons []policies.Reason) {
	x.to(own)
	x.event, x.outcome, x.reasons = audit.EventBypass, outcome, reasons
}

// answer sends the visitor's request on and their answer back. deliver, where
// given, is told what the answer was, whatever happens, with as many of its bytes as
// there is memory for.
func (x *exchange) answer(kept *claim, deliver func(ownAnswer)) error {
	ow := &ownWriter{
		ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: x.w},
		cache:                 x.cacheStatus(),
		stripSetCookie:        x.rule.StripSetCookie && x.outcome != OutcomeBypass,
		profile:               x.rule.Profile,
		everywhere:            x.stopsEverywhere,
	}
	if x.staleIfError() {
		ow.holdErrors = x.staleIfError
	}
	if x.rule.Relay {
		ow.relays = x.relaysOwn
	}
	if changes(x.r.Method, http.StatusOK) {
		ow.onHead = x.changed
	}
	var err error
	returned := false
	if deliver != nil {
		ow.watch = newWatch(gate.Limits{
			Keep:    kept.bytes.Load(),
			More:    kept.more,
			Decoded: x.h.limits.maxObject,
			Ratio:   maxRatio,
			Time:    decodeTime,
			Opaque:  !x.rule.InspectBody,
		})
		// A panic from below (http.ErrAbortHandler) goes on up to net/http, so
		// that the visitor sees the broken transfer; but first the watch ends.
		defer func() {
			if !returned {
				err = http.ErrAbortHandler
			}
			deliver(ow.answer(x.r, err))
		}()
	}
	var before http.Header
	if ow.holdErrors != nil {
		before = maps.Clone(x.w.Header())
	}
	expect(x.r.Context())
	began := time.Now()
	err = x.next.ServeHTTP(ow, x.r)
	returned = true
	x.originTime = time.Since(began)
	if !ow.headed.IsZero() {
		x.h.meter(x.rule).answered(ow.headed.Sub(began))
	}
	x.status, x.size = ow.status, ow.written
	if ow.holdErrors != nil && x.failed(ow, err) {
		// The error's fields are none of the object's.
		clear(x.w.Header())
		maps.Copy(x.w.Header(), before)
		return x.serve(x.stale, OutcomeStale)
	}
	if err != nil {
		x.to(failed)
		// What error routes will write is nobody's page either.
		if !ow.wroteFinal {
			x.forbid()
		}
		return err
	}
	if !ow.wroteFinal {
		// Nobody wrote: net/http or a handler above will.
		x.forbid()
	}
	x.to(answered)
	return nil
}

// failed says whether the origin did, in a way that stale_if_error is about.
func (x *exchange) failed(ow *ownWriter, err error) bool {
	if ow.held {
		return true
	}
	if err == nil || ow.wroteFinal {
		return false
	}
	he, ok := errors.AsType[caddyhttp.HandlerError](err)
	return ok && he.StatusCode >= 500 && x.staleIfError()
}

// originFailure is the error that a failed fill ends with for the visitor whose own
// request it was.
func originFailure(err error) error {
	if _, ok := errors.AsType[caddyhttp.HandlerError](err); ok {
		return err
	}
	return caddyhttp.Error(http.StatusBadGateway, err)
}

// staleIfError says whether there is an object that may stand in for a failing
// origin (RFC 5861 §4).
func (x *exchange) staleIfError() bool {
	if x.stale == nil || x.demands.NoCache || x.revoked(x.stale) != policies.ReasonNone {
		return false
	}
	if time.Since(x.started) >= store.InvalidationMemory {
		return false // what has revoked it meanwhile may be forgotten
	}
	// One that is fresh still, but not as new as the request would have it, will do.
	now := time.Now()
	_, onError := x.stale.MayServeStale(now)
	return onError || x.stale.Fresh(now)
}

// forbid tells caches further on to keep what is about to be written to themselves:
// not at all.
func (x *exchange) forbid() {
	h := x.w.Header()
	if x.stopsEverywhere() {
		httpcache.ForbidEverywhere(h)
	} else {
		httpcache.ForbidAs(h, x.rule.Profile)
	}
	x.cacheStatus().Append(h)
}

// stopsEverywhere says whether every cache is to be told, in every dialect: someone, or a
// probe, has stopped caching, and what stands in front may not be what the policy says.
// That is so for every answer of the route, whatever else there is against sharing it: a
// visitor who is known by a cookie is the one whose page must not be kept there.
func (x *exchange) stopsEverywhere() bool {
	return len(x.reasons) > 0 && x.reasons[0] == policies.ReasonTripped || x.rule != nil && x.tripped()
}

// cacheStatus is what RFC 9211 has for the outcome of a request that went forward.
func (x *exchange) cacheStatus() httpcache.Status {
	s := httpcache.Status{Fwd: x.forward()}
	if len(x.reasons) > 0 {
		s.Detail = x.reasons[0].String()
		if x.reasons[0] == policies.ReasonMethod {
			s.Fwd = "method"
		}
	}
	return s
}

// forward is why the request went forward (RFC 9211 §2.2).
func (x *exchange) forward() string {
	switch {
	case x.outcome == OutcomeDeny:
		return "" // it did not
	case x.outcome == OutcomeBypass, x.outcome == OutcomeFault:
		return "bypass"
	case x.stale != nil && x.stale.Fresh(x.started):
		return "request" // it was good, but the request wanted another
	case x.stale != nil:
		return "stale"
	case x.variant:
		return "vary-miss"
	case x.outcome == OutcomeFill, x.outcome == OutcomeCollapsed:
		return "uri-miss"
	}
	return "miss"
}

func (x *exchange) ruleName() string {
	if x.rule == nil {
		return policies.DefaultRule
	}
	return x.rule.Name
}
