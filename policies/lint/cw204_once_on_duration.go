package lint

import (
	"fmt"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW204", Name: "once-on-duration", Severity: Warning,
		Summary: "A page is shared for the operator's duration on the strength of one answer.",
		check:   onceOnDuration,
	})
}

func onceOnDuration(p *Pass) {
	eachPage(p, func(route *policies.Route) {
		if _, landing := landingPath(route); landing || !isTimed(route) || !admitsOnce(route) {
			return // CW105 has more to say of landing pages
		}
		p.Report(Finding{
			Pos:   route.At("admission"),
			Route: route.Name,
			Message: fmt.Sprintf("one answer of the app is given to everybody for %s, and nothing shows that the next visitor would have got the same: "+
				"if it was made for one visitor, all get that visitor's page", route.Cache.TTL),
			Suggestion: fmt.Sprintf("leave `admission` out, so that two answers must be identical before one is shared; or let the app say for how long it may be shared, and write `cache%s origin`",
				spelled(p, route, ":", "")),
		})
	})
}
