package lint

import (
	"fmt"
	"net/http"
)

func init() {
	register(Rule{
		ID: "CW406", Name: "method-useless", Severity: Info,
		Summary: "A route that caches names methods that no cache answers.",
		check:   methodUseless,
	})
}

func methodUseless(p *Pass) {
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if !caches(r) {
			continue
		}
		for j, method := range r.Match.Methods {
			if method == http.MethodGet || method == http.MethodHead {
				continue
			}
			p.Report(Finding{
				Pos: r.At(fmt.Sprintf("match.methods.%d", j)), Route: r.Name,
				Message:    fmt.Sprintf("%s is never answered from the cache: such requests go to the app, as they would if it were not named here", method),
				Suggestion: "leave " + method + " out",
			})
			break
		}
	}
}
