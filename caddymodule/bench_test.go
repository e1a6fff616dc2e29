package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/policies"
)

// discard is a response that goes nowhere.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

// benched is a handler without Caddy around it.
func benched(b testing.TB, serves string) *Handler {
	b.Helper()
	return benchedUnder(b, serves, &policies.Policy{
		Identity: &policies.Identity{Cookies: []string{"session", "remember_*"}},
		Routes: []policies.Route{{
			Name:    "page",
			Match:   policies.Match{Hosts: []string{"example.com"}, Paths: []string{"/page"}},
			Cache:   policies.Cache{Kind: policies.CacheTTL, TTL: policies.Duration(1 << 50)},
			Params:  &policies.Inputs{Key: []string{"ref"}, Strip: []string{"@analytics"}},
			Cookies: &policies.Inputs{Strip: []string{"@analytics"}},
		}},
	})
}

func benchedUnder(b testing.TB, serves string, p *policies.Policy) *Handler {
	b.Helper()
	sampling, err := audit.ParseSampling(serves)
	if err != nil {
		b.Fatal(err)
	}
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	h := &Handler{workers: newWorkers(nil), placed: new(atomic.Pointer[place]), metrics: processMetrics, breaker: new(breaker), ID: "bench"}
	h.logger = zap.New(zapcore.NewCore(encoder, zapcore.AddSync(io.Discard), zapcore.InfoLevel))
	h.audit = audit.New(h.logger, audit.Options{Serves: sampling})
	b.Cleanup(h.audit.Close)
	if err := h.provisionLimits(); err != nil {
		b.Fatal(err)
	}
	if h.policy, err = policies.Compile(p, "bench"); err != nil {
		b.Fatal(err)
	}
	if h.shared, err = newShared(&Memory{Size: 64 << 20}); err != nil {
		b.Fatal(err)
	}
	h.shared.flights.max.Store(int64(h.Limits.MaxFills))
	h.shared.budget.limit.Store(h.Limits.FillMemory)
	h.metrics.enter(h)
	b.Cleanup(func() {
		if err := h.Cleanup(); err != nil {
			b.Error(err)
		}
		if err := h.shared.Destruct(); err != nil {
			b.Error(err)
		}
	})
	return h
}

// browserRequest is what a browser sends, prepared as Caddy's server does.
func browserRequest(b testing.TB, target string, w http.ResponseWriter) *http.Request {
	b.Helper()
	r, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Host = "example.com"
	r.RequestURI = target
	r.RemoteAddr = "203.0.113.7:1234"
	for name, value := range map[string]string{
		"User-Agent":                "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
		"Accept":                    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
		"Accept-Language":           "ja,en-US;q=0.7,en;q=0.3",
		"Accept-Encoding":           "gzip, deflate, br, zstd",
		"Referer":                   "https://hapitas.example/",
		"Cookie":                    "_ga=GA1.1.1234567890.1234567890; _gid=GA1.2.123.456",
		"Upgrade-Insecure-Requests": "1",
		"Sec-Fetch-Dest":            "document",
		"Sec-Fetch-Mode":            "navigate",
		"Sec-Fetch-Site":            "same-origin",
		"Priority":                  "u=0, i",
		"X-Forwarded-For":           "198.51.100.4",
	} {
		r.Header.Set(name, value)
	}
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
}

// benchPage is the handler behind, as an app answers.
func benchPage(body []byte) caddyhttp.Handler {
	return caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		h := w.Header()
		h["Content-Type"] = []string{"text/html; charset=utf-8"}
		h["Etag"] = []string{`"33a64df551425fcc55e4d42a148795d9f25f89d4"`}
		h["Vary"] = []string{"Accept-Encoding"}
		h["X-Frame-Options"] = []string{"DENY"}
		_, err := w.Write(body)
		return err
	})
}

// bench serves the request over and over, each time as one that has just arrived.
func bench(b *testing.B, h caddyhttp.MiddlewareHandler, r *http.Request, w *discard, next caddyhttp.Handler) {
	b.Helper()
	vars := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		clear(vars)
		w.header["Server"] = serverHeader
		if err := h.ServeHTTP(w, r, next); err != nil {
			b.Fatal(err)
		}
	}
}

var serverHeader = []string{"Caddy"}

// BenchmarkHit is the handler alone: no server, no connection.
func BenchmarkHit(b *testing.B) {
	for _, size := range []int{1 << 10, 4 << 10, 64 << 10} {
		for _, serves := range []string{"none", "all"} {
			b.Run(fmt.Sprintf("%dKiB/audit=%s", size>>10, serves), func(b *testing.B) {
				h := benched(b, serves)
				w := &discard{make(http.Header)}
				r := browserRequest(b, "/page?ref=mail", w)
				next := benchPage(make([]byte, size))
				if err := h.ServeHTTP(w, r, next); err != nil {
					b.Fatal(err)
				}
				eventually(b, "the object", func() bool { return h.shared.store.Stats().Objects == 1 })
				b.SetBytes(int64(size))
				bench(b, h, r, w, next)
				if w.header.Get("Age") == "" {
					b.Fatalf("no hit: %v", w.header)
				}
			})
		}
	}
}

// BenchmarkBypass is a visitor with a session; next alone is what it is held
// against.
func BenchmarkBypass(b *testing.B) {
	const size = 4 << 10
	next := benchPage(make([]byte, size))
	b.Run("next", func(b *testing.B) {
		w := &discard{make(http.Header)}
		bench(b, nextAlone{}, browserRequest(b, "/page?ref=mail", w), w, next)
	})
	for _, c := range []struct {
		name string
		log  func(*Handler) *audit.Log
	}{
		{"audit=off", func(*Handler) *audit.Log { return audit.New(nil, audit.Options{}) }},
		{"audit=all", func(h *Handler) *audit.Log { return h.audit }},
	} {
		b.Run(c.name, func(b *testing.B) {
			h := benched(b, "all")
			h.audit = c.log(h)
			w := &discard{make(http.Header)}
			r := browserRequest(b, "/page?ref=mail", w)
			r.Header.Set("Cookie", "session=0af7651916cd43dd")
			bench(b, h, r, w, next)
		})
	}
}

type nextAlone struct{}

func (nextAlone) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return next.ServeHTTP(w, r)
}
