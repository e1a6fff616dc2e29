package lint

import (
	"slices"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW409", Name: "no-route-cached", Severity: Info,
		Summary: "The policy has routes, and none of them caches.",
		check:   noRouteCached,
	})
}

// noRouteCached leaves a policy without routes alone: it is a part of another.
func noRouteCached(p *Pass) {
	routes := p.Policy.Routes
	if len(routes) == 0 || p.Policy.Default == policies.CacheOrigin ||
		slices.ContainsFunc(routes, func(r policies.Route) bool { return caches(&r) }) {
		return
	}
	p.Report(Finding{
		Pos: routes[0].At("cache"), Route: routes[0].Name,
		Message:    "no route caches, and neither do requests that no route matches: every visitor's every request goes to the app",
		Suggestion: "cache: origin follows the app's own headers; leave cacheward out if nothing is to be cached",
	})
}
