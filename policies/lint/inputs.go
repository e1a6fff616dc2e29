package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

// What rules ask about a route and its inputs.

// eachPage calls visit with all routes that store pages: those of files are left out,
// which are the same for everybody by the way they are made.
func eachPage(p *Pass, visit func(route *policies.Route)) {
	for i := range p.Policy.Routes {
		if route := &p.Policy.Routes[i]; caches(route) && !servesFiles(route.Match) {
			visit(route)
		}
	}
}

// isTimed reports whether the route has a duration of the operator's.
func isTimed(route *policies.Route) bool { return route.Cache.Kind == policies.CacheTTL }

// forHowLong says how long a response is shared, for the middle of a sentence.
func forHowLong(route *policies.Route) string {
	if isTimed(route) {
		return "for " + route.Cache.TTL.String()
	}
	return "for as long as the app's headers allow"
}

// sharedHere is the place that makes a route store anything.
func sharedHere(route *policies.Route) []Related {
	return []Related{{Pos: route.At("cache"), Message: "it is shared " + forHowLong(route)}}
}

// errorIfTimed is Error on routes with a duration and Warning where the app has said
// that the response may be shared.
func errorIfTimed(route *policies.Route) Severity {
	if isTimed(route) {
		return Error
	}
	return Warning
}

// eachVerb calls visit with the name of a verb and the names that have it, strictest
// first.
func eachVerb(in *policies.Inputs, visit func(policies.Verb, []string)) {
	visit(policies.Deny, in.Deny)
	visit(policies.Bypass, in.Bypass)
	visit(policies.Key, in.Key)
	visit(policies.Strip, in.Strip)
}

// verbOf is the verb that a parameter or cookie is given by its name or by a glob, as
// the engine has it: an exact name wins over a glob, among globs the strictest verb.
func verbOf(in *policies.Inputs, name string) policies.Verb {
	var exact, glob policies.Verb
	eachVerb(in, func(verb policies.Verb, patterns []string) {
		for _, pattern := range patterns {
			switch {
			case pattern == name && exact == "":
				exact = verb
			case glob == "" && strings.Contains(pattern, "*") && matchName(pattern, name):
				glob = verb
			}
		}
	})
	if exact != "" {
		return exact
	}
	return glob
}

// identityOf is what makes a visitor a person on the route. May be nil.
func identityOf(p *Pass, route *policies.Route) *policies.Identity {
	if route.Identity != nil {
		return route.Identity
	}
	return p.Policy.Identity
}

// isIdentityCookie reports whether the cookie makes a visitor a person on the route.
func isIdentityCookie(p *Pass, route *policies.Route, name string) bool {
	id := identityOf(p, route)
	return id != nil && slices.ContainsFunc(id.Cookies, func(pattern string) bool { return matchName(pattern, name) })
}

// telling is an input that a route names or has a glob for, and what it is for.
type telling struct {
	at                  string // the field: params.strip.1
	pattern, name, what string
}

// call is the input as messages call it: `ref`, or `ref_*` and a name that it matches.
func (n telling) call() string {
	if n.pattern == n.name {
		return "`" + n.name + "`"
	}
	return fmt.Sprintf("`%s` (say, `%s`)", n.pattern, n.name)
}

// tellingInputs are those of the inputs with the verb whose names the table knows. The
// field is params or cookies.
func tellingInputs(field string, in *policies.Inputs, verb policies.Verb, table *nameTable) []telling {
	return tellingInputsOf(field, in, verb, table, func(string) bool { return true })
}

// tellingInputsOf are those of them of which counts is true.
func tellingInputsOf(field string, in *policies.Inputs, verb policies.Verb, table *nameTable, counts func(name string) bool) []telling {
	if in == nil {
		return nil
	}
	var found []telling
	eachVerb(in, func(v policies.Verb, patterns []string) {
		if v != verb {
			return
		}
		for i, pattern := range patterns {
			name, what, ok := table.findPattern(pattern, func(name string) bool { return verbOf(in, name) == verb && counts(name) })
			if ok && counts(name) {
				found = append(found, telling{fmt.Sprintf("%s.%s.%d", field, verb, i), pattern, name, what})
			}
		}
	})
	return found
}

// spelled is a word of the policy's language as the file that it stands in has it: in
// YAML and JSON, and in the Caddyfile.
func spelled(p *Pass, route *policies.Route, yaml, caddyfile string) string {
	if name := route.At("").File; strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") || strings.HasSuffix(name, ".json") {
		return yaml
	}
	return caddyfile
}
