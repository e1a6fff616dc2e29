package caddymodule

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/policies"
)

// spokenRoutes are routes behind a CDN of the profile, for every outcome.
const spokenRoutes = `  - {name: shared, match: {paths: [/shared/*]}, cache: origin, downstream: {ttl: 1m, browser: 10s}}
  - {name: kept, match: {paths: [/kept/*]}, cache: origin}
  - {name: relayed, match: {paths: [/relayed/*]}, cache: origin, downstream: origin}
  - {name: denied, match: {paths: [/denied/*]}, cache: 5m, params: {deny: [attack]}}
  - {name: never, match: {paths: [/never/*]}, cache: never}
downstream: {profile: %s}
`

// TestProfilesSpoken: behind each CDN, every answer says private, no-store in its dialect
// too, and that of an admitted object gives it its time; nothing of what the app sent is
// left beside.
func TestProfilesSpoken(t *testing.T) {
	for _, p := range policies.Profiles() {
		t.Run(p.Name, func(t *testing.T) {
			withRoutes(t, fmt.Sprintf(spokenRoutes, p.Name), func(t *testing.T, c *ruled) {
				c.origin = func(w http.ResponseWriter, r *http.Request) error {
					switch {
					case strings.HasSuffix(r.URL.Path, "/broken"):
						return errors.New("no route to the app")
					case strings.HasSuffix(r.URL.Path, "/cookie"):
						w.Header().Set("Set-Cookie", "session=1")
					}
					permissive(w, http.StatusOK, "the page")
					return nil
				}
				for _, s := range []struct {
					name, target string
					headers      []string
					permits      bool
				}{
					{"fill", "/shared/1", nil, false},
					{"hit", "/shared/1", nil, true},
					{"hit, not modified", "/shared/1", []string{"If-None-Match", `"v1"`}, true},
					{"hit, a part of it", "/shared/1", []string{"Range", "bytes=0-2"}, true},
					{"hit, a condition that does not hold", "/shared/1", []string{"If-Match", `"v0"`}, false},
					{"hit, unsatisfiable range", "/shared/1", []string{"Range", "bytes=99-"}, false},
					{"bypass", "/shared/1", []string{"Cookie", "session=1"}, false},
					{"refused", "/shared/cookie", nil, false},
					{"remembered", "/shared/cookie", nil, false},
					{"broken origin", "/shared/broken", nil, false},
					{"fill without permission", "/kept/1", nil, false},
					{"hit without permission", "/kept/1", nil, false},
					{"refused where the origin is relayed", "/relayed/cookie", nil, false},
					{"denied", "/denied/?attack=1", nil, false},
					{"never", "/never/1", nil, false},
					{"no route", "/elsewhere", nil, false},
				} {
					a := c.get(s.target, s.headers...)
					checkSpoken(t, s.name, p, a.header, s.permits)
				}
			})
		})
	}
}

// checkSpoken compares the fields about caching with those of the profile. The answers
// whose head they are were made this moment.
func checkSpoken(t *testing.T, what string, p *policies.Profile, h http.Header, permits bool) {
	t.Helper()
	want := map[string]string{"Cache-Control": "private, no-store"}
	switch {
	case permits && p.Share.Name == "Cache-Control":
		want["Cache-Control"] = "public, max-age=10, " + p.Share.Value + "60"
	case permits:
		want["Cache-Control"], want[p.Share.Name] = "public, max-age=10", p.Share.Value+"60"
	case p.Refuse.Name != "":
		want[p.Refuse.Name] = p.Refuse.Value
	}
	got := make(map[string]string)
	for _, name := range permissions {
		if lines := h.Values(name); len(lines) > 0 {
			got[http.CanonicalHeaderKey(name)] = strings.Join(lines, " | ")
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
	if varies := slices.Contains(h["Vary"], "Cookie"); varies != (p.VaryCookie && !permits) {
		t.Errorf("%s: Vary is %q", what, h["Vary"])
	}
}

// TestErrorRoutesSpeak: no rule is known of an error's page; the policy's CDN is.
func TestErrorRoutesSpeak(t *testing.T) {
	origin := newOrigin(t, func(w http.ResponseWriter, _ *http.Request) { permissive(w, http.StatusOK, "sorry") })
	e := startEdge(t, fmt.Sprintf(`handle_errors {
		cacheward {
			id errors
			downstream {
				profile vercel
			}
		}
		reverse_proxy %s
	}
	error /broken 500`, origin))
	a := e.get("/broken")
	if a.err != nil || a.body != "sorry" {
		t.Fatalf("%d %q, %v", a.status, a.body, a.err)
	}
	vercel, _ := policies.FindProfile("vercel")
	checkSpoken(t, "error", vercel, a.header, false)
}

// TestTagsSpoken: the app's tags stand where the CDN looks for them; the proxy's own
// purge knows them as the app wrote them; and what the CDN could not be told in full is
// not shared with it, and recorded so.
func TestTagsSpoken(t *testing.T) {
	withRoutes(t, fmt.Sprintf(spokenRoutes, "akamai"), func(t *testing.T, c *ruled) {
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			tags := "Articles, a:b, " + strings.Repeat("x", 129)
			if strings.HasSuffix(r.URL.Path, "/many") {
				for i := range 126 {
					tags += fmt.Sprintf(",t%d", i)
				}
			}
			w.Header().Set("Cache-Tag", tags)
			w.Header().Set("Surrogate-Key", "articles shop")
			w.Header().Set("Cache-Control", "max-age=300")
			page(w, "the page")
			return nil
		}
		akamai, _ := policies.FindProfile("akamai")
		short := func(tag string) string { return httpcache.ShortTag(tag, akamai.Tags) }
		c.get("/shared/1")
		a := c.get("/shared/1")
		if !a.hit() {
			t.Fatalf("Cache-Status: %q", a.header["Cache-Status"])
		}
		want := []string{"articles," + short("a:b") + "," + short(strings.Repeat("x", 129)) + ",shop"}
		if got := a.header["Edge-Cache-Tag"]; !slices.Equal(got, want) {
			t.Errorf("Edge-Cache-Tag: %q, want %q", got, want)
		}
		if a.header["Cache-Tag"] != nil || a.header["Surrogate-Key"] != nil {
			t.Errorf("tags for nobody: %v", a.header)
		}
		if reasons := c.logged("serve", "reasons"); reasons[len(reasons)-1] != "" {
			t.Errorf("reasons of the hit: %q", reasons)
		}

		c.get("/shared/many")
		a = c.get("/shared/many")
		if !a.hit() {
			t.Fatalf("what the CDN cannot purge the proxy can: %q", a.header["Cache-Status"])
		}
		checkSpoken(t, "too many", akamai, a.header, false)
		if a.header["Edge-Cache-Tag"] != nil {
			t.Errorf("some of the tags: %q", a.header["Edge-Cache-Tag"])
		}
		if reasons := c.logged("serve", "reasons"); reasons[len(reasons)-1] != "[downstream-tags]" {
			t.Errorf("reasons of the hit: %q", reasons)
		}

		if n := c.objects(); n != 2 {
			t.Fatalf("%d objects", n)
		}
		purge := new(purger)
		if _, err := purge.plan([]*Handler{c.Handler}, control.Purge{Tag: "Articles"}); err != nil {
			t.Fatal(err)
		}
		if purge.run(); c.objects() != 0 {
			t.Errorf("%d objects are left after the purge of their tag", c.objects())
		}
	})
}

// TestProfileChangedByReload: who changes the CDN keeps what is stored, and the next
// visitor's answer speaks to the new one.
func TestProfileChangedByReload(t *testing.T) {
	const site = `cacheward {
		downstream {
			profile %s
		}
		route page {
			path /*
			cache 5m
			downstream 1m
		}
	}
	reverse_proxy %s`
	origin := newOrigin(t, func(w http.ResponseWriter, _ *http.Request) { permissive(w, http.StatusOK, "the page") })
	e := startEdge(t, fmt.Sprintf(site, "fastly", origin))
	e.stored("/")
	if a := e.ok("/"); !a.hit() || a.header.Get("Surrogate-Control") == "" {
		t.Fatalf("head: %v", a.header)
	}
	if err := e.load(fmt.Sprintf(site, "netlify", origin)); err != nil {
		t.Fatal(err)
	}
	a := e.ok("/")
	if !a.hit() || a.header.Get("Surrogate-Control") != "" {
		t.Errorf("head: %v", a.header)
	}
	atMost(t, "Netlify-CDN-Cache-Control", a.header.Get("Netlify-CDN-Cache-Control"), "max-age=", time.Minute)
}
