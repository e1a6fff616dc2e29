package lint

import (
	"fmt"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW307", Name: "near-names", Severity: Warning,
		Summary: "Two parameters are declared that are one parameter to many apps.",
		check:   nearNames,
	})
}

// nearNames leaves out pairs that are stripped, bypassed or denied alike, which come to
// the same, and the array of PHP beside its own name (color and color[]), both keyed.
func nearNames(p *Pass) {
	type declared struct {
		name, field string
		verb        policies.Verb
	}
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if !caches(r) || r.Params == nil {
			continue
		}
		seen := make(map[string]declared)
		eachVerb(r.Params, func(verb policies.Verb, names []string) {
			for j, name := range names {
				if strings.ContainsAny(name, "*@") {
					continue
				}
				folded := policies.FoldParam(name)
				d := declared{name, item("params."+string(verb), j), verb}
				first, near := seen[folded]
				if !near {
					seen[folded] = d
					continue
				}
				if first.name == name || first.verb == verb && (verb != policies.Key || strings.TrimSuffix(name, "[]") == strings.TrimSuffix(first.name, "[]")) {
					continue
				}
				f := Finding{
					Pos: r.At(d.field), Route: r.Name,
					Message: fmt.Sprintf("`%s` and `%s` are one parameter to apps that ignore letter case, decode names or cut brackets off, but one is declared %s and the other %s: a visitor whose link has the one spelling is treated otherwise than the next",
						name, first.name, verb, first.verb),
					Suggestion: "give both the same verb",
					Related:    []Related{{r.At(first.field), "the other spelling"}},
				}
				if first.verb == verb {
					f.Severity = Info
					f.Message = fmt.Sprintf("`%s` and `%s` are one parameter to apps that ignore letter case or decode names, and each makes a copy of the page", name, first.name)
					f.Suggestion = "key the spelling that the app's own links have; requests with another one bypass the cache"
				}
				p.Report(f)
			}
		})
	}
}
