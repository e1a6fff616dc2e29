package lint

import (
	"fmt"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW605", Name: "downstream-longer-than-ttl", Severity: Info,
		Summary: "Caches further on are offered more time than any object has.",
		check:   downstreamLongerThanTTL,
	})
}

func downstreamLongerThanTTL(p *Pass) {
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if !permits(r) || r.Cache.Kind != policies.CacheTTL {
			continue // the origin's lifetimes are not known here
		}
		most := longest(r)
		for _, offer := range []struct {
			field, who string
			ttl        policies.Duration
		}{
			{"downstream.ttl", "a CDN", r.Downstream.TTL},
			{"downstream.browser", "a browser", r.Downstream.Browser},
		} {
			if offer.ttl <= most {
				continue
			}
			p.Report(Finding{
				Pos: r.At(offer.field), Route: r.Name,
				Message: fmt.Sprintf("%s is offered %s, and gets no more than what is left of the object's own %s",
					offer.who, offer.ttl, most),
				Suggestion: fmt.Sprintf("write %s or less here, or a longer lifetime under `cache`", most),
			})
		}
	}
}
