package policies

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// What decides about an input where no entry of the policy does, as [Decision].By has
// it.
const (
	// ByDefault is what holds for names that nothing is said of.
	ByDefault = "default"
	// ByBuiltin is a built-in list of headers, or that a cookie is the edge's own.
	ByBuiltin = "built-in"
)

// Decision is the disposition of an input on a route, and what gives it.
type Decision struct {
	Verb Verb
	// By is the path of the entry that decides: "params.strip.1", "headers.others",
	// "identity.cookies.0"; or ByDefault or ByBuiltin.
	By string
	// Pos is where that entry was written. Zero where there is none, or it is not known.
	Pos Position
	// Reason is why an input with the verb bypass or deny speaks against the cache.
	Reason Reason
}

// Decide says what the disposition of an input is on a route of this policy, and which
// entry gives it: the one that [Rule.Dispose] goes by. A nil route is the policy's
// default. The name of a parameter is as it was sent, undecoded. The policy must be
// valid. The address, and kinds that are not known, have the zero Decision.
func (p *Policy) Decide(route *Route, kind InputKind, name string) Decision {
	d := decider{policy: p, route: route, identity: p.Identity}
	if route == nil {
		d.route = &Route{Name: DefaultRule, Cache: Cache{Kind: firstOf(p.Default, CacheNever)}}
	}
	if d.route.Identity != nil {
		d.identity, d.own = d.route.Identity, true
	}
	switch kind {
	case InputParam:
		return d.param(name)
	case InputCookie:
		return d.cookie(name)
	case InputHeader:
		return d.header(http.CanonicalHeaderKey(name))
	}
	return Decision{}
}

type decider struct {
	policy   *Policy
	route    *Route
	identity *Identity
	own      bool // the identity is the route's own
}

func (d decider) param(name string) Decision {
	params := paramMatcher(d.route)
	if params.taken(name) {
		return d.takenParam(name)
	}
	verb, declared := params.find(name)
	return d.decision(kindParam, "params", d.route.Params, name, verb, declared, ReasonParamBypass)
}

// takenParam finds the entry of the attribution that takes the parameter.
func (d decider) takenParam(name string) Decision {
	i := findPattern(kindParam, d.route.Attribution.Params, name)
	if plain, err := url.QueryUnescape(name); i < 0 && err == nil {
		i = findPattern(kindParam, d.route.Attribution.Params, plain)
	}
	out := Decision{Verb: Strip, By: "attribution.params." + strconv.Itoa(i)}
	out.Pos = d.route.At(out.By)
	return out
}

func (d decider) cookie(name string) Decision {
	if edgeCookies.matches(name) && d.policy.HasAttribution() {
		return Decision{Verb: Strip, By: ByBuiltin}
	}
	cookies := cookieMatcher(d.route, false)
	verb, declared := cookies.find(name)
	if d.identity != nil && !(declared && (verb == Key || verb == Deny)) {
		if i := findPattern(kindCookie, d.identity.Cookies, name); i >= 0 {
			return d.person("identity.cookies", i)
		}
	}
	return d.decision(kindCookie, "cookies", d.route.Cookies, name, verb, declared, ReasonCookieBypass)
}

// decision finds the entry that gave the verb.
func (d decider) decision(kind listKind, path string, in *Inputs, name string, verb Verb, declared bool, bypass Reason) Decision {
	out := Decision{Verb: verb, By: ByDefault}
	switch verb {
	case Bypass:
		out.Reason = bypass
	case Deny:
		out.Reason = ReasonDenied
	}
	switch {
	case in == nil:
	case !declared:
		if in.Others != "" {
			out.By, out.Pos = path+".others", d.route.At(path+".others")
		}
	default:
		for _, v := range in.byVerb() {
			if v.verb == verb {
				d.entry(&out, kind, path, v, name)
			}
		}
	}
	return out
}

// entry notes which of the names with one verb matches.
func (d decider) entry(out *Decision, kind listKind, path string, v verbNames, name string) bool {
	i := findPattern(kind, v.names, name)
	if i < 0 {
		return false
	}
	out.By = path + "." + string(v.verb) + "." + strconv.Itoa(i)
	out.Pos = d.route.At(out.By)
	return true
}

func (d decider) person(path string, i int) Decision {
	out := Decision{Verb: Bypass, By: path + "." + strconv.Itoa(i), Reason: ReasonIdentity}
	if d.own {
		out.Pos = d.route.At(out.By)
	} else {
		out.Pos = d.policy.At(out.By)
	}
	return out
}

// header asks the table that requests are judged by, then looks for who put it there.
func (d decider) header(name string) Decision {
	table := newHeaderTable(d.route, d.identity)
	found := table.find(name)
	out := Decision{Verb: found.verb, Reason: found.reason}
	if found.declared {
		d.declaredHeader(&out, name)
		return out
	}
	others := ""
	if d.route.Headers != nil && d.route.Headers.Others != "" {
		others = "headers.others"
	}
	switch _, exact := table.exact[name]; {
	case found.verb == Forward:
		out.By, out.Pos = "authorization", d.route.At("authorization")
	case exact && slices.Contains(defaultVary, name) && d.route.Cache.Kind == CacheOrigin:
		out.By = ByDefault
	case !exact && !table.builtinPrefix(name), found.verb == Vary: // the others
		if out.By = ByDefault; others != "" {
			out.By, out.Pos = others, d.route.At(others)
		}
	default:
		out.By = ByBuiltin
	}
	return out
}

// declaredHeader: an exact name wins over a glob, the route's own over the identity's;
// of globs the strictest wins, the identity's first of equals.
func (d decider) declaredHeader(out *Decision, name string) {
	var own []verbNames
	if d.route.Headers != nil {
		own = d.route.Headers.byVerb()
	}
	var persons []string
	if d.identity != nil {
		persons = d.identity.Headers
	}
	for _, glob := range []bool{false, true} {
		person := slices.IndexFunc(persons, func(pattern string) bool {
			return strings.Contains(pattern, "*") == glob && fitsPattern(kindHeader, pattern, name)
		})
		isPerson := person >= 0 && out.Verb == Bypass && out.Reason == ReasonIdentity
		for _, v := range own {
			i := slices.IndexFunc(v.names, func(pattern string) bool {
				return strings.Contains(pattern, "*") == glob && fitsPattern(kindHeader, pattern, name)
			})
			if i >= 0 && v.verb == out.Verb && !isPerson {
				out.By = "headers." + string(v.verb) + "." + strconv.Itoa(i)
				out.Pos = d.route.At(out.By)
				return
			}
		}
		if isPerson {
			*out = d.person("identity.headers", person)
			return
		}
	}
}

// builtinPrefix says whether a built-in list has a glob for the name.
func (t *headerTable) builtinPrefix(name string) bool {
	return t.prefixes.find(name) != nil
}

// findPattern is the index of the pattern that claims the name: an exact one before a
// glob, a glob before a list; -1 if none does.
func findPattern(kind listKind, patterns []string, name string) int {
	best, bestRank := -1, 3
	for i, pattern := range patterns {
		rank := 0
		switch {
		case strings.HasPrefix(pattern, "@") && kind != kindHeader:
			rank = 2
		case strings.Contains(pattern, "*"):
			rank = 1
		}
		if rank < bestRank && fitsPattern(kind, pattern, name) {
			best, bestRank = i, rank
		}
	}
	return best
}

func fitsPattern(kind listKind, pattern, name string) bool {
	m := newMatcher(kind, Strip)
	m.add(Key, pattern)
	return m.matches(name)
}

// Keyed is what the key has of a header with the verb key, of which this was sent: the
// same, or the declared value that it comes to. It is not ok if it comes to none.
func (r *Rule) Keyed(header, sent string) (value string, ok bool) {
	name := http.CanonicalHeaderKey(header)
	d := r.headers.find(name)
	if d.verb != Key || len(d.values) == 0 {
		return sent, d.verb == Key
	}
	return negotiate(name, sent, d.values)
}

// IsCookie says whether a pair of a Cookie field can be read in one way only.
func IsCookie(pair string) bool {
	_, _, ok := cutCookie(pair)
	return ok
}
