package lint

import "fmt"

func init() {
	register(Rule{
		ID: "CW501", Name: "html-ttl-long", Severity: Warning,
		Summary: "Pages are kept for longer than a day.",
		check:   htmlTTLLong,
	})
}

// htmlTTLLong leaves a day itself alone: terms and imprints have that.
func htmlTTLLong(p *Pass) {
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if servesFiles(r.Match) {
			continue
		}
		for _, l := range lifetimes(r) {
			if l.status >= 300 || l.ttl <= day {
				continue
			}
			p.Report(Finding{
				Pos: r.At(l.field), Route: r.Name,
				Message: fmt.Sprintf("the pages of %s are kept for %s: a correction, or a page that was wrong when it was stored, reaches visitors up to %s late unless somebody purges it",
					pagesOf(r.Match), l.ttl, l.ttl),
				Suggestion: "write a day at most, and `stale_if_error` for the app's bad days; files match by their extension, such as `*.pdf`",
			})
		}
	}
}
