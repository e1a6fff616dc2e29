package lint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW404", Name: "hosts-missing", Severity: Warning,
		Summary: "A route caches on hosts that nobody named for it.",
		check:   hostsMissing,
	})
}

func hostsMissing(p *Pass) {
	named := namedHosts(p.Policy)
	switch {
	case len(named) > 1:
		missingAmong(p, named)
	case len(named) == 0:
		unboundedHost(p)
	}
}

// namedHosts are the hosts that any route names, in their order. Once a policy names
// some, requests for others bypass the cache.
func namedHosts(policy *policies.Policy) []string {
	set := make(map[string]bool)
	for i := range policy.Routes {
		for _, host := range policy.Routes[i].Match.Hosts {
			set[strings.ToLower(host)] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// missingAmong reports pages with a duration on all hosts, where every other route that
// caches says on which. Files are the same on all hosts of a site as a rule.
func missingAmong(p *Pass, named []string) {
	without, with := -1, 0
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		switch {
		case !caches(r):
		case len(r.Match.Hosts) > 0:
			with++
		case r.Cache.Kind != policies.CacheTTL || servesFiles(r.Match):
		case without >= 0:
			return // two of them: that is how this policy is written
		default:
			without = i
		}
	}
	if without < 0 || with < 2 {
		return
	}
	r := &p.Policy.Routes[without]
	p.Report(Finding{
		Pos: r.At("match.paths.0"), Route: r.Name,
		Message: fmt.Sprintf("route %s names no hosts, unlike the others that cache: its pages are cached on `%s` and %d more, also where an app has a page at %s that is not for everybody",
			r.Name, named[0], len(named)-1, pagesOf(r.Match)),
		Suggestion: "write " + spelled(p, r, "hosts: […]", "host …") + " in it",
	})
}

// unboundedHost looks at the site around the policy, which may name hosts instead.
func unboundedHost(p *Pass) {
	if p.Unit == nil || p.Unit.Site == nil || p.Scope == nil || len(p.Scope.Hosts) > 0 {
		return
	}
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if !caches(r) {
			continue
		}
		p.Report(Finding{
			Pos: r.At("match.paths.0"), Route: r.Name,
			Message:    "neither the site nor any route names a host: whoever sends a made-up Host gets an object of its own, so anybody can fill the store, and an app that writes Host into its pages has them stored so",
			Suggestion: "name the hosts in the site's address or in the routes; requests for others bypass the cache then",
		})
		return
	}
}
