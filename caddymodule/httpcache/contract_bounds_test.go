package httpcache

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/policies"
)

// TestEdgeCacheFieldsGo: Cloudflare's optimization for WordPress keeps a page that says
// so for 30 days and does not look at Cache-Control.
func TestEdgeCacheFieldsGo(t *testing.T) {
	for _, p := range append(policies.Profiles(), nil) {
		for _, name := range []string{"Cf-Edge-Cache", "cf-edge-cache", "X-HTML-Edge-Cache"} {
			for what, tell := range map[string]func(http.Header){
				"refused":            func(h http.Header) { ForbidAs(h, p) },
				"refused everywhere": ForbidEverywhere,
				"shared":             func(h http.Header) { PermitAs(h, Permission{CDN: time.Minute}, p) },
				"relayed":            Relay,
			} {
				h := http.Header{name: {"cache,platform=wordpress"}, "Cache-Control": {"private, no-store"}}
				if tell(h); h[name] != nil {
					t.Errorf("%s: left is %v", what, h)
				}
			}
		}
	}
	if _, kept := StoredFields(http.Header{"Cf-Edge-Cache": {"cache"}}, nil)["Cf-Edge-Cache"]; kept {
		t.Error("it is stored")
	}
	if !ResponseDirectives(header("Cf-Edge-Cache: no-cache", "Cache-Control: max-age=60")).NoCache {
		t.Error("its refusal is not read")
	}
}

// TestRelayedRefusalsRefuse: nothing that a cache might take for a permission goes on in
// a targeted field that refuses.
func TestRelayedRefusalsRefuse(t *testing.T) {
	for line, want := range map[string][]string{
		"X-Accel-Expires: @4102444800":                 {"X-Accel-Expires: 0"},
		"X-Accel-Expires: 0":                           {"X-Accel-Expires: 0"},
		"Surrogate-Control: no-store, max-age=600":     {"Surrogate-Control: no-store"},
		"Cdn-Cache-Control: no-cache, max-age=600":     {"Cdn-Cache-Control: no-store"},
		"Cdn-Cache-Control: max-age=600, private=x":    {"Cdn-Cache-Control: no-store"},
		"Edge-Control: bypass-cache, max-age=1d":       {"Edge-Control: no-store"},
		"Cf-Edge-Cache: no-cache":                      {"Cf-Edge-Cache: no-cache"},
		"No-Vary-Search: params=(\"private\")":         nil,
		"Netlify-Vary: cookie=private_session,query=a": nil,
	} {
		h := header(line, "Cache-Control: private, no-store")
		Relay(h)
		delete(h, "Cache-Control")
		var got []string
		for _, name := range slices.Sorted(maps.Keys(h)) {
			got = append(got, name+": "+strings.Join(h[name], " | "))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: it goes on as %q, want %q", line, got, want)
		}
	}
}

// TestBrowserTimeIsNoCDNs: where browsers may keep a page for longer than CDNs, a CDN
// that reads Cache-Control alone may not.
func TestBrowserTimeIsNoCDNs(t *testing.T) {
	for _, p := range append(policies.Profiles(), nil) {
		h := http.Header{}
		PermitAs(h, Permission{CDN: time.Minute, Browser: time.Hour}, p)
		if d := ResponseDirectives(http.Header{"Cache-Control": h["Cache-Control"]}); d.MaxAge != time.Hour || d.SMaxAge != time.Minute {
			t.Errorf("%v: a CDN reads %v, a browser %v", h, d.SMaxAge, d.MaxAge)
		}
		if ttl, _ := Permitted(h); ttl > time.Minute {
			t.Errorf("%v permits %v", h, ttl)
		}
	}
}
