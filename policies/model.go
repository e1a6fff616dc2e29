package policies

// Policy is an ordered list of routes and what holds for all of them. The first
// route that matches a request governs it. The zero value shares nothing.
type Policy struct {
	// Version of the policy language. Default: 1, the only one.
	Version int `json:"version,omitempty"`

	// Mode is enforce or observe. Observe changes no response and stores
	// nothing; it records what enforce would have done. Default: enforce.
	Mode Mode `json:"mode,omitempty"`

	// Default is what holds for requests that no route matches: never or
	// origin. What nobody declared shareable is shared with nobody, so
	// Default: never.
	Default CacheKind `json:"default,omitempty"`

	// Ambiguous says what a request gets that two parsers could read
	// differently: bypass (to the origin untouched, never stored) or deny
	// (400). Default: bypass.
	Ambiguous Verb `json:"ambiguous,omitempty"`

	// OnLeak is trip or warn: what happens when a page that was stored and shared
	// turns out to hold the state of one visitor. Trip stops the caching of its whole
	// route until someone resets it; warn withdraws that page alone. Default: trip.
	OnLeak LeakAnswer `json:"on_leak,omitempty"`

	// Identity names the cookies and headers that make a visitor a person.
	Identity *Identity `json:"identity,omitempty"`

	// Downstream names the CDN that stands before the whole site. Left out: generic.
	Downstream *CDN `json:"downstream,omitempty"`

	// Routes, in the order in which they are tried.
	Routes []Route `json:"routes,omitempty"`

	source positions
}

// Identity names the inputs that make a visitor a person. A request that has
// one is a bypass on every route, unless the route keys that input.
// Authorization and Proxy-Authorization are always identity.
type Identity struct {
	// Cookies are exact, case-sensitive names or globs (remember_*).
	Cookies []string `json:"cookies,omitempty"`
	// Headers are field names or globs, case-insensitive.
	Headers []string `json:"headers,omitempty"`
}

// Route is one named rule.
type Route struct {
	// Name is how logs, metrics and messages call the route: lower-case
	// letters, digits, - and _. Unique in the policy.
	Name string `json:"name,omitempty"`

	// Match says which requests the route governs. All that is given must
	// match; at least hosts or paths must be given.
	Match Match `json:"match,omitzero"`

	// Cache says whether and for how long responses may be shared.
	Cache Cache `json:"cache,omitzero"`

	// Params, Cookies and Headers give every input its disposition.
	Params  *Inputs       `json:"params,omitempty"`
	Cookies *Inputs       `json:"cookies,omitempty"`
	Headers *HeaderInputs `json:"headers,omitempty"`

	// Attribution keeps who sent each visitor, while the landing pages are shared.
	Attribution *Attribution `json:"attribution,omitempty"`

	// Admission is corroborated (the default of routes with a duration) or
	// once (the default of cache: origin). Once on a duration needs a reason.
	Admission *Choice `json:"admission,omitempty"`

	// SetCookie is refuse (a response that sets a cookie is not stored; the
	// default) or strip (nobody gets the cookie, admission is corroborated).
	// Strip needs a reason.
	SetCookie *Choice `json:"set_cookie,omitempty"`

	// Downstream permits caches between Cacheward and the visitor to store
	// admitted objects. Left out: private, no-store.
	Downstream *Downstream `json:"downstream,omitempty"`

	// Heuristic says whether a response may be stored to which the origin gave no
	// lifetime, for one estimated from its age (RFC 9111 §4.2.2). Default: off.
	// Cache: origin routes only.
	Heuristic Switch `json:"heuristic,omitempty"`

	// ErrorTTL is the longest that an error (400, 5xx, an unknown status) to which
	// the origin gave a lifetime is stored. Default: 5s; 0s stores none; at most
	// 60s. Cache: origin routes only.
	ErrorTTL *Duration `json:"error_ttl,omitempty"`

	// Targeted says which RFC 9213 fields of the origin are meant for this cache.
	// Left out: CDN-Cache-Control. Cache: origin routes only.
	Targeted *Targeted `json:"targeted,omitempty"`

	// Authorization is bypass (a request with Authorization is nobody else's; the
	// default) or rfc9111 (its answer is shared where the origin says so, RFC 9111
	// §3.5: the field is sent on a fill and not keyed). Rfc9111 needs a reason,
	// cache: origin and admission once.
	Authorization *Choice `json:"authorization,omitempty"`

	// Address is strip (a fill does not say who caused it; the default) or forward
	// (the visitor's address is sent to the origin on a fill and not keyed).
	// Forward needs a reason, cache: origin and admission once.
	Address *Choice `json:"address,omitempty"`

	// RequestDirectives says whether visitors may ask for more than is stored by
	// Cache-Control and Pragma in their requests (RFC 9111 §5.2.1), and so cause
	// requests to the origin. Default: obey on cache: origin, ignore on a duration.
	RequestDirectives Obedience `json:"request_directives,omitempty"`

	// Vouch names response fields that speak against sharing as a rule, and that the
	// operator knows to be the same for everybody. Cache: origin routes with
	// admission once only.
	Vouch *Vouch `json:"vouch,omitempty"`

	// Inspect is on (bodies are decoded and looked into; the default) or off (what
	// the origin sends is believed to be the same for everybody, whatever is in it
	// and however it is coded). Off needs a reason.
	Inspect *Choice `json:"inspect,omitempty"`

	// Ignore declares where two answers of the origin may differ and yet be the same.
	Ignore []Harmless `json:"ignore,omitempty"`

	// Tolerate turns detectors of state in the body off.
	Tolerate []Tolerance `json:"tolerate,omitempty"`

	// Recheck is the share of hits after which the origin is asked in the background
	// whether the stored response is still what everybody gets. Default: none.
	Recheck Share `json:"recheck,omitempty"`

	// Mode, Ambiguous, OnLeak and Identity replace the policy's own on this route.
	Mode      Mode       `json:"mode,omitempty"`
	Ambiguous Verb       `json:"ambiguous,omitempty"`
	OnLeak    LeakAnswer `json:"on_leak,omitempty"`
	Identity  *Identity  `json:"identity,omitempty"`

	source positions
}

// Match selects requests. An empty list matches anything.
type Match struct {
	// Hosts are exact names (example.com, example.com:8443) or *.example.com,
	// which matches one or more labels before the rest.
	Hosts []string `json:"hosts,omitempty"`
	// Paths are /exact, /prefix/*, *.ext or a glob in which * matches within
	// a segment and ** across segments. They are compared with the decoded
	// path, case-sensitively.
	Paths []string `json:"paths,omitempty"`
	// Methods, upper case. Only GET and HEAD are ever answered from the store.
	Methods []string `json:"methods,omitempty"`
}

// CacheKind is never, origin or ttl.
type CacheKind string

// The kinds of Cache.
const (
	CacheNever  CacheKind = "never"  // nothing is stored
	CacheOrigin CacheKind = "origin" // the origin's explicit headers govern (RFC 9111)
	CacheTTL    CacheKind = "ttl"    // the operator's duration overrides the origin's lifetime
)

// Cache says for how long a response may be shared. In all spellings it is
// "never", "origin", a duration ("5m"), or an object with ttl, which is a duration
// or "origin".
type Cache struct {
	Kind CacheKind

	// TTL is the lifetime of an object with status 200, when Kind is ttl.
	TTL Duration
	// StaleWhileRevalidate is for how long after its lifetime an object may
	// be served while it is being refreshed in the background (RFC 5861 §3).
	StaleWhileRevalidate Duration
	// StaleIfError is for how long after its lifetime an object may be served
	// when the origin fails (RFC 5861 §4).
	StaleIfError Duration
	// Statuses gives lifetimes to other statuses: {404: 10s}. When Kind is origin,
	// it gives them to those for which the origin gave none, and never more than
	// the origin gave.
	Statuses map[int]Duration
}

// Verb is the disposition of an input.
type Verb string

// The dispositions. Vary and forward are for headers only.
const (
	Key     Verb = "key"     // part of the cache key, and sent to the origin
	Strip   Verb = "strip"   // neither in the key nor sent to the origin
	Bypass  Verb = "bypass"  // a request that has it goes to the origin untouched
	Deny    Verb = "deny"    // a request that has it is refused with 400
	Vary    Verb = "vary"    // cache: origin routes only: sent, and keyed when the origin's Vary names it
	Forward Verb = "forward" // sent to the origin and not keyed; needs a reason
)

// Inputs are the dispositions of query parameters or cookies, by exact,
// case-sensitive name, glob (utm_*) or list (@analytics). An exact name wins over a
// glob, a glob over a list; among equals the strictest verb wins: deny, bypass,
// key, strip.
type Inputs struct {
	Key    []string `json:"key,omitempty"`
	Strip  []string `json:"strip,omitempty"`
	Bypass []string `json:"bypass,omitempty"`
	Deny   []string `json:"deny,omitempty"`

	// Others is the verb of every name not given above. Default: bypass; for
	// parameters of cache: origin routes, key.
	Others Verb `json:"others,omitempty"`

	// Plain names the inputs whose values the audit log may hold in clear.
	Plain []string `json:"plain,omitempty"`
}

// HeaderInputs are the dispositions of request headers, case-insensitive.
type HeaderInputs struct {
	Key     []HeaderKey     `json:"key,omitempty"`
	Strip   []string        `json:"strip,omitempty"`
	Bypass  []string        `json:"bypass,omitempty"`
	Deny    []string        `json:"deny,omitempty"`
	Vary    []string        `json:"vary,omitempty"`
	Forward []HeaderForward `json:"forward,omitempty"`

	// Others is strip, bypass (fields that every browser sends excepted) or,
	// on cache: origin routes, vary. Default: strip.
	Others Verb `json:"others,omitempty"`
}

// HeaderKey keys a header. With Values, what the visitor sent is first
// normalised to one of them (negotiated by quality for Accept-Language and Accept;
// equal, case-insensitively, for others) or to nothing.
// A HeaderKey without values is spelled as its name alone.
type HeaderKey struct {
	Name   string   `json:"name"`
	Values []string `json:"values,omitempty"`
}

// HeaderForward sends a header to the origin without keying it, and says why.
type HeaderForward struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Choice is a rule and the reason for it. Without a reason it is spelled as the
// rule alone.
type Choice struct {
	Rule   string `json:"rule"`
	Reason string `json:"reason,omitempty"`
}

// The rules of Admission, SetCookie, Authorization and Address.
const (
	Corroborated = "corroborated"
	Once         = "once"
	RefuseCookie = "refuse"
	StripCookie  = "strip"

	AuthorizationBypass  = "bypass"
	AuthorizationRFC9111 = "rfc9111"
	AddressStrip         = "strip"
	AddressForward       = "forward"
)

// Switch is on or off.
type Switch string

// The positions of a Switch.
const (
	On  Switch = "on"
	Off Switch = "off"
)

// Obedience is obey or ignore.
type Obedience string

// The two of it.
const (
	Obey   Obedience = "obey"
	Ignore Obedience = "ignore"
)

// Targeted says which response fields speak to this cache (RFC 9213 §2), and what
// they can overrule.
type Targeted struct {
	// Fields are their names, most specific first, case-insensitive; each ends with
	// -Cache-Control. Default: CDN-Cache-Control.
	Fields []string `json:"fields,omitempty"`
	// Order is refusal-first or rfc9213. Default: refusal-first.
	Order string `json:"order,omitempty"`
}

// The orders of Targeted.
const (
	// RefusalFirst: a refusal in any field, Cache-Control included, wins over a
	// permission in another.
	RefusalFirst = "refusal-first"
	// TargetFirst: the first targeted field that is there and valid governs alone
	// (RFC 9213 §2.2).
	TargetFirst = "rfc9213"
)

// Vouch names response fields for whose sake a response would be refused: they carry
// the state of one visitor as a rule, or say that the content is encoded or a part.
// Those that are vouched for are no reason to refuse, and are stored and replayed,
// save what RFC 9111 §3.1 never stores. It holds for the head of a final response;
// in 1xx responses and trailers they speak against sharing as ever.
type Vouch struct {
	// Fields are their names, case-insensitive, without globs. None can be a
	// credential, a cookie, or what governs who may store the response.
	Fields []string `json:"fields,omitempty"`
	// Reason says how the operator knows. Required.
	Reason string `json:"reason,omitempty"`
}

// Harmless declares a harmless difference: a place that may differ between two answers
// which are the same otherwise. Exactly one of HTML, JSON and Header is given. What is
// stored is always the canonical fill; a place that shows a value of the visitor's own
// request is a refusal all the same.
type Harmless struct {
	// HTML selects comments ("comment"), an attribute ("meta[name=generated] content",
	// "time datetime") or an element's text ("span#stamp").
	HTML string `json:"html,omitempty"`
	// JSON is the path of a member in a JSON body: $.server_time, $.items[*].ts.
	JSON string `json:"json,omitempty"`
	// Header is the name of a response field, case-insensitive.
	Header string `json:"header,omitempty"`
	// Matching is a glob that the value must match, in both answers. Default: *.
	Matching string `json:"matching,omitempty"`
	// Reason says why the difference is harmless. Required.
	Reason string `json:"reason,omitempty"`
}

// Tolerance turns one detector off, by its id, and says why. The reason is required.
type Tolerance struct {
	Detector string `json:"detector,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

// Share is a part of a whole, from 0 to 1. It is spelled in percent: "1%", "0.5%".
type Share float64

// CDN says which CDN is spoken to, on every route that names no other, and where no
// route matches: what refuses is said in its dialect too. It permits nothing by itself.
type CDN struct {
	// Profile is its dialect. Required.
	Profile string `json:"profile"`
	// TagHeader is the name of the field in which the CDN was told to look for tags. For
	// profiles that leave it to choose, which is cloudfront. Left out: it gets no tags.
	TagHeader string `json:"tag_header,omitempty"`
}

// Downstream permits caches between Cacheward and the visitor to store admitted
// objects. It is spelled as its TTL alone when nothing else is said, and as the
// word "origin" when what the origin says to them passes unchanged.
type Downstream struct {
	// TTL for the CDN. It is never more than what is left of the object's own.
	// None beside the profile origin.
	TTL Duration `json:"ttl"`
	// Browser is the lifetime in the visitor's browser. Default: 0, the
	// browser revalidates. None beside the profile origin.
	Browser Duration `json:"browser,omitempty"`
	// Profile is the dialect spoken to the CDN. Left out: the policy's, which is
	// generic unless it says otherwise.
	Profile string `json:"profile,omitempty"`
	// TagHeader is the name of the field in which the CDN was told to look for tags, as
	// in the policy's own downstream.
	TagHeader string `json:"tag_header,omitempty"`
}

// The profiles that mean something of their own. [Profiles] has the others.
const (
	// ProfileGeneric is Cache-Control for browsers and CDN-Cache-Control (RFC 9213)
	// for the CDN, and the origin's own tags.
	ProfileGeneric = "generic"
	// ProfileOrigin passes on what the origin says. Cache: origin routes only.
	ProfileOrigin = "origin"
)

// Mode is enforce or observe.
type Mode string

// The modes.
const (
	Enforce Mode = "enforce"
	Observe Mode = "observe"
)

// LeakAnswer is trip or warn.
type LeakAnswer string

// The answers to a leak. In either case the page is withdrawn, and the log says so.
const (
	LeakTrip LeakAnswer = "trip" // caching of the whole route stops until someone resets it
	LeakWarn LeakAnswer = "warn" // the route goes on
)
