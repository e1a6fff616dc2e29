package lint

import (
	"slices"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

// What the rules on Caddy configurations share.

// chains calls fn for each chain of the site.
func (p *SitePass) chains(fn func(*Server, *Chain)) {
	for i := range p.Unit.Site.Servers {
		server := &p.Unit.Site.Servers[i]
		for j := range server.Chains {
			fn(server, &server.Chains[j])
		}
	}
}

// reportOnce reports a finding unless the rule said the same of the place before: many
// chains go through one handler.
func (p *SitePass) reportOnce(seen map[string]bool, f Finding) {
	if key := f.Pos.String() + "\x00" + f.Message; !seen[key] {
		seen[key] = true
		p.Report(f)
	}
}

// cacheward is the number of the first cacheward handler of the chain; -1: none.
func (c *Chain) cacheward() int {
	return slices.IndexFunc(c.Handlers, func(h Handler) bool { return h.Module == "cacheward" })
}

// requests says in words who takes the way of the chain.
func (c *Chain) requests() string {
	text := "requests"
	if len(c.Paths) > 0 {
		text += " for " + some(c.Paths)
	}
	if len(c.Hosts) > 0 {
		text += " to " + some(c.Hosts)
	}
	if c.Other {
		text += " (that other matchers let in)"
	}
	return text
}

// some names a few.
func some(names []string) string {
	if len(names) > 3 {
		return strings.Join(names[:3], ", ") + " …"
	}
	return strings.Join(names, ", ")
}

// mayCache says whether the policy of the chain's cacheward at i may share what the
// chain answers to requests that also go through the handler h: false only if all of its
// routes are about something else, or never.
func (p *SitePass) mayCache(c *Chain, i int, h Handler) bool {
	number := c.Handlers[i].Scope
	if number < 0 || number >= len(p.Unit.Scopes) {
		return false
	}
	policy := p.Unit.Scopes[number].Policy
	if policy == nil {
		return false
	}
	if policy.Default == policies.CacheOrigin {
		return true
	}
	return slices.ContainsFunc(policy.Routes, func(r policies.Route) bool {
		return r.Cache.Kind != policies.CacheNever &&
			meet(r.Match.Hosts, c.Hosts, hostsMeet) && meet(r.Match.Paths, c.Paths, globsMeet) &&
			meet(r.Match.Paths, h.WhenPaths, globsMeet) && meet(r.Match.Paths, c.Handlers[i].WhenPaths, globsMeet)
	})
}

// meet says whether a pattern of one list has something in common with one of the
// other. An empty list matches everything.
func meet(a, b []string, fn func(a, b string) bool) bool {
	if len(a) == 0 || len(b) == 0 {
		return true
	}
	return slices.ContainsFunc(a, func(x string) bool {
		return slices.ContainsFunc(b, func(y string) bool { return fn(x, y) })
	})
}

// hostsMeet says whether two patterns of hosts, such as *.example.com, have a host in
// common. Ports are left out of account.
func hostsMeet(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	if strings.Contains(a, "{") || strings.Contains(b, "{") {
		return false // a placeholder: nobody knows
	}
	return globsMeet(a, b)
}

// globsMeet says whether two globs may match the same text. It compares what stands
// before the first asterisk and behind the last, so it may say yes too often.
func globsMeet(a, b string) bool {
	headA, tailA, globA := ends(a)
	headB, tailB, globB := ends(b)
	if !globA && !globB {
		return a == b
	}
	if !globA {
		return len(a) >= len(headB)+len(tailB) && strings.HasPrefix(a, headB) && strings.HasSuffix(a, tailB)
	}
	if !globB {
		return globsMeet(b, a)
	}
	return (strings.HasPrefix(headA, headB) || strings.HasPrefix(headB, headA)) &&
		(strings.HasSuffix(tailA, tailB) || strings.HasSuffix(tailB, tailA))
}

func ends(glob string) (head, tail string, isGlob bool) {
	first, last := strings.IndexByte(glob, '*'), strings.LastIndexByte(glob, '*')
	if first < 0 {
		return glob, "", false
	}
	return glob[:first], glob[last+1:], true
}

// behind is the sentence that places a handler of a chain after its cacheward.
func behind(c *Chain, i int) []Related {
	return []Related{{Pos: c.Handlers[i].Pos, Message: "cacheward stands here"}}
}
