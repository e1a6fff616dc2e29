package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW209", Name: "ignore-wide", Severity: Info,
		Summary: "A place may hold anything at all, and still count as the same.",
		check:   ignoreWide,
	})
}

func ignoreWide(p *Pass) {
	for i := range p.Policy.Routes {
		route := &p.Policy.Routes[i]
		for j, h := range route.Ignore {
			if strings.Trim(h.Matching, "*") != "" || saysWhatItIs(h) {
				continue
			}
			at := fmt.Sprintf("ignore.%d", j)
			if h.Matching != "" {
				at += ".matching"
			}
			p.Report(Finding{
				Pos:   route.At(at),
				Route: route.Name,
				Message: fmt.Sprintf("whatever stands in `%s` is not compared: should the app put something of one visitor there some day, everybody would get it",
					placeOf(h)),
				Suggestion: fmt.Sprintf("say what it looks like: `%s`", spelled(p, route, `matching: "web-??"`, "… web-?? at the end of the line")),
			})
		}
	}
}

// placeOf is the place that is declared harmless.
func placeOf(h policies.Harmless) string { return cmp.Or(h.HTML, h.JSON, h.Header) }

// clockWords are of names that say that a clock or a machine is behind them. Those can
// be left without a matching: what they hold has no other use.
var clockWords = words(`
	time times datetime date at ts stamp timestamp clock now age elapsed duration ms took runtime generated rendered updated created modified built
	server node host backend pod instance worker version build revision commit release generator cache region`)

func saysWhatItIs(h policies.Harmless) bool {
	return slices.ContainsFunc(splitName(placeOf(h)), func(word string) bool { return clockWords[word] })
}
