package lint

import "fmt"

func init() {
	register(Rule{
		ID: "CW604", Name: "browser-ttl-long", Severity: Warning,
		Summary: "Browsers keep pages for long, where nobody can purge them.",
		check:   browserTTLLong,
	})
}

func browserTTLLong(p *Pass) {
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if !permits(r) || r.Downstream.Browser <= hour || servesFiles(r.Match) {
			continue
		}
		p.Report(Finding{
			Pos: r.At("downstream.browser"), Route: r.Name,
			Message: fmt.Sprintf("browsers may keep the pages of %s for %s and do not ask meanwhile: no purge reaches them, and a visitor who has a wrong page sees it until then",
				pagesOf(r.Match), r.Downstream.Browser),
			Suggestion: "leave `browser` out, so that browsers ask each time and are answered from the store; or write 1h at most",
		})
	}
}
