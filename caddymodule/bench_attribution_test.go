package caddymodule

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/cacheward/cacheward/policies"
)

// BenchmarkAttribution is a hit on a route that only strips the code, and hits on one that
// carries it: of visitors who have none, of one who comes again, and landings.
func BenchmarkAttribution(b *testing.B) {
	strips := &policies.Policy{Routes: []policies.Route{{
		Name: "page", Match: policies.Match{Paths: []string{"/page"}}, Cache: policies.Cache{Kind: policies.CacheTTL, TTL: policies.Duration(1 << 50)},
		Params: &policies.Inputs{Strip: []string{"ref"}}, Cookies: &policies.Inputs{Strip: []string{"@analytics"}},
	}}}
	carries := *strips
	carries.Routes = []policies.Route{strips.Routes[0]}
	carries.Routes[0].Params = nil
	carries.Routes[0].Attribution = &policies.Attribution{Params: []string{"ref"}, Deliver: &policies.Deliver{Paths: []string{"/register"}}}
	sealed := carries
	sealed.Routes = []policies.Route{carries.Routes[0]}
	encrypted := *carries.Routes[0].Attribution
	encrypted.Encrypt = policies.On
	sealed.Routes[0].Attribution = &encrypted
	for _, c := range []struct {
		name, query string
		policy      *policies.Policy
		again       bool
	}{
		{"stripped", "ref=friend-4711", strips, false},
		{"nothing", "", &carries, false},
		{"landing", "ref=friend-4711", &carries, false},
		{"landing-sealed", "ref=friend-4711", &sealed, false},
		{"again", "ref=friend-4711", &carries, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			h := benchedUnder(b, "none", c.policy)
			if h.policy.HasAttribution() {
				h.attributing = &attributing{cookies: &cookieKeys{storage: &certmagic.FileStorage{Path: b.TempDir()}, logger: zap.NewNop()}}
			}
			w := &discard{make(http.Header)}
			r := browserRequest(b, "/page?"+c.query, w)
			next := benchPage(make([]byte, 4<<10))
			vars := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
			cookies := r.Header["Cookie"]
			ask := func() {
				r.URL.RawQuery, r.RequestURI = c.query, "/page"
				r.Header["Cookie"] = append(cookies[:0:0], cookies...)
				clear(w.header)
				clear(vars)
				if err := h.ServeHTTP(w, r, next); err != nil {
					b.Fatal(err)
				}
			}
			ask()
			if c.again {
				carried, _, _ := strings.Cut(w.header.Get("Set-Cookie"), ";")
				cookies = []string{cookies[0] + "; " + carried}
			}
			eventually(b, "the object", func() bool { return h.shared.store.Stats().Objects == 1 })
			b.ReportAllocs()
			for b.Loop() {
				ask()
			}
			if w.header.Get("Age") == "" || (w.header.Get("Set-Cookie") != "") != strings.HasPrefix(c.name, "landing") {
				b.Fatalf("%v", w.header)
			}
		})
	}
}
