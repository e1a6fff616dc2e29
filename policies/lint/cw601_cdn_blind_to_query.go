package lint

import (
	"fmt"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW601", Name: "cdn-blind-to-query", Severity: Warning,
		Summary: "A CDN may store pages that parameters tell apart, and not every CDN looks at them.",
		check:   cdnBlindToQuery,
	})
}

// cdnBlindToQuery reports one place of a policy: which parts of a URL are in a CDN's
// key is the CDN's setting, and answered once. Only routes count that name what they
// key: cache: origin keys the whole query unasked, and a file does not change by it.
func cdnBlindToQuery(p *Pass) {
	var first *Finding
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if !permits(r) || r.Params == nil || servesFiles(r.Match) {
			continue
		}
		if _, landed := landingPath(r); landed {
			continue // CW603 says more
		}
		if p.Policy.ProfileOf(r).Query != "" {
			continue // CW606 names the CDN
		}
		field, what := "", ""
		switch {
		case len(r.Params.Key) > 0:
			field, what = "params.key.0", "the parameter `"+r.Params.Key[0]+"` tells"
		case r.Params.Others == policies.Key:
			field, what = "params.others", "every parameter tells"
		default:
			continue
		}
		if first != nil {
			if len(first.Related) <= moreRoutes {
				first.Related = append(first.Related, Related{r.At("downstream"), "so may those of the route " + r.Name})
			}
			continue
		}
		first = &Finding{
			Pos: r.At("downstream"), Route: r.Name,
			Message: fmt.Sprintf("a CDN may store the pages of %s, which %s apart: one that leaves the query out of its key (Bunny, CloudFront and classic Azure Front Door unless told otherwise; any that was told to) shows everybody the page of whoever came first",
				pagesOf(r.Match), what),
			Suggestion: "leave `downstream` out on routes that key parameters; or see that the query is in the CDN's key, and suppress this with the name of the CDN and of the setting",
			Related:    []Related{{r.At(field), "the key has it here"}},
		}
	}
	if first != nil {
		p.Report(*first)
	}
}

// moreRoutes is how many other routes are named.
const moreRoutes = 5

// permits says whether the route itself gives caches further on a time. With the
// profile origin it is the app that does.
func permits(r *policies.Route) bool {
	return r.Downstream != nil && r.Downstream.Profile != policies.ProfileOrigin
}
