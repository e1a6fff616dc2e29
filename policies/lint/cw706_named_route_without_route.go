package lint

import (
	"fmt"
	"strings"
)

func init() {
	register(Rule{
		ID: "CW706", Name: "named-route-without-route", Severity: Error,
		Summary: "Of a named route without route { } Caddy keeps only the first handler.",
		site:    namedRouteWithoutRoute,
	})
}

func namedRouteWithoutRoute(p *SitePass) {
	for _, named := range p.Unit.Site.Named {
		if named.Kept == "" || len(named.Directives) < 2 {
			continue
		}
		words := make([]string, len(named.Directives))
		for i := range words {
			words[i] = named.Directives[i].Name
		}
		lost := "what else stands in it is silently left out"
		for _, word := range words {
			if word == "cacheward" && named.Kept != word {
				lost = "cacheward is silently left out, so nothing protects what the CDN may cache"
			}
		}
		p.Report(Finding{
			Pos: named.Pos,
			Message: fmt.Sprintf("of the named route %s (%s) Caddy keeps the handler %s alone; %s",
				named.Name, strings.Join(words, ", "), named.Kept, lost),
			Suggestion: "write all of it into a block: &(" + named.Name + ") { route { … } }",
		})
	}
}
