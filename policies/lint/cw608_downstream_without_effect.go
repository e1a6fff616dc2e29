package lint

import (
	"time"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW608", Name: "downstream-without-effect", Severity: Warning,
		Summary: "The permission for caches further on is never given.",
		check:   downstreamWithoutEffect,
	})
}

// downstreamWithoutEffect: the compiled rule has dropped what would let a CDN give one
// person's page to another, and less than a second cannot be said in HTTP.
func downstreamWithoutEffect(p *Pass) {
	rules := compiledRules(p)
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if r.Downstream == nil || i >= len(rules) {
			continue
		}
		switch {
		case rules[i].Downstream == nil:
			p.Report(Finding{
				Pos: r.At("downstream"), Route: r.Name,
				Message:    "no CDN gets this permission: the route keys or varies on a header that makes a visitor a person, or on a glob of headers, by which caches further on could not tell visitors apart; each request reaches Cacheward",
				Suggestion: "leave `downstream` out; or name the headers that the page depends on one by one, none of them of the identity",
			})
		case permits(r) && r.Downstream.TTL < policies.Duration(time.Second):
			p.Report(Finding{
				Pos: r.At("downstream.ttl"), Route: r.Name,
				Message:    "no CDN gets this permission: lifetimes in HTTP are whole seconds, and this is less than one",
				Suggestion: "write 1s or more, or leave `downstream` out",
			})
		}
	}
}
