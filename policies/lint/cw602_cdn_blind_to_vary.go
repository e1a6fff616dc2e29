package lint

import (
	"fmt"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW602", Name: "cdn-blind-to-vary", Severity: Warning,
		Summary: "A CDN may store pages that a header tells apart, and most CDNs do not look at it.",
		check:   cdnBlindToVary,
	})
}

// cdnBlindToVary leaves out routes whose permission has no effect, which CW608 and CW607
// are about, and those behind a CDN that is known to look at Vary.
func cdnBlindToVary(p *Pass) {
	rules := compiledRules(p)
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if !permits(r) || r.Headers == nil || len(r.Headers.Key) == 0 || i < len(rules) && rules[i].Downstream == nil {
			continue
		}
		to, blind := p.Policy.ProfileOf(r), "one that ignores Vary (Cloudflare without a cache rule for it, Bunny, CloudFront unless the header is in its cache policy)"
		switch {
		case to.Name == policies.ProfileGeneric:
		case to.Vary == "":
			continue
		default:
			blind = to.CDN + " " + to.Vary + "; a CDN that does not"
		}
		var names []string
		for _, key := range r.Headers.Key {
			names = append(names, key.Name)
		}
		all, tell := strings.Join(names, " and "), "header "+names[0]+" tells"
		if len(names) > 1 {
			tell = "headers " + all + " tell"
		}
		p.Report(Finding{
			Pos: r.At("downstream"), Route: r.Name,
			Message: fmt.Sprintf("a CDN may store the pages of %s, which the %s apart: %s shows everybody the page of whoever came first",
				pagesOf(r.Match), tell, blind),
			Suggestion: "leave `downstream` out on routes that key headers; or make the CDN key " + all + " as well, and suppress this with the name of the CDN and of the setting",
			Related:    []Related{{r.At("headers.key.0"), "the key has it here"}},
		})
	}
}
