package policies

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// CompiledAttribution is a route's attribution, ready to judge requests. Defaults are
// filled in; Deliver, Beacon and Consent are nil where the route has none. It is
// immutable and safe for concurrent use.
type CompiledAttribution struct {
	Attribution
	// Route is the name of the route that declares it.
	Route string

	takes   *matcher
	paid    []paidSign
	consent nameGlob
}

// paidSign is a parameter that makes a visit a paid one: its being there, or its value.
type paidSign struct {
	name  string
	value *nameGlob // nil: any
}

// The defaults of an attribution.
const (
	DefaultWindow      = Duration(30 * 24 * time.Hour)
	DefaultBeaconBatch = 100
	DefaultBeaconQueue = 1_000_000
	DefaultBeaconEvery = Duration(time.Second)
)

// HasAttribution says whether any route of the policy has an attribution.
func (p *Policy) HasAttribution() bool {
	for i := range p.Routes {
		if p.Routes[i].Attribution != nil {
			return true
		}
	}
	return false
}

// HasAttribution says whether any route of the policy has an attribution: its two cookies
// are then stripped on every route.
func (c *Compiled) HasAttribution() bool { return c.delivers != nil }

// Delivers returns the attribution of the first route that delivers to the path, which is
// decoded, at the host, which is in lower case with its port if it had one; or nil. It
// allocates nothing.
func (c *Compiled) Delivers(host, path string) *CompiledAttribution {
	if c.delivers == nil {
		return nil
	}
	if i := c.delivers.find("", host, path); i >= 0 {
		return c.rules[c.delivering[i]].Attribution
	}
	return nil
}

// AsCookie says whether a value of this name may be handed to the app as a cookie, with a
// request that the rule governs: an attribution that delivers so takes the name, and it makes
// nobody a person there.
func (c *Compiled) AsCookie(rule *Rule, name string) bool {
	return !rule.identityCookies.matches(name) && slices.ContainsFunc(c.delivering, func(i int) bool {
		a := c.rules[i].Attribution
		return a.Deliver.As == AsCookie && a.Takes(name)
	})
}

// deliveries notes which routes deliver, and where.
func (c *Compiled) deliveries(p *Policy) {
	var matches []Match
	for i := range p.Routes {
		if a := p.Routes[i].Attribution; a != nil && a.Deliver != nil {
			matches = append(matches, Match{Hosts: p.Routes[i].Match.Hosts, Paths: a.Deliver.Paths})
			c.delivering = append(c.delivering, i)
		}
	}
	c.delivers = newRouter(matches)
}

// compileAttribution is nil for a route without one.
func compileAttribution(route *Route) *CompiledAttribution {
	if route.Attribution == nil {
		return nil
	}
	a := &CompiledAttribution{Attribution: route.Attribution.WithDefaults(), Route: route.Name, takes: newMatcher(kindParam, Key)}
	a.takes.add(Strip, a.Params...)
	for _, sign := range a.Paid {
		a.paid = append(a.paid, readPaid(sign))
	}
	if a.Consent != nil {
		a.consent = newNameGlob(a.Consent.Matches, kindCookie)
	}
	return a
}

// WithDefaults returns a copy in which everything that was left out and has a default
// has it. What it points to is its own.
func (a *Attribution) WithDefaults() Attribution {
	out := *a
	out.Params = slices.Clone(a.Params)
	out.Model = firstOf(a.Model, ModelLast)
	out.Carry = firstOf(a.Carry, CarryCookie)
	out.Encrypt = firstOf(a.Encrypt, Off)
	if out.Paid = slices.Clone(a.Paid); out.Paid == nil {
		out.Paid = slices.Clone(DefaultPaid)
	}
	if out.Window == 0 {
		out.Window = DefaultWindow
	}
	if a.Deliver != nil {
		out.Deliver = &Deliver{Paths: slices.Clone(a.Deliver.Paths), As: firstOf(a.Deliver.As, AsHeader)}
	}
	if a.Beacon != nil {
		out.Beacon = a.Beacon.withDefaults()
	}
	if a.Consent != nil {
		out.Consent = &Consent{Cookie: a.Consent.Cookie, Matches: firstOf(a.Consent.Matches, "*")}
	}
	return out
}

func (b *Beacon) withDefaults() *Beacon {
	out := *b
	out.Sync = firstOf(b.Sync, SyncInterval)
	if out.Batch == 0 {
		out.Batch = DefaultBeaconBatch
	}
	if out.Queue == 0 {
		out.Queue = DefaultBeaconQueue
	}
	if out.Every == 0 {
		out.Every = DefaultBeaconEvery
	}
	return &out
}

func readPaid(sign string) paidSign {
	name, value, valued := strings.Cut(sign, "=")
	if !valued {
		return paidSign{name: name}
	}
	glob := newNameGlob(value, kindHeader) // which ignores letter case: CPC is cpc
	return paidSign{name, &glob}
}

// Takes says whether a parameter is taken off the URL: by its name, as it was sent or
// decoded. It allocates only for names that are encoded.
func (a *CompiledAttribution) Takes(name string) bool { return takesParam(a.takes, name) }

// takesParam knows a name in every way of writing it: an app decodes names, and what it
// would take for a declared parameter must not reach it.
func takesParam(m *matcher, name string) bool {
	if m.matches(name) {
		return true
	}
	if !strings.ContainsAny(name, "%+") {
		return false
	}
	plain, err := url.QueryUnescape(name)
	return err == nil && m.matches(plain)
}

// IsPaid says whether a parameter, decoded, makes the visit a paid one.
func (a *CompiledAttribution) IsPaid(name, value string) bool {
	return slices.ContainsFunc(a.paid, func(s paidSign) bool {
		return s.name == name && (s.value == nil || s.value.match(value))
	})
}

// Consented says whether the visitor has agreed to being followed, given the lines of
// the Cookie field. Where no consent is asked for, everybody has. The cookie must be
// there, and where it is there several times, all of them must say so.
func (a *CompiledAttribution) Consented(cookieHeader []string) bool {
	if a.Consent == nil {
		return true
	}
	found := false
	for _, line := range cookieHeader {
		for pair := range strings.SplitSeq(line, ";") {
			name, value, ok := cutCookie(strings.Trim(pair, " \t"))
			if !ok || name != a.Consent.Cookie {
				continue
			}
			value = strings.Trim(value, `"`)
			if plain, err := url.PathUnescape(value); err == nil {
				value = plain
			}
			if !a.consent.match(value) {
				return false
			}
			found = true
		}
	}
	return found
}

// edgeCookies are the two cookies in which the edge carries.
var edgeCookies = func() *matcher {
	m := newMatcher(kindCookie, Key)
	m.add(Strip, AttributionCookie, AttributionCookiePlain)
	return m
}()

// taken says whether the name is taken at the edge, before any verb that it was given:
// no glob and no rule for the others can undo it.
func (m *matcher) taken(name string) bool {
	switch {
	case m.first == nil:
		return false
	case m.kind == kindParam:
		return takesParam(m.first, name)
	}
	return m.first.matches(name)
}

// paramMatcher gives the parameters of a route their verbs.
func paramMatcher(route *Route) *matcher {
	others := Bypass
	if route.Cache.Kind == CacheOrigin {
		others = Key // RFC 9111: the whole URI is the key
	}
	m := inputMatcher(kindParam, route.Params, others)
	if a := route.Attribution; a != nil && len(a.Params) > 0 {
		m.first = newMatcher(kindParam, Key)
		m.first.add(Strip, a.Params...)
	}
	return m
}

// cookieMatcher gives the cookies of a route their verbs, in a policy with or without
// attributions.
func cookieMatcher(route *Route, attributed bool) *matcher {
	m := inputMatcher(kindCookie, route.Cookies, Bypass)
	if attributed {
		m.first = edgeCookies
	}
	return m
}
