package lint

import (
	"fmt"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW201", Name: "state-path-cached", Severity: Error,
		Summary: "A path that smells of one visitor's state is shared.",
		check:   statePathCached,
	})
}

func statePathCached(p *Pass) {
	for i := range p.Policy.Routes {
		route := &p.Policy.Routes[i]
		if !caches(route) {
			continue
		}
		for path := range names().state.paths(route) {
			if registrationLanding(path.pattern) && keepsInputs(route) {
				continue
			}
			p.Report(Finding{
				Severity: errorIfTimed(route),
				Pos:      route.At(fmt.Sprintf("match.paths.%d", path.index)),
				Route:    route.Name,
				Message: fmt.Sprintf("`%s` is by its name (%s) about %s, and its answer is shared %s: what the app shows or writes there for one visitor "+
					"is given to others, or never written for them", path.pattern, path.segment, path.what, forHowLong(route)),
				Suggestion: fmt.Sprintf("write `cache%s never` for this path; if the page is the same for everybody and showing it changes nothing, say so in a suppression",
					spelled(p, route, ":", "")),
				Related:        sharedHere(route),
				Counterexample: holders(p, route, []string{path.pattern}, []string{"PHPSESSID", "session", "cart_id", "lead"}),
			})
		}
	}
}

// keepsInputs reports whether what the route does not name reaches the app, and two
// answers are compared: a landing page needs no more.
func keepsInputs(route *policies.Route) bool {
	return !(route.Params != nil && route.Params.Others == policies.Strip) &&
		!(route.Cookies != nil && route.Cookies.Others == policies.Strip) &&
		!admitsOnce(route)
}

// holders are two visitors of one of these paths with cookies of their own, of the first
// name for which they share a response.
func holders(p *Pass, route *policies.Route, paths, tried []string) []Request {
	for _, name := range tried {
		two := twoRequestsTo(p, route, paths, func(r *Request, visitor int) {
			r.addCookie(name, [...]string{"alice", "bob"}[visitor])
			r.Note = [...]string{"Alice, with a cookie of her own", "Bob, with a cookie of his own, gets the same page"}[visitor]
		})
		if two != nil {
			return two
		}
	}
	return nil
}
