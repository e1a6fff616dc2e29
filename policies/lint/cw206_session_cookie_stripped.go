package lint

import (
	"fmt"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW206", Name: "session-cookie-stripped", Severity: Error,
		Summary: "A cookie by which the app knows its visitor is kept from it on a cached page.",
		check:   sessionCookieStripped,
	})
}

func sessionCookieStripped(p *Pass) {
	eachPage(p, func(route *policies.Route) {
		for _, n := range sessionCookies(p, route, policies.Strip) {
			p.Report(Finding{
				Pos:   route.At(n.at),
				Route: route.Name,
				Message: fmt.Sprintf("cookie %s, which by its name tells %s, is stripped: %s everybody gets one page, those who are signed in too, "+
					"and the app does not know who is asking", n.call(), n.what, forHowLong(route)),
				Suggestion: fmt.Sprintf("name it in the `identity` instead (`%s`): who has it then gets the app's own answer",
					spelled(p, route, fmt.Sprintf("cookies: [%q]", n.pattern), "cookie "+n.pattern)),
				Related: sharedHere(route),
				Counterexample: twoRequests(p, route, func(r *Request, visitor int) {
					r.addCookie(n.name, [...]string{"alice", "bob"}[visitor])
					r.Note = [...]string{"Alice, signed in", "Bob, signed in, gets the same page"}[visitor]
				}),
			})
		}
	})
}

// sessionCookies are the cookies with the verb by which the app knows its visitor. What
// the identity names as well is no mistake: it wins over stripping.
func sessionCookies(p *Pass, route *policies.Route, verb policies.Verb) []telling {
	return tellingInputsOf("cookies", route.Cookies, verb, names().sessions, func(name string) bool {
		return verb != policies.Strip || !isIdentityCookie(p, route, name)
	})
}
