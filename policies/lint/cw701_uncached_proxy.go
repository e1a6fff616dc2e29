package lint

import (
	"fmt"
	"strings"
)

func init() {
	register(Rule{
		ID: "CW701", Name: "uncached-proxy", Severity: Warning,
		Summary: "An app answers for a host of the policy without Cacheward in between.",
		site:    uncachedProxy,
	})
}

func uncachedProxy(p *SitePass) {
	var named []string
	for _, s := range p.Unit.Scopes {
		named = append(named, s.Hosts...)
		if s.Policy == nil {
			continue
		}
		for i := range s.Policy.Routes {
			named = append(named, s.Policy.Routes[i].Match.Hosts...)
		}
	}
	hosts := newHostSet(named)
	// Where the server is for any host, it is the policy's if cacheward is there.
	guarded := make(map[*Server]bool)
	p.chains(func(s *Server, c *Chain) {
		if c.cacheward() >= 0 && len(c.Hosts) == 0 {
			guarded[s] = true
		}
	})
	seen := make(map[string]bool)
	p.chains(func(s *Server, c *Chain) {
		proxy := c.Handlers[len(c.Handlers)-1]
		if proxy.Module != "reverse_proxy" {
			return
		}
		var some []string
		for _, h := range c.Handlers {
			if h.Module == "cacheward" {
				if h.When == "" {
					return
				}
				some = append(some, h.When)
			}
		}
		except := ""
		if len(some) > 0 {
			except = ", unless they are let into it (" + strings.Join(some, "; ") + ")"
		}
		if len(c.Hosts) > 0 && !hosts.any(c.Hosts) || len(c.Hosts) == 0 && !guarded[s] {
			return
		}
		to := ""
		if proxy.Detail != "" {
			to = " " + proxy.Detail
		}
		p.reportOnce(seen, Finding{
			Pos: proxy.Pos,
			Message: fmt.Sprintf("%s reach the app%s without going through cacheward%s: what it answers there leaves as it is, and a CDN that caches silence gives one visitor's page to others",
				c.requests(), to, except),
			Suggestion: "write cacheward (without a block if nothing is to be cached) before this reverse_proxy, or once in the site outside of handle and route: it marks as private, no-store what no route of its policy shares",
		})
	})
}

// hostSet finds hosts among patterns.
type hostSet struct {
	exact map[string]bool
	globs []string
}

func newHostSet(patterns []string) hostSet {
	set := hostSet{exact: make(map[string]bool)}
	for _, pattern := range patterns {
		if _, _, glob := ends(pattern); glob {
			set.globs = append(set.globs, pattern)
		} else {
			set.exact[strings.ToLower(pattern)] = true
		}
	}
	return set
}

// any says whether one of the hosts, which may be patterns too, is in the set.
func (s hostSet) any(hosts []string) bool {
	for _, host := range hosts {
		if s.exact[strings.ToLower(host)] {
			return true
		}
		for _, glob := range s.globs {
			if hostsMeet(host, glob) {
				return true
			}
		}
		if _, _, glob := ends(host); glob {
			for exact := range s.exact {
				if hostsMeet(exact, host) {
					return true
				}
			}
		}
	}
	return false
}
