package lint

import (
	"fmt"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW508", Name: "heuristic-on-html", Severity: Warning,
		Summary: "Pages of which the app said nothing are shared for a guessed time.",
		check:   heuristicOnHTML,
	})
}

func heuristicOnHTML(p *Pass) {
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if r.Heuristic != policies.On || servesFiles(r.Match) {
			continue
		}
		p.Report(Finding{
			Pos: r.At("heuristic"), Route: r.Name,
			Message: fmt.Sprintf("where the app says nothing, one answer for %s is shown to everybody for a guessed time, a tenth of its age and up to a day: a page that is made for one visitor is kept from others only if it shows a known mark of that",
				pagesOf(r.Match)),
			Suggestion: "leave `heuristic` out and let the app send `Cache-Control: public, max-age=…`; or name the files that it is meant for (`/static/*`, `*.css`)",
		})
	}
}
