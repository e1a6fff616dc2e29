package lint

import (
	"fmt"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW205", Name: "identity-names-nothing", Severity: Warning,
		Summary: "Cookies that nobody named do not keep a visitor from the cache, and no identity says which of them make a person.",
		check:   identityNamesNothing,
	})
}

// identityNamesNothing looks at routes on which unknown cookies are no bypass. Where they
// are, as by default, a session is one by itself. It speaks once: one identity for the
// policy is the answer for all routes.
func identityNamesNothing(p *Pass) {
	said := false
	eachPage(p, func(route *policies.Route) {
		in := route.Cookies
		if said || in == nil || in.Others != policies.Strip && in.Others != policies.Key {
			return
		}
		if id := identityOf(p, route); id != nil && len(id.Cookies)+len(id.Headers) > 0 {
			return
		}
		said = true
		p.Report(Finding{
			Pos:   route.At("cookies.others"),
			Route: route.Name,
			Message: fmt.Sprintf("cookies that the route does not name are no reason to ask the app, and the policy has no identity: "+
				"visitors who are signed in are served from the cache %s like all others", forHowLong(route)),
			Suggestion:     fmt.Sprintf("name the session's cookie in the policy's `identity`: `%s`", spelled(p, route, "cookies: [session]", "cookie session")),
			Counterexample: holders(p, route, route.Match.Paths, []string{"PHPSESSID", "session"}),
		})
	})
}
