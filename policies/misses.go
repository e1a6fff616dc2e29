package policies

import "slices"

// Misses names the parts of the match that a request does not fit: "hosts", "paths",
// "methods". Nil: the request matches.
func (m Match) Misses(req *Request) []string {
	var missed []string
	// The router itself is asked, once for each part.
	fits := func(part Match) bool { return newRouter([]Match{part}).find(req.Method, req.Host, req.Path) >= 0 }
	if !fits(Match{Hosts: m.Hosts}) {
		missed = append(missed, "hosts")
	}
	if !fits(Match{Paths: m.Paths}) {
		missed = append(missed, "paths")
	}
	if len(m.Methods) > 0 && !slices.Contains(m.Methods, req.Method) {
		missed = append(missed, "methods")
	}
	return missed
}
