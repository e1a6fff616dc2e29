package lint

import (
	"fmt"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW408", Name: "path-case", Severity: Warning,
		Summary: "Two routes have paths that differ in letter case only.",
		check:   pathCase,
	})
}

// pathCase leaves two spellings in one route alone: both are meant.
func pathCase(p *Pass) {
	type spelling struct {
		route int
		path  string
	}
	seen := make(map[string][]spelling) // by host and path, lower-case
	left := pairsLeft(maxPairs)
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if !left.take(&r.Match) {
			continue
		}
		var mine []spelling
		told := false
		for j, path := range r.Match.Paths {
			mine = append(mine, spelling{i, path})
			for _, host := range hostsOf(&r.Match) {
				eachHost(host, func(pattern string) {
					for _, s := range seen[pattern+" "+strings.ToLower(path)] {
						first := &p.Policy.Routes[s.route]
						if told || s.path == path || !sharesDiffer(first, r) {
							continue
						}
						told = true
						p.Report(Finding{
							Pos: r.At(fmt.Sprintf("match.paths.%d", j)), Route: r.Name,
							Message: fmt.Sprintf("`%s` is governed by route %s, and `%s`, which is the same page where the app ignores letter case, by route %s: visitors get what either says, by how they spell it",
								path, r.Name, s.path, first.Name),
							Suggestion: "if both are one page, name both spellings in one route",
							Related:    []Related{{first.At("match.paths"), "the other spelling"}},
						})
					}
				})
			}
		}
		for _, s := range mine {
			for _, host := range hostsOf(&r.Match) {
				key := strings.ToLower(host) + " " + strings.ToLower(s.path)
				if len(seen[key]) < 4 {
					seen[key] = append(seen[key], s)
				}
			}
		}
	}
}

// sharesDiffer says whether it matters which of the two routes governs.
func sharesDiffer(a, b *policies.Route) bool { return caches(a) || caches(b) }
