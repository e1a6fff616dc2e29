package lint

import (
	"fmt"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW502", Name: "negative-ttl-long", Severity: Warning,
		Summary: "That a page is missing is remembered for long.",
		check:   negativeTTLLong,
	})
}

// negativeLimits: a 404 may be a page that is not published yet; a 410 says that it
// will not come back, and a 451 is a decision of a court, so both may last a day.
var negativeLimits = map[int]policies.Duration{404: 10 * minute, 410: day, 451: day}

func negativeTTLLong(p *Pass) {
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		for _, l := range lifetimes(r) {
			limit, negative := negativeLimits[l.status]
			if !negative || l.ttl <= limit {
				continue
			}
			f := Finding{
				Pos: r.At(l.field), Route: r.Name,
				Message:    fmt.Sprintf("status %d is kept for %s: a page that was taken away by mistake stays away for every visitor until then", l.status, l.ttl),
				Suggestion: fmt.Sprintf("write %s at most", limit),
			}
			if l.status == 404 {
				f.Message = fmt.Sprintf("status 404 is kept for %s: a page that is asked for a moment before it is published is missing for every visitor until then", l.ttl)
				f.Suggestion += "; 10s is enough against scanners that ask again and again"
			}
			p.Report(f)
		}
	}
}
