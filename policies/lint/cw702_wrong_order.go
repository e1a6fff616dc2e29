package lint

import "fmt"

func init() {
	register(Rule{
		ID: "CW702", Name: "wrong-order", Severity: Error,
		Summary: "A handler runs behind cacheward that must come first.",
		site:    wrongOrder,
	})
}

func wrongOrder(p *SitePass) {
	seen := make(map[string]bool)
	p.chains(func(_ *Server, c *Chain) {
		i := c.cacheward()
		if i < 0 {
			return
		}
		for _, h := range c.Handlers[i+1:] {
			if f, wrong := orderFinding(h); wrong && p.mayCache(c, i, h) {
				f.Pos, f.Related = h.Pos, behind(c, i)
				p.reportOnce(seen, f)
			}
		}
	})
}

const moveOut = "move it out of handle and route into the site itself, where Caddy orders it before cacheward; or, in a route block, write it above cacheward"

func orderFinding(h Handler) (Finding, bool) {
	switch h.Module {
	case "authentication", "forward_auth":
		return Finding{
			Message:    "the login check stands behind cacheward: a page from the cache is given to visitors without asking who they are",
			Suggestion: moveOut,
		}, true
	case "templates":
		return Finding{
			Message:    "templates stands behind cacheward: what it makes for one visitor is what is stored, and everybody gets it",
			Suggestion: moveOut,
		}, true
	case "encode":
		return Finding{
			Severity:   Warning,
			Message:    "encode stands behind cacheward: what is stored was not compressed, and visitors get it so from the cache",
			Suggestion: moveOut,
		}, true
	}
	for _, change := range h.Changes {
		if change.Request {
			return Finding{
				Severity: Warning,
				Message: fmt.Sprintf("the request header %s is changed behind cacheward: the policy judges and keys what the visitor sent, the app sees something else",
					change.Field),
				Suggestion: moveOut,
			}, true
		}
	}
	return Finding{}, false
}
