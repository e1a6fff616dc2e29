package caddymodule

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cacheward/cacheward/policies"
)

// originPage is the handler behind, as reverse_proxy passes an app's page on: with its
// length, in pieces of 32 KiB.
func originPage(body []byte, control string) caddyhttp.Handler {
	const piece = 32 << 10
	length := []string{strconv.Itoa(len(body))}
	return caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		h := w.Header()
		h["Content-Type"] = []string{"text/html; charset=utf-8"}
		h["Content-Length"] = length
		h["Date"] = []string{"Mon, 05 Jan 2026 10:00:00 GMT"}
		h["Etag"] = []string{`"33a64df551425fcc55e4d42a148795d9f25f89d4"`}
		h["Cache-Control"] = []string{control}
		h["Vary"] = []string{"Accept-Encoding"}
		w.WriteHeader(http.StatusOK)
		for rest := body; len(rest) > 0; {
			n, err := w.Write(rest[:min(piece, len(rest))])
			if err != nil {
				return err
			}
			rest = rest[n:]
		}
		return nil
	})
}

// originPolicy has a route for each way to the origin.
func originPolicy() *policies.Policy {
	return &policies.Policy{
		Identity: &policies.Identity{Cookies: []string{"session"}},
		Routes: []policies.Route{
			{Name: "never", Match: policies.Match{Paths: []string{"/never/*"}}, Cache: policies.Cache{Kind: policies.CacheNever}},
			{
				Name: "trusted", Match: policies.Match{Paths: []string{"/trusted/*"}},
				Cache:   policies.Cache{Kind: policies.CacheOrigin},
				Inspect: &policies.Choice{Rule: policies.InspectOff, Reason: "what inspecting costs is the difference to this"},
				Cookies: &policies.Inputs{Others: policies.Strip},
			},
			{
				Name: "inspected", Match: policies.Match{Paths: []string{"/inspected/*"}},
				Cache:   policies.Cache{Kind: policies.CacheOrigin},
				Cookies: &policies.Inputs{Others: policies.Strip},
			},
		},
	}
}

// BenchmarkStepFill is a miss that is stored, with admission once: the handler alone, from
// the request to the object.
func BenchmarkStepFill(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10} {
		for _, route := range []string{"trusted", "inspected"} {
			b.Run(fmt.Sprintf("%s/%dKiB", route, size>>10), func(b *testing.B) {
				h := benchedUnder(b, "none", originPolicy())
				next := originPage(shopPage(size), "public, max-age=300")
				b.ReportAllocs()
				n := 0
				for b.Loop() {
					n++
					w := &discard{make(http.Header)}
					r := browserRequest(b, "/"+route+"/"+strconv.Itoa(n), w)
					if err := h.ServeHTTP(w, r, next); err != nil {
						b.Fatal(err)
					}
				}
				eventually(b, "the objects", func() bool { return h.shared.store.Stats().Objects > 0 })
			})
		}
	}
}

// BenchmarkStepOwn is a visitor's own request and answer: next alone is what each is held
// against.
func BenchmarkStepOwn(b *testing.B) {
	next := originPage(shopPage(1<<10), "private, no-store")
	run := func(name, path, cookie string) {
		b.Run(name, func(b *testing.B) {
			var h caddyhttp.MiddlewareHandler = nextAlone{}
			if path != "" {
				h = benchedUnder(b, "none", originPolicy())
			}
			w := &discard{make(http.Header)}
			r := browserRequest(b, path+"/page", w)
			r.Header.Set("Cookie", cookie)
			if err := h.ServeHTTP(w, r, next); err != nil { // the refusal is remembered from here on
				b.Fatal(err)
			}
			bench(b, h, r, w, next)
		})
	}
	run("next", "", "_ga=1")
	run("never", "/never", "_ga=1")
	run("unrouted", "/other", "_ga=1")
	run("session", "/trusted", "session=0af7651916cd43dd")
	run("refused", "/inspected", "_ga=1")
}

// BenchmarkStepSpool is the body of a fill from its writer to where it is stored.
func BenchmarkStepSpool(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			var room budget
			room.limit.Store(1 << 30)
			piece := make([]byte, min(size, 32<<10))
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				s := newSpool(16<<20, &room, func(policies.Reason) {})
				for n := 0; n < size; n += len(piece) {
					_, _ = s.Write(piece)
				}
				s.end(nil)
				s.release()
			}
		})
	}
}

// BenchmarkStepCanonical is the making of a canonical request.
func BenchmarkStepCanonical(b *testing.B) {
	j := &job{parts: &policies.Parts{Scheme: "http", Host: "example.com", EscapedPath: "/page", Params: []string{"ref=mail"}}}
	w := &discard{make(http.Header)}
	b.ReportAllocs()
	for b.Loop() {
		canonicalRequest(b.Context(), j, w)
	}
}

// BenchmarkStepUnseen is the look at what reverse_proxy has removed.
func BenchmarkStepUnseen(b *testing.B) {
	r := browserRequest(b, "/page", &discard{make(http.Header)})
	expect(r.Context())
	repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	repl.Map(func(string) (any, bool) { return nil, false })
	b.ReportAllocs()
	for b.Loop() {
		unseen(r.Context())
	}
}

// BenchmarkStepHead is what the gate says of a fill's head.
func BenchmarkStepHead(b *testing.B) {
	h := benchedUnder(b, "none", originPolicy())
	j := &job{rule: h.policy.Rules()[1], parts: &policies.Parts{}, path: "/trusted/page"}
	f := &fill{}
	f.writer.wroteFinal, f.writer.status = true, http.StatusOK
	f.writer.final = http.Header{
		"Content-Type": {"text/html; charset=utf-8"}, "Content-Length": {"65536"}, "Date": {"Mon, 05 Jan 2026 10:00:00 GMT"},
		"Etag": {`"33a64df551425fcc"`}, "Cache-Control": {"public, max-age=300"}, "Vary": {"Accept-Encoding"},
	}
	b.ReportAllocs()
	for b.Loop() {
		if reasons := h.checkHead(j, f); reasons != nil {
			b.Fatal(reasons)
		}
	}
}

// shopPage is a page of n bytes, as shops have them.
func shopPage(n int) []byte {
	b := []byte(`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title></head><body>`)
	for i := 0; len(b) < n; i++ {
		b = fmt.Appendf(b, `<article class="card" id="item-%d"><a href="/items/%d?from=list"><img src="/img/%x.jpg" alt="A thing"></a><h2>Thing number %d</h2><p>It is a good thing, and costs %d.%02d.</p></article>`+"\n", i, i, i*2654435761, i, i%97, i%100)
	}
	return b[:n]
}
