package lint

import (
	"slices"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW108", Name: "nothing-paid", Severity: Warning,
		Summary: "The last paid visit is to count, and no parameter that makes a visit a paid one is taken.",
		check:   nothingPaid,
	})
}

func nothingPaid(p *Pass) {
	eachAttribution(p, func(route *policies.Route, a policies.Attribution) {
		if a.Model != policies.ModelLastPaid {
			return
		}
		paid := slices.ContainsFunc(a.Paid, func(sign string) bool {
			name, _, _ := strings.Cut(sign, "=")
			return takes(p, route, name)
		})
		if paid {
			return
		}
		pos := route.At("attribution.model")
		p.Report(Finding{
			Pos:        pos,
			Route:      route.Name,
			Message:    "the last paid visit is to count, and none is ever paid: what makes a visit a paid one (" + strings.Join(shortened(a.Paid, 3), ", ") + ") is not among the parameters that are taken, so the last visit counts, whichever it was",
			Suggestion: "take those that advertisements have (gclid, msclkid, utm_medium) under `params`, name your own under `paid`, or write `last`, which is the same",
			Edits:      p.Unit.replaceWord(pos, string(policies.ModelLastPaid), string(policies.ModelLast)),
		})
	})
}

// shortened are the first of some names, in code style.
func shortened(names []string, n int) []string {
	var out []string
	for _, name := range names[:min(len(names), n)] {
		out = append(out, "`"+name+"`")
	}
	if len(names) > n {
		out = append(out, "…")
	}
	return out
}
