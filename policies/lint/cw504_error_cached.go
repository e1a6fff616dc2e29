package lint

import "fmt"

func init() {
	register(Rule{
		ID: "CW504", Name: "error-cached", Severity: Warning,
		Summary: "Errors are shared for longer than the moment that they are about.",
		check:   errorCached,
	})
}

// errorCached is about error_ttl alone: the language itself refuses lifetimes for 400,
// 401, 403, 429 and 5xx under cache.statuses, and more than a minute here.
func errorCached(p *Pass) {
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if r.ErrorTTL == nil || *r.ErrorTTL <= minute/6 {
			continue
		}
		p.Report(Finding{
			Pos: r.At("error_ttl"), Route: r.Name,
			Message: fmt.Sprintf("an error (400, 5xx) that the app calls cacheable is repeated to every visitor for up to %s, also after the app has recovered",
				*r.ErrorTTL),
			Suggestion: "leave `error_ttl` out (5s), and write `stale_if_error`, which shows visitors the last good page meanwhile",
		})
	}
}
