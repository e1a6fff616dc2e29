package lint

import (
	"fmt"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW405", Name: "wildcard-host-cached", Severity: Info,
		Summary: "All pages of all subdomains are cached, whoever they belong to.",
		check:   wildcardHostCached,
	})
}

// wildcardHostCached looks at routes for every page only: who names paths has looked at
// what is there.
func wildcardHostCached(p *Pass) {
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if r.Cache.Kind != policies.CacheTTL || !everyPath(r.Match) {
			continue
		}
		for j, host := range r.Match.Hosts {
			if !strings.HasPrefix(host, "*.") {
				continue
			}
			p.Report(Finding{
				Pos: r.At(fmt.Sprintf("match.hosts.%d", j)), Route: r.Name,
				Message: fmt.Sprintf("`%s` is every subdomain, those of tenants and of tools such as admin%s among them, and all their pages are cached for %s",
					host, host[1:], longest(r)),
				Suggestion: "name the hosts or the paths that are the same for everybody, or put a route with cache: never for the others before it",
			})
			break
		}
	}
}

func everyPath(m policies.Match) bool {
	for _, path := range pathsOf(&m) {
		if shapeOf(path) == shapeAny {
			return true
		}
	}
	return false
}
