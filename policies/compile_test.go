package policies

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// filled is a valid route in which nothing is left at its zero value.
func filled() Route {
	minute := Duration(time.Minute)
	return Route{
		Name:  "page",
		Match: Match{Hosts: []string{"example.com"}, Paths: []string{"/a"}, Methods: []string{"GET"}},
		Cache: Cache{Kind: CacheTTL, TTL: minute, StaleWhileRevalidate: minute, StaleIfError: minute, Statuses: map[int]Duration{404: minute}},
		Params: &Inputs{Key: []string{"ref"}, Strip: []string{"ad"}, Bypass: []string{"preview"}, Deny: []string{"debug"},
			Others: Strip, Plain: []string{"ref"}},
		Cookies: &Inputs{Key: []string{"lang"}, Strip: []string{"_ga"}, Bypass: []string{"cart"}, Deny: []string{"evil"},
			Others: Strip, Plain: []string{"lang"}},
		Headers: &HeaderInputs{
			Key:   []HeaderKey{{Name: "Accept-Language", Values: []string{"ja", "en"}}},
			Strip: []string{"X-A"}, Bypass: []string{"X-B"}, Deny: []string{"X-C"}, Vary: []string{"X-D"},
			Forward: []HeaderForward{{Name: "Traceparent", Reason: "links traces"}}, Others: Bypass,
		},
		Admission:  &Choice{Rule: Corroborated, Reason: "why"},
		SetCookie:  &Choice{Rule: StripCookie, Reason: "why"},
		Downstream: &Downstream{TTL: minute, Browser: minute, Profile: "cloudfront", TagHeader: "Cache-Tag"},
		Mode:       Observe,
		Ambiguous:  Deny,
		OnLeak:     LeakWarn,

		Heuristic:         On,
		ErrorTTL:          &minute,
		Targeted:          &Targeted{Fields: []string{"X-Cache-Control"}, Order: TargetFirst},
		Authorization:     &Choice{Rule: AuthorizationRFC9111, Reason: "why"},
		Address:           &Choice{Rule: AddressForward, Reason: "why"},
		RequestDirectives: Obey,
		Vouch:             &Vouch{Fields: []string{"Refresh"}, Reason: "why"},
		Inspect:           &Choice{Rule: InspectOff, Reason: "why"},
		Ignore:            []Harmless{{HTML: "time", JSON: "$.at", Header: "X-Node", Matching: "a*", Reason: "why"}},
		Tolerate:          []Tolerance{{Detector: "jwt", Reason: "why"}},
		Recheck:           0.5,

		Identity: &Identity{Cookies: []string{"session"}, Headers: []string{"X-Person"}},
	}
}

// undigested are the fields that decide neither what is keyed nor what is admitted.
var undigested = []string{"Route.OnLeak", "Route.Downstream.Profile", "Route.Downstream.TagHeader"}

// TestDigestCoversEveryField changes every field of a route, one at a time. Fields
// that are added to the model come under the test by themselves.
func TestDigestCoversEveryField(t *testing.T) {
	digest := func(r Route) string {
		d, err := ruleDigest(&r)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	seen := map[string]string{digest(filled()): "nothing"}
	n := 0
	for i := 0; ; i++ {
		r := filled()
		left := i
		path := mutate(t, reflect.ValueOf(&r).Elem(), "Route", &left)
		if path == "" {
			break
		}
		n++
		d := digest(r)
		if slices.Contains(undigested, path) {
			if seen[d] != "nothing" {
				t.Errorf("a change of %s empties the cache", path)
			}
			continue
		}
		if other, taken := seen[d]; taken {
			t.Errorf("after a change of %s the digest is that of %s changed", path, other)
		}
		seen[d] = path
	}
	if n < 50 {
		t.Errorf("only %d fields were changed", n)
	}
	if again := digest(filled()); seen[again] != "nothing" {
		t.Error("the digest of one route differs")
	}
}

// mutate changes the field at which left has come down to 0 and returns its path,
// or "" if there are not so many.
func mutate(t *testing.T, v reflect.Value, path string, left *int) string {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				if done := mutate(t, v.Field(i), path+"."+f.Name, left); done != "" {
					return done
				}
			}
		}
		return ""
	case reflect.Pointer:
		if v.IsNil() {
			t.Fatalf("%s is nil and was not tried", path)
		}
		if done := mutate(t, v.Elem(), path, left); done != "" {
			return done
		}
		return change(left, path+" removed", func() { v.SetZero() })
	case reflect.Slice:
		if v.Len() == 0 {
			t.Fatalf("%s is empty and was not tried", path)
		}
		for i := range v.Len() {
			if done := mutate(t, v.Index(i), path, left); done != "" {
				return done
			}
		}
		return change(left, path+" emptied", func() { v.SetZero() })
	case reflect.Map:
		return change(left, path, func() { v.Set(reflect.ValueOf(map[int]Duration{410: 1e9})) })
	case reflect.String:
		if v.Len() == 0 {
			t.Fatalf("%s is empty and was not tried", path)
		}
		if path == "Route.Cache.Kind" {
			return change(left, path, func() { v.SetString(string(CacheOrigin)) })
		}
		return change(left, path, func() { v.SetString(v.String() + "x") })
	case reflect.Float64:
		return change(left, path, func() { v.SetFloat(v.Float() / 2) })
	case reflect.Int64:
		return change(left, path, func() { v.SetInt(v.Int() + int64(time.Millisecond)) })
	}
	t.Fatalf("%s: no change is known for a %s", path, v.Kind())
	return ""
}

func change(left *int, path string, do func()) string {
	if *left > 0 {
		*left--
		return ""
	}
	do()
	return path
}

// TestDigestCoversWhatIsAdded holds the same of what is added to a route that has
// little, where a shorter spelling could swallow it, and of what is inherited.
func TestDigestCoversWhatIsAdded(t *testing.T) {
	const route = `routes: [{name: page, match: {paths: [/a]}, `
	seen := make(map[string]string)
	for _, policy := range []string{
		route + `cache: 5m}]`,
		route + `cache: {ttl: 5m, stale_while_revalidate: 1s}}]`,
		route + `cache: {ttl: 5m, stale_if_error: 1s}}]`,
		route + `cache: {ttl: 5m, statuses: {404: 1s}}}]`,
		route + `cache: origin}]`,
		route + `cache: {ttl: origin, stale_while_revalidate: 1s}}]`,
		route + `cache: {ttl: origin, stale_if_error: 1s}}]`,
		route + `cache: {ttl: origin, statuses: {404: 1s}}}]`,
		route + `cache: origin, heuristic: on}]`,
		route + `cache: origin, error_ttl: 0s}]`,
		route + `cache: origin, error_ttl: 1s}]`,
		route + `cache: origin, targeted: {fields: [X-Cache-Control]}}]`,
		route + `cache: origin, targeted: {order: rfc9213}}]`,
		route + `cache: origin, authorization: {rule: rfc9111, reason: why}}]`,
		route + `cache: origin, address: {rule: forward, reason: why}}]`,
		route + `cache: origin, request_directives: ignore}]`,
		route + `cache: origin, vouch: {fields: [Refresh], reason: why}}]`,
		route + `cache: origin, vouch: {fields: [Refresh, Clear-Site-Data], reason: why}}]`,
		route + `cache: origin, downstream: origin}]`,
		route + `cache: 5m, request_directives: obey}]`,
		route + `cache: never}]`,
		route + `cache: 5m, downstream: 1m}]`,
		route + `cache: 5m, downstream: {ttl: 1m, browser: 1s}}]`,
		route + `cache: 5m, admission: corroborated}]`,
		route + `cache: 5m, admission: {rule: corroborated, reason: why}}]`,
		route + `cache: 5m, headers: {key: [X-Plan]}}]`,
		route + `cache: 5m, headers: {key: [{name: X-Plan, values: [a]}]}}]`,
		"mode: observe\n" + route + `cache: 5m}]`,
		"ambiguous: deny\n" + route + `cache: 5m}]`,
		"identity: {cookies: [session]}\n" + route + `cache: 5m}]`,
		"identity: {headers: [Session]}\n" + route + `cache: 5m}]`,
	} {
		digest := compiled(t, policy).rules[0].Digest
		if other, taken := seen[digest]; taken {
			t.Errorf("one digest for\n%s\n%s", policy, other)
		}
		seen[digest] = policy
	}
}

func TestDigestDoesNotCoverPlaces(t *testing.T) {
	const route = `{name: page, match: {paths: [/a]}, cache: 5m, params: {key: [ref]}}`
	one := compiled(t, "routes: ["+route+"]").rules[0]
	two := compiled(t, "# a comment\n\nmode: enforce\nroutes:\n  - "+route).rules[0]
	if one.Digest != two.Digest || one.Space != two.Space {
		t.Error("the digest changes with a comment")
	}
}

func TestSpacesAreApart(t *testing.T) {
	p := &Policy{Routes: []Route{
		{Name: "a", Match: Match{Paths: []string{"/a"}}, Cache: Cache{Kind: CacheOrigin}},
		{Name: "b", Match: Match{Paths: []string{"/b"}}, Cache: Cache{Kind: CacheOrigin}},
	}}
	seen := make(map[string]bool)
	for _, space := range []string{"", "x", "y"} {
		c, err := Compile(p, space)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range c.Rules() {
			if seen[r.Space] {
				t.Errorf("space %q, rule %q: its keys are another's too", space, r.Name)
			}
			seen[r.Space] = true
			if r.Space == "" || !strings.Contains(r.Space, r.Digest) {
				t.Errorf("space %q, rule %q: %q does not have the digest", space, r.Name, r.Space)
			}
		}
	}
	if len(seen) != 9 {
		t.Errorf("%d spaces", len(seen))
	}
}

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
