package lint

import (
	"fmt"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW603", Name: "downstream-on-landing", Severity: Error,
		Summary: "A CDN may answer for a page that visitors are sent to by others.",
		check:   downstreamOnLanding,
	})
}

func downstreamOnLanding(p *Pass) {
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if r.Downstream == nil || servesFiles(r.Match) || r.Attribution != nil { // of which CW106 has it
			continue
		}
		landing, landed := landingPath(r)
		stripped := tellingInputs("params", r.Params, policies.Strip, names().attributionParams)
		if !landed && len(stripped) == 0 {
			continue
		}
		f := Finding{
			Severity: errorIfTimed(r), Pos: r.At("downstream"), Route: r.Name,
			Suggestion: "leave `downstream` out, so that every visit reaches Cacheward; if the page's own script reads who referred the visitor, suppress this and say so",
		}
		param := "ref"
		if len(stripped) > 0 {
			param = stripped[0].name
			f.Message = fmt.Sprintf("a CDN may answer for %s itself, and the parameter %s then reaches neither Cacheward nor the app: nobody there learns %s",
				pagesOf(r.Match), stripped[0].call(), stripped[0].what)
			f.Related = []Related{{r.At(stripped[0].at), "it is stripped here"}}
		} else {
			f.Message = fmt.Sprintf("a CDN may answer for `%s` itself (%s): the app does not learn of these visits, and a CDN that is blind to the query gives everybody the page of whoever came first, with that visitor's referrer",
				landing.pattern, landing.what)
			f.Related = []Related{{r.At(fmt.Sprintf("match.paths.%d", landing.index)), "the path is here"}}
		}
		f.Counterexample = twoRequests(p, r, func(q *Request, visitor int) {
			q.addParam(param, [...]string{"A1", "B2"}[visitor])
			q.Note = [...]string{"Alice, sent by the member A1", "Bob, sent by the member B2: the CDN has an answer already"}[visitor]
		})
		p.Report(f)
	}
}
