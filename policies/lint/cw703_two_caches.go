package lint

import "fmt"

func init() {
	register(Rule{
		ID: "CW703", Name: "two-caches", Severity: Warning,
		Summary: "Two caches stand in one chain of handlers.",
		site:    twoCaches,
	})
}

// twoCaches leaves handlers with matchers of their own alone: which of them a request
// meets is not known then, and a cacheward for each of two paths is no mistake.
func twoCaches(p *SitePass) {
	seen := make(map[string]bool)
	p.chains(func(_ *Server, c *Chain) {
		i := c.cacheward()
		if i < 0 || c.Handlers[i].When != "" {
			return
		}
		for j, h := range c.Handlers {
			if j == i || h.When != "" {
				continue
			}
			switch h.Module {
			case "cacheward":
				p.reportOnce(seen, Finding{
					Pos: h.Pos, Related: behind(c, i),
					Message:    fmt.Sprintf("%s go through two cacheward handlers: only the outer one caches, so this policy is not in force", c.requests()),
					Suggestion: "keep one, with the routes of both",
				})
			case "cache", "souin":
				p.reportOnce(seen, Finding{
					Pos: h.Pos, Related: behind(c, i),
					Message: fmt.Sprintf("%s go through a second cache, %s, which does not judge what it shares: it may store one visitor's page and give it to others",
						c.requests(), h.Module),
					Suggestion: "take " + h.Module + " out; cacheward is the cache here",
				})
			}
		}
	})
}
