package lint

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW301", Name: "undeclared-swept", Severity: Warning,
		Summary: "Cookies that nobody named are taken away from the app before it makes the page that everybody gets.",
		check:   undeclaredSwept,
	})
}

// undeclaredSwept looks at routes with a duration: where the origin decides, it says
// itself whether its page depends on cookies.
func undeclaredSwept(p *Pass) {
	known := sync.OnceValue(func() knownCookie { return findKnownCookie(p) })
	eachPage(p, func(r *policies.Route) {
		if !isTimed(r) || r.Cookies == nil || r.Cookies.Others != policies.Strip || forMachines(r) {
			return
		}
		if _, landing := landingPath(r); landing {
			return // CW103 says what is lost there
		}
		name, why, related := "currency", "", []Related(nil)
		if k := known(); k.name != "" && verbOf(r.Cookies, k.name) == "" {
			name = k.name
			why = fmt.Sprintf(", although route %s says that the app depends on it", k.route.Name)
			related = []Related{{k.route.At(k.field), "the app depends on this cookie here"}}
		}
		p.Report(Finding{
			Pos: r.At("cookies.others"), Route: r.Name,
			Message: fmt.Sprintf("every cookie that is not named is stripped on route %s: a visitor who chose a currency, a shop or a view, which the app keeps in a cookie such as `%s`, is shown the page of those who chose nothing%s",
				r.Name, name, why),
			Suggestion: "write " + spelled(p, r, "others: bypass", "cookie others bypass") + " and strip by name what the app does not read, such as @analytics",
			Related:    related,
			Counterexample: twoRequests(p, r, func(request *Request, visitor int) {
				request.addCookie(name, [...]string{"A", "B"}[visitor])
				request.Note = [...]string{"Alice, with her choice in the cookie", "Bob, with another choice: both get one page"}[visitor]
			}),
		})
	})
}

// knownCookie is a cookie of which a route says that the app depends on it.
type knownCookie struct {
	name, field string
	route       *policies.Route
}

func findKnownCookie(p *Pass) knownCookie {
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if r.Cookies == nil {
			continue
		}
		for v, names := range [][]string{r.Cookies.Key, r.Cookies.Bypass} {
			verb := []policies.Verb{policies.Key, policies.Bypass}[v]
			j := slices.IndexFunc(names, func(name string) bool {
				return !strings.ContainsAny(name, "*@") && !isIdentityCookie(p, r, name)
			})
			if j >= 0 {
				return knownCookie{names[j], fmt.Sprintf("cookies.%s.%d", verb, j), r}
			}
		}
	}
	return knownCookie{}
}
