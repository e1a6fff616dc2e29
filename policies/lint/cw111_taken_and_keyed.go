package lint

import (
	"fmt"
	"slices"
	"strings"
)

func init() {
	register(Rule{
		ID: "CW111", Name: "taken-and-keyed", Severity: Warning,
		Summary: "One route takes a parameter as attribution, and another one keys it.",
		check:   takenAndKeyed,
	})
}

// takenAndKeyed looks at exact names: a glob that keys says nothing of this one.
func takenAndKeyed(p *Pass) {
	var takers []int
	rules := compiledRules(p)
	for i := range rules {
		if rules[i].Attribution != nil && len(takers) < maxTakers {
			takers = append(takers, i)
		}
	}
	if len(takers) == 0 {
		return
	}
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if !caches(r) || r.Params == nil {
			continue
		}
		for j, name := range r.Params.Key[:min(len(r.Params.Key), maxGlobNames)] {
			if strings.ContainsAny(name, "*@") {
				continue
			}
			k := slices.IndexFunc(takers, func(taker int) bool { return taker != i && rules[taker].Attribution.Takes(name) })
			if k < 0 {
				continue
			}
			taker := &p.Policy.Routes[takers[k]]
			p.Report(Finding{
				Pos:   r.At(item("params.key", j)),
				Route: r.Name,
				Message: fmt.Sprintf("route %s takes `%s` as what says who sent the visitor, and here it is keyed: there is a page of its own for each of its values, and whoever lands here with one is not noted",
					taker.Name, name),
				Suggestion: "give this route an attribution as well, if visitors land here; else strip the parameter, or let it be a bypass",
				Related:    []Related{{taker.At("attribution.params"), "route " + taker.Name + " takes it here"}},
			})
		}
	}
}

// maxTakers bounds with how many attributions keyed names are compared.
const maxTakers = 20
