package policies

import (
	"fmt"
	"strconv"
)

// Validate says whether the policy means something, and something safe: names,
// durations, verbs where they make sense, nothing that contradicts itself. It
// reports all mistakes at once, as [Diagnostics], with their places if the policy
// was read from a file. What it accepts can be compiled.
func (p *Policy) Validate() error {
	c := &checker{persons: make(map[personIn]string)}
	top := section{c, p.source, ""}
	if p.Version != 0 && p.Version != 1 {
		top.fault("version", fmt.Sprintf("version %d is not known", p.Version), "write 1, or leave it out")
	}
	oneOf(top, "mode", p.Mode, "mode", modes)
	oneOf(top, "default", p.Default, "default", []CacheKind{CacheNever, CacheOrigin})
	oneOf(top, "ambiguous", p.Ambiguous, "answer to ambiguous requests", ambiguities)
	oneOf(top, "on_leak", p.OnLeak, "answer to a leak", leakAnswers)
	top.identity(p.Identity)
	top.cdn(p.Downstream)
	attributed := p.HasAttribution()
	if attributed {
		top.identityNotEdges(p.Identity)
	}
	names := make(map[string]Position, len(p.Routes))
	for i := range p.Routes {
		r := &p.Routes[i]
		s := section{c, r.source, "routes." + r.Name}
		if !routeName(r.Name) {
			s.prefix = "routes." + strconv.Itoa(i)
		}
		s.name(r, names)
		s.route(r, p.Identity, p.Downstream)
		if attributed {
			s.edgesOwn(r)
		}
	}
	return c.diags.sorted().err()
}

var (
	modes       = []Mode{Enforce, Observe}
	ambiguities = []Verb{Bypass, Deny}
	leakAnswers = []LeakAnswer{LeakTrip, LeakWarn}
)

// checker collects what is wrong with a policy.
type checker struct {
	diags   Diagnostics
	persons map[personIn]string // what is known of lists; see personOf
}

// section is the policy itself or one of its routes: where its fields were
// written, and its path.
type section struct {
	*checker
	source positions
	prefix string
}

func (s section) fault(path, message, fix string) {
	s.diags = append(s.diags, Diagnostic{Pos: s.source.at(path), Path: join(s.prefix, path), Message: message, Fix: fix})
}

// oneOf reports a value that is neither left out nor among the accepted.
func oneOf[T ~string](s section, path string, got T, what string, accepted []T) {
	if got == "" {
		return
	}
	for _, a := range accepted {
		if got == a {
			return
		}
	}
	s.fault(path, fmt.Sprintf("%q is no %s", got, what), suggest(string(got), accepted))
}

func (s section) name(r *Route, names map[string]Position) {
	first, taken := names[r.Name]
	switch {
	case r.Name == "":
		s.fault("", "the route has no name", "give it a name of lower-case letters, digits, - and _")
		return
	case !routeName(r.Name):
		s.fault("name", fmt.Sprintf("%q is not a route name", r.Name), "use lower-case letters, digits, - and _, at most 64, and begin with a letter or digit")
		return
	case r.Name == DefaultRule:
		s.fault("name", fmt.Sprintf("%q is what requests without a route are counted under", r.Name), "choose another name")
		return
	case taken:
		s.fault("name", fmt.Sprintf("route %q is defined twice, first%s", r.Name, place(first)), "rename one of them")
		return
	}
	names[r.Name] = s.source.at("name")
}

// routeName says whether a route may be called so. Names are metric labels and
// log fields.
func routeName(name string) bool {
	if name == "" || len(name) > 64 || name[0] == '-' || name[0] == '_' {
		return false
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

func (s section) route(r *Route, inherited *Identity, cdn *CDN) {
	s.match(r)
	s.cache(&r.Cache)
	s.inputs("params", kindParam, r.Params)
	s.inputs("cookies", kindCookie, r.Cookies)
	s.headers(r)
	s.admission(r)
	s.setCookie(r)
	s.downstream(r.Downstream, cdn)
	s.downstreamKeys(r)
	s.followed(r)
	if r.Cache.Kind == CacheNever {
		s.never(r)
	}
	oneOf(s, "mode", r.Mode, "mode", modes)
	oneOf(s, "ambiguous", r.Ambiguous, "answer to ambiguous requests", ambiguities)
	oneOf(s, "on_leak", r.OnLeak, "answer to a leak", leakAnswers)
	s.identity(r.Identity)
	if r.Identity != nil {
		inherited = r.Identity
	}
	s.identityKept(r, inherited)
	s.attribution(r, inherited)
	s.authorization(r, inherited)
	s.address(r)
	s.vouch(r)
	s.inspect(r)
	s.ignore(r)
	s.tolerate(r)
	s.recheck(r.Recheck)
}
