package lint

import (
	"fmt"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW403", Name: "extension-over-dynamic", Severity: Warning,
		Summary: "Whatever ends like a file is cached, below the account pages as well.",
		check:   extensionOverDynamic,
	})
}

// extensionOverDynamic leaves alone what has an earlier route with cache: never for a
// directory: somebody has thought of it.
func extensionOverDynamic(p *Pass) {
	guarded := false
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if !caches(r) {
			for _, path := range pathsOf(&r.Match) {
				guarded = guarded || shapeOf(path) != shapeExact && shapeOf(path) != shapeExt
			}
		}
		if guarded || r.Cache.Kind != policies.CacheTTL {
			continue
		}
		for j, path := range r.Match.Paths {
			if shapeOf(path) != shapeExt || !pathOfFiles(path) {
				continue
			}
			example := exampleOf(p, i, hostsOf(&r.Match)[0], "/account/*"+path[1:])
			p.Report(Finding{
				Pos: r.At(fmt.Sprintf("match.paths.%d", j)), Route: r.Name,
				Message: fmt.Sprintf("`%s` matches below every directory: many apps answer %s with the account page itself, and it is cached for %s. "+
					"A page of HTML or JSON under such a name is refused, but a script or a file that is made for one visitor is not told from a common one by its type",
					path, example.URL, longest(r)),
				Suggestion: fmt.Sprintf("name the directories of the files, such as /static/**%s, or put a route with cache: never for /account/* and the like before it", path[1:]),
			})
			break
		}
	}
}
