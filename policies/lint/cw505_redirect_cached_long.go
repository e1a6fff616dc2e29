package lint

import (
	"fmt"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW505", Name: "redirect-cached-long", Severity: Warning,
		Summary: "A redirect is kept for long.",
		check:   redirectCachedLong,
	})
}

// redirectLimits: what the app calls permanent (RFC 9110 §15.4.2, §15.4.9) may last a
// day, what it calls temporary an hour.
var redirectLimits = map[int]policies.Duration{301: day, 308: day, 302: hour, 303: hour, 307: hour}

func redirectCachedLong(p *Pass) {
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		for _, l := range lifetimes(r) {
			limit, redirect := redirectLimits[l.status]
			if !redirect || l.ttl <= limit {
				continue
			}
			kind := "temporary"
			if limit == day {
				kind = "permanent"
			}
			p.Report(Finding{
				Pos: r.At(l.field), Route: r.Name,
				Message: fmt.Sprintf("a %s redirect (%d) is kept for %s: if the app sends one visitor to a login or a maintenance page by mistake, every visitor is sent there for %s",
					kind, l.status, l.ttl, l.ttl),
				Suggestion: fmt.Sprintf("write %s at most", limit),
			})
		}
	}
}
