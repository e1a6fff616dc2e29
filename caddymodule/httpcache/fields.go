package httpcache

import (
	"net/http"
	"slices"
	"strings"
)

// fieldNames is a set of field names: whole ones, canonical, and beginnings,
// lower-case.
type fieldNames struct {
	whole  map[string]bool
	starts []string
}

// newFieldNames makes a set of names in any case; "x-b3-*" stands for all names
// that begin so.
func newFieldNames(names ...string) fieldNames {
	set := fieldNames{whole: make(map[string]bool, len(names))}
	for _, name := range names {
		if start, ok := strings.CutSuffix(name, "*"); ok {
			set.starts = append(set.starts, strings.ToLower(start))
		} else {
			set.whole[http.CanonicalHeaderKey(name)] = true
		}
	}
	return set
}

func (set fieldNames) has(canonical string) bool {
	if set.whole[canonical] {
		return true
	}
	for _, start := range set.starts {
		if len(canonical) >= len(start) && strings.EqualFold(canonical[:len(start)], start) {
			return true
		}
	}
	return false
}

// hopByHop are the fields of one connection (RFC 9110 §7.6.1), and those that
// are about the connection, the proxy or the framing rather than the content.
var hopByHop = newFieldNames(
	"Alt-Svc",
	"Alt-Used",
	"Connection",
	"Content-Length",
	"HTTP2-Settings",
	"Incremental",
	"Keep-Alive",
	"Proxy-*",
	"TE",
	"Trailer",
	"Transfer-Encoding",
	"Upgrade",
)

// ofOneAnswer are the fields that are computed anew for each response that is
// served, and Warning, which is obsolete (RFC 9111 §5.5) and was about one answer.
var ofOneAnswer = newFieldNames(
	"Age",
	"Cache-Status",
	"Warning",
)

// perVisitor are the fields that carry or change the state of one visitor. A
// response that has them is not shared in the first place; here they are the
// second line.
var perVisitor = newFieldNames(
	"Attribution-Reporting-*",
	"Authentication-Info",
	"Authorization",
	"Clear-Site-Data",
	"Sec-Session-*",
	"Secure-Session-*",
	"Set-Cookie",
	"Set-Cookie2",
	"Set-Login",
	"WWW-Authenticate",
	"X-Access-Token",
	"X-Auth-Token",
	"X-CSRF-Token",
	"X-XSRF-Token",
)

// perRequest are the fields that tell one request from another and say nothing
// about its content: identifiers, traces, timings, counters, and what the caches
// and balancers on the way write about themselves. Two answers that differ in
// nothing else are the same answer.
var perRequest = newFieldNames(perRequestNames...)

var perRequestNames = []string{
	// identifiers
	"Fly-Request-Id",
	"Request-Id",
	"X-Amz-Id-2",
	"X-Amz-Request-Id",
	"X-Amzn-RequestId",
	"X-Azure-Ref",
	"X-Correlation-Id",
	"X-GitHub-Request-Id",
	"X-Kong-Request-Id",
	"X-Ms-Request-Id",
	"X-MSEdge-Ref",
	"X-Nf-Request-Id",
	"X-Request-Id",
	"X-Transaction-Id",
	"X-Vercel-Id",

	// traces
	"B3",
	"Baggage",
	"Sentry-Trace",
	"Traceparent",
	"Traceresponse",
	"Tracestate",
	"Uber-Trace-Id",
	"X-Amzn-Trace-Id",
	"X-B3-*",
	"X-Cloud-Trace-Context",
	"X-Datadog-*",
	"X-Trace-Id",

	// timings
	"Server-Timing",
	"X-Envoy-Upstream-Service-Time",
	"X-Kong-Proxy-Latency",
	"X-Kong-Upstream-Latency",
	"X-Process-Time",
	"X-Response-Time",
	"X-Runtime",
	"X-Timer",

	// debugging pages of this one request
	"X-Clockwork-Id",
	"X-Debug-Token",
	"X-Debug-Token-Link",

	// what is left of the visitor's quota
	"RateLimit",
	"RateLimit-*",
	"X-Rate-Limit-*",
	"X-RateLimit-*",

	// reporting endpoints with a token in them
	"NEL",
	"Report-To",

	// caches and balancers on the way
	"CF-Cache-Status",
	"CF-Ray",
	"X-Amz-Cf-Id",
	"X-Amz-Cf-Pop",
	"X-Cache",
	"X-Cache-Hits",
	"X-Served-By",
	"X-Varnish",
	"X-Vercel-Cache",
}

// PerRequestNames are the names for which [PerRequest] is true, in no particular
// order; X-B3-* stands for all that begin so. The result is the caller's.
func PerRequestNames() []string { return slices.Clone(perRequestNames) }

// PerRequest reports whether the field, in any letter case, tells one request
// from another without saying anything about the content (X-Request-Id,
// Server-Timing, CF-Ray …). Such fields are neither stored nor compared.
func PerRequest(name string) bool {
	return perRequest.has(http.CanonicalHeaderKey(name))
}

// HasPerVisitor reports whether h has a field, in any letter case, that carries or
// changes the state of one visitor: Set-Cookie, Clear-Site-Data, WWW-Authenticate …
// A response with one must not be stored by a cache downstream.
func HasPerVisitor(h http.Header) bool {
	for name := range h {
		if perVisitor.has(http.CanonicalHeaderKey(name)) {
			return true
		}
	}
	return false
}

// StoredFields returns a copy of h, sharing nothing with it, of what may be kept
// with an object (RFC 9111 §3.1). Left out are the fields of the connection and
// those that Connection nominates, fields that carry one visitor's state,
// targeted cache fields, fields that are made anew for each response, those of
// [PerRequest], and names that are no token. Date, Cache-Control and Expires
// stay. Names are canonical in the copy.
//
// Vouched reports whether a field of one visitor's state stays all the same, because
// somebody vouches for it; nil: none does.
//
// Judge h before: what Connection nominates may be a refusal.
func StoredFields(h http.Header, vouched func(field string) bool) http.Header {
	nominated := connectionOptions(h)
	kept := make(http.Header, len(h))
	var odd []string
	for name, values := range h {
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case len(values) == 0, !storable(canonical, vouched), slices.Contains(nominated, canonical):
		case canonical != name:
			odd = append(odd, name)
		default:
			kept[name] = slices.Clone(values)
		}
	}
	// The map has no order, but two copies of one response must be equal.
	slices.Sort(odd)
	for _, name := range odd {
		canonical := http.CanonicalHeaderKey(name)
		kept[canonical] = append(kept[canonical], h[name]...)
	}
	return kept
}

// TargetedFields returns a copy of the fields of h that speak to some caches only (RFC
// 9213), under their canonical names.
func TargetedFields(h http.Header) http.Header {
	fields := make(http.Header)
	for name, values := range h {
		if targeted(name) && len(values) > 0 {
			canonical := http.CanonicalHeaderKey(name)
			fields[canonical] = append(fields[canonical], values...)
		}
	}
	return fields
}

// WithoutCoding returns a copy of the head of a response whose content coding has been
// undone. Without Content-Encoding the length and the digests of the coded content are
// wrong; the entity tag told two codings of a page apart, so it only says from now on
// that they mean the same (RFC 9110 §8.8.3.3).
func WithoutCoding(h http.Header) http.Header {
	plain := h.Clone()
	for name, values := range plain {
		switch http.CanonicalHeaderKey(name) {
		case "Content-Encoding", "Content-Length", "Content-Md5", "Content-Digest", "Digest", "Repr-Digest":
			delete(plain, name)
		case "Etag":
			for i, tag := range values {
				values[i] = WeakTag(tag)
			}
		}
	}
	return plain
}

// WeakTag returns an entity tag as a weak one (RFC 9110 §8.8.1).
func WeakTag(tag string) string {
	if tag == "" || strings.HasPrefix(tag, "W/") {
		return tag
	}
	return "W/" + tag
}

// ForwardedFields returns a copy of h, sharing nothing with it, of what is passed on
// to the one visitor whom the response is for: all but the fields of the connection
// (RFC 9110 §7.6.1) and Age, which is computed anew.
func ForwardedFields(h http.Header) http.Header {
	nominated := connectionOptions(h)
	kept := make(http.Header, len(h))
	for name, values := range h {
		canonical := http.CanonicalHeaderKey(name)
		if len(values) > 0 && !hopByHop.has(canonical) && canonical != "Age" && !slices.Contains(nominated, canonical) {
			kept[name] = slices.Clone(values)
		}
	}
	return kept
}

func storable(canonical string, vouched func(field string) bool) bool {
	return canonical != "" && tokenLength(canonical) == len(canonical) &&
		!hopByHop.has(canonical) &&
		!ofOneAnswer.has(canonical) &&
		(!perVisitor.has(canonical) || vouched != nil && vouched(canonical)) &&
		!perRequest.has(canonical) &&
		!targeted(canonical)
}

// connectionOptions are the canonical names of the fields that Connection
// nominates (RFC 9110 §7.6.1).
func connectionOptions(h http.Header) []string {
	var names []string
	for _, line := range lines(h, "Connection") {
		for option := range strings.SplitSeq(line, ",") {
			if option = strings.Trim(option, " \t"); option != "" {
				names = append(names, http.CanonicalHeaderKey(option))
			}
		}
	}
	return names
}
