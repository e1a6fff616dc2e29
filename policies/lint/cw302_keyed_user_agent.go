package lint

import (
	"fmt"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW302", Name: "keyed-user-agent", Severity: Warning,
		Summary: "A page is stored once for each version of each browser.",
		check:   keyedUserAgent,
	})
}

// agentHeaders have thousands of values. Sec-CH-UA-Mobile and Sec-CH-UA-Platform have a
// handful and are left alone.
var agentHeaders = []string{
	"User-Agent", "Sec-CH-UA", "Sec-CH-UA-Full-Version", "Sec-CH-UA-Full-Version-List", "Sec-CH-UA-Model",
	"Sec-CH-UA-Platform-Version", "X-Device-User-Agent", "X-Original-User-Agent",
}

func keyedUserAgent(p *Pass) {
	eachKeyedHeader(p, func(r *policies.Route, field, pattern string) {
		header, ok := amongHeaders(pattern, agentHeaders)
		if !ok {
			return
		}
		p.Report(Finding{
			Pos: r.At(field), Route: r.Name,
			Message: fmt.Sprintf("%s has thousands of values: the page is stored once for each version of each browser, so hardly anybody gets a stored one, and anybody can fill the store by making values up",
				called(pattern, header)),
			Suggestion: "if there is a page for phones, key what says so in a few words: Sec-CH-UA-Mobile with the values ?0 and ?1, or a header that a handler before cacheward sets; else leave it out",
		})
	})
}
