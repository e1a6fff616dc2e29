package lint

import (
	"fmt"
	"time"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW506", Name: "ttl-short", Severity: Info,
		Summary: "A lifetime is so short that corroboration costs much of what it saves.",
		check:   ttlShort,
	})
}

const shortTTL = policies.Duration(5 * time.Second)

func ttlShort(p *Pass) {
	rules := compiledRules(p)
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if i >= len(rules) || !rules[i].Corroborate || r.Cache.Kind != policies.CacheTTL {
			continue
		}
		l := lifetimes(r)[0]
		if l.status != 200 || l.ttl >= shortTTL {
			continue
		}
		p.Report(Finding{
			Pos: r.At(l.field), Route: r.Name,
			Message: fmt.Sprintf("each page of %s lives for %s and the app is asked twice for each generation of it, up to %d times a minute",
				pagesOf(r.Match), l.ttl, 2*time.Minute/time.Duration(l.ttl)),
			Suggestion: "write 5s or more; where a second matters, `" + spelled(p, r, "cache: origin", "cache origin") + "` with a lifetime from the app costs one request for each generation",
		})
	}
}

// compiledRules are the compiled routes, in the order of the routes; nil if the policy
// could not be compiled.
func compiledRules(p *Pass) []*policies.Rule {
	if p.Compiled == nil {
		return nil
	}
	rules := p.Compiled.Rules()
	return rules[:len(rules)-1] // the last is the default
}
