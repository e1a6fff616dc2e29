package gate

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/policies"
)

// Head is what is known of a response before its body.
type Head struct {
	Status int
	// Header is the head as the origin sent it, before any field was removed.
	// Names may be in any case.
	Header http.Header
	// Informational are the heads of the 1xx responses that came before. May
	// be nil.
	Informational []http.Header
}

// Rules is what the route and the request have to say about a response. The
// zero value permits no more than any route does.
type Rules struct {
	// Statuses reports whether the route stores responses with this status.
	// Nil: 200 only.
	Statuses func(status int) bool
	// Path is the decoded path of the request.
	Path string
	// Operator says that the route has a duration, so that the origin need not
	// say for how long. What the origin refuses stays refused.
	Operator bool
	// AllowSetCookie says that Set-Cookie is removed from this response before
	// anybody gets it. It is for the head alone: 1xx responses and trailers are
	// passed on by others.
	AllowSetCookie bool
	// Declared reports whether the route keys a request header that Vary names,
	// or removes it before the origin. It is given the canonical name. Nil: none.
	Declared func(header string) bool
	// OriginKeyed says that the Origin header is in the key.
	OriginKeyed bool
	// WantIdentity says that no content coding was asked for, as on fills.
	WantIdentity bool
	// Received is when the response was received.
	Received time.Time
}

// Check judges the head of a response. It returns all reasons against sharing it,
// the most telling first and none twice, or nil if the head has none.
//
// Whatever the origin refuses outranks the route, also on routes with a duration
// (RFC 9111 §5.2.2; a lifetime of nought is a refusal, too).
func Check(h Head, r Rules) []policies.Reason {
	var found findings
	head := fold(h.Header)
	found.checkStatus(h.Status, head, r)
	found.checkIncremental(h.Status, head)
	found.checkState(head, r.AllowSetCookie)
	directives := found.checkDirectives(head)
	for _, header := range h.Informational {
		info := fold(header)
		found.checkState(info, false)
		found.checkDirectives(info)
		found.checkSyntax(info)
	}
	found.checkVary(head, r)
	found.checkAccessControl(head, r)
	if h.Status >= 200 && h.Status < 300 {
		// An error's or a redirect's content explains it; it does not claim to be
		// what is at the path (RFC 9110 §15.4, §15.5).
		found.checkType(head, r.Path)
	}
	found.checkEncoding(head, r)
	found.checkSyntax(head)
	found.checkFreshness(head, directives, r)
	return found
}

// CheckTrailer judges the trailer section of a response, once the body is through
// (RFC 9110 §6.5). It returns all reasons against sharing the response. Cookies
// count whatever Rules.AllowSetCookie says.
func CheckTrailer(t http.Header, r Rules) []policies.Reason {
	var found findings
	trailer := fold(t)
	found.checkState(trailer, false)
	found.checkDirectives(trailer)
	found.checkVary(trailer, r)
	found.checkAccessControl(trailer, r)
	found.checkSyntax(trailer)
	return found
}

// findings are the reasons found so far. The checks run in the order of how
// telling their reasons are.
type findings []policies.Reason

func (f *findings) add(reason policies.Reason) {
	if !slices.Contains(*f, reason) {
		*f = append(*f, reason)
	}
}

func (f *findings) addIf(found bool, reason policies.Reason) {
	if found {
		f.add(reason)
	}
}

// checkStatus looks at the status and what it demands of the head.
func (f *findings) checkStatus(status int, head section, r Rules) {
	stored := status == http.StatusOK
	if r.Statuses != nil {
		stored = r.Statuses(status)
	}
	// Not final, no status at all, or an answer to one client's own copy:
	// no route can store those.
	never := status < 200 || status > 599 || status == http.StatusNotModified
	f.addIf(never || !stored, policies.ReasonStatus)

	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		f.addIf(strings.Join(head.fields["Location"], "") == "", policies.ReasonRedirectWithoutLocation)
	}
}

// checkIncremental finds responses that are not one whole representation.
func (f *findings) checkIncremental(status int, head section) {
	media := ""
	if types := head.fields["Content-Type"]; len(types) > 0 {
		media = mediaType(types[0])
	}
	f.addIf(status == http.StatusPartialContent ||
		head.has("Content-Range") ||
		head.has("Trailer") || head.prefixed ||
		strings.Contains(strings.Join(head.fields["Incremental"], ","), "?1") ||
		media == "text/event-stream" ||
		strings.HasPrefix(media, "multipart/") ||
		strings.HasPrefix(media, "application/grpc"),
		policies.ReasonIncremental)
}

// checkState finds fields that set or carry the state of one visitor.
func (f *findings) checkState(s section, allowSetCookie bool) {
	f.addIf(s.has("Set-Cookie2") || s.has("Set-Cookie") && !allowSetCookie, policies.ReasonSetCookie)
	for _, name := range authFields {
		f.addIf(s.has(name), policies.ReasonAuthChallenge)
	}
	for name, values := range s.fields {
		f.addIf(len(values) > 0 && isPerVisitor(name), policies.ReasonPerVisitorHeader)
	}
}

// checkDirectives looks for refusals in the fields that control caches (RFC 9111
// §5.2.2).
func (f *findings) checkDirectives(s section) httpcache.Directives {
	d := httpcache.ResponseDirectives(s.fields)
	f.addIf(d.Private, policies.ReasonPrivate)
	f.addIf(d.NoStore, policies.ReasonNoStore)
	f.addIf(d.NoCache, policies.ReasonNoCache)
	f.addIf(d.Malformed, policies.ReasonHeaderMalformed)
	return d
}

// checkVary reads Vary (RFC 9110 §12.5.5). What is no list of names counts as *.
func (f *findings) checkVary(s section, r Rules) {
	var credentials, undeclared bool
	for _, line := range s.fields["Vary"] {
		for name := range strings.SplitSeq(line, ",") {
			name = http.CanonicalHeaderKey(strings.Trim(name, " \t"))
			switch {
			case name == "":
			case strings.Contains(name, "*") || !isFieldName(name):
				f.add(policies.ReasonVaryStar)
			case name == "Cookie" || name == "Cookie2" || name == "Authorization" || name == "Proxy-Authorization":
				credentials = true
			case name == "Accept-Encoding" || name == "Host":
				// The store holds identity bytes, and every key has the host.
			case name == "Origin" && r.OriginKeyed:
			case r.Declared == nil || !r.Declared(name):
				undeclared = true
			}
		}
	}
	f.addIf(credentials, policies.ReasonVaryCredentials)
	f.addIf(undeclared, policies.ReasonVaryUndeclared)
}

// checkAccessControl finds answers made for one origin (Fetch §3.2.3).
func (f *findings) checkAccessControl(s section, r Rules) {
	if r.OriginKeyed {
		return
	}
	for _, origin := range s.fields["Access-Control-Allow-Origin"] {
		f.addIf(strings.Trim(origin, " \t") != "*", policies.ReasonAccessControl)
	}
	for _, allow := range s.fields["Access-Control-Allow-Credentials"] {
		f.addIf(!strings.EqualFold(strings.Trim(allow, " \t"), "false"), policies.ReasonAccessControl)
	}
}

// checkEncoding finds content codings where none was asked for.
func (f *findings) checkEncoding(s section, r Rules) {
	codings, ok := parseCodings(s.fields["Content-Encoding"])
	f.addIf(!ok || r.WantIdentity && len(codings) > 0, policies.ReasonEncodingUnreadable)
}

// checkFreshness looks at for how long the origin lets a shared cache have the
// response (RFC 9111 §4.2.1). After a refusal that question does not arise.
func (f *findings) checkFreshness(s section, d httpcache.Directives, r Rules) {
	if d.Private || d.NoStore || d.NoCache || d.Malformed {
		return
	}
	lifetime, explicit := httpcache.Lifetime(s.fields, d, r.Received)
	f.addIf(explicit && lifetime <= 0, policies.ReasonNotFresh)
	f.addIf(!explicit && !r.Operator, policies.ReasonNotExplicit)
}
