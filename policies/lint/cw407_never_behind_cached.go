package lint

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW407", Name: "never-behind-cached", Severity: Error,
		Summary: "A route with cache: never stands behind one that caches the same requests.",
		check:   neverBehindCached,
	})
}

// neverBehindCached reports the first path of each route with cache: never of which all
// GET requests go to a route that caches, on one of its hosts or all. Where they are
// another matter than the route's, CW402 has it.
func neverBehindCached(p *Pass) {
	if p.Compiled == nil {
		return
	}
	earlier, left := newReach(), pairsLeft(maxPairs)
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if !left.take(&r.Match) {
			continue
		}
		forGET := len(r.Match.Methods) == 0 || slices.Contains(r.Match.Methods, http.MethodGet)
		if !caches(r) && forGET {
			reportSwallowed(p, earlier, i)
		}
		earlier.add(i, &r.Match)
	}
}

func reportSwallowed(p *Pass, earlier *reach, route int) {
	r := &p.Policy.Routes[route]
	for i, path := range pathsOf(&r.Match) {
		for _, host := range hostsOf(&r.Match) {
			by := earlier.taken(host, path, []string{http.MethodGet})
			if len(by) == 0 || !caches(&p.Policy.Routes[by[0]]) {
				continue
			}
			taker := &p.Policy.Routes[by[0]]
			example := exampleOf(p, route, host, path)
			if governs, ok := governing(p, example); !ok || governs != taker.Name {
				continue
			}
			field := ""
			if len(r.Match.Paths) > 0 {
				field = "match.paths." + strconv.Itoa(i)
			}
			p.Report(Finding{
				Pos: r.At(field), Route: r.Name,
				Counterexample: twoRequests(p, taker, func(request *Request, visitor int) {
					request.URL = example.URL
					request.addCookie("session", [...]string{"alice", "bob"}[visitor])
				}),
				Message: fmt.Sprintf("route %s says that nothing is stored, but route %s stands before it and takes %s: what one visitor gets there %s",
					r.Name, taker.Name, example.URL, storedFor(taker)),
				Suggestion: fmt.Sprintf("move route %s before route %s: the first route that matches governs", r.Name, taker.Name),
				Related:    []Related{{taker.At(""), "route " + taker.Name + " stands before it"}},
			})
			return
		}
	}
}

// storedFor says how long a route lets others have what one visitor got.
func storedFor(r *policies.Route) string {
	if r.Cache.Kind == policies.CacheTTL {
		return fmt.Sprintf("may be shown to everybody for %s", longest(r))
	}
	return "may be shown to everybody for as long as the app's headers say"
}
