package lint

import (
	"fmt"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW114", Name: "consent-bypasses", Severity: Warning,
		Summary: "Whoever has agreed to being followed is not served from the cache, or has a page of their own.",
		check:   consentBypasses,
	})
}

func consentBypasses(p *Pass) {
	eachAttribution(p, func(route *policies.Route, a policies.Attribution) {
		if a.Consent == nil || !caches(route) {
			return
		}
		cookie := a.Consent.Cookie
		d := p.Policy.Decide(route, policies.InputCookie, cookie)
		what := ""
		switch d.Verb {
		case policies.Bypass:
			what = "goes past the cache"
		case policies.Key:
			what = "has a page of their own for each value that it has"
		default:
			return
		}
		f := Finding{
			Pos:   route.At("attribution.consent.cookie"),
			Route: route.Name,
			Message: fmt.Sprintf("whoever has the cookie `%s`, which says that they agree, %s: the landing page is shared by those alone of whom nothing is carried",
				cookie, what),
			Suggestion: fmt.Sprintf("strip it (`%s`), if the page is the same with it and without: the attribution reads it all the same",
				spelled(p, route, fmt.Sprintf("cookies: {strip: [%s]}", cookie), "cookie strip "+cookie)),
		}
		if d.Pos != (policies.Position{}) {
			f.Related = []Related{{d.Pos, "this makes it so"}}
		}
		p.Report(f)
	})
}
