package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW401", Name: "unreachable-route", Severity: Warning,
		Summary: "No request reaches a route, so nothing of what it says is in force.",
		check:   unreachableRoute,
	})
}

// unreachableRoute leaves cache: never behind a cached route to CW407.
func unreachableRoute(p *Pass) {
	for _, u := range unreachedRoutes(p) {
		r := &p.Policy.Routes[u.route]
		if !caches(r) && slices.ContainsFunc(u.by, func(route int) bool { return caches(&p.Policy.Routes[route]) }) {
			continue
		}
		what, fix := fmt.Sprintf("%s reaches route %s", noRequest(&r.Match), r.Name), "move route "+r.Name+" up, or delete it"
		if u.field != "" {
			what = fmt.Sprintf("%s for `%s` reaches route %s", noRequest(&r.Match), u.value(r), r.Name)
			fix = "leave it out here, or move route " + r.Name + " up"
		}
		p.Report(Finding{
			Pos: r.At(u.field), Route: r.Name,
			Message:    fmt.Sprintf("%s: %s before it and %s them all, such as %s", what, standing(u.names(p), len(u.by)), taking(len(u.by)), u.example),
			Suggestion: fix,
			Related:    u.related(p),
		})
	}
	outsideSite(p)
}

// noRequest is what does not reach the route: requests with the methods that matter.
func noRequest(m *policies.Match) string {
	if matter := methodsThatMatter(m); !slices.Equal(matter, m.Methods) {
		return "no " + strings.Join(matter, " or ") + " request"
	}
	return "no request"
}

func standing(names string, n int) string {
	if n == 1 {
		return "route " + names + " stands"
	}
	return "routes " + names + " stand"
}

func taking(n int) string {
	if n == 1 {
		return "takes"
	}
	return "take"
}

// value is the path or host that the finding is about.
func (u unreached) value(r *policies.Route) string {
	for i, path := range r.Match.Paths {
		if u.field == fmt.Sprintf("match.paths.%d", i) {
			return path
		}
	}
	for i, host := range r.Match.Hosts {
		if u.field == fmt.Sprintf("match.hosts.%d", i) {
			return host
		}
	}
	return ""
}

// outsideSite reports routes for hosts that the site around the policy does not serve,
// nor another site that has the same policy, by its file or by a snippet.
func outsideSite(p *Pass) {
	if p.Scope == nil || len(p.Scope.Hosts) == 0 {
		return
	}
	for _, host := range p.Scope.Hosts {
		if exampleHost(host) == "" {
			return // a placeholder, say: nobody knows which hosts there are
		}
	}
	left := maxPairs
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if left -= len(r.Match.Hosts) * len(p.Scope.Hosts); left < 0 {
			return
		}
		if len(r.Match.Hosts) == 0 || meetsAny(r.Match.Hosts, p.Scope.Hosts) || p.Unit.servedElsewhere(r) {
			continue
		}
		p.Report(Finding{
			Pos: r.At("match.hosts.0"), Route: r.Name,
			Message: fmt.Sprintf("no request reaches route %s: it is for `%s`, and the site around it serves `%s`%s",
				r.Name, r.Match.Hosts[0], p.Scope.Hosts[0], andMore(len(p.Scope.Hosts)-1)),
			Suggestion: "move the route to the site of that host, or correct the host",
			Related:    []Related{{p.Scope.Pos, "the site"}},
		})
	}
}

func andMore(n int) string {
	if n > 0 {
		return fmt.Sprintf(" and %d more", n)
	}
	return " only"
}

func meetsAny(some, others []string) bool {
	for _, a := range some {
		for _, b := range others {
			if _, ok := policies.HostsMeet(a, b); ok {
				return true
			}
		}
	}
	return false
}
