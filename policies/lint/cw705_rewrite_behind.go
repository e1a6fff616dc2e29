package lint

import "fmt"

func init() {
	register(Rule{
		ID: "CW705", Name: "rewrite-behind", Severity: Warning,
		Summary: "The app is asked for another path than the policy judged.",
		site:    rewriteBehind,
	})
}

func rewriteBehind(p *SitePass) {
	seen := make(map[string]bool)
	p.chains(func(_ *Server, c *Chain) {
		i := c.cacheward()
		if i < 0 {
			return
		}
		for _, h := range c.Handlers[i+1:] {
			if h.Module != "rewrite" || h.Detail == "" || !p.mayCache(c, i, h) {
				continue
			}
			p.reportOnce(seen, Finding{
				Pos: h.Pos, Related: behind(c, i),
				Message: fmt.Sprintf("behind cacheward the path is rewritten (%s): a route of the policy that seems to share a harmless page may share whatever the app has at the other path",
					h.Detail),
				Suggestion: "rewrite before cacheward (in the site itself Caddy does so), and write the policy for the paths that the app sees",
			})
		}
	})
}
