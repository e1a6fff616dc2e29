package lint

import "github.com/cacheward/cacheward/policies"

func init() {
	register(Rule{
		ID: "CW112", Name: "attribution-uncached", Severity: Info,
		Summary: "A route that caches nothing has an attribution.",
		check:   attributionUncached,
	})
}

func attributionUncached(p *Pass) {
	eachAttribution(p, func(route *policies.Route, _ policies.Attribution) {
		if caches(route) {
			return
		}
		p.Report(Finding{
			Pos:        route.At("attribution"),
			Route:      route.Name,
			Message:    "the app answers every request of this route itself and could read who sent the visitor: the attribution keeps that from it, and tells it later",
			Suggestion: "nothing, if the app is to be told in one way only; else leave the attribution out, or let the route cache",
		})
	})
}
