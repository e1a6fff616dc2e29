package policies

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// ruleOf compiles a route for every path, from what stands behind its match.
func ruleOf(t testing.TB, rest string) *Rule {
	t.Helper()
	return compiled(t, `routes: [{name: a, match: {paths: ["/*"]}, `+rest+`}]`).rules[0]
}

// TestFollowing is what the options of cache: origin routes come to, their defaults
// among them.
func TestFollowing(t *testing.T) {
	const second = Duration(time.Second)
	cdn := []string{"Cdn-Cache-Control"}
	type following struct {
		heuristic bool
		errorTTL  Duration
		targets   []string
		first     bool // RFC 9213 §2.2
		authorized,
		address,
		obey,
		relay bool
	}
	for rest, want := range map[string]following{
		"cache: never":  {},
		"cache: 5m":     {},
		"cache: origin": {errorTTL: 5 * second, targets: cdn, obey: true},
		"cache: {ttl: origin, stale_if_error: 1h}": {errorTTL: 5 * second, targets: cdn, obey: true},

		"cache: 5m, request_directives: obey":       {obey: true},
		"cache: 5m, request_directives: ignore":     {},
		"cache: origin, request_directives: obey":   {errorTTL: 5 * second, targets: cdn, obey: true},
		"cache: origin, request_directives: ignore": {errorTTL: 5 * second, targets: cdn},
		"cache: origin, heuristic: on":              {heuristic: true, errorTTL: 5 * second, targets: cdn, obey: true},
		"cache: origin, heuristic: off":             {errorTTL: 5 * second, targets: cdn, obey: true},
		"cache: origin, error_ttl: 0s":              {targets: cdn, obey: true},
		"cache: origin, error_ttl: 60s":             {errorTTL: 60 * second, targets: cdn, obey: true},

		"cache: origin, targeted: {order: rfc9213}":                               {errorTTL: 5 * second, targets: cdn, first: true, obey: true},
		"cache: origin, targeted: {order: refusal-first}":                         {errorTTL: 5 * second, targets: cdn, obey: true},
		"cache: origin, targeted: {fields: [x-cache-control, CDN-Cache-Control]}": {errorTTL: 5 * second, targets: []string{"X-Cache-Control", "Cdn-Cache-Control"}, obey: true},

		"cache: origin, authorization: bypass":                       {errorTTL: 5 * second, targets: cdn, obey: true},
		"cache: origin, authorization: {rule: rfc9111, reason: why}": {errorTTL: 5 * second, targets: cdn, authorized: true, obey: true},
		"cache: origin, address: strip":                              {errorTTL: 5 * second, targets: cdn, obey: true},
		"cache: origin, address: {rule: forward, reason: why}":       {errorTTL: 5 * second, targets: cdn, address: true, obey: true},

		"cache: 5m, downstream: 1m":                                              {},
		"cache: origin, downstream: origin":                                      {errorTTL: 5 * second, targets: cdn, obey: true, relay: true},
		"cache: origin, downstream: origin, headers: {others: vary}":             {errorTTL: 5 * second, targets: cdn, obey: true, relay: true},
		"cache: origin, downstream: origin, headers: {vary: ['X-*']}":            {errorTTL: 5 * second, targets: cdn, obey: true},
		"cache: origin, downstream: origin, headers: {key: [X-Forwarded-User]}":  {errorTTL: 5 * second, targets: cdn, obey: true},
		"cache: origin, downstream: origin, headers: {vary: [X-Forwarded-User]}": {errorTTL: 5 * second, targets: cdn, obey: true},
	} {
		t.Run(rest, func(t *testing.T) {
			r := ruleOf(t, rest)
			got := following{r.Heuristic, r.ErrorTTL, r.Targets, r.TargetFirst, r.ShareAuthorized, r.ForwardAddress, r.ObeyRequest, r.Relay}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if r.Relay && r.Downstream == nil {
				t.Error("the route relays, but permits nothing")
			}
		})
	}
	rest := compiled(t, "default: origin").rest
	if !rest.ObeyRequest || rest.ErrorTTL != 5*second || !slices.Equal(rest.Targets, cdn) || rest.Relay {
		t.Errorf("default: origin follows %+v", rest)
	}
}

// TestShareAuthorized is RFC 9111 §3.5: with authorization: rfc9111, credentials are
// sent and not keyed, and no longer make a bypass. Those for proxies still do.
func TestShareAuthorized(t *testing.T) {
	rule := ruleOf(t, "cache: origin, headers: {others: vary, bypass: ['X-Slow*']}, authorization: {rule: rfc9111, reason: why}")
	bare := checkDispose(t, rule, request("https://example.com/"), ActCache)
	for _, lines := range [][]string{{"Authorization: Basic x"}, {"Authorization: a", "Authorization: b"}, {"Authorization:"}} {
		p := checkDispose(t, rule, request("https://example.com/", lines...), ActCache)
		if string(p.AppendKey(nil)) != string(bare.AppendKey(nil)) || canonicalText(p.Canonical()) != canonicalText(bare.Canonical()) || len(p.Varying) > 0 {
			t.Errorf("%q is keyed, or in the canonical request", lines)
		}
		if f := p.Forwarded(); len(f) != 1 || f[0].Name != "Authorization" || p.Withheld {
			t.Errorf("%q: got %q, withheld %v", lines, f, p.Withheld)
		}
		p.Impersonal()
		if len(p.Forwarded()) > 0 {
			t.Errorf("%q goes along with a refresh", lines)
		}
	}
	checkDispose(t, rule, request("https://example.com/", "Proxy-Authorization: x"), ActBypass, ReasonAuthorization)
	checkDispose(t, rule, request("https://example.com/", "Authorization: x", "X-Api-Key: y"), ActBypass, ReasonIdentity)
	if rule.Covers("Authorization") || rule.Keys("Authorization") || rule.Varies("Authorization") {
		t.Error("a Vary on Authorization is taken care of")
	}
	for _, rest := range []string{"cache: origin", "cache: origin, authorization: bypass", "cache: origin, headers: {others: vary}", "cache: 5m, authorization: bypass"} {
		checkDispose(t, ruleOf(t, rest), request("https://example.com/", "Authorization: x"), ActBypass, ReasonAuthorization)
	}
}

// TestNoStoreIsObeyed holds that RFC 9111 §5.2.1.5 is no matter of obedience: it
// takes nothing from the origin that any other request could not.
func TestNoStoreIsObeyed(t *testing.T) {
	for _, directives := range []string{"obey", "ignore"} {
		for _, cache := range []string{"origin", "5m"} {
			rule := ruleOf(t, "cache: "+cache+", request_directives: "+directives)
			checkDispose(t, rule, request("https://example.com/", "Cache-Control: no-store"), ActBypass, ReasonRequestNoStore)
			checkDispose(t, rule, request("https://example.com/", "Cache-Control: no-cache", "Pragma: foo"), ActCache)
		}
	}
}
