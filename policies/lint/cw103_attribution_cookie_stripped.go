package lint

import (
	"fmt"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW103", Name: "attribution-cookie-stripped", Severity: Error,
		Summary: "A cookie that tells who sent the visitor is kept from the app on a cached page.",
		check:   attributionCookieStripped,
	})
}

func attributionCookieStripped(p *Pass) {
	eachPage(p, func(route *policies.Route) {
		for _, n := range tellingInputs("cookies", route.Cookies, policies.Strip, names().attributionCookies) {
			if deliversCookie(p, route, n.name) {
				continue
			}
			p.Report(Finding{
				Severity: errorIfTimed(route),
				Pos:      route.At(n.at),
				Route:    route.Name,
				Message: fmt.Sprintf("cookie %s, which by its name tells %s, is stripped: %s everybody gets one page, and the app sees nobody's `%s`, "+
					"not even of those who were referred on an earlier visit", n.call(), n.what, forHowLong(route), n.name),
				Suggestion:     bypassInstead(p, route, "`"+n.name+"`"),
				Related:        sharedHere(route),
				Counterexample: tellingRequests(p, route, route.Match.Paths, []string{n.name}, (*Request).addCookie),
			})
		}
		attributionCookiesSwept(p, route)
	})
}

// attributionCookiesSwept looks at pages where visitors arrive: the cookie by which the
// app remembers who sent them has a name that only the app knows.
func attributionCookiesSwept(p *Pass, route *policies.Route) {
	landing, ok := landingPath(route)
	if !ok || route.Cookies == nil || route.Cookies.Others != policies.Strip || tells(route) {
		return
	}
	p.Report(Finding{
		Severity: errorIfTimed(route),
		Pos:      route.At("cookies.others"),
		Route:    route.Name,
		Message: fmt.Sprintf("every cookie that the route does not name is stripped on `%s`, where visitors arrive: one that remembers who sent them is lost, "+
			"and %s everybody gets one page", landing.pattern, forHowLong(route)),
		Suggestion: fmt.Sprintf("write `%s bypass` and strip by name what is harmless (%s)",
			spelled(p, route, "others:", "cookie others"), spelled(p, route, `"@analytics"`, "@analytics")),
		Related:        sharedHere(route),
		Counterexample: tellingRequests(p, route, []string{landing.pattern}, []string{"lead", "ref", "aff"}, (*Request).addCookie),
	})
}

// bypassInstead says what to write instead of stripping a cookie that tells something.
func bypassInstead(p *Pass, route *policies.Route, what string) string {
	return fmt.Sprintf("name %s under `%s`, so that who has it gets the app's own answer; or if the app does not read it on this page, say so in a suppression",
		what, spelled(p, route, "cookies.bypass", "cookie bypass"))
}
