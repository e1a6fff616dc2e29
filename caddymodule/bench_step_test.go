package caddymodule

import (
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/policies"
)

// stepPolicy is a page with parameters and cookies that are stripped.
func stepPolicy(downstream *policies.Downstream) *policies.Policy {
	return &policies.Policy{
		Identity: &policies.Identity{Cookies: []string{"session", "remember_*"}},
		Routes: []policies.Route{{
			Name:       "page",
			Match:      policies.Match{Hosts: []string{"example.com"}, Paths: []string{"/page"}},
			Cache:      policies.Cache{Kind: policies.CacheTTL, TTL: policies.Duration(1 << 50)},
			Params:     &policies.Inputs{Key: []string{"page"}, Strip: []string{"@analytics", "ref"}},
			Cookies:    &policies.Inputs{Strip: []string{"@analytics"}},
			Downstream: downstream,
		}},
	}
}

const strippedQuery = "utm_source=mail&utm_campaign=c4711&ref=friend-4711"

// stepped is a handler under the policy, and a browser's request for the page.
func stepped(b testing.TB, serves string, downstream *policies.Downstream) (*Handler, *http.Request, *discard) {
	b.Helper()
	w := &discard{make(http.Header)}
	return benchedUnder(b, serves, stepPolicy(downstream)), browserRequest(b, "/page?"+strippedQuery, w), w
}

// BenchmarkStepBegin is what every request costs before it is looked at and when it has
// ended, without a record.
func BenchmarkStepBegin(b *testing.B) {
	h, r, w := stepped(b, "none", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.begin(w, r, nil, varsOf(r)).end()
	}
}

// BenchmarkStepRecord is the record of a hit, and counting it. What the queue has no room
// for is dropped.
func BenchmarkStepRecord(b *testing.B) {
	for _, serves := range []string{"none", "all"} {
		b.Run("audit="+serves, func(b *testing.B) {
			h, r, w := stepped(b, serves, nil)
			storePage(b, h, r, w)
			x := h.begin(w, r, nil, varsOf(r))
			x.rule = h.policy.Route(&x.req)
			x.rule.Dispose(&x.req, &x.parts)
			x.digestKey()
			x.event, x.outcome, x.status = audit.EventServe, OutcomeHit, http.StatusOK
			x.object, _ = h.shared.store.Get(x.key, x.keyBytes)
			if x.object == nil {
				b.Fatal("no object")
			}
			b.ReportAllocs()
			for b.Loop() {
				x.record()
			}
		})
	}
}

// BenchmarkStepHit is a whole hit, the handler alone, with parameters that are stripped.
func BenchmarkStepHit(b *testing.B) {
	permits := &policies.Downstream{TTL: policies.Duration(60e9), Browser: policies.Duration(10e9)}
	for _, c := range []struct {
		name, serves, field, value string
		downstream                 *policies.Downstream
	}{
		{name: "audit=none", serves: "none"},
		{name: "audit=all", serves: "all"},
		{name: "permitted", serves: "none", downstream: permits},
		{name: "304", serves: "none", field: "If-None-Match", value: `"33a64df551425fcc55e4d42a148795d9f25f89d4"`},
	} {
		b.Run(c.name, func(b *testing.B) {
			h, r, w := stepped(b, c.serves, c.downstream)
			next := storePage(b, h, r, w)
			if c.field != "" {
				r.Header.Set(c.field, c.value)
			}
			bench(b, h, r, w, next)
			if w.header.Get("Age") == "" {
				b.Fatalf("no hit: %v", w.header)
			}
		})
	}
}

// storePage has the page that the request asks for in the store.
func storePage(b testing.TB, h *Handler, r *http.Request, w *discard) caddyhttp.Handler {
	b.Helper()
	next := benchPage(make([]byte, 1<<10))
	if err := h.ServeHTTP(w, r, next); err != nil {
		b.Fatal(err)
	}
	eventually(b, "the object", func() bool { return h.shared.store.Stats().Objects == 1 })
	clear(r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any))
	return next
}

// BenchmarkStepPass is the request of a visitor with a session, and one for a page that is
// known not to be shareable. The handler behind, which both have, is in it.
func BenchmarkStepPass(b *testing.B) {
	b.Run("session", func(b *testing.B) {
		h, r, w := stepped(b, "none", nil)
		r.Header.Set("Cookie", "session=0af7651916cd43dd")
		bench(b, h, r, w, benchPage(make([]byte, 1<<10)))
	})
	b.Run("refused", func(b *testing.B) {
		h, r, w := stepped(b, "none", nil)
		next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
			h := w.Header()
			h["Content-Type"], h["Set-Cookie"] = []string{"text/html"}, []string{"sid=1"}
			_, err := w.Write(nil)
			return err
		})
		if err := h.ServeHTTP(w, r, next); err != nil {
			b.Fatal(err)
		}
		eventually(b, "the refusal", func() bool { return h.shared.refusals.Len() == 1 })
		bench(b, h, r, w, next)
	})
}
