package lint

import "github.com/cacheward/cacheward/policies"

func init() {
	register(Rule{
		ID: "CW113", Name: "attribution-untold", Severity: Warning,
		Summary: "Who sent the visitor is carried in a cookie, and no request delivers it.",
		check:   attributionUntold,
	})
}

// attributionUntold looks at the whole policy: what one route carries, another one may
// deliver.
func attributionUntold(p *Pass) {
	told := false
	eachAttribution(p, func(_ *policies.Route, a policies.Attribution) { told = told || a.Deliver != nil })
	if told {
		return
	}
	eachAttribution(p, func(route *policies.Route, a policies.Attribution) {
		if a.Carry != policies.CarryCookie {
			return
		}
		p.Report(Finding{
			Pos:        route.At("attribution"),
			Route:      route.Name,
			Message:    "visitors carry who sent them, and the app is never told: what it used to read from the URL is gone, and only the audit log has it",
			Suggestion: "name under `deliver` the request that converts, or report landings with `carry` beacon; if the audit log is enough, say so in a suppression",
		})
	})
}
