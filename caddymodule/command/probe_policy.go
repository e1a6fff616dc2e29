package command

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/cacheward/cacheward/caddymodule/probe"
	"github.com/cacheward/cacheward/policies"
	"github.com/cacheward/cacheward/policies/lint"
)

// probedPolicies are those of --policy.
type probedPolicies struct {
	unit *lint.Unit
}

// loadProbed reads a policy, or a configuration with some in it.
func loadProbed(name string) (*probedPolicies, error) {
	u := load(name)
	for i := range u.Scopes {
		if u.Scopes[i].Compiled != nil {
			return &probedPolicies{u}, nil
		}
	}
	if len(u.Faults) > 0 {
		return nil, fmt.Errorf("--policy %s: %s", name, u.Faults[0])
	}
	return nil, fmt.Errorf("--policy %s: it has no policy in it", name)
}

// governing is the policy and the route that govern a GET for the URL. The route is nil
// where none matches; ok is false where no policy is in force for the host.
func (l *probedPolicies) governing(u *url.URL) (policy *policies.Policy, route *policies.Route, ok bool) {
	request := &policies.Request{
		Method: http.MethodGet, Scheme: u.Scheme, Host: strings.ToLower(u.Host), Path: u.Path, EscapedPath: u.EscapedPath(),
		RawQuery: u.RawQuery, Header: http.Header{},
	}
	for i := range l.unit.Scopes {
		s := &l.unit.Scopes[i]
		if s.Compiled == nil || !forHost(s.Hosts, request.Host) {
			continue
		}
		index := slices.Index(s.Compiled.Rules(), s.Compiled.Route(request))
		if index < len(s.Policy.Routes) {
			return s.Policy, &s.Policy.Routes[index], true
		}
		if policy == nil {
			policy, ok = s.Policy, true
		}
	}
	return policy, nil, ok
}

// declared is what the policy and the command line say of a URL.
func (p *probing) declared(u *url.URL) probe.Declared {
	d := probe.Declared{Fresh: p.fresh}
	if p.policies == nil {
		return d
	}
	policy, route, ok := p.policies.governing(u)
	if !ok {
		return d
	}
	named := namedInputs(policy, route)
	if route != nil && d.Fresh == "" {
		d.Fresh = keyedParam(route)
	}
	for _, in := range slices.Concat(probe.Inputs(u), p.options.Inputs, named) {
		in.Policy = string(policy.Decide(route, policies.InputKind(in.Kind), in.Name).Verb)
		d.Inputs = append(d.Inputs, in)
	}
	return d
}

// keyedParam is a parameter that the route keys; empty if it names none.
func keyedParam(route *policies.Route) string {
	if route.Params == nil {
		return ""
	}
	i := slices.IndexFunc(route.Params.Key, func(name string) bool { return !strings.ContainsAny(name, "*@") })
	if i < 0 {
		return ""
	}
	return route.Params.Key[i]
}

// namedInputs are those that a policy names, one for each pattern and list. Headers that
// make a visitor a person are left out: sites would refuse credentials that are none.
func namedInputs(policy *policies.Policy, route *policies.Route) []probe.Input {
	var all []probe.Input
	add := func(kind probe.Kind, patterns ...string) {
		for _, pattern := range patterns {
			in := probe.Input{Kind: kind, Name: nameOf(kind, pattern)}
			if in.Name != "" && in.Safe() && !slices.Contains(all, in) {
				all = append(all, in)
			}
		}
	}
	inputs := func(kind probe.Kind, in *policies.Inputs) {
		if in != nil {
			add(kind, slices.Concat(in.Key, in.Strip, in.Bypass)...)
		}
	}
	identity := policy.Identity
	if route != nil {
		inputs(probe.KindParam, route.Params)
		inputs(probe.KindCookie, route.Cookies)
		if h := route.Headers; h != nil {
			for _, keyed := range h.Key {
				add(probe.KindHeader, keyed.Name)
			}
			add(probe.KindHeader, slices.Concat(h.Strip, h.Vary, h.Bypass)...)
		}
		if route.Identity != nil {
			identity = route.Identity
		}
	}
	if identity != nil {
		add(probe.KindCookie, identity.Cookies...)
		all = slices.DeleteFunc(all, func(in probe.Input) bool {
			return in.Kind == probe.KindHeader && policy.Decide(route, policies.InputHeader, in.Name).Reason == policies.ReasonIdentity
		})
	}
	return all
}

// nameOf is a name that a pattern matches, or the first that is on a list.
func nameOf(kind probe.Kind, pattern string) string {
	if strings.HasPrefix(pattern, "@") {
		entries := policies.Lists()[pattern]
		i := slices.IndexFunc(entries, func(e policies.ListEntry) bool {
			return kind == probe.KindParam && e.Param || kind == probe.KindCookie && e.Cookie
		})
		if i < 0 {
			return ""
		}
		pattern = entries[i].Pattern
	}
	if pattern == "*" {
		return ""
	}
	return strings.ReplaceAll(pattern, "*", "cw")
}

// readFields reads 'Name: value' of a flag.
func readFields(flag string, lines []string) (http.Header, error) {
	if len(lines) == 0 {
		return nil, nil
	}
	h := make(http.Header)
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, fmt.Errorf("%s %q; 'Name: value' was expected", flag, line)
		}
		if strings.EqualFold(name, "Host") {
			return nil, errors.New(flag + ": the host is that of the URL; --resolve connects to another address")
		}
		h.Add(name, value)
	}
	return h, nil
}
