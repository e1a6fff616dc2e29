package httpcache

import (
	"net/http"
	"testing"
	"time"

	"github.com/cacheward/cacheward/policies"
)

// benchHead is the head of an answer as an app makes it.
func benchHead() http.Header {
	return http.Header{
		"Server": {"Caddy"}, "Content-Type": {"text/html; charset=utf-8"}, "Date": {"Mon, 23 Nov 2026 15:00:00 GMT"},
		"Etag": {`"33a64df551425fcc55e4d42a148795d9f25f89d4"`}, "Vary": {"Accept-Language"}, "X-Frame-Options": {"DENY"}, "Age": {"7"},
	}
}

func benchProfile(b *testing.B, name string) *policies.Profile {
	b.Helper()
	to, err := policies.FindProfile(name)
	if err != nil {
		b.Fatal(err)
	}
	return to
}

func BenchmarkStepPermit(b *testing.B) {
	for _, name := range []string{policies.ProfileGeneric, "cloudflare"} {
		b.Run(name, func(b *testing.B) {
			h, to := benchHead(), benchProfile(b, name)
			p := Permission{CDN: time.Minute, Age: 7 * time.Second, Browser: 10 * time.Second}
			b.ReportAllocs()
			for b.Loop() {
				if !PermitAs(h, p, to) {
					b.Fatal("forbidden")
				}
			}
		})
	}
}

func BenchmarkStepForbid(b *testing.B) {
	h, to := benchHead(), benchProfile(b, policies.ProfileGeneric)
	b.ReportAllocs()
	for b.Loop() {
		ForbidAs(h, to)
	}
}

func BenchmarkStepStatus(b *testing.B) {
	h := benchHead()
	s := Status{Hit: true, TTL: 86_398 * time.Second, HasTTL: true}
	b.ReportAllocs()
	for b.Loop() {
		delete(h, "Cache-Status")
		s.Append(h)
	}
}
