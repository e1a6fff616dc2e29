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

	// Identity names the cookies and headers that make a visitor a person.
	Identity *Identity `json:"identity,omitempty"`

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

	// Mode, Ambiguous and Identity replace the policy's own on this route.
	Mode      Mode      `json:"mode,omitempty"`
	Ambiguous Verb      `json:"ambiguous,omitempty"`
	Identity  *Identity `json:"identity,omitempty"`

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
// "never", "origin", a duration ("5m"), or an object with ttl.
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
	// Statuses gives lifetimes to other statuses: {404: 10s}.
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
	Vary    Verb = "vary"    // cache: origin routes only: sent, and keyed
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

// The rules of Admission and SetCookie.
const (
	Corroborated = "corroborated"
	Once         = "once"
	RefuseCookie = "refuse"
	StripCookie  = "strip"
)

// Downstream permits caches between Cacheward and the visitor to store admitted
// objects. It is spelled as its TTL alone when the profile is generic.
type Downstream struct {
	// TTL for the CDN. It is never more than what is left of the object's own.
	TTL Duration `json:"ttl"`
	// Browser is the lifetime in the visitor's browser. Default: 0, the
	// browser revalidates.
	Browser Duration `json:"browser,omitempty"`
	// Profile is the dialect spoken to the CDN. Default: generic.
	Profile string `json:"profile,omitempty"`
}

// ProfileGeneric is Cache-Control for browsers and CDN-Cache-Control (RFC 9213)
// for the CDN.
const ProfileGeneric = "generic"

// Mode is enforce or observe.
type Mode string

// The modes.
const (
	Enforce Mode = "enforce"
	Observe Mode = "observe"
)
