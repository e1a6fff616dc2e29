package lint

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/policies"
)

// Few labels and segments, so that routes overlap and requests meet them.
var (
	routeHosts = rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom([]string{"", "*."}).Draw(t, "wildcard") +
			rapid.SampledFrom([]string{"a", "b.a", "c.b.a", "x"}).Draw(t, "name") +
			rapid.SampledFrom([]string{"", "", ":81"}).Draw(t, "port")
	}), 0, 2, rapid.ID[string])
	routePattern = rapid.Custom(func(t *rapid.T) string {
		if rapid.IntRange(0, 5).Draw(t, "ext") == 0 {
			return rapid.SampledFrom([]string{"*.c", "*.b.c", "*.d"}).Draw(t, "extension")
		}
		segments := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "a.c", "*", "**", "a*", "*.c", "*b*"}), 1, 3).Draw(t, "segments")
		return "/" + strings.Join(segments, "/")
	})
	routeMatch = rapid.Custom(func(t *rapid.T) policies.Match {
		m := policies.Match{
			Hosts:   routeHosts.Draw(t, "hosts"),
			Paths:   rapid.SliceOfN(routePattern, 1, 3).Draw(t, "paths"),
			Methods: rapid.SampledFrom([][]string{nil, nil, {"GET"}, {"GET", "HEAD"}, {"GET", "POST"}}).Draw(t, "methods"),
		}
		return m
	})
	routingPolicy = rapid.Custom(func(t *rapid.T) *policies.Policy {
		p := new(policies.Policy)
		for i, m := range rapid.SliceOfN(routeMatch, 2, 12).Draw(t, "routes") {
			r := policies.Route{Name: fmt.Sprintf("r%d", i), Match: m}
			r.Cache = rapid.SampledFrom([]policies.Cache{
				{Kind: policies.CacheNever}, {Kind: policies.CacheOrigin}, {Kind: policies.CacheTTL, TTL: minute},
			}).Draw(t, "cache")
			p.Routes = append(p.Routes, r)
		}
		return p
	})
	requestHost = rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom([]string{"a", "b.a", "c.b.a", "d.c.b.a", "x", "y.x", "z"}).Draw(t, "name") +
			rapid.SampledFrom([]string{"", ":81", ":82"}).Draw(t, "port")
	})
	requestPath = rapid.Custom(func(t *rapid.T) string {
		segments := rapid.SliceOfN(rapid.SampledFrom([]string{"", "a", "b", "a.c", "a.b.c", "ab", ".c", "xbx"}), 1, 4).Draw(t, "segments")
		return "/" + strings.Join(segments, "/")
	})
)

func routingPass(t interface{ Fatal(...any) }, policy *policies.Policy) *Pass {
	compiled, err := policies.Compile(policy, "lint")
	if err != nil {
		t.Fatal(err)
	}
	scope := &Scope{Policy: policy, Compiled: compiled}
	return &Pass{Unit: &Unit{}, Scope: scope, Policy: policy, Compiled: compiled, report: func(Finding) {}}
}

// matches says whether a request for host and path is one that the unreached route, path
// or host of it is for. It asks the engine, of a policy that has nothing else.
func (u unreached) matches(t *rapid.T, policy *policies.Policy, method, host, path string) bool {
	m := policy.Routes[u.route].Match
	for i, p := range m.Paths {
		if u.field == fmt.Sprintf("match.paths.%d", i) {
			m.Paths = []string{p}
		}
	}
	for i, h := range m.Hosts {
		if u.field == fmt.Sprintf("match.hosts.%d", i) {
			m.Hosts = []string{h}
		}
	}
	alone := routingPass(t, &policies.Policy{Routes: []policies.Route{{Name: "alone", Match: m, Cache: policies.Cache{Kind: policies.CacheNever}}}})
	return alone.Compiled.Route(&policies.Request{Method: method, Host: host, Path: path}).Name == "alone"
}

// TestUnreachedIsUnreached holds that no request gets to what is said to be unreached.
func TestUnreachedIsUnreached(t *testing.T) {
	said := 0
	rapid.Check(t, func(t *rapid.T) {
		p := routingPass(t, routingPolicy.Draw(t, "policy"))
		all := unreachedRoutes(p)
		said += len(all)
		for range 20 {
			host, path := requestHost.Draw(t, "host"), requestPath.Draw(t, "path")
			method := rapid.SampledFrom([]string{"GET", "HEAD"}).Draw(t, "method")
			governs := p.Compiled.Route(&policies.Request{Method: method, Host: host, Path: path}).Name
			for _, u := range all {
				name := p.Policy.Routes[u.route].Name
				if governs == name && u.matches(t, p.Policy, method, host, path) {
					t.Fatalf("%s %s%s reaches route %s, of which %q is said to be unreached: %+v", method, host, path, name, u.field, u)
				}
			}
		}
	})
	if said == 0 {
		t.Error("nothing was ever unreached")
	}
}

// TestTakenIsWhatOneByOneIs holds the index against comparing each pattern with each.
func TestTakenIsWhatOneByOneIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy := routingPolicy.Draw(t, "policy")
		earlier := newReach()
		for i := range policy.Routes {
			m := &policy.Routes[i].Match
			for _, host := range hostsOf(m) {
				for _, path := range pathsOf(m) {
					got := earlier.taken(host, path, []string{"GET"})
					want := firstCovering(policy, i, host, path)
					if want < 0 && got != nil || want >= 0 && !slices.Equal(got, []int{want}) {
						t.Fatalf("route %d, %q %q: taken by %v, one by one: %d", i, host, path, got, want)
					}
				}
			}
			earlier.add(i, m)
		}
	})
}

func firstCovering(policy *policies.Policy, before int, host, path string) int {
	for i := range before {
		m := &policy.Routes[i].Match
		if len(m.Methods) > 0 && !slices.Contains(m.Methods, "GET") {
			continue
		}
		for _, h := range hostsOf(m) {
			for _, p := range pathsOf(m) {
				if policies.HostCovers(h, host) && (p == "" || policies.PathCovers(p, path)) {
					return i
				}
			}
		}
	}
	return -1
}

// TestRoutingFindings holds that what is said of a request is so, and that nothing
// panics on whatever policy.
func TestRoutingFindings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := routingPass(t, routingPolicy.Draw(t, "policy"))
		for _, rule := range rules {
			if rule.Family() != "routing" {
				continue
			}
			p.rule = rule
			p.report = func(f Finding) {
				if f.Message == "" || f.Suggestion == "" || f.Route == "" {
					t.Fatalf("%+v", f)
				}
			}
			rule.check(p)
		}
	})
}

func TestSiteAround(t *testing.T) {
	load := func(text string) *Unit {
		u := Load("policy.yaml", []byte(text))
		if len(u.Faults) > 0 {
			t.Fatal(u.Faults)
		}
		u.Site = new(Site)
		return u
	}
	ids := func(u *Unit) []string {
		var out []string
		for _, f := range Run(u, func(r Rule) bool { return r.ID == "CW401" || r.ID == "CW404" }) {
			out = append(out, fmt.Sprintf("%s:%d", f.Rule, f.Pos.Line))
		}
		return out
	}
	const hosts = "routes:\n  - name: a\n    match: {hosts: [b.example, \"*.c.example\"], paths: [/a]}\n    cache: 5m\n"
	const noHosts = "routes:\n  - name: a\n    match: {paths: [/a]}\n    cache: 5m\n"
	tests := []struct {
		name, text string
		site       []string
		want       []string
	}{
		{"a host of the site", hosts, []string{"x.c.example"}, nil},
		{"no host of the site", hosts, []string{"a.example", "c.example"}, []string{"CW401:3"}},
		{"a placeholder", hosts, []string{"{$HOST}"}, nil},
		{"any host, hosts in the route", hosts, nil, nil},
		{"any host, none in the route", noHosts, nil, []string{"CW404:3"}},
		{"a host, none in the route", noHosts, []string{"a.example"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := load(tt.text)
			u.Scopes[0].Hosts = tt.site
			if got := ids(u); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestGlobsAreBounded holds that hostile patterns cost a bounded time.
func TestGlobsAreBounded(t *testing.T) {
	policy := new(policies.Policy)
	for i := range 150 {
		path := fmt.Sprintf("/%s*%d*a", strings.Repeat("*a", 10+i%7), i)
		policy.Routes = append(policy.Routes, policies.Route{
			Name: fmt.Sprintf("r%d", i), Match: policies.Match{Paths: []string{strings.ReplaceAll(path, "*a", "**a*b")}},
			Cache: policies.Cache{Kind: []policies.CacheKind{policies.CacheNever, policies.CacheOrigin}[i%2]},
		})
	}
	p := routingPass(t, policy)
	start := time.Now()
	for _, rule := range rules {
		if f := rule.Family(); f == "routing" || f == "key" {
			rule.check(p)
		}
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

// routesOfAllForms are routes of all forms, some of which nothing reaches, on many hosts or
// on none.
func routesOfAllForms(n int, hosts bool) *policies.Policy {
	policy := new(policies.Policy)
	for i := range n {
		path := fmt.Sprintf("/shop%05d/items", i)
		switch i % 5 {
		case 1:
			path += "/*"
		case 2:
			path += "/*/detail"
		case 3:
			path = fmt.Sprintf("*.x%05d", i)
		case 4:
			path = fmt.Sprintf("/*/x%05d", i)
		}
		r := policies.Route{
			Name: fmt.Sprintf("r%05d", i), Match: policies.Match{Paths: []string{path}},
			Cache:  policies.Cache{Kind: policies.CacheTTL, TTL: minute},
			Params: &policies.Inputs{Key: []string{"page", "ref"}, Strip: []string{"@analytics", "utm_x"}},
		}
		if i%3 == 0 {
			r.Cache = policies.Cache{Kind: policies.CacheNever}
			r.Params = nil
		}
		if hosts {
			r.Match.Hosts = []string{fmt.Sprintf("shop%05d.example", i/4), "www.example"}
		}
		policy.Routes = append(policy.Routes, r)
	}
	return policy
}

func BenchmarkRouting10000(b *testing.B) {
	for _, hosts := range []bool{false, true} {
		b.Run(fmt.Sprintf("hosts=%t", hosts), func(b *testing.B) {
			p := routingPass(b, routesOfAllForms(10_000, hosts))
			for b.Loop() {
				for _, rule := range rules {
					if f := rule.Family(); f == "routing" || f == "key" {
						p.rule = rule
						rule.check(p)
					}
				}
			}
		})
	}
}
