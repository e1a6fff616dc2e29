package lint

import (
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW309", Name: "forward-personal", Severity: Error,
		Summary: "The app is told who the visitor is, and the page that it makes is given to others.",
		check:   forwardPersonal,
	})
}

func forwardPersonal(p *Pass) {
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if !caches(r) || r.Headers == nil {
			continue
		}
		for j, forward := range r.Headers.Forward {
			what, fix := personal(forward.Name)
			if what == "" {
				continue
			}
			name := http.CanonicalHeaderKey(forward.Name)
			p.Report(Finding{
				Pos: r.At(item("headers.forward", j) + ".name"), Route: r.Name,
				Message: fmt.Sprintf("`%s` says %s. It is sent to the app and is not in the key, so what the app makes of it for one visitor is shown to the next",
					name, what),
				Suggestion: fix,
				Counterexample: twoRequests(p, r, func(request *Request, visitor int) {
					request.addHeader(name, [...]string{"203.0.113.7", "198.51.100.9"}[visitor])
					if what == whoTheVisitorIs {
						request.Header[len(request.Header)-1][1] = [...]string{"alice", "bob"}[visitor]
					}
				}),
			})
		}
	}
}

const whoTheVisitorIs = "who the visitor is"

// personal says what a header tells of the visitor, or nothing.
func personal(header string) (what, fix string) {
	if _, ok := amongHeaders(header, addressHeaders); ok {
		return "where the visitor comes from", "leave it out; an app that only counts requests by address gets it by address: forward, on cache: origin routes"
	}
	if isIdentityHeader(header) {
		return whoTheVisitorIs, "leave it out: requests that have it bypass the cache then"
	}
	return "", ""
}

// isIdentityHeader asks the engine: on a route that says nothing of it, a request with
// such a header is its visitor's alone.
func isIdentityHeader(header string) bool {
	c := plainPolicy()
	request := &policies.Request{
		Method: http.MethodGet, Scheme: "https", Host: "example.com", Path: "/", EscapedPath: "/",
		Header: http.Header{http.CanonicalHeaderKey(header): {"x"}},
	}
	var parts policies.Parts
	verdict := c.Route(request).Dispose(request, &parts)
	return slices.Contains(verdict.Reasons, policies.ReasonIdentity) || slices.Contains(verdict.Reasons, policies.ReasonAuthorization)
}

var plainPolicy = sync.OnceValue(func() *policies.Compiled {
	c, err := policies.Compile(&policies.Policy{Routes: []policies.Route{{
		Name: "all", Match: policies.Match{Paths: []string{"/*"}},
		Cache: policies.Cache{Kind: policies.CacheTTL, TTL: minute},
	}}}, "lint")
	if err != nil {
		panic(err) // a constant, which every test meets
	}
	return c
})
