package caddymodule

import (
	"io"
	"maps"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/policies"
)

// ownWriter passes the origin's answer to a visitor's own request on to them. It
// sees to the downstream contract: whatever the origin said, caches further on
// are told private, no-store. It may watch the answer, for corroboration, and it
// may hold an error back, so that a stale object can be served instead.
type ownWriter struct {
	*caddyhttp.ResponseWriterWrapper
	cache httpcache.Status // empty: it has been said already

	wroteFinal bool
	status     int
	headed     time.Time // when the head came
	written    int64
	writeErr   error

	// watch is what the answer is compared by; nil where it is not.
	watch *watch
	// holdErrors, where given, says whether a 5xx answer is swallowed; held is set
	// then.
	holdErrors func() bool
	held       bool
	// stripSetCookie: nobody gets a cookie from this route.
	stripSetCookie bool
	// onHead, where given, sees the final head before the visitor does.
	onHead func(status int, h http.Header)
	// profile is how the CDN is told that it may store nothing; nil: in nobody's dialect.
	profile *policies.Profile
	// everywhere, where given, says whether it is told to every cache, in every dialect.
	everywhere func() bool
	// relays, where given, says whether what the origin told caches is passed on.
	relays func(status int, h http.Header) bool
}

// watch sees what the origin sent, apart from what handlers above have set.
type watch struct {
	header        http.Header // handed to the handlers below
	final         http.Header
	informational []http.Header
	recorder      *gate.Recorder
	limits        gate.Limits
}

func newWatch(limits gate.Limits) *watch {
	return &watch{header: make(http.Header), limits: limits}
}

func (w *ownWriter) Header() http.Header {
	if w.watch != nil && !w.wroteFinal {
		return w.watch.header
	}
	return w.ResponseWriterWrapper.Header()
}

func (w *ownWriter) WriteHeader(status int) {
	if w.wroteFinal {
		return
	}
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		w.informational(status)
		return
	}
	w.status, w.headed = status, time.Now()
	if status >= 500 && w.holdErrors != nil && w.holdErrors() {
		w.wroteFinal, w.held = true, true
		return
	}
	if w.watch != nil {
		w.watch.see(w.ResponseWriterWrapper.Header())
	}
	w.wroteFinal = true
	h := w.ResponseWriterWrapper.Header()
	if w.onHead != nil {
		w.onHead(status, h)
	}
	if w.stripSetCookie {
		delete(h, "Set-Cookie")
	}
	switch {
	case w.everywhere != nil && w.everywhere():
		httpcache.ForbidEverywhere(h)
	case w.relays != nil && w.relays(status, h):
		httpcache.Relay(h)
	default:
		httpcache.ForbidAs(h, w.profile)
	}
	if w.cache.Fwd != "" {
		w.cache.FwdStatus = status
		w.cache.Append(h)
	}
	w.ResponseWriter.WriteHeader(status)
}

// informational passes a 1xx response on. Its fields are no part of the final one.
func (w *ownWriter) informational(status int) {
	if w.watch == nil {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	outer := w.ResponseWriterWrapper.Header()
	before := maps.Clone(outer)
	maps.Copy(outer, w.watch.header)
	w.watch.informational = append(w.watch.informational, w.watch.header.Clone())
	w.ResponseWriter.WriteHeader(status)
	clear(outer)
	maps.Copy(outer, before)
}

// see takes the final head and merges it into the visitor's.
func (wa *watch) see(outer http.Header) {
	wa.final = wa.header.Clone()
	wa.recorder = gate.NewRecorder(wa.final["Content-Encoding"], wa.limits)
	mergeHeader(outer, wa.header)
}

// mergeHeader adds an origin's fields to those that handlers above have set, as
// reverse_proxy would have done: Server is the origin's if it has one.
func mergeHeader(outer, fields http.Header) {
	if _, ok := fields["Server"]; ok {
		delete(outer, "Server")
	}
	for name, lines := range fields {
		outer[name] = append(outer[name], lines...)
	}
}

func (w *ownWriter) Write(p []byte) (int, error) {
	if !w.wroteFinal {
		w.WriteHeader(http.StatusOK)
	}
	if w.held {
		return len(p), nil
	}
	if w.watch != nil {
		_, _ = w.watch.recorder.Write(p) // never fails
	}
	n, err := w.ResponseWriter.Write(p)
	w.written += int64(n)
	if err != nil {
		w.writeErr = err
	}
	return n, err
}

// ReadFrom keeps the zero-copy path where nothing has to see the bytes.
func (w *ownWriter) ReadFrom(r io.Reader) (int64, error) {
	if !w.wroteFinal {
		w.WriteHeader(http.StatusOK)
	}
	if w.held || w.watch != nil {
		return io.Copy(struct{ io.Writer }{w}, r)
	}
	n, err := w.ResponseWriterWrapper.ReadFrom(r)
	w.written += n
	return n, err
}

// FlushError commits the head through WriteHeader, never behind its back.
func (w *ownWriter) FlushError() error {
	if !w.wroteFinal {
		w.WriteHeader(http.StatusOK)
	}
	if w.held {
		return nil
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// ownAnswer is what became of a watched answer.
type ownAnswer struct {
	head     gate.Head
	body     gate.Body
	received time.Time
	err      error // nil if the answer is complete
	// inputs are what the request had that the key has not.
	inputs []policies.Input
}

// answer is what it is compared by.
func (a ownAnswer) answer(j *job) gate.Answer {
	return gate.Answer{Status: a.head.Status, Header: httpcache.StoredFields(a.head.Header, j.rule.Vouches), Body: a.body}
}

// answer ends the watch. err is what the handlers below returned.
func (w *ownWriter) answer(r *http.Request, err error) ownAnswer {
	a := ownAnswer{received: time.Now(), err: err}
	if !w.wroteFinal || w.held {
		if a.err == nil {
			a.err = errNothingWritten
		}
		return a
	}
	a.body = w.watch.recorder.Close()
	a.head = gate.Head{Status: w.status, Header: w.watch.final, Informational: w.watch.informational, Unseen: unseen(r.Context())}
	switch {
	case a.err != nil:
	case r.Context().Err() != nil:
		a.err = r.Context().Err()
	case w.writeErr != nil:
		a.err = w.writeErr
	default:
		a.err = wholeBody(w.watch.final, w.status, w.written)
	}
	return a
}

var (
	_ http.ResponseWriter = (*ownWriter)(nil)
	_ io.ReaderFrom       = (*ownWriter)(nil)
)
