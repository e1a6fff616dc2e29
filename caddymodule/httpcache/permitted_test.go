package httpcache

import (
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPermitted(t *testing.T) {
	for _, tt := range []struct {
		lines  []string
		ttl    time.Duration
		shared bool
	}{
		{[]string{"Cache-Control: private, no-store"}, 0, false},
		{nil, 0, false},
		{[]string{"Cache-Control: public, max-age=0, must-revalidate"}, 0, false},
		{[]string{"Cache-Control: public, max-age=0, must-revalidate", "Cdn-Cache-Control: max-age=60"}, time.Minute, true},
		{[]string{"Cache-Control: public, max-age=5, s-maxage=60"}, time.Minute, true},
		{[]string{"Cache-Control: public, max-age=5"}, 5 * time.Second, true},
		{[]string{"Cache-Control: max-age=5", "Surrogate-Control: max-age=60"}, time.Minute, true},
		{[]string{"Cache-Control: max-age=5", "X-Accel-Expires: 60"}, time.Minute, true},
		{[]string{"Cache-Control: max-age=5", "Surrogate-Control: no-store"}, 0, false},
		{[]string{"Cache-Control: max-age=60, no-cache"}, 0, false},
		{[]string{"Date: Mon, 23 Nov 2026 10:00:00 GMT", "Expires: Mon, 23 Nov 2026 10:01:00 GMT"}, time.Minute, true},
		{[]string{"Date: Mon, 23 Nov 2026 10:00:00 GMT", "Expires: Mon, 23 Nov 2026 10:01:00 GMT", "Cache-Control: max-age=5"}, 5 * time.Second, true},
		{[]string{"Expires: 0"}, 0, false},
		{[]string{"Cache-Control: private", "Expires: Fri, 23 Nov 2046 10:01:00 GMT"}, 0, false},
	} {
		if ttl, shared := Permitted(header(tt.lines...)); ttl != tt.ttl || shared != tt.shared {
			t.Errorf("%q: %v %v, want %v %v", tt.lines, ttl, shared, tt.ttl, tt.shared)
		}
	}
}

// TestPermittedOfContract: what Permit permits is what Permitted reads, and of what Forbid
// and Relay leave there is nothing.
func TestPermittedOfContract(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Permission{
			CDN:     time.Duration(rapid.IntRange(0, 1000).Draw(t, "cdn")) * time.Second,
			Browser: time.Duration(rapid.IntRange(0, 1000).Draw(t, "browser")) * time.Second,
		}
		h := everyPermission()
		Permit(h, p)
		want := p.CDN // in shared caches, however long browsers may
		if ttl, shared := Permitted(h); ttl != want || shared != (want > 0) {
			t.Errorf("%+v: %v %v", p, ttl, shared)
		}
		Forbid(h)
		if ttl, shared := Permitted(h); ttl != 0 || shared {
			t.Errorf("forbidden: %v %v", ttl, shared)
		}
		if ttl, shared := Permitted(http.Header{}); ttl != 0 || shared {
			t.Errorf("silence: %v %v", ttl, shared)
		}
	})
}

func TestPermittedLater(t *testing.T) {
	for _, tt := range []struct {
		lines []string
		want  bool
	}{
		{nil, false},
		{[]string{"Etag: \"1\""}, false},
		{[]string{"Cache-Control: no-cache"}, false},
		{[]string{"Cache-Control: no-cache", "Etag: \"1\""}, true},
		{[]string{"Cache-Control: public, max-age=0, must-revalidate", "Last-Modified: Mon, 23 Nov 2026 10:00:00 GMT"}, true},
		{[]string{"Cache-Control: max-age=0, stale-while-revalidate=60"}, true},
		{[]string{"Cache-Control: max-age=0, stale-if-error=60"}, true},
		{[]string{"Cache-Control: no-cache", "Etag: \"1\"", "Surrogate-Control: no-store"}, false},
		{[]string{"Cache-Control: private, no-cache", "Etag: \"1\""}, false},
		{[]string{"Cache-Control: no-cache", "Etag: \"1\"", "Vary: *"}, false},
	} {
		if got := PermittedLater(header(tt.lines...)); got != tt.want {
			t.Errorf("%q: %t", tt.lines, got)
		}
	}
}
