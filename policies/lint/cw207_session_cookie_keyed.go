package lint

import (
	"fmt"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW207", Name: "session-cookie-keyed", Severity: Warning,
		Summary: "A cookie that each visitor has with a value of their own is part of the key.",
		check:   sessionCookieKeyed,
	})
}

func sessionCookieKeyed(p *Pass) {
	for i := range p.Policy.Routes {
		route := &p.Policy.Routes[i]
		if !caches(route) {
			continue
		}
		for _, n := range sessionCookies(p, route, policies.Key) {
			p.Report(Finding{
				Pos:   route.At(n.at),
				Route: route.Name,
				Message: fmt.Sprintf("cookie %s, which by its name tells %s, is keyed: every visitor has a stored page of their own, which nobody else can use, "+
					"their private page lies in the store, and the store fills up", n.call(), n.what),
				Suggestion: fmt.Sprintf("name it in the `identity` instead (`%s`); if the page differs by group only, key a cookie that has the group and no more",
					spelled(p, route, fmt.Sprintf("cookies: [%q]", n.pattern), "cookie "+n.pattern)),
			})
		}
	}
}
