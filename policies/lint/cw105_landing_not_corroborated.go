package lint

import (
	"fmt"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW105", Name: "landing-not-corroborated", Severity: Error,
		Summary: "A page at which visitors arrive is shared without being compared with a second answer of the app.",
		check:   landingNotCorroborated,
	})
}

func landingNotCorroborated(p *Pass) {
	for i := range p.Policy.Routes {
		route := &p.Policy.Routes[i]
		landing, ok := landingPath(route)
		if !ok {
			continue
		}
		switch {
		case isTimed(route) && admitsOnce(route):
			p.Report(Finding{
				Pos:   route.At("admission"),
				Route: route.Name,
				Message: fmt.Sprintf("one answer of the app for `%s` is given to everybody for %s without being compared with another: "+
					"if the app makes a record of the visitor when it renders the page (who referred them, a form's token), all who come share that record",
					landing.pattern, route.Cache.TTL),
				Suggestion:     "leave `admission` out: two answers must then be identical before one is shared",
				Counterexample: arrivals(p, route, []string{landing.pattern}),
			})
		case route.Cache.Kind == policies.CacheOrigin && route.Downstream != nil && !corroborated(route) && route.Attribution == nil: // or see CW106
			p.Report(Finding{
				Pos:   route.At("downstream"),
				Route: route.Name,
				Message: fmt.Sprintf("caches further on may keep one answer for `%s` that was compared with no other, and then answer visitors without asking here: "+
					"if the page has a record of one visitor in it, all who come share it, and nothing notices", landing.pattern),
				Suggestion:     fmt.Sprintf("write `admission%s corroborated`, or leave `downstream` out", spelled(p, route, ":", "")),
				Counterexample: arrivals(p, route, []string{landing.pattern}),
			})
		}
	}
}

// arrivals are two visitors whom somebody sent, in whatever of it the route does not
// key.
func arrivals(p *Pass, route *policies.Route, paths []string) []Request {
	if two := tellingRequests(p, route, paths, []string{"ref", "i", "source"}, (*Request).addParam); two != nil {
		return two
	}
	return twoRequestsTo(p, route, paths, func(r *Request, visitor int) {
		r.addHeader("Referer", referringPages[visitor])
		r.Note = comingFrom[visitor]
	})
}

// admitsOnce reports whether the route says that one answer is enough.
func admitsOnce(route *policies.Route) bool {
	return route.Admission != nil && route.Admission.Rule == policies.Once
}

// corroborated reports whether the route compares two answers although it leaves
// lifetimes to the app.
func corroborated(route *policies.Route) bool {
	return route.Admission != nil && route.Admission.Rule == policies.Corroborated ||
		route.SetCookie != nil && route.SetCookie.Rule == policies.StripCookie
}
