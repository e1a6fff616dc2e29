package lint

import (
	"fmt"
	"slices"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW102", Name: "attribution-swept-away", Severity: Error,
		Summary: "Every parameter that nobody thought of is kept from the app on a cached page, referral codes too.",
		check:   attributionSweptAway,
	})
}

func attributionSweptAway(p *Pass) {
	eachPage(p, func(route *policies.Route) {
		if route.Params == nil || route.Params.Others != policies.Strip || forMachines(route) {
			return
		}
		severity := errorIfTimed(route)
		if declaresAttribution(route.Params) || route.Attribution != nil && len(route.Attribution.Params) > 0 {
			severity = Warning // somebody has thought of it, though perhaps not of next year's code
		}
		p.Report(Finding{
			Severity: severity,
			Pos:      route.At("params.others"),
			Route:    route.Name,
			Message: fmt.Sprintf("every parameter that the route does not name is stripped, referral and campaign codes (ref, aff, invite) too: "+
				"%s everybody gets one page, and the app is not told who sent them", forHowLong(route)),
			Suggestion: fmt.Sprintf("write `%s bypass`, name those that the page needs under `%s`, and strip by name what is harmless (%s)",
				spelled(p, route, "others:", "param others"), spelled(p, route, "key", "param key"), spelled(p, route, `"@analytics"`, "@analytics")),
			Related:        sharedHere(route),
			Counterexample: tellingRequests(p, route, route.Match.Paths, []string{"ref", "aff", "invite", "campaign"}, (*Request).addParam),
		})
	})
}

// declaresAttribution reports whether a name or glob that is not stripped tells who sent
// the visitor.
func declaresAttribution(in *policies.Inputs) bool {
	return slices.ContainsFunc([]policies.Verb{policies.Key, policies.Bypass, policies.Deny}, func(verb policies.Verb) bool {
		return len(tellingInputs("params", in, verb, names().attributionParams)) > 0
	})
}

// tellingRequests are two requests for one of these paths of the route that differ in
// the first of the names for which they share a response.
func tellingRequests(p *Pass, route *policies.Route, paths, tried []string, add func(r *Request, name, value string)) []Request {
	for _, name := range tried {
		if takes(p, route, name) {
			continue // the app is told
		}
		two := twoRequestsTo(p, route, paths, func(r *Request, visitor int) {
			add(r, name, referrers[visitor])
			r.Note = referred[visitor]
		})
		if two != nil {
			return two
		}
	}
	return nil
}
