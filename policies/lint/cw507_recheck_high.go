package lint

import (
	"fmt"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW507", Name: "recheck-high", Severity: Info,
		Summary: "So many hits are held against the app that the cache saves little.",
		check:   recheckHigh,
	})
}

const highShare = policies.Share(0.2)

func recheckHigh(p *Pass) {
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if r.Recheck <= highShare {
			continue
		}
		p.Report(Finding{
			Pos: r.At("recheck"), Route: r.Name,
			Message: fmt.Sprintf("after %s of the hits the app is asked again, so it is spared no more than %s of the requests for stored pages",
				r.Recheck, 1-r.Recheck),
			Suggestion: "write 1%, which finds a page that has begun to differ within about a hundred hits; more is for a trial",
		})
	}
}
