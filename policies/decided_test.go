package policies

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// decidedNames are asked about on every route: declared, globbed, listed and unknown
// names of all kinds.
var decidedNames = map[InputKind][]string{
	InputParam:  {"ref", "source", "utm_source", "utm_x", "x_id", "xAyBz", "gclid", "a.b", "a%20b", "filter[a]", "it's", "other", "at_ref", "at_utm_x", "at%5Fref", "at.source"},
	InputCookie: {"ref", "Ref", "_ga", "id_session", "id_remember_me", "remember_id", "xAyBz", "a:b", "utm_source", "other", "cacheward", "__Host-cacheward"},
	InputHeader: {
		"X-Plan", "x-lower", "X-Ab-Test", "Accept-Language", "Accept", "Referer", "User-Agent", "Authorization", "X-Auth-Token",
		"X-Id-Key", "X-Id-Other", "Cookie", "If-None-Match", "Cf-Ray", "Origin", "Rsc", "1", "True", "Sec-Fetch-Mode", "X-Unknown",
	},
}

// TestDecideAgreesWithTheRule: Decide says the verb that requests are judged by, and
// names an entry that has it and matches the name.
func TestDecideAgreesWithTheRule(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		p := policyGenerator().Draw(r, "policy")
		c, err := Compile(p, "")
		if err != nil {
			r.Skip("the policy contradicts itself")
		}
		for i, rule := range c.Rules() {
			var route *Route
			if i < len(p.Routes) {
				route = &p.Routes[i]
			}
			for kind, names := range decidedNames {
				for _, name := range names {
					got := p.Decide(route, kind, name)
					if verb, reason := ruleVerb(rule, kind, name); got.Verb != verb || got.Reason != reason {
						r.Fatalf("%s %s on %s: Decide says %s (%s), the rule %s (%s)", kind, name, rule.Name, got.Verb, got.Reason, verb, reason)
					}
					if why := contradicts(p, route, kind, name, got); why != "" {
						r.Fatalf("%s %s on %s: %s by %s: %s", kind, name, rule.Name, got.Verb, got.By, why)
					}
				}
			}
		}
	})
}

// ruleVerb is what a request that has nothing but the input gets.
func ruleVerb(rule *Rule, kind InputKind, name string) (Verb, Reason) {
	verb, bypass := Verb(""), ReasonNone
	switch kind {
	case InputParam:
		verb, _ = rule.params.find(name)
		bypass = ReasonParamBypass
	case InputCookie:
		if rule.cookies.taken(name) {
			return Strip, ReasonNone
		}
		var declared bool
		verb, declared = rule.cookies.find(name)
		if bypass = ReasonCookieBypass; !(declared && (verb == Key || verb == Deny)) && rule.identityCookies.matches(name) {
			return Bypass, ReasonIdentity
		}
	case InputHeader:
		d := rule.headers.find(name2canonical(name))
		return d.verb, d.reason
	}
	switch verb {
	case Bypass:
		return verb, bypass
	case Deny:
		return verb, ReasonDenied
	}
	return verb, ReasonNone
}

func name2canonical(name string) string {
	if name == "x-lower" {
		return "X-Lower"
	}
	return name
}

// contradicts says why the entry that Decide names cannot have decided.
func contradicts(p *Policy, route *Route, kind InputKind, name string, d Decision) string {
	if d.By == ByDefault || d.By == ByBuiltin {
		if d.By == ByBuiltin && kind != InputHeader && !isEdgeCookie(name) {
			return "there are built-in lists of headers only"
		}
		return ""
	}
	if route == nil {
		route = &Route{}
	}
	path := strings.Split(d.By, ".")
	pattern, listed := entryAt(p, route, path)
	if path[0] == "attribution" {
		i, err := strconv.Atoi(path[2])
		if err != nil || d.Verb != Strip || !fitsPattern(kindParam, route.Attribution.Params[i], strings.ReplaceAll(name, "%5F", "_")) {
			return "the attribution does not take it"
		}
		return ""
	}
	switch {
	case len(path) == 2 && path[1] == "others":
		return ""
	case d.By == "authorization":
		if d.Verb != Forward {
			return "authorization forwards"
		}
		return ""
	case !listed:
		return "there is no such entry"
	case path[0] == "identity" && d.Reason != ReasonIdentity, path[0] != "identity" && path[1] != string(d.Verb):
		return "the entry has another verb"
	case !fitsPattern(listKindOf(kind), pattern, name):
		return "the entry " + pattern + " does not match"
	}
	return ""
}

func listKindOf(kind InputKind) listKind {
	return map[InputKind]listKind{InputParam: kindParam, InputCookie: kindCookie, InputHeader: kindHeader}[kind]
}

func entryAt(p *Policy, route *Route, path []string) (string, bool) {
	if len(path) != 3 {
		return "", false
	}
	var names []string
	byVerb := func(all []verbNames) {
		for _, v := range all {
			if string(v.verb) == path[1] {
				names = v.names
			}
		}
	}
	switch path[0] {
	case "params":
		byVerb(route.Params.byVerb())
	case "cookies":
		byVerb(route.Cookies.byVerb())
	case "headers":
		byVerb(route.Headers.byVerb())
	case "identity":
		identity := p.Identity
		if route.Identity != nil {
			identity = route.Identity
		}
		if names = identity.Headers; path[1] == "cookies" {
			names = identity.Cookies
		}
	}
	i, err := strconv.Atoi(path[2])
	if err != nil || i >= len(names) {
		return "", false
	}
	return names[i], true
}

// TestDecide: the entry of the strictest claim wins, an exact name before a glob, a glob
// before a list, and its place is told.
func TestDecide(t *testing.T) {
	p, err := ParseYAML("p.yaml", []byte(`identity: {cookies: [session, "auth_*"], headers: ["X-Who-*"]}
routes:
  - name: page
    match: {paths: [/]}
    cache: 5m
    params:
      key: [ref]
      strip: [utm_source, "utm_*", "@analytics"]
      bypass: ["r*"]
      others: deny
    cookies: {key: [auth_kind], strip: ["@analytics"]}
    headers: {key: [{name: Accept-Language, values: [ja]}], strip: [X-Plan], bypass: ["X-P*"]}
`))
	if err != nil {
		t.Fatal(err)
	}
	route := &p.Routes[0]
	for _, test := range []struct {
		kind InputKind
		name string
		want Decision
	}{
		{InputParam, "ref", Decision{Key, "params.key.0", Position{"p.yaml", 7, 13}, ReasonNone}},
		{InputParam, "rex", Decision{Bypass, "params.bypass.0", Position{"p.yaml", 9, 16}, ReasonParamBypass}},
		{InputParam, "utm_source", Decision{Strip, "params.strip.0", Position{"p.yaml", 8, 15}, ReasonNone}},
		{InputParam, "utm_medium", Decision{Strip, "params.strip.1", Position{"p.yaml", 8, 27}, ReasonNone}},
		{InputParam, "gclid", Decision{Strip, "params.strip.2", Position{"p.yaml", 8, 36}, ReasonNone}},
		{InputParam, "what", Decision{Deny, "params.others", Position{"p.yaml", 10, 15}, ReasonDenied}},
		{InputCookie, "session", Decision{Bypass, "identity.cookies.0", Position{"p.yaml", 1, 22}, ReasonIdentity}},
		{InputCookie, "auth_token", Decision{Bypass, "identity.cookies.1", Position{"p.yaml", 1, 31}, ReasonIdentity}},
		{InputCookie, "auth_kind", Decision{Key, "cookies.key.0", Position{"p.yaml", 11, 21}, ReasonNone}},
		{InputCookie, "other", Decision{Bypass, ByDefault, Position{}, ReasonCookieBypass}},
		{InputHeader, "accept-language", Decision{Key, "headers.key.0", Position{"p.yaml", 12, 21}, ReasonNone}},
		{InputHeader, "X-Plan", Decision{Strip, "headers.strip.0", Position{"p.yaml", 12, 69}, ReasonNone}},
		{InputHeader, "X-Price", Decision{Bypass, "headers.bypass.0", Position{"p.yaml", 12, 87}, ReasonHeaderBypass}},
		{InputHeader, "X-Who-Am-I", Decision{Bypass, "identity.headers.0", Position{"p.yaml", 1, 52}, ReasonIdentity}},
		{InputHeader, "User-Agent", Decision{Strip, ByBuiltin, Position{}, ReasonNone}},
		{InputHeader, "Authorization", Decision{Bypass, ByBuiltin, Position{}, ReasonAuthorization}},
		{InputHeader, "X-Other", Decision{Strip, ByDefault, Position{}, ReasonNone}},
		{InputAddress, "", Decision{}},
	} {
		if got := p.Decide(route, test.kind, test.name); got != test.want {
			t.Errorf("%s %s: got %+v, want %+v", test.kind, test.name, got, test.want)
		}
	}
	if got := p.Decide(nil, InputParam, "ref"); got.Verb != Bypass || got.By != ByDefault {
		t.Errorf("without a route: %+v", got)
	}
}

// TestMisses: what of a match a request does not fit is what the router says of it.
func TestMisses(t *testing.T) {
	m := Match{Hosts: []string{"*.example.com", "shop.example"}, Paths: []string{"/a/*", "*.css"}, Methods: []string{"GET"}}
	for _, test := range []struct {
		method, host, path string
		want               []string
	}{
		{"GET", "shop.example", "/a/b", nil},
		{"GET", "www.example.com:8080", "/x.css", nil},
		{"GET", "example.com", "/a/b", []string{"hosts"}},
		{"GET", "shop.example", "/a", []string{"paths"}},
		{"POST", "shop.example", "/a/b", []string{"methods"}},
		{"POST", "other.example", "/", []string{"hosts", "paths", "methods"}},
	} {
		got := m.Misses(&Request{Method: test.method, Host: test.host, Path: test.path})
		if !slices.Equal(got, test.want) {
			t.Errorf("%s %s%s: got %v, want %v", test.method, test.host, test.path, got, test.want)
		}
	}
}
