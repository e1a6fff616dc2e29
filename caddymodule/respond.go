package caddymodule

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// respond writes an object whose fields are in the header already: whole, in part,
// or not at all, as the request's conditions and ranges have it (RFC 9110 §13, §14).
func (x *exchange) respond(o *store.Object) error {
	x.status = o.Status
	if o.Status == http.StatusOK && (httpcache.Conditional(x.r.Header) || x.r.Header["Range"] != nil) {
		stored := o.Header.Header()
		switch httpcache.Evaluate(x.r.Method, x.r.Header, stored) {
		case httpcache.NotModified:
			return x.notModified()
		case httpcache.PreconditionFailed:
			return x.preconditionFailed()
		}
		switch ranges, selection := httpcache.SelectRanges(x.r.Method, x.r.Header, stored, int64(len(o.Body))); selection {
		case httpcache.Partial:
			return x.partial(o, ranges)
		case httpcache.Unsatisfiable:
			return x.unsatisfiable(o)
		}
	}
	if bodyless(o.Status) {
		x.writeHead(x.status)
		return nil
	}
	x.w.Header()["Content-Length"] = x.length
	x.writeHead(x.status)
	if x.r.Method != http.MethodHead {
		x.send(o.Body)
	}
	return nil
}

// bodyless says whether responses with this status have no content and no length
// (RFC 9110 §8.6).
func bodyless(status int) bool {
	return status == http.StatusNoContent || status == http.StatusNotModified
}

func (x *exchange) send(body []byte) {
	n, err := x.w.Write(body)
	x.size += int64(n)
	_ = err // the visitor left; there is nobody to tell
}

// partial answers 206 (RFC 9110 §15.3.7).
func (x *exchange) partial(o *store.Object, ranges []httpcache.ByteRange) error {
	h := x.w.Header()
	x.status = http.StatusPartialContent
	if len(ranges) == 1 {
		r := ranges[0]
		h["Content-Range"] = []string{r.ContentRange(int64(len(o.Body)))}
		h["Content-Length"] = []string{strconv.FormatInt(r.Length, 10)}
		x.writeHead(x.status)
		x.send(o.Body[r.Start : r.Start+r.Length])
		return nil
	}
	parts := httpcache.NewMultipart(h.Get("Content-Type"), ranges, int64(len(o.Body)))
	h["Content-Type"] = []string{parts.ContentType()}
	h["Content-Length"] = []string{strconv.FormatInt(parts.Length(), 10)}
	x.writeHead(x.status)
	n, err := parts.Write(x.w, o.Body)
	x.size += n
	_ = err // the visitor left; there is nobody to tell
	return nil
}

// unsatisfiable answers 416 (RFC 9110 §15.5.17).
func (x *exchange) unsatisfiable(o *store.Object) error {
	return x.withoutContent(http.StatusRequestedRangeNotSatisfiable, "Content-Range", httpcache.UnsatisfiedRange(int64(len(o.Body))))
}

// preconditionFailed answers 412 (RFC 9110 §15.5.13).
func (x *exchange) preconditionFailed() error { return x.withoutContent(http.StatusPreconditionFailed) }

// withoutContent answers with an error that says all it has to say in its head. It
// is this visitor's, whatever may be done with the response it is not. The field,
// a name and a value, is what it has to say.
func (x *exchange) withoutContent(status int, field ...string) error {
	h := x.w.Header()
	dropContentFields(h)
	for _, name := range [...]string{"Etag", "Last-Modified", "Age", "Date", "Vary"} {
		delete(h, name)
	}
	httpcache.ForbidAs(h, x.rule.Profile)
	if len(field) == 2 {
		h[field[0]] = field[1:]
	}
	h["Content-Length"] = []string{"0"}
	x.status = status
	x.writeHead(status)
	return nil
}

// notModified answers 304 (RFC 9110 §15.4.5).
func (x *exchange) notModified() error {
	dropContentFields(x.w.Header())
	x.status = http.StatusNotModified
	x.writeHead(x.status)
	return nil
}

// dropContentFields removes the fields that describe content which is not sent.
func dropContentFields(h http.Header) {
	for _, name := range [...]string{
		"Content-Length", "Content-Type", "Content-Encoding", "Content-Language", "Content-Range",
		"Content-Disposition", "Content-Digest", "Content-Md5", "Digest",
	} {
		delete(h, name)
	}
}

// gatewayTimeout answers a request that wants nothing but what is stored, and there
// is nothing (RFC 9111 §5.2.1.7).
func (x *exchange) gatewayTimeout() error {
	x.to(denied)
	x.event, x.outcome, x.status = audit.EventDeny, OutcomeDeny, http.StatusGatewayTimeout
	x.reasons = []policies.Reason{policies.ReasonOnlyIfCached}
	x.forbid()
	return caddyhttp.Error(http.StatusGatewayTimeout, errors.New("cacheward: "+policies.ReasonOnlyIfCached.Info().Sentence))
}
