package lint

import (
	"testing"

	"github.com/cacheward/cacheward/policies"
)

func TestAttributionNames(t *testing.T) {
	for name, want := range map[string]bool{
		"ref": true, "Ref": true, "REF": true, "refId": true, "ref-id": true, "ref[]": true, "http_referrer": true,
		"i": true, "source": true, "src": true, "aff_sub": true, "subAff": true, "affiliateId": true, "partner_code": true,
		"invite": true, "invited-by": true, "friend_id": true, "campaign": true, "campaignId": true, "promo": true, "coupon": true,
		"a8": true, "a8mat": true, "vmcv": true, "vc": true, "janet": true, "af_id": true, "afid": true, "awc": true,
		"shoukai_code": true, "shoukaisha": true, "紹介コード": true, "%E7%B4%B9%E4%BB%8B": true, "lead": true, "lead_id": true,

		"preference": false, "reform": false, "affection": false, "page": false, "q": false, "id": false, "lang": false,
		"resource": false, "sourcemap": false, "invitee": false, "friendly": false, "leader": false, "mislead": false, "iv": false,
		"sort": false, "color": false, "partnership": false, "": false, "%": false,
		// Scripts in the browser read these.
		"utm_source": false, "utm_campaign": false, "pk_campaign": false, "gclid": false, "mtm_source": false,
	} {
		if what, got := names().attributionParams.find(name); got != want {
			t.Errorf("parameter %q: %v (%s), want %v", name, got, what, want)
		}
	}
	for name, want := range map[string]bool{
		"lead": true, "__Host-ref": true, "__Secure-awc": true, "aff_id": true, "a8": true, "referrer": true, "entry_route": true,
		"i": false, "_ga": false, "_ga_ref": false, "theme": false, "consent": false, "session": false,
	} {
		if what, got := names().attributionCookies.find(name); got != want {
			t.Errorf("cookie %q: %v (%s), want %v", name, got, what, want)
		}
	}
}

func TestSessionNames(t *testing.T) {
	for name, want := range map[string]bool{
		"PHPSESSID": true, "JSESSIONID": true, "connect.sid": true, "laravel_session": true, "_myapp_session": true, "sid": true,
		"ASP.NET_SessionId": true, "ASPSESSIONIDABCD": true, ".AspNetCore.Identity.Application": true, "__Secure-next-auth.session-token": true,
		"wordpress_logged_in_0123": true, "remember_web_59ba": true, "remember_me": true, "authToken": true, "jwt": true, "sessionid": true,
		"SSESS0123456789": true, "csrftoken": true, "XSRF-TOKEN": true, "cart_id": true, "user_id": true, "__session": true,

		"author": false, "theme": false, "lang": false, "consent": false, "AWSALB": false, "cf_clearance": false, "obsession": false,
		"assessment": false, "_hjSession_1": false, "_ga": false, "plan": false, "carton": false, "side": false, "wordpress_test_cookie": false,
	} {
		if what, got := names().sessions.find(name); got != want {
			t.Errorf("cookie %q: %v (%s), want %v", name, got, what, want)
		}
	}
}

func TestPathMeanings(t *testing.T) {
	for pattern, want := range map[string]struct{ state, landing bool }{
		"/login":                   {state: true},
		"/Login.php":               {state: true},
		"/users/sign-in":           {state: true},
		"/sign_out":                {state: true},
		"/wp-login.php":            {state: true},
		"/shop/cart/*":             {state: true},
		"/cart.js":                 {state: true},
		"/cart.json":               {state: true},
		"/checkout/**/review":      {state: true},
		"/my-page/":                {state: true},
		"/マイページ":                   {state: true},
		"/api/me":                  {state: true},
		"/api/v1/me/*":             {state: true},
		"/api/sessions":            {state: true},
		"/oauth/token":             {state: true},
		"/profile":                 {state: true},
		"/会員登録":                    {state: true, landing: true},
		"/register":                {state: true, landing: true},
		"/register/lp":             {state: true, landing: true},
		"/lp/*":                    {landing: true},
		"/campaign/spring":         {landing: true},
		"/join":                    {landing: true},
		"/":                        {},
		"/*":                       {},
		"*.css":                    {},
		"/help/login":              {},
		"/blog/register/lp":        {},
		"/how-to-login":            {},
		"/login.css":               {},
		"/static/login/*":          {},
		"/profile/*":               {},
		"/sessions/*":              {},
		"/tokens":                  {},
		"/me/*":                    {},
		"/help-wanted":             {},
		"/orders-of-magnitude":     {},
		"/reorder":                 {},
		"/landings/airport/*":      {},
		"/joinery":                 {},
		"/en/docs/account/billing": {},
	} {
		route := &policies.Route{Match: policies.Match{Paths: []string{pattern}}}
		if m, got := statePath(route); got != want.state {
			t.Errorf("%q smells of state: %v (%+v), want %v", pattern, got, m, want.state)
		}
		if m, got := landingPath(route); got != want.landing {
			t.Errorf("%q is where visitors arrive: %v (%+v), want %v", pattern, got, m, want.landing)
		}
	}
}

// TestNamesFile holds that every name in names.yaml is found as what it is there for, and
// that none is one of @analytics: rules would never find it.
func TestNamesFile(t *testing.T) {
	k := names()
	for _, table := range []*nameTable{k.attributionParams, k.attributionCookies, k.sessions} {
		if len(table.samples) < 20 {
			t.Errorf("only %d names", len(table.samples))
		}
		for _, name := range table.samples {
			if what, ok := table.find(name); !ok || what == "" {
				t.Errorf("%q is in the file and not found", name)
			}
		}
	}
	for _, table := range []segmentTable{k.state, k.landing, k.forms, k.about, k.api} {
		if len(table) < 10 {
			t.Errorf("only %d segments", len(table))
		}
	}
	for segment := range k.about {
		if k.state.has(segment) || k.landing.has(segment) {
			t.Errorf("%q hides itself", segment)
		}
	}
}

func TestFindPattern(t *testing.T) {
	for pattern, want := range map[string]string{
		"ref": "ref", "re*": "ref", "aff_*": "aff_id", "*_ref": "im_ref", "utm_*": "", "@analytics": "", "_g*": "", "x*": "", "*code": "ref_code",
		"my_aff*": "my_aff", "page": "",
	} {
		name, _, ok := names().attributionParams.findPattern(pattern, func(string) bool { return true })
		if ok && name != want || ok == (want == "") {
			t.Errorf("%q: %q, want %q", pattern, name, want)
		}
	}
	if name, _, ok := names().attributionParams.findPattern("re*", func(name string) bool { return name != "ref" }); !ok || name == "ref" {
		t.Errorf("%q was told not to count", name)
	}
}

func TestMatchName(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"ref", "ref", true}, {"ref", "Ref", false}, {"ref*", "ref", true}, {"ref*", "reform", true}, {"*ref", "href", true},
		{"a*b*c", "axbyc", true}, {"a*b*c", "acb", false}, {"a*a", "a", false}, {"a*a", "aa", true}, {"*a*a", "xa", false}, {"*", "", true},
		{"a*bc*c", "abc", false}, {"a*bc*c", "abcc", true},
	} {
		if got := matchName(c.pattern, c.name); got != c.want {
			t.Errorf("%q, %q: %v", c.pattern, c.name, got)
		}
	}
}
