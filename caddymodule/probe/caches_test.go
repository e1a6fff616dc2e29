package probe

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestStatusFields: what each field of each CDN says.
func TestStatusFields(t *testing.T) {
	for _, test := range []struct {
		field, value, cache string
		want                state
	}{
		{"Cf-Cache-Status", "HIT", "Cloudflare", stateHit},
		{"Cf-Cache-Status", "MISS", "Cloudflare", stateMiss},
		{"Cf-Cache-Status", "EXPIRED", "Cloudflare", stateMiss},
		{"Cf-Cache-Status", "STALE", "Cloudflare", stateHit},
		{"Cf-Cache-Status", "UPDATING", "Cloudflare", stateHit},
		{"Cf-Cache-Status", "REVALIDATED", "Cloudflare", stateHit},
		{"Cf-Cache-Status", "BYPASS", "Cloudflare", stateBypass},
		{"Cf-Cache-Status", "DYNAMIC", "Cloudflare", stateBypass},
		{"Cf-Cache-Status", "NONE/UNKNOWN", "Cloudflare", stateUnsure},
		{"X-Cache", "HIT", "", stateHit},
		{"X-Cache", "MISS, HIT", "", stateHit}, // Fastly: shield, edge
		{"X-Cache", "HIT, MISS", "", stateHit},
		{"X-Cache", "MISS, MISS", "", stateMiss},
		{"X-Cache", "Hit from cloudfront", "CloudFront", stateHit},
		{"X-Cache", "RefreshHit from cloudfront", "CloudFront", stateHit},
		{"X-Cache", "OriginShieldHit from cloudfront", "CloudFront", stateHit},
		{"X-Cache", "Miss from cloudfront", "CloudFront", stateMiss},
		{"X-Cache", "Error from cloudfront", "CloudFront", stateUnsure},
		{"X-Cache", "MISS from white.hit.example", "", stateMiss},
		{"X-Cache", "TCP_HIT", "", stateHit}, // Azure Front Door, Akamai
		{"X-Cache", "TCP_REMOTE_HIT", "", stateHit},
		{"X-Cache", "TCP_MISS", "", stateMiss},
		{"X-Cache", "PRIVATE_NOSTORE", "", stateBypass},
		{"X-Cache", "CONFIG_NOCACHE", "", stateBypass},
		{"X-Cache", "TCP_REFRESH_HIT from a23-1-2-3.deploy.akamaitechnologies.com (AkamaiGHost/11)", "", stateHit},
		{"X-Cache", "TCP_REFRESH_MISS from a23-1-2-3", "", stateMiss},
		{"X-Cache", "TCP_EXPIRED_HIT", "", stateHit},
		{"X-Cache", "TCP_COOKIE_DENY", "", stateUnsure},
		{"X-Cache-Status", "UPDATING", "", stateHit}, // nginx
		{"X-Cache-Status", "EXPIRED", "", stateMiss},
		{"X-Proxy-Cache", "BYPASS", "", stateBypass},
		{"X-Vercel-Cache", "HIT", "Vercel", stateHit},
		{"X-Vercel-Cache", "PRERENDER", "Vercel", stateHit},
		{"X-Vercel-Cache", "STALE", "Vercel", stateHit},
		{"X-Vercel-Cache", "MISS", "Vercel", stateMiss},
		{"X-Vercel-Cache", "BYPASS", "Vercel", stateBypass},
		{"Cdn-Cache", "HIT", "Bunny", stateHit},
		{"Cdn-Cache", "MISS", "Bunny", stateMiss},
		{"Akamai-Cache-Status", "Hit from child, Hit from parent", "Akamai", stateHit},
		{"X-Varnish", "32770 3", "Varnish", stateHit},
		{"X-Varnish", "32770", "Varnish", stateMiss},
		{"X-Varnish", "hello 3", "Varnish", stateUnsure},
		{"X-Varnish", "1 2 3", "Varnish", stateUnsure},
		{"X-Cache-Hits", "0, 3", "", stateHit},
		{"X-Cache-Hits", "0, 0", "", stateMiss},
		{"X-Cache-Hits", "many", "", stateUnsure},
		{"Age", "41", "", stateHit},
		{"Age", "0", "", stateUnsure},
		{"Cache-Status", `"Netlify Edge"; hit`, "Netlify Edge", stateHit},
		{"Cache-Status", "ExampleCache; fwd=uri-miss; stored", "ExampleCache", stateMiss},
		{"Cache-Status", "ExampleCache; fwd=uri-miss; collapsed", "ExampleCache", stateHit},
		{"Cache-Status", "ExampleCache; fwd=bypass", "ExampleCache", stateBypass},
		{"Cache-Status", "ExampleCache", "ExampleCache", stateUnsure},
		{"Cache-Status", "Cacheward; hit; ttl=3", ours, stateHit},
		{"Cache-Status", "Cacheward; fwd=bypass; fwd-status=200; detail=cookie-undeclared", ours, stateBypass},
		{"Cache-Status", "(((", "", stateUnsure},
		{"Server-Timing", `cdn-cache; desc=HIT`, "", stateHit},
		{"Server-Timing", `edge; dur=1, cdn-cache; desc="MISS"; dur=3`, "", stateMiss},
		{"Server-Timing", `cdn-upstream-layer;desc="EDGE", cdn-cache-hit`, "", stateHit},
		{"Server-Timing", `cdn-cache-miss`, "", stateMiss},
		{"Server-Timing", `cdn-cache-refresh`, "", stateHit},
	} {
		t.Run(test.field+" "+test.value, func(t *testing.T) {
			h := http.Header{test.field: {test.value}}
			all := readStatus(h)
			if len(all) != 1 || all[0].state != test.want || all[0].field != strings.ToLower(test.field) {
				t.Fatalf("%+v", all)
			}
			if names := cacheNames(h, all); test.cache != "" && test.cache != ours && !slices.Contains(names, test.cache) || slices.Contains(names, ours) {
				t.Errorf("names %q", names)
			}
		})
	}
}

func TestCacheNames(t *testing.T) {
	for _, test := range []struct{ field, value, want string }{
		{"Cf-Ray", "8d1-NRT", "Cloudflare"},
		{"Server", "cloudflare", "Cloudflare"},
		{"Server", "AkamaiGHost", "Akamai"},
		{"Server", "BunnyCDN-TYO1-1000", "Bunny"},
		{"Server", "Netlify", "Netlify"},
		{"Server", "keycdn-engine", "KeyCDN"},
		{"Via", "1.1 4d2.cloudfront.net (CloudFront)", "CloudFront"},
		{"Via", "1.1 google", "Google Cloud CDN"},
		{"Via", "1.1 Caddy, 1.1 varnish (Varnish/7.1)", "Varnish"},
		{"X-Served-By", "cache-nrt-rjtf7700034-NRT", "Fastly"},
		{"X-Azure-Ref", "2026", "Azure Front Door"},
		{"X-Vercel-Id", "hnd1::x", "Vercel"},
		{"Server", "Caddy", ""},
		{"Server", "nginx", ""},
		{"Via", "1.1 Caddy", ""},
	} {
		if got := strings.Join(cacheNames(http.Header{test.field: {test.value}}, nil), " "); got != test.want {
			t.Errorf("%s: %s: %q", test.field, test.value, got)
		}
	}
	h := http.Header{"Server": {"nginx"}, "X-Cache": {"MISS"}}
	if got := cacheNames(h, readStatus(h)); !slices.Equal(got, []string{"nginx"}) {
		t.Errorf("%q", got)
	}
}

// FuzzReadStatus: whatever a field has in it, there are no more statements than the field
// has room for, and reading it twice says the same.
func FuzzReadStatus(f *testing.F) {
	for _, seed := range []string{"", "HIT", "MISS, HIT", `"a"; hit, b; fwd=miss`, "1 2", "cdn-cache; desc=HIT", ",,,,", "\xff\x00", "a;fwd=bypass;stored=?1"} {
		for i := range len(statusFields) + 3 {
			f.Add(i, seed)
		}
	}
	names := []string{"Cache-Status", "Server-Timing", "Age"}
	for _, field := range statusFields {
		names = append(names, field.name)
	}
	f.Fuzz(func(t *testing.T, i int, value string) {
		name := names[uint(i)%uint(len(names))]
		h := http.Header{name: {value}}
		all := readStatus(h)
		if len(all) > len(value)+1 || !slices.Equal(all, readStatus(h)) {
			t.Errorf("%s: %q: %v", name, value, all)
		}
		for _, s := range all {
			if !slices.Contains([]state{stateHit, stateMiss, stateBypass, stateUnsure}, s.state) {
				t.Errorf("%+v", s)
			}
		}
		cacheNames(h, all)
		refusals(h)
	})
}
