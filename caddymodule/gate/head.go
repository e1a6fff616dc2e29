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
	// Unseen is what the header does not show.
	Unseen Unseen
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
	// Given reports whether the route gives responses with this status a
	// lifetime where the origin gives none. Nil: none.
	Given func(status int) bool
	// Reader reads the fields that control caches.
	Reader httpcache.Reader
	// Heuristic permits a guess where the origin gives no lifetime (RFC 9111
	// §4.2.2).
	Heuristic bool
	// Errors says that errors with an explicit lifetime are stored.
	Errors bool
	// Vouched reports whether somebody vouches for a response field, by its
	// canonical name, that speaks against sharing as a rule. Nil: nobody for any.
	Vouched func(field string) bool
	// Validate says that what may not be reused unasked is stored all the same if
	// it has a validator, to be asked about each time (RFC 9111 §5.2.2.4).
	Validate bool
	// Authorized says that the request had Authorization, so that the origin must
	// have allowed it in so many words (RFC 9111 §3.5).
	Authorized bool
	// AllowSetCookie says that Set-Cookie is removed from this response before
	// anybody gets it. It is for the head alone: 1xx responses and trailers are
	// passed on by others.
	AllowSetCookie bool
	// Declared reports whether the route keys a request header that Vary names,
	// or removes it before the origin. It is given the canonical name. Nil: none.
	Declared func(header string) bool
	// OriginKeyed says that the Origin header is in the key.
	OriginKeyed bool
	// WantIdentity says that no content coding was asked for, as on fills. One that
	// is there all the same will be undone, if that is allowed (RFC 9110 §7.7).
	WantIdentity bool
	// Trusted says that the body is believed to be the same for everybody, whatever
	// its coding hides.
	Trusted bool
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
	found.checkUnseen(h.Unseen)
	head := fold(h.Header)
	found.checkStatus(h.Status, head, r)
	found.checkIncremental(h.Status, head, r)
	found.checkState(head, r.AllowSetCookie, r)
	directives := r.Reader.Directives(head.fields, h.Status)
	found.checkDirectives(directives, r.Validate && hasValidator(head))
	found.addIf(r.Authorized && !MayShareAuthorized(directives), policies.ReasonAuthorization)
	for _, header := range h.Informational {
		found.checkInterim(fold(header))
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
	found.checkFreshness(h.Status, head, directives, r)
	return found
}

// MayShareAuthorized reports whether the origin allows a response to a request with
// Authorization to be given to others (RFC 9111 §3.5). Its must-revalidate, which
// would do as well, says nothing about others and is not enough here; neither is a
// targeted field's lifetime.
func MayShareAuthorized(d httpcache.Directives) bool {
	return d.Public || d.HasSMaxAge && d.SMaxAge > 0 && !d.Targeted
}

// CheckInterim judges a 1xx response by itself. It returns all reasons against
// passing it on to the visitor who caused a fill; any of them speaks against
// sharing the final response as well.
func CheckInterim(h http.Header) []policies.Reason {
	var found findings
	found.checkInterim(fold(h))
	return found
}

// CheckUpdate judges the head of a 304 by itself, before it updates a stored
// response (RFC 9111 §4.3.4): what it says may take the permission to share away.
func CheckUpdate(h Head, r Rules) []policies.Reason {
	var found findings
	found.checkUnseen(h.Unseen)
	s := fold(h.Header)
	found.checkState(s, false, r)
	found.checkDirectives(r.Reader.Directives(s.fields, http.StatusNotModified), r.Validate)
	found.checkVary(s, r)
	found.checkAccessControl(s, r)
	found.checkSyntax(s)
	return found
}

// CheckTrailer judges the trailer section of a response, once the body is through
// (RFC 9110 §6.5). It returns all reasons against sharing the response. Cookies
// count whatever Rules.AllowSetCookie says.
func CheckTrailer(t http.Header, r Rules) []policies.Reason {
	if len(t) == 0 {
		return nil
	}
	var found findings
	trailer := fold(t)
	found.checkState(trailer, false, Rules{})
	found.checkDirectives(httpcache.ResponseDirectives(trailer.fields), false)
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
	never = never || httpcache.Momentary(status, head.fields)
	// What the operator declares shareable is only what they had in mind.
	refused := !r.Operator && httpcache.ErrorStatus(status) && !r.Errors
	f.addIf(never || refused || !stored, policies.ReasonStatus)

	f.addIf(r.Operator && Nowhere(status, head.fields), policies.ReasonRedirectWithoutLocation)
}

// checkIncremental finds responses that are not one whole representation.
func (f *findings) checkIncremental(status int, head section, r Rules) {
	media := ""
	if types := head.fields["Content-Type"]; len(types) > 0 {
		media = mediaType(types[0])
	}
	f.addIf(status == http.StatusPartialContent ||
		head.has("Content-Range") && !r.vouched("Content-Range") ||
		head.has("Trailer") || head.prefixed ||
		strings.Contains(strings.Join(head.fields["Incremental"], ","), "?1") ||
		media == "text/event-stream" ||
		strings.HasPrefix(media, "multipart/") ||
		strings.HasPrefix(media, "application/grpc"),
		policies.ReasonIncremental)
}

// checkState finds fields that set or carry the state of one visitor.
func (f *findings) checkState(s section, allowSetCookie bool, r Rules) {
	f.addIf(s.has("Set-Cookie2") && !r.vouched("Set-Cookie2") || s.has("Set-Cookie") && !allowSetCookie, policies.ReasonSetCookie)
	for _, name := range authFields {
		f.addIf(s.has(name) && !r.vouched(name), policies.ReasonAuthChallenge)
	}
	for name, values := range s.fields {
		f.addIf(len(values) > 0 && isPerVisitor(name) && !r.vouched(name), policies.ReasonPerVisitorHeader)
	}
}

func (r Rules) vouched(field string) bool { return r.Vouched != nil && r.Vouched(field) }

// checkDirectives looks for refusals in the fields that control caches (RFC 9111
// §5.2.2). Validate says that the response can be asked about before each reuse.
func (f *findings) checkDirectives(d httpcache.Directives, validate bool) {
	f.addIf(d.Private, policies.ReasonPrivate)
	f.addIf(d.NoStore, policies.ReasonNoStore)
	f.addIf(d.NoCache && !validate, policies.ReasonNoCache)
	f.addIf(d.Malformed, policies.ReasonHeaderMalformed)
}

func (f *findings) checkInterim(s section) {
	f.checkState(s, false, Rules{})
	f.checkDirectives(httpcache.ResponseDirectives(s.fields), false)
	f.checkSyntax(s)
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
	if r.Trusted {
		return
	}
	codings, ok := parseCodings(s.fields["Content-Encoding"])
	f.addIf(!ok || r.WantIdentity && len(codings) > 0 && httpcache.NoTransform(s.fields), policies.ReasonEncodingUnreadable)
}

// checkFreshness looks at for how long the origin lets a shared cache have the
// response (RFC 9111 §4.2.1). After a refusal that question does not arise.
func (f *findings) checkFreshness(status int, s section, d httpcache.Directives, r Rules) {
	if d.Private || d.NoStore || d.NoCache || d.Malformed {
		return
	}
	lifetime, explicit := httpcache.Lifetime(s.fields, d, r.Received)
	if explicit {
		f.addIf(lifetime <= 0 && !(r.Validate && hasValidator(s)), policies.ReasonNotFresh)
		return
	}
	guessed := false
	if r.Heuristic {
		_, guessed = httpcache.Heuristic(s.fields, d, status, r.Received)
	}
	given := r.Given != nil && r.Given(status)
	f.addIf(!r.Operator && !given && !guessed, policies.ReasonNotExplicit)
}

// Encoded reports whether the content has a coding, known or not, so that its bytes do
// not show what is in it.
func Encoded(h http.Header) bool {
	codings, ok := parseCodings(foldLines(h, "Content-Encoding"))
	return !ok || len(codings) > 0
}

// hasValidator says whether the origin can be asked if the response still holds.
func hasValidator(s section) bool {
	etag, modified := httpcache.Validators(s.fields)
	return etag != "" || modified != ""
}
