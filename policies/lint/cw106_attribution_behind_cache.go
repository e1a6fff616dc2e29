package lint

import (
	"fmt"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW106", Name: "attribution-behind-cache", Severity: Error,
		Summary: "A cache in front may answer landings that this edge was to take note of.",
		check:   attributionBehindCache,
	})
}

func attributionBehindCache(p *Pass) {
	eachAttribution(p, func(route *policies.Route, a policies.Attribution) {
		if route.Downstream == nil {
			return
		}
		what := "a Referer"
		if len(a.Params) > 0 {
			what = "`" + a.Params[0] + "`"
		}
		p.Report(Finding{
			Pos:   route.At("downstream"),
			Route: route.Name,
			Message: fmt.Sprintf("a CDN may answer for %s itself: whoever lands there with %s is not seen here, so nothing is carried, and they are credited to nobody or to the one who sent them before",
				pagesOf(route.Match), what),
			Suggestion: "leave `downstream` out: this edge is the cache of the route then, and each landing reaches it",
			Related:    []Related{{route.At("attribution"), "the attribution is here"}},
		})
	})
}
