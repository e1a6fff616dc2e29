package caddymodule

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/explain"
	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/policies"
)

// TestTrippedRoutesRefuseEverywhere: while a route is tripped, every answer of it refuses
// in every dialect, that of a visitor who is not for the cache at all included, and one
// that was under way when it was tripped.
func TestTrippedRoutesRefuseEverywhere(t *testing.T) {
	strongest := make(http.Header)
	httpcache.ForbidEverywhere(strongest)
	withRoutes(t, fmt.Sprintf(spokenRoutes, "fastly"), func(t *testing.T, c *ruled) {
		stop := func(route string) { c.breaker.trip(control.Tripped{Route: route}) }
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			if _, route, ok := strings.Cut(r.URL.Path, "/trips/"); ok {
				stop(route)
			}
			if strings.Contains(r.URL.Path, "cookie") {
				w.Header().Set("Set-Cookie", "session=1")
			}
			permissive(w, http.StatusOK, "the page")
			return nil
		}
		check := func(name, target string, headers ...string) {
			t.Helper()
			h := c.get(target, headers...).header
			for field, want := range strongest {
				if got := h[field]; !slices.Equal(got, want) {
					t.Errorf("%s: %s is %q, want %q", name, field, got, want)
				}
			}
		}
		check("its fill was refused while it was tripped", "/kept/cookie/trips/kept")
		check("a fill of it was under way", "/shared/trips/shared")
		check("its own answer was under way", "/never/trips/never", "Cookie", "session=1")
		check("a page", "/shared/1")
		check("someone who is signed in", "/shared/1", "Cookie", "session=1")
		check("another method's would be", "/shared/1", "Cache-Control", "no-store")
		stop("denied")
		check("a request that is denied", "/denied/?attack=1")
		if h := c.get("/elsewhere").header; h["Edge-Control"] != nil {
			t.Errorf("what is not tripped: %v", h)
		}
	})
}

// TestChosenTagHeaderPurges: what an app says in the field that was chosen for the CDN is
// known to the proxy's own purge as well.
func TestChosenTagHeaderPurges(t *testing.T) {
	withRoutes(t, fmt.Sprintf(spokenRoutes, "cloudfront, tag_header: My-Tags"), func(t *testing.T, c *ruled) {
		c.origin = func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("My-Tags", "Shop, list")
			w.Header().Set("Cache-Control", "max-age=300")
			page(w, "the page")
			return nil
		}
		c.get("/shared/1")
		if a := c.get("/shared/1"); a.header.Get("My-Tags") != "shop,list" {
			t.Fatalf("the hit has the tags %q", a.header["My-Tags"])
		}
		purge := new(purger)
		if _, err := purge.plan([]*Handler{c.Handler}, control.Purge{Tag: "Shop"}); err != nil {
			t.Fatal(err)
		}
		if purge.run(); c.objects() != 0 {
			t.Errorf("%d objects are left after the purge of their tag", c.objects())
		}
	})
}

// TestExplainSpeaksAsTheHandlerDoes: what explain says that each CDN would be told is what
// the handler behind it tells the next two visitors.
func TestExplainSpeaksAsTheHandlerDoes(t *testing.T) {
	for _, p := range policies.Profiles() {
		for name, answer := range map[string][]string{
			"a page":       {"Content-Type", "text/html", "Cache-Control", "max-age=300"},
			"an old image": {"Content-Type", "image/png", "Cache-Control", "max-age=300", "Age", "100", "Surrogate-Control", "max-age=9", "Cf-Edge-Cache", "cache"},
			"short":        {"Content-Type", "text/html", "Cache-Control", "max-age=30", "Vary", "Accept-Language", "Expires", "Thu, 31 Dec 2099 23:59:59 GMT"},
			"tagged":       {"Cache-Control", "max-age=300", "Cache-Tag", "A b, c:d", "Surrogate-Key", "x Y", "Content-Type", "text/html"},
			"many tags":    {"Cache-Control", "max-age=300", "Cache-Tag", strings.Repeat("ab,", 5) + longTags(600), "Content-Type", "text/css"},
			"private":      {"Content-Type", "text/html", "Cache-Control", "private"},
		} {
			t.Run(p.Name+"/"+name, func(t *testing.T) {
				routes := fmt.Sprintf(spokenRoutes, p.Name)
				withRoutes(t, routes, func(t *testing.T, c *ruled) {
					c.origin = say(http.StatusOK, "the page", answer...)
					first, second := c.get("/shared/1"), c.get("/shared/1")

					policy, err := policies.ParseYAML("policy.yaml", []byte("version: 1\nroutes:\n"+routes))
					if err != nil {
						t.Fatal(err)
					}
					compiled, err := policies.Compile(policy, "bubble")
					if err != nil {
						t.Fatal(err)
					}
					e, err := explain.Explain(policy, compiled, explain.Request{URL: "http://example.com/shared/1"})
					if err != nil {
						t.Fatal(err)
					}
					response := explain.Response{Status: http.StatusOK, Header: make(http.Header), Body: []byte("the page")}
					for i := 0; i < len(answer); i += 2 {
						response.Header.Add(answer[i], answer[i+1])
					}
					e.Judge(response)
					if err := e.Speak([]string{explain.AllProfiles}); err != nil {
						t.Fatal(err)
					}
					i := slices.IndexFunc(e.Profiles, func(s explain.Spoken) bool { return s.Profile == p.Name })
					said := e.Profiles[i]
					saysAs(t, "the first", p, first.header, said.Refuse)
					if second.hit() && said.Reasons == nil {
						saysAs(t, "the hit", p, second.header, said.Share)
					} else if said.Share != nil {
						t.Errorf("it is no hit, and explain says %v", said.Share)
					} else if h := second.header["Cache-Control"]; !slices.Equal(h, []string{"private, no-store"}) {
						t.Errorf("explain says that nothing is shared, and the handler %q", h)
					}
				})
			})
		}
	}
}

func longTags(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "t%d,", i)
	}
	return b.String()
}

// saysAs compares the fields by which caches are told with those that explain has.
func saysAs(t *testing.T, what string, p *policies.Profile, live http.Header, said []explain.Field) {
	t.Helper()
	told := make(http.Header)
	for name, lines := range live {
		if httpcache.Tells(name, p) {
			told[name] = lines
		}
	}
	if got, want := fmt.Sprint(told), fmt.Sprint(headerOf(said)); got != want {
		t.Errorf("%s: the handler says\n%s, explain\n%s", what, got, want)
	}
}
