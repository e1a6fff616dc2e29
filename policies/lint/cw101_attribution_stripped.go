package lint

import (
	"fmt"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW101", Name: "attribution-stripped", Severity: Error,
		Summary: "A parameter that tells who sent the visitor is kept from the app on a cached page.",
		check:   attributionStripped,
	})
}

func attributionStripped(p *Pass) {
	eachPage(p, func(route *policies.Route) {
		if forMachines(route) {
			return
		}
		for _, n := range untaken(p, route) {
			p.Report(Finding{
				Severity: errorIfTimed(route),
				Pos:      route.At(n.at),
				Route:    route.Name,
				Message: fmt.Sprintf("parameter %s, which by its name tells %s, is stripped: %s everybody gets one page, the app sees nobody's `%s`, "+
					"and whoever comes is credited to nobody or to somebody else's referrer", n.call(), n.what, forHowLong(route), n.name),
				Suggestion: keyInstead("param", "params", "`"+n.name+"`", p, route),
				Related:    sharedHere(route),
				Counterexample: twoRequests(p, route, func(r *Request, visitor int) {
					r.addParam(n.name, referrers[visitor])
					r.Note = referred[visitor]
				}),
			})
		}
	})
}

// untaken are the stripped parameters that tell something and that no attribution takes.
func untaken(p *Pass, route *policies.Route) []telling {
	return tellingInputsOf("params", route.Params, policies.Strip, names().attributionParams, func(name string) bool { return !takes(p, route, name) })
}

// Two visitors who were sent by somebody.
var (
	referrers = [...]string{"ALICE", "BOB"}
	referred  = [...]string{"the first visitor, whom Alice sent", "the next visitor, whom Bob sent, gets the same page"}
)

// keyInstead says what to write instead of stripping an input that tells something.
func keyInstead(word, field, what string, p *Pass, route *policies.Route) string {
	verb := spelled(p, route, field+".key", word+" key")
	return fmt.Sprintf("name %s under `%s`, so that each value has a page of its own; or write `cache%s never`; "+
		"or if the page's own script reads it and the app does not, say so in a suppression", what, verb, spelled(p, route, ":", ""))
}
