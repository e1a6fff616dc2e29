package policies

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/zeebo/blake3"
)

// Compiled is a policy that is ready to judge requests. It is immutable and safe
// for concurrent use; judging a request that may be served from the store
// allocates nothing that grows with the policy.
type Compiled struct {
	rules  []*Rule
	router *router
	rest   *Rule

	delivers   *router // nil: no route has an attribution
	delivering []int   // the rules whose paths the router finds
}

// Rule is a compiled route, or the policy's default.
type Rule struct {
	// Name is the route's, or "default".
	Name  string
	Cache Cache
	Mode  Mode
	// Ambiguous is Bypass or Deny.
	Ambiguous Verb
	// Corroborate: two answers of the origin must agree before one is shared.
	Corroborate bool
	// StripSetCookie: nobody gets a cookie from this route.
	StripSetCookie bool
	// Downstream is nil where caches further on get no permission: where the route
	// gives none, and where it keys or varies on a header of a person, or on a glob
	// of headers. Vary cannot name the glob, and several CDNs ignore Vary.
	Downstream *Downstream
	// Profile is how the CDN is spoken to, in refusals too. Never nil.
	Profile *Profile
	// Heuristic: a response without a lifetime may get one by RFC 9111 §4.2.2.
	Heuristic bool
	// ErrorTTL is the longest that an error with a lifetime of the origin's is
	// stored; 0 stores none. 0 on rules other than cache: origin.
	ErrorTTL Duration
	// Targets are the canonical names of the RFC 9213 fields that speak to this
	// cache, most specific first. Nil unless cache: origin. Not to be changed.
	Targets []string
	// TargetFirst: the first valid targeted field governs alone (RFC 9213 §2.2).
	// Otherwise a refusal in any field wins.
	TargetFirst bool
	// ShareAuthorized: a request with Authorization is no bypass. The field is
	// among [Parts.Forwarded], and RFC 9111 §3.5 says what may be stored then.
	ShareAuthorized bool
	// ForwardAddress: a fill tells the origin the visitor's address.
	ForwardAddress bool
	// ObeyRequest: Cache-Control and Pragma of a request are obeyed (RFC 9111
	// §5.2.1, §5.4). No-store is, in any case: Dispose makes it a bypass.
	ObeyRequest bool
	// Relay: what the origin says to caches further on passes unchanged. Downstream
	// is not nil then. Off wherever Downstream would be nil.
	Relay bool
	// InspectBody: bodies are decoded and looked into. Off, what is in them and how
	// they are coded is no reason to refuse.
	InspectBody bool
	// Harmless is where two answers may differ, as declared. Not to be changed.
	Harmless []Harmless
	// Recheck is the share of hits, from 0 to 1, after which the origin is asked in
	// the background whether the object is still what everybody gets. 0: none.
	Recheck float64
	// TripOnLeak: the whole route is to stop being cached when a page of it that was
	// shared turns out to hold the state of one visitor. Otherwise that page alone.
	TripOnLeak bool
	// Attribution is nil where the route has none.
	Attribution *CompiledAttribution
	// Plain says whether the audit log may hold this parameter's value in clear. It is
	// a member and no method, so that handing it on costs nothing.
	Plain func(param string) bool
	// Digest changes with anything that changes what the rule keys, admits or
	// serves. It is part of every key, so what another policy admitted is
	// unreachable from the moment this one is in force.
	Digest string
	// Space is the part of the key that keeps handlers and rules apart.
	Space string

	never           Reason // why Cache.Kind is never
	hosts           *hostNames
	params, cookies *matcher
	paramFolds      map[string]struct{}
	identityCookies *matcher
	headers         *headerTable
	varyOn          []string
	vouched         []string // canonical names
	tolerated       []string // ids of detectors
}

// DefaultRule is the name of the rule for requests that no route matches.
const DefaultRule = "default"

// Compile validates the policy and makes it ready. The space keeps the keys of
// several users of one store apart. All mistakes are reported at once, as
// Diagnostics.
func Compile(p *Policy, space string) (*Compiled, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	matches := make([]Match, len(p.Routes))
	for i := range p.Routes {
		matches[i] = p.Routes[i].Match
	}
	c := &Compiled{router: newRouter(matches)}
	hosts := &hostNames{router: c.router}
	tables := make(headerTables)
	attributed := p.HasAttribution()
	for i := range p.Routes {
		rule, err := compileRoute(p, &p.Routes[i], hosts, tables, space, attributed)
		if err != nil {
			return nil, err
		}
		c.rules = append(c.rules, rule)
	}
	if attributed {
		c.deliveries(p)
	}
	rest := Route{Name: DefaultRule, Cache: Cache{Kind: p.Default}}
	if rest.Cache.Kind == "" {
		rest.Cache.Kind = CacheNever
	}
	var err error
	if c.rest, err = compileRoute(p, &rest, hosts, tables, space, attributed); err != nil {
		return nil, err
	}
	c.rest.never = ReasonNoRoute
	return c, nil
}

// Route returns the rule that governs the request: the first that matches, or
// the policy's default. Never nil.
func (c *Compiled) Route(req *Request) *Rule {
	if i := c.router.find(req.Method, req.Host, req.Path); i >= 0 {
		return c.rules[i]
	}
	return c.rest
}

// Profile is how the CDN is spoken to where it is not known which rule governs.
func (c *Compiled) Profile() *Profile { return c.rest.Profile }

// Rules are all rules in their order, the default last. Not to be changed.
func (c *Compiled) Rules() []*Rule {
	return append(slices.Clone(c.rules), c.rest)
}

func compileRoute(p *Policy, route *Route, hosts *hostNames, tables headerTables, space string, attributed bool) (*Rule, error) {
	effective := *route
	effective.Mode = firstOf(route.Mode, p.Mode, Enforce)
	effective.Ambiguous = firstOf(route.Ambiguous, p.Ambiguous, Bypass)
	effective.OnLeak = firstOf(route.OnLeak, p.OnLeak, LeakTrip)
	if effective.Identity == nil {
		effective.Identity = p.Identity
	}
	r := &Rule{
		Name:           route.Name,
		Cache:          route.Cache,
		Mode:           effective.Mode,
		Ambiguous:      effective.Ambiguous,
		Corroborate:    corroborates(route),
		StripSetCookie: route.SetCookie != nil && route.SetCookie.Rule == StripCookie,
		Downstream:     route.Downstream,
		Profile:        p.ProfileOf(route),
		Relay:          relays(route),
		ObeyRequest:    route.Cache.Kind == CacheOrigin,
		InspectBody:    inspects(route),
		Harmless:       route.Ignore,
		Recheck:        float64(route.Recheck),
		TripOnLeak:     effective.OnLeak == LeakTrip,
		never:          ReasonRouteNever,
		hosts:          hosts,
	}
	digest, err := ruleDigest(&effective)
	if err != nil {
		return nil, err
	}
	r.Digest = digest
	r.Space = space + "\x00" + digest
	for _, t := range route.Tolerate {
		r.tolerated = append(r.tolerated, t.Detector)
	}
	r.params, r.cookies = paramMatcher(&effective), cookieMatcher(&effective, attributed)
	r.Attribution = compileAttribution(&effective)
	r.paramFolds = paramFolds(effective.Params)
	plain := newMatcher(kindParam, Strip)
	if effective.Params != nil {
		plain.add(Key, effective.Params.Plain...)
	}
	r.Plain = plain.matches
	if a := r.Attribution; a != nil {
		// Whoever writes the name in another way must not have it carried and not told.
		r.Plain = func(name string) bool { return plain.matches(name) || a.Takes(name) }
	}
	r.identityCookies = newMatcher(kindCookie, Strip)
	if effective.Identity != nil {
		r.identityCookies.add(Bypass, effective.Identity.Cookies...)
	}
	if r.headers, err = tables.of(&effective); err != nil {
		return nil, err
	}
	r.varyOn = r.headers.keyed
	if r.headers.personal {
		r.Downstream, r.Relay = nil, false
	}
	if route.RequestDirectives != "" {
		r.ObeyRequest = route.RequestDirectives == Obey
	}
	if route.Cache.Kind == CacheOrigin {
		r.follow(route)
	}
	return r, nil
}

func firstOf[T ~string](values ...T) T {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// corroborates: what the operator declares shareable is proved, what the origin
// itself declares so is believed, unless the route says otherwise. Stripping
// cookies from a response is declaring it shareable against the origin's word.
func corroborates(route *Route) bool {
	if route.SetCookie != nil && route.SetCookie.Rule == StripCookie {
		return true
	}
	if route.Admission != nil {
		return route.Admission.Rule == Corroborated
	}
	return route.Cache.Kind == CacheTTL
}

// inspects: bodies are looked into unless the route says, with a reason, not to.
func inspects(route *Route) bool { return route.Inspect == nil || route.Inspect.Rule != InspectOff }

func inputMatcher(kind listKind, in *Inputs, others Verb) *matcher {
	if in == nil {
		return newMatcher(kind, others)
	}
	m := newMatcher(kind, firstOf(in.Others, others))
	m.add(Key, in.Key...)
	m.add(Strip, in.Strip...)
	m.add(Bypass, in.Bypass...)
	m.add(Deny, in.Deny...)
	return m
}

// paramFolds are the folded exact names that are not stripped; see aliases.
func paramFolds(in *Inputs) map[string]struct{} {
	folds := make(map[string]struct{})
	if in == nil {
		return folds
	}
	for _, names := range [][]string{in.Key, in.Bypass, in.Deny} {
		for _, name := range names {
			if !strings.Contains(name, "*") && !strings.HasPrefix(name, "@") {
				folds[foldParam(name)] = struct{}{}
			}
		}
	}
	return folds
}

// ruleDigest covers everything that decides what the rule keys and admits. What is done
// about a leak, and in which dialect the CDN is spoken to, is no such thing: to change
// it must not empty the cache.
func ruleDigest(effective *Route) (string, error) {
	covered := *effective
	covered.OnLeak = ""
	if d := effective.Downstream; d != nil && d.Profile != ProfileOrigin {
		covered.Downstream = &Downstream{TTL: d.TTL, Browser: d.Browser}
	}
	if a := effective.Attribution; a != nil {
		covered.Attribution = &Attribution{Params: a.Params} // the rest is no matter of what is stored
	}
	b, err := json.Marshal(&covered)
	if err != nil {
		return "", fmt.Errorf("digest of route %q: %w", effective.Name, err)
	}
	b = fmt.Appendf(b, "|lists %d|builtin %d|key %d|detectors %d", ListVersion(), builtinVersion, keyVersion, DetectorVersion())
	sum := blake3.Sum256(b)
	return hex.EncodeToString(sum[:16]), nil
}

// Covers says whether a response's Vary on the named request header is taken care
// of on this rule (RFC 9111 §4.1): the header is in the key, or stored variants are
// told apart by it (see Varies), or no request that has it is served from the store,
// or the route declares it stripped.
func (r *Rule) Covers(header string) bool { return r.headers.covers(header) }

// Keys says whether the request header is in the key, whatever a response's Vary
// says.
func (r *Rule) Keys(header string) bool {
	return r.headers.find(http.CanonicalHeaderKey(header)).verb == Key
}

// Varies says whether the request header is among [Parts.Varying]: sent, and part
// of the secondary key of responses whose Vary names it.
func (r *Rule) Varies(header string) bool {
	return r.headers.find(http.CanonicalHeaderKey(header)).verb == Vary
}

// MayProvoke names the headers outside of the key that visitors are known to provoke
// errors by, sent or not: nothing that is acceptable, an agent that is turned away. An
// error page's Vary seldom names them. Other headers, where all of them may vary, are
// taken for harmless.
func (r *Rule) MayProvoke() []string {
	return slices.DeleteFunc([]string{"Accept", "Accept-Language", "User-Agent"}, func(name string) bool { return !r.Varies(name) })
}

// Vouches says whether the route vouches for a response field, by its canonical
// name: it is then no reason to refuse a response, and stored with it.
func (r *Rule) Vouches(field string) bool { return slices.Contains(r.vouched, field) }

// Tolerates says whether the route turned off the detector with the id.
func (r *Rule) Tolerates(detector string) bool { return slices.Contains(r.tolerated, detector) }

// VaryOn names the request headers that are in the key. Caches downstream of a
// stored response must tell requests apart by them as well.
func (r *Rule) VaryOn() []string { return r.varyOn }

// hostNames answers what the policy knows of a host.
type hostNames struct{ router *router }

// knows says whether the policy names the host, or names none at all; and whether
// it names it with its port.
func (h *hostNames) knows(host string) (named, withPort bool) {
	if !h.router.namesHosts() {
		return true, false
	}
	return h.router.knowsHost(host)
}
