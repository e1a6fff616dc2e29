package policies

import (
	"slices"
	"strings"
	"testing"
)

func TestInheritance(t *testing.T) {
	c := compiled(t, `
mode: observe
ambiguous: deny
default: origin
identity: {cookies: [session]}
routes:
  - {name: heir, match: {paths: [/heir]}, cache: 5m}
  - {name: own, match: {paths: [/own]}, cache: 5m, mode: enforce, ambiguous: bypass, identity: {cookies: [member], headers: [X-Member]}}
`)
	heir, own, rest := c.rules[0], c.rules[1], c.rest
	for _, r := range []*Rule{heir, rest} {
		if r.Mode != Observe || r.Ambiguous != Deny {
			t.Errorf("%s: got %s, %s", r.Name, r.Mode, r.Ambiguous)
		}
		checkDispose(t, r, request("https://example.com/heir", "Cookie: session=1"), ActBypass, ReasonIdentity)
		checkDispose(t, r, request("https://example.com/heir", "Cookie: member=1"), ActBypass, ReasonCookieBypass)
	}
	if own.Mode != Enforce || own.Ambiguous != Bypass {
		t.Errorf("own: got %s, %s", own.Mode, own.Ambiguous)
	}
	checkDispose(t, own, request("https://example.com/own", "Cookie: session=1"), ActBypass, ReasonCookieBypass)
	checkDispose(t, own, request("https://example.com/own", "Cookie: member=1", "X-Member: 1"), ActBypass, ReasonIdentity)
	if rest.Name != DefaultRule || rest.Cache.Kind != CacheOrigin {
		t.Errorf("default: got %q, %s", rest.Name, rest.Cache.Kind)
	}
	if bare := compiled(t, `routes: [{name: a, match: {paths: [/a]}, cache: 5m}]`); bare.rules[0].Mode != Enforce ||
		bare.rules[0].Ambiguous != Bypass || bare.rest.Cache.Kind != CacheNever {
		t.Errorf("defaults: got %+v, %+v", bare.rules[0], bare.rest)
	}
}

// TestOnLeak: a route's own word replaces the policy's, trip is what holds where nobody
// says anything, and none of it changes a key.
func TestOnLeak(t *testing.T) {
	spaces := make(map[string]string)
	for _, tt := range []struct {
		policy, route string
		trips, rest   bool
	}{
		{"", "", true, true},
		{"on_leak: trip", "", true, true},
		{"on_leak: warn", "", false, false},
		{"", ", on_leak: warn", false, true},
		{"on_leak: warn", ", on_leak: trip", true, false},
		{"on_leak: trip", ", on_leak: warn", false, true},
	} {
		c := compiled(t, tt.policy+"\ndefault: origin\nroutes: [{name: a, match: {paths: [/a]}, cache: 5m"+tt.route+"}]")
		if c.rules[0].TripOnLeak != tt.trips || c.rest.TripOnLeak != tt.rest {
			t.Errorf("%q, %q: the route trips %v, the default %v", tt.policy, tt.route, c.rules[0].TripOnLeak, c.rest.TripOnLeak)
		}
		for _, r := range c.Rules() {
			if had, known := spaces[r.Name]; known && had != r.Space {
				t.Errorf("%q, %q: the keys of %s change", tt.policy, tt.route, r.Name)
			}
			spaces[r.Name] = r.Space
		}
	}
}

func TestRoute(t *testing.T) {
	c := compiled(t, `
routes:
  - {name: a, match: {hosts: [example.com], paths: [/a/*]}, cache: 5m}
  - {name: b, match: {paths: [/a/b]}, cache: origin}
`)
	for target, want := range map[string]string{
		"https://example.com/a/b": "a", "https://example.org/a/b": "b", "https://example.com/": DefaultRule, "https://example.com/%61/b": "a",
	} {
		if got := c.Route(request(target)).Name; got != want {
			t.Errorf("%s: got %q, want %q", target, got, want)
		}
	}
	rules := c.Rules()
	if len(rules) != 3 || rules[2] != c.rest {
		t.Errorf("got %d rules", len(rules))
	}
	rules[0] = nil
	if c.Rules()[0] == nil {
		t.Error("the list of rules is not the caller's own")
	}
	if _, err := Compile(&Policy{Routes: []Route{{}}}, ""); err == nil {
		t.Error("a policy that is not valid compiles")
	}
	if got := (&Compiled{}).Rules(); len(got) != 1 {
		t.Errorf("got %d rules of none", len(got))
	}
}

func TestCorroborate(t *testing.T) {
	for extra, want := range map[string]bool{
		"cache: 5m":                              true,
		"cache: origin":                          false,
		"cache: origin, admission: corroborated": true,
		"cache: 5m, admission: {rule: once, reason: static files}":     false,
		"cache: origin, set_cookie: {rule: strip, reason: balancer's}": true,
		"cache: 5m, set_cookie: {rule: strip, reason: balancer's}":     true,
		"cache: origin, set_cookie: refuse":                            false,
	} {
		rule := compiled(t, `routes: [{name: a, match: {paths: [/a]}, `+extra+`}]`).rules[0]
		if rule.Corroborate != want || rule.StripSetCookie != strings.Contains(extra, "rule: strip") {
			t.Errorf("%s: got corroborate %v, strip %v", extra, rule.Corroborate, rule.StripSetCookie)
		}
	}
}

func TestCoversAndKeys(t *testing.T) {
	ttl := compiled(t, dispositions).rules[0]
	origin := compiled(t, `routes: [{name: a, match: {paths: [/a]}, cache: origin, headers: {vary: [X-Plan]}}]`).rules[0]
	for _, tt := range []struct {
		rule         *Rule
		header       string
		covers, keys bool
	}{
		{ttl, "X-Plan", true, true},
		{ttl, "x-plan", true, true},
		{ttl, "Accept-Language", true, true},
		{ttl, "X-Ab-Test", true, true},
		{ttl, "X-Noise", true, false},
		{ttl, "Traceparent", false, false}, // reaches the origin, is not in the key
		{ttl, "User-Agent", false, false},  // stripped, but nobody has said so
		{ttl, "Accept", false, false},
		{ttl, "X-New", false, false},
		{ttl, "Cookie", false, false},
		// Nobody who sends one of these is served from the store.
		{ttl, "X-Slow", true, false},
		{ttl, "X-Bad", true, false},
		{ttl, "Origin", true, false},
		{ttl, "Rsc", true, false},
		{ttl, "next-router-state-tree", true, false},
		{ttl, "HX-Request", true, false},
		{ttl, "X-Requested-With", true, false},
		// In the key of those responses whose Vary names them.
		{origin, "Accept", true, false},
		{origin, "accept-language", true, false},
		{origin, "X-Plan", true, false},
		{origin, "User-Agent", false, false},
		{origin, "Cookie", false, false},
	} {
		if covers, keys := tt.rule.Covers(tt.header), tt.rule.Keys(tt.header); covers != tt.covers || keys != tt.keys {
			t.Errorf("%s: got covers %v, keys %v, want %v, %v", tt.header, covers, keys, tt.covers, tt.keys)
		}
	}
	for header, want := range map[string]bool{"Accept": true, "accept-language": true, "x-plan": true, "User-Agent": false, "Cookie": false} {
		if origin.Varies(header) != want || ttl.Varies(header) {
			t.Errorf("%s: got %v on an origin route, and %v on one with a duration", header, origin.Varies(header), ttl.Varies(header))
		}
	}
	if got, want := ttl.VaryOn(), []string{"Accept-Language", "X-Kind", "X-Plan"}; !slices.Equal(got, want) {
		t.Errorf("got VaryOn %q, want %q", got, want)
	}
	if got := origin.VaryOn(); len(got) > 0 {
		t.Errorf("got VaryOn %q", got)
	}
}

// TestDownstreamOfKeyedVisitors holds that caches further on get no permission for
// responses that they might not tell apart: by headers that no Vary can name, or by
// what makes a visitor a person. By cookies they cannot at all; such a policy is
// not valid.
func TestDownstreamOfKeyedVisitors(t *testing.T) {
	for inputs, want := range map[string]bool{
		"params: {key: [ref]}":                                    true,
		"cookies: {strip: [_ga]}":                                 true,
		"headers: {key: [X-Plan]}":                                true,
		"headers: {key: ['X-Ab-*']}":                              false,
		"headers: {key: [X-Person]}":                              false,
		"headers: {key: [X-Sso-User]}":                            false,
		"headers: {key: [X-Auth-Token]}":                          false,
		"headers: {key: [X-Api-Key]}":                             false,
		"headers: {key: [HX-Request]}":                            true,
		"headers: {key: [{name: Accept-Language, values: [ja]}]}": true,
	} {
		rule := compiled(t, `
identity: {cookies: [session], headers: [X-Person, "X-Sso-*"]}
routes: [{name: a, match: {paths: [/a]}, cache: 5m, downstream: 60s, `+inputs+`}]`).rules[0]
		if got := rule.Downstream != nil; got != want {
			t.Errorf("%s: permission %v, want %v", inputs, got, want)
		}
	}
}

func TestDownstreamOfKeyedCookies(t *testing.T) {
	for _, cookies := range []Inputs{{Key: []string{"lang"}}, {Key: []string{"v_*"}}, {Others: Key}} {
		p := &Policy{Routes: []Route{{Name: "a", Match: Match{Paths: []string{"/a"}}, Cache: Cache{Kind: CacheOrigin},
			Cookies: &cookies, Downstream: &Downstream{TTL: 1e9}}}}
		if _, err := Compile(p, ""); err == nil {
			t.Errorf("%+v: permission for caches that ignore cookies", cookies)
		}
	}
}

func TestPlain(t *testing.T) {
	rule := compiled(t, `routes: [{name: a, match: {paths: [/a]}, cache: 5m, params: {key: [ref], plain: [ref, "utm_*"]}}]`).rules[0]
	for name, want := range map[string]bool{"ref": true, "utm_source": true, "Ref": false, "source": false, "": false} {
		if got := rule.Plain(name); got != want {
			t.Errorf("%q: got %v", name, got)
		}
	}
	if compiled(t, onePage).rules[0].Plain("ref") {
		t.Error("a name is plain that nobody declares so")
	}
}
