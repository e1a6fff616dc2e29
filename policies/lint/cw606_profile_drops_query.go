package lint

import (
	"fmt"
	"slices"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW606", Name: "profile-drops-query", Severity: Warning,
		Summary: "The CDN of the profile leaves the query out of its key, and it is in ours.",
		check:   profileDropsQuery,
	})
}

// profileDropsQuery reports one place for each CDN, as cdnBlindToQuery does. Of a CDN that
// is known to drop the query those routes count as well that key all of it unasked.
func profileDropsQuery(p *Pass) {
	found := make(map[string]*Finding)
	var order []string
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if !permits(r) || servesFiles(r.Match) {
			continue
		}
		if _, landed := landingPath(r); landed {
			continue // CW603 says more
		}
		to := p.Policy.ProfileOf(r)
		at, what := keyedQuery(r)
		if to.Query == "" || what == "" {
			continue
		}
		if first := found[to.Name]; first != nil {
			if len(first.Related) <= moreRoutes {
				first.Related = append(first.Related, Related{r.At("downstream"), "so may it those of the route " + r.Name})
			}
			continue
		}
		order = append(order, to.Name)
		found[to.Name] = &Finding{
			Pos: r.At("downstream"), Route: r.Name,
			Message: fmt.Sprintf("%s may store the pages of %s, which %s apart, and %s: then everybody is shown the page of whoever came first",
				to.CDN, pagesOf(r.Match), what, to.Query),
			Suggestion: "leave `downstream` out on routes that key parameters; or have the CDN key the whole query, and suppress this with the name of the setting",
			Related:    []Related{{at, "the key has it here"}},
		}
	}
	slices.Sort(order)
	for _, name := range order {
		p.Report(*found[name])
	}
}

// keyedQuery is what of the query is in the route's key, and where it says so.
func keyedQuery(r *policies.Route) (at policies.Position, what string) {
	switch in := r.Params; {
	case in != nil && len(in.Key) > 0:
		return r.At("params.key.0"), "the parameter `" + in.Key[0] + "` tells"
	case in != nil && in.Others == policies.Key:
		return r.At("params.others"), "every parameter tells"
	case r.Cache.Kind == policies.CacheOrigin && (in == nil || in.Others == ""):
		return r.At("cache"), "every parameter tells"
	}
	return policies.Position{}, ""
}
