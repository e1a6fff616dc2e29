package caddymodule

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cacheward/cacheward/policies"
)

// BenchmarkHitOrigin is a hit on a cache: origin route: with no Vary, and as one of
// several variants of its URL (RFC 9111 §4.1).
func BenchmarkHitOrigin(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10} {
		for _, variants := range []int{0, 1, 64} {
			b.Run(fmt.Sprintf("%dKiB/variants=%d", size>>10, variants), func(b *testing.B) {
				h, r, w, next := originHit(b, size, variants)
				b.SetBytes(int64(size))
				bench(b, h, r, w, next)
				if w.header.Get("Age") == "" {
					b.Fatalf("no hit: %v", w.header)
				}
			})
		}
	}
}

// BenchmarkConditional is a hit that is answered with 304 or with a part.
func BenchmarkConditional(b *testing.B) {
	for _, c := range []struct{ name, header, value string }{
		{"304", "If-None-Match", `"33a64df551425fcc55e4d42a148795d9f25f89d4"`},
		{"206", "Range", "bytes=100-199"},
		{"206 of 3 parts", "Range", "bytes=0-9, 100-199, -10"},
	} {
		b.Run(c.name, func(b *testing.B) {
			h, r, w, next := originHit(b, 64<<10, 0)
			r.Header.Set(c.header, c.value)
			bench(b, h, r, w, next)
		})
	}
}

// originHit is a handler with the response in its store, and a request for it. With
// variants the store has that many of them, chosen by Accept-Language.
func originHit(b *testing.B, size, variants int) (*Handler, *http.Request, *discard, caddyhttp.Handler) {
	b.Helper()
	h := benchedUnder(b, "none", &policies.Policy{Routes: []policies.Route{{
		Name:    "page",
		Match:   policies.Match{Paths: []string{"/page"}},
		Cache:   policies.Cache{Kind: policies.CacheOrigin},
		Cookies: &policies.Inputs{Others: policies.Strip},
	}}})
	page := benchPage(make([]byte, size))
	next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		w.Header()["Cache-Control"] = []string{"public, max-age=86400"}
		if variants > 0 {
			w = withVary{w}
		}
		return page.ServeHTTP(w, r)
	})
	w := &discard{make(http.Header)}
	var r *http.Request
	for i := range max(1, variants) {
		r = browserRequest(b, "/page", w)
		r.Header.Set("Accept-Language", fmt.Sprintf("x-%d", i))
		if err := h.ServeHTTP(w, r, next); err != nil {
			b.Fatal(err)
		}
		eventually(b, "the fill to be judged", func() bool {
			h.shared.flights.mu.Lock()
			defer h.shared.flights.mu.Unlock()
			return len(h.shared.flights.byKey) == 0
		})
	}
	return h, r, w, next
}

// withVary names what chooses among the variants.
type withVary struct{ http.ResponseWriter }

func (w withVary) Write(p []byte) (int, error) {
	w.Header()["Vary"] = []string{"Accept-Language"}
	return w.ResponseWriter.Write(p)
}
