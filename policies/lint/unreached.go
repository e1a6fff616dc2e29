package lint

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/cacheward/cacheward/policies"
)

// unreached is a route, or one path or host of it, that no request gets to, because
// earlier routes take them all.
type unreached struct {
	route int
	// field is the place in the route: "", "match.paths.0", "match.hosts.1".
	field string
	// by are the routes that take the requests, in their order.
	by []int
	// example is a request that was meant for the route, and goes to the last of by.
	example string
}

// unreachedRoutes finds what no request gets to. Each is tried out with a request: what
// the engine does not confirm is left out.
func unreachedRoutes(p *Pass) []unreached {
	if p.Compiled == nil {
		return nil
	}
	var out []unreached
	earlier, left := newReach(), pairsLeft(maxPairs)
	for i := range p.Policy.Routes {
		m := &p.Policy.Routes[i].Match
		if !left.take(m) {
			continue
		}
		out = append(out, unreachedIn(p, earlier, i)...)
		earlier.add(i, m)
	}
	return out
}

func unreachedIn(p *Pass, earlier *reach, route int) []unreached {
	m := &p.Policy.Routes[route].Match
	hosts, paths, methods := hostsOf(m), pathsOf(m), methodsThatMatter(m)
	taken := make([][][]int, len(hosts)) // by host and path
	for h, host := range hosts {
		taken[h] = make([][]int, len(paths))
		for i, path := range paths {
			taken[h][i] = earlier.taken(host, path, methods)
		}
	}
	found := func(field string, from, to [2]int) (unreached, bool) {
		u := unreached{route: route, field: field}
		for h := from[0]; h < to[0]; h++ {
			for i := from[1]; i < to[1]; i++ {
				if taken[h][i] == nil {
					return u, false
				}
				u.by = append(u.by, taken[h][i]...)
			}
		}
		slices.Sort(u.by)
		u.by = slices.Compact(u.by)
		return u, u.confirm(p, hosts[from[0]], paths[from[1]])
	}
	if u, ok := found("", [2]int{}, [2]int{len(hosts), len(paths)}); ok {
		return []unreached{u}
	}
	var out []unreached
	for i := range m.Paths {
		if u, ok := found("match.paths."+strconv.Itoa(i), [2]int{0, i}, [2]int{len(hosts), i + 1}); ok {
			out = append(out, u)
		}
	}
	for h := range m.Hosts {
		if u, ok := found("match.hosts."+strconv.Itoa(h), [2]int{h, 0}, [2]int{h + 1, len(paths)}); ok {
			out = append(out, u)
		}
	}
	return out
}

// confirm tries a request for the host and path patterns, which must go to one of the
// routes that are said to take it.
func (u *unreached) confirm(p *Pass, host, path string) bool {
	r := exampleOf(p, u.route, host, path)
	governs, ok := governing(p, r)
	u.example = r.URL
	return ok && slices.ContainsFunc(u.by, func(route int) bool { return p.Policy.Routes[route].Name == governs })
}

// methodsThatMatter are GET and HEAD where a route is for them: others are never
// answered from a store, so a route whose GET requests another takes has lost its use.
func methodsThatMatter(m *policies.Match) []string {
	if len(m.Methods) == 0 {
		return []string{http.MethodGet, http.MethodHead}
	}
	var matter []string
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		if slices.Contains(m.Methods, method) {
			matter = append(matter, method)
		}
	}
	if matter == nil {
		return m.Methods
	}
	return matter
}

// exampleOf is a request for a host pattern and a path pattern of the route.
func exampleOf(p *Pass, route int, host, path string) Request {
	r := &p.Policy.Routes[route]
	if host = exampleHost(host); host == "" {
		host = exampleHosts(p, r)[0]
	}
	if path == "" {
		path = "/*"
	}
	return exampleAt(r, host, examplePath(path))
}

// exampleAt is a request for a host and a path, with the first method of the route.
func exampleAt(r *policies.Route, host, path string) Request {
	method := http.MethodGet
	if len(r.Match.Methods) > 0 && !slices.Contains(r.Match.Methods, method) {
		method = r.Match.Methods[0]
	}
	u := url.URL{Scheme: "https", Host: host, Path: path}
	return Request{Method: method, URL: u.String()}
}

// governing is the name of the rule that governs a request.
func governing(p *Pass, r Request) (string, bool) {
	req, ok := engineRequest(r)
	if !ok || p.Compiled == nil {
		return "", false
	}
	return p.Compiled.Route(req).Name, true
}

// caches says whether responses of the route may be shared.
func caches(r *policies.Route) bool { return r.Cache.Kind != policies.CacheNever }

// names of routes, as a list in a sentence.
func (u unreached) names(p *Pass) string {
	s := ""
	for i, route := range u.by {
		switch {
		case i > 0 && i == len(u.by)-1:
			s += " and "
		case i > 2:
			return s + ", …"
		case i > 0:
			s += ", "
		}
		s += p.Policy.Routes[route].Name
	}
	return s
}

// related are the places of the routes that take the requests.
func (u unreached) related(p *Pass) []Related {
	var out []Related
	for _, route := range u.by[:min(len(u.by), 3)] {
		r := &p.Policy.Routes[route]
		out = append(out, Related{r.At(""), "route " + r.Name + " stands before it"})
	}
	return out
}
