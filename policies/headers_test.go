package policies

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestBuiltinHeaders holds that the lists are written as Go writes field names,
// or nothing would ever match them, and that no name is in two lists.
func TestBuiltinHeaders(t *testing.T) {
	seen := make(map[string]bool)
	for _, class := range builtinHeaders {
		for _, name := range class.names {
			stem := strings.TrimSuffix(name, "*")
			if strings.Contains(stem, "*") || http.CanonicalHeaderKey(stem) != stem {
				t.Errorf("%q can never match", name)
			}
			if seen[name] {
				t.Errorf("%q is listed twice", name)
			}
			seen[name] = true
			if (class.verb == Strip) != (class.reason == ReasonNone) {
				t.Errorf("%q is %s for %v", name, class.verb, class.reason)
			}
		}
	}
	for _, name := range defaultVary {
		if !slices.Contains(browserHeaders, name) {
			t.Errorf("%q is not what browsers send", name)
		}
	}
}

// TestBuiltinGuards holds that on no kind of route, whatever its others, a request
// with a credential or an override is shared.
func TestBuiltinGuards(t *testing.T) {
	for _, cache := range []string{"5m", "origin"} {
		for _, others := range []string{"strip", "bypass", "vary"} {
			if cache == "5m" && others == "vary" {
				continue
			}
			rule := compiled(t, `routes: [{name: page, match: {paths: [/*]}, cache: `+cache+`, headers: {strip: ["X-*"], others: `+others+`}}]`).rules[0]
			for _, class := range builtinHeaders {
				if class.verb != Bypass {
					continue
				}
				for _, name := range class.names {
					name = strings.Replace(name, "*", "Zz", 1)
					checkDispose(t, rule, request("https://example.com/", name+": 1"), ActBypass, class.reason)
					checkDispose(t, rule, request("https://example.com/", strings.ToLower(name)+":"), ActBypass, class.reason)
				}
			}
		}
	}
}

// TestUndeclaredHeadersReachNobody plants a value in every header of the built-in
// lists, and in others: on a route that declares none, it is neither in the key
// nor in the canonical request.
func TestUndeclaredHeadersReachNobody(t *testing.T) {
	rule := compiled(t, `routes: [{name: page, match: {paths: [/*]}, cache: 5m}]`).rules[0]
	names := []string{"X-New", "X_Forwarded_Host", "Proxy", "X-Wap-Profile", "Surrogate-Key", "Cookie2"}
	for _, class := range builtinHeaders {
		for _, name := range class.names {
			names = append(names, strings.Replace(name, "*", "Zz", 1))
		}
	}
	const canary = "canary"
	for _, name := range names {
		var p Parts
		rule.Dispose(request("https://example.com/", name+": "+canary+"=1"), &p)
		if strings.Contains(string(p.AppendKey(nil)), canary) {
			t.Errorf("%s is in the key", name)
		}
		if strings.Contains(canonicalText(p.Canonical()), canary) {
			t.Errorf("%s is in the canonical request", name)
		}
	}
}

func TestHeaderPrecedence(t *testing.T) {
	const policy = `
identity: {headers: [X-Person, "X-Id-*"]}
routes:
  - name: page
    match: {paths: [/*]}
    cache: 5m
    headers:
      key: [Hx-Request, "Turbo-*", "X-Per*", "X-Id-*", X-Id-Public, Referer]
      strip: ["X-A*", "X-N*", "X-H*", Origin, X-Api-Key]
      bypass: ["*-Noise"]
      deny: [X-Up-Noise]
`
	table := compiled(t, policy).rules[0].headers
	for name, want := range map[string]struct {
		verb   Verb
		reason Reason
	}{
		"Hx-Request":   {Key, ReasonNone},               // declared before the built-in list
		"Hx-Target":    {Bypass, ReasonFragment},        // the rest of the list stays
		"Turbo-Frame":  {Key, ReasonNone},               // a glob before the built-in list
		"Origin":       {Strip, ReasonNone},             // by its name, a guarded one can be stripped
		"X-Api-Key":    {Strip, ReasonNone},             //
		"X-Auth-Token": {Bypass, ReasonIdentity},        // but not by a glob
		"X-Host":       {Bypass, ReasonRoutingOverride}, //
		"X-New":        {Strip, ReasonNone},
		"X-Person":     {Bypass, ReasonIdentity}, // the policy's before the route's glob
		"X-Id-7":       {Bypass, ReasonIdentity}, // the strictest glob
		"X-Id-Public":  {Key, ReasonNone},        // unless the route keys that very name
		"X-New-Noise":  {Bypass, ReasonHeaderBypass},
		"X-Up-Noise":   {Deny, ReasonDenied},
		"Referer":      {Key, ReasonNone},
		"User-Agent":   {Strip, ReasonNone},
	} {
		if got := table.find(name); got.verb != want.verb || got.reason != want.reason {
			t.Errorf("%s: got %s for %v, want %s for %v", name, got.verb, got.reason, want.verb, want.reason)
		}
	}
}

func TestHeaderOthers(t *testing.T) {
	for _, tt := range []struct {
		cache, others string
		want          map[string]Verb
	}{
		{"5m", "strip", map[string]Verb{"X-New": Strip, "Accept": Strip, "User-Agent": Strip, "X-Forwarded-For": Strip}},
		{"5m", "bypass", map[string]Verb{"X-New": Bypass, "Accept": Strip, "User-Agent": Strip, "Sec-Fetch-Mode": Strip, "X-Forwarded-For": Strip, "Cf-Ray": Strip}},
		{"origin", "strip", map[string]Verb{"X-New": Strip, "Accept": Vary, "Accept-Language": Vary, "User-Agent": Strip}},
		{"origin", "bypass", map[string]Verb{"X-New": Bypass, "Accept": Vary, "User-Agent": Strip}},
		{"origin", "vary", map[string]Verb{"X-New": Vary, "Accept": Vary, "User-Agent": Vary, "Sec-Ch-Ua": Vary, "X-Forwarded-For": Strip, "Accept-Encoding": Strip, "Range": Strip}},
	} {
		rule := compiled(t, `routes: [{name: page, match: {paths: [/*]}, cache: `+tt.cache+`, headers: {others: `+tt.others+`}}]`).rules[0]
		for name, want := range tt.want {
			if got := rule.headers.find(name).verb; got != want {
				t.Errorf("cache: %s, others: %s: %s is %s, want %s", tt.cache, tt.others, name, got, want)
			}
		}
	}
}

func TestFindHeaderDoesNotAllocate(t *testing.T) {
	table := compiled(t, dispositions).rules[0].headers
	allocs := testing.AllocsPerRun(100, func() {
		for _, name := range []string{"User-Agent", "Sec-Ch-Ua", "X-Ab-1", "X-Unknown", "Cf-Ray"} {
			table.find(name)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
