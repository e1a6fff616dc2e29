package lint

import (
	"fmt"
	"net/http"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW107", Name: "delivery-unlikely", Severity: Warning,
		Summary: "A request that is to tell the app who sent the visitor goes to a page that is cached, or to no route.",
		check:   deliveryUnlikely,
	})
}

// maxDeliverPaths bounds how many paths of one route are tried.
const maxDeliverPaths = 50

func deliveryUnlikely(p *Pass) {
	if p.Compiled == nil {
		return
	}
	eachAttribution(p, func(route *policies.Route, a policies.Attribution) {
		if a.Deliver == nil {
			return
		}
		for i, path := range a.Deliver.Paths[:min(len(a.Deliver.Paths), maxDeliverPaths)] {
			if message, fix := unlikely(p, route, path); message != "" {
				p.Report(Finding{Pos: route.At(item("attribution.deliver.paths", i)), Route: route.Name, Message: message, Suggestion: fix})
			}
		}
	})
}

// unlikely says what is odd about a path that the app is told at, on one of the hosts.
func unlikely(p *Pass, route *policies.Route, path string) (message, fix string) {
	governed := false
	for _, host := range exampleHosts(p, route) {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			req, ok := engineRequest(Request{Method: method, URL: "https://" + host + examplePath(path)})
			if !ok {
				continue
			}
			rule := p.Compiled.Route(req)
			governed = governed || rule.Name != policies.DefaultRule
			if method == http.MethodGet && rule.Cache.Kind != policies.CacheNever && rule.Name != policies.DefaultRule {
				return fmt.Sprintf("`%s` is where the app is told who sent the visitor, and route %s caches it: whoever carries something is a bypass there, so that page is cached for the others only",
						path, rule.Name),
					"name the request that converts (the one that the form sends), or give it a route with `cache: never`"
			}
		}
	}
	if governed {
		return "", ""
	}
	return fmt.Sprintf("no route governs `%s`, where the app is told who sent the visitor: perhaps it is spelled otherwise than in the app", path),
		"see what the form sends its data to; give that path a route with `cache: never`"
}
