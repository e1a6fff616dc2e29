package httpcache

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/policies"
)

const (
	revalidates = "public, max-age=0, must-revalidate"
	privately   = "private, no-store"
)

// cells are what each profile says, spelled out: of a page that nobody may store, and of
// one that CDNs may keep for a minute and browsers for none or ten seconds. Of that
// minute, seven seconds were over when the origin's response came.
var cells = map[string]struct{ refused, page, shared, browser http.Header }{
	"generic": {
		refused: header("Cache-Control: "+privately, "Cdn-Cache-Control: no-store"),
		page:    header("Cache-Control: "+privately, "Cdn-Cache-Control: no-store"),
		shared:  header("Cache-Control: "+revalidates, "Cdn-Cache-Control: max-age=67"),
		browser: header("Cache-Control: public, max-age=17", "Cdn-Cache-Control: max-age=67"),
	},
	"cloudflare": {
		refused: header("Cache-Control: "+privately, "Cloudflare-Cdn-Cache-Control: no-store"),
		page:    header("Cache-Control: "+privately, "Cloudflare-Cdn-Cache-Control: no-store"),
		shared:  header("Cache-Control: "+revalidates, "Cloudflare-Cdn-Cache-Control: max-age=67"),
		browser: header("Cache-Control: public, max-age=17", "Cloudflare-Cdn-Cache-Control: max-age=67"),
	},
	"fastly": {
		refused: header("Cache-Control: "+privately, "Surrogate-Control: no-store"),
		page:    header("Cache-Control: "+privately, "Surrogate-Control: no-store"),
		shared:  header("Cache-Control: "+revalidates, "Surrogate-Control: max-age=67"),
		browser: header("Cache-Control: public, max-age=17", "Surrogate-Control: max-age=67"),
	},
	"cloudfront": {
		refused: header("Cache-Control: " + privately),
		page:    header("Cache-Control: " + privately),
		shared:  header("Cache-Control: " + revalidates + ", s-maxage=67"),
		browser: header("Cache-Control: public, max-age=17, s-maxage=67"),
	},
	"akamai": {
		refused: header("Cache-Control: "+privately, "Edge-Control: no-store"),
		page:    header("Cache-Control: "+privately, "Edge-Control: no-store", "Vary: Cookie"),
		shared:  header("Cache-Control: "+revalidates, "Edge-Control: max-age=60"),
		browser: header("Cache-Control: public, max-age=17", "Edge-Control: max-age=60"),
	},
	"google": {
		refused: header("Cache-Control: " + privately),
		page:    header("Cache-Control: "+privately, "Vary: Cookie"),
		shared:  header("Cache-Control: " + revalidates + ", s-maxage=67"),
		browser: header("Cache-Control: public, max-age=17, s-maxage=67"),
	},
	"azure": {
		refused: header("Cache-Control: " + privately),
		page:    header("Cache-Control: " + privately),
		shared:  header("Cache-Control: " + revalidates + ", s-maxage=67"),
		browser: header("Cache-Control: public, max-age=17, s-maxage=67"),
	},
	"bunny": {
		refused: header("Cache-Control: " + privately),
		page:    header("Cache-Control: " + privately),
		shared:  header("Cache-Control: " + revalidates + ", s-maxage=60"),
		browser: header("Cache-Control: public, max-age=17, s-maxage=60"),
	},
	"vercel": {
		refused: header("Cache-Control: "+privately, "Vercel-Cdn-Cache-Control: no-store"),
		page:    header("Cache-Control: "+privately, "Vercel-Cdn-Cache-Control: no-store", "Vary: Cookie"),
		shared:  header("Cache-Control: "+revalidates, "Vercel-Cdn-Cache-Control: max-age=67"),
		browser: header("Cache-Control: public, max-age=17", "Vercel-Cdn-Cache-Control: max-age=67"),
	},
	"netlify": {
		refused: header("Cache-Control: "+privately, "Netlify-Cdn-Cache-Control: no-store"),
		page:    header("Cache-Control: "+privately, "Netlify-Cdn-Cache-Control: no-store"),
		shared:  header("Cache-Control: "+revalidates, "Netlify-Cdn-Cache-Control: max-age=67"),
		browser: header("Cache-Control: public, max-age=17", "Netlify-Cdn-Cache-Control: max-age=67"),
	},
	"varnish": {
		refused: header("Cache-Control: "+privately, "Surrogate-Control: no-store"),
		page:    header("Cache-Control: "+privately, "Surrogate-Control: no-store"),
		shared:  header("Cache-Control: " + revalidates + ", stale-while-revalidate=0, s-maxage=67"),
		browser: header("Cache-Control: public, max-age=17, stale-while-revalidate=0, s-maxage=67"),
	},
	"nginx": {
		refused: header("Cache-Control: "+privately, "X-Accel-Expires: 0"),
		page:    header("Cache-Control: "+privately, "X-Accel-Expires: 0"),
		shared:  header("Cache-Control: " + revalidates + ", s-maxage=60"),
		browser: header("Cache-Control: public, max-age=17, s-maxage=60"),
	},
}

func TestProfileCells(t *testing.T) {
	minute := Permission{CDN: 67 * time.Second, Age: 7 * time.Second}
	minuteAndBrowser := minute
	minuteAndBrowser.Browser = 17 * time.Second
	for _, p := range policies.Profiles() {
		cell, ok := cells[p.Name]
		if !ok {
			t.Errorf("the profile %s is not in the table", p.Name)
			continue
		}
		for name, tt := range map[string]struct {
			say  func(http.Header) bool
			base http.Header
			want http.Header
		}{
			"refused":          {func(h http.Header) bool { ForbidAs(h, p); return true }, header("Content-Type: image/png"), cell.refused},
			"refused page":     {func(h http.Header) bool { ForbidAs(h, p); return true }, header("Content-Type: TEXT/html; charset=utf-8"), cell.page},
			"refused XHTML":    {func(h http.Header) bool { ForbidAs(h, p); return true }, header("content-type: application/xhtml+xml"), cell.page},
			"refused anything": {func(h http.Header) bool { ForbidAs(h, p); return true }, nil, cell.page},
			"shared":           {func(h http.Header) bool { return PermitAs(h, minute, p) }, header("Content-Type: text/html"), cell.shared},
			"shared with browsers": {
				func(h http.Header) bool { return PermitAs(h, minuteAndBrowser, p) }, header("Content-Type: text/html"), cell.browser,
			},
			"shared for no time": {
				func(h http.Header) bool { return PermitAs(h, Permission{CDN: time.Second - 1, Browser: time.Hour}, p) },
				header("Content-Type: text/html"), cell.page,
			},
		} {
			t.Run(p.Name+"/"+name, func(t *testing.T) {
				h, want := everyPermission(), tt.want.Clone()
				for _, k := range []string{"Content-Type", "Cache-Tag", "Age", "Vary"} {
					delete(h, k)
				}
				maps.Copy(h, tt.base)
				maps.Copy(want, tt.base)
				if !tt.say(h) {
					t.Error("it is refused because of its tags, and has none")
				}
				if !reflect.DeepEqual(h, want) {
					t.Errorf("\n got %v\nwant %v", h, want)
				}
			})
		}
	}
}

// TestForbidAsKeepsVary: who varies already varies on Cookie besides, once.
func TestForbidAsKeepsVary(t *testing.T) {
	google, _ := policies.FindProfile("google")
	for have, want := range map[string][]string{
		"Accept":         {"Accept", "Cookie"},
		"Accept, cookie": {"Accept, cookie"},
		"*":              {"*"},
	} {
		h := header("Vary: " + have)
		if ForbidAs(h, google); !slices.Equal(h["Vary"], want) {
			t.Errorf("Vary: %s became %q, want %q", have, h["Vary"], want)
		}
	}
}

func TestForbidEverywhere(t *testing.T) {
	h := everyPermission()
	h["vary"] = []string{"Accept, Cookie"}
	ForbidEverywhere(h)
	want := header("Content-Type: text/html", "Cache-Tag: a,b", "Age: 3",
		"Cache-Control: "+privately, "Cdn-Cache-Control: no-store", "Cloudflare-Cdn-Cache-Control: no-store",
		"Netlify-Cdn-Cache-Control: no-store", "Vercel-Cdn-Cache-Control: no-store", "Surrogate-Control: no-store",
		"Edge-Control: no-store", "X-Accel-Expires: 0", "Vary: *")
	if !reflect.DeepEqual(h, want) {
		t.Errorf("\n got %v\nwant %v", h, want)
	}
	h["Vary"][0], h["Edge-Control"][0] = "Accept", "max-age=60"
	again := http.Header{}
	if ForbidEverywhere(again); again["Vary"][0] != "*" || again["Edge-Control"][0] != "no-store" {
		t.Error("rewriting one header changed another")
	}
	// It says at least what each profile's own refusal does.
	for _, p := range policies.Profiles() {
		own := http.Header{}
		ForbidAs(own, p)
		delete(own, "Vary")
		for name, values := range own {
			if !slices.Equal(again[name], values) {
				t.Errorf("%s is refused by %s: %q, and here it is %q", p.Name, name, values, again[name])
			}
		}
	}
}

// readsFirst are the fields by which each CDN goes, the one that outranks the others first,
// as their vendors document them. Here they are written down apart from the catalogue: a
// cache that reads a field which the proxy forgot to take away is what the test is about.
var readsFirst = map[string][]string{
	"generic":    {"Cdn-Cache-Control", "Cache-Control", "Expires", "Pragma"},
	"cloudflare": {"Cloudflare-Cdn-Cache-Control", "Cdn-Cache-Control", "Cache-Control", "Expires"},
	"fastly":     {"Surrogate-Control", "Cache-Control", "Expires"},
	"cloudfront": {"Cache-Control", "Expires"},
	"akamai":     {"Edge-Control", "Cdn-Cache-Control", "Cache-Control", "Expires"},
	"google":     {"Cdn-Cache-Control", "Cache-Control", "Expires"},
	"azure":      {"Cache-Control", "Expires"},
	"bunny":      {"Cache-Control", "Expires"},
	"vercel":     {"Vercel-Cdn-Cache-Control", "Cdn-Cache-Control", "Cache-Control", "Expires"},
	"netlify":    {"Netlify-Cdn-Cache-Control", "Cdn-Cache-Control", "Cache-Control", "Expires"},
	"varnish":    {"Surrogate-Control", "Cache-Control", "Expires"},
	"nginx":      {"X-Accel-Expires", "Cache-Control", "Expires"},
}

// read is what a cache makes of the fields that it reads, for as long as it would keep the
// response: the first that is there governs alone.
func read(t *rapid.T, cdn string, h http.Header) time.Duration {
	for _, field := range readsFirst[cdn] {
		all := lines(h, field)
		if len(all) == 0 {
			continue
		}
		if len(all) > 1 {
			t.Fatalf("%s in %d lines, of which %s may take any: %q", field, len(all), cdn, all)
		}
		switch value := all[0]; {
		case field == "X-Accel-Expires":
			seconds, ok := deltaSeconds(value)
			if !ok {
				t.Fatalf("%s: %q", field, value)
			}
			return seconds
		case field == "Expires", field == "Pragma":
			t.Fatalf("%s: %q is left, and %s reads it", field, value, cdn)
		case strings.Contains(value, "no-store") || strings.Contains(value, "private"):
			return 0
		default:
			d := ResponseDirectives(http.Header{"Cache-Control": all})
			if d.StaleWhileRevalidate > 0 || d.StaleIfError > 0 {
				t.Fatalf("%s: %q lets %s serve it stale", field, value, cdn)
			}
			if d.HasSMaxAge {
				return d.SMaxAge
			}
			return d.MaxAge
		}
	}
	t.Fatalf("%s is told nothing: %v", cdn, h)
	return 0
}

// anySent draws what an app may have sent: fields that permit and refuse, in any case and
// in several lines.
var anySent = rapid.Custom(func(t *rapid.T) http.Header {
	names := []string{
		"cache-control", "Expires", "pragma", "X-accel-expires", "No-Vary-Search", "netlify-vary", "Vary", "Content-Type", "Cache-Tag",
		"X-LiteSpeed-Cache-Control", "Fastly-Surrogate-Control",
	}
	for _, fields := range readsFirst {
		names = append(names, fields...)
	}
	slices.Sort(names)
	values := []string{
		"max-age=600", "public, s-maxage=86400, stale-while-revalidate=600", "60", "@4102444800", "no-store", "private", "max-age=0", "*",
		"Thu, 31 Dec 2099 23:59:59 GMT", `content="ESI/1.0", max-age=600+30`, "!no-store, max-age=1d", "must-understand, no-store, max-age=60", "a b", "", "text/html",
	}
	h := http.Header{}
	for range rapid.IntRange(0, 8).Draw(t, "fields") {
		name := rapid.SampledFrom(names).Draw(t, "name")
		switch rapid.IntRange(0, 3).Draw(t, "case") {
		case 0:
			name = strings.ToLower(name)
		case 1:
			name = strings.ToUpper(name)
		case 2:
			name = http.CanonicalHeaderKey(name)
		}
		h[name] = append(h[name], rapid.SampledFrom(values).Draw(t, "value"))
	}
	return h
})

// TestNobodyReadsMoreThanIsPermitted holds that, whatever the app sent and whichever CDN
// stands there in truth, no field that it reads says more than the proxy permitted: what
// is said in one dialect is no permission in another.
func TestNobodyReadsMoreThanIsPermitted(t *testing.T) {
	profiles := append(policies.Profiles(), nil)
	rapid.Check(t, func(t *rapid.T) {
		h, p := anySent.Draw(t, "h"), rapid.SampledFrom(profiles).Draw(t, "profile")
		age := time.Duration(rapid.Int64Range(0, 100).Draw(t, "age")) * time.Second
		ttl := time.Duration(rapid.Int64Range(0, 100).Draw(t, "ttl")) * time.Second
		browser := time.Duration(rapid.Int64Range(0, 100).Draw(t, "browser")) * time.Second
		permission := Permission{CDN: ttl + age, Browser: browser + age, Age: age}
		if ttl == 0 || browser == 0 {
			permission.Browser = 0
		}
		if ttl == 0 {
			permission = Permission{}
		}
		limit := permission.CDN
		switch rapid.IntRange(0, 2).Draw(t, "what") {
		case 0:
			limit = 0
			ForbidAs(h, p)
		case 1:
			limit = 0
			ForbidEverywhere(h)
		default:
			if !PermitAs(h, permission, p) {
				t.Fatal("the tag does not fit")
			}
		}
		for cdn := range readsFirst {
			if got := read(t, cdn, h); got > limit {
				t.Fatalf("%s keeps it for %v, and %v is permitted: %v", cdn, got, limit, h)
			}
		}
		if p != nil && p.AgeIgnored && limit > 0 {
			if got := read(t, p.Name, h); got > ttl {
				t.Fatalf("%s, which ignores Age, keeps it for %v, and %v is left: %v", p.Name, got, ttl, h)
			}
		}
		for name := range h {
			lower := strings.ToLower(name)
			if lower == "no-vary-search" || lower == "netlify-vary" || strings.HasSuffix(lower, "litespeed-cache-control") ||
				strings.HasSuffix(lower, "fastly-surrogate-control") {
				t.Fatalf("%s is left", name)
			}
		}
		if got, shared := Permitted(h); got > limit || limit == 0 && shared {
			t.Fatalf("Permitted reads %v, and %v is permitted: %v", got, limit, h)
		}
	})
}

// TestRefusalUpdatesPermission holds that a 304 which refuses takes back what the stored
// response was permitted: its fields replace those of their names and no others (RFC 9111
// §3.2), so that a field which a CDN reads before Cache-Control must be among them.
func TestRefusalUpdatesPermission(t *testing.T) {
	for _, p := range policies.Profiles() {
		rapid.Check(t, func(t *rapid.T) {
			stored, update := header("Content-Type: text/html"), anySent.Draw(t, "h")
			PermitAs(stored, Permission{CDN: time.Hour, Browser: time.Minute}, p)
			ForbidAs(update, p)
			maps.Copy(stored, update)
			for cdn := range readsFirst {
				if got := read(t, cdn, stored); got > 0 {
					t.Fatalf("spoken to as %s, %s keeps it for another %v: %v", p.Name, cdn, got, stored)
				}
			}
		})
	}
}

// TestPermitIsReadByItsOwn holds that the CDN of the profile gets the time that it is to
// have, and is refused nothing that was permitted.
func TestPermitIsReadByItsOwn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, p := anySent.Draw(t, "h"), rapid.SampledFrom(policies.Profiles()).Draw(t, "profile")
		age := time.Duration(rapid.Int64Range(0, 100).Draw(t, "age")) * time.Second
		ttl := time.Duration(rapid.Int64Range(1, 100).Draw(t, "ttl")) * time.Second
		PermitAs(h, Permission{CDN: ttl + age, Age: age}, p)
		want := ttl + age
		if p.AgeIgnored {
			want = ttl
		}
		if got := read(t, p.Name, h); got != want {
			t.Fatalf("%s keeps it for %v, want %v: %v", p.Name, got, want, h)
		}
	})
}

func BenchmarkPermitAs(b *testing.B) {
	for _, name := range []string{"generic", "cloudflare", "cloudfront", "nginx"} {
		b.Run(name, func(b *testing.B) {
			p, _ := policies.FindProfile(name)
			base := header("Content-Type: text/html", "Cache-Control: max-age=60", "Date: x", "Vary: Accept", "Etag: x", "Server: Caddy", "Last-Modified: x", "Content-Length: 1")
			b.ReportAllocs()
			for b.Loop() {
				PermitAs(base, Permission{CDN: time.Minute}, p)
			}
		})
	}
}
