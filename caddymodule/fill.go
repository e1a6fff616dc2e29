package caddymodule

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// fillAddress stands for the visitor in canonical requests: an address that
// belongs to nobody (RFC 5737), above all not loopback, which apps trust.
const fillAddress = "192.0.2.1:1"

// fillLocalAddress is where canonical requests came in: handlers below may ask, and
// {http.request.local} panics where there is no answer.
var fillLocalAddress net.Addr = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}

// fill is the origin's response to a canonical request. It runs in a context of its
// own: no visitor's leaving ends it, a time limit and the handler's unloading do.
type fill struct {
	writer fillWriter
	spool  *spool
	cancel context.CancelFunc
	limit  *time.Timer
	meter  *routeMetrics
	// workers count the fill, once it runs, until it is uncounted.
	workers   *workers
	unwatch   func() bool // it is told no more that the config ends
	uncounted atomic.Bool
	// id is the object's, if the fill becomes one.
	id string
	// generation is what was known of the fleet before the origin was asked.
	generation uint64

	requested time.Time
	// begun is closed when the final head is known or the fill failed before
	// it; ended when the fill has ended. After ended, err says whether the
	// response is complete.
	begun, ended chan struct{}
	// settled is set by the final head, or by an end before it: whichever comes
	// first. A head that comes after the end is none.
	settled  atomic.Bool
	received time.Time
	age      time.Duration // of the response when it was received
	err      error

	// What the judge makes of it; nobody else looks.
	opened   *opened         // the body, decoded; nil until it has passed
	sought   []*gate.Needles // what was sent without being keyed
	findings []finding

	// interim is given the 1xx responses, for the visitor who caused the fill. Nil
	// where there is none.
	interim func(interim)
}

// interim is a 1xx response (RFC 9110 §15.2).
type interim struct {
	status int
	header http.Header
}

var (
	errNothingWritten = errors.New("cacheward: the handlers below wrote no response")
	errPanic          = errors.New("cacheward: panic below while filling")
	errShortBody      = errors.New("cacheward: the body is shorter than its Content-Length")
)

// startFill sends the canonical request of the parts to the origin, in a goroutine of
// its own.
func (h *Handler) startFill(job *job, overflowed func(policies.Reason)) *fill {
	f, r := h.newFill(job, overflowed)
	if f.begin(h.workers) {
		go f.run(job.next, r, h.logger)
	}
	return f
}

// newFill makes the canonical request of the parts, and what receives its answer. It
// has to begin, and to run if it could.
func (h *Handler) newFill(job *job, overflowed func(policies.Reason)) (*fill, *http.Request) {
	ctx, cancel := context.WithCancel(context.Background())
	f := &fill{
		cancel:     cancel,
		spool:      newSpool(h.limits.maxObject, &h.shared.budget, overflowed),
		id:         store.NewID(),
		generation: h.shared.generation(),
		requested:  time.Now(),
		begun:      make(chan struct{}),
		ended:      make(chan struct{}),
		meter:      h.meter(job.rule),
	}
	f.writer = fillWriter{fill: f, header: make(http.Header), head: job.head}
	r := canonicalRequest(ctx, job, &f.writer)
	expect(r.Context())
	f.writer.request = r.Context()
	f.meter.fills.Add(1)
	f.limit = time.AfterFunc(h.limits.fillTimeout, func() { f.expire() })
	return f, r
}

// begin has the workers wait for the fill. It has ended if they are being stopped.
func (f *fill) begin(w *workers) bool {
	if !w.count() {
		f.finish(errAbandoned)
		return false
	}
	f.workers = w
	f.unwatch = context.AfterFunc(w.ctx, f.unload)
	return true
}

// unload is for when the config ends before the fill. If only a visitor still wants it,
// nobody waits for it: their response is no longer ours to end.
func (f *fill) unload() {
	if f.expire() {
		f.uncount()
	}
}

// uncount has the workers no longer wait for the fill.
func (f *fill) uncount() {
	if f.workers != nil && f.uncounted.CompareAndSwap(false, true) {
		f.workers.uncount()
	}
}

// expire ends a fill whose time is up, or whose config is. One that a visitor is
// being given goes on, for them alone and not to be stored: a bound of ours is no
// reason to break their response off.
func (f *fill) expire() (goesOn bool) {
	if !f.settled.CompareAndSwap(false, true) && f.spool.forgo(policies.ReasonFillAborted) {
		return true
	}
	f.cancel()
	return false
}

// leave is for the visitor who was being given the fill and is no more. If it is
// not to be stored either, it ends.
func (f *fill) leave() {
	f.spool.detach()
	if f.spool.reason() != policies.ReasonNone {
		f.cancel()
	}
}

// run sends the request. net/http is not above this goroutine, so it is here that
// the panic ends with which reverse_proxy reports a broken response.
func (f *fill) run(next caddyhttp.Handler, r *http.Request, logger *zap.Logger) {
	err := http.ErrAbortHandler
	defer func() {
		if v := recover(); v != nil && v != any(http.ErrAbortHandler) {
			err = errPanic
			logger.Error("panic below while filling; nothing is stored", zap.Any("panic", v), zap.Stack("stack"))
		}
		f.finish(err)
	}()
	err = next.ServeHTTP(&f.writer, r)
	if err == nil {
		err = f.writer.complete(r.Context())
	}
}

func (f *fill) finish(err error) {
	f.limit.Stop()
	f.err = err
	if !f.writer.wroteFinal {
		f.received = time.Now()
		close(f.begun)
	} else {
		f.meter.answered(f.received.Sub(f.requested))
	}
	f.spool.end(err)
	f.cancel()
	close(f.ended)
	if f.unwatch != nil {
		f.unwatch()
	}
	f.uncount()
}

// stop ends a fill that nobody needs any more, and gives its memory back.
func (f *fill) stop() {
	f.cancel()
	f.spool.detach()
	f.spool.end(errAbandoned)
	f.spool.release()
}

// head is what the gate judges. To be called after begun.
func (f *fill) head() gate.Head {
	return gate.Head{
		Status:        f.writer.status,
		Header:        f.writer.final,
		Informational: f.writer.informational,
		Unseen:        f.writer.unseen,
	}
}

// fillWriter receives a fill. It has a header map of its own, so that nothing
// which handlers above have set for one visitor gets into an object.
type fillWriter struct {
	fill          *fill
	header        http.Header
	final         http.Header // the head as it was when the status was written
	informational []http.Header
	unseen        gate.Unseen
	request       context.Context // of the request that it answers
	status        int
	wroteFinal    bool
	written       int64
	head          bool // asked with HEAD: Content-Length tells of a body that is not sent
	// headed, where given, is called when the head is known, before any of the body. It
	// says whether somebody reads the body while it arrives.
	headed func() (read bool)
	unread bool
}

func (w *fillWriter) Header() http.Header { return w.header }

func (w *fillWriter) WriteHeader(status int) {
	if w.wroteFinal {
		return
	}
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		header := w.header.Clone()
		w.informational = append(w.informational, header)
		if w.fill.interim != nil && gate.CheckInterim(header) == nil {
			w.fill.interim(interim{status, header.Clone()})
		}
		return
	}
	if !w.fill.settled.CompareAndSwap(false, true) {
		return
	}
	w.wroteFinal = true
	w.status = status
	w.final = w.header.Clone()
	w.unseen = unseen(w.request)
	w.fill.received = time.Now()
	w.fill.age = httpcache.InitialAge(w.final, w.fill.requested, w.fill.received)
	if n, known := announced(w.final); known && !w.head && !bodyless(status) {
		w.fill.spool.announce(n)
	}
	close(w.fill.begun)
	if w.headed != nil {
		w.unread = !w.headed()
	}
}

func (w *fillWriter) Write(p []byte) (int, error) {
	if !w.wroteFinal {
		w.WriteHeader(http.StatusOK)
	}
	if !w.wroteFinal {
		return 0, errAbandoned
	}
	w.written += int64(len(p))
	switch {
	case w.head:
		return len(p), nil // there is none, whatever is written
	case w.unread && w.written > shortBody:
		return 0, http.ErrContentLength // who could take it is not reading
	}
	return w.fill.spool.Write(p)
}

// shortBody is the longest body that a visitor is given in one piece. It is no more
// than the spool takes without a reader.
const shortBody = spoolWindow

// short says whether the body is known to be: apps say so of what they have made whole.
// To be called when the head is known.
func (f *fill) short() bool {
	w := &f.writer
	if w.head || bodyless(w.status) {
		return true
	}
	n, known := announced(w.final)
	return known && n <= shortBody && f.spool.reason() == policies.ReasonNone
}

// Flush is there because handlers below may flush; a fill has nothing to flush.
func (w *fillWriter) Flush() {}

// trailer returns what handlers below added to the head after it was written:
// announced trailers and those with http.TrailerPrefix.
func (w *fillWriter) trailer() (t http.Header) {
	for name, lines := range w.header {
		if len(lines) != len(w.final[name]) {
			if t == nil {
				t = make(http.Header)
			}
			t[http.CanonicalHeaderKey(trimTrailerPrefix(name))] = lines
		}
	}
	return t
}

func trimTrailerPrefix(name string) string {
	if len(name) > len(http.TrailerPrefix) && name[:len(http.TrailerPrefix)] == http.TrailerPrefix {
		return name[len(http.TrailerPrefix):]
	}
	return name
}

// complete says whether the response is whole. A nil error from below does not
// mean that: no handler may have matched, or the proxy may have given up.
func (w *fillWriter) complete(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !w.wroteFinal {
		return errNothingWritten
	}
	if w.head {
		return nil
	}
	return wholeBody(w.final, w.status, w.written)
}

// wholeBody compares a body's length with what its head announced.
func wholeBody(h http.Header, status int, written int64) error {
	if len(h["Content-Length"]) == 0 || bodyless(status) {
		return nil
	}
	if n, known := announced(h); !known || n != written {
		return errShortBody
	}
	return nil
}

// announced is the length of the body that the head announces, if it does.
func announced(h http.Header) (n int64, known bool) {
	lengths := h["Content-Length"]
	if len(lengths) == 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(lengths[0], 10, 64)
	return n, err == nil && n >= 0
}

// canonicalRequest makes the http.Request of a fill from the key's parts and
// nothing else; a cleaned clone of the visitor's request would still carry their
// protocol version, address, original URI and TLS state.
func canonicalRequest(ctx context.Context, job *job, w http.ResponseWriter) *http.Request {
	c := job.parts.Canonical()
	u := canonicalURL(c, c.EscapedPath)
	for _, f := range job.parts.Forwarded() {
		c.Header[f.Name] = []string{f.Value}
	}
	address := fillAddress
	if job.address != "" {
		address = job.address
	}
	switch {
	case job.head:
		c.Method = http.MethodHead
	case job.stale != nil:
		setConditions(c.Header, job.stale)
	}
	r := &http.Request{
		Method:     c.Method,
		URL:        u,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     c.Header,
		Host:       c.Host,
		RemoteAddr: address,
		Body:       http.NoBody,
	}
	if c.Scheme == "https" {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true}
	}
	r = r.WithContext(context.WithValue(ctx, http.LocalAddrContextKey, fillLocalAddress))
	if c.OriginalPath != "" {
		r.URL = canonicalURL(c, c.OriginalPath)
	}
	r.RequestURI = r.URL.RequestURI()
	// What the request is now is what handlers below will see as the original.
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, job.server)
	if c.Root != "" {
		caddyhttp.SetVar(r.Context(), rootVar, c.Root)
	}
	if c.FileSystem != "" {
		caddyhttp.SetVar(r.Context(), fileSystemVar, c.FileSystem)
	}
	r.URL, r.RequestURI = u, u.RequestURI()
	return r
}

// canonicalURL has the path as it is to be sent. It was inspected, or a handler
// above made it: it has no invalid escape.
func canonicalURL(c policies.Canonical, escapedPath string) *url.URL {
	u := &url.URL{RawQuery: c.RawQuery, ForceQuery: c.ForceQuery}
	u.Path, _ = url.PathUnescape(escapedPath)
	if u.EscapedPath() != escapedPath {
		u.RawPath = escapedPath
	}
	return u
}

// storable says whether the response looks as if it will be stored: it says how long
// it is, and that is not too much.
func (f *fill) storable() bool {
	if len(f.writer.final["Content-Length"]) == 0 {
		return bodyless(f.writer.status)
	}
	n, known := announced(f.writer.final)
	return known && n <= f.spool.limit
}
