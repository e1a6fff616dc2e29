package policies

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestVouches: a rule vouches for what its route names, in any letter case, and for
// nothing else.
func TestVouches(t *testing.T) {
	rule := ruleOf(t, "cache: origin, admission: once, vouch: {fields: [clear-site-data, Content-Range], reason: why}")
	for field, want := range map[string]bool{
		"Clear-Site-Data":   true,
		"Content-Range":     true,
		"Content-Rang":      false,
		"Content-Range-X":   false,
		"Refresh":           false,
		"Set-Cookie":        false,
		"":                  false,
		"*":                 false,
		"Content-Range\x00": false,
	} {
		if got := rule.Vouches(field); got != want {
			t.Errorf("%q: got %v", field, got)
		}
	}
	for _, rest := range []string{"cache: origin", "cache: 5m", "cache: never"} {
		if ruleOf(t, rest).Vouches("Clear-Site-Data") {
			t.Errorf("%s: the route vouches for what it does not name", rest)
		}
	}
	if compiled(t, "default: origin").rest.Vouches("Clear-Site-Data") {
		t.Error("the default vouches")
	}
	if n := testing.AllocsPerRun(100, func() { rule.Vouches("Refresh") }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestUnvouchable: no credential, and nothing that governs who may store a response
// (RFC 9110 §7.6.1, §11, RFC 9111 §4.1, §5, RFC 9213), is vouched for, however its
// name is written.
func TestUnvouchable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{
			"Set-Cookie", "WWW-Authenticate", "Authentication-Info", "Authorization", "Proxy-Authorization", "Cookie",
			"X-Csrf-Token", "X-Csrf-Header", "X-Csrftoken", "Csrf-Token", "X-Xsrf-Token", "Xsrf-Token", "X-Auth-Token",
			"X-Access-Token", "Access-Token", "X-Refresh-Token", "X-Id-Token", "X-Session-Id", "X-Jwt", "X-Api-Key", "Set-Login",
			"Sec-Session-Registration", "Sec-Session-Challenge", "Secure-Session-Registration", "Secure-Session-Challenge",
			"Cache-Control", "CDN-Cache-Control", "Example-Cache-Control", "Surrogate-Control", "Pragma", "Expires", "Vary",
			"Trailer", "Transfer-Encoding", "Content-Encoding", "Connection", "Keep-Alive", "TE", "Upgrade",
			"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers",
		}).Draw(t, "name")
		spelled := []byte(name)
		for i := range spelled {
			if rapid.Bool().Draw(t, "lower") {
				spelled[i] = strings.ToLower(name)[i]
			} else {
				spelled[i] = strings.ToUpper(name)[i]
			}
		}
		p := &Policy{Routes: []Route{{
			Name: "a", Match: Match{Paths: []string{"/*"}}, Cache: Cache{Kind: CacheOrigin},
			Vouch: &Vouch{Fields: []string{"Refresh", string(spelled)}, Reason: "why"},
		}}}
		const want = "routes.a.vouch.fields.1: nobody can vouch for "
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("%s: got %v", spelled, err)
		}
	})
}

// TestVouchable: what a response would be refused for, and can be the same for
// everybody all the same, is accepted; so is what RFC 9111 §3.1 never stores.
func TestVouchable(t *testing.T) {
	for _, name := range []string{
		"Clear-Site-Data", "Content-Range", "Refresh", "X-User-Class", "X-Accel-Redirect",
		"Proxy-Authenticate", "Proxy-Authentication-Info", "Set-Cookie2", "X-Authored-By", "Expires-At", "X-Vary",
	} {
		if !ruleOf(t, "cache: origin, vouch: {fields: ["+name+"], reason: why}").Vouches(name) {
			t.Errorf("the route does not vouch for %s", name)
		}
	}
}
