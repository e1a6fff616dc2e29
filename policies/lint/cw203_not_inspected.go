package lint

import (
	"fmt"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW203", Name: "not-inspected", Severity: Warning,
		Summary: "Pages are shared without being looked into for what is one visitor's.",
		check:   notInspected,
	})
}

func notInspected(p *Pass) {
	eachPage(p, func(route *policies.Route) {
		if route.Inspect == nil || route.Inspect.Rule != policies.InspectOff {
			return
		}
		p.Report(Finding{
			Pos:   route.At("inspect"),
			Route: route.Name,
			Message: fmt.Sprintf("nobody looks into what is shared here (%s): a page that shows a visitor's own name, or has their session or a form's token in it, "+
				"would be given to others", pagesOf(route.Match)),
			Suggestion: "leave `inspect` out; if one kind of find is a false alarm, `tolerate` that detector; if only files are meant, give them a route of their own by their paths",
		})
	})
}
