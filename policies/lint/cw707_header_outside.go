package lint

import (
	"fmt"
	"slices"
	"strings"
)

func init() {
	register(Rule{
		ID: "CW707", Name: "header-outside", Severity: Error,
		Summary: "Headers that decide who may share a page are changed where Cacheward does not see it.",
		site:    headerOutside,
	})
}

func headerOutside(p *SitePass) {
	seen := make(map[string]bool)
	p.chains(func(_ *Server, c *Chain) {
		i := c.cacheward()
		if i < 0 {
			return
		}
		for _, h := range c.Handlers[:i] {
			for _, change := range h.Changes {
				if f, wrong := outsideFinding(change); wrong && p.mayCache(c, i, h) {
					f.Pos, f.Related = h.Pos, behind(c, i)
					p.reportOnce(seen, f)
				}
			}
		}
	})
}

const moveBehind = "let the app set it, or put the header directive behind cacheward, in a route block with the reverse_proxy"

// outsideFinding judges a change that is made outside of cacheward. One that is not
// deferred is made before cacheward runs, which then has the last word on what caches
// are told.
func outsideFinding(change Change) (Finding, bool) {
	field := strings.ToLower(change.Field)
	switch {
	case change.Request, change.Op == "set" && forbids(change.Value):
	case field == "set-cookie" && change.Op != "delete":
		return Finding{
			Message:    "a cookie is set outside of cacheward, where the gate cannot see it: pages from the cache leave with it and with permission for the CDN, which then gives one visitor's cookie to everybody",
			Suggestion: moveBehind,
		}, true
	case change.Deferred && (strings.HasSuffix(field, "cache-control") || slices.Contains([]string{"surrogate-control", "x-accel-expires", "edge-control"}, field)):
		return Finding{
			Message: fmt.Sprintf("%s is changed (%s) when the response leaves, after cacheward has written it: also what it refused to share, one visitor's own page, goes out with it",
				change.Field, change.Op),
			Suggestion: moveBehind,
		}, true
	}
	return Finding{}, false
}

// forbids says whether a value tells shared caches to keep nothing.
func forbids(value string) bool {
	return strings.Contains(value, "no-store") || strings.Contains(value, "private")
}
