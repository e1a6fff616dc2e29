package policies

import "strconv"

// Reason is why something was not shared. The set is closed: the codes below
// are an interface, used alike in Cache-Status, audit records, metric labels and
// documentation. Every "no" carries at least one.
type Reason uint8

// The reasons. See [Reason.Info] for what each means.
const (
	ReasonNone Reason = iota

	// what the request is.
	ReasonMethod
	ReasonUpgrade
	ReasonRequestNoStore
	ReasonBodyOnGet
	ReasonMethodOverride
	ReasonRoutingOverride
	ReasonConnectionNominates
	ReasonFragment
	ReasonCrossOrigin
	ReasonOnlyIfCached

	// how the request is written.
	ReasonPathDotSegment
	ReasonPathEncodedSlash
	ReasonPathBackslash
	ReasonPathDoubleSlash
	ReasonPathParameter
	ReasonPathControl
	ReasonPathDelimiter
	ReasonPathDoubleEncoding
	ReasonPathNeedlessEncoding
	ReasonPathInvalidEscape
	ReasonPathForm
	ReasonQuerySemicolon
	ReasonQueryControl
	ReasonQueryInvalidEscape
	ReasonQueryEmptyPair
	ReasonQueryLong
	ReasonParamRepeated
	ReasonParamAlias
	ReasonHostUnknown
	ReasonHostPort
	ReasonHostTrailingDot
	ReasonHostMalformed
	ReasonCookieMalformed
	ReasonCookieRepeated

	// what the policy says of the request.
	ReasonDenied
	ReasonNoRoute
	ReasonRouteNever
	ReasonIdentity
	ReasonAuthorization
	ReasonParamBypass
	ReasonCookieBypass
	ReasonHeaderBypass
	ReasonAttributionDelivered

	// the head of the response.
	ReasonStatus
	ReasonSetCookie
	ReasonPrivate
	ReasonNoStore
	ReasonNoCache
	ReasonVaryStar
	ReasonVaryUndeclared
	ReasonVaryCredentials
	ReasonVaryTooMany
	ReasonAuthChallenge
	ReasonPerVisitorHeader
	ReasonAccessControl
	ReasonHeaderMalformed
	ReasonNotExplicit
	ReasonNotFresh
	ReasonTypeContradicts
	ReasonEncodingUnreadable
	ReasonIncremental
	ReasonConnectionField
	ReasonEndsUnseen
	ReasonRedirectWithoutLocation
	ReasonTagsTooMany
	ReasonDownstreamTags
	ReasonValidatorMismatch

	// the body of the response.
	ReasonDivergent
	ReasonReflectsInput
	ReasonStateInBody
	ReasonInspectionIncomplete
	ReasonTruncated
	ReasonTooLarge

	// what the cache knows.
	ReasonRememberedRefusal
	ReasonRouteDiverging
	ReasonWaitTimeout
	ReasonWaitersFull
	ReasonFillsFull
	ReasonMemoryFull
	ReasonFillAborted
	ReasonOriginError
	ReasonInvalidated
	ReasonValidationRequired
	ReasonTripped
	ReasonLeaseLapsed

	// our own faults.
	ReasonStoreFault
	ReasonInternalFault

	reasonCount
)

// ReasonClass groups reasons by what they are about.
type ReasonClass string

// The classes of reasons.
const (
	InRequest   ReasonClass = "request"   // what the request is
	InAmbiguous ReasonClass = "ambiguous" // how the request is written
	InPolicy    ReasonClass = "policy"    // what the policy says of it
	InResponse  ReasonClass = "response"  // the head of the response
	InBody      ReasonClass = "body"      // the body of the response
	InCache     ReasonClass = "cache"     // what the cache knows or has room for
	InFault     ReasonClass = "fault"     // faults of our own
)

// ReasonInfo is a reason's entry in the catalogue.
type ReasonInfo struct {
	// Code is the stable, kebab-case name.
	Code  string
	Class ReasonClass
	// Sentence says what was found.
	Sentence string
	// Reference is the specification or chapter behind it.
	Reference string
	// Advice says what to do if sharing was wanted.
	Advice string
}

var reasons = [reasonCount]ReasonInfo{
	ReasonNone:                    {"none", InPolicy, "Nothing speaks against sharing.", "", ""},
	ReasonMethod:                  {"method", InRequest, "The method is not GET or HEAD, and only those can be answered from a cache.", "RFC 9110 §9.2", "Nothing, unless the app reads with another method; then use GET."},
	ReasonUpgrade:                 {"upgrade", InRequest, "The request opens a tunnel or a stream (Upgrade, CONNECT, text/event-stream).", "RFC 9110 §7.8", "Nothing: a stream belongs to one visitor."},
	ReasonRequestNoStore:          {"request-no-store", InRequest, "The request says Cache-Control: no-store.", "RFC 9111 §5.2.1.5", "Nothing: the visitor asked for it."},
	ReasonBodyOnGet:               {"body-on-get", InAmbiguous, "A GET or HEAD request has a body, which the app might read.", "attacks 7.1", "Find out which client sends it; browsers do not."},
	ReasonMethodOverride:          {"method-override", InAmbiguous, "A header or parameter asks the app to treat the request as another method.", "attacks 7.3", "Send the real method."},
	ReasonRoutingOverride:         {"routing-override", InAmbiguous, "A header asks the app to treat the request as one for another URL or host.", "attacks 4.1, 4.2", "Remove the header before Cacheward (request_header -X-Original-URL), or find out who sends it."},
	ReasonConnectionNominates:     {"connection-nominates", InAmbiguous, "Connection names an end-to-end field, which would be removed on the way to the app.", "RFC 9110 §7.6.1", "Find out which client sends it; browsers do not."},
	ReasonFragment:                {"fragment", InRequest, "A header asks for a fragment or for data instead of the page (htmx, Turbo, Inertia, RSC, PJAX, XMLHttpRequest …).", "attacks 10", "Key the header on this route if its fragments can be shared."},
	ReasonCrossOrigin:             {"cross-origin", InRequest, "The request has an Origin header, on which the answer may depend.", "attacks 15", "Key Origin, or strip it if the answer is the same for all."},
	ReasonOnlyIfCached:            {"only-if-cached", InRequest, "The request says only-if-cached, and nothing that is stored may answer it, so it gets 504.", "RFC 9111 §5.2.1.7", "Nothing: the visitor asked for it."},
	ReasonPathDotSegment:          {"path-dot-segment", InAmbiguous, "The path has a . or .. segment, plain or encoded.", "RFC 3986 §5.2.4", "Link to the plain path."},
	ReasonPathEncodedSlash:        {"path-encoded-slash", InAmbiguous, "The path has an encoded slash or backslash.", "attacks 8.1", "Link to a path without %2F and %5C."},
	ReasonPathBackslash:           {"path-backslash", InAmbiguous, "The path has a backslash.", "attacks 8.2", "Link to a path with slashes."},
	ReasonPathDoubleSlash:         {"path-double-slash", InAmbiguous, "The path has an empty segment (//).", "attacks 8.3", "Link to the path with single slashes."},
	ReasonPathParameter:           {"path-parameter", InAmbiguous, "The path has a ; (plain or encoded), at which some apps end it.", "attacks 8.2", "Put parameters into the query."},
	ReasonPathControl:             {"path-control", InAmbiguous, "The path has a control byte or a byte that is not ASCII, plain or encoded control.", "attacks 8.2", "Link to a path without it."},
	ReasonPathDelimiter:           {"path-delimiter", InAmbiguous, "The path has an encoded ? or #, at which some apps end it.", "attacks 8.2", "Link to a path without %3F and %23."},
	ReasonPathDoubleEncoding:      {"path-double-encoding", InAmbiguous, "The path is encoded twice (%25 before two hexadecimal digits).", "attacks 8.3", "Encode once."},
	ReasonPathNeedlessEncoding:    {"path-needless-encoding", InAmbiguous, "The path encodes a character that needs none, so that it is a second spelling of another path.", "RFC 3986 §6.2.2.2", "Link to the plain path."},
	ReasonPathInvalidEscape:       {"path-invalid-escape", InAmbiguous, "The path has a % that two hexadecimal digits do not follow, or encodes bytes that are not UTF-8.", "RFC 3986 §2.1", "Encode % as %25."},
	ReasonPathForm:                {"path-form", InAmbiguous, "The request target is not a path that begins with a slash.", "RFC 9112 §3.2", "Nothing: ordinary clients do not send it."},
	ReasonQuerySemicolon:          {"query-semicolon", InAmbiguous, "The query has a ; which some apps read as a separator.", "attacks 6.2", "Separate parameters with &, encode ; as %3B."},
	ReasonQueryControl:            {"query-control", InAmbiguous, "The query has a control byte, a # or a byte that is not ASCII.", "attacks 6.2", "Encode it."},
	ReasonQueryInvalidEscape:      {"query-invalid-escape", InAmbiguous, "The query has a % that two hexadecimal digits do not follow.", "RFC 3986 §2.1", "Encode % as %25."},
	ReasonQueryEmptyPair:          {"query-empty-pair", InAmbiguous, "The query has an empty parameter (&&, a leading or trailing &, a nameless value).", "attacks 6.2", "Write the query without it."},
	ReasonQueryLong:               {"query-long", InAmbiguous, "The query has more than 100 parameters.", "attacks 6.5", "Send fewer."},
	ReasonParamRepeated:           {"param-repeated", InAmbiguous, "A keyed parameter occurs more than once; apps differ on which one counts.", "attacks 6.3", "Send it once."},
	ReasonParamAlias:              {"param-alias", InAmbiguous, "A parameter is another spelling of a declared one (letter case, encoding, name[]).", "attacks 6.2", "Write the declared spelling, or declare this one."},
	ReasonHostUnknown:             {"host-unknown", InAmbiguous, "The policy names hosts, and this is none of them.", "attacks 9", "Add the host to a route's match, or find out who sends it."},
	ReasonHostPort:                {"host-port", InAmbiguous, "The host has a port that is neither the scheme's nor the one that the request came in at.", "attacks 9", "Name host:port in a route's match if it is right."},
	ReasonHostTrailingDot:         {"host-trailing-dot", InAmbiguous, "The host ends with a dot.", "attacks 9", "Nothing: ordinary clients do not send it."},
	ReasonHostMalformed:           {"host-malformed", InAmbiguous, "The host is empty or not a host name.", "RFC 9110 §7.2", "Nothing: ordinary clients do not send it."},
	ReasonCookieMalformed:         {"cookie-malformed", InAmbiguous, "A Cookie field cannot be read in one way only (no =, open quote, $Version, control byte).", "attacks 3.3", "Find out who sets that cookie."},
	ReasonCookieRepeated:          {"cookie-repeated", InAmbiguous, "A keyed cookie occurs more than once; apps differ on which one counts.", "attacks 3.3", "Set it for one path and domain only."},
	ReasonDenied:                  {"denied", InPolicy, "The policy denies requests with this input.", "design 2", "Change the disposition if the input is legitimate."},
	ReasonNoRoute:                 {"no-route", InPolicy, "No route matches, and the policy's default is never.", "design 4", "Add a route if responses of this URL can be shared."},
	ReasonRouteNever:              {"route-never", InPolicy, "The route says cache: never.", "design 4", "Nothing, unless responses of this URL can be shared."},
	ReasonIdentity:                {"identity", InPolicy, "The request has a cookie or header that makes the visitor a person.", "design 4", "Nothing. If the answer is the same for everybody, do not send the cookie to that path."},
	ReasonAuthorization:           {"authorization", InPolicy, "The request has Authorization or Proxy-Authorization.", "RFC 9111 §3.5", "Nothing: what a signed-in visitor gets is theirs."},
	ReasonParamBypass:             {"param-bypass", InPolicy, "A parameter is declared bypass, or is not declared and others are.", "design 2", "Declare it: key if the page shows it, strip if not."},
	ReasonCookieBypass:            {"cookie-bypass", InPolicy, "A cookie is declared bypass, or is not declared and others are.", "design 2", "Declare it: key if the page depends on it, strip if not (@analytics names the usual ones)."},
	ReasonHeaderBypass:            {"header-bypass", InPolicy, "A header is declared bypass, or is not declared and others are.", "design 2", "Declare it: key if the page depends on it, strip if not."},
	ReasonAttributionDelivered:    {"attribution-delivered", InPolicy, "The visitor converts, and the app is told who sent them: the request is theirs alone.", "design 2", "Nothing: it is what attribution.deliver is for."},
	ReasonStatus:                  {"status", InResponse, "The status is not one that this route stores.", "RFC 9111 §3", "Declare it under cache.statuses if it can be shared."},
	ReasonSetCookie:               {"set-cookie", InResponse, "The response sets a cookie (in its head, in a 1xx response or in a trailer).", "attacks 1.1", "Do not start a session on this page; or set_cookie: strip, with a reason."},
	ReasonPrivate:                 {"private", InResponse, "Cache-Control says private.", "RFC 9111 §5.2.2.7", "Find out why the app says so; if wrongly, change the app."},
	ReasonNoStore:                 {"no-store", InResponse, "Cache-Control, or a targeted field, says no-store.", "RFC 9111 §5.2.2.5", "Find out why the app says so; if wrongly, change the app."},
	ReasonNoCache:                 {"no-cache", InResponse, "Cache-Control, or a targeted field, says no-cache, so the response may not be reused unasked.", "RFC 9111 §5.2.2.4", "Find out why the app says so; if wrongly, change the app."},
	ReasonVaryStar:                {"vary-star", InResponse, "Vary has a * : the response depends on more than the request.", "RFC 9110 §12.5.5", "Let the app name what it depends on."},
	ReasonVaryUndeclared:          {"vary-undeclared", InResponse, "Vary names a header that the route does not declare: not keyed, not stripped, and requests with it are no bypass.", "RFC 9111 §4.1", "Declare the header: key it or strip it."},
	ReasonVaryCredentials:         {"vary-credentials", InResponse, "Vary names Cookie or Authorization: the response is one visitor's.", "RFC 9110 §12.5.5", "Let the app not read cookies on this page."},
	ReasonVaryTooMany:             {"vary-too-many", InResponse, "Vary names more request headers than variants can be told apart by.", "RFC 9111 §4.1", "Let the app vary on less."},
	ReasonAuthChallenge:           {"www-authenticate", InResponse, "The response asks for credentials or answers them (WWW-Authenticate, Authentication-Info …).", "RFC 9110 §11.6", "Do not protect a page that is to be shared."},
	ReasonPerVisitorHeader:        {"per-visitor-header", InResponse, "A response header carries state of one visitor (a token, Clear-Site-Data, Refresh …).", "attacks 1.2", "Do not send it on this page."},
	ReasonAccessControl:           {"access-control", InResponse, "Access-Control-Allow-Credentials, or an Access-Control-Allow-Origin for one origin, without Origin in the key.", "attacks 15", "Answer Access-Control-Allow-Origin: *, or key Origin."},
	ReasonHeaderMalformed:         {"header-malformed", InResponse, "A field that decides about sharing cannot be read, or contradicts itself.", "attacks 18", "Correct the field that the record names."},
	ReasonNotExplicit:             {"not-explicit", InResponse, "The route leaves it to the origin, and the origin did not say for how long the response may be shared.", "RFC 9111 §3", "Let the app send Cache-Control: public, max-age=…, or give the route a duration."},
	ReasonNotFresh:                {"not-fresh", InResponse, "The origin allows the response no time in a shared cache.", "RFC 9111 §4.2", "Nothing, if that is meant."},
	ReasonTypeContradicts:         {"content-type-contradicts", InResponse, "The content type does not fit the extension in the path (HTML or JSON under .css, .js, .png …).", "attacks 8.1", "Answer 404 for paths that do not exist."},
	ReasonEncodingUnreadable:      {"encoding-unreadable", InResponse, "The body has a content coding that cannot be decoded (unknown, broken, a bomb), or one that was not asked for and may not be undone (no-transform).", "attacks 2.3", "Send identity, gzip, deflate, br or zstd; or inspect: off, with a reason."},
	ReasonIncremental:             {"incremental", InResponse, "The response is a stream, is partial (206) or announces trailers.", "RFC 9111 §3.3", "Nothing: it is not a whole, shareable response."},
	ReasonConnectionField:         {"connection-field", InResponse, "The response names, as a field of the connection, one that decides about sharing, so that nobody further on can see what it says.", "RFC 9110 §7.6.1", "Let the app name only fields of the connection itself there: close, keep-alive."},
	ReasonEndsUnseen:              {"ends-unseen", InResponse, "The body ends with the connection, so that a part of it cannot be told from the whole.", "RFC 9112 §6.3", "Let the app send Content-Length, or speak HTTP/1.1 with chunks."},
	ReasonRedirectWithoutLocation: {"redirect-without-location", InResponse, "A redirect has no Location.", "attacks 16", "Correct the app."},
	ReasonTagsTooMany:             {"tags-too-many", InResponse, "The response has more tags, or longer ones, than are indexed: what cannot be purged must not be shared.", "attacks 20", "Let the app send at most 1000 tags of at most 1024 bytes."},
	ReasonDownstreamTags:          {"downstream-tags", InResponse, "The response has more tags than the CDN takes, so caches further on get no permission: what cannot be purged there must not be shared there.", "attacks 20", "Let the app send fewer tags; the profile's limits are in the reference of policies."},
	ReasonValidatorMismatch:       {"validator-mismatch", InResponse, "The origin answered 304 with another validator than it was asked about, so it is not known which version it means.", "RFC 9111 §4.3.4", "Let the app send the ETag of the version that it compared."},
	ReasonDivergent:               {"divergent", InBody, "Two answers of the origin differed: something in the page is made for one visitor or one request.", "design 3", "See the record: it names the place. Move that state out of the page."},
	ReasonReflectsInput:           {"reflects-input", InBody, "A value of this visitor's request that is not in the key occurs in the response.", "design 5", "Let the page not repeat it, or key the input."},
	ReasonStateInBody:             {"state-in-body", InBody, "The body has a mark of per-visitor state: a CSRF field, a session id in a link, a user object … The record names the detector.", "design 5", "Move that state out of the page, corroborate the route, or tolerate the detector, with a reason."},
	ReasonInspectionIncomplete:    {"inspection-incomplete", InBody, "The body could not be looked into to its end within the bounds: it is full of what looks like the beginning of a mark.", "design 3", "Corroborate the route; or inspect: off, with a reason."},
	ReasonTruncated:               {"truncated", InBody, "The response was not complete.", "RFC 9112 §8", "Look at the origin: it broke off."},
	ReasonTooLarge:                {"too-large", InBody, "The body is larger than an object may be.", "design 3", "Raise max_object, or let large files be served past Cacheward."},
	ReasonRememberedRefusal:       {"remembered-refusal", InCache, "A response for this key was refused a moment ago, so nobody waits for another.", "design 3", "Look for the record of the refusal itself."},
	ReasonRouteDiverging:          {"route-diverging", InCache, "The route's responses kept diverging, so it is not tried for a while.", "design 3", "See the divergence records: the pages of this route are not shareable as they are."},
	ReasonWaitTimeout:             {"wait-timeout", InCache, "The verdict on a response took too long to wait for.", "design 3", "Look at the origin's time."},
	ReasonWaitersFull:             {"waiters-full", InCache, "Too many requests already wait for this key's verdict.", "design 3", "Raise max_waiters, or look at the origin's time."},
	ReasonFillsFull:               {"fills-full", InCache, "Too many fills are under way.", "design 3", "Raise max_fills, or look at the origin's time."},
	ReasonMemoryFull:              {"memory-full", InCache, "The memory for responses that are not yet judged is used up.", "design 3", "Raise fill_memory, or look at the origin's time."},
	ReasonFillAborted:             {"fill-aborted", InCache, "The fill ended without an answer (time limit, reload, or the origin broke off).", "design 3", "Look at the origin; after a reload, nothing."},
	ReasonOriginError:             {"origin-error", InCache, "The origin could not be reached or failed.", "RFC 5861 §4", "Look at the origin; stale_if_error serves visitors meanwhile."},
	ReasonInvalidated:             {"invalidated", InCache, "The URL was changed by an unsafe request, purged or stored anew while the response was under way.", "RFC 9111 §4.4", "Nothing: the next request fetches the new one."},
	ReasonValidationRequired:      {"validation-required", InCache, "The origin wants to be asked before each reuse, so a request cannot share the answer to another one.", "RFC 9111 §5.2.2.4", "Let the app give the response a lifetime."},
	ReasonTripped:                 {"tripped", InCache, "Caching was stopped by hand, or because a leak was found, until someone resets it.", "design 2", "cacheward status says who stopped it and why; cacheward reset ends it."},
	ReasonLeaseLapsed:             {"lease-lapsed", InCache, "The edge has not heard from the others for as long as its lease: what is stored may be purged by now.", "design 2", "cacheward status says since when and why; it comes back by itself. on_partition serve goes on with what is stored."},
	ReasonStoreFault:              {"store-fault", InFault, "The store failed; the request went to the origin.", "design 3", "Look at the error in the log."},
	ReasonInternalFault:           {"internal-fault", InFault, "Cacheward met a fault of its own; the request went to the origin.", "design 3", "Report it, with the log line."},
}

// Info returns the reason's entry in the catalogue.
func (r Reason) Info() ReasonInfo {
	if r >= reasonCount {
		return ReasonInfo{Code: "reason-" + strconv.Itoa(int(r)), Class: InFault}
	}
	return reasons[r]
}

// String returns the reason's code.
func (r Reason) String() string { return r.Info().Code }

// MarshalText writes the reason's code.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// AllReasons lists the whole catalogue, in its order, for documentation.
func AllReasons() []Reason {
	all := make([]Reason, 0, reasonCount-1)
	for r := ReasonNone + 1; r < reasonCount; r++ {
		all = append(all, r)
	}
	return all
}

// ReasonOf returns the reason with the code; ok is false if there is none.
func ReasonOf(code string) (r Reason, ok bool) {
	for r := ReasonNone + 1; r < reasonCount; r++ {
		if reasons[r].Code == code {
			return r, true
		}
	}
	return ReasonNone, false
}
