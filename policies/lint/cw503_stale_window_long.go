package lint

import "fmt"

func init() {
	register(Rule{
		ID: "CW503", Name: "stale-window-long", Severity: Warning,
		Summary: "Pages are served for long after their lifetime has ended.",
		check:   staleWindowLong,
	})
}

// staleWindowLong: ten lifetimes are out of proportion only where they are long as
// such. Ten seconds fresh and some minutes stale is how a front page survives a rush.
func staleWindowLong(p *Pass) {
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if servesFiles(r.Match) {
			continue
		}
		c := r.Cache
		ttl := longest(r)
		if window := c.StaleWhileRevalidate; window > day || ttl > 0 && window > hour && window > 10*ttl {
			age := "its lifetime plus " + window.String()
			if ttl > 0 {
				age = (ttl + window).String()
			}
			p.Report(Finding{
				Pos: r.At("cache.stale_while_revalidate"), Route: r.Name,
				Message: fmt.Sprintf("who comes first to a page of %s after a quiet time is shown one that is up to %s old, although the app is there",
					pagesOf(r.Match), age),
				Suggestion: "write a window of about one lifetime; `stale_if_error` is for the time in which the app fails",
			})
		}
		if window := c.StaleIfError; window > 7*day {
			p.Report(Finding{
				Severity: Info,
				Pos:      r.At("cache.stale_if_error"), Route: r.Name,
				Message: fmt.Sprintf("while the app fails, visitors of %s are shown pages that are up to %s old, and may not notice",
					pagesOf(r.Match), window),
				Suggestion: "write 7d at most, in which somebody sees that the app fails",
			})
		}
	}
}
