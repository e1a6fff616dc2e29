package explain

import (
	"github.com/cacheward/cacheward/policies"
)

// Schema is the version of the JSON form of an [Explanation]. SCHEMA.md describes it.
const Schema = 1

// The actions, as they are told.
const (
	ActionCache  = "cache"
	ActionBypass = "bypass"
	ActionDeny   = "deny"
)

// Explanation is what happens to a request, in the order in which it happens.
type Explanation struct {
	Schema  int    `json:"schema"`
	Request Asked  `json:"request"`
	Route   Route  `json:"route"`
	Inspect Result `json:"inspect"`
	// Inputs are all that the request has: parameters and cookies in their order, then
	// headers by name, then the address.
	Inputs  []Input `json:"inputs"`
	Dispose Result  `json:"dispose"`
	// Verdict is that of the first step that is not for the cache; cache if both are.
	Verdict Result `json:"verdict"`
	// Observed says that the route only observes: nothing of this is in force.
	Observed bool `json:"observed,omitempty"`

	// Attribution is what is taken off the request and carried with the visitor; nil where
	// the route declares no attribution. Delivery is what the app would be told with it; nil
	// where no route delivers to the path.
	Attribution *Attribution `json:"attribution,omitempty"`
	Delivery    *Delivery    `json:"delivery,omitempty"`

	// The following are nil unless the verdict is cache.
	Key       *Key       `json:"key,omitempty"`
	Canonical *Canonical `json:"canonical,omitempty"`
	Admission *Admission `json:"admission,omitempty"`

	// Contract is what caches further on may do with admitted objects.
	Contract Contract `json:"contract"`

	// Response is nil before [Explanation.Judge].
	Response *Judgement `json:"response,omitempty"`

	// Profiles is what CDNs would be told. See [Explanation.Speak].
	Profiles []Spoken `json:"profiles,omitempty"`

	policy *policies.Policy
	rule   *policies.Rule
	route  *policies.Route // nil: the default
	req    *policies.Request
	parts  *policies.Parts
	from   Request
	cache  bool
	fill   *fill
}

// Asked is the request as it is judged.
type Asked struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	Scheme string `json:"scheme"`
	Host   string `json:"host"`
	Path   string `json:"path"` // decoded: routes match this
	Query  string `json:"query,omitempty"`
}

// Route is the route that governs a request.
type Route struct {
	// Name is "default" if no route matches.
	Name string `json:"name"`
	// At is where it was written: file:line:column. Empty if that is not known.
	At string `json:"at,omitempty"`
	// Cache is never, origin, or a duration.
	Cache string `json:"cache"`
	// Mode is enforce or observe.
	Mode string `json:"mode"`
	// OnLeak is trip or warn. Empty on routes that store nothing.
	OnLeak string `json:"on_leak,omitempty"`
	// PassedOver are earlier routes that do not match, those that nearly do first; of
	// many not all. PassedOverTotal is how many there are.
	PassedOver      []PassedOver `json:"passed_over,omitempty"`
	PassedOverTotal int          `json:"passed_over_total"`
}

// PassedOver is a route that does not match.
type PassedOver struct {
	Name string `json:"name"`
	At   string `json:"at,omitempty"`
	// Misses says what does not fit: hosts, paths, methods.
	Misses []string `json:"misses"`
}

// Result is an action and why it is not cache.
type Result struct {
	// Action is cache, bypass or deny.
	Action  string   `json:"action"`
	Reasons []Reason `json:"reasons,omitempty"`
}

// Codes are the codes of the reasons.
func (r Result) Codes() []string { return codes(r.Reasons) }

// Reason is an entry of the catalogue of reasons.
type Reason struct {
	Code      string `json:"code"`
	Class     string `json:"class"`
	Sentence  string `json:"sentence"`
	Advice    string `json:"advice,omitempty"`
	Reference string `json:"reference,omitempty"`
}

// Input is a part of the request and what becomes of it.
type Input struct {
	// Kind is param, cookie, header or address.
	Kind string `json:"kind"`
	// Name is a parameter's as it was sent, a header's in its canonical form.
	Name string `json:"name,omitempty"`
	// Value is what was sent.
	Value string `json:"value,omitempty"`
	// Disposition is key, strip, bypass, deny, vary or forward; malformed for a cookie
	// that cannot be read in one way only.
	Disposition string `json:"disposition"`
	// By is the entry of the route, or of the policy's identity, that says so; or
	// default or built-in.
	By string `json:"by,omitempty"`
	// At is where that entry was written: file:line:column.
	At string `json:"at,omitempty"`
	// Keyed is what is keyed and sent instead of Value, where they differ: the declared
	// value that it comes to. KeyedNothing says that it comes to none.
	Keyed        string `json:"keyed,omitempty"`
	KeyedNothing bool   `json:"keyed_nothing,omitempty"`
	// Reason is why the input speaks against the cache, as a code.
	Reason string `json:"reason,omitempty"`
}

// Key is the key's parts.
type Key struct {
	// Digest is the key's BLAKE3 digest, in hexadecimal. Live says that it is the running
	// proxy's own: the audit log has its first 16 digits.
	Digest string `json:"digest"`
	Live   bool   `json:"live,omitempty"`
	Scheme string `json:"scheme"`
	Host   string `json:"host"`
	Path   string `json:"path"` // as it is sent
	// Params are name=value, as sent.
	Params  []string `json:"params,omitempty"`
	Cookies []Field  `json:"cookies,omitempty"`
	Headers []Field  `json:"headers,omitempty"`
	// Varying are headers that are sent to the origin, and part of the key of responses
	// whose Vary names them.
	Varying []Field `json:"varying,omitempty"`
}

// Field is a name and a value.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Canonical is the request that the origin is sent for a fill.
type Canonical struct {
	Method string  `json:"method"`
	URL    string  `json:"url"`
	Header []Field `json:"header"`
	// Forwarded names the fields in it that are not in the key.
	Forwarded []string `json:"forwarded,omitempty"`
	// Text is the request as HTTP/1.1 has it.
	Text string `json:"text"`
}

// Admission is how a fill becomes an object.
type Admission struct {
	// Rule is once or corroborated.
	Rule     string `json:"rule"`
	At       string `json:"at,omitempty"`
	Sentence string `json:"sentence"`
}

// Contract is the permission for caches between the proxy and the visitor.
type Contract struct {
	// Permits is nothing, ttl or origin (they are told what the origin says to them).
	Permits string `json:"permits"`
	// TTL and Browser are the lifetimes for the CDN and the browser, in seconds.
	TTL     int64 `json:"ttl,omitempty"`
	Browser int64 `json:"browser,omitempty"`
	// Profile is the dialect in which the CDN is told, of refusals too.
	Profile string `json:"profile"`
	// At is where the route says so.
	At string `json:"at,omitempty"`
}

// What a [Contract] permits.
const (
	PermitsNothing = "nothing"
	PermitsTTL     = "ttl"
	PermitsOrigin  = "origin"
)

// Judgement is what becomes of a response to the canonical request.
type Judgement struct {
	Status int `json:"status"`
	// Stored says that nothing speaks against its becoming an object. On a corroborated
	// route two answers must agree besides.
	Stored  bool     `json:"stored"`
	Reasons []Reason `json:"reasons,omitempty"`
	// Markers and Reflections tell of state in the response.
	Markers     []Marker     `json:"markers,omitempty"`
	Reflections []Reflection `json:"reflections,omitempty"`
	// Divergence is where the visitor's own answer and the fill differ. See
	// [Explanation.Corroborate].
	Divergence *Divergence `json:"divergence,omitempty"`
	// Compared says that two answers were held against each other.
	Compared bool `json:"compared,omitempty"`
	// Lifetime is for how long the object is reused unasked, in seconds from now. 0
	// unless it is stored.
	Lifetime int64 `json:"lifetime,omitempty"`
	// LifetimeBy is who gives it: policy, origin or heuristic.
	LifetimeBy string `json:"lifetime_by,omitempty"`
	// Validated says that the object is not reused unasked: the origin is asked each
	// time whether it still holds.
	Validated bool `json:"validated,omitempty"`
	// First are the fields about caching that the visitor who caused the fill gets, Hit
	// those of the next one, who gets the object. Hit is nil unless it is stored. First
	// is nil where the origin's own fields may go out (downstream: origin).
	First []Field `json:"first,omitempty"`
	Hit   []Field `json:"hit,omitempty"`
	// Notes are what else there is to say.
	Notes []string `json:"notes,omitempty"`
}

// Codes are the codes of the reasons.
func (j *Judgement) Codes() []string { return codes(j.Reasons) }

// Marker is state of a visitor in a body: where and of which kind, never what it says.
type Marker struct {
	ID     string `json:"id"`
	Near   string `json:"near,omitempty"`
	Offset int64  `json:"offset"`
	Finds  string `json:"finds"`
	Advice string `json:"advice,omitempty"`
}

// Reflection is a value of the visitor's that a response repeats.
type Reflection struct {
	Input string `json:"input"` // header X-Trace
	// Field is the response field; empty: the body.
	Field  string `json:"field,omitempty"`
	Near   string `json:"near,omitempty"`
	Offset int64  `json:"offset"`
	Coding string `json:"coding"`
}

// Divergence is where two answers differ.
type Divergence struct {
	Class    string `json:"class"`
	Sentence string `json:"sentence,omitempty"`
	Part     string `json:"part"`
	Field    string `json:"field,omitempty"`
	Near     string `json:"near,omitempty"`
	Input    string `json:"input,omitempty"`
	Shape    string `json:"shape,omitempty"`
	Offset   int64  `json:"offset"`
	Places   int    `json:"places"`
}

func codes(reasons []Reason) []string {
	var out []string
	for _, r := range reasons {
		out = append(out, r.Code)
	}
	return out
}

func reasonsOf(reasons []policies.Reason) []Reason {
	var out []Reason
	for _, r := range reasons {
		i := r.Info()
		out = append(out, Reason{Code: i.Code, Class: string(i.Class), Sentence: i.Sentence, Advice: i.Advice, Reference: i.Reference})
	}
	return out
}

func resultOf(v policies.Verdict) Result {
	return Result{
		Action:  [...]string{policies.ActCache: ActionCache, policies.ActBypass: ActionBypass, policies.ActDeny: ActionDeny}[v.Action],
		Reasons: reasonsOf(v.Reasons),
	}
}
