package policies

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// The benchmarks whose names begin with Step are those of the steps of a request, in all
// packages that it goes through: go test ./... -run xxx -bench Step.

// benchPolicy has n routes of a shop, each with a host of its own, and a glob in ten.
func benchPolicy(n int) *Policy {
	p := &Policy{Identity: &Identity{Cookies: []string{"session", "remember_*"}}}
	for i := range n {
		path := "/page"
		if i%10 == 9 {
			path = "/items/*/page"
		}
		p.Routes = append(p.Routes, Route{
			Name:    fmt.Sprintf("route-%d", i),
			Match:   Match{Hosts: []string{fmt.Sprintf("shop-%d.example.com", i)}, Paths: []string{path}},
			Cache:   Cache{Kind: CacheTTL, TTL: Duration(1 << 50)},
			Params:  &Inputs{Key: []string{"page"}, Strip: []string{"@analytics", "ref"}},
			Cookies: &Inputs{Strip: []string{"@analytics"}},
		})
	}
	return p
}

// benchRequest is a browser's, with n parameters that are stripped.
func benchRequest(n int) *Request {
	pairs := make([]string, n)
	for i := range pairs {
		pairs[i] = fmt.Sprintf("utm_%d=campaign-%d", i, i)
	}
	h := make(http.Header)
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
		h.Set(name, value)
	}
	return &Request{
		Method: http.MethodGet, Scheme: "https", Host: "shop-0.example.com", Path: "/page", EscapedPath: "/page",
		RawQuery: strings.Join(pairs, "&"), Header: h,
	}
}

func benchCompiled(b *testing.B, n int) *Compiled {
	b.Helper()
	c, err := Compile(benchPolicy(n), "bench")
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func BenchmarkStepRoute(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) {
			c, req := benchCompiled(b, n), benchRequest(0)
			b.ReportAllocs()
			for b.Loop() {
				if c.Route(req).Name != "route-0" {
					b.Fatal("another route")
				}
			}
		})
	}
}

func BenchmarkStepInspect(b *testing.B) {
	for _, n := range []int{0, 5, 20} {
		b.Run(fmt.Sprintf("params=%d", n), func(b *testing.B) {
			req := benchRequest(n)
			rule := benchCompiled(b, 10).Route(req)
			b.ReportAllocs()
			for b.Loop() {
				if v := rule.Inspect(req); v.Action != ActCache {
					b.Fatal(v.Reasons)
				}
			}
		})
	}
}

func BenchmarkStepDispose(b *testing.B) {
	for _, n := range []int{0, 5, 20} {
		b.Run(fmt.Sprintf("params=%d", n), func(b *testing.B) {
			req := benchRequest(n)
			rule := benchCompiled(b, 10).Route(req)
			var parts Parts
			b.ReportAllocs()
			for b.Loop() {
				if v := rule.Dispose(req, &parts); v.Action != ActCache {
					b.Fatal(v.Reasons)
				}
			}
		})
	}
}

func BenchmarkStepKey(b *testing.B) {
	req := benchRequest(5)
	rule := benchCompiled(b, 10).Route(req)
	var parts Parts
	if v := rule.Dispose(req, &parts); v.Action != ActCache {
		b.Fatal(v.Reasons)
	}
	var buffer []byte
	b.ReportAllocs()
	for b.Loop() {
		buffer = parts.AppendKey(buffer[:0])
		if Digest(buffer) == ([32]byte{}) {
			b.Fatal("no digest")
		}
	}
}
