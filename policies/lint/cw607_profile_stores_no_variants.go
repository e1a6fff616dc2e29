package lint

import (
	"fmt"
	"slices"
	"strings"
)

func init() {
	register(Rule{
		ID: "CW607", Name: "profile-stores-no-variants", Severity: Info,
		Summary: "The CDN of the profile stores nothing that varies on the header that is keyed.",
		check:   profileStoresNoVariants,
	})
}

func profileStoresNoVariants(p *Pass) {
	rules := compiledRules(p)
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if !permits(r) || r.Headers == nil || i < len(rules) && rules[i].Downstream == nil {
			continue // CW608 is about the last
		}
		to := p.Policy.ProfileOf(r)
		if to.Varies == nil {
			continue
		}
		for j, key := range r.Headers.Key {
			if slices.ContainsFunc(to.Varies, func(name string) bool { return strings.EqualFold(name, key.Name) }) {
				continue
			}
			p.Report(Finding{
				Pos: r.At("downstream"), Route: r.Name,
				Message: fmt.Sprintf("%s stores no page that varies on %s, so the permission for %s is in vain: each visit reaches Cacheward",
					to.CDN, key.Name, pagesOf(r.Match)),
				Suggestion: "leave `downstream` out, or give each variant an address of its own",
				Related:    []Related{{r.At(fmt.Sprintf("headers.key.%d", j)), "the key has it here"}},
			})
			break
		}
	}
}
